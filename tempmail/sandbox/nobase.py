"""nobase's API. Source: seed 001, provider facts 1.5 and 4.5."""

import hashlib
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from tempmail.domain.sandbox import SandboxCredential
from tempmail.domain.sandbox_fields import Declined, Fields, flat_fields, form_fields, text_of
from tempmail.domain.sandbox_nobase import (
    BAD_PARAMETER,
    BAD_SIGNATURE,
    BAD_STATE,
    BAD_TOKEN,
    NO_CONFIGURATION,
    NOT_NOW,
    SENT,
    AppState,
    Call,
    check_state,
    check_user,
    merged,
    overdue,
    read_call,
    read_order,
    too_soon,
)
from tempmail.domain.sandbox_providers import NOBASE, SandboxProvider, matches
from tempmail.errors import Transient
from tempmail.log import get_log
from tempmail.sandbox.desk import Desk, Parcel
from tempmail.sandbox.pauses import Pauses
from tempmail.sandbox.router import Router
from tempmail.sandbox.surface import Exchange, Kind, Refused, Reply, json_reply
from tempmail.services.sandbox_log import SandboxLog

SESSION_COOKIE = "PHPSESSID"

_BUSY = (NOT_NOW, "邮件发送失败:服务器繁忙,请稍后重试!")
_KINDS: Mapping[Kind, tuple[int, str]] = {
    Kind.NO_ROUTE: (BAD_STATE, "接口不存在!"),
    Kind.NO_METHOD: (BAD_PARAMETER, "接口参数错误:仅支持GET和POST请求"),
    Kind.MALFORMED: (BAD_PARAMETER, "接口参数错误:请求无法读取"),
    Kind.TOO_LARGE: (BAD_PARAMETER, "接口参数错误:请求内容过大"),
    Kind.DAY_QUOTA: (BAD_STATE, overdue(1)),
    Kind.MONTH_QUOTA: (BAD_STATE, overdue(1)),
    Kind.BUSY: _BUSY,
    Kind.SERVER: (NOT_NOW, "邮件发送失败:SMTP服务器连接失败!"),
}
_STATUS: Mapping[Kind, int] = {Kind.NO_ROUTE: 404, Kind.NO_METHOD: 405}
_SESSION = re.compile(rf"(?:^|;)\s*{SESSION_COOKIE}=([^;\s]{{1,128}})")

_log = get_log("sandbox")


@dataclass(frozen=True, slots=True)
class _Said:
    code: int
    text: str


class Nobase:
    """Implements `surface.Surface`."""

    provider: SandboxProvider = NOBASE

    def __init__(self, desk: Desk, log: SandboxLog) -> None:
        self._desk = desk
        self._log = log
        self._pauses = Pauses(desk.clock)
        self._router = Router[None]({"GET /api/mail/send": self._send, "POST /api/mail/send": self._send})

    async def answer(self, exchange: Exchange) -> Reply:
        handler, params = self._router.find(exchange)
        return await handler(exchange, None, params)

    def refusal(self, exchange: Exchange, refused: Refused) -> Reply:
        return _reply(exchange, _said(refused), status=_STATUS.get(refused.kind, 200))

    async def _send(self, exchange: Exchange, _: None, __: Mapping[str, str]) -> Reply:
        given = await self._given(exchange)
        try:
            said = await self._tried(exchange, given)
        except Declined as declined:
            said = _Said(int(declined.code), str(declined))
        except Refused as refused:
            said = _said(refused)
        except Transient as exc:
            _log.warning("sandbox.busy", provider=self.provider.name, path=exchange.path, exc=exc)
            said = _Said(*_BUSY)
        if said.code != SENT:
            exchange.fault = None
        await self._note(exchange, given, said)
        return _reply(exchange, said)

    async def _note(self, exchange: Exchange, given: Fields, said: _Said) -> None:
        try:
            await self._log.record(
                exchange.credential,
                appid=text_of(given.get("appid")),
                mail=text_of(given.get("mail")),
                title=text_of(given.get("title")),
                code=said.code,
                detail=said.text,
                address=exchange.address,
                is_stranger=exchange.credential is None or said.code == BAD_SIGNATURE,
            )
        except Transient as exc:  # the answer stays true: a mail that was taken is not to be sent again
            _log.warning("sandbox.unlogged", provider=self.provider.name, code=said.code, exc=exc)

    async def _given(self, exchange: Exchange) -> Fields:
        """The parameters, from wherever they come; those of the body count."""
        query = form_fields(exchange.query)
        if exchange.method == "GET":
            return query
        body = flat_fields(await exchange.body(), exchange.header(b"content-type") or "")
        return merged(query, body)

    async def _tried(self, exchange: Exchange, given: Fields) -> _Said:
        """Raises `Declined`, `Refused`, `Transient`."""
        call = read_call(given)
        credential = await self._caller(exchange, call)
        order = read_order(call, credential.text("sender"))
        if not credential.is_on("has_configuration"):
            raise Declined(NO_CONFIGURATION, "应用配置不存在!")
        self._desk.count(credential)
        session = _session(exchange, credential, call)
        if wait_s := self._pauses.begin(session, credential.number("pause_s")):
            raise too_soon(wait_s)
        is_sent = False
        try:
            kept = {"appid": call.appid, "mail": call.mail, "title": call.title, "content": call.content}
            summary = {"to": call.mail, "subject": call.title}
            await self._desk.take(exchange, credential, [Parcel(self._desk.new_id(), order, summary)], kept)
            is_sent = True
        finally:
            if not is_sent:  # only mail that was taken counts
                self._pauses.undo(session)
        return _Said(SENT, "邮件发送成功")

    async def _caller(self, exchange: Exchange, call: Call) -> SandboxCredential:
        credential = await self._desk.caller(exchange, self.provider, call.appid)
        if credential is None:
            raise Declined(BAD_STATE, "应用不存在!")
        check_state(
            AppState(
                credential.number("overdue_days"), credential.is_on("developer_disabled"), credential.text("app_state")
            )
        )
        if not matches(self.provider, credential, "signature", call.signature):
            raise Declined(BAD_SIGNATURE, "用户访问被限制:签名校验失败!")
        if call.token:
            if not matches(self.provider, credential, "token", call.token):
                raise Declined(BAD_TOKEN, "token无效或已过期!")
            return credential
        check_user(call)
        if not matches(self.provider, credential, "user", call.user):
            raise Declined(BAD_STATE, "账号不存在!")
        if credential.is_on("user_disabled"):
            raise Declined(BAD_STATE, "账号已被禁用!")
        if not await self._desk.knows(credential, "pass", call.password, address=exchange.address):
            raise Declined(BAD_STATE, "账号或密码错误!")
        return credential


def _session(exchange: Exchange, credential: SandboxCredential, call: Call) -> Hashable:
    """What the pause is counted by: the session's cookie where one came, else whom the app sends for."""
    cookie = _SESSION.search(exchange.header(b"cookie") or "")
    name = f"cookie {cookie[1]}" if cookie else f"principal {call.principal}"
    return credential.id, hashlib.sha256(name.encode("utf-8", "replace")).digest()


def _said(refused: Refused) -> _Said:
    if refused.kind is Kind.RATE:
        declined = too_soon(refused.retry_after_s)
        return _Said(int(declined.code), str(declined))
    return _Said(*_KINDS[refused.kind])


def _reply(exchange: Exchange, said: _Said, *, status: int = 200) -> Reply:
    """HTTP's status is 200, whatever the answer says, unless the account mirrors its `code`; 400 is in the place of
    204, which has no body."""
    if exchange.credential is not None and exchange.credential.is_on("mirror_code"):
        status = 400 if said.code == BAD_PARAMETER else said.code
    body = {"code": said.code, "msg": "success" if said.code == SENT else "fail", "data": said.text}
    return json_reply(status, body)
