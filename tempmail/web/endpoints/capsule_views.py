"""Mail to the future as it is asked for and shown: seed 002."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tempmail.clock import parse_stamp
from tempmail.domain.capsules import (
    MAX_CONTENT_CHARS,
    MAX_KEYWORDS,
    MAX_PASSWORD_CHARS,
    MAX_STYLE_CHARS,
    MAX_TITLE_CHARS,
    MIN_PASSWORD_CHARS,
    Capsule,
    Recipient,
    countdown,
    iso,
)
from tempmail.services.capsule_mail import shown_name
from tempmail.services.capsule_requests import Asked, Condition, Edit, Opened
from tempmail.web.endpoints.capsule_attachments import Attachment, attachment_item
from tempmail.web.endpoints.capsule_fields import MailId

_MAX_PAGE = 1_000_000

Title = Annotated[str, Meta(description=f"At most {MAX_TITLE_CHARS} characters", examples=["写给未来的自己"])]
Content = Annotated[
    str, Meta(description=f"Plain text, at most {MAX_CONTENT_CHARS} characters", examples=["亲爱的未来的我……"])
]
Style = Annotated[
    str, Meta(description=f"For the client to draw by; at most {MAX_STYLE_CHARS} characters", examples=["default"])
]
IsEncrypted = Annotated[bool, Meta(description="Whether a password is needed to read it", examples=[False])]
Password = Annotated[
    str,
    Meta(
        description=f"{MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters; with `isEncrypted` only",
        examples=["correct horse"],
    ),
]
StatusName = Annotated[str, Meta(description="DRAFT, PENDING, DELIVERING, DELIVERED or FAILED", examples=["PENDING"])]
CapsuleId = Annotated[str, Meta(description="Names this setting of it", examples=["capsule_5f0c7d625a6f4a3b"])]
SendTime = Annotated[str, Meta(description="When it is delivered; UTC", examples=["2030-12-31T23:59:59Z"])]
At = Annotated[str, Meta(description="UTC", examples=["2023-07-20T10:30:00Z"])]
Countdown = Annotated[int, Meta(description="Seconds until then, at least 0", examples=[94608000])]
TriggerName = Annotated[str, Meta(description="TIME, LOCATION or EVENT", examples=["TIME"])]


class RecipientBody(Struct, rename="camel"):
    """Whom it is for: a user of this server by id or name, or an address. The first that is given counts."""

    user_id: Annotated[str | int | None, Meta(description="As `user_7` or 7", examples=["user_7"])] = None
    username: Annotated[str | None, Meta(description="Name of a user", examples=["ann"])] = None
    email: Annotated[str | None, Meta(description="An address, here or elsewhere", examples=["me@example.com"])] = None


class DraftBody(Struct, rename="camel"):
    """What to write. Whatever is missing can be added until the mail is set."""

    recipient: Annotated[
        RecipientBody | None, Meta(description="Whom it is for", examples=[{"email": "me@example.com"}])
    ] = None
    title: Title | None = None
    content: Content | None = None
    capsule_style: Style | None = None
    is_encrypted: Annotated[
        bool | None, Meta(description="Whether a password is needed to read it", examples=[True])
    ] = None
    password: Password | None = None


class EditBody(DraftBody):
    """What to change; what is left out, or null, stays."""

    current_password: Annotated[
        str | None,
        Meta(description="Needed to change the password of an encrypted mail, or to open it", examples=["old horse"]),
    ] = None
    updated_at: Annotated[
        str | None,
        Meta(description="As last seen: the edit is refused where it is another by now", examples=[None]),
    ] = None


class Location(Struct, omit_defaults=True):
    """A place."""

    latitude: Annotated[float | None, Meta(description="-90 to 90", examples=[39.9])] = None
    longitude: Annotated[float | None, Meta(description="-180 to 180", examples=[116.4])] = None
    city: Annotated[str | None, Meta(description="Instead of the point, or beside it", examples=["北京"])] = None


class Event(Struct, omit_defaults=True):
    """Something that happens."""

    keywords: Annotated[list[str] | None, Meta(description=f"At most {MAX_KEYWORDS}", examples=[["graduation"]])] = None
    type: Annotated[str | None, Meta(description="What kind of event", examples=["birthday"])] = None


class TriggerCondition(Struct, omit_defaults=True):
    """What LOCATION or EVENT waits for. It is kept and shown; whoever sees it come true calls `…/trigger`."""

    location: Annotated[Location | None, Meta(description="For LOCATION: a point or a city")] = None
    event: Annotated[Event | None, Meta(description="For EVENT: a type or keywords")] = None


class SendToFutureBody(Struct, rename="camel"):
    """What is to be delivered, and when."""

    mail_id: Annotated[MailId | None, Meta(extra={"required": True})] = None
    send_time: Annotated[
        str | None,
        Meta(
            description="ISO 8601 with an offset; at least one hour from now",
            examples=["2030-12-31T23:59:59Z"],
            extra={"required": True},
        ),
    ] = None
    trigger_type: Annotated[
        str | None, Meta(description="TIME (where it is left out), LOCATION or EVENT", examples=["EVENT"])
    ] = None
    trigger_condition: Annotated[
        TriggerCondition | None,
        Meta(description="For LOCATION and EVENT", examples=[{"event": {"type": "graduation"}}]),
    ] = None


class Scheduled(Struct, rename="camel"):
    """A mail that is set."""

    mail_id: MailId
    capsule_id: CapsuleId
    status: StatusName
    send_time: SendTime
    countdown: Countdown
    updated_at: At


class Revoked(Struct, rename="camel"):
    """A draft again."""

    mail_id: MailId
    status: StatusName
    revoked_at: At


class Released(Struct, rename="camel"):
    """Delivered within moments."""

    mail_id: MailId
    status: StatusName
    send_time: SendTime
    released_at: At


class DeletedCapsule(Struct, rename="camel"):
    """The mail that is gone."""

    mail_id: MailId


class Person(Struct, rename="camel"):
    """Who wrote a mail, or whom it is for."""

    user_id: Annotated[str | None, Meta(description="Null: no user of this server", examples=["user_7"])]
    username: Annotated[str, Meta(description="Name of the user, or the local part of the address", examples=["ann"])]
    avatar: Annotated[str | None, Meta(description="Always null: users have none here", examples=[None])]


class Correspondent(Person):
    """The same, with the address."""

    email: Annotated[
        str | None, Meta(description="Null: the mail names a user, or nobody yet", examples=["ann@example.com"])
    ]


class CapsuleItem(Struct, rename="camel"):
    """A mail to the future, in a list."""

    mail_id: MailId
    title: Title
    sender: Annotated[Person, Meta(description="Who wrote it")]
    recipient: Annotated[Person | None, Meta(description="Null: nobody yet")]
    send_time: Annotated[SendTime | None, Meta(description="Null: not set")]
    delivery_time: Annotated[str | None, Meta(description="When it was delivered; UTC", examples=[None])]
    status: StatusName
    has_attachments: Annotated[bool, Meta(description="Whether it has attachments", examples=[True])]
    is_encrypted: IsEncrypted
    capsule_style: Style
    countdown: Annotated[int | None, Meta(description="Seconds until `sendTime`; null: not set", examples=[94608000])]


class CapsuleList(Struct, rename="camel"):
    """A page of mails."""

    list: Annotated[
        list[CapsuleItem],
        Meta(description="What was delivered to the caller: latest first; all else: by `sendTime`, soonest first"),
    ]
    total: Annotated[int, Meta(description="On all pages", examples=[1])]
    page: Annotated[int, Meta(description="This page's number", examples=[1])]
    size: Annotated[int, Meta(description="How many there are on a page", examples=[10])]


class CapsuleDetail(Struct, rename="camel"):
    """A mail to the future."""

    mail_id: MailId
    capsule_id: CapsuleId | None
    title: Title
    content: Annotated[str | None, Meta(description="Null: unlock it first", examples=["亲爱的未来的我……"])]
    sender: Annotated[Correspondent, Meta(description="Who wrote it")]
    recipient: Annotated[Correspondent | None, Meta(description="Null: nobody yet")]
    send_time: Annotated[SendTime | None, Meta(description="Null: not set")]
    created_at: At
    updated_at: At
    delivery_time: Annotated[str | None, Meta(description="When it was delivered; UTC", examples=[None])]
    status: StatusName
    error: Annotated[str | None, Meta(description="Why it failed", examples=[None])]
    trigger_type: TriggerName
    trigger_condition: Annotated[TriggerCondition, Meta(description="As it was given")]
    attachments: Annotated[list[Attachment], Meta(description="None where it must be unlocked first")]
    is_encrypted: IsEncrypted
    requires_verification: Annotated[bool, Meta(description="Whether it must be unlocked first", examples=[False])]
    capsule_style: Style
    can_edit: Annotated[bool, Meta(description="Whether it can be changed: a draft, or failed", examples=[False])]
    can_revoke: Annotated[bool, Meta(description="Whether it can be revoked: PENDING", examples=[True])]
    countdown: Annotated[int | None, Meta(description="Seconds until `sendTime`; null: not set", examples=[94608000])]


class CapsuleQuotaView(Struct, rename="camel"):
    """How many mails the caller may set in this calendar month (UTC)."""

    limit: Annotated[int | None, Meta(description="Null: as many as one likes", examples=[5])]
    used: Annotated[int, Meta(description="Mails set this month; revoked ones count", examples=[2])]
    reset_at: At


class ListQuery(Struct):
    type: Annotated[
        Literal["INBOX", "SENT", "DRAFT"] | None,
        Meta(
            description="INBOX: delivered to the caller. SENT: its own that are set or delivered. DRAFT: its own that "
            "are being written, or failed. Without it: all of its own",
            examples=["SENT"],
        ),
    ] = None
    status: Annotated[
        Literal["DRAFT", "PENDING", "DELIVERING", "DELIVERED", "FAILED"] | None,
        Meta(description="Only those in this state", examples=["PENDING"]),
    ] = None
    page: Annotated[int, Meta(description="Page number from 1", ge=1, le=_MAX_PAGE, extra={"strict": True})] = 1
    size: Annotated[int, Meta(description="Mails of a page", ge=1, le=100, extra={"strict": True})] = 10


class UnlockBody(Struct):
    """The password of an encrypted mail."""

    password: Password


def edit_of(body: DraftBody) -> Edit:
    """What a body asks to be changed."""
    asked = body.recipient
    return Edit(
        recipient=None
        if asked is None
        else Asked(
            user_id="" if asked.user_id is None else str(asked.user_id),
            username=asked.username or "",
            email=asked.email or "",
        ),
        title=body.title,
        content=body.content,
        capsule_style=body.capsule_style,
        is_encrypted=body.is_encrypted,
        password=body.password,
        current_password=body.current_password if isinstance(body, EditBody) else None,
        updated_at=body.updated_at if isinstance(body, EditBody) else None,
    )


def condition_of(body: TriggerCondition | None) -> Condition:
    """What a trigger waits for, as it was asked for."""
    given = body or TriggerCondition()
    place, event = given.location or Location(), given.event or Event()
    return Condition(
        latitude=place.latitude,
        longitude=place.longitude,
        city=place.city,
        keywords=event.keywords,
        event=event.type,
        json=msgspec.json.encode(given).decode(),
    )


def mail_name(capsule: Capsule) -> str:
    return f"mail_{capsule.uuid}"


def item(capsule: Capsule, now_epoch_s: float) -> CapsuleItem:
    recipient = _recipient(capsule.recipient)
    return CapsuleItem(
        mail_id=mail_name(capsule),
        title=capsule.title,
        sender=Person(_user_of(capsule), shown_name(capsule.sender_name), None),
        recipient=None if recipient is None else Person(*recipient, None),
        send_time=iso(capsule.send_at),
        delivery_time=iso(capsule.delivered_at),
        status=capsule.status.name,
        has_attachments=capsule.attachment_count > 0,
        is_encrypted=capsule.is_encrypted,
        capsule_style=capsule.capsule_style,
        countdown=_countdown(capsule, now_epoch_s),
    )


def detail(opened: Opened, now_epoch_s: float) -> CapsuleDetail:
    capsule, recipient = opened.capsule, _recipient(opened.capsule.recipient)
    sender = Correspondent(_user_of(capsule), shown_name(capsule.sender_name), None, capsule.sender_address)
    return CapsuleDetail(
        mail_id=mail_name(capsule),
        capsule_id=None if capsule.capsule_uuid is None else f"capsule_{capsule.capsule_uuid}",
        title=capsule.title,
        content=opened.content,
        sender=sender,
        recipient=None if recipient is None else Correspondent(*recipient, None, capsule.recipient.address),
        send_time=iso(capsule.send_at),
        created_at=iso(capsule.created_at) or "",
        updated_at=iso(capsule.updated_at) or "",
        delivery_time=iso(capsule.delivered_at),
        status=capsule.status.name,
        error=capsule.error,
        trigger_type=capsule.trigger_type.name,
        trigger_condition=msgspec.json.decode(capsule.trigger_condition, type=TriggerCondition),
        attachments=[attachment_item(capsule, file) for file in opened.files],
        is_encrypted=capsule.is_encrypted,
        requires_verification=opened.content is None,
        capsule_style=capsule.capsule_style,
        can_edit=opened.is_own and capsule.can_edit,
        can_revoke=opened.is_own and capsule.can_revoke,
        countdown=_countdown(capsule, now_epoch_s),
    )


def _countdown(capsule: Capsule, now_epoch_s: float) -> int | None:
    if capsule.send_at is None:
        return None
    ends_at = capsule.released_at or capsule.send_at
    return 0 if capsule.delivered_at else countdown(parse_stamp(ends_at), now_epoch_s)


def _user_of(capsule: Capsule) -> str | None:
    """The user that wrote it; None where a mailbox did, or the root token."""
    return capsule.owner_key.replace(":", "_") if capsule.owner_key.startswith("user:") else None


def _recipient(recipient: Recipient) -> tuple[str | None, str] | None:
    """(userId, username); None: nobody yet."""
    if recipient.address is not None:
        return None, shown_name(recipient.address)
    if not recipient.name:
        return None
    return None if recipient.user_id is None else f"user_{recipient.user_id}", recipient.name
