"""One claimed mail: which calls are made for it, in which order, and what is recorded before and after each."""

import asyncio
import contextlib
import dataclasses
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from tempmail.clock import Clock, parse_stamp, stamp
from tempmail.domain.outbound import WAITING, Kind, OutboundMessage, ProviderCall, SendResult, State
from tempmail.domain.outbound_retry import (
    DENIALS,
    LOOKUP_GAPS_S,
    REPEAT_FOR_S,
    TRIES,
    Tried,
    Verdict,
    backoff_s,
    judge,
)
from tempmail.errors import (
    Conflict,
    InvalidOutbound,
    OutcomeUnknown,
    ProviderAuthFailed,
    ProviderDenied,
    ProviderError,
    ProviderExhausted,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
    StoreUnavailable,
    Transient,
)
from tempmail.log import get_log
from tempmail.metrics import Metrics
from tempmail.ports.outbound import Outbox, OutboxCall, OutboxDetail, Provider, Routes, Settled
from tempmail.services.outbox_accounts import STUCK_AFTER_S, Account, Accounts

_log = get_log("outbox")

_TOO_LATE = "it could not be sent before its time was over"
_NO_ROUTE = "no provider is set up that can send this mail"
_BROKEN_ADAPTER = "the provider's answer could not be understood"
_CUT_OFF = "the server was stopped before the provider answered"
_SETTLE_TRIES = 6
LARGE_BYTES = 65_536
"""Of a payload; from here on, making requests of it leaves the event loop."""

_OUTCOMES: tuple[tuple[type[ProviderError], str], ...] = (
    (ProviderRateLimited, "rate_limited"),
    (ProviderExhausted, "exhausted"),
    (ProviderAuthFailed, "auth_failed"),
    (ProviderDenied, "denied"),
    (ProviderUnavailable, "unavailable"),
    (ProviderRefused, "refused"),
    (OutcomeUnknown, "unknown"),
)

Load = Callable[[OutboxDetail], Awaitable[OutboundMessage]]
"""Gives the message of a claimed mail. Raises `InvalidOutbound` where there is none any more, `Transient` where it
cannot be had now."""


@dataclass(frozen=True, slots=True)
class SendingOptions:
    """`lease_s`: longer than any call and the recording of its outcome may take (by SMTP 5.6 minutes). A mail whose
    account is free within `horizon_s` waits for it here, others in the outbox."""

    lease_s: float = 400.0
    horizon_s: float = 2.0
    stuck_pause_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What every round uses. `chance`: a number from 0 to 1 for each delay. `changed` is told each mail (by uuid) of
    which something was recorded."""

    outbox: Outbox
    routes: Routes
    accounts: Accounts
    load: Load
    clock: Clock
    metrics: Metrics
    changed: Callable[[str], None]
    is_stopping: Callable[[], bool]
    options: SendingOptions
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]


class Round:
    """What is done for one mail from its claim until it is given back. A mail is nobody else's meanwhile; where the
    user takes it back or changes it, the next step is refused and the round ends."""

    def __init__(self, detail: OutboxDetail, tools: Tools) -> None:
        self._detail = detail
        self._mail = detail.mail
        self._tools = tools
        self._message: OutboundMessage | None = None
        self._todo: deque[OutboxCall] = deque()
        self._dues: list[float] = []
        self._error: str | None = None
        reached = {address for call in detail.calls for address in call.request.recipients}
        self._free = [
            each.address for each in detail.recipients if each.state in WAITING and each.address not in reached
        ]
        self._used_up = _used_up(detail.calls)
        self._keys = len(detail.calls)
        self._is_given_back = False

    async def run(self) -> None:
        """Make what calls can be made now. Raises `StoreUnavailable`; what was not recorded then is taken up again when
        the lease ends."""
        try:
            await self._run()
        except Conflict as exc:
            _log.info("mail.changed_meanwhile", mail=self._mail.uuid, reason=str(exc))
        except InvalidOutbound as exc:
            await self._fail(str(exc))
        except StoreUnavailable:
            raise
        except Transient as exc:
            await self._give_back(self._now + 60.0 * (0.5 + self._tools.chance()), str(exc))
        except Exception as exc:  # noqa: BLE001 - a bug with one mail must not end the others' sending
            _log.error("mail.round_failed", mail=self._mail.uuid, exc=exc)
            await self._give_back(self._now + 60.0 * (1.0 + self._tools.chance()), "internal error")
        self._tools.changed(self._mail.uuid)

    async def _run(self) -> None:
        is_over = stamp(self._now) >= self._mail.deadline
        for call in self._live(State.UNKNOWN):
            if not is_over and self._may_repeat(call):
                self._todo.append(call)
        waiting = self._live(State.QUEUED)
        if is_over:
            if waiting or self._free:
                await self._fail(_TOO_LATE)
            else:
                await self._give_back(None)
            return
        self._todo.extend(waiting)
        while not self._is_given_back:
            if self._todo:
                await self._take_up(self._todo.popleft())
            elif self._free:
                await self._begin()
            else:
                await self._give_back(min(self._dues, default=None))

    def _live(self, state: State) -> list[OutboxCall]:
        return [call for call in self._detail.calls if call.state is state and call.request.recipients]

    def _may_repeat(self, call: OutboxCall) -> bool:
        """Whether a call whose outcome is unknown may be made again."""
        provider = self._tools.routes.account(call.provider, call.account)
        if provider is None:
            return False
        return self._is_known_by_key(provider, call) or (self._mail.at_least_once and call.failures < TRIES)

    def _is_known_by_key(self, provider: Provider, call: OutboxCall) -> bool:
        began = self._now if call.began_at is None else parse_stamp(call.began_at)
        return provider.capabilities.idempotency and self._now < began + REPEAT_FOR_S

    async def _take_up(self, call: OutboxCall) -> None:
        """Make a call that is stored already."""
        is_doubtful = call.state is State.UNKNOWN
        provider = self._tools.routes.account(call.provider, call.account)
        account = None if provider is None else self._tools.accounts.of(provider)
        block = None if account is None else account.block(self._now)
        if provider is None or account is None or block is not None:
            if is_doubtful:
                self._dues.extend([] if block is None else [block.until])
            else:
                # Certainly not sent: another account may.
                self._free.extend(call.request.recipients)
            return
        raw = (await self._loaded()).raw if self._mail.object_key else None
        async with self._turn_of(account) as has_turn:
            if not has_turn:
                return
            if not await self._may_go(account):
                self._todo.append(call)
                return
            now = self._now
            await self._tools.outbox.begin_call(
                call.id, self._mail.turn, until=stamp(now + self._tools.options.lease_s), now=stamp(now)
            )
            begun = dataclasses.replace(
                call, attempts=call.attempts + 1, began_at=call.began_at or stamp(now), state=State.SENDING
            )
            await self._call(provider, account, begun, raw, is_doubtful=is_doubtful)

    async def _begin(self) -> None:
        """Choose an account for what no call was made for, or none that may have been sent, and make the first."""
        message = await self._loaded()
        candidates = [
            provider
            for provider in self._tools.routes.candidates(message)
            if (provider.name, provider.account) not in self._used_up
        ]
        if not candidates:
            # Without an account that it used up, its last error is that of a wait.
            await self._fail(self._error or (self._mail.error if self._used_up else None) or _NO_ROUTE)
            return
        blocks = [self._tools.accounts.of(provider).block(self._now) for provider in candidates]
        usable = next((provider for provider, block in zip(candidates, blocks, strict=True) if block is None), None)
        if usable is None:
            first = min((block for block in blocks if block is not None), key=lambda block: block.until)
            await self._give_back(min([first.until, *self._dues]), self._error or first.reason)
            return
        requests = await self._prepared(usable, message)
        account = self._tools.accounts.of(usable)
        async with self._turn_of(account) as has_turn:
            if not has_turn or not await self._may_go(account):
                return
            now = self._now
            calls = await self._tools.outbox.begin(
                self._mail.id,
                self._mail.turn,
                usable.name,
                usable.account,
                self._keyed(requests),
                until=stamp(now + self._tools.options.lease_s),
                now=stamp(now),
            )
            self._free = []
            self._todo.extend(calls[1:])
            await self._call(usable, account, calls[0], message.raw, is_doubtful=False)

    async def _prepared(self, provider: Provider, message: OutboundMessage) -> list[ProviderCall]:
        if len(self._detail.payload) < LARGE_BYTES:
            requests = provider.prepare(message, self._free)
        else:
            requests = await asyncio.to_thread(provider.prepare, message, self._free)
        reached = [address for request in requests for address in request.recipients]
        if sorted(reached) != sorted(self._free):
            raise ValueError(f"{provider.name} prepared calls for other recipients than it was asked to")
        return requests

    def _keyed(self, requests: Sequence[ProviderCall]) -> list[tuple[str, ProviderCall]]:
        """The mail's own name is the key of its only call; others are numbered."""
        if len(requests) == 1 and not self._keys:
            self._keys = 1
            return [(self._mail.uuid, requests[0])]
        first = self._keys + 1
        self._keys += len(requests)
        return [(f"{self._mail.uuid}-{first + place}", request) for place, request in enumerate(requests)]

    async def _loaded(self) -> OutboundMessage:
        if self._message is None:
            self._message = await self._tools.load(self._detail)
        return self._message

    @contextlib.asynccontextmanager
    async def _turn_of(self, account: Account) -> AsyncIterator[bool]:
        """Holds one of the account's calls, at its pace. False where that would take long, and the mail was given back
        instead: what waits here keeps the mails of other accounts from being claimed."""
        if not await self._has_turn(account) or not await self._has_call(account):
            yield False
            return
        try:
            yield True
        finally:
            account.calls.release()

    async def _has_turn(self, account: Account) -> bool:
        now = self._now
        if account.is_stuck(now):
            await self._give_back_stuck()
            return False
        at = account.reserve(self._mail.id, now, horizon_s=self._tools.options.horizon_s)
        if at - now > self._tools.options.horizon_s:
            await self._give_back(at)
            return False
        if at > now:
            await self._tools.sleep(at - now)
        return True

    async def _has_call(self, account: Account) -> bool:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STUCK_AFTER_S):
                    return await account.calls.acquire()
            if account.is_stuck(self._now):
                await self._give_back_stuck()
                return False

    async def _give_back_stuck(self) -> None:
        await self._give_back(self._now + self._tools.options.stuck_pause_s * (0.5 + self._tools.chance()))

    async def _may_go(self, account: Account) -> bool:
        """Whether a call may begin, after all that was waited for. Where not even later in this round, the mail was
        given back."""
        now = self._now
        if self._tools.is_stopping():
            await self._give_back(now)
        elif account.resting_until > now:
            await self._give_back(account.resting_until + self._tools.chance())
        else:
            return account.admits(now)
        return False

    async def _call(
        self, provider: Provider, account: Account, call: OutboxCall, raw: bytes | None, *, is_doubtful: bool
    ) -> None:
        began = self._tools.clock.monotonic()
        account.call_begins(call.id, self._now)
        try:
            result = await provider.send(call.request, idempotency_key=call.idempotency_key, raw=raw)
        except ProviderError as exc:
            await self._failed(provider, account, call, exc, is_doubtful=is_doubtful)
        except asyncio.CancelledError:
            await self._failed(provider, account, call, OutcomeUnknown(_CUT_OFF), is_doubtful=is_doubtful)
            raise
        except Exception as exc:  # noqa: BLE001 - whatever went wrong, the mail may have been sent
            _log.error("provider.broken", provider=provider.name, exc=exc)
            await self._failed(provider, account, call, OutcomeUnknown(_BROKEN_ADAPTER), is_doubtful=is_doubtful)
        else:
            account.answered()
            await self._accepted(provider, call, result)
        finally:
            account.call_ends(call.id)
            self._tools.metrics.observe("outbox_send_seconds", self._tools.clock.monotonic() - began)

    async def _accepted(self, provider: Provider, call: OutboxCall, result: SendResult) -> None:
        self._tools.metrics.add("outbox_calls_total", 1, f"{provider.name},accepted")
        is_asked = provider.capabilities.status and (result.message_id is not None or result.by_recipient)
        await self._record(
            Settled(
                call_id=call.id,
                attempt=call.attempts,
                turn=self._mail.turn,
                state=State.ACCEPTED,
                now=stamp(self._now),
                due=self._next_due(),
                message_id=result.message_id,
                by_recipient=result.by_recipient,
                look_due=stamp(self._now + LOOKUP_GAPS_S[0]) if is_asked else None,
            )
        )

    def _tried(self, provider: Provider, call: OutboxCall, *, is_doubtful: bool) -> Tried:
        return Tried(
            failures=call.failures,
            is_doubtful=is_doubtful,
            is_repeatable=self._is_known_by_key(provider, call),
            at_least_once=self._mail.at_least_once,
            is_patient=self._mail.kind is Kind.FORWARD,
            limited=call.attempts - 1 - call.failures,
        )

    async def _failed(
        self, provider: Provider, account: Account, call: OutboxCall, error: ProviderError, *, is_doubtful: bool
    ) -> None:
        outcome = next((name for kind, name in _OUTCOMES if isinstance(error, kind)), "invalid")
        self._tools.metrics.add("outbox_calls_total", 1, f"{provider.name},{outcome}")
        verdict = judge(error, self._tried(provider, call, is_doubtful=is_doubtful), chance=self._tools.chance())
        _log.warning(
            "call.failed", mail=self._mail.uuid, provider=provider.name, outcome=outcome, state=verdict.state.value
        )
        if verdict.is_outage:
            account.was_out(self._now)
        elif not error.maybe_sent:
            account.answered()
        if isinstance(error, ProviderRateLimited):
            account.rest(self._now + error.retry_after_s)
        if verdict.pause_s is not None:
            await self._tools.accounts.pause(account, verdict.pause_s, str(error))
        if verdict.moves_on:
            self._free.extend(call.request.recipients)
            self._error = str(error)
            if verdict.pause_s is None or (verdict.is_failure and call.failures + 1 >= DENIALS):
                self._used_up.add((provider.name, provider.account))
        await self._settle(call, verdict, str(error), is_end=verdict.state is State.QUEUED and not verdict.moves_on)

    async def _settle(self, call: OutboxCall, verdict: Verdict, error: str, *, is_end: bool) -> None:
        """Record a try that did not succeed. `is_end`: nothing more is done for the mail in this round."""
        if verdict.after_s is not None:
            # Past its deadline a mail is only looked at to be given up.
            self._dues.append(min(self._now + verdict.after_s, parse_stamp(self._mail.deadline)))
        await self._record(
            Settled(
                call_id=call.id,
                attempt=call.attempts,
                turn=self._mail.turn,
                state=verdict.state,
                now=stamp(self._now),
                due=_stamped(min(self._dues, default=None)) if is_end else self._next_due(),
                error=error,
                is_failure=verdict.is_failure,
            )
        )
        self._is_given_back |= is_end

    def _next_due(self) -> str | None:
        """When the mail is looked at after the call at hand, of which nothing is left to be done."""
        if self._todo or self._free:
            return stamp(self._now + self._tools.options.lease_s)
        self._is_given_back = True
        return _stamped(min(self._dues, default=None))

    async def _record(self, settled: Settled) -> None:
        """Record an outcome. It must not get lost, so a store that is away for a moment is asked again."""
        for failures in range(_SETTLE_TRIES):
            try:
                mail = await self._tools.outbox.settle(settled)
                break
            except StoreUnavailable:
                if failures == _SETTLE_TRIES - 1:
                    raise
                await self._tools.sleep(backoff_s(failures, 1.0))
        if settled.state is State.UNKNOWN or mail.state is State.FAILED:
            _log.warning("mail.open", mail=mail.uuid, state=mail.state.value)
        self._tools.changed(self._mail.uuid)

    async def _give_back(self, due: float | None, error: str | None = None) -> None:
        self._is_given_back = True
        await self._tools.outbox.put_off(
            self._mail.id, self._mail.turn, due=_stamped(due), error=error, now=stamp(self._now)
        )

    async def _fail(self, error: str) -> None:
        """Give up what is certainly not sent, once nothing else is left to be done."""
        if self._dues:
            await self._give_back(min(self._dues), error)
            return
        self._is_given_back = True
        failed = await self._tools.outbox.fail(self._mail.id, self._mail.turn, error=error, now=stamp(self._now))
        if failed is not None:
            _log.warning("mail.open", mail=failed.uuid, state=failed.state.value)

    @property
    def _now(self) -> float:
        return self._tools.clock.now()


def _used_up(calls: Sequence[OutboxCall]) -> set[tuple[str, str]]:
    """The accounts that have not sent a mail after tries enough, all of which others were to make up for."""
    failures = Counter[tuple[str, str]]()
    for call in calls:
        if not call.request.recipients:
            failures[call.provider, call.account] += call.failures
    return {account for account, number in failures.items() if number >= DENIALS}


def _stamped(due: float | None) -> str | None:
    """Rounded up: what is claimed before its account is free again could only be given back, over and over."""
    return None if due is None else stamp(math.ceil(due))
