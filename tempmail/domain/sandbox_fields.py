"""What a request to a sandbox consists of, read as leniently as the provider reads it.

Values come as callers send them: of any type, with whatever characters. What is given back are strings that can be
stored and written into a mail.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from tempmail.domain.address import receivable
from tempmail.domain.html import read_html
from tempmail.domain.outbound import OutboundMessage
from tempmail.domain.outbound_fields import mailbox_of
from tempmail.errors import Permanent

MAX_FORM_FIELDS = 1_000
MAX_JSON_CONTAINERS = 500_000
MAX_JSON_VALUES = 4_500_000
"""So an attachment that is a list of numbers may have 4 MB."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_GIVEN_BY_THE_SANDBOX = frozenset({"date", "message-id"})
_MARKUP = re.compile(r"</?[A-Za-z][^<>]{0,2000}>|<!(?:--|[A-Za-z])")

Fields = Mapping[str, object]


class Declined(Permanent):
    """A call that a provider declines. `code`: its own number or word for why; `status`: HTTP's, where it uses that.
    `retry_after_s`: when the same call can succeed, where it says so. The text is the provider's."""

    def __init__(self, code: int | str, text: str, *, status: int = 200, retry_after_s: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.status = status
        self.retry_after_s = retry_after_s


def has_too_many_values(raw: bytes) -> bool:
    """Whether a JSON text may hold more values than any mail needs. Each takes many times its own bytes once it is
    read; texts with as many braces, commas and quotes count too, but no mail has them."""
    return (
        raw.count(b"{") + raw.count(b"[") > MAX_JSON_CONTAINERS
        or raw.count(b",") > MAX_JSON_VALUES
        or raw.count(b'"') > MAX_JSON_VALUES
    )


def json_fields(raw: bytes) -> Fields | None:
    """The members of a JSON object; None where `raw` is none, or `has_too_many_values`."""
    if has_too_many_values(raw):
        return None
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def form_fields(raw: bytes) -> Mapping[str, str]:
    """The fields of a query or of an `application/x-www-form-urlencoded` body, as PHP reads them: the last of a name
    counts, and what is not percent-encoded is taken as it is. Nothing where there are over `MAX_FORM_FIELDS`."""
    try:
        pairs = parse_qsl(
            raw.decode("utf-8", "replace"), keep_blank_values=True, errors="replace", max_num_fields=MAX_FORM_FIELDS
        )
    except ValueError:
        return {}
    return dict(pairs)


def body_fields(raw: bytes, content_type: str) -> Fields | None:
    """The fields of a body that may be a form or a JSON object, whatever its type says: `curl -d` calls both a form.
    None where it is to be JSON and is none."""
    if raw.lstrip()[:1] == b"{" or "json" in content_type.lower():
        return json_fields(raw)
    return form_fields(raw)


def flat_fields(raw: bytes, content_type: str) -> Fields:
    """Those of `body_fields` that are scalars, as a form's are; nothing where there are over `MAX_FORM_FIELDS`. For
    bodies of unknown callers: what stays of one takes no more memory than the body did."""
    fields = body_fields(raw, content_type) or {}
    if len(fields) > MAX_FORM_FIELDS:
        return {}
    return {name: value for name, value in fields.items() if isinstance(value, str | int | float)}


def text_of(value: object) -> str:
    """A field's value as text, trimmed. Numbers are written out; what is no scalar counts as not given."""
    if isinstance(value, str):
        return clean(value).strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return ""


def line_of(value: object) -> str:
    """`text_of`, in one line: control characters become spaces."""
    return _CONTROLS.sub(" ", text_of(value)).strip()


def clean(text: str) -> str:
    """`text` as UTF-8 can hold it: halves of surrogate pairs become question marks, NUL a space."""
    return text.encode("utf-8", "replace").decode().replace("\x00", " ")


def is_address(text: str) -> bool:
    """Whether it is one bare address."""
    return receivable(text)


def is_mailbox(text: str) -> bool:
    """Whether it is one bare address, or `Name <address>`."""
    return receivable(mailbox_of(text).address)


def is_time_zone(name: str) -> bool:
    """Whether it names a zone of the IANA database, such as `Asia/Shanghai`."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def domain_of(sender: str) -> str:
    """In lower case; "" where there is none."""
    return mailbox_of(sender).address.rpartition("@")[2].lower()


def listed(text: str) -> frozenset[str]:
    """The values of a switch that holds a list, in lower case. They are separated by commas."""
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def is_html(content: str) -> bool:
    """Whether a body that may be either is HTML: it has a tag or a comment."""
    return _MARKUP.search(content) is not None


def text_alternative(html: str) -> str:
    """What a reader without HTML gets to see."""
    return read_html(html).text.strip()


@dataclass(frozen=True, slots=True)
class Order:
    """A mail as a caller ordered it, its fields checked. `sender`, `reply_to`: bare or `Name <address>`; the others are
    bare addresses. At least one of `html` and `text` is there."""

    sender: str
    to: tuple[str, ...]
    subject: str
    html: str | None = None
    text: str | None = None
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def sender_address(self) -> str:
        return mailbox_of(self.sender).address

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody who gets it, each once."""
        return tuple(dict.fromkeys(mailbox_of(each).address for each in (*self.to, *self.cc, *self.bcc)))

    def message(self, message_id: str) -> OutboundMessage:
        sender = mailbox_of(self.sender)
        return OutboundMessage(
            from_addr=sender.address,
            from_name=sender.name,
            to=self.to,
            cc=self.cc,
            reply_to=self.reply_to,
            subject=self.subject.strip(),
            text=self.text,
            html=self.html,
            headers=further_headers(self.headers),
            message_id=message_id,
        )


def further_headers(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those of a caller's own headers that do not stand in the place of the mail's time and id, which are answered."""
    return tuple(each for each in headers if each[0].lower() not in _GIVEN_BY_THE_SANDBOX)


def in_one_field(content: str) -> tuple[str | None, str | None]:
    """(html, text) of a body that a provider takes in one field and makes a text alternative of.

    >>> in_one_field("<p>Hi</p>"), in_one_field("Hi")
    (('<p>Hi</p>', 'Hi'), (None, 'Hi'))
    """
    return (content, text_alternative(content)) if is_html(content) else (None, content)


def addresses_of(value: object) -> tuple[str, ...] | None:
    """The addresses of a field that takes one or a list of them, without empty ones. None where one is no text."""
    values: Iterable[object] = value if isinstance(value, list) else () if value is None else (value,)
    found = []
    for each in values:
        if not isinstance(each, str):
            return None
        if text := text_of(each):
            found.append(text)
    return tuple(found)
