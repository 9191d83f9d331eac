"""Single messages, whole: every field, the texts, the attachments, and why the code is what it is."""

from typing import Annotated
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct

from tempmail.domain.messages import Message
from tempmail.log import get_log
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Raw, Refusal, endpoint
from tempmail.web.endpoints.extraction import ExtractionResult
from tempmail.web.endpoints.mail import (
    Attachments,
    Code,
    Html,
    IsRead,
    MailPath,
    MessageId,
    Preview,
    Sender,
    Subject,
    ToAddrs,
    attachment_items,
)
from tempmail.web.fields import MAX_ID, Stamp

_log = get_log("messages")
_stored = msgspec.json.Decoder(ExtractionResult)


class MessageView(Struct):
    """Everything that is known of a message."""

    id: MessageId
    mailbox: Annotated[str, Meta(description="Address of the mailbox that holds it", examples=["box@example.com"])]
    sender: Sender
    envelope_from: Annotated[str, Meta(description="MAIL FROM; empty for a bounce", examples=["bounce@example.com"])]
    to_addrs: ToAddrs
    subject: Subject
    received_at: Stamp
    is_read: IsRead
    preview: Preview
    verification_code: Code
    extraction: Annotated[ExtractionResult, Meta(description="The full result, as stored with the message")]
    extraction_version: Annotated[
        int,
        Meta(
            description="What it was read by: a million times the version of the built-in extraction, plus that of the "
            "admin's rules; 0: not read yet",
            examples=[1000000],
        ),
    ]
    text: Annotated[str, Meta(description="The plain text", examples=["Your verification code is 482913."])]
    html: Html
    attachments: Attachments
    attachment_count: Annotated[int, Meta(description="How many files it carries", examples=[1])]
    size_bytes: Annotated[int, Meta(description="Of the raw mail", examples=[2048])]
    r2_bucket: Annotated[str, Meta(description="Where the raw mail is kept", examples=["mail-eml"])]
    r2_object_key: Annotated[str, Meta(description="Its key", examples=["2024/01/01/test@example.com/120000-id.eml"])]
    body_available: Annotated[
        bool,
        Meta(description="False: the raw mail cannot be read now; texts and attachments are empty", examples=[True]),
    ]


@endpoint(
    "GET /api/v1/messages/{id}",
    action="mail.read",
    tag="Mail",
    errors=(Refusal(404, "未找到邮件"), Refusal(404, "邮件不存在"), Refusal(403, "无权访问此邮件")),
)
async def message(call: Call, path: MailPath) -> MessageView:
    """One message with everything that is known of it. Nothing is marked read."""
    found = await call.world.mail.view(call.grant, path.id)
    row = found.message
    return MessageView(
        id=row.id,
        mailbox=row.mailbox_address,
        sender=row.sender,
        envelope_from=row.envelope_from,
        to_addrs=row.to_addrs,
        subject=row.subject,
        received_at=row.received_at,
        is_read=row.is_read,
        preview=row.preview,
        verification_code=row.verification_code,
        extraction=_extraction(row),
        extraction_version=row.extraction_version,
        text=found.text,
        html=found.html,
        attachments=attachment_items(found.attachments),
        attachment_count=row.attachment_count,
        size_bytes=row.size_bytes,
        r2_bucket=row.r2_bucket,
        r2_object_key=row.r2_object_key,
        body_available=found.body_available,
    )


class AttachmentPath(Struct):
    id: Annotated[int, Meta(description="Id of the message", ge=0, le=MAX_ID, examples=[1])] = 0
    part: Annotated[int, Meta(description="`part` of the attachment, as listed", ge=0, le=MAX_ID, examples=[2])] = 0


@endpoint(
    "GET /api/v1/messages/{id}/attachments/{part}",
    action="mail.download",
    tag="Mail",
    media_type="application/octet-stream",
    answer_example="%PDF-1.7 …",
    errors=(
        Refusal(404, "未找到邮件"),
        Refusal(404, "no attachment 9 in this mail"),
        Refusal(503, "原始邮件暂时无法读取，请稍后重试"),
        Refusal(403, "无权访问此邮件"),
    ),
)
async def attachment(call: Call, path: AttachmentPath) -> Raw:
    """One attachment, decoded.

    Whatever the mail says it is, it is answered as a file to save: nothing of it is ever shown by a browser.
    """
    found, content = await call.world.mail.attachment(call.grant, path.id, path.part)
    disposition = f"attachment; filename*=UTF-8''{quote(found.filename, safe='')}"
    return Raw(content, "application/octet-stream", ((b"content-disposition", disposition.encode()),))


def _extraction(row: Message) -> ExtractionResult:
    """The stored result; without candidates where none was stored, or by a form that is not read any more."""
    if row.extraction:
        try:
            return _stored.decode(row.extraction)
        except msgspec.DecodeError as exc:
            _log.warning("message.extraction_unreadable", message_id=row.id, exc=exc)
    return ExtractionResult(code=row.verification_code)


ENDPOINTS: tuple[Endpoint, ...] = (message, attachment)
