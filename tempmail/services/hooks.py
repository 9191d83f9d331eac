"""What providers report by themselves. Source: provider facts 1.1 (Resend's webhooks, signed as Svix does)."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tempmail.clock import Clock, stamp
from tempmail.domain import svix
from tempmail.domain.resend_events import resend_delivery
from tempmail.errors import BadRequest, NotFound, Unauthenticated
from tempmail.log import get_log
from tempmail.ports.outbound import Outbox, ProviderEvent

_PREFIX = "email."
_ABOUT_SENT_MAIL = frozenset(
    {
        "sent",
        "scheduled",
        "delivered",
        "delivery_delayed",
        "bounced",
        "complained",
        "failed",
        "suppressed",
        "opened",
        "clicked",
    }
)
_MAX_ID_CHARS = 256
_MAX_REASON_CHARS = 500

_log = get_log("hooks")


class ResendHook:
    """`secrets`: any of them may have signed; none: there is no such webhook."""

    def __init__(self, outbox: Outbox, secrets: Sequence[bytes], *, clock: Clock) -> None:
        self._outbox = outbox
        self._secrets = tuple(secrets)
        self._clock = clock

    def check(self) -> None:
        """Raises `NotFound` where no secret is set."""
        if not self._secrets:
            raise NotFound("RESEND_WEBHOOK_SECRET is not set")

    async def receive(self, *, message_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
        """Record one report; whether it told anything new. A report of a mail that is not known (yet) is kept for when
        it is; what is not about a mail that was sent is passed over.

        Raises `NotFound` without a secret, `Unauthenticated` for a signature that does not hold, `BadRequest` for a
        signed body that is no report.
        """
        self.check()
        now = self._clock.now()
        if not svix.is_genuine(
            self._secrets, message_id=message_id, timestamp=timestamp, signatures=signatures, body=body, now=now
        ):
            raise Unauthenticated("the signature does not hold")
        event = _event(body, message_id, now)
        if event is None:
            return False
        is_new = await self._outbox.report(event)
        _log.debug("hook.received", provider=event.provider, event=event.delivery.event, new=is_new)
        return is_new


def _event(body: bytes, message_id: str, now: float) -> ProviderEvent | None:
    """The report in `body`; None for one that is not about a mail that was sent."""
    try:
        report = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("Bad Request") from None
    if not isinstance(report, dict) or not isinstance(report.get("type"), str):
        raise BadRequest("Bad Request")
    word, data = report["type"].removeprefix(_PREFIX), report.get("data")
    if not report["type"].startswith(_PREFIX) or word not in _ABOUT_SENT_MAIL or not isinstance(data, Mapping):
        return None
    email_id = data.get("email_id")
    if not isinstance(email_id, str) or not 0 < len(email_id) <= _MAX_ID_CHARS:
        raise BadRequest("Bad Request")
    return ProviderEvent(
        provider="resend",
        event_id=message_id,
        provider_message_id=email_id,
        delivery=resend_delivery(word, _reason(word, data)),
        occurred_at=_stamp_of(report.get("created_at"), now),
        received_at=stamp(now),
    )


def _reason(word: str, data: Mapping[str, object]) -> str:
    detail = data.get("bounce" if word == "bounced" else word)
    if not isinstance(detail, Mapping):
        return ""
    texts = (detail.get(key) for key in ("message", "reason"))
    return next((text for text in texts if isinstance(text, str)), "")[:_MAX_REASON_CHARS]


def _stamp_of(text: object, now: float) -> str:
    """When it happened; now where the report does not say."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
        return stamp(now) if at is None else stamp((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return stamp(now)
