"""Webhooks of providers: what became of mails."""

from typing import Annotated

from msgspec import Meta, Struct

from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint

MAX_REPORT_BYTES = 256 << 10


class HookAnswer(Struct):
    """It was taken."""

    ok: Annotated[bool, Meta(description="Always true", examples=[True])]
    new: Annotated[bool, Meta(description="False: known already, or nothing that this server keeps", examples=[True])]


async def _admit(call: Call) -> None:
    call.services.resend_hook.check()


@endpoint(
    "POST /api/v1/hooks/resend",
    action="hook.receive",
    tag="Sending",
    takes="application/json",
    max_bytes=MAX_REPORT_BYTES,
    admit=_admit,
    body_example='{"type": "email.delivered", "created_at": "2024-01-01T12:00:00.000Z", '
    '"data": {"email_id": "56761188-7520-42d8-8898-ff6fc54ce618"}}',
    errors=(
        Refusal(400, "Bad Request"),
        Refusal(401, "the signature does not hold"),
        Refusal(404, "RESEND_WEBHOOK_SECRET is not set"),
        Refusal(503, "数据库连接失败"),
    ),
)
async def resend_hook(call: Call, body: bytes) -> HookAnswer:
    """Where Resend reports what became of mails.

    Name this address in Resend's dashboard, and its signing secret in RESEND_WEBHOOK_SECRET. The headers `svix-id`,
    `svix-timestamp` and `svix-signature` sign the body; a signature is good for 300 seconds, and a repeat of a report
    changes nothing.
    """
    headers = call.visit.headers
    is_new = await call.services.resend_hook.receive(
        message_id=headers.get(b"svix-id", b"").decode("latin-1"),
        timestamp=headers.get(b"svix-timestamp", b"").decode("latin-1"),
        signatures=headers.get(b"svix-signature", b"").decode("latin-1"),
        body=body,
    )
    return HookAnswer(ok=True, new=is_new)


ENDPOINTS: tuple[Endpoint, ...] = (resend_hook,)
