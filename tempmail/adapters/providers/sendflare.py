"""SendFlare. Source: provider facts 1.2 and 3.

It has one field for the body and one address in To, without a display name of its own. `cc`, `bcc` and `replyTo` are
what its users send, though its documentation does not name them.
"""

import re

from tempmail.adapters.providers.base import BearerProvider
from tempmail.adapters.providers.http import (
    JSON,
    RETRY_AFTER_S,
    Answer,
    by_status,
    id_text,
    json_bytes,
    mapping,
    wait_s,
)
from tempmail.adapters.providers.parts import Part
from tempmail.domain.outbound import Capabilities, OutboundMessage, ProviderCall, SendResult
from tempmail.domain.outbound_fields import Mailbox
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

BASE_URL = "https://api.sendflare.io"
CAPABILITIES = Capabilities(max_to=1, cc=True, bcc=True, reply_to=True, pause_s=0.2)
_USED_UP = re.compile(r"daily|monthly|quota", re.IGNORECASE)


class SendFlare(BearerProvider):
    name = "sendflare"
    label = "SendFlare"
    default_url = BASE_URL
    default_capabilities = CAPABILITIES

    def _call(self, message: OutboundMessage, part: Part) -> ProviderCall:
        body: dict[str, object] = {
            "from": str(Mailbox(message.from_name, message.from_addr)),
            "to": part.to[0].address,
            "subject": message.subject,
            "body": message.html or message.text or "",
        }
        if part.cc:
            body["cc"] = [mailbox.address for mailbox in part.cc]
        if part.bcc:
            body["bcc"] = [mailbox.address for mailbox in part.bcc]
        if message.reply_to:
            body["replyTo"] = list(message.reply_to)
        return ProviderCall(part.recipients, "/v1/send", JSON, json_bytes(body))

    async def send(self, call: ProviderCall, *, idempotency_key: str, raw: bytes | None = None) -> SendResult:  # noqa: ARG002
        answer = await self._http.submit(call.target, call.body, call.content_type)
        fields = answer.fields or {}
        if answer.is_ok and fields.get("success") is True and fields.get("code") == 0:
            return SendResult(_message_id(fields.get("data"), fields.get("requestId")), raw=answer.raw)
        raise self._http.refused(self._error(answer))

    def _error(self, answer: Answer) -> ProviderError:
        fields = answer.fields or {}
        words = self._http.words(fields.get("message")) or self._http.words(fields.get("error"))
        if not answer.is_ok:
            if answer.status == 503:
                return ProviderUnavailable(words or "HTTP error! status: 503")
            if answer.status == 429:
                return _too_many(words or "HTTP error! status: 429", answer)
            return by_status("SendFlare", answer, words or f"HTTP error! status: {answer.status}")
        if fields.get("success") is not False:
            return OutcomeUnknown("SendFlare: an answer that says neither success nor failure")
        return _failed(fields.get("code"), words or "SendFlare 发送失败", answer)


def _failed(code: object, text: str, answer: Answer) -> ProviderError:
    """A failure that came with HTTP 2xx. Its codes are not documented: those that look like HTTP's are read as such,
    and any other failure that it states is the request's."""
    if code == 401:
        return ProviderAuthFailed(text)
    if code == 403:
        return ProviderDenied(text)
    if code == 429:
        return _too_many(text, answer)
    if code == 503:
        return ProviderUnavailable(text)
    if isinstance(code, int) and 500 <= code < 600:
        return OutcomeUnknown(text)
    return InvalidOutbound(text)


def _too_many(text: str, answer: Answer) -> ProviderError:
    """Its plans have limits of a second, a day and a month, and no documented codes to tell them apart: what names a
    quota is not over in a moment."""
    if _USED_UP.search(text):
        return ProviderExhausted(text, resets_after_s=answer.retry_after_s)
    return ProviderRateLimited(text, retry_after_s=wait_s(answer.retry_after_s, RETRY_AFTER_S))


def _message_id(data: object, request_id: object) -> str | None:
    # `emilId` is a misspelling that one of its clients reads.
    candidates = [mapping(data).get(name) for name in ("emailId", "emilId", "id")]
    return next((text for text in map(id_text, [*candidates, request_id]) if text), None)
