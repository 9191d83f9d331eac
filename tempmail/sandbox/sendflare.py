"""SendFlare's API. Source: provider facts 1.2 and 4.2.

What it answers where something goes wrong is not documented: the envelope is, and its `code` is taken to be HTTP's
status.
"""

from collections.abc import Mapping
from http import HTTPStatus

from tempmail.domain.sandbox import SandboxCredential
from tempmail.domain.sandbox_fields import Declined, json_fields
from tempmail.domain.sandbox_providers import SENDFLARE, SandboxProvider
from tempmail.domain.sandbox_sendflare import read_order
from tempmail.sandbox.desk import Desk, Parcel
from tempmail.sandbox.router import Router
from tempmail.sandbox.surface import Exchange, Kind, Refused, Reply, json_reply

MAX_BODY_BYTES = 8 << 20

_KINDS: Mapping[Kind, tuple[int, str]] = {
    Kind.NO_ROUTE: (404, "Not Found"),
    Kind.NO_METHOD: (405, "Method Not Allowed"),
    Kind.MALFORMED: (400, "the request body cannot be read"),
    Kind.TOO_LARGE: (413, "the request body is too large"),
    Kind.RATE: (429, "Too Many Requests"),
    Kind.DAY_QUOTA: (429, "Daily sending quota exceeded"),
    Kind.MONTH_QUOTA: (429, "Monthly sending quota exceeded"),
    Kind.BUSY: (503, "Service Unavailable"),
    Kind.SERVER: (500, "Internal Server Error"),
}


class SendFlare:
    """Implements `surface.Surface`."""

    provider: SandboxProvider = SENDFLARE

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._router = Router[SandboxCredential]({"POST /v1/send": self._send})

    async def answer(self, exchange: Exchange) -> Reply:
        try:
            handler, params = self._router.find(exchange)
            credential = await self._caller(exchange)
            self._desk.count(credential)
            return await handler(exchange, credential, params)
        except Declined as declined:
            return self._failure(declined.status, str(declined))

    def refusal(self, exchange: Exchange, refused: Refused) -> Reply:  # noqa: ARG002 (named as in the protocol)
        status, text = _KINDS[refused.kind]
        return self._failure(status, text, refused.retry_after_s)

    async def _caller(self, exchange: Exchange) -> SandboxCredential:
        offered = exchange.bearer()
        credential = None if offered is None else await self._desk.caller(exchange, self.provider, offered)
        if credential is None:
            text = "missing API token" if offered is None else "invalid API token"
            raise Declined(401, text, status=HTTPStatus.UNAUTHORIZED)
        return credential

    async def _send(self, exchange: Exchange, credential: SandboxCredential, _: Mapping[str, str]) -> Reply:
        raw = await exchange.body(MAX_BODY_BYTES)
        order = read_order(raw)
        email_id = self._desk.new_id()
        summary = {"from": order.sender, "to": order.to, "subject": order.subject}
        await self._desk.take(exchange, credential, [Parcel(email_id, order, summary)], json_fields(raw) or {})
        return json_reply(200, self._envelope(0, "Successfully", success=True, data={"emailId": email_id}))

    def _failure(self, status: int, text: str, retry_after_s: int = 1) -> Reply:
        headers = [(b"retry-after", str(retry_after_s).encode())] if status == HTTPStatus.TOO_MANY_REQUESTS else []
        return json_reply(status, self._envelope(status, text, success=False, data=None), *headers)

    def _envelope(self, code: int, message: str, *, success: bool, data: object) -> dict[str, object]:
        return {
            "requestId": self._desk.new_id(),
            "code": code,
            "success": success,
            "message": message,
            "ts": int(self._desk.clock.now() * 1000),
            "data": data,
        }
