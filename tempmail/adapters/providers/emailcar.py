"""EmailCar's web API. Source: seed 003, provider facts 1.6 and 3.

Every call carries the account's name and password in its form, by default over plain HTTP: the stored request holds the
mail alone, and they are added when it is sent. Answers are judged by `status`; the texts beside it differ even within
its documentation. Mail ids have up to 64 bits and are kept as text.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlencode

import httpx

from tempmail.adapters.providers.base import USER_AGENT, HttpProvider, at_pace
from tempmail.adapters.providers.http import FORM, TIMEOUTS, Answer, Http, Timeouts, by_status, for_lookup, mapping
from tempmail.adapters.providers.pace import Pace
from tempmail.adapters.providers.parts import Part
from tempmail.clock import Clock
from tempmail.domain.outbound import Capabilities, Delivery, OutboundMessage, ProviderCall, SendResult, State
from tempmail.errors import (
    InvalidOutbound,
    OutcomeUnknown,
    ProviderAuthFailed,
    ProviderDenied,
    ProviderError,
    ProviderExhausted,
    ProviderRateLimited,
    ProviderUnavailable,
)

BASE_URL = "http://webapi.emailcar.net"
CAPABILITIES = Capabilities(max_to=50, reply_to=True, one_each=True, status=True, pause_s=1.0)
PAGE_SIZE = 40
RETRY_AFTER_S = 1.0
MAX_ID_DIGITS = 20
SYSTEM_ERROR_TRIES = 2

# The one documented text comes first; the others are what its rules are about, in the words that they are written in.
_WRONG_ACCOUNT = "用户名或密码"
_USED_UP = ("余额", "点数")
_TOO_OFTEN = ("频繁", "每秒")
_NOT_ALLOWED = ("审核", "权限", "未开通", "发件人", "发件邮箱", "关闭")
_ITS_OWN_FAULT = "系统"
_NOTHING_FOUND = "没有找到"

_SENDING, _SENT, _FAILED = "1", "2", "3"


class EmailCar(HttpProvider):
    """`user`: name or address of the account. `password`: plain, or its MD5 in hexadecimal digits, as the account's
    owner prefers."""

    name = "emailcar"
    label = "EmailCar"

    def __init__(
        self,
        user: str,
        password: str,
        *,
        account: str,
        clock: Clock,
        base_url: str = BASE_URL,
        user_agent: str = USER_AGENT,
        pause_s: float | None = None,
        timeouts: Timeouts = TIMEOUTS,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        capabilities = at_pace(CAPABILITIES, pause_s)
        http = Http(
            self.name,
            base_url=base_url,
            account=account,
            user_agent=user_agent,
            pace=Pace(capabilities.pause_s, clock, sleep=sleep),
            clock=clock,
            secrets=(password,),
            timeouts=timeouts,
            transport=transport,
        )
        super().__init__(http, account=account, capabilities=capabilities)
        self._credentials = urlencode({"api_user": user, "api_pwd": password}).encode()

    def _call(self, message: OutboundMessage, part: Part) -> ProviderCall:
        addresses = [mailbox.address for mailbox in part.to]
        if any(";" in address for address in addresses):
            raise InvalidOutbound("EmailCar: an address with a semicolon would be two")
        form = {
            "from": message.from_addr,
            "fromname": message.from_name or message.from_addr,  # it must not be empty
            "to": ";".join(addresses),
            "subject": message.subject,
            "html": message.html or message.text or "",
        }
        if message.reply_to:
            form["replyto"] = message.reply_to[0]
        return ProviderCall(part.recipients, "/v1/mail/send", FORM, urlencode(form).encode())

    async def send(self, call: ProviderCall, *, idempotency_key: str, raw: bytes | None = None) -> SendResult:  # noqa: ARG002
        answer = await self._http.submit(call.target, call.body + b"&" + self._credentials, call.content_type)
        fields = answer.fields or {}
        if not answer.is_ok or fields.get("status") != "success":
            raise self._http.refused(self._error(answer))
        ids = list(dict.fromkeys(_ids(mapping(fields.get("data")).get("return"))))
        by_recipient = dict(zip(call.recipients, ids, strict=True)) if len(ids) == len(call.recipients) else {}
        return SendResult(ids[0] if ids else None, by_recipient, answer.raw)

    async def status(self, message_id: str) -> Delivery:
        """By the list of what went out under one id. It names no recipient: where mails of one id went differently, no
        state is true of all, and `reason` says how many failed."""
        if not _is_id(message_id):
            raise InvalidOutbound("EmailCar: an id consists of digits")
        answer = await self._look("/v1/mail/lists", {"send_id": message_id, "page_size": str(PAGE_SIZE)})
        mails = _listed(answer)
        if mails is None:
            error = self._error(answer)
            if _NOTHING_FOUND in str(error):
                return Delivery(None, "not_found", str(error))
            raise self._http.refused(for_lookup(error))
        return self._delivery(mails)

    async def usage(self) -> Mapping[str, object]:
        """`points`: what is left for `email` (and `ad`, `sms`). `total`: how many mails were requested, succeeded and
        failed, where it tells."""
        balance = await self._look("/v1/user/balance", {})
        points = mapping(mapping((balance.fields or {}).get("data")).get("points"))
        if not balance.is_ok or (balance.fields or {}).get("status") != "success" or not points:
            raise self._http.refused(for_lookup(self._error(balance)))
        stats = await self._look("/v1/mail/stats", {})
        total = mapping(mapping((stats.fields or {}).get("data")).get("total"))
        return mapping(self._http.shown({"points": dict(points), "total": dict(total)}))

    async def _look(self, target: str, form: Mapping[str, str]) -> Answer:
        body = b"&".join(filter(None, (urlencode(form).encode(), self._credentials)))
        return await self._http.ask("POST", target, body, FORM)

    def _delivery(self, mails: list[Mapping[str, object]]) -> Delivery:
        states = [str(mail.get("status")) for mail in mails]
        failed = [mail for mail in mails if str(mail.get("status")) == _FAILED]
        if not states or not set(states) <= {_SENDING, _SENT, _FAILED}:
            return Delivery(None, states[0] if states else "")
        if len(failed) == len(mails):
            return Delivery(State.FAILED, _FAILED, self._http.words(failed[0].get("failure_msg")))
        if failed:
            return Delivery(None, _FAILED, f"{len(failed)} of {len(mails)} failed")
        # "Sent" is what it calls a mail that it handed over: no word of a recipient's server.
        return Delivery(None, _SENDING) if _SENDING in states else Delivery(State.ACCEPTED, _SENT)

    def _error(self, answer: Answer) -> ProviderError:
        fields = answer.fields or {}
        words = self._http.words(fields.get("msg"))
        if fields.get("status") == "error":
            return _stated(words)
        if answer.is_ok:
            return OutcomeUnknown("EmailCar: an answer that says neither success nor failure")
        return by_status("EmailCar", answer, words)


def _stated(words: str) -> ProviderError:
    text = f"EmailCar: {words or 'failed'}"
    if _WRONG_ACCOUNT in words:
        return ProviderAuthFailed(text)
    if any(part in words for part in _USED_UP):
        return ProviderExhausted(text)
    if any(part in words for part in _TOO_OFTEN):
        return ProviderRateLimited(text, retry_after_s=RETRY_AFTER_S)
    if any(part in words for part in _NOT_ALLOWED):
        return ProviderDenied(text)
    if _ITS_OWN_FAULT in words:
        return ProviderUnavailable(text, tries=SYSTEM_ERROR_TRIES)
    return InvalidOutbound(text)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS


def _ids(value: object) -> list[str]:
    """The ids in `return`: one, or one per address in the order that they were given.

    Seen or described are `{"id": n}`, `{"id": n, "ids": [n, …]}`, a list of either, and an object of them by number.
    Floats are not exact, so not taken.
    """
    if isinstance(value, str | int):
        return [str(value)] if not isinstance(value, bool) and _is_id(str(value)) else []
    if isinstance(value, list):
        return [found for item in value for found in _ids_of_one(item)]
    if not isinstance(value, dict):
        return []
    if "ids" in value or "id" in value:
        return _ids_of_one(value.get("ids") or value.get("id"))
    return [found for key, item in value.items() if key.isdigit() for found in _ids_of_one(item)]


def _ids_of_one(value: object) -> list[str]:
    """As `_ids`, one level further down, where the nesting ends."""
    if isinstance(value, dict):
        value = value.get("id")
    items = value if isinstance(value, list) else [value]
    texts = [str(item) for item in items if isinstance(item, str | int) and not isinstance(item, bool)]
    return [text for text in texts if _is_id(text)]


def _listed(answer: Answer) -> list[Mapping[str, object]] | None:
    """The mails of a list, None where it is none. They stand under digits, or in an array where PHP found the digits to
    be 0 to n."""
    fields = answer.fields if answer.fields is not None else _mended(answer.body)
    if not answer.is_ok or fields is None or fields.get("status") != "success":
        return None
    data = fields.get("data")
    if isinstance(data, list):
        return [mapping(mail) for mail in data]
    # In the printed sample only the first mail is in `data`, the others are beside it.
    return [mapping(mail) for found in (mapping(data), fields) for key, mail in found.items() if key.isdigit()]


def _mended(body: str) -> Mapping[str, object] | None:
    """The list that the documentation prints: its root object ends before its last members. None for anything else."""
    try:
        first, end = json.JSONDecoder().raw_decode(body.lstrip())
        rest = re.sub(r"^\s*,", "{", body.lstrip()[end:])
        return {**first, **json.loads(rest)} if isinstance(first, dict) else None
    except (ValueError, RecursionError, TypeError):
        return None
