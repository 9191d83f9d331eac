"""A mail as it goes over the wire: RFC 5322 headers, MIME parts (RFC 2045 to 2047, 2231).

Written by hand, since the bytes of one message must be the same at every try, whatever the Python version: boundaries
come from the content, and header folding of the standard library changed (and lost quotes) between versions. It also
takes a tenth of the time.
"""

import binascii
import hashlib
import re
from collections.abc import Iterable
from email.utils import formatdate
from urllib.parse import quote

from tempmail.domain.outbound import Attachment, OutboundMessage
from tempmail.domain.outbound_fields import (
    WRITTEN_FROM_FIELDS,
    Mailbox,
    is_content_type,
    is_header_name,
    mailbox_of,
    quoted_name,
    wire_address,
)
from tempmail.errors import InvalidOutbound

MAX_LINE_OCTETS = 998  # RFC 5322 2.1.1, without CRLF
FOLD_AT = 76
"""Also the most that a line with an encoded word may have (RFC 2047 2)."""
MAX_ID_OCTETS = 900
MAX_QUOTED_CHARS = 60

LEFT_OUT = (WRITTEN_FROM_FIELDS - {"sender"}) | {"content-transfer-encoding", "content-type"}
"""Headers that the message's other fields give, or that name who shall not be named: further ones are not written."""

_ASCII = bytes(range(128))
_WORD_OCTETS = 45  # of text; 60 in base64, 72 with the frame: below 75 (RFC 2047 2)
_WORD_FRAME = len("=?utf-8?b??=")
_BASE64_LINE_CHARS = 76  # RFC 2045 6.8
_PLAIN = re.compile(r"[\t -~]*")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")
_NO_ID = re.compile(r"[^!-~]+")
_NO_CONTENT_ID = re.compile(r"[^!-;=?-~]+")
_QUOTABLE = re.compile(r"[ !#-\[\]-~]+")
_PIECES = re.compile(r"[ \t]*[^ \t]+")
_UNKNOWN_TYPE = "application/octet-stream"


def compose(message: OutboundMessage, *, date_s: float) -> bytes:
    """The whole mail with CRLF lines, its dots not stuffed. The same message gives the same bytes.

    Its addresses have been checked by the caller. Whatever else it holds, no field can start another header, another
    part or a line over 998 octets: control characters become blanks, halves of surrogate pairs question marks, headers
    of `LEFT_OUT` or without a proper name are left out, a type that is none is `application/octet-stream`. Who is to
    refuse such things calls `outbound_fields.check_message` first.

    `date_s`: epoch seconds for `Date`, where the message's own headers have none. Bcc is not written. Headers are ASCII
    unless an address is not (RFC 6532). Of html and text alone, each is the body; of both, the text comes first, as
    `multipart/alternative`. Attachments that HTML refers to (`content_id`) are related to it, the others stand beside;
    with HTML or without, the former come first.
    """
    headers = [
        (name, value) for name, value in message.headers if is_header_name(name) and name.lower() not in LEFT_OUT
    ]
    own = {name.lower() for name, _ in headers}
    head = [_address_header("From", (Mailbox(message.from_name, message.from_addr),))]
    if message.to:
        head.append(_address_header("To", map(mailbox_of, message.to)))
    if message.cc:
        head.append(_address_header("Cc", map(mailbox_of, message.cc)))
    if not message.to and not message.cc:
        head.append("To: undisclosed-recipients:;\r\n")
    if message.reply_to:
        head.append(_address_header("Reply-To", map(mailbox_of, message.reply_to)))
    head.append(_text_header("Subject", message.subject))
    if "date" not in own:
        head.append(f"Date: {_date(date_s)}\r\n")
    if message.message_id and "message-id" not in own:
        head.append(f"Message-ID: {_NO_ID.sub('', message.message_id)[:MAX_ID_OCTETS]}\r\n")
    head += [_text_header(name, value) for name, value in headers]
    head.append("MIME-Version: 1.0\r\n")
    return b"".join(["".join(head).encode("utf-8", "replace"), *_body(message)])


# Every function below gives the octets of an entity, in pieces: its headers, an empty line, its body. Bodies end in
# CRLF, and the CRLF before a boundary is not theirs (RFC 2046 5.1.1).


def _body(message: OutboundMessage) -> list[bytes]:
    text, html = message.text, message.html
    related = [file for file in message.attachments if file.content_id]
    beside = [file for file in message.attachments if not file.content_id]
    if html is None:
        related, beside = [], [*related, *beside]
    body = [] if text is None and html is not None else [_text_part("plain", text or "")]
    if html is not None:
        body.append(_text_part("html", html))
    if len(body) == 1 and not related and not beside:
        return body[0]
    boundary = _boundary(message.message_id, body)
    if related:
        body[-1] = _multipart("related", [body[-1], *map(_attachment, related)], boundary)
    entity = body[0] if len(body) == 1 else _multipart("alternative", body, boundary)
    return _multipart("mixed", [entity, *map(_attachment, beside)], boundary) if beside else entity


def _boundary(message_id: str, texts: Iterable[list[bytes]]) -> str:
    """What is the start of no line: "=_" is in no base64 and no quoted-printable text (RFC 2045 6.7), and a text that
    stands as it is cannot hold its own hash."""
    digest = hashlib.sha256(message_id.encode("utf-8", "replace"))
    for text in texts:
        digest.update(b"\0")
        digest.update(text[-1])
    return f"=_{digest.hexdigest()[:32]}"


def _multipart(subtype: str, parts: Iterable[list[bytes]], boundary: str) -> list[bytes]:
    boundary += subtype[0]
    between = f"\r\n--{boundary}\r\n".encode()
    pieces = [f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n'.encode()]
    for part in parts:
        pieces.append(between)
        pieces += part
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return pieces


def _text_part(subtype: str, text: str) -> list[bytes]:
    raw = text.encode("utf-8", "replace")
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not raw.endswith(b"\n"):
        raw += b"\n"
    # NUL is allowed in no transfer encoding but the encoded ones (RFC 2045 2.7, 2.8).
    if raw.isascii() and b"\0" not in raw and not _has_long_line(raw):
        encoding, data = "7bit", raw.replace(b"\n", b"\r\n")
    elif 6 * len(raw.translate(None, _ASCII)) <= len(raw):
        encoding, data = "quoted-printable", binascii.b2a_qp(raw, istext=True).replace(b"\n", b"\r\n")
    else:
        encoding, data = "base64", _base64(raw.replace(b"\n", b"\r\n"))
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return [head.encode(), data]


def _has_long_line(raw: bytes) -> bool:
    return len(raw) > MAX_LINE_OCTETS and max(map(len, raw.split(b"\n"))) > MAX_LINE_OCTETS


def _attachment(attachment: Attachment) -> list[bytes]:
    kind = attachment.content_type
    if not is_content_type(kind) or kind.lower().startswith(("message/", "multipart/")):
        kind = _UNKNOWN_TYPE  # those two may not be encoded (RFC 2046 5.2.1, RFC 2045 6.4)
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: "
    head += f"{'inline' if attachment.content_id else 'attachment'}{_file_name(attachment.filename)}\r\n"
    if content_id := _NO_CONTENT_ID.sub("", attachment.content_id or "")[:MAX_ID_OCTETS]:
        head += f"Content-ID: <{content_id}>\r\n"
    return [f"{head}\r\n".encode(), _base64(attachment.content)]


def _file_name(name: str) -> str:
    """The parameter, "" for no name: quoted where every reader understands that, else in RFC 2231's form, a line of
    its own for each piece, which is of whole characters."""
    name = _CONTROLS.sub(" ", name)
    if not name:
        return ""
    if len(name) <= MAX_QUOTED_CHARS and _QUOTABLE.fullmatch(name) and "=?" not in name:
        return f';\r\n filename="{name}"'
    pieces = [""]
    for char in name:
        escaped = quote(char, safe="", errors="replace")
        if len(pieces[-1]) + len(escaped) > MAX_QUOTED_CHARS - 8:
            pieces.append("")
        pieces[-1] += escaped
    if len(pieces) == 1:
        return f";\r\n filename*=utf-8''{pieces[0]}"
    pieces[0] = f"utf-8''{pieces[0]}"
    return "".join(f";\r\n filename*{number}*={piece}" for number, piece in enumerate(pieces))


def _base64(raw: bytes) -> bytes:
    encoded = binascii.b2a_base64(raw, newline=False)
    lines = [encoded[start : start + _BASE64_LINE_CHARS] for start in range(0, len(encoded), _BASE64_LINE_CHARS)]
    return b"\r\n".join([*lines, b""])


def _date(epoch_s: float) -> str:
    """In UTC; "-0000" would say that the time is one of an unknown zone (RFC 5322 3.3)."""
    return formatdate(int(epoch_s)).removesuffix("-0000") + "+0000"


def _address_header(name: str, mailboxes: Iterable[Mailbox]) -> str:
    """One address a line, as long lists have it."""
    addresses, before = [], len(name) + 2
    for mailbox in mailboxes:
        addresses.append(_address(mailbox, before))
        before = 1
    return f"{name}: " + ",\r\n ".join(addresses) + "\r\n"


def _address(mailbox: Mailbox, before: int) -> str:
    """`before`: how much of the line is used."""
    address = _CONTROLS.sub("", mailbox.address)
    if not address.isascii():
        address = _in_a_labels(address)
    if not mailbox.name:
        return address
    name = _CONTROLS.sub(" ", mailbox.name)
    if _is_plain(name) and len(name) <= FOLD_AT:
        return f"{quoted_name(name)} <{address}>"
    return f"{_encoded_words(name, before)}\r\n <{address}>"


def _in_a_labels(address: str) -> str:
    try:
        return wire_address(address)
    except InvalidOutbound:
        return address


def _text_header(name: str, value: str) -> str:
    """Unstructured text: folded at blanks where it is plain, else in encoded words."""
    value = _CONTROLS.sub(" ", value)
    if _is_plain(value):
        if len(name) + len(value) <= FOLD_AT - 2:
            return f"{name}: {value}\r\n"
        pieces = _PIECES.findall(value)
        if max(map(len, pieces)) <= MAX_LINE_OCTETS - len(name) - 2:
            return f"{name}: {_folded(pieces, len(name) + 2)}\r\n"
    if len(name) + 2 + _WORD_FRAME + 8 > FOLD_AT:
        return f"{name}:\r\n {_encoded_words(value, 1)}\r\n"
    return f"{name}: {_encoded_words(value, len(name) + 2)}\r\n"


def _is_plain(text: str) -> bool:
    """Whether it can stand in a header as it is: ASCII, nothing that a reader would decode, no blank at its ends."""
    return _PLAIN.fullmatch(text) is not None and "=?" not in text and text == text.strip()


def _folded(pieces: list[str], before: int) -> str:
    """Broken before blanks, which begin the further lines; the name stays with the first word."""
    lines, room = [""], FOLD_AT - before
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece) > room:
            lines.append(piece)
            room = FOLD_AT
        else:
            lines[-1] += piece
    return "\r\n".join(lines)


def _encoded_words(text: str, before: int) -> str:
    """RFC 2047 in UTF-8, whole characters in each word, a line each, of which `before` is used in the first."""
    raw = text.encode("utf-8", "replace")
    room = min(_WORD_OCTETS, (FOLD_AT - before - _WORD_FRAME) // 4 * 3)
    words, start = [], 0
    while start < len(raw):
        end = start + room
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        words.append(f"=?utf-8?b?{binascii.b2a_base64(raw[start:end], newline=False).decode()}?=")
        start, room = end, _WORD_OCTETS
    return "\r\n ".join(words)
