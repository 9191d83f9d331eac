"""The fields of a mail that goes out, read and checked once for every provider.

Nothing here repairs: a field that could start another header, another recipient or another command is refused.
"""

import re
from dataclasses import dataclass

from tempmail.domain.outbound import Capabilities, OutboundMessage, lacking
from tempmail.domain.smtp_path import PathError, parse_reverse_path
from tempmail.errors import InvalidOutbound

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # all but the tab, which is blank space in a header
_SURROGATE = re.compile("[\ud800-\udfff]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ \t\-\u00a0-\U0010ffff]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_HEADER_NAME = re.compile(r"[!-9;-~]{1,76}")  # RFC 5322 2.2: printable ASCII but the colon
_TYPE = r"[A-Za-z0-9!#$&^_.+-]{1,127}"
_CONTENT_TYPE = re.compile(rf'{_TYPE}/{_TYPE}(?:; ?{_TYPE}=(?:{_TYPE}|"[^"\\\x00-\x1f\x7f]*"))*', re.ASCII)
_MAX_CONTENT_TYPE_CHARS = 255
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,200}", re.ASCII)

WRITTEN_FROM_FIELDS = frozenset(
    {"bcc", "cc", "from", "mime-version", "reply-to", "resent-bcc", "sender", "subject", "to"}
)
"""Headers that say what fields of the message say: none comes twice, and nobody is in copy by a header alone."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address with a display name, "" where it has none."""

    name: str
    address: str

    def __str__(self) -> str:
        """As RFC 5322 3.4 writes it, with characters beyond ASCII as they are.

        >>> str(Mailbox("Doe, John", "j@example.com")), str(Mailbox("", "j@example.com"))
        ('"Doe, John" <j@example.com>', 'j@example.com')
        """
        return f"{quoted_name(self.name)} <{self.address}>" if self.name else self.address


def quoted_name(name: str) -> str:
    """A display name as a phrase: as it is where it consists of atoms, else a quoted string (RFC 5322 3.2.4, 3.2.5)."""
    if _ATOMS.fullmatch(name):
        return name
    escaped = re.sub(r'(["\\])', r"\\\1", name)
    return f'"{escaped}"'


def mailbox_of(text: str) -> Mailbox:
    """What `local@domain` or `Name <local@domain>` names, however malformed: nothing is checked.

    >>> mailbox_of('"Doe, John" <j@example.com>'), mailbox_of(" j@example.com ")
    (Mailbox(name='Doe, John', address='j@example.com'), Mailbox(name='', address='j@example.com'))
    """
    text = text.strip()
    if not text.endswith(">") or "<" not in text:
        return Mailbox("", text)
    name, _, address = text[:-1].rpartition("<")
    name = name.strip()
    if match := _QUOTED.fullmatch(name):
        name = re.sub(r"\\(.)", r"\1", match[1])
    return Mailbox(name, address.strip())


def read_mailbox(text: str, field: str) -> Mailbox:
    """`mailbox_of`, of exactly one well-formed address. Raises `InvalidOutbound` that names `field`."""
    check_line(text, field)
    mailbox = mailbox_of(text)
    read_address(mailbox.address, field)
    return mailbox


def read_address(address: str, field: str) -> str:
    """A bare address, given back. Raises `InvalidOutbound` that names `field`."""
    check_line(address, field)
    try:
        read, rest = parse_reverse_path(f"<{address}>")
    except PathError as exc:
        raise InvalidOutbound(f"{field}: {exc}: {address[:100]!r}") from exc
    if rest or not read:
        raise InvalidOutbound(f"{field}: one address is expected: {address[:100]!r}")
    wire_address(address)
    return address


def wire_address(address: str) -> str:
    """`address` with its domain in A-labels, as every server takes it (RFC 5891); a local part beyond ASCII stays.

    >>> wire_address("a@bücher.example")
    'a@xn--bcher-kva.example'
    """
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{local}{at}{domain.encode('idna').decode()}"
    except UnicodeError as exc:
        raise InvalidOutbound(f"No domain name: {domain[:100]!r}") from exc


def is_content_type(text: str) -> bool:
    """Whether it is a type as `Content-Type` holds one, with or without parameters (RFC 2045 5.1)."""
    return len(text) <= _MAX_CONTENT_TYPE_CHARS and _CONTENT_TYPE.fullmatch(text) is not None


def is_content_id(text: str) -> bool:
    """Whether `Content-ID` can hold it between `<>`."""
    return _CONTENT_ID.fullmatch(text) is not None


def is_header_name(text: str) -> bool:
    return _HEADER_NAME.fullmatch(text) is not None


def check_line(text: str, field: str) -> None:
    """Refuse what could start a line of its own, or cannot be written at all. Raises `InvalidOutbound`."""
    if _CONTROL.search(text):
        raise InvalidOutbound(f"{field}: line breaks and control characters are not allowed")
    check_text(text, field)


def check_text(text: str, field: str) -> None:
    if _SURROGATE.search(text):
        raise InvalidOutbound(f"{field}: half of a surrogate pair is no character")


def check_message(name: str, can: Capabilities, message: OutboundMessage) -> None:
    """Refuse a mail that provider `name` cannot carry, or whose fields are not what they should be.

    Routing has asked `lacking` before; it is asked again since nothing may ever be dropped. A whole message (`raw`) is
    not looked into. Raises `InvalidOutbound`.
    """
    if missing := lacking(can, message):
        raise InvalidOutbound(f"{name} cannot carry: {', '.join(missing)}")
    if message.raw is not None:
        return
    read_address(message.from_addr, "from")
    check_line(message.from_name, "from_name")
    check_line(message.subject, "subject")
    check_line(message.message_id, "message_id")
    for field, mailboxes in (
        ("to", message.to),
        ("cc", message.cc),
        ("bcc", message.bcc),
        ("reply_to", message.reply_to),
    ):
        for mailbox in mailboxes:
            read_mailbox(mailbox, field)
    check_text(message.html or "", "html")
    check_text(message.text or "", "text")
    _check_headers(message)
    for tag, value in message.tags:
        check_line(tag, "tags")
        check_line(value, "tags")
    for attachment in message.attachments:
        check_line(attachment.filename, "attachments")
        if attachment.content_id and not is_content_id(attachment.content_id):
            raise InvalidOutbound(f"attachments: no content id: {attachment.content_id[:100]!r}")
        if not is_content_type(attachment.content_type):
            raise InvalidOutbound(f"attachments: no content type: {attachment.content_type[:100]!r}")


def _check_headers(message: OutboundMessage) -> None:
    seen = set()
    for header, value in message.headers:
        lowered = header.lower()
        if not is_header_name(header):
            raise InvalidOutbound(f"headers: not a header's name: {header[:100]!r}")
        if lowered in WRITTEN_FROM_FIELDS or lowered.startswith("content-"):
            raise InvalidOutbound(f"headers: {header} is written from the other fields")
        if lowered in seen:
            raise InvalidOutbound(f"headers: {header} comes twice")
        seen.add(lowered)
        check_line(value, f"headers: {header}")
