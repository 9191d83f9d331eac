"""The record of sent mails. Seed 004 (发件记录); freemail contract 1.4."""

from typing import Annotated

from msgspec import Meta, Struct

from tempmail.domain.address import address_in
from tempmail.errors import BadRequest
from tempmail.ports.outbound import SentRecord
from tempmail.services.sending import NO_MAIL
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.endpoints.send import Status
from tempmail.web.fields import MAX_ID, Stamp, Success

SentId = Annotated[int, Meta(description="Id of the record", examples=[1])]
MailId = Annotated[
    str | None,
    Meta(
        description="The mail's id, as sending it answered; of imported records the provider's",
        examples=["5f0c7d62-5a6f-4a3b-9b1e-0e5d8c1a2b3c"],
    ),
]
Recipients = Annotated[str, Meta(description="To whom, separated by commas", examples=["recipient@example.com"])]
Subject = Annotated[str, Meta(description="The subject", examples=["邮件主题"])]
Provider = Annotated[str, Meta(description="Who sends it", examples=["resend"])]


class SentQuery(Struct, rename={"sender": "from"}):
    sender: Annotated[
        str, Meta(description="The mailbox that sent them", examples=["sender@example.com"], extra={"required": True})
    ] = ""
    mailbox: Annotated[str, Meta(description="The same as `from`", examples=["sender@example.com"])] = ""
    limit: Annotated[int, Meta(description="How many to answer", ge=1, le=50, examples=[20])] = 20


class SentItem(Struct):
    """A sent mail, as lists show it."""

    id: SentId
    resend_id: MailId
    recipients: Recipients
    subject: Subject
    created_at: Stamp
    status: Status
    provider: Provider


class SentDetail(Struct):
    """A sent mail with its content."""

    id: SentId
    resend_id: MailId
    from_addr: Annotated[str, Meta(description="Who sent it", examples=["sender@example.com"])]
    from_name: Annotated[str | None, Meta(description="The sender's name", examples=["发件人名称"])]
    recipients: Recipients
    subject: Subject
    html_content: Annotated[str | None, Meta(description="The HTML", examples=["<p>HTML内容</p>"])]
    text_content: Annotated[str | None, Meta(description="The text", examples=["纯文本内容"])]
    status: Status
    scheduled_at: Annotated[
        str | None, Meta(description="When it goes out, UTC, `YYYY-MM-DD HH:MM:SS`", examples=[None])
    ]
    created_at: Stamp
    provider: Provider


class SentPath(Struct):
    id: Annotated[int, Meta(description="Id of the record", ge=0, le=MAX_ID, examples=[1])] = 0


_NO_RECORD = Refusal(404, NO_MAIL)
_NO_SENDER = Refusal(400, "缺少 from 参数")


@endpoint("GET /api/sent", action="sent.list", tag="Sending", errors=(_NO_SENDER,))
async def list_sent(call: Call, query: SentQuery) -> list[SentItem]:
    """List what a mailbox has sent, newest first.

    Mails that were sent before the mailbox was made are not its own: another of the same address sent them.
    """
    address = address_in(query.sender) or address_in(query.mailbox)
    if not address:
        raise BadRequest(_NO_SENDER.text)
    records = await call.world.sending.page(call.grant, address, limit=query.limit)
    return [
        SentItem(
            id=record.id,
            resend_id=_mail_id(record),
            recipients=record.to_addrs,
            subject=record.subject,
            created_at=record.created_at,
            status=record.status,
            provider=record.provider,
        )
        for record in records
    ]


@endpoint("GET /api/sent/{id}", action="sent.read", tag="Sending", errors=(_NO_RECORD,))
async def sent_detail(call: Call, path: SentPath) -> SentDetail:
    """One sent mail with its content."""
    record = await call.world.sending.record(call.grant, path.id)
    return SentDetail(
        id=record.id,
        resend_id=_mail_id(record),
        from_addr=record.from_addr,
        from_name=record.from_name,
        recipients=record.to_addrs,
        subject=record.subject,
        html_content=record.html_content,
        text_content=record.text_content,
        status=record.status,
        scheduled_at=record.scheduled_at,
        created_at=record.created_at,
        provider=record.provider,
    )


@endpoint("DELETE /api/sent/{id}", action="sent.delete", tag="Sending", errors=(_NO_RECORD,))
async def delete_sent(call: Call, path: SentPath) -> Success:
    """Delete the record of a sent mail. One that waits still goes out: cancel it first."""
    await call.world.sending.delete_record(call.grant, path.id)
    return Success()


def _mail_id(record: SentRecord) -> str | None:
    return record.uuid or record.resend_id


ENDPOINTS: tuple[Endpoint, ...] = (list_sent, sent_detail, delete_sent)
