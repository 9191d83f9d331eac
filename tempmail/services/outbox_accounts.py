"""The state of each provider account as this process sees it: its pace, its outages, its pauses."""

import asyncio
import math
from dataclasses import dataclass, field

from tempmail.clock import Clock, parse_stamp, stamp
from tempmail.log import get_log
from tempmail.ports.outbound import Outbox, Pause, Provider

_log = get_log("outbox")

OUTAGES_TO_OPEN = 5
OPEN_S = 60.0
STUCK_AFTER_S = 5.0
"""How long the oldest call of a busy account may take before others stop waiting for it."""
PAUSES_KNOWN_AFTER_S = 6.0
"""By then every process knows of a pause that was set or lifted."""
_REFRESH_S = PAUSES_KNOWN_AFTER_S - 1.0
_MAX_SLOTS = 50_000


@dataclass(frozen=True, slots=True)
class Block:
    """Why an account is not used before `until`, in epoch seconds. `reason` is for who waits for it: it says nothing of
    others' mail, which a provider's own words may do."""

    until: float
    reason: str


@dataclass(slots=True)
class Account:
    """One account. `pause_s`: the least time between two calls; `calls`: those that may be under way at once."""

    name: str
    account: str
    pause_s: float
    calls: asyncio.Semaphore
    paused_until: float = 0.0
    resting_until: float = 0.0
    _next_slot: float = 0.0
    _last_used: float = float("-inf")
    _slots: dict[int, float] = field(default_factory=dict)
    _outages: int = 0
    _open_until: float = 0.0
    _under_way: dict[int, float] = field(default_factory=dict)

    def block(self, now: float) -> Block | None:
        """What keeps it from being used; None: nothing."""
        until = max(self.paused_until, self._open_until)
        if until <= now:
            return None
        at = f"{stamp(math.ceil(until))} UTC"
        if self._open_until > self.paused_until:
            return Block(until, f"{self.name} cannot be reached and is tried again at {at}")
        return Block(until, f"{self.name} is paused until {at}")

    def pause(self, until: float) -> None:
        """The longest pause is the one that holds."""
        self.paused_until = max(self.paused_until, until)

    def admits(self, now: float) -> bool:
        """Whether a call may begin. After an outage a single one goes ahead, to see whether it is over."""
        if max(self.paused_until, self._open_until) > now:
            return False
        if self._outages >= OUTAGES_TO_OPEN:
            self._open_until = now + OPEN_S
        return True

    def is_stuck(self, now: float) -> bool:
        """Whether whoever waits for it had better not."""
        return self.calls.locked() and now - min(self._under_way.values(), default=now) > STUCK_AFTER_S

    def reserve(self, mail_id: int, now: float, *, horizon_s: float) -> float:
        """When the mail may be sent at this account's pace. Where that is further away than `horizon_s`, the time is
        kept for it until it asks again; else it is used."""
        kept = self._slots.pop(mail_id, None)
        if kept is None:
            kept = max(now, self._next_slot)
            self._next_slot = kept + self.pause_s
        # What comes late does not come in a crowd.
        at = max(kept, now, self._last_used + self.pause_s)
        if at - now > horizon_s:
            self._keep(mail_id, at, now)
        else:
            self._last_used = at
        return at

    def rest(self, until: float) -> None:
        """No call before that: the provider asked for it. No reason to use another account."""
        self.resting_until = max(self.resting_until, until)
        self._next_slot = max(self._next_slot, until)
        self._last_used = max(self._last_used, until - self.pause_s)

    def call_begins(self, call_id: int, now: float) -> None:
        self._under_way[call_id] = now

    def call_ends(self, call_id: int) -> None:
        self._under_way.pop(call_id, None)

    def answered(self) -> None:
        """It is there: whatever it said."""
        self._outages, self._open_until = 0, 0.0

    def was_out(self, now: float) -> None:
        self._outages += 1
        if self._outages >= OUTAGES_TO_OPEN:
            self._open_until = now + OPEN_S
            _log.warning("account.out", provider=self.name, account=self.account, seconds=round(OPEN_S))

    def _keep(self, mail_id: int, at: float, now: float) -> None:
        if len(self._slots) >= _MAX_SLOTS:
            # Those of mails that never came back: canceled, or sent by another account.
            self._slots = {key: kept for key, kept in self._slots.items() if kept > now}
        if len(self._slots) < _MAX_SLOTS:
            self._slots[mail_id] = at


class Accounts:
    """All accounts that were used so far. Pauses are in the store, so that they outlive this process and hold for
    others."""

    def __init__(self, outbox: Outbox, clock: Clock, *, calls_at_once: int) -> None:
        self._outbox = outbox
        self._clock = clock
        self._calls_at_once = calls_at_once
        self._accounts: dict[tuple[str, str], Account] = {}
        self._paused: dict[tuple[str, str], Pause] = {}
        self._refreshed_at = float("-inf")

    def of(self, provider: Provider) -> Account:
        key = (provider.name, provider.account)
        if key not in self._accounts:
            account = Account(*key, pause_s=provider.capabilities.pause_s, calls=asyncio.Semaphore(self._calls_at_once))
            self._accounts[key] = account
            self._learn(account)
        return self._accounts[key]

    async def refresh(self) -> None:
        """Learn of pauses that others set or lifted, every few seconds."""
        if self._clock.monotonic() - self._refreshed_at < _REFRESH_S:
            return
        self._refreshed_at = self._clock.monotonic()
        pauses = await self._outbox.pauses(now=stamp(self._clock.now()))
        self._paused = {(pause.provider, pause.account): pause for pause in pauses}
        for account in self._accounts.values():
            account.paused_until = 0.0
            self._learn(account)

    async def pause(self, account: Account, seconds: float, reason: str) -> None:
        until = self._clock.now() + seconds
        account.pause(until)
        _log.warning("account.paused", provider=account.name, account=account.account, seconds=round(seconds))
        await self._outbox.pause(Pause(account.name, account.account, stamp(math.ceil(until)), reason))

    def _learn(self, account: Account) -> None:
        pause = self._paused.get((account.name, account.account))
        if pause is not None:
            account.pause(parse_stamp(pause.until))
