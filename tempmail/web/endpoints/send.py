"""Sending mail. Seed 004 (发件); freemail contract 1.4, 6."""

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from tempmail.clock import parse_stamp
from tempmail.domain.drafts import (
    MAX_AHEAD_S,
    MAX_ATTACHMENT_BYTES,
    MAX_ATTACHMENTS,
    MAX_HEADERS,
    MAX_RECIPIENTS,
    MAX_SUBJECT_CHARS,
    Draft,
    DraftAttachment,
)
from tempmail.domain.outbound import State
from tempmail.domain.outbound_fields import Mailbox
from tempmail.errors import BadRequest
from tempmail.services.sending import (
    MAX_BATCH,
    NO_MAIL,
    NO_PROVIDER,
    TOO_MANY_WAIT,
    RequestKey,
    Sent,
    SentMail,
)
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.fields import MALFORMED, Done

MAX_BODY_BYTES = 40 << 20
"""Of a request: attachments in base64, texts, and as much again in small things."""
MAX_NAME_CHARS = 998

T = TypeVar("T")

# Resend's words for our states, where they differ.
_LAST_EVENTS: Mapping[str, str] = MappingProxyType({State.SENDING: "queued", State.ACCEPTED: "sent"})

_IDEMPOTENCY = b"idempotency-key"

Id = Annotated[
    str,
    Meta(description="Ours, and stable; names the mail from now on", examples=["5f0c7d62-5a6f-4a3b-9b1e-0e5d8c1a2b3c"]),
]
Provider = Annotated[
    str,
    Meta(
        description="Who sends it: `resend`, `sendflare`, `cyberpersons`, `mail_push`, `nobase`, `emailcar` or `smtp`",
        examples=["resend"],
    ),
]
Status = Annotated[
    str,
    Meta(
        description="`scheduled` (waits for its time), `queued`, `sending`, `accepted` (the provider has it), "
        "`delivered`, `bounced`, `failed`, `canceled`; `unknown`: it may have been sent, and nobody sends it again by "
        "itself",
        examples=["accepted"],
    ),
]
Addresses = Annotated[
    str | list[str] | None,
    Meta(
        description="An address or `Name <address>`; several as a list, or separated by commas or semicolons",
        examples=["recipient@example.com"],
    ),
]
Time = Annotated[
    str | float | None,
    Meta(
        description="When to send: ISO 8601 with an offset, epoch milliseconds, or `in 5 minutes`; at most "
        f"{MAX_AHEAD_S // 86_400} days ahead. Without one, and for the minute that has just passed, at once",
        examples=["2024-01-02T12:00:00Z"],
    ),
]
IsoTime = Annotated[str, Meta(description="UTC, ISO 8601", examples=["2024-01-01T12:00:00+00:00"])]
Planned = Annotated[str | None, Meta(description="When it goes out, UTC, ISO 8601; null: at once", examples=[None])]


class AttachmentBody(Struct, rename="camel"):
    """A file to send."""

    filename: Annotated[
        str | None,
        Meta(description="Its name, without folders", examples=["invoice.pdf"], extra={"required": True}),
    ] = None
    content: Annotated[
        str | None, Meta(description="Its bytes in base64", examples=["aGVsbG8="], extra={"required": True})
    ] = None
    content_type: Annotated[
        str | None, Meta(description="Its media type; by its name where left out", examples=["application/pdf"])
    ] = None
    content_id: Annotated[str | None, Meta(description="What HTML refers to as `cid:`", examples=[None])] = None
    snake_type: Annotated[str | None, Meta(description="The same as `contentType`", examples=[None])] = msgspec.field(
        default=None, name="content_type"
    )
    snake_id: Annotated[str | None, Meta(description="The same as `contentId`", examples=[None])] = msgspec.field(
        default=None, name="content_id"
    )


class SendBody(Struct, rename={"sender": "from"}):
    """The mail."""

    sender: Annotated[
        str | None,
        Meta(
            description="One of the caller's mailboxes, or `Name <address>`; for the highest administrator any address",
            examples=["sender@example.com"],
            extra={"required": True},
        ),
    ] = None
    to: Annotated[
        str | list[str] | None,
        Meta(
            description="An address or `Name <address>`; several as a list, or separated by commas or semicolons. With "
            f"`cc` and `bcc` at most {MAX_RECIPIENTS}",
            examples=["recipient@example.com"],
            extra={"required": True},
        ),
    ] = None
    subject: Annotated[
        str | None,
        Meta(description=f"At most {MAX_SUBJECT_CHARS} characters", examples=["邮件主题"], extra={"required": True}),
    ] = None
    html: Annotated[str | None, Meta(description="The mail as HTML", examples=["<p>HTML内容</p>"])] = None
    text: Annotated[
        str | None, Meta(description="The mail as text; this, or `html`, or both", examples=["纯文本内容"])
    ] = None
    from_name: Annotated[
        str | None, Meta(description="The sender's name, in place of one in `from`", examples=["发件人名称"])
    ] = msgspec.field(default=None, name="fromName")
    cc: Addresses = None
    bcc: Addresses = None
    reply_to: Addresses = msgspec.field(default=None, name="replyTo")
    headers: Annotated[
        dict[str, str] | None,
        Meta(
            description=f"Further headers, at most {MAX_HEADERS}; none that the mail has by its other fields",
            examples=[{"X-Ref": "order-7"}],
        ),
    ] = None
    attachments: Annotated[
        list[AttachmentBody] | None,
        Meta(
            description=f"At most {MAX_ATTACHMENTS} files, {MAX_ATTACHMENT_BYTES >> 20} MiB together",
            examples=[[{"filename": "hello.txt", "content": "aGVsbG8="}]],
        ),
    ] = None
    scheduled_at: Time = msgspec.field(default=None, name="scheduledAt")
    snake_name: Annotated[str | None, Meta(description="The same as `fromName`", examples=[None])] = msgspec.field(
        default=None, name="from_name"
    )
    snake_reply_to: Annotated[str | list[str] | None, Meta(description="The same as `replyTo`", examples=[None])] = (
        msgspec.field(default=None, name="reply_to")
    )
    snake_time: Annotated[str | float | None, Meta(description="The same as `scheduledAt`", examples=[None])] = (
        msgspec.field(default=None, name="scheduled_at")
    )


class SendAnswer(Struct):
    """What became of the mail until the answer."""

    success: Annotated[
        bool, Meta(description="False: `status` is not what was asked for, see `error`", examples=[True])
    ]
    id: Id
    provider: Provider
    status: Status
    scheduled_at: Planned
    error: (
        Annotated[str, Meta(description="Only without success: why", examples=["SendFlare: HTTP 502"])] | UnsetType
    ) = UNSET


class BatchAnswer(Struct):
    """What became of the mails."""

    success: Annotated[bool, Meta(description="False: one of them was not sent, or may not be", examples=[True])]
    result: Annotated[list[SendAnswer], Meta(description="One for each mail, in their order")]


class SendPath(Struct):
    id: Annotated[
        str,
        Meta(
            description="Id of the mail: ours, or the provider's",
            examples=["5f0c7d62-5a6f-4a3b-9b1e-0e5d8c1a2b3c"],
        ),
    ] = ""


class SendPatch(Struct):
    """What to change."""

    status: Annotated[str | None, Meta(description="`canceled`, and no other", examples=["canceled"])] = None
    scheduled_at: Annotated[
        str | float | None, Meta(description="The new time, as for sending", examples=["2024-01-03T12:00:00Z"])
    ] = msgspec.field(default=None, name="scheduledAt")
    snake_time: Annotated[str | float | None, Meta(description="The same as `scheduledAt`", examples=[None])] = (
        msgspec.field(default=None, name="scheduled_at")
    )


class SendChanged(Struct):
    """The mail, as it waits now or does not any more."""

    success: Done
    ok: Done
    object: Annotated[str, Meta(description="Always `email`", examples=["email"])]
    id: Id
    status: Status
    scheduled_at: Planned


class RecipientItem(Struct):
    """How one recipient fares."""

    address: Annotated[str, Meta(description="The address", examples=["recipient@example.com"])]
    kind: Annotated[str, Meta(description="`to`, `cc` or `bcc`", examples=["to"])]
    status: Status
    provider_id: Annotated[
        str | None, Meta(description="The provider's id for this one; null where it gives none", examples=["re_1"])
    ]
    error: Annotated[str | None, Meta(description="Why it did not get the mail", examples=[None])]


class Email(Struct, rename={"sender": "from"}):
    """A mail that was sent, or will be."""

    object: Annotated[str, Meta(description="Always `email`", examples=["email"])]
    id: Id
    message_id: Annotated[
        str | None,
        Meta(description="Its Message-ID, where the provider lets us choose", examples=["<5f0c@example.com>"]),
    ]
    sender: Annotated[str, Meta(description="Who sent it", examples=["发件人名称 <sender@example.com>"])]
    to: Annotated[list[str], Meta(description="To whom", examples=[["recipient@example.com"]])]
    cc: Annotated[list[str] | None, Meta(description="In copy", examples=[None])]
    bcc: Annotated[list[str] | None, Meta(description="In blind copy", examples=[None])]
    reply_to: Annotated[list[str] | None, Meta(description="Where answers go", examples=[None])]
    subject: Annotated[str, Meta(description="The subject", examples=["邮件主题"])]
    html: Annotated[str | None, Meta(description="The HTML", examples=["<p>HTML内容</p>"])]
    text: Annotated[str | None, Meta(description="The text", examples=["纯文本内容"])]
    created_at: IsoTime
    scheduled_at: Planned
    last_event: Annotated[
        str,
        Meta(description="`status` in Resend's words: `accepted` is `sent`", examples=["sent"]),
    ]
    status: Status
    provider: Provider
    error: Annotated[str | None, Meta(description="Why it is not sent, or not known to be", examples=[None])]
    recipients: Annotated[
        list[RecipientItem],
        Meta(description="How each of them fares; empty once the outbox has forgotten the mail"),
    ]


_EXAMPLE = {
    "from": "sender@example.com",
    "fromName": "发件人名称",
    "to": "recipient@example.com",
    "subject": "邮件主题",
    "html": "<p>HTML内容</p>",
    "text": "纯文本内容",
    "scheduledAt": "in 1 hour",
}
_UNKNOWN_MAIL = Refusal(404, NO_MAIL)
_TOO_LATE = (Refusal(400, "SendFlare 渠道暂不支持此操作"), Refusal(400, "Cyberpersons 渠道暂不支持此操作"))
_NO_TIME = "scheduledAt 无效：请使用带时区的 ISO 8601 时间、毫秒时间戳或 in 5 minutes"
_NOT_SENT = (
    Refusal(500, NO_PROVIDER),
    Refusal(409, "Idempotency-Key 已用于另一个请求"),
    Refusal(429, TOO_MANY_WAIT),
    MALFORMED,
)
_FAULTS = (
    "发件人地址为空",
    "缺少收件人",
    "收件人地址无效: nobody",
    f"收件人最多 {MAX_RECIPIENTS} 个",
    "缺少主题 subject",
    "邮件内容为空：html 与 text 至少填写一个",
    f"附件总大小最多 {MAX_ATTACHMENT_BYTES >> 20} MB",
    _NO_TIME,
    "scheduledAt 已经过去",
    "未找到域名对应的发件 API Key: example.com",
    "SendFlare 渠道不支持附件 (attachments)",
)


async def _admit(call: Call) -> None:
    await call.world.sending.admit(call.grant)


@endpoint(
    "POST /api/send",
    action="mail.send",
    tag="Sending",
    max_bytes=MAX_BODY_BYTES,
    admit=_admit,
    body_example=_EXAMPLE,
    errors=(
        *_NOT_SENT,
        *(Refusal(400, f"发送失败: {fault}") for fault in _FAULTS),
        Refusal(
            500,
            "发送失败: The example.com domain is not verified",
            such_as={"request_id": "3q2-7wAAAAAA", "id": "5f0c7d62-5a6f-4a3b-9b1e-0e5d8c1a2b3c"},
        ),
    ),
)
async def send(call: Call, body: SendBody) -> SendAnswer:
    """Send a mail, now or at a time.

    The mail is kept before anything is sent, and the answer waits up to 10 seconds for the provider's word. A
    provider is chosen by the sender's domain, and only one that can carry all of the mail. `status` `unknown` (with
    `success` false): the provider may have sent it and did not say so; do not send it again, look it up under its id.

    A header `Idempotency-Key` makes a repeat harmless: the same key with the same body answers for the same mail, for
    24 hours; with another body it is refused.

    Up to 1000 mails of a user, 256 MiB together, may wait for their time or their provider; the highest administrator
    has no such limit.
    """
    sent = await call.world.sending.send(call.grant, _draft(body), key=_key(call, "send", body))
    return _answer(sent)


@endpoint(
    "POST /api/send/batch",
    action="mail.send",
    tag="Sending",
    max_bytes=MAX_BODY_BYTES,
    admit=_admit,
    body_example=[
        {"from": "sender@example.com", "to": "recipient1@example.com", "subject": "主题1", "html": "<p>内容1</p>"},
        {"from": "sender@example.com", "to": "recipient2@example.com", "subject": "主题2", "html": "<p>内容2</p>"},
    ],
    errors=(
        *_NOT_SENT,
        Refusal(400, f"批量发送失败: 单次最多发送 {MAX_BATCH} 封邮件"),
        Refusal(400, "批量发送失败: 第 2 封: 缺少收件人"),
    ),
)
async def send_batch(call: Call, body: list[SendBody]) -> BatchAnswer:
    """Send up to 100 mails.

    Where one of them cannot be sent as asked, none is. Afterwards each fares for itself, in the order of the request.
    `Idempotency-Key` is for the whole batch.
    """
    # One more than may be, so that it is refused: not all that a request can hold.
    drafts = [_draft(mail) for mail in body[: MAX_BATCH + 1]]
    sent = await call.world.sending.send_batch(call.grant, drafts, key=_key(call, "batch", body))
    return BatchAnswer(success=all(one.is_good for one in sent), result=[_answer(one) for one in sent])


@endpoint("GET /api/send/{id}", action="send.read", tag="Sending", errors=(_UNKNOWN_MAIL,))
async def sent_status(call: Call, path: SendPath) -> Email:
    """What became of a mail, in the form of Resend's API.

    The provider is asked where it can tell and has not lately.
    """
    return _email(await call.world.sending.get(call.grant, _name(path)))


@endpoint(
    "PATCH /api/send/{id}",
    action="send.change",
    tag="Sending",
    body_example={"scheduledAt": "in 2 hours"},
    errors=(
        MALFORMED,
        _UNKNOWN_MAIL,
        *_TOO_LATE,
        Refusal(400, _NO_TIME),
        Refusal(400, "scheduledAt 已经过去"),
        Refusal(400, "status 只能改为 canceled"),
    ),
)
async def change_send(call: Call, path: SendPath, body: SendPatch) -> SendChanged:
    """Change the time of a mail that waits, or cancel it.

    Possible until it is handed to the provider, whichever that is. With `status` and a time, it is canceled.
    """
    sending, name = call.world.sending, _name(path)
    asked = _time(body)
    if body.status is not None and body.status.strip().lower() not in ("canceled", "cancelled"):
        raise BadRequest("status 只能改为 canceled")
    if body.status is not None:
        return _changed(await sending.cancel(call.grant, name))
    if asked is not None and asked != "":
        return _changed(await sending.reschedule(call.grant, name, asked))
    return _changed(await sending.get(call.grant, name))


@endpoint("POST /api/send/{id}/cancel", action="send.change", tag="Sending", errors=(_UNKNOWN_MAIL, *_TOO_LATE))
async def cancel_send(call: Call, path: SendPath) -> SendChanged:
    """Take back a mail that waits. One that was taken back already is no error."""
    return _changed(await call.world.sending.cancel(call.grant, _name(path)))


def _name(path: SendPath) -> str:
    return path.id[:MAX_NAME_CHARS]


def _key(call: Call, what: str, body: object) -> RequestKey | None:
    """The key of the request, where it has one."""
    key = call.visit.headers.get(_IDEMPOTENCY, b"").decode("latin-1").strip()
    if not key:
        return None
    return RequestKey(key, hashlib.sha256(what.encode() + b"\0" + msgspec.json.encode(body)).hexdigest())


def _draft(body: SendBody) -> Draft:
    return Draft(
        sender=body.sender or "",
        sender_name=_first(body.from_name, body.snake_name) or "",
        to=_listed(body.to),
        cc=_listed(body.cc),
        bcc=_listed(body.bcc),
        reply_to=_listed(_first(body.reply_to, body.snake_reply_to)),
        subject=body.subject or "",
        html=body.html or "",
        text=body.text or "",
        headers=tuple((body.headers or {}).items()),
        attachments=tuple(
            DraftAttachment(
                filename=item.filename or "",
                content=item.content,
                content_type=_first(item.content_type, item.snake_type) or "",
                content_id=_first(item.content_id, item.snake_id) or "",
            )
            for item in (body.attachments or ())[: MAX_ATTACHMENTS + 1]
        ),
        scheduled_at=_time(body),
    )


def _first(camel: T | None, snake: T | None) -> T | None:
    """What either spelling of a field gives."""
    return snake if camel is None else camel


def _time(body: SendBody | SendPatch) -> str | float | None:
    return body.snake_time if body.scheduled_at is None else body.scheduled_at


def _listed(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(given)


def _answer(sent: Sent) -> SendAnswer:
    return SendAnswer(
        success=sent.is_good,
        id=sent.uuid,
        provider=sent.provider,
        status=sent.state,
        scheduled_at=_iso(sent.scheduled_at),
        error=UNSET if sent.is_good else sent.error or sent.state,
    )


def _changed(mail: SentMail) -> SendChanged:
    return SendChanged(
        success=True, ok=True, object="email", id=mail.uuid, status=mail.state, scheduled_at=_iso(mail.scheduled_at)
    )


def _email(mail: SentMail) -> Email:
    message, record = mail.message, mail.record
    if message is not None:
        name, html, text = message.from_name, message.html, message.text
        to, cc, bcc, reply_to = message.to, message.cc, message.bcc, message.reply_to
    else:
        name = (record.from_name if record is not None else None) or ""
        html, text = (record.html_content, record.text_content) if record is not None else (None, None)
        to = tuple(record.to_addrs.split(",")) if record is not None else ()
        cc = bcc = reply_to = ()
    return Email(
        object="email",
        id=mail.uuid,
        message_id=None if message is None else message.message_id or None,
        sender=str(Mailbox(name, mail.from_addr)),
        to=list(to),
        cc=list(cc) or None,
        bcc=list(bcc) or None,
        reply_to=list(reply_to) or None,
        subject=mail.subject,
        html=html,
        text=text,
        created_at=_iso(mail.created_at) or "",
        scheduled_at=_iso(mail.scheduled_at),
        last_event=_LAST_EVENTS.get(mail.state, mail.state),
        status=mail.state,
        provider=mail.provider,
        error=mail.error,
        recipients=[
            RecipientItem(
                address=one.address,
                kind=one.kind,
                status=one.state,
                provider_id=one.provider_message_id,
                error=one.error,
            )
            for one in mail.recipients
        ],
    )


def _iso(stamp: str | None) -> str | None:
    """A stamp as ISO 8601. What an imported row holds in its place is given as it is."""
    if stamp is None:
        return None
    try:
        parse_stamp(stamp)
    except ValueError:
        return stamp
    return f"{stamp.replace(' ', 'T')}+00:00"


ENDPOINTS: tuple[Endpoint, ...] = (send, send_batch, sent_status, change_send, cancel_send)
