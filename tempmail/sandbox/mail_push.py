"""mail_push's API. Source: seed 000, provider facts 1.4 and 4.4."""

import re
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from importlib import resources

from tempmail.domain.sandbox import Outcome, SandboxCredential
from tempmail.domain.sandbox_fields import Declined, Order, body_fields
from tempmail.domain.sandbox_ids import next_task
from tempmail.domain.sandbox_mail_push import (
    BAD_CONTENT,
    BAD_TOKEN,
    NO_CREDIT,
    NO_TEMPLATE,
    NO_TOKEN,
    TEXTS,
    Task,
    declined,
    read_task,
)
from tempmail.domain.sandbox_providers import MAIL_PUSH, SandboxProvider
from tempmail.domain.sandbox_templates import render
from tempmail.errors import BadRequest
from tempmail.sandbox.desk import Desk, Numbers, Parcel, zone_of
from tempmail.sandbox.router import Router
from tempmail.sandbox.surface import Exchange, Kind, Refused, Reply, json_reply
from tempmail.services.sandbox_templates import SandboxTemplates

MAX_BODY_BYTES = 8 << 20
ITS_URL = "https://mail.push.xiaocx.cc"

_KINDS: Mapping[Kind, tuple[int, int, str]] = {
    Kind.NO_ROUTE: (404, -404, "接口不存在"),
    Kind.NO_METHOD: (405, -405, "请求方法不支持"),
    Kind.MALFORMED: (400, -400, "请求无法读取"),
    Kind.TOO_LARGE: (413, -413, "请求内容过大"),
    Kind.RATE: (429, -429, "请求过于频繁"),
    Kind.DAY_QUOTA: (200, NO_CREDIT, TEXTS[NO_CREDIT]),
    Kind.MONTH_QUOTA: (200, NO_CREDIT, TEXTS[NO_CREDIT]),
    Kind.BUSY: (503, -503, "服务繁忙,请稍后重试"),
    Kind.SERVER: (500, -500, "系统错误"),
}
"""HTTP's status, `error_code` and `msg` of what is not documented: its API is behind HTTP's own words there."""

_HOST = re.compile(r"https?://[A-Za-z0-9._:\[\]-]+(?:/[a-z_]+)*", re.ASCII)


class MailPush:
    """Implements `surface.Surface`."""

    provider: SandboxProvider = MAIL_PUSH

    def __init__(self, desk: Desk, templates: SandboxTemplates) -> None:
        self._desk = desk
        self._templates = templates
        self._tasks = Numbers(next_task, desk.clock)
        self._router = Router[None](
            {
                "POST /api/send_email_v2": self._send,
                "GET /mcp.json": self._tool,
                "GET /openapi.yaml": self._description,
            }
        )

    async def answer(self, exchange: Exchange) -> Reply:
        handler, params = self._router.find(exchange)
        try:
            return await handler(exchange, None, params)
        except Declined as declined:
            return _failure(HTTPStatus.OK, int(declined.code), str(declined))

    def refusal(self, exchange: Exchange, refused: Refused) -> Reply:  # noqa: ARG002 (named as in the protocol)
        status, code, text = _KINDS[refused.kind]
        return _failure(status, code, text, refused.retry_after_s)

    async def _send(self, exchange: Exchange, _: None, __: Mapping[str, str]) -> Reply:
        credential = await self._caller(exchange)
        self._desk.count(credential)
        points = credential.number("points")
        if points and await self._desk.mails.used_in_all(credential) >= points:
            raise declined(NO_CREDIT)
        raw = await exchange.body(MAX_BODY_BYTES)
        fields = body_fields(raw, exchange.header(b"content-type") or "") or {}
        task = read_task(fields, zone_of(credential))
        order = await self._order(credential, task)
        task_id = self._tasks.next()
        is_later = task.send_at is not None and task.send_at > self._desk.clock.now()
        summary = {"subject": order.subject, "to": task.to, "temp_id": task.temp_id, "variables": task.variables}
        parcel = Parcel(task_id, order, summary, task.send_at if is_later else None)
        taken = await self._desk.take(exchange, credential, [parcel], fields)
        if taken.outcome is Outcome.USED_UP:
            raise declined(NO_CREDIT)
        return json_reply(200, {"status": 1, "msg": "请求成功", "data": {"task_id": int(task_id)}})

    async def _caller(self, exchange: Exchange) -> SandboxCredential:
        offered = (exchange.header(b"token") or "").strip()
        if not offered:
            raise declined(NO_TOKEN)
        credential = await self._desk.caller(exchange, self.provider, offered)
        if credential is None:
            raise declined(BAD_TOKEN)
        return credential

    async def _order(self, credential: SandboxCredential, task: Task) -> Order:
        template = await self._templates.find(credential, task.temp_id)
        if template is None:
            raise declined(NO_TEMPLATE)
        try:
            mail = render(template, task.variables)
        except BadRequest as exc:
            raise declined(BAD_CONTENT) from exc
        return Order(
            sender=credential.text("sender"), to=(task.to,), subject=mail.subject, html=mail.html, text=mail.text
        )

    async def _tool(self, exchange: Exchange, _: None, __: Mapping[str, str]) -> Reply:
        """The definition of a tool for MCP (Model Context Protocol), as the provider prints it for itself."""
        return Reply(200, _here(exchange, "mail_push_mcp.json"))

    async def _description(self, exchange: Exchange, _: None, __: Mapping[str, str]) -> Reply:
        """The OpenAPI description, as the provider prints it for itself."""
        return Reply(200, _here(exchange, "mail_push_openapi.yaml"), "application/yaml; charset=utf-8")


def _here(exchange: Exchange, file: str) -> bytes:
    """A file that names the provider's URL, with this server's in its place."""
    if not _HOST.fullmatch(exchange.base):
        raise Refused(Kind.MALFORMED)
    return _read(file).replace(ITS_URL, exchange.base).encode()


@cache
def _read(file: str) -> str:
    return resources.files(__package__).joinpath(file).read_text("utf-8")


def _failure(status: int, code: int, text: str, retry_after_s: int = 1) -> Reply:
    headers = [(b"retry-after", str(retry_after_s).encode())] if status == HTTPStatus.TOO_MANY_REQUESTS else []
    return json_reply(status, {"status": 0, "msg": text, "data": {"error_code": code}}, *headers)
