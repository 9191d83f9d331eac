"""The PROXY protocol: believed from trusted networks, required from them, and unknown from anyone else."""

import struct
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail.clock import FakeClock
from tempmail.smtp.options import SmtpOptions
from tempmail.smtp.proxy import V2_SIGNATURE, ProxyError, ProxyHeader, is_trusted, parse_header
from tests.smtp.serving import Certificates, LoopFactory, TlsByHand, run, serving

TRUSTING = SmtpOptions(hostname="mx.temp.example.com", proxy_protocol_from=(ip_network("127.0.0.0/8"),))
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 25\r\n"


def v2(source: str = "203.0.113.7", *, command: int = 1, extra: bytes = b"") -> bytes:
    address = ip_address(source)
    family = 0x11 if address.version == 4 else 0x21
    body = address.packed * 2 + struct.pack("!HH", 56324, 25) + extra
    return V2_SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(body)) + body


VALID = {
    "v1-tcp4": (V1, "203.0.113.7"),
    "v1-tcp6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 25\r\n", "2001:db8::7"),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", None),
    "v1-unknown-words": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    "v2-tcp4": (v2(), "203.0.113.7"),
    "v2-tcp6": (v2("2001:db8::7"), "2001:db8::7"),
    "v2-tlv": (v2(extra=b"\x04\x00\x03abc"), "203.0.113.7"),
    "v2-local": (v2(command=0), None),
    "v2-unix": (V2_SIGNATURE + struct.pack("!BBH", 0x21, 0x31, 216) + bytes(216), None),
    "v2-unspec": (V2_SIGNATURE + struct.pack("!BBH", 0x20, 0, 0), None),
}

INVALID = {
    "smtp": b"EHLO client.example\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00",
    "v1-lower": b"proxy TCP4 203.0.113.7 192.0.2.1 56324 25\r\n",
    "v1-family": b"PROXY TCP4 2001:db8::7 2001:db8::1 56324 25\r\n",
    "v1-udp": b"PROXY UDP4 203.0.113.7 192.0.2.1 56324 25\r\n",
    "v1-port": b"PROXY TCP4 203.0.113.7 192.0.2.1 65536 25\r\n",
    "v1-spaces": b"PROXY TCP4  203.0.113.7 192.0.2.1 56324 25\r\n",
    "v1-words": b"PROXY TCP4 203.0.113.7 192.0.2.1 56324 25 x\r\n",
    "v1-address": b"PROXY TCP4 203.0.113.256 192.0.2.1 56324 25\r\n",
    "v1-endless": b"PROXY UNKNOWN " + b"x" * 100,
    "v2-version": V2_SIGNATURE + struct.pack("!BBH", 0x11, 0x11, 12) + bytes(12),
    "v2-command": V2_SIGNATURE + struct.pack("!BBH", 0x22, 0x11, 12) + bytes(12),
    "v2-short": V2_SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 11) + bytes(11),
    "v2-short6": V2_SIGNATURE + struct.pack("!BBH", 0x21, 0x21, 35) + bytes(35),
    "v2-long": V2_SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 5000),
}


@pytest.mark.parametrize(("header", "source"), VALID.values(), ids=VALID)
def test_a_header_names_the_client(header: bytes, source: str | None) -> None:
    assert parse_header(header + b"EHLO") == ProxyHeader(source, len(header))


@pytest.mark.parametrize(("header", "source"), VALID.values(), ids=VALID)
def test_a_header_may_come_in_pieces(header: bytes, source: str | None) -> None:
    for end in range(len(header)):
        assert parse_header(header[:end]) is None


@pytest.mark.parametrize("received", INVALID.values(), ids=INVALID)
def test_anything_else_is_refused(received: bytes) -> None:
    with pytest.raises(ProxyError):
        parse_header(received)


@given(st.sampled_from([b"", b"PROXY ", V2_SIGNATURE, V2_SIGNATURE + b"\x21\x11"]), st.binary(max_size=200))
def test_any_bytes_are_a_header_or_refused_or_unfinished(head: bytes, tail: bytes) -> None:
    try:
        header = parse_header(head + tail)
    except ProxyError:
        return
    assert header is None or header.size_bytes <= len(head + tail)


def test_trust_is_by_network() -> None:
    networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    trusted = ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::5"]
    others = ["11.0.0.1", "::ffff:11.0.0.1", "2001:db9::5", "", "localhost", "fe80::1%lo"]
    assert [is_trusted(address, networks) for address in trusted] == [True] * 3
    assert [is_trusted(address, networks) for address in others] == [False] * 6
    assert not is_trusted("10.1.2.3", ())


@pytest.mark.parametrize("header", [V1, v2()], ids=["v1", "v2"])
def test_the_client_behind_the_proxy_is_the_peer(header: bytes, loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving(TRUSTING) as host, host.client() as client:
            await client.send(header[:9], header[9:])
            await client.reach_data()
            await client.ask(b".")
            assert host.receiver.mails[0].peer == "203.0.113.7"

    run(main(), loop_factory)


def test_a_header_and_the_first_command_may_come_together(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving(TRUSTING) as host, host.client() as client:
            await client.send(V1 + b"NOOP\r\n")
            assert (await client.reply())[:3] == "220"
            assert (await client.reply())[:3] == "250"

    run(main(), loop_factory)


def test_the_client_behind_the_proxy_counts_for_the_limits(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with (
            serving(TRUSTING, max_connections_per_address=1) as host,
            host.client() as first,
            host.client() as second,
            host.client() as other,
        ):
            await first.send(V1)
            assert (await first.reply())[:3] == "220"
            await second.send(V1)
            assert (await second.replies()) == ["421 4.7.0 Too many connections from your address"]
            await other.send(v2("203.0.113.8"))
            assert (await other.reply())[:3] == "220"

    run(main(), loop_factory)


@pytest.mark.parametrize("received", INVALID.values(), ids=INVALID)
def test_a_trusted_proxy_without_a_header_is_dropped(received: bytes, loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving(TRUSTING) as host, host.client() as client:
            await client.send(received)
            assert (await client.reply()) == ""
            assert host.connections.total == 0

    run(main(), loop_factory)


def test_a_trusted_proxy_that_stays_silent_is_dropped(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        clock = FakeClock()
        async with serving(TRUSTING, clock=clock) as host, host.client() as client:
            await host.until_sessions(1)
            await client.send(V1[:10])
            clock.advance(300)
            host.server.sweep()
            assert (await client.reply()) == ""

    run(main(), loop_factory)


def test_from_anyone_else_a_header_is_a_bad_command(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reply()
            assert (await client.ask(V1.strip()))[:9] == "500 5.5.1"
            await client.send(
                b"HELO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<box@temp.example.com>\r\nDATA\r\n.\r\n"
            )
            assert [(await client.reply())[:3] for _ in range(5)] == ["250", "250", "250", "354", "250"]
            assert host.receiver.mails[0].peer == "127.0.0.1"

    run(main(), loop_factory)


def test_implicit_tls_begins_after_the_header(certificates: Certificates, loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with (
            serving(TRUSTING, tls=certificates.server, implicit_tls=True) as host,
            host.client() as client,
        ):
            await client.send(V1)
            await client.start_tls(certificates.client)
            await client.reach_data()
            await client.ask(b".")
            assert (host.receiver.mails[0].peer, host.receiver.mails[0].protocol) == ("203.0.113.7", "ESMTPS")

    run(main(), loop_factory)


def test_a_header_and_the_first_tls_bytes_may_come_together(
    certificates: Certificates, loop_factory: LoopFactory
) -> None:
    async def main() -> None:
        async with (
            serving(TRUSTING, tls=certificates.server, implicit_tls=True) as host,
            host.client() as client,
        ):
            tls = TlsByHand(client, certificates.client)
            await tls.shake_hands(before=V1)
            assert (await tls.read_until(b"\r\n"))[:4] == b"220 "

    run(main(), loop_factory)
