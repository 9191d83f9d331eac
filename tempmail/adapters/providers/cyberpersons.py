"""Cyberpersons (CyberPanel's mail delivery). Source: provider facts 1.3 and 3.

Addresses are single strings there: a list in To, Cc or Bcc ends in HTTP 500. Display names of recipients have no place.
"""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

from tempmail.adapters.providers.base import BearerProvider
from tempmail.adapters.providers.http import (
    JSON,
    Answer,
    by_status,
    for_lookup,
    id_text,
    json_bytes,
    mapping,
    wait_s,
)
from tempmail.adapters.providers.parts import Part
from tempmail.adapters.providers.resend import headers_of
from tempmail.domain.outbound import Capabilities, Delivery, OutboundMessage, ProviderCall, SendResult, State
from tempmail.errors import (
    OutcomeUnknown,
    ProviderError,
    ProviderExhausted,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)

BASE_URL = "https://platform.cyberpersons.com/email/v1"
CAPABILITIES = Capabilities(
    max_to=1,
    cc=True,
    bcc=True,
    one_each=True,
    reply_to=True,
    html_with_text=True,
    headers=True,
    tags=True,
    status=True,
    pause_s=0.2,
)
RETRY_AFTER_S = 60.0
"""After "too many requests" without a time: the limits of a minute, an hour, a day and a month share one error."""
SEND_FAILED_TRIES = 2

_STATES: Mapping[str, State] = MappingProxyType(
    {
        "queued": State.ACCEPTED,
        "sent": State.ACCEPTED,
        "delivered": State.DELIVERED,
        "complaint": State.DELIVERED,  # who calls it spam has it
        "bounced": State.BOUNCED,
        "undeliverable": State.BOUNCED,
        "failed": State.FAILED,
        "rejected": State.FAILED,
    }
)


class Cyberpersons(BearerProvider):
    name = "cyberpersons"
    label = "Cyberpersons"
    default_url = BASE_URL
    default_capabilities = CAPABILITIES

    def _call(self, message: OutboundMessage, part: Part) -> ProviderCall:
        body: dict[str, object] = {"from": message.from_addr, "to": part.to[0].address, "subject": message.subject}
        if message.from_name:
            body["from_name"] = message.from_name
        if message.html is not None:
            body["html"] = message.html
        if message.text is not None:
            body["text"] = message.text
        if part.cc:
            body["cc"] = part.cc[0].address
        if part.bcc:
            body["bcc"] = part.bcc[0].address
        if message.reply_to:
            body["reply_to"] = message.reply_to[0]
        if headers := headers_of(message):
            body["headers"] = headers
        if message.tags:
            body["tags"] = [f"{name}:{value}" if value else name for name, value in message.tags]
        return ProviderCall(part.recipients, "/send", JSON, json_bytes(body))

    async def send(self, call: ProviderCall, *, idempotency_key: str, raw: bytes | None = None) -> SendResult:  # noqa: ARG002
        answer = await self._http.submit(call.target, call.body, call.content_type)
        fields = answer.fields or {}
        message_id = id_text(mapping(fields.get("data")).get("message_id"))
        if answer.is_ok and fields.get("success") is True and message_id is not None:
            return SendResult(message_id, raw=answer.raw)
        error = self._error(answer)
        if isinstance(error, ProviderRateLimited) and await self._is_used_up():
            raise ProviderExhausted(str(error)) from error
        raise self._http.refused(error)

    async def status(self, message_id: str) -> Delivery:
        answer = await self._http.ask("GET", f"/messages/{quote(message_id, safe='')}")
        fields = _data(answer)
        if answer.status == 404:
            return Delivery(None, "not_found", self._words(answer))
        event = fields.get("status")
        if not answer.is_ok or not isinstance(event, str):
            raise self._http.refused(for_lookup(self._error(answer)))
        return Delivery(_STATES.get(event.lower()), event, self._http.words(fields.get("bounce_reason")))

    async def usage(self) -> Mapping[str, object]:
        """As `GET /account/stats` has it: `monthly_limit`, `emails_sent_this_month`, `emails_remaining` and more."""
        answer = await self._http.ask("GET", "/account/stats")
        if not answer.is_ok or answer.fields is None:
            raise self._http.refused(for_lookup(self._error(answer)))
        return mapping(self._http.shown(_data(answer)))

    async def _is_used_up(self) -> bool:
        try:
            return (await self.usage()).get("emails_remaining") == 0
        except ProviderError:
            return False  # then it is a limit of a shorter time, for all that is known

    def _words(self, answer: Answer) -> str:
        fields = answer.fields or {}
        error = mapping(fields.get("error"))
        parts = [self._http.words(part) for part in (error.get("type"), error.get("message"))]
        found = ": ".join(part for part in parts if part)
        return found or self._http.words(fields.get("error")) or self._http.words(fields.get("message"))

    def _error(self, answer: Answer) -> ProviderError:
        fields = answer.fields or {}
        words = self._words(answer)
        error = mapping(fields.get("error"))
        kind = error.get("type")
        text = f"Cyberpersons send failed: {words or f'HTTP {answer.status}'}"
        if answer.is_ok and fields.get("success") is not False:
            return OutcomeUnknown("Cyberpersons: an answer that says neither success nor failure")
        if answer.status == 429 or kind == "rate_limit_exceeded":
            told = next((at for at in (error.get("retry_after"), fields.get("retry_after")) if _is_seconds(at)), None)
            asked = float(told) if isinstance(told, int | float) else answer.retry_after_s
            return ProviderRateLimited(text, retry_after_s=min(wait_s(asked, RETRY_AFTER_S), 86400.0))
        if kind == "rejected":
            return ProviderRefused(text)
        if kind == "send_failed" and answer.status == 500:
            return ProviderUnavailable(text, tries=SEND_FAILED_TRIES)
        if answer.status == 503 or kind == "service_unavailable":
            return ProviderUnavailable(text)
        if answer.is_ok:
            return ProviderRefused(text)
        return by_status("Cyberpersons", answer, text)


def _data(answer: Answer) -> Mapping[str, object]:
    """What an answer is about: in `data`, or at its top."""
    fields = answer.fields or {}
    data = fields.get("data")
    return data if isinstance(data, dict) else fields


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
