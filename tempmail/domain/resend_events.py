"""What Resend's words say of a mail: the same in lookups (`last_event`) and webhooks (`email.*`)."""

from collections.abc import Mapping
from types import MappingProxyType

from tempmail.domain.outbound import Delivery, State

_STATES: Mapping[str, State] = MappingProxyType(
    {
        "queued": State.ACCEPTED,
        "scheduled": State.ACCEPTED,
        "sent": State.ACCEPTED,
        "delivered": State.DELIVERED,
        "complained": State.DELIVERED,  # who calls it spam has it
        "bounced": State.BOUNCED,
        "failed": State.FAILED,
        "suppressed": State.FAILED,
        "canceled": State.FAILED,  # with the provider, not here: it was handed over and never goes out
    }
)


def resend_delivery(event: str, reason: str = "") -> Delivery:
    """`event` without its `email.`. Opened, clicked, delayed and words of later days are no states.

    Source: provider facts 1.1, `last_event` and webhooks.
    """
    return Delivery(_STATES.get(event), event, reason)
