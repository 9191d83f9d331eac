"""EmailCar's API. Source: seed 003, provider facts 1.6 and 4.6."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from tempmail.clock import parse_stamp, stamp
from tempmail.domain.sandbox import Outcome, SandboxCredential, SandboxMail, State
from tempmail.domain.sandbox_emailcar import (
    FAILED,
    NO_POINTS,
    NOT_APPROVED,
    NOTHING_FOUND,
    STATUS,
    TOO_OFTEN,
    WRONG_ACCOUNT,
    as_md5,
    declined,
    local_time,
    read_orders,
    read_page,
    read_span,
)
from tempmail.domain.sandbox_fields import Declined, Fields, Order, flat_fields, line_of, listed, text_of
from tempmail.domain.sandbox_ids import next_id
from tempmail.domain.sandbox_providers import EMAILCAR, SandboxProvider
from tempmail.sandbox.desk import Desk, Numbers, Parcel, zone_of
from tempmail.sandbox.rates import Rates
from tempmail.sandbox.router import Router
from tempmail.sandbox.surface import Exchange, Kind, Refused, Reply, json_reply
from tempmail.services.sandbox_totals import SandboxTotals

POINTS = 1_000_000
"""What an account without a limit shows as left."""

_DONE = "数据成功获取"
_KINDS: Mapping[Kind, tuple[int, str]] = {
    Kind.NO_ROUTE: (404, "接口不存在"),
    Kind.NO_METHOD: (405, "请求方式错误,仅支持POST"),
    Kind.MALFORMED: (400, "请求无法读取"),
    Kind.TOO_LARGE: (413, "请求内容过大"),
    Kind.RATE: (200, TOO_OFTEN),
    Kind.DAY_QUOTA: (200, NO_POINTS),
    Kind.MONTH_QUOTA: (200, NO_POINTS),
    Kind.BUSY: (503, "系统忙,请稍后再试"),
    Kind.SERVER: (500, "系统错误"),
}
_FAILURE = "收件人服务器拒收邮件"

_Handler = Callable[[Exchange, SandboxCredential, Fields], Awaitable[Reply]]


class EmailCar:
    """Implements `surface.Surface`."""

    provider: SandboxProvider = EMAILCAR

    def __init__(self, desk: Desk, totals: SandboxTotals) -> None:
        self._desk = desk
        self._totals = totals
        self._ids = Numbers(next_id, desk.clock)
        self._submissions = Rates(desk.clock)
        self._router = Router[None](
            {
                "POST /v1/mail/send": self._for(self._send),
                "POST /v1/mail/stats": self._for(self._stats),
                "POST /v1/mail/lists": self._for(self._lists),
                "POST /v1/user/balance": self._for(self._balance),
            }
        )

    async def answer(self, exchange: Exchange) -> Reply:
        handler, params = self._router.find(exchange)
        try:
            return await handler(exchange, None, params)
        except Declined as declined:
            return _failure(200, str(declined))

    def refusal(self, exchange: Exchange, refused: Refused) -> Reply:  # noqa: ARG002 (named as in the protocol)
        return _failure(*_KINDS[refused.kind])

    def _for(self, handle: _Handler) -> Callable[[Exchange, None, Mapping[str, str]], Awaitable[Reply]]:
        """`handle` for whoever has an account."""

        async def answered(exchange: Exchange, _: None, __: Mapping[str, str]) -> Reply:
            raw = await exchange.body()
            fields = flat_fields(raw, exchange.header(b"content-type") or "")
            return await handle(exchange, await self._caller(exchange, fields), fields)

        return answered

    async def _caller(self, exchange: Exchange, fields: Fields) -> SandboxCredential:
        user, password = text_of(fields.get("api_user")), text_of(fields.get("api_pwd"))
        credential = await self._desk.caller(exchange, self.provider, user) if user and password else None
        if credential is None or not await self._desk.knows(
            credential, "api_pwd", *as_md5(password), address=exchange.address
        ):
            exchange.credential = None
            raise declined(WRONG_ACCOUNT)
        if not credential.is_on("approved"):
            raise declined(NOT_APPROVED)
        self._desk.count(credential)
        return credential

    async def _send(self, exchange: Exchange, credential: SandboxCredential, fields: Fields) -> Reply:
        if self._submissions.count(credential.id, credential.number("submissions_per_s")).is_over:
            raise Refused(Kind.RATE)
        orders = read_orders(fields, listed(credential.text("senders")))
        parcels = [Parcel(self._ids.next(), order, _summary(fields, order)) for order in orders]
        kept = {name: value for name, value in fields.items() if name != "api_pwd"}
        taken = await self._desk.take(exchange, credential, parcels, kept)
        if taken.outcome is Outcome.USED_UP:
            raise declined(NO_POINTS)
        ids = [int(parcel.provider_id) for parcel in parcels]
        returned = {"id": ids[0]} if len(ids) == 1 else {"id": ids[0], "ids": ids}
        return json_reply(200, {"data": {"return": returned}, "msg": "邮件发送成功", "status": "success"})

    async def _stats(self, exchange: Exchange, credential: SandboxCredential, fields: Fields) -> Reply:
        exchange.play(credential.fault(), now=self._desk.clock.now())
        span = read_span(fields, zone_of(credential))
        if span.send_id is not None:
            mail = await self._desk.mails.mail(credential, span.send_id)
            counts: Mapping[State, int] = {mail.state: 1} if mail else {}
        else:
            counts = await self._totals.by_state(credential, since=_stamp(span.since), until=_stamp(span.until))
        failed = sum(count for state, count in counts.items() if STATUS[state] == FAILED)
        asked = sum(counts.values())
        total = {"failure": failed, "request": asked, "success": asked - failed - counts.get(State.SCHEDULED, 0)}
        return _success({"total": total})

    async def _lists(self, exchange: Exchange, credential: SandboxCredential, fields: Fields) -> Reply:
        exchange.play(credential.fault(), now=self._desk.clock.now())
        span = read_span(fields, zone_of(credential))
        page, size = read_page(fields)
        if span.send_id is not None:
            mail = await self._desk.mails.mail(credential, span.send_id)
            mails = [mail] if mail and page == 1 else []
        else:
            mails = await self._totals.page(
                credential, since=_stamp(span.since), until=_stamp(span.until), page=page, size=size
            )
        if not mails:
            raise declined(NOTHING_FOUND)
        data: dict[str, object] = {str(at): _shown(mail, credential) for at, mail in enumerate(mails)}
        if credential.is_on("stray_return"):
            data["return"] = {"id": int(mails[0].provider_id)}
        return _success(data)

    async def _balance(self, exchange: Exchange, credential: SandboxCredential, _: Fields) -> Reply:
        exchange.play(credential.fault(), now=self._desk.clock.now())
        bought = credential.number("points")
        left = max(0, bought - await self._desk.mails.used_in_all(credential)) if bought else POINTS
        return _success({"points": {"ad": "0", "email": str(left), "sms": "0"}})


def _stamp(epoch_s: float | None) -> str | None:
    return None if epoch_s is None else stamp(epoch_s)


def _summary(fields: Fields, order: Order) -> dict[str, object]:
    return {
        "from": order.sender_address,
        "fromname": line_of(fields["fromname"]),
        "replyto": order.reply_to[0],
        "subject": order.subject,
        "to": order.to[0],
    }


def _shown(mail: SandboxMail, credential: SandboxCredential) -> dict[str, str]:
    """As lists show it: everything is text, and nothing says whom it went to."""
    summary = msgspec.json.decode(mail.summary)
    status = STATUS[mail.state]
    return {
        "failure_msg": _FAILURE if status == FAILED else "",
        "from": summary["from"],
        "fromname": summary["fromname"],
        "guest_agent": "",
        "guest_count": "0",
        "guest_ip": "",
        "replyto": summary["replyto"],
        "send_time": local_time(parse_stamp(mail.created_at), zone_of(credential)),
        "status": status,
        "subject": summary["subject"],
    }


def _success(data: object) -> Reply:
    return json_reply(200, {"data": data, "msg": _DONE, "status": "success"})


def _failure(status: int, text: str) -> Reply:
    return json_reply(status, {"msg": text, "status": "error"})
