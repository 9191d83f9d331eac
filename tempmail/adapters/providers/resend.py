"""Resend (resend.com). Source: provider facts 1.1 and 3."""

import base64
import re
from collections.abc import Mapping
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
)
from tempmail.adapters.providers.parts import Part
from tempmail.domain.outbound import Capabilities, Delivery, OutboundMessage, ProviderCall, SendResult
from tempmail.domain.outbound_fields import Mailbox
from tempmail.domain.resend_events import resend_delivery
from tempmail.errors import (
    InvalidOutbound,
    OutcomeUnknown,
    ProviderAuthFailed,
    ProviderDenied,
    ProviderError,
    ProviderExhausted,
    ProviderRefused,
    ProviderUnavailable,
)

BASE_URL = "https://api.resend.com"
MAX_BYTES = 40_000_000
"""Of one mail's attachments, after base64."""
MAX_TAG_CHARS = 256
MAX_KEY_CHARS = 256
MAX_RESET_S = 60.0
"""Until the next calls, by the rate headers, whose window is a second: more would be a time of day, not a span."""
CONCURRENT_REPEAT_S = 5.0
"""Until the other request with the same key has surely ended (2 to 10 s are advised)."""

_TAG = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_TAG_CHARS}}}")
_BAD_KEY = re.compile("api key", re.IGNORECASE)

CAPABILITIES = Capabilities(
    max_to=50,
    cc=True,
    bcc=True,
    reply_to=True,
    html_with_text=True,
    headers=True,
    tags=True,
    attachments=True,
    status=True,
    idempotency=True,
    pause_s=0.2,
)


class Resend(BearerProvider):
    """One key. Besides its own pause it keeps to what the rate headers of each answer say."""

    name = "resend"
    label = "Resend"
    default_url = BASE_URL
    default_capabilities = CAPABILITIES

    def _call(self, message: OutboundMessage, part: Part) -> ProviderCall:
        if message.html is None and message.text is None:
            raise InvalidOutbound("Resend: a mail needs html or text")
        body: dict[str, object] = {
            "from": str(Mailbox(message.from_name, message.from_addr)),
            "to": [str(mailbox) for mailbox in part.to],
            "subject": message.subject,
        }
        if message.html is not None:
            body["html"] = message.html
        if message.text is not None:
            body["text"] = message.text
        if part.cc:
            body["cc"] = [str(mailbox) for mailbox in part.cc]
        if part.bcc:
            body["bcc"] = [str(mailbox) for mailbox in part.bcc]
        if message.reply_to:
            body["reply_to"] = list(message.reply_to)
        if headers := headers_of(message):
            body["headers"] = headers
        if message.tags:
            body["tags"] = _tags(message)
        if message.attachments:
            body["attachments"] = _attachments(message)
        return ProviderCall(part.recipients, "/emails", JSON, json_bytes(body))

    async def send(self, call: ProviderCall, *, idempotency_key: str, raw: bytes | None = None) -> SendResult:  # noqa: ARG002
        if not 0 < len(idempotency_key) <= MAX_KEY_CHARS:
            raise InvalidOutbound(f"Resend: an idempotency key has 1 to {MAX_KEY_CHARS} characters")
        key = {"Idempotency-Key": idempotency_key}
        answer = await self._http.submit(call.target, call.body, call.content_type, key)
        self._keep_rate(answer)
        message_id = id_text((answer.fields or {}).get("id"))
        if not answer.is_ok or message_id is None:
            raise self._http.refused(self._error(answer))
        return SendResult(message_id, raw=answer.raw)

    async def status(self, message_id: str) -> Delivery:
        answer = await self._http.ask("GET", f"/emails/{quote(message_id, safe='')}")
        self._keep_rate(answer)
        if answer.status == 404:
            return Delivery(None, "not_found", self._words(answer))
        event = (answer.fields or {}).get("last_event")
        if not answer.is_ok or not isinstance(event, str):
            raise self._http.refused(for_lookup(self._error(answer)))
        return resend_delivery(event)

    async def usage(self) -> Mapping[str, object]:
        """As `GET /usage` has it: `emails.daily` and `emails.monthly` with `used`, `limit`, `resets_at`."""
        answer = await self._http.ask("GET", "/usage")
        self._keep_rate(answer)
        if not answer.is_ok or answer.fields is None:
            raise self._http.refused(for_lookup(self._error(answer)))
        return mapping(self._http.shown(answer.fields))

    def _keep_rate(self, answer: Answer) -> None:
        reset_s = answer.number("ratelimit-reset") or 0.0
        if answer.number("ratelimit-remaining") == 0 and 0 < reset_s <= MAX_RESET_S:
            self._http.hold(reset_s)

    def _words(self, answer: Answer) -> str:
        fields = answer.fields or {}
        return self._http.words(fields.get("message")) or self._http.words(fields.get("error"))

    def _error(self, answer: Answer) -> ProviderError:
        """The table of provider facts 3. Names decide before statuses: not every 403 is a wrong key, and not every 429
        asks to slow down."""
        words = self._words(answer)
        name = (answer.fields or {}).get("name")
        text = words or f"Resend: HTTP {answer.status}"
        if answer.is_ok or answer.status < 400:
            return by_status("Resend", answer, "")
        if name == "restricted_api_key":
            return ProviderDenied(text)
        # The live service reports a bad key in several ways.
        if name in ("missing_api_key", "invalid_api_key") or (answer.status < 404 and _BAD_KEY.search(words)):
            return ProviderAuthFailed(text)
        if name in ("daily_quota_exceeded", "monthly_quota_exceeded"):
            return ProviderExhausted(text, resets_after_s=answer.retry_after_s)
        if name == "concurrent_idempotent_requests":
            return OutcomeUnknown(text, repeat_after_s=CONCURRENT_REPEAT_S)
        if name == "invalid_idempotent_request":
            # A request with this key was taken before, and this is another one: what became of it, no repeat tells.
            return OutcomeUnknown(text, repeatable=False)
        if name == "security_error" or name == "suppressed":
            return ProviderRefused(text)
        if answer.status == 503:
            return ProviderUnavailable(text)
        if answer.status == 409:
            return OutcomeUnknown(text)
        return by_status("Resend", answer, words)


def headers_of(message: OutboundMessage) -> dict[str, str]:
    """The mail's own headers, and its Message-ID, which lets receivers know a second copy by."""
    headers = dict(message.headers)
    if message.message_id and not any(name.lower() == "message-id" for name in headers):
        headers["Message-ID"] = message.message_id
    return headers


def _tags(message: OutboundMessage) -> list[dict[str, str]]:
    for tag in (text for pair in message.tags for text in pair):
        if not _TAG.fullmatch(tag):
            raise InvalidOutbound(f"Resend: a tag has 1 to {MAX_TAG_CHARS} letters, digits, _ and -: {tag[:100]!r}")
    return [{"name": name, "value": value} for name, value in message.tags]


def _attachments(message: OutboundMessage) -> list[dict[str, str]]:
    entries = []
    size_bytes = 0
    for attachment in message.attachments:
        content = base64.b64encode(attachment.content).decode()
        size_bytes += len(content)
        entry = {"filename": attachment.filename, "content": content, "content_type": attachment.content_type}
        if attachment.content_id:
            entry["content_id"] = attachment.content_id
        entries.append(entry)
    if size_bytes > MAX_BYTES:
        raise InvalidOutbound(f"Resend: attachments of over {MAX_BYTES // 1_000_000} MB after base64")
    return entries
