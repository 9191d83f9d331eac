"""The PROXY protocol, versions 1 and 2: whom a trusted proxy speaks for.

Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

import re
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Networks = tuple[IPv4Network | IPv6Network, ...]

V2_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V1_MAX_BYTES = 107
_V2_MAX_BYTES = 4096  # addresses (216 at most) and TLVs; proxies send a few hundred bytes
_V2_HEADER = struct.Struct("!BBH")
_V1 = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f:.]{2,45}) ([0-9A-Fa-f:.]{2,45}) ([0-9]{1,5}) ([0-9]{1,5})\r\n")
_V1_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [^\r\n]*)?\r\n")


class ProxyError(ValueError):
    """What came is no PROXY header. The connection must be dropped (section 2 of the specification)."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """`source`: the client's address; None where the proxy speaks for itself (LOCAL, UNKNOWN, a Unix socket).
    `size_bytes`: how much of the input the header took."""

    source: str | None
    size_bytes: int


def is_trusted(address: str, networks: Networks) -> bool:
    """Whether `address` is in one of `networks`. A name that is no IP address is not."""
    if not networks:
        return False
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in networks)


def parse_header(received: bytes) -> ProxyHeader | None:
    """The header that `received` begins with; None while it may still become one. Raises `ProxyError`."""
    if received.startswith(V2_SIGNATURE):
        return _parse_v2(received)
    if V2_SIGNATURE.startswith(received):
        return None
    if received.startswith(b"PROXY "):
        return _parse_v1(received)
    if b"PROXY ".startswith(received):
        return None
    raise ProxyError("no PROXY header")


def _parse_v1(received: bytes) -> ProxyHeader | None:
    end = received.find(b"\r\n", 0, _V1_MAX_BYTES)
    if end < 0:
        if len(received) >= _V1_MAX_BYTES:
            raise ProxyError("version 1: header too long")
        return None
    line = received[: end + 2]
    if _V1_UNKNOWN.fullmatch(line):
        return ProxyHeader(None, len(line))
    match = _V1.fullmatch(line)
    if match is None:
        raise ProxyError("version 1: malformed")
    family, source, destination, source_port, destination_port = (group.decode("ascii") for group in match.groups())
    address_type = IPv4Address if family == "4" else IPv6Address
    try:
        address = str(address_type(source))
        address_type(destination)
    except ValueError as exc:
        raise ProxyError("version 1: malformed address") from exc
    if int(source_port) > 65535 or int(destination_port) > 65535:
        raise ProxyError("version 1: malformed port")
    return ProxyHeader(address, len(line))


def _parse_v2(received: bytes) -> ProxyHeader | None:
    start = len(V2_SIGNATURE) + _V2_HEADER.size
    if len(received) < start:
        return None
    version_command, family_protocol, length = _V2_HEADER.unpack_from(received, len(V2_SIGNATURE))
    if version_command not in (0x20, 0x21):
        raise ProxyError("version 2: unknown version or command")
    if start + length > _V2_MAX_BYTES:
        raise ProxyError("version 2: header too long")
    if len(received) < start + length:
        return None
    source = None
    if version_command == 0x21 and family_protocol == 0x11:
        if length < 12:
            raise ProxyError("version 2: address missing")
        source = str(IPv4Address(received[start : start + 4]))
    elif version_command == 0x21 and family_protocol == 0x21:
        if length < 36:
            raise ProxyError("version 2: address missing")
        source = str(IPv6Address(received[start : start + 16]))
    return ProxyHeader(source, start + length)
