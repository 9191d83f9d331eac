"""Mail: lists, single mails, downloads, deletion. Seed 004 (邮件); freemail contract 1.3."""

from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import quote

from msgspec import Meta, Struct

from tempmail.domain.address import address_in
from tempmail.domain.messages import Message, MessageSummary
from tempmail.domain.mime import Attachment
from tempmail.errors import BadRequest
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Raw, Refusal, endpoint
from tempmail.web.endpoints.extraction import RAW_MAIL
from tempmail.web.fields import MAX_ID, Done, Stamp
from tempmail.web.lenient import whole

MessageId = Annotated[int, Meta(description="Id of the mail; grows in order of receipt, never reused", examples=[1])]
Sender = Annotated[str, Meta(description="Address of the sender", examples=["sender@example.com"])]
ToAddrs = Annotated[str, Meta(description="The recipient as received", examples=["recipient@example.com"])]
Subject = Annotated[str, Meta(description="The subject, decoded", examples=["邮件主题"])]
IsRead = Annotated[int, Meta(description="1: was opened", examples=[0])]
Preview = Annotated[str | None, Meta(description="The beginning of the text", examples=["邮件内容预览..."])]
Html = Annotated[
    str,
    Meta(description="The HTML, as sent: not safe to show as is", examples=["<p>Your code is <b>123456</b></p>"]),
]
Code = Annotated[str | None, Meta(description="The verification code found in it", examples=["123456"])]


class MailListQuery(Struct):
    mailbox: Annotated[
        str,
        Meta(
            description="The mailbox: an address, or `Name <address>`. A mailbox login may leave it out",
            examples=["test@example.com"],
        ),
    ] = ""
    limit: Annotated[int, Meta(description="How many to answer", ge=1, le=50, examples=[20])] = 20
    before: (
        Annotated[
            int,
            Meta(
                description="Only mails with a lower id: that of the last one on the page before",
                ge=0,
                le=MAX_ID,
                examples=[812],
            ),
        ]
        | None
    ) = None


class MailItem(Struct):
    """A mail, as lists show it."""

    id: MessageId
    sender: Sender
    to_addrs: ToAddrs
    subject: Subject
    received_at: Stamp
    is_read: IsRead
    preview: Preview
    verification_code: Code


class BatchQuery(Struct):
    ids: Annotated[str, Meta(description="Ids, separated by commas; at most 50", examples=["1,2,3"])] = ""


class MailRow(Struct):
    """A mail without its texts."""

    id: MessageId
    sender: Sender
    to_addrs: ToAddrs
    subject: Subject
    verification_code: Code
    preview: Preview
    r2_bucket: Annotated[str, Meta(description="Where the raw mail is kept", examples=["mail-eml"])]
    r2_object_key: Annotated[str, Meta(description="Its key", examples=["2024/01/01/test@example.com/120000-id.eml"])]
    received_at: Stamp
    is_read: IsRead


class AttachmentItem(Struct):
    """A file that a mail carries."""

    part: Annotated[int, Meta(description="Number of the MIME part", examples=[2])]
    filename: Annotated[str, Meta(description="Its name, without folders", examples=["invoice.pdf"])]
    content_type: Annotated[str, Meta(description="Its media type, as the mail says", examples=["application/pdf"])]
    size: Annotated[int, Meta(description="Bytes, decoded", examples=[1024])]
    content_id: Annotated[str | None, Meta(description="What HTML refers to as `cid:`", examples=[None])]
    inline: Annotated[bool, Meta(description="Shown inside the text", examples=[False])]


Attachments = Annotated[list[AttachmentItem], Meta(description="What it carries besides its text")]


class MailDetail(MailRow):
    """A mail with its texts."""

    content: Annotated[str, Meta(description="The plain text", examples=["纯文本内容"])]
    html_content: Html
    download: Annotated[
        str, Meta(description="Path of the raw mail; empty where there is none", examples=["/api/email/1/download"])
    ]
    attachments: Attachments
    attachment_count: Annotated[int, Meta(description="How many files it carries", examples=[1])]
    size: Annotated[int, Meta(description="Bytes of the raw mail", examples=[2048])]
    body_available: Annotated[
        bool,
        Meta(description="False: the raw mail cannot be read now; texts and attachments are empty", examples=[True]),
    ]


class MailPath(Struct):
    id: Annotated[int, Meta(description="Id of the mail", ge=0, le=MAX_ID, examples=[1])] = 0


class MailboxQuery(Struct):
    mailbox: Annotated[
        str, Meta(description="The mailbox's address", examples=["test@example.com"], extra={"required": True})
    ] = ""


class MailDeleted(Struct):
    """The mail is gone."""

    success: Done
    deleted: Annotated[bool, Meta(description="False: it went in the meantime", examples=[True])]
    message: Annotated[str, Meta(description="For people", examples=["邮件已删除"])]


class Cleared(Struct, rename="camel"):
    """The mailbox is empty."""

    success: Done
    deleted_count: Annotated[int, Meta(description="How many mails went", examples=[5])]


@endpoint(
    "GET /api/emails",
    action="mail.list",
    tag="Mail",
    errors=(Refusal(400, "缺少 mailbox 参数"), Refusal(403, "只能访问自己的邮箱")),
)
async def list_mail(call: Call, query: MailListQuery) -> list[MailItem]:
    """List a mailbox's mail, newest first.

    An unknown mailbox has no mail. Older mail is on the pages that `before` leads to. A mailbox login sees the last 24
    hours. Nothing is marked read.
    """
    address = address_in(query.mailbox) or call.grant.actor.mailbox_address
    if not address:
        raise BadRequest("缺少 mailbox 参数")
    return await call.world.mail.latest(call.grant, address, _items, limit=query.limit, before_id=query.before)


@endpoint("GET /api/emails/batch", action="mail.read", tag="Mail", errors=(Refusal(400, "单次最多查询50封邮件"),))
async def batch(call: Call, query: BatchQuery) -> list[MailRow]:
    """Several mails without their texts, by id.

    Ids that do not exist are left out; one that is not the caller's refuses all. Nothing is marked read.
    """
    numbers = (whole(text) or 0 for text in query.ids.split(","))
    ids = [number for number in numbers if 0 < number <= MAX_ID]
    return [MailRow(**_row(message)) for message in await call.world.mail.batch(call.grant, ids)]


@endpoint(
    "GET /api/email/{id}",
    action="mail.read",
    tag="Mail",
    errors=(Refusal(404, "未找到邮件"), Refusal(404, "邮件不存在"), Refusal(403, "无权访问此邮件")),
)
async def detail(call: Call, path: MailPath) -> MailDetail:
    """One mail with its texts and attachments. Marks it read.

    Where the raw mail cannot be read, the row is answered with empty texts and `body_available` false.
    """
    found = await call.world.mail.detail(call.grant, path.id)
    message = found.message
    return MailDetail(
        **_row(message) | {"is_read": 1},
        content=found.text,
        html_content=found.html,
        download=f"/api/email/{message.id}/download" if message.r2_object_key else "",
        attachments=attachment_items(found.attachments),
        attachment_count=message.attachment_count,
        size=message.size_bytes,
        body_available=found.body_available,
    )


@endpoint(
    "GET /api/email/{id}/download",
    action="mail.download",
    tag="Mail",
    media_type="message/rfc822",
    answer_example=RAW_MAIL,
    errors=(
        Refusal(404, "未找到邮件"),
        Refusal(404, "未找到对象"),
        Refusal(404, "对象不存在"),
        Refusal(503, "原始邮件暂时无法读取，请稍后重试"),
        Refusal(403, "无权访问此邮件"),
    ),
)
async def download(call: Call, path: MailPath) -> Raw:
    """The raw mail, byte for byte as it was received."""
    raw = await call.world.mail.raw(call.grant, path.id)
    disposition = f'attachment; filename="{quote(raw.file_name, safe="@ ")}"'
    return Raw(raw.body, "message/rfc822", ((b"content-disposition", disposition.encode()),))


@endpoint(
    "DELETE /api/email/{id}",
    action="mail.delete",
    tag="Mail",
    errors=(
        Refusal(400, "无效的邮件ID"),
        Refusal(404, "未找到邮件"),
        Refusal(404, "邮件不存在"),
        Refusal(403, "无权访问此邮件"),
    ),
)
async def delete_mail(call: Call, path: MailPath) -> MailDeleted:
    """Delete a mail and its raw form."""
    deleted = await call.world.mail.delete(call.grant, path.id)
    return MailDeleted(success=True, deleted=deleted, message="邮件已删除" if deleted else "邮件不存在或已被删除")


@endpoint("DELETE /api/emails", action="mail.clear", tag="Mail", errors=(Refusal(400, "缺少 mailbox 参数"),))
async def clear_mail(call: Call, query: MailboxQuery) -> Cleared:
    """Delete all mail of a mailbox, raw forms included. The mailbox stays."""
    address = address_in(query.mailbox)
    if not address:
        raise BadRequest("缺少 mailbox 参数")
    return Cleared(success=True, deleted_count=await call.world.mail.clear(call.grant, address))


def attachment_items(attachments: Iterable[Attachment]) -> list[AttachmentItem]:
    """Attachments as they are answered."""
    return [
        AttachmentItem(
            part=item.part,
            filename=item.filename,
            content_type=item.content_type,
            size=item.size_bytes,
            content_id=item.content_id,
            inline=item.inline,
        )
        for item in attachments
    ]


def _items(rows: Iterable[MessageSummary]) -> list[MailItem]:
    return [
        MailItem(
            row.id,
            row.sender,
            row.to_addrs,
            row.subject,
            row.received_at,
            row.is_read,
            row.preview,
            row.verification_code,
        )
        for row in rows
    ]


def _row(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "sender": message.sender,
        "to_addrs": message.to_addrs,
        "subject": message.subject,
        "verification_code": message.verification_code,
        "preview": message.preview,
        "r2_bucket": message.r2_bucket,
        "r2_object_key": message.r2_object_key,
        "received_at": message.received_at,
        "is_read": message.is_read,
    }


ENDPOINTS: tuple[Endpoint, ...] = (list_mail, detail, batch, download, delete_mail, clear_mail)
