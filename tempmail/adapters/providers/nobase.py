"""nobase.cn. Source: seed 001, provider facts 1.5 and 3.

Everything it takes is one form, credentials among it: the stored request holds the mail alone, and they are added when
it is sent. Always POST, since a GET would put them into logs.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import httpx

from tempmail.adapters.providers.base import USER_AGENT, HttpProvider, at_pace
from tempmail.adapters.providers.http import FORM, Answer, Http, Timeouts, by_status
from tempmail.adapters.providers.pace import Pace
from tempmail.adapters.providers.parts import Part
from tempmail.clock import Clock
from tempmail.domain.outbound import Capabilities, OutboundMessage, ProviderCall, SendResult
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

BASE_URL = "https://nobase.cn"
PAUSE_S = 60.0
NOBASE_TIMEOUTS = Timeouts(read_s=60.0)
"""It seems to send while the caller waits."""
SEND_FAILED_TRIES = 2

_TOO_OFTEN = "请求频繁"
_SECONDS = re.compile(r"(\d{1,5})\s*秒")
_EXPIRED = "逾期"


class Nobase(HttpProvider):
    """One application, with a user's `token`, or `user` and `password`, never both. `from_addr`: its one sender.

    Cookies are kept: the least time between two mails is counted per session.
    """

    name = "nobase"
    label = "nobase"

    def __init__(
        self,
        appid: str,
        signature: str,
        *,
        account: str,
        from_addr: str,
        clock: Clock,
        token: str = "",
        user: str = "",
        password: str = "",
        base_url: str = BASE_URL,
        user_agent: str = USER_AGENT,
        pause_s: float | None = None,
        timeouts: Timeouts = NOBASE_TIMEOUTS,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if bool(token) == bool(user and password) or bool(token and (user or password)):
            raise ValueError("nobase: either a token, or a user and a password")
        capabilities = Capabilities(max_to=1, only_from=from_addr, from_name=False, pause_s=PAUSE_S)
        capabilities = at_pace(capabilities, pause_s)
        http = Http(
            self.name,
            base_url=base_url,
            account=account,
            user_agent=user_agent,
            pace=Pace(capabilities.pause_s, clock, sleep=sleep),
            clock=clock,
            secrets=(signature, token, user, password),
            keep_cookies=True,
            timeouts=timeouts,
            transport=transport,
        )
        super().__init__(http, account=account, capabilities=capabilities)
        principal = {"token": token} if token else {"user": user, "pass": password}
        self._credentials = urlencode({"appid": appid, "signature": signature, **principal}).encode()

    def _call(self, message: OutboundMessage, part: Part) -> ProviderCall:
        form = {
            "mail": part.to[0].address,
            "title": message.subject,
            "content": message.html or message.text or "",
        }
        return ProviderCall(part.recipients, "/api/mail/send", FORM, urlencode(form).encode())

    async def send(self, call: ProviderCall, *, idempotency_key: str, raw: bytes | None = None) -> SendResult:  # noqa: ARG002
        body = call.body + b"&" + self._credentials
        answer = await self._http.submit(call.target, body, call.content_type)
        fields = answer.fields or {}
        if answer.is_ok and _code(fields.get("code")) == 200 and fields.get("msg") != "fail":
            return SendResult(None, raw=answer.raw)
        raise self._http.refused(self._error(answer))

    def _error(self, answer: Answer) -> ProviderError:
        """By the `code` of the body: what HTTP's status says is not documented."""
        fields = answer.fields or {}
        words = self._http.words(fields.get("data")) or self._http.words(fields.get("msg"))
        code = _code(fields.get("code"))
        text = f"nobase: {words or 'failed'} (code {code})"
        if code == 204:
            return InvalidOutbound(text)
        if code in (401, 402, 403):
            return ProviderAuthFailed(text)
        if code == 404:
            return ProviderExhausted(text) if _EXPIRED in words else ProviderDenied(text)
        if code == 405:
            if _TOO_OFTEN not in words:
                return ProviderUnavailable(text, tries=SEND_FAILED_TRIES)
            seconds = _SECONDS.search(words)
            return ProviderRateLimited(text, retry_after_s=max(1.0, float(seconds[1])) if seconds else PAUSE_S)
        if code == 407:
            return ProviderDenied(text)
        if answer.is_ok:
            return OutcomeUnknown("nobase: an answer that says neither success nor failure")
        return by_status("nobase", answer, words)


def _code(value: object) -> int | None:
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{3}", value) else None
