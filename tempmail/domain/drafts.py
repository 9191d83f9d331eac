"""A mail as a caller asks for it, and what it takes to be one that can be sent. Source: freemail contract 6.

Whatever is wrong is said in the caller's terms (`BadRequest`); nothing is dropped, and nothing reaches a provider that
could break out of a header.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tempmail.domain.address import receivable
from tempmail.domain.iso8601 import parse_iso
from tempmail.domain.outbound import Attachment, OutboundMessage, RecipientKind
from tempmail.domain.outbound_fields import (
    WRITTEN_FROM_FIELDS,
    Mailbox,
    is_content_id,
    is_content_type,
    is_header_name,
    read_mailbox,
)
from tempmail.errors import BadRequest, InvalidOutbound

MAX_RECIPIENTS = 50
MAX_LIST_CHARS = 32_768
"""Of all addresses in one field, as given."""
MAX_SUBJECT_CHARS = 998  # RFC 5322 2.1.1
MAX_NAME_CHARS = 200
MAX_BODY_BYTES = 4 << 20
"""Of HTML, and of text: UTF-8."""
MAX_ATTACHMENTS = 50
MAX_ATTACHMENT_BYTES = 20 << 20
"""All of one mail together, decoded."""
MAX_FILENAME_CHARS = 255
MAX_HEADERS = 50
MAX_HEADER_CHARS = 998
MAX_AHEAD_S = 366 * 86_400
GRACE_S = 60
"""How far in the past a time may be and still mean "now": clocks differ."""

OWN_HEADERS = WRITTEN_FROM_FIELDS | {"date", "dkim-signature", "message-id", "received", "return-path"}
"""Headers that the mail has by its other fields, or that only servers write (RFC 5322 3.6); all of `Content-…` too."""

CONTENT_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "csv": "text/csv",
        "doc": "application/msword",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "gif": "image/gif",
        "html": "text/html",
        "ics": "text/calendar",
        "jpeg": "image/jpeg",
        "jpg": "image/jpeg",
        "json": "application/json",
        "pdf": "application/pdf",
        "png": "image/png",
        "svg": "image/svg+xml",
        "txt": "text/plain",
        "webp": "image/webp",
        "xls": "application/vnd.ms-excel",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "zip": "application/zip",
    }
)
"""By file name extension, where the caller names no type."""

_SEPARATORS = frozenset(",;，；")
_IN_A_WHILE = re.compile(r"in\s+([0-9]{1,9})\s*(s|sec|second|m|min|minute|h|hour|d|day)s?", re.ASCII | re.IGNORECASE)
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_EPOCH_MS = re.compile(r"[0-9]{12,15}", re.ASCII)
_MAX_SHOWN_CHARS = 100


@dataclass(frozen=True, slots=True)
class DraftAttachment:
    """`content`: base64; None: it was left out. `content_type` empty: by the file's name."""

    filename: str
    content: str | None
    content_type: str = ""
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a caller asks for, as given. Each of `to`, `cc`, `bcc` and `reply_to` may hold several addresses, separated
    by commas or semicolons. `sender` may be `Name <address>`. `scheduled_at`: ISO 8601 with an offset, epoch
    milliseconds, or "in 5 minutes"."""

    sender: str
    to: tuple[str, ...]
    subject: str = ""
    sender_name: str = ""
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    html: str = ""
    text: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[DraftAttachment, ...] = ()
    scheduled_at: str | float | None = None


def sender_of(text: str) -> tuple[str, str]:
    """(name, address in lower case) of `Name <address>` or a bare address; both empty where there is none.
    Raises `BadRequest` for what is no address."""
    if not text.strip():
        return "", ""
    mailbox = _mailbox(text, "发件人地址")
    return mailbox.name, mailbox.address.lower()


def compose(draft: Draft, *, message_id: str) -> OutboundMessage:
    """The mail that `draft` asks for. Recipients are distinct, whatever their case, each where it is named first.

    Raises `BadRequest`.
    """
    name, sender = sender_of(draft.sender)
    if not sender:
        raise BadRequest("发件人地址为空")
    to, cc, bcc = _recipients(draft)
    html, text = _checked_bodies(draft)
    return OutboundMessage(
        from_addr=sender,
        from_name=_checked_name(draft.sender_name.strip() or name),
        to=to,
        cc=cc,
        bcc=bcc,
        reply_to=_addresses(draft.reply_to, "回复地址"),
        subject=_checked_subject(draft.subject),
        html=html,
        text=text,
        headers=_checked_headers(draft.headers),
        attachments=_decoded(draft.attachments),
        message_id=message_id,
    )


def recipients_of(message: OutboundMessage) -> tuple[tuple[RecipientKind, str], ...]:
    """(kind, bare address) of everybody whom `message` goes to."""
    kinds = ((RecipientKind.TO, message.to), (RecipientKind.CC, message.cc), (RecipientKind.BCC, message.bcc))
    return tuple((kind, _bare(address)) for kind, addresses in kinds for address in addresses)


def send_time(asked: str | float | None, *, now: float) -> float | None:
    """When to send, in epoch seconds; None: at once, also for a time within the last `GRACE_S`.

    Raises `BadRequest` for what is no time, one without an offset, one that is over, and one that is over a year ahead.
    """
    if asked is None or asked == "":
        return None
    at = _epoch_s(asked, now)
    if at is None:
        raise BadRequest("scheduledAt 无效：请使用带时区的 ISO 8601 时间、毫秒时间戳或 in 5 minutes")
    if at > now + MAX_AHEAD_S:
        raise BadRequest("scheduledAt 超出范围：最多提前一年")
    if at < now - GRACE_S:
        raise BadRequest("scheduledAt 已经过去")
    return at if at > now else None


def _epoch_s(asked: str | float, now: float) -> float | None:
    if not isinstance(asked, str):
        return asked / 1000
    text = asked.strip()
    if _EPOCH_MS.fullmatch(text):
        return int(text) / 1000
    if found := _IN_A_WHILE.fullmatch(text):
        return now + int(found[1]) * _UNIT_S[found[2][0].lower()]
    return parse_iso(text)


def _recipients(draft: Draft) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    seen = set[str]()
    to, cc, bcc = (
        tuple(address for address in _addresses(given, what) if not _seen(_bare(address).lower(), seen))
        for given, what in ((draft.to, "收件人地址"), (draft.cc, "抄送地址"), (draft.bcc, "密送地址"))
    )
    if not to:
        raise BadRequest("缺少收件人")
    if len(seen) > MAX_RECIPIENTS:
        raise _too_many()
    return to, cc, bcc


def _seen(key: str, seen: set[str]) -> bool:
    """Whether `key` is in `seen`, where it is from now on."""
    if key in seen:
        return True
    seen.add(key)
    return False


def _addresses(given: Iterable[str], what: str) -> tuple[str, ...]:
    """Each as `Name <address>` or bare."""
    given = tuple(given)
    if len(given) > MAX_LIST_CHARS or sum(map(len, given)) > MAX_LIST_CHARS:
        raise _too_many()
    return tuple(str(_mailbox(text, what)) for one in given for text in split_list(one))


def _too_many() -> BadRequest:
    return BadRequest(f"收件人最多 {MAX_RECIPIENTS} 个")


def split_list(text: str) -> list[str]:
    """The addresses of a list, without white space around them. Separators within quotes and `<>` do not count.

    >>> split_list('a@b.example; "Doe, Ann" <ann@b.example>,, c@d.example')
    ['a@b.example', '"Doe, Ann" <ann@b.example>', 'c@d.example']
    """
    pieces, start, quoted, angled, escaped = [], 0, False, False, False
    for at, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "<>":
            angled = char == "<"
        elif not quoted and not angled and char in _SEPARATORS:
            pieces.append(text[start:at])
            start = at + 1
    pieces.append(text[start:])
    return [piece.strip() for piece in pieces if piece.strip()]


def _mailbox(text: str, what: str) -> Mailbox:
    try:
        mailbox = read_mailbox(text, what)
    except InvalidOutbound:
        raise BadRequest(f"{what}无效: {_shown(text)}") from None
    if not receivable(mailbox.address):
        raise BadRequest(f"{what}无效: {_shown(text)}")
    return Mailbox(_checked_name(mailbox.name.strip()), mailbox.address)


def _bare(address: str) -> str:
    """The address in `Name <address>`, its case kept; the text itself where it is bare."""
    return read_mailbox(address, "to").address


def _checked_name(name: str) -> str:
    if not name.isprintable():
        raise BadRequest("名称不能包含换行等控制字符")
    if len(name) > MAX_NAME_CHARS:
        raise BadRequest(f"名称最多 {MAX_NAME_CHARS} 个字符")
    return name


def _checked_subject(subject: str) -> str:
    if not subject.strip():
        raise BadRequest("缺少主题 subject")
    if len(subject) > MAX_SUBJECT_CHARS:
        raise BadRequest(f"主题最多 {MAX_SUBJECT_CHARS} 个字符")
    if _has_control(subject):
        raise BadRequest("主题不能包含换行等控制字符")
    return subject


def _checked_bodies(draft: Draft) -> tuple[str | None, str | None]:
    """(HTML, text)."""
    if not draft.html and not draft.text:
        raise BadRequest("邮件内容为空：html 与 text 至少填写一个")
    if any(len(body.encode("utf-8", "surrogatepass")) > MAX_BODY_BYTES for body in (draft.html, draft.text)):
        raise BadRequest(f"html 与 text 最多各 {MAX_BODY_BYTES >> 20} MB")
    return draft.html or None, draft.text or None


def _checked_headers(headers: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    if len(headers) > MAX_HEADERS:
        raise BadRequest(f"headers 最多 {MAX_HEADERS} 个")
    seen = set[str]()
    for name, value in headers:
        if not is_header_name(name):
            raise BadRequest(f"headers 名称无效: {_shown(name)}")
        is_own = name.lower() in OWN_HEADERS or name.lower().startswith("content-")
        if is_own or _seen(name.lower(), seen):
            raise BadRequest(f"headers 不能包含 {name}")
        if len(value) > MAX_HEADER_CHARS or _has_control(value):
            raise BadRequest(f"headers 的值无效: {name}")
    return tuple(headers)


def _decoded(attachments: Sequence[DraftAttachment]) -> tuple[Attachment, ...]:
    if len(attachments) > MAX_ATTACHMENTS:
        raise BadRequest(f"附件最多 {MAX_ATTACHMENTS} 个")
    # What base64 can at most hold, before any of it is decoded.
    if sum(len(item.content or "") for item in attachments) // 4 * 3 > MAX_ATTACHMENT_BYTES * 2:
        raise _attachments_too_large()
    found = tuple(_attachment(item) for item in attachments)
    if sum(len(item.content) for item in found) > MAX_ATTACHMENT_BYTES:
        raise _attachments_too_large()
    return found


def _attachments_too_large() -> BadRequest:
    return BadRequest(f"附件总大小最多 {MAX_ATTACHMENT_BYTES >> 20} MB")


def _attachment(given: DraftAttachment) -> Attachment:
    name = given.filename.strip()
    if not name or len(name) > MAX_FILENAME_CHARS or not name.isprintable() or "/" in name or "\\" in name:
        raise BadRequest(f"附件 filename 无效: {_shown(name)}")
    if given.content is None:
        raise BadRequest(f"附件缺少 content: {_shown(name)}")
    try:
        content = base64.b64decode("".join(given.content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"附件 content 不是有效的 base64: {_shown(name)}") from None
    kind = given.content_type.strip() or CONTENT_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")
    if not is_content_type(kind):
        raise BadRequest(f"附件 contentType 无效: {_shown(name)}")
    content_id = given.content_id.strip().removeprefix("<").removesuffix(">")
    if content_id and not is_content_id(content_id):
        raise BadRequest(f"附件 contentId 无效: {_shown(name)}")
    return Attachment(name, content, kind, content_id or None)


def _has_control(text: str) -> bool:
    return any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in text)


def _shown(text: str) -> str:
    """The text as evidence within a message: one line, cut."""
    cut = text if len(text) <= _MAX_SHOWN_CHARS else text[:_MAX_SHOWN_CHARS] + "…"
    return "".join(char if char.isprintable() else "�" for char in cut)
