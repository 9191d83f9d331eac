"""Mail to the future: its states, its rules, and what a capsule is. Source: seed 002.

The states are drawn here once; SQL enforces the same moves (`capsule_moves`). All clock rules are for whole seconds: a
time asked for with a fraction counts as the next second, so that nothing is ever early.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from tempmail.domain.actor import Actor, Role
from tempmail.errors import BadRequest, TooLarge, Unprocessable

LEAD_S = 3600
"""A capsule is set at least so long before its time, and released by its trigger no sooner after it was set."""
FREEZE_S = 600
"""So long before its time it is frozen: it can no longer be taken back."""
SAME_WITHIN_S = 60
"""The same setting again within this time, as after a lost answer, is the one before."""
MAX_TITLE_CHARS = 200
MAX_CONTENT_CHARS = 200_000
MAX_STYLE_CHARS = 64
MAX_FILENAME_CHARS = 255
MAX_ATTACHMENT_BYTES = 10 << 20
"""Of one attachment, and of all attachments of one capsule together."""
MAX_ATTACHMENTS = 20
MAX_UNSENT = 100
"""Capsules of one owner that are not on their way or delivered."""
MAX_UNSENT_BYTES = 100 << 20
"""Of the attachments of these."""
MIN_PASSWORD_CHARS, MAX_PASSWORD_CHARS = 6, 1024
MAX_KEYWORDS = 50
MAX_WORD_CHARS = 200
DEFAULT_STYLE = "default"

_LATEST_EPOCH_S = 253_402_300_799  # 9999-12-31T23:59:59Z: beyond it stamps do not sort as text
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,18}))?)?"
    r"([Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Status(StrEnum):
    """Where a capsule stands. The members' names are what callers see."""

    DRAFT = "draft"
    """Being written."""
    PENDING = "pending"
    """Set; may be revoked."""
    DELIVERING = "delivering"
    """Frozen: its time is near, or it is under way to an outside address."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """Could not be delivered; becomes a draft again when it is edited."""


_S = Status

MOVES: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        _S.DRAFT: frozenset({_S.PENDING}),
        _S.PENDING: frozenset({_S.DRAFT, _S.DELIVERING}),
        _S.DELIVERING: frozenset({_S.DELIVERED, _S.FAILED}),
        _S.FAILED: frozenset({_S.DRAFT}),
        _S.DELIVERED: frozenset(),
    }
)
"""From each state, where it may go."""

EDITABLE = frozenset({Status.DRAFT, Status.FAILED})


class Trigger(StrEnum):
    """What releases a capsule. Whatever it is, the time that was set is the latest."""

    TIME = "time"
    LOCATION = "location"
    EVENT = "event"


class Folder(StrEnum):
    """What a list shows: `type` in seed 002."""

    INBOX = "inbox"
    """Delivered to the caller."""
    SENT = "sent"
    """The caller's own that are set or delivered."""
    DRAFT = "draft"
    """The caller's own that are being written."""


FOLDERS: Mapping[Folder, frozenset[Status]] = MappingProxyType(
    {
        Folder.INBOX: frozenset({_S.DELIVERED}),
        Folder.SENT: frozenset({_S.PENDING, _S.DELIVERING, _S.DELIVERED}),
        Folder.DRAFT: EDITABLE,
    }
)


class MediaKind(StrEnum):
    """What an attachment is shown as."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a capsule is for: a user (`user_id`, and `name` as it was then), or an address. Neither: nobody yet, or a
    user that is gone."""

    user_id: int | None = None
    name: str = ""
    address: str | None = None

    @property
    def is_named(self) -> bool:
        return self.user_id is not None or self.address is not None


@dataclass(frozen=True, slots=True)
class CapsuleFile:
    """An attachment without its bytes."""

    uuid: str
    filename: str
    content_type: str
    size_bytes: int

    @property
    def kind(self) -> MediaKind:
        return media_kind(self.content_type)


@dataclass(frozen=True, slots=True)
class Capsule:
    """A capsule without its content and its attachments' bytes.

    `uuid`: its public name, for good. `capsule_uuid`: of its setting, None while it is not set. `revision` grows with
    each change of what it holds. Stamps: `send_at`, the time it is set for; `released_at`, when its trigger released
    it; `due`, when the worker looks at it next. `trigger_condition`: JSON. `sender_address`: what its mail is from,
    once it is set. `mailbox_id`: the mailbox it was delivered to. `outbox_uuid`: of the mail to an outside address.
    """

    id: int
    uuid: str
    capsule_uuid: str | None
    status: Status
    revision: int
    owner_key: str
    sender_name: str
    sender_address: str | None
    recipient: Recipient
    title: str
    capsule_style: str
    is_encrypted: bool
    password_hash: str | None = field(repr=False)
    trigger_type: Trigger
    trigger_condition: str
    is_outside: bool
    send_at: str | None
    set_at: str | None
    released_at: str | None
    due: str | None
    delivered_at: str | None
    attachment_count: int
    attachment_bytes: int
    has_content: bool
    mailbox_id: int | None
    outbox_uuid: str | None
    error: str | None
    created_at: str
    updated_at: str

    @property
    def can_edit(self) -> bool:
        return self.status in EDITABLE

    @property
    def can_revoke(self) -> bool:
        return self.status is Status.PENDING


@dataclass(frozen=True, slots=True)
class Setting:
    """A capsule that is set for its time: what send-to-future answers. Stamps; the countdown follows from them."""

    uuid: str
    capsule_uuid: str
    send_at: str
    set_at: str


@dataclass(frozen=True, slots=True)
class When:
    """A time that was asked for: `asked_epoch_s` as it was, `epoch_s` the whole second that it stands for."""

    asked_epoch_s: float
    epoch_s: int


def owner_key(actor: Actor) -> str:
    """Whose capsules an actor writes and sees: its user's, its mailbox's, or the root token's own.

    >>> owner_key(Actor(Role.USER, "ann", user_id=7))
    'user:7'
    """
    if actor.user_id:
        return f"user:{actor.user_id}"
    return f"mailbox:{actor.mailbox_id}" if actor.mailbox_id else "root"


def monthly_limit(actor: Actor, free: int) -> int | None:
    """How many capsules an actor may set in a calendar month, where `free` is what those without a privilege may (0: as
    many as they like); None: as many as it likes."""
    return free if free and actor.role in (Role.USER, Role.MAILBOX) else None


def parse_time(text: str) -> When:
    """The time in an ISO 8601 text with an offset (`Z`, `+08:00`). Raises `BadRequest`.

    >>> parse_time("2025-12-31T23:59:58.5+08:00")
    When(asked_epoch_s=1767196798.5, epoch_s=1767196799)
    """
    match = _TIME.fullmatch(text.strip()) if len(text) <= MAX_WORD_CHARS else None
    if match is None:
        raise BadRequest("sendTime: ISO 8601 with an offset is expected, such as 2025-12-31T23:59:59Z")
    day, minute, second, fraction, offset = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}:{second or '00'}{offset.upper()}")
    except ValueError as exc:
        raise BadRequest("sendTime: there is no such date or time of day") from exc
    begun = round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    has_fraction = bool((fraction or "").strip("0"))
    if not 0 <= begun < _LATEST_EPOCH_S:
        raise BadRequest("sendTime: a year from 1970 to 9999 is expected")
    return When(begun + float(f"0.{fraction or 0}"), begun + has_fraction)


def month_of(stamp: str) -> str:
    """The UTC calendar month of a stamp: what quotas are counted by."""
    return stamp[:7]


def next_month(stamp: str) -> str:
    """The stamp at which the month after that of `stamp` begins.

    >>> next_month("2025-12-31 23:59:59")
    '2026-01-01 00:00:00'
    """
    year, month = int(stamp[:4]), int(stamp[5:7])
    year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return f"{year:04}-{month:02}-01 00:00:00"


def countdown(send_epoch_s: float, now_epoch_s: float) -> int:
    """Whole seconds that are left, at least 0."""
    return max(0, math.floor(send_epoch_s - now_epoch_s))


def iso(stamp: str | None) -> str | None:
    """A stamp as answers show it.

    >>> iso("2025-12-31 23:59:59")
    '2025-12-31T23:59:59Z'
    """
    return None if stamp is None else f"{stamp.replace(' ', 'T')}Z"


def media_kind(content_type: str) -> MediaKind:
    major = content_type.partition("/")[0].strip().lower()
    return MediaKind(major) if major in ("image", "video", "audio") else MediaKind.FILE


def check_title(title: str) -> str:
    """The title, trimmed. Raises `Unprocessable` where it is too long or has control characters."""
    title = title.strip()
    if len(title) > MAX_TITLE_CHARS:
        raise Unprocessable(f"title: at most {MAX_TITLE_CHARS} characters", rule="title_too_long")
    if _CONTROL.search(title):
        raise Unprocessable("title: line breaks and control characters are not allowed", rule="title_invalid")
    return title


def check_content(content: str) -> str:
    if len(content) > MAX_CONTENT_CHARS:
        raise Unprocessable(f"content: at most {MAX_CONTENT_CHARS} characters", rule="content_too_long")
    return content


def check_style(style: str) -> str:
    style = style.strip() or DEFAULT_STYLE
    if len(style) > MAX_STYLE_CHARS or _CONTROL.search(style):
        raise Unprocessable(f"capsuleStyle: at most {MAX_STYLE_CHARS} printable characters", rule="style_invalid")
    return style


def check_password(password: str) -> str:
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise Unprocessable(
            f"password: {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters", rule="password_invalid"
        )
    return password


def safe_filename(text: str) -> str:
    """The last part of a file's name, without what could be a path or a control character; `file` where nothing stays.

    >>> safe_filename("C:\\\\photos/../a\\r\\n.png")
    'a.png'
    """
    name = _CONTROL.sub("", re.split(r"[/\\]", text)[-1]).strip()
    return name[-MAX_FILENAME_CHARS:] if name.strip(".") else "file"


def check_room(capsule: Capsule, size_bytes: int) -> None:
    """Whether one more attachment of this size has room. Raises `TooLarge` where it had none in any capsule, else
    `Unprocessable`."""
    if size_bytes > MAX_ATTACHMENT_BYTES:
        raise TooLarge(f"an attachment has at most {MAX_ATTACHMENT_BYTES} bytes")
    if capsule.attachment_bytes + size_bytes > MAX_ATTACHMENT_BYTES:
        raise _too_large()
    if capsule.attachment_count >= MAX_ATTACHMENTS:
        raise Unprocessable(f"at most {MAX_ATTACHMENTS} attachments", rule="too_many_attachments")


def check_editable(capsule: Capsule) -> None:
    """Raises `Unprocessable` unless it is a draft, or a failed one."""
    if not capsule.can_edit:
        raise Unprocessable(f"the mail is {capsule.status.name}: only a draft can be changed", rule="not_draft")


def check_settable(capsule: Capsule, when: When, now_epoch_s: float) -> None:
    """Whether a capsule may be set for `when`, but for its trigger and the quota, in the order of provider facts 5.
    Raises `Unprocessable`."""
    if capsule.status is not Status.DRAFT:
        raise Unprocessable(f"the mail is {capsule.status.name}: only a draft can be set", rule="not_draft")
    missing = {
        "recipient": capsule.recipient.is_named,
        "title": bool(capsule.title),
        "content": capsule.has_content,
    }
    for name, is_there in missing.items():
        if not is_there:
            raise Unprocessable(f"the mail has no {name}", rule=f"no_{name}")
    if when.asked_epoch_s < now_epoch_s + LEAD_S:
        raise Unprocessable("sendTime must be at least one hour from now", rule="too_soon")
    if capsule.attachment_bytes > MAX_ATTACHMENT_BYTES:
        raise _too_large()


def check_trigger(
    trigger: Trigger,
    *,
    latitude: float | None,
    longitude: float | None,
    city: str | None,
    keywords: list[str] | None,
    event: str | None,
) -> None:
    """Whether a condition says what its trigger needs. Raises `Unprocessable`."""
    texts = [*(keywords or ()), city or "", event or ""]
    if any(len(text) > MAX_WORD_CHARS for text in texts) or len(keywords or ()) > MAX_KEYWORDS:
        raise Unprocessable(
            f"triggerCondition: at most {MAX_KEYWORDS} keywords, and {MAX_WORD_CHARS} characters of each text",
            rule="trigger_invalid",
        )
    has_point = latitude is not None and longitude is not None and -90 <= latitude <= 90 and -180 <= longitude <= 180
    if trigger is Trigger.LOCATION and not has_point and not (city or "").strip():
        raise Unprocessable(
            "triggerCondition.location: latitude from -90 to 90 and longitude from -180 to 180, or a city",
            rule="trigger_invalid",
        )
    if trigger is Trigger.EVENT and not (event or "").strip() and not any(word.strip() for word in keywords or ()):
        raise Unprocessable("triggerCondition.event: a type, or keywords", rule="trigger_invalid")


def check_release(capsule: Capsule, set_epoch_s: float, now_epoch_s: float) -> None:
    """Whether a trigger may release a capsule now. Raises `Unprocessable`."""
    if capsule.status is not Status.PENDING:
        raise not_pending(capsule, "released")
    if capsule.trigger_type is Trigger.TIME:
        raise Unprocessable("the mail waits for its time alone", rule="no_trigger")
    if now_epoch_s < set_epoch_s + LEAD_S:
        raise Unprocessable("a mail can be released one hour after it was set at the soonest", rule="too_soon")


def is_repeat(capsule: Capsule, when_stamp: str, set_epoch_s: float, now_epoch_s: float) -> bool:
    """Whether a setting asks for what the capsule is set for since just now."""
    return (
        capsule.status is Status.PENDING
        and capsule.send_at == when_stamp
        and 0 <= now_epoch_s - set_epoch_s <= SAME_WITHIN_S
    )


def not_pending(capsule: Capsule, what: str) -> Unprocessable:
    return Unprocessable(f"the mail is {capsule.status.name}: only a pending one can be {what}", rule="not_pending")


def quota_reached(limit: int) -> Unprocessable:
    return Unprocessable(f"{limit} mails may be set for the future in a calendar month (UTC)", rule="quota_reached")


def changed_meanwhile() -> Unprocessable:
    return Unprocessable("the mail was changed meanwhile: read it again", rule="changed")


def _too_large() -> Unprocessable:
    return Unprocessable(
        f"attachments: at most {MAX_ATTACHMENT_BYTES} bytes, alone and together", rule="attachments_too_large"
    )
