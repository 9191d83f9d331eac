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

CLAIM_BYTES = 32 << 20
"""Of payloads that a claim hands out at most, unless it is told otherwise."""


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


class Routes(Protocol):
    """Which accounts may send what."""

    def candidates(self, message: OutboundMessage) -> Sequence[Provider]:
        """Those that may send for its sender's domain and can carry all of it, the first choice first."""
        ...

    def account(self, provider: str, account: str) -> Provider | None:
        """The account of that name, None where it is no longer configured."""
        ...


@dataclass(frozen=True, slots=True)
class NewOutbound:
    """A mail to be put into the outbox. `uuid`: ours, public, and what idempotency keys are made of. `payload`: the
    message as JSON (`services/outbound_payload.py`), or what a forwarding needs to know beside the received mail that
    `object_key` names. `recipients`: (kind, bare address), at least one, distinct. `due`: stamp before which nothing
    happens; `scheduled_at` that stamp where a time was asked for. `deadline`: stamp after which it is given up.
    `at_least_once`: rather twice than never. `user_id`: who sent it; None: nobody."""

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
class Room:
    """For one user's mails of the outbox with which anything is left to be done."""

    mails: int
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class OutboxRecipient:
    kind: RecipientKind
    address: str
    state: State
    provider_message_id: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class OutboxCall:
    """One provider call of a mail. `attempts`: how often it was made; `failures`: how many of these count against the
    tries. `began_at`: stamp of the first time. `request.recipients` is empty where another call took its place."""

    id: int
    provider: str
    account: str
    idempotency_key: str
    state: State
    attempts: int
    failures: int
    provider_message_id: str | None
    error: str | None
    began_at: str | None
    request: ProviderCall


@dataclass(frozen=True, slots=True)
class OutboxMail:
    """A mail of the outbox without its payload. `attempts`: calls made in all. `due`: when it is looked at next; None:
    nothing is left to be done. `turn`: grows with each claim and each change of plan."""

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
    due: str | None
    turn: int
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
    """How one try of a call ended. `attempt`: which; an outcome other than `accepted` counts only while the call is in
    that very try. `turn`: of the mail, as it was claimed. `due`: when the mail is looked at next, None where nothing is
    left to be done; ignored where its turn has changed. `is_failure`: counts against the call's tries. `look_due`: when
    the provider is asked what became of it."""

    call_id: int
    attempt: int
    turn: int
    state: State
    now: str
    due: str | None
    message_id: str | None = None
    by_recipient: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    is_failure: bool = False
    look_due: str | None = None


@dataclass(frozen=True, slots=True)
class Lookup:
    """A call whose provider is to be asked what became of it. `message_ids`: its own, or those of its recipients.
    `looks`: how often it was asked before."""

    call_id: int
    provider: str
    account: str
    message_ids: tuple[str, ...]
    looks: int


@dataclass(frozen=True, slots=True)
class Pause:
    """An account that is not used before the stamp `until`."""

    provider: str
    account: str
    until: str
    reason: str


@dataclass(frozen=True, slots=True)
class OutboxFilter:
    """None: any. `before_id`: only older ones, the cursor of the list (newest first)."""

    state: State | None = None
    kind: Kind | None = None
    user_id: int | None = None
    before_id: int | None = None
    limit: int = 50


class Outbox(Protocol):
    """Mails to be sent. What every method changes is durable on return, all or nothing. Moves that `outbound.MOVES`
    lacks are impossible: the database refuses them."""

    async def add(
        self, mails: Sequence[NewOutbound], sent: Sequence["SentRecord | None"], *, room: Room | None = None
    ) -> list[OutboxMail]:
        """Store the intents, each with its record among the sent mails where it has one. All or nothing. One whose uuid
        is there already is left as it is, and returned as it is. Raises `QuotaReached` where a user's mails, these
        among them, go beyond `room`."""
        ...

    async def claim(self, *, now: str, until: str, limit: int, max_bytes: int = CLAIM_BYTES) -> list[OutboxDetail]:
        """The mails whose time has come, oldest due first, up to `max_bytes` of payloads (at least one mail), not
        handed out again before `until`. Of those that were being sent when an earlier lease ended, the calls under way
        are `unknown` now. Costs the same however many wait for later."""
        ...

    async def begin(
        self,
        mail_id: int,
        turn: int,
        provider: str,
        account: str,
        calls: Sequence[tuple[str, ProviderCall]],
        *,
        until: str,
        now: str,
    ) -> list[OutboxCall]:
        """Record what is about to be sent, (idempotency key, call) each, before it is: the first of the calls and the
        mail are `sending` from now on, the others `queued`. They take the place of calls of the same recipients that
        are `queued`, which fail. Raises `Conflict` where the mail was canceled, changed or claimed by somebody else
        since that turn, and where a recipient may have got it by now."""
        ...

    async def begin_call(self, call_id: int, turn: int, *, until: str, now: str) -> None:
        """An existing call, `queued` or `unknown`, is `sending` from now on, its bytes unchanged. Raises as `begin`."""
        ...

    async def settle(self, settled: Settled) -> OutboxMail:
        """Record how a try ended; the mail as it is then. What the provider reported by itself before is applied."""
        ...

    async def put_off(self, mail_id: int, turn: int, *, due: str | None, error: str | None, now: str) -> None:
        """Give a claimed mail back, to be looked at again at `due`; None: nothing is left to be done. Without effect
        where its turn has changed. `error` None: the last one stays."""
        ...

    async def fail(self, mail_id: int, turn: int, *, error: str, now: str) -> OutboxMail | None:
        """Give up what of a claimed mail is certainly not sent; nothing is left to be done then. None where its turn
        has changed."""
        ...

    async def cancel(self, mail_id: int, *, now: str) -> OutboxMail | None:
        """Take it back; None where it is too late, for any of it, or there is none."""
        ...

    async def reschedule(self, mail_id: int, *, scheduled_at: str, deadline: str, now: str) -> OutboxMail | None:
        """Change its time; None where it is too late, for any of it, or there is none. It is `scheduled` then."""
        ...

    async def retry(self, mail_id: int, *, deadline: str, now: str) -> OutboxMail | None:
        """Send what `failed` or is `unknown` again, at once and with a new key; None where nothing of it is, or it is
        being sent now."""
        ...

    async def resolve(self, mail_id: int, state: State, *, now: str) -> OutboxMail | None:
        """Record what somebody found out of the `unknown` calls: `accepted` or `failed`. None where none is."""
        ...

    async def report(self, event: ProviderEvent) -> bool:
        """Record a provider's report and apply it to the call with its id, now or when that is settled. False where the
        event is known already."""
        ...

    async def claim_lookups(self, *, now: str, until: str, limit: int) -> list[Lookup]:
        """The calls whose provider is to be asked now, longest due first, not handed out again before `until`."""
        ...

    async def lookups(self, mail_id: int) -> list[Lookup]:
        """The accepted calls of a mail that a lookup may tell more of."""
        ...

    async def observe(
        self, call_id: int, found: Mapping[str, Delivery], *, look_due: str | None, now: str
    ) -> OutboxMail | None:
        """Apply what lookups found, by the provider's id, and when to ask again where the end is not known. The mail as
        it is then; None where it is gone."""
        ...

    async def pause(self, pause: Pause) -> None:
        """Do not use an account for a while. The longer of two pauses holds."""
        ...

    async def unpause(self, provider: str, account: str, *, due: str) -> bool:
        """Use it again, for what waited for the pause's end at `due`; False where it was not paused."""
        ...

    async def pauses(self, *, now: str) -> list[Pause]:
        """Those that hold."""
        ...

    async def get(self, mail_id: int) -> OutboxDetail | None: ...

    async def named(self, uuid: str) -> OutboxMail | None:
        """By our uuid, without the rest."""
        ...

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
        """Drop up to `limit` finished mails last changed before `before`, and as many reports of providers received
        before it; how many mails went. Their records among the sent mails stay, with the state they ended in."""
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

    async def find(self, name: str) -> SentRecord | None:
        """By our uuid, or by a provider's id; the newest of that name."""
        ...

    async def delete(self, sent_id: int) -> bool:
        """The record alone: a mail that waits still goes out. False where there was none."""
        ...


@dataclass(frozen=True, slots=True)
class ForwardTarget:
    """An address that mail is to be handed on to. `code_hash`: of the code that was mailed there, good for
    `tries_left` tries until `code_expires_at`. `verified_at`: when it was shown that the address wants it."""

    address: str
    code_hash: str
    code_expires_at: str
    tries_left: int
    asked_at: str
    verified_at: str | None


class ForwardTargets(Protocol):
    """Which addresses want mail to be handed on to them. Addresses compare in lower case."""

    async def find(self, address: str) -> ForwardTarget | None: ...

    async def ask(
        self, address: str, *, code_hash: str, code_expires_at: str, tries: int, now: str, not_since: str
    ) -> bool:
        """Record a new code; False (and nothing done) where it is verified, or was asked after `not_since`."""
        ...

    async def spend_try(self, address: str, *, now: str) -> str | None:
        """The hash to compare a code with, one try less; None where no try is left or the code has expired."""
        ...

    async def verify(self, address: str, *, now: str) -> None:
        """From now on it wants it."""
        ...

    async def forget_unanswered(self, before: str) -> None:
        """Drop those that were asked before that and never answered."""
        ...


class SendKeys(Protocol):
    """Which mails a request made, by the key that its caller gave it."""

    async def find(self, owner: str, name: str) -> tuple[str, list[str]] | None:
        """(request_hash, uuids) of a key's request."""
        ...

    async def take(
        self, owner: str, name: str, *, request_hash: str, uuids: Sequence[str], now: str, forget_before: str
    ) -> list[str]:
        """The uuids of the mails that the request of this key makes: `uuids` where the key is new to `owner`, those
        of the first time where the same request comes again. Forgets keys made before the stamp `forget_before`.

        Raises `Conflict` for a key of another request.
        """
        ...
