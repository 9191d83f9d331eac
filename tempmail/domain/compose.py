"""A mail as it goes over the wire: RFC 5322 headers, MIME parts.

Written by hand, since the bytes of one message must be the same at every try, whatever the Python version: boundaries
come from the content, and header folding of the standard library changed (and lost quotes) between versions.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import quote

from tempmail.domain.outbound import Attachment, OutboundMessage
from tempmail.domain.outbound_fields import Mailbox, read_mailbox, wire_address

MAX_LINE_OCTETS = 998  # RFC 5322 2.1.1, without CRLF
FOLD_AT = 78
_ENCODED_WORD_OCTETS = 45  # of text; 60 in base64, 72 with the frame: below 75 (RFC 2047 2)
_BREAK = re.compile(r"\r\n|\r|\n")
_PLAIN = re.compile(r"[ \t!-~]*")
_TOKEN = re.compile(r"[A-Za-z0-9!#$&+.^_`|~-]+")


@dataclass(frozen=True, slots=True)
class _Entity:
    """A MIME entity: its header lines without CRLF, and its body, which ends in CRLF."""

    headers: tuple[str, ...]
    body: bytes = field(repr=False)

    def write(self) -> bytes:
        return "".join(f"{line}\r\n" for line in self.headers).encode() + b"\r\n" + self.body


def compose(message: OutboundMessage, *, date_s: float) -> bytes:
    """The whole mail with CRLF lines, its dots not stuffed. `message` has been checked (`outbound_fields`).

    `date_s`: epoch seconds for `Date`, where the message's own headers have none. Bcc is not written. Headers are ASCII
    unless an address is not (RFC 6532). Of html and text alone, each is the body; of both, the text comes first, as
    `multipart/alternative`. Attachments that HTML refers to (`content_id`) are related to it, the others stand beside.
    """
    own = {name.lower() for name, _ in message.headers}
    lines = [_address_header("From", [Mailbox(message.from_name, message.from_addr)])]
    for name, field_name, mailboxes in (("To", "to", message.to), ("Cc", "cc", message.cc)):
        if mailboxes:
            lines.append(_address_header(name, [read_mailbox(text, field_name) for text in mailboxes]))
    if not message.to and not message.cc:
        lines.append("To: undisclosed-recipients:;")
    if message.reply_to:
        lines.append(_address_header("Reply-To", [read_mailbox(text, "reply_to") for text in message.reply_to]))
    lines.append(_text_header("Subject", message.subject))
    if "date" not in own:
        lines.append(f"Date: {format_datetime(datetime.fromtimestamp(int(date_s), UTC))}")
    if message.message_id and "message-id" not in own:
        lines.append(f"Message-ID: {message.message_id}")
    lines += [_text_header(name, value) for name, value in message.headers]
    body = _body(message)
    return _Entity((*lines, "MIME-Version: 1.0", *body.headers), body.body).write()


def _body(message: OutboundMessage) -> _Entity:
    related = [part for part in message.attachments if part.content_id and message.html is not None]
    beside = [part for part in message.attachments if part not in related]
    entity = _text_part("plain", message.text or "")
    if message.html is not None:
        html = _text_part("html", message.html)
        if related:
            html = _multipart("related", [html, *map(_attachment, related)])
        entity = html if message.text is None else _multipart("alternative", [entity, html])
    return _multipart("mixed", [entity, *map(_attachment, beside)]) if beside else entity


def _multipart(subtype: str, parts: Sequence[_Entity]) -> _Entity:
    written = [part.write() for part in parts]
    digest = hashlib.sha256(b"\0".join(written)).hexdigest()[:32]
    boundary = f"=_{subtype[0]}{digest}"  # "=_" is in no base64 and no quoted-printable text (RFC 2045 6.7)
    between = f"--{boundary}\r\n".encode()
    body = b"".join(between + part for part in written) + f"--{boundary}--\r\n".encode()
    return _Entity((f'Content-Type: multipart/{subtype}; boundary="{boundary}"',), body)


def _text_part(subtype: str, text: str) -> _Entity:
    content = _BREAK.sub("\r\n", text)
    if not content.endswith("\r\n"):
        content += "\r\n"
    data = content.encode()
    # NUL is allowed in no transfer encoding but the encoded ones (RFC 2045 2.7, 2.8).
    if data.isascii() and b"\0" not in data and max(map(len, data.split(b"\r\n"))) <= MAX_LINE_OCTETS:
        encoding = "7bit"
    elif 6 * sum(len(char.encode()) for char in content if not char.isascii()) <= len(data):
        encoding, data = "quoted-printable", _quoted_printable(data)
    else:
        encoding, data = "base64", _base64(data)
    headers = (f"Content-Type: text/{subtype}; charset=utf-8", f"Content-Transfer-Encoding: {encoding}")
    return _Entity(headers, data)


def _attachment(attachment: Attachment) -> _Entity:
    content_type = attachment.content_type
    if content_type.lower().startswith(("message/", "multipart/")):
        content_type = "application/octet-stream"  # those two may not be encoded (RFC 2046 5.2.1, RFC 2045 6.4)
    disposition = "inline" if attachment.content_id else "attachment"
    headers = [
        f"Content-Type: {content_type}",
        "Content-Transfer-Encoding: base64",
        f"Content-Disposition: {disposition}{_file_name(attachment.filename)}",
    ]
    if attachment.content_id:
        headers.append(f"Content-ID: <{attachment.content_id.strip('<>')}>")
    return _Entity(tuple(headers), _base64(attachment.content))


def _file_name(name: str) -> str:
    """The parameter, "" for no name; what is not a token goes in RFC 2231's form, a line of its own for each piece."""
    if not name:
        return ""
    if _TOKEN.fullmatch(name) and len(name) <= FOLD_AT:
        return f'; filename="{name}"'
    pieces = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,20}", quote(name, safe=""))  # never cut within an escape
    if len(pieces) == 1:
        return f";\r\n filename*=utf-8''{pieces[0]}"
    first, *others = pieces
    further = (f";\r\n filename*{i}*={piece}" for i, piece in enumerate(others, 1))
    return f";\r\n filename*0*=utf-8''{first}{''.join(further)}"


def _base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def _quoted_printable(data: bytes) -> bytes:
    return re.sub(rb"\r?\n", b"\r\n", binascii.b2a_qp(data, istext=True))


def _address_header(name: str, mailboxes: Sequence[Mailbox]) -> str:
    """One address a line, as long lists have it."""
    return f"{name}: " + ",\r\n ".join(_address(mailbox) for mailbox in mailboxes)


def _address(mailbox: Mailbox) -> str:
    address = wire_address(mailbox.address)
    if not mailbox.name:
        return address
    if _is_plain(mailbox.name) and len(mailbox.name) <= FOLD_AT:
        return str(Mailbox(mailbox.name, address))
    return f"{_encoded_words(mailbox.name)}\r\n <{address}>"


def _text_header(name: str, value: str) -> str:
    """Unstructured text: folded at blanks where it is plain, else in encoded words."""
    if _is_plain(value) and max(map(len, value.split(" "))) <= MAX_LINE_OCTETS - len(name) - 2:
        return _folded(f"{name}: {value}")
    return f"{name}: {_encoded_words(value)}"


def _is_plain(text: str) -> bool:
    """Whether it can stand in a header as it is: ASCII, nothing that a reader would decode, no blank at its ends."""
    return _PLAIN.fullmatch(text) is not None and "=?" not in text and text == text.strip()


def _folded(line: str) -> str:
    """Broken before blanks, which begin the further lines; the name stays with the first word."""
    name, _, rest = line.partition(" ")
    first, *words = re.findall(r"[ \t]*[^ \t]+", rest) or [""]
    lines = [f"{name} {first}"]
    for word in words:
        if len(lines[-1]) + len(word) > FOLD_AT:
            lines.append(word)
        else:
            lines[-1] += word
    return "\r\n".join(lines)


def _encoded_words(text: str) -> str:
    """RFC 2047 in UTF-8, whole characters in each word, a line each."""
    words, chunk = [], b""
    for char in text:
        octets = char.encode()
        if len(chunk) + len(octets) > _ENCODED_WORD_OCTETS:
            words.append(chunk)
            chunk = b""
        chunk += octets
    words.append(chunk)
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word).decode()}?=" for word in words)
