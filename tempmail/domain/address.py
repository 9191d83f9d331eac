"""Mail addresses: which domains are served, which mailbox an address means, and how new ones are named."""

import re
from collections.abc import Callable, Iterable

from tempmail.domain.smtp_path import PathError, parse_forward_path
from tempmail.errors import BadRequest

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
MAX_LOCAL_LENGTH = 64  # octets, RFC 5321 4.5.3.1.1
MAX_ADDRESS_LENGTH = 254  # RFC 5321 4.5.3.1.3, without the angle brackets
DEFAULT_LOCAL_LENGTH = 8

BOUNCES = "bounces"
"""Local part of the mailbox that returned mail goes to, and the sender where no rewritten one fits."""

RESERVED_LOCALS = frozenset({"admin", "administrator", BOUNCES, "hostmaster", "postmaster", "webmaster"})
"""None but the highest administrator gives them to anybody: who reads the mail of `bounces` reads what was forwarded
from other mailboxes and came back; who reads that of the others can have TLS certificates issued for the domain
(CA/Browser Forum Baseline Requirements, 3.2.2.4.4)."""

_LOCAL = re.compile(r"[a-z0-9._-]{1,64}")
_WORD = r"[^\s@\x00-\x1f\x7f-\x9f\ufeff]+"
_TARGET = re.compile(rf"{_WORD}@{_WORD}\.{_WORD}")
_ALIAS_SEPARATORS = ".+-"


def normalized_address(text: str) -> str:
    """The one form in which an address is stored and looked up: trimmed, in lower case."""
    return text.strip().lower()


def split_address(address: str) -> tuple[str, str]:
    """(local part, domain) around the last `@`; the domain is empty where there is none.

    >>> split_address("a@b@example.com")
    ('a@b', 'example.com')
    """
    local, _, domain = address.rpartition("@")
    return (local, domain) if local else (address, "")


def alias_of(address: str) -> str:
    """The mailbox that the original's alias rule names: the text after the last `.`, `+` or `-` of the local part.

    Only where that separator is not first and text follows it; `_` does not separate. Source: freemail contract 3.

    >>> alias_of("a.b-c+d@x.example"), alias_of(".x@d.example"), alias_of("x.@d.example")
    ('d@x.example', '.x@d.example', 'x.@d.example')
    """
    local, domain = split_address(address.lower())
    cut = max(local.rfind(separator) for separator in _ALIAS_SEPARATORS)
    if cut > 0 and cut + 1 < len(local):
        local = local[cut + 1 :]
    return f"{local}@{domain}" if domain else local


class ServedDomains:
    """The domains that mail is accepted for: exact names, and `*.example.com` for its subdomains at any depth."""

    def __init__(self, domains: Iterable[str]) -> None:
        self.as_configured = tuple(domains)
        lowered = [domain.lower() for domain in self.as_configured]
        self._exact = frozenset(domain for domain in lowered if not domain.startswith("*."))
        self._suffixes = tuple(domain[1:] for domain in lowered if domain.startswith("*."))

    def serves(self, domain: str) -> bool:
        domain = domain.lower()
        return domain in self._exact or (bool(domain) and domain.endswith(self._suffixes) and domain[0] != ".")

    @property
    def concrete(self) -> tuple[str, ...]:
        """Those that an address can be made in (no wildcards), as configured."""
        return tuple(domain for domain in self.as_configured if not domain.startswith("*."))


def valid_local(local: str) -> bool:
    """Whether a caller may choose this local part (already trimmed and in lower case). Source: contract 3."""
    return _LOCAL.fullmatch(local) is not None


def receivable(address: str) -> bool:
    """Whether mail can be addressed to it, in whatever domain: a local part and a domain round one `@`, as RCPT takes
    them (RFC 5321 4.1.2 and 4.5.3.1).

    >>> receivable("me+tag@localhost"), receivable("a b@c.example"), receivable("a@b@c.example")
    (True, False, False)
    """
    try:
        return address.count("@") == 1 and parse_forward_path(f"<{address}>", postmaster_domain="") == (address, "")
    except PathError:
        return False


def forward_target(text: str | None) -> str | None:
    """The address to forward to, trimmed, its case kept; None, which stands for "do not forward", where the text is
    empty. Raises `BadRequest` for other forms than `local@host.domain`, white space and control characters in it, and
    more than 254 characters. Source: contract 1.2.

    >>> forward_target(" Me+tag@mail.example.com "), forward_target("")
    ('Me+tag@mail.example.com', None)
    """
    target = (text or "").strip()
    if target and (len(target) > MAX_ADDRESS_LENGTH or not _TARGET.fullmatch(target)):
        raise BadRequest("转发目标邮箱格式无效")
    return target or None


def random_local(length: int, choice: Callable[[str], str]) -> str:
    """A random local part. `choice` picks one character: `secrets.choice`, or a test's own."""
    return "".join(choice(ALPHABET) for _ in range(length))


def address_in(text: str) -> str:
    """The address in `Name <a@b>`, else the first word, in lower case; empty where there is none.

    >>> address_in("Box <A@b.example>"), address_in(" a@b.example, c@d.example")
    ('a@b.example', 'a@b.example')
    """
    start, end = text.rfind("<"), text.rfind(">")
    if 0 <= start < end:
        return text[start + 1 : end].strip().lower()
    words = text.replace(",", " ").split(maxsplit=1)
    return words[0].lower() if words else ""


def object_folder(address: str) -> str:
    """The address as a folder of object keys: characters outside `[a-z0-9@._-]` become `_`. Source: contract 4.7.

    A name of dots alone would climb out of its folder, so it counts as unknown.
    """
    cleaned = re.sub(r"[^a-z0-9@._-]", "_", address.lower())[:200]
    return cleaned if cleaned.strip(".") else "unknown"


def object_key(received_at: str, address: str, uuid: str) -> str:
    """`YYYY/MM/DD/<mailbox>/HHMMSS-<uuid>.eml` (UTC), the original's layout.

    >>> object_key("2026-11-20 10:15:00", "Box@example.com", "u1")
    '2026/11/20/box@example.com/101500-u1.eml'
    """
    day, _, time = received_at.partition(" ")
    return f"{day.replace('-', '/')}/{object_folder(address)}/{time.replace(':', '')}-{uuid}.eml"
