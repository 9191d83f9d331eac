"""Sending: what a provider does, and the outbox that remembers what was begun."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tempmail.domain.outbound import (
    Capabilities,
    Delivery,
    Kind,
    OutboundMessage,
    ProviderCall,
    RecipientKind,
    SendResult,
    State,
)


class Provider(Protocol):
    """One account at one provider. Safe to use from several tasks at once; keeps its own pace.

    `name`: `resend`, `sendflare`, `cyberpersons`, `mail_push`, `nobase`, `emailcar` or `smtp`. `account`: names the
    account among those of the provider, stable over restarts, not secret (such as the sender domain it is for).
    """

    name: str
    account: str
    capabilities: Capabilities

    def prepare(self, message: OutboundMessage, recipients: Sequence[str]) -> list[ProviderCall]:
        """The calls that bring `message` to those of its recipients (bare addresses; all of them, or those that are
        still missing). Pure: the same message gives the same bytes. Raises `InvalidOutbound`."""
        ...

    async def send(self, call: ProviderCall, *, idempotency_key: str, raw: bytes | None = None) -> SendResult:
        """Make the call, once. `raw`: the message that a forwarding call hands on.

        Raises a `ProviderError`; its `maybe_sent` says whether the mail is certainly not sent. Where the task is
        cancelled meanwhile, the outcome is unknown.
        """
        ...

    async def status(self, message_id: str) -> Delivery:
        """What became of a mail. Raises `ProviderError`; `CannotDo` where the provider has no such call."""
        ...

    async def usage(self) -> Mapping[str, object]:
        """The account's quota, balance or statistics as the provider words them. Raises as `status`."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class NewOutbound:
    """A mail to be put into the outbox. `uuid`: ours, public, and what idempotency keys are made of. `payload`: the
    message as JSON (`services/outbound_payload.py`); empty where `object_key` names a received mail to be handed on.
    `recipients`: (kind, bare address), distinct. `due`: stamp before which nothing happens; `scheduled_at` that stamp
    where a time was asked for. `deadline`: stamp after which it is given up. `at_least_once`: rather twice than never.
    `sent_id`: its row among the sent mails. `user_id`: who sent it; None: nobody."""

    uuid: str
    kind: Kind
    from_addr: str
    subject: str
    recipients: tuple[tuple[RecipientKind, str], ...]
    payload: bytes
    created_at: str
    due: str
    deadline: str
    scheduled_at: str | None = None
    object_key: str = ""
    user_id: int | None = None
    at_least_once: bool = False


@dataclass(frozen=True, slots=True)
class OutboxRecipient:
    kind: RecipientKind
    address: str
    state: State
    provider_message_id: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class OutboxCall:
    """One provider call of a mail. `attempts`: how often it was made. `began_at`: stamp of the first time."""

    id: int
    provider: str
    account: str
    idempotency_key: str
    state: State
    attempts: int
    provider_message_id: str | None
    error: str | None
    began_at: str | None
    request: ProviderCall


@dataclass(frozen=True, slots=True)
class OutboxMail:
    """A mail of the outbox without its payload."""

    id: int
    uuid: str
    kind: Kind
    state: State
    from_addr: str
    subject: str
    provider: str | None
    error: str | None
    attempts: int
    scheduled_at: str | None
    due: str
    deadline: str
    created_at: str
    updated_at: str
    object_key: str
    user_id: int | None
    sent_id: int | None
    at_least_once: bool


@dataclass(frozen=True, slots=True)
class OutboxDetail:
    mail: OutboxMail
    payload: bytes = field(repr=False)
    recipients: tuple[OutboxRecipient, ...]
    calls: tuple[OutboxCall, ...]


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """What a provider reported of a mail by itself. `event_id`: its id of the report, to know a repeat by."""

    provider: str
    event_id: str
    provider_message_id: str
    delivery: Delivery
    occurred_at: str
    received_at: str


@dataclass(frozen=True, slots=True)
class Settled:
    """How a call ended. `state` is one that `sending` may move to. `due`: when the mail is looked at again, where it is
    queued (or unknown and the provider knows repeats)."""

    call_id: int
    state: State
    now: str
    message_id: str | None = None
    by_recipient: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    due: str | None = None


@dataclass(frozen=True, slots=True)
class OutboxFilter:
    """None: any. `before_id`: only older ones, the cursor of the list (newest first)."""

    state: State | None = None
    kind: Kind | None = None
    user_id: int | None = None
    before_id: int | None = None
    limit: int = 50


class Outbox(Protocol):
    """Mails to be sent. Every method is one transaction, durable on return. Moves that `outbound.MOVES` lacks are
    impossible: the database refuses them."""

    async def add(self, mails: Sequence[NewOutbound], sent: Sequence["SentRecord | None"]) -> list[OutboxMail]:
        """Store the intents, each with its record among the sent mails where it has one. All or nothing. One whose uuid
        is there already is left as it is, and returned as it is."""
        ...

    async def claim(self, *, now: str, until: str, limit: int) -> list[OutboxDetail]:
        """The mails whose time has come, oldest due first, not handed out again before `until`. Those that were
        `sending` when their lease ended come too: what of their calls is `sending` is `unknown` now. Costs the same
        however many wait for later."""
        ...

    async def begin(
        self,
        mail_id: int,
        provider: str,
        account: str,
        calls: Sequence[tuple[str, ProviderCall]],
        *,
        until: str,
        now: str,
    ) -> list[OutboxCall]:
        """Record what is about to be sent, (idempotency key, call) each, before it is: the first of the calls and the
        mail are `sending` from now on, the others `queued`. An existing call of the same key is taken up again, its
        bytes unchanged. Raises `Conflict` where the mail was canceled meanwhile."""
        ...

    async def begin_call(self, call_id: int, *, until: str, now: str) -> None:
        """A further call of the same mail is `sending` from now on, and counts one more attempt."""
        ...

    async def settle(self, settled: Sequence[Settled]) -> list[OutboxMail]:
        """Record how calls ended; the mails as they are then (`outbound.overall`). Reports of the provider that came
        before are applied with it."""
        ...

    async def put_off(self, mail_id: int, *, due: str, error: str | None, now: str) -> None:
        """Look at a mail that no call was begun for again at `due`."""
        ...

    async def fail(self, mail_id: int, *, error: str, now: str) -> OutboxMail | None:
        """Give up what of a mail is not begun."""
        ...

    async def cancel(self, mail_id: int, *, now: str) -> OutboxMail | None:
        """Take it back; None where it is too late (or there is none)."""
        ...

    async def reschedule(self, mail_id: int, *, scheduled_at: str, deadline: str, now: str) -> OutboxMail | None:
        """Change its time; None where it is too late (or there is none)."""
        ...

    async def retry(self, mail_id: int, *, deadline: str, now: str) -> OutboxMail | None:
        """Send what `failed` or is `unknown` again, with a new key; None where nothing of it is."""
        ...

    async def resolve(self, mail_id: int, state: State, *, now: str) -> OutboxMail | None:
        """Record what somebody found out of the `unknown` calls: `accepted` or `failed`. None where none is."""
        ...

    async def report(self, event: ProviderEvent) -> bool:
        """Record a provider's report and apply it to the call with its id, now or when that is settled. False where the
        event is known already."""
        ...

    async def observe(self, call_id: int, delivery: Delivery, *, now: str) -> OutboxMail | None:
        """Apply what a lookup found."""
        ...

    async def get(self, mail_id: int) -> OutboxDetail | None: ...

    async def find(self, name: str) -> OutboxDetail | None:
        """By our uuid, or by a provider's id of one of its calls."""
        ...

    async def page(self, criteria: OutboxFilter) -> list[OutboxMail]:
        """Newest first."""
        ...

    async def counts(self) -> Mapping[tuple[str, State], int]:
        """(provider or "", state) → how many mails. For metrics: must not grow with the finished ones' number."""
        ...

    async def purge(self, before: str, *, limit: int) -> int:
        """Drop up to `limit` finished mails last changed before `before`; their records among the sent mails stay, with
        the state they ended in."""
        ...


@dataclass(frozen=True, slots=True)
class SentRecord:
    """A row of `sent_emails` (the original's table) as the API shows it. `resend_id`: the provider's id."""

    from_addr: str
    to_addrs: str
    subject: str
    from_name: str | None = None
    html_content: str | None = None
    text_content: str | None = None
    scheduled_at: str | None = None
    provider: str = ""
    status: str = ""
    created_at: str = ""
    resend_id: str | None = None
    id: int = 0
    uuid: str = ""


class SentMails(Protocol):
    """The record of sent mails, per sender. A row's `status` is that of its outbox mail while that exists."""

    async def page(self, from_addr: str, *, limit: int) -> list[SentRecord]:
        """Newest first, without content."""
        ...

    async def get(self, sent_id: int) -> SentRecord | None: ...

    async def delete(self, sent_id: int) -> bool:
        """The record alone: a mail that waits still goes out. False where there was none."""
        ...
