"""Cyberpersons' API (CyberPanel's mail delivery). Source: provider facts 1.3 and 4.3.

Of the types of errors only those of 429, 500 and 503 are attested; the others are named as is usual.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from tempmail.clock import Clock, stamp
from tempmail.domain.sandbox import Fault, SandboxCredential, SandboxMail, State
from tempmail.domain.sandbox_cyberpersons import read_fields, read_order
from tempmail.domain.sandbox_fields import Declined, domain_of, json_fields, listed, text_of
from tempmail.domain.sandbox_providers import CYBERPERSONS, SandboxProvider
from tempmail.sandbox.desk import Desk, Parcel
from tempmail.sandbox.router import Router
from tempmail.sandbox.surface import Exchange, Kind, Refused, Reply, json_reply
from tempmail.services.sandbox_totals import SandboxTotals

MAX_BODY_BYTES = 8 << 20
FREE_PLAN = 15_000
"""Mails in a month, where the credential has no quota."""

_KINDS: Mapping[Kind, tuple[int, str, str]] = {
    Kind.NO_ROUTE: (404, "not_found", "The requested resource was not found"),
    Kind.NO_METHOD: (405, "method_not_allowed", "Method not allowed"),
    Kind.MALFORMED: (400, "validation_error", "Invalid request body"),
    Kind.TOO_LARGE: (413, "validation_error", "The request body is too large"),
    Kind.RATE: (429, "rate_limit_exceeded", "Rate limit exceeded"),
    Kind.DAY_QUOTA: (429, "rate_limit_exceeded", "Daily sending limit exceeded"),
    Kind.MONTH_QUOTA: (429, "rate_limit_exceeded", "Monthly sending limit exceeded"),
    Kind.BUSY: (503, "service_unavailable", "Service temporarily unavailable"),
    Kind.SERVER: (500, "send_failed", "Failed to send email"),
}
_STATUS: Mapping[State, str] = {
    State.DELIVERED: "delivered",
    State.COMPLAINED: "complaint",
    State.BOUNCED: "bounced",
    State.SUPPRESSED: "rejected",
    State.FAILED: "failed",
    State.SCHEDULED: "queued",
    State.CANCELED: "failed",
}


class Cyberpersons:
    """Implements `surface.Surface`."""

    provider: SandboxProvider = CYBERPERSONS

    def __init__(self, desk: Desk, totals: SandboxTotals) -> None:
        self._desk = desk
        self._totals = totals
        self._router = Router[SandboxCredential](
            {
                "POST /email/v1/send": self._send,
                "GET /email/v1/messages/{id*}": self._message,
                "GET /email/v1/account/stats": self._stats,
            }
        )

    async def answer(self, exchange: Exchange) -> Reply:
        if (exchange.method, exchange.path) == ("GET", "/email/v1/health"):
            return json_reply(200, {"success": True, "data": {"status": "healthy"}})
        try:
            handler, params = self._router.find(exchange)
            return await handler(exchange, await self._caller(exchange), params)
        except Declined as declined:
            return _failure(declined.status, str(declined.code), str(declined))

    def refusal(self, exchange: Exchange, refused: Refused) -> Reply:  # noqa: ARG002 (named as in the protocol)
        status, kind, text = _KINDS[refused.kind]
        return _failure(status, kind, text, refused.retry_after_s)

    async def _caller(self, exchange: Exchange) -> SandboxCredential:
        offered = exchange.bearer() or exchange.header(b"x-api-key")
        credential = None if not offered else await self._desk.caller(exchange, self.provider, offered)
        if credential is None:
            text = "Invalid API key" if offered else "Missing API key"
            raise Declined("unauthorized", text, status=HTTPStatus.UNAUTHORIZED)
        return credential

    async def _send(self, exchange: Exchange, credential: SandboxCredential, _: Mapping[str, str]) -> Reply:
        _check_right(credential, "can_send")
        raw = await exchange.body(MAX_BODY_BYTES)
        _check_domain(credential, raw)
        self._desk.count(credential)
        fields = read_fields(raw)
        order = read_order(fields)
        message_id = f"<{self._desk.new_id()}@{domain_of(order.sender)}>"
        shown = {"from": text_of(fields["from"]), "to": text_of(fields["to"]), "subject": text_of(fields["subject"])}
        await self._desk.take(exchange, credential, [Parcel(message_id, order, shown)], fields)
        sent_at = _iso(self._desk.clock)
        data = {"message_id": message_id, "status": "sent", **shown, "sent_at": sent_at}
        return json_reply(202, {"success": True, "data": data})

    async def _message(self, exchange: Exchange, credential: SandboxCredential, params: Mapping[str, str]) -> Reply:
        self._look(exchange, credential)
        message_id = params["id"]
        mail = await self._desk.mails.mail(credential, message_id)
        if mail is None:
            mail = await self._desk.mails.mail(credential, f"<{message_id}>")
        if mail is None:
            raise Declined("not_found", "Message not found", status=404)
        return json_reply(200, {"success": True, "data": _shown(mail)})

    async def _stats(self, exchange: Exchange, credential: SandboxCredential, _: Mapping[str, str]) -> Reply:
        self._look(exchange, credential)
        month_start = f"{stamp(self._desk.clock.now())[:8]}01 00:00:00"
        _today, sent = await self._desk.mails.used(credential)
        states = await self._totals.by_state(credential, since=month_start)
        limit = credential.number("monthly_quota") or FREE_PLAN
        is_used_up = credential.fault() is Fault.QUOTA
        rate = credential.number("rate_per_s")
        data = {
            "plan": "free",
            "status": "active",
            "monthly_limit": limit,
            "emails_sent_this_month": limit if is_used_up else sent,
            "emails_remaining": 0 if is_used_up else max(0, limit - sent),
            "reputation_score": 100,
            "domains_verified": len(listed(credential.text("domains"))),
            "rate_limits": {
                "per_minute": rate * 60 or None,
                "per_hour": rate * 3_600 or None,
                "per_day": credential.number("daily_quota") or None,
            },
            "this_month": {
                "delivered": states.get(State.DELIVERED, 0) + states.get(State.COMPLAINED, 0),
                "bounced": states.get(State.BOUNCED, 0),
                "opened": 0,
                "clicked": 0,
            },
        }
        return json_reply(200, {"success": True, "data": data})

    def _look(self, exchange: Exchange, credential: SandboxCredential) -> None:
        """What comes before each answer that sends nothing."""
        _check_right(credential, "can_read_analytics")
        self._desk.count(credential)
        if credential.fault() is not Fault.QUOTA:  # which says itself that nothing is left
            exchange.play(credential.fault(), now=self._desk.clock.now())


def _check_right(credential: SandboxCredential, right: str) -> None:
    if not credential.is_on(right):
        raise _forbidden(f"API key does not have the {right} permission")


def _check_domain(credential: SandboxCredential, raw: bytes) -> None:
    """Before anything else of the body is looked at, as far as it says who the mail is from."""
    allowed = listed(credential.text("domains"))
    domain = domain_of(text_of((json_fields(raw) or {}).get("from")))
    if allowed and domain and domain not in allowed:
        raise _forbidden(f"Domain {domain} is not verified")


def _forbidden(text: str) -> Declined:
    return Declined("forbidden", text, status=HTTPStatus.FORBIDDEN)


def _shown(mail: SandboxMail) -> dict[str, Any]:
    at = _iso_of(mail.created_at)
    is_delivered = mail.state in (State.DELIVERED, State.COMPLAINED)
    shown = {
        "message_id": mail.provider_id,
        **msgspec.json.decode(mail.summary),
        "status": _STATUS[mail.state],
        "queued_at": at,
        "sent_at": at,
        "delivered_at": at if is_delivered else None,
        "opened": False,
        "open_count": 0,
        "clicked": False,
        "click_count": 0,
    }
    if mail.state is State.BOUNCED:
        shown["bounce_reason"] = "550 5.1.1 The recipient's mail server rejected the message, as asked for"
    return shown


def _failure(status: int, kind: str, text: str, retry_after_s: int = 0) -> Reply:
    error: dict[str, object] = {"type": kind, "message": text}
    body: dict[str, object] = {"success": False, "error": error}
    if status != HTTPStatus.TOO_MANY_REQUESTS:
        return json_reply(status, body)
    # Where in the body it stands is not documented.
    error["retry_after"] = body["retry_after"] = retry_after_s
    return json_reply(status, body, (b"retry-after", str(retry_after_s).encode()))


def _iso(clock: Clock) -> str:
    return _iso_of(stamp(clock.now()))


def _iso_of(stamped: str) -> str:
    return f"{stamped.replace(' ', 'T')}Z"
