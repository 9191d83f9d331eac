"""What the surfaces of the providers without an SDK of their own share: who calls, how often, and taking mail."""

import asyncio
import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import msgspec

from tempmail.clock import Clock
from tempmail.domain.address import split_address
from tempmail.domain.compose import compose
from tempmail.domain.sandbox import DueMail, Envelope, Fault, Outcome, SandboxCredential, SandboxReport, State, Taken
from tempmail.domain.sandbox_fields import Order
from tempmail.domain.sandbox_providers import SandboxProvider
from tempmail.errors import Throttled
from tempmail.sandbox.rates import Rates
from tempmail.sandbox.surface import Exchange, Kind, Refused, used_up
from tempmail.services.passwords import Passwords
from tempmail.services.sandbox_mails import NewMail, SandboxMails
from tempmail.services.sandboxes import SandboxService
from tempmail.services.throttle import Throttle
from tempmail.web.credentials import throttle_key

PASSWORD_TRIES, PASSWORD_WINDOW_S = 20, 60.0
"""Unknown passwords that one client may offer for one credential."""
MAX_CHECKS_WAITING = 8

_REMEMBERED = 1_024


@dataclass(frozen=True, slots=True)
class Parcel:
    """One mail to be taken. `provider_id`: what the caller is told. `summary`: what the provider shows of it later.
    `send_at`: epoch seconds; None: at once."""

    provider_id: str
    order: Order
    summary: Mapping[str, object]
    send_at: float | None = None


class Desk:
    """One per server. `new_id` makes random ids; a test gives its own."""

    def __init__(
        self,
        credentials: SandboxService,
        mails: SandboxMails,
        passwords: Passwords,
        *,
        clock: Clock,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        self._credentials = credentials
        self._passwords = passwords
        self._new_id = new_id
        self._rates = Rates(clock)
        self._known: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._tries = Throttle(PASSWORD_TRIES, PASSWORD_WINDOW_S, clock=clock)
        # One at a time: whoever knows an account's name, which is no secret, must not keep people from logging in.
        self._checking = asyncio.Semaphore(1)
        self._checks_waiting = 0
        self.mails = mails
        self.clock = clock

    def new_id(self) -> str:
        return str(self._new_id())

    async def caller(self, exchange: Exchange, provider: SandboxProvider, offered: str) -> SandboxCredential | None:
        """The credential that `offered` names, from now on the exchange's."""
        exchange.credential = await self._credentials.behind(provider, offered)
        return exchange.credential

    async def knows(self, credential: SandboxCredential, field: str, *offered: str, address: str) -> bool:
        """Whether one of `offered`, which came from `address`, is a field that is held as a password is. What fitted
        last is known again at once: a slow hash per mail would make the sandbox one. Raises `Refused` where this client
        has offered too many that did not, or too many wait to be told."""
        held = credential.fields[field]
        for each in offered:
            digest = hashlib.sha256(each.encode("utf-8", "replace")).digest()
            if self._known.get((field, held)) == digest:
                self._known.move_to_end((field, held))
                return True
        try:
            self._tries.admit(f"{credential.id} {throttle_key(address)}")
        except Throttled as exc:
            raise Refused(Kind.RATE, retry_after_s=exc.retry_after_s) from exc
        if self._checks_waiting >= MAX_CHECKS_WAITING:
            raise Refused(Kind.BUSY)
        self._checks_waiting += 1
        try:
            async with self._checking:
                return await self._fits(field, held, offered)
        finally:
            self._checks_waiting -= 1

    async def _fits(self, field: str, held: str, offered: Sequence[str]) -> bool:
        for each in offered:
            if (await self._passwords.check(each, held)).fits:
                self._known[field, held] = hashlib.sha256(each.encode("utf-8", "replace")).digest()
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
                return True
        return False

    def count(self, credential: SandboxCredential) -> None:
        """Count one call. Raises `Refused` where it is one too many in a second."""
        rate = self._rates.count(credential.id, credential.number("rate_per_s"))
        if rate.is_over:
            raise Refused(Kind.RATE, retry_after_s=rate.reset_s)

    async def take(
        self,
        exchange: Exchange,
        credential: SandboxCredential,
        parcels: Sequence[Parcel],
        request: Mapping[str, object],
    ) -> Taken:
        """Take all of the mails, or none, with the faults that are asked for. `request`: what is kept of the request,
        without secrets. The outcome is TAKEN or USED_UP. Raises `Refused`, and as `SandboxMails.take`."""
        fault = credential.fault(each for parcel in parcels for each in parcel.order.recipients)
        exchange.play(fault, now=self.clock.now())
        kept = msgspec.json.encode(request)
        taken = await self.mails.take(credential, [self._mail(credential, parcel, kept) for parcel in parcels])
        if taken.outcome is not Outcome.TAKEN:
            exchange.fault = None  # nothing was taken: the refusal is answered as it is
        if taken.outcome is Outcome.DAY_USED_UP:
            raise used_up(Kind.DAY_QUOTA, self.clock.now())
        if taken.outcome is Outcome.MONTH_USED_UP:
            raise used_up(Kind.MONTH_QUOTA, self.clock.now())
        if taken.outcome in (Outcome.GONE, Outcome.TOO_MANY_WAIT):
            raise Refused(Kind.BUSY)  # where it is gone, the next try is told so
        return taken

    def _mail(self, credential: SandboxCredential, parcel: Parcel, request: bytes) -> NewMail:
        order = parcel.order
        date = self.clock.now() if parcel.send_at is None else parcel.send_at
        domain = split_address(order.sender_address)[1].lower()
        state, captured_for = fate(credential, order.recipients)
        return NewMail(
            provider_id=parcel.provider_id,
            state=state if parcel.send_at is None else State.SCHEDULED,
            summary=msgspec.json.encode(parcel.summary),
            request=request,
            envelope=Envelope(order.sender_address, order.recipients),
            raw=compose(order.message(f"<{self.new_id()}@{domain}>"), date_s=date),
            captured_for=captured_for,
            scheduled_at=parcel.send_at,
        )


def fate(credential: SandboxCredential, recipients: tuple[str, ...]) -> tuple[State, tuple[str, ...]]:
    """(what becomes of a mail, who gets it here)."""
    if credential.fault(recipients) is Fault.BOUNCE:
        return State.BOUNCED, ()
    return State.DELIVERED, recipients


def release(due: DueMail) -> tuple[State, tuple[str, ...], tuple[SandboxReport, ...]]:
    """What becomes of a scheduled mail at its time; nothing is reported of it."""
    return (*fate(due.credential, due.mail.envelope.recipients), ())


class Numbers:
    """Ids that grow. `step` makes the next of the last one and the time, so that they go on after a restart."""

    def __init__(self, step: Callable[..., int], clock: Clock) -> None:
        self._step = step
        self._clock = clock
        self._last = 0

    def next(self) -> str:
        self._last = self._step(self._last, now_s=self._clock.now())
        return str(self._last)


def zone_of(credential: SandboxCredential) -> ZoneInfo:
    """The time zone that the account's times are in: its switch `time_zone`."""
    return ZoneInfo(credential.text("time_zone"))
