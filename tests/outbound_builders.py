"""Mails to be sent as tests need them, and what is stored of them."""

import uuid
from typing import Any

from tempmail.domain.outbound import Kind, OutboundMessage, ProviderCall, RecipientKind
from tempmail.ports.outbound import NewOutbound, SentRecord
from tempmail.services.outbound_payload import encode
from tests.builders import NOW, at


def outbound_message(*to: str, **changes: Any) -> OutboundMessage:
    """A mail from `me@shop.example` to `to` (`you@else.example` if none is given)."""
    fields = {"from_addr": "me@shop.example", "to": to or ("you@else.example",), "subject": "Hello", "text": "Hi."}
    return OutboundMessage(**{**fields, **changes})


def new_outbound(*to: str, message: OutboundMessage | None = None, **changes: Any) -> NewOutbound:
    """The same, to be put into the outbox at `NOW` and sent at once; `changes` by field."""
    mail = message or outbound_message(*to)
    fields: dict[str, Any] = {
        "uuid": str(uuid.uuid4()),
        "kind": Kind.SEND,
        "from_addr": mail.from_addr,
        "subject": mail.subject,
        "recipients": tuple((RecipientKind.TO, address) for address in mail.to),
        "payload": encode(mail),
        "created_at": NOW,
        "due": NOW,
        "deadline": at(86_400),
    }
    if (scheduled_at := changes.get("scheduled_at")) is not None:
        fields["due"] = scheduled_at
    return NewOutbound(**{**fields, **changes})


def sent_record(mail: NewOutbound, **changes: Any) -> SentRecord:
    """The record that belongs to it."""
    fields: dict[str, Any] = {
        "from_addr": mail.from_addr,
        "to_addrs": ", ".join(address for _, address in mail.recipients),
        "subject": mail.subject,
        "text_content": "Hi.",
        "scheduled_at": mail.scheduled_at,
    }
    return SentRecord(**{**fields, **changes})


def request(*to: str, body: bytes = b"{}") -> ProviderCall:
    """A call that reaches `to` (`you@else.example` if none is given)."""
    return ProviderCall(to or ("you@else.example",), "/emails", "application/json", body)
