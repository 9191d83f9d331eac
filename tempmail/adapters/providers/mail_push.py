"""mail_push: mail from a template of the account. Source: seed 000, provider facts 1.4 and 3.

Free-form mail goes through one template whose subject and body are nothing but variables; settings name them. Its
schedule is never used: the time zone of `send_time` is not documented, and mail that waits, waits in our outbox.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping

import httpx

from tempmail.adapters.providers.base import USER_AGENT, HttpProvider, at_pace
from tempmail.adapters.providers.http import (
    JSON,
    TIMEOUTS,
    Answer,
    Http,
    Timeouts,
    by_status,
    id_text,
    json_bytes,
    mapping,
)
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
)

BASE_URL = "https://mail.push.xiaocx.cc/api"
FIELDS = frozenset({"subject", "html", "text"})
"""What of a mail a variable may stand for."""
PAUSE_S = 1.0

_NO_ACCOUNT = frozenset({-100, -101})
_NO_CREDIT = -102
_NO_TEMPLATE = -4
_FAULTS = frozenset({-103, -1, -3, -6})


class MailPush(HttpProvider):
    """`from_addr`: the account's one sender. `template`: id of the free-form template. `variables`: from `subject` and
    `html` or `text` (or both) to the names that the template's variables have. Raises `ValueError` where a mail could
    not be written with them."""

    name = "mail_push"
    label = "mail_push"

    def __init__(
        self,
        token: str,
        *,
        account: str,
        from_addr: str,
        template: int,
        variables: Mapping[str, str],
        clock: Clock,
        base_url: str = BASE_URL,
        user_agent: str = USER_AGENT,
        pause_s: float | None = None,
        timeouts: Timeouts = TIMEOUTS,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if not variables.keys() <= FIELDS or "subject" not in variables or len(variables) < 2:
            raise ValueError("mail_push: variables name the subject, and html or text or both")
        has_both = variables.keys() == FIELDS
        capabilities = Capabilities(
            max_to=1,
            only_from=from_addr,
            from_name=False,
            html="html" in variables,
            text="text" in variables,
            html_with_text=has_both,
            pause_s=PAUSE_S,
        )
        capabilities = at_pace(capabilities, pause_s)
        http = Http(
            self.name,
            base_url=base_url,
            account=account,
            user_agent=user_agent,
            pace=Pace(capabilities.pause_s, clock, sleep=sleep),
            clock=clock,
            headers={"token": token},
            secrets=(token,),
            timeouts=timeouts,
            transport=transport,
        )
        super().__init__(http, account=account, capabilities=capabilities)
        self._template = template
        self._variables = dict(variables)

    def _call(self, message: OutboundMessage, part: Part) -> ProviderCall:
        written = {"subject": message.subject, "html": message.html or "", "text": message.text or ""}
        # Every variable is given, so that no placeholder is left in the mail; all values are strings.
        content = {variable: written[field] for field, variable in self._variables.items()}
        body = {
            "temp_id": self._template,
            "to_email": part.to[0].address,
            "content": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        }
        return ProviderCall(part.recipients, "/send_email_v2", JSON, json_bytes(body))

    async def send(self, call: ProviderCall, *, idempotency_key: str, raw: bytes | None = None) -> SendResult:  # noqa: ARG002
        answer = await self._http.submit(call.target, call.body, call.content_type)
        fields = answer.fields or {}
        task_id = mapping(fields.get("data")).get("task_id")
        if answer.is_ok and fields.get("status") == 1 and task_id and (message_id := id_text(task_id)):
            return SendResult(message_id, raw=answer.raw)
        raise self._http.refused(self._error(answer))

    def _error(self, answer: Answer) -> ProviderError:
        fields = answer.fields or {}
        words = self._http.words(fields.get("msg"))
        if fields.get("status") == 0:
            return _stated(_integer(mapping(fields.get("data")).get("error_code")), words, answer)
        if answer.is_ok:
            return OutcomeUnknown("mail_push: an answer that says neither success nor failure")
        return by_status("mail_push", answer, words)


def _stated(code: int | None, words: str, answer: Answer) -> ProviderError:
    """A failure that the answer's body states, whatever its HTTP status is."""
    text = f"mail_push: {words or 'failed'} (error_code {code})"
    if code in _NO_ACCOUNT:
        return ProviderAuthFailed(text)
    if code == _NO_CREDIT:
        return ProviderExhausted(text)
    if code == _NO_TEMPLATE:
        return ProviderDenied(text)
    if code in _FAULTS or answer.is_ok:
        return InvalidOutbound(text)
    return by_status("mail_push", answer, text)


def _integer(value: object) -> int | None:
    """PHP writes numbers as strings now and then."""
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.removeprefix("-").isascii() and value.removeprefix("-").isdigit():
        return int(value[:10])
    return None
