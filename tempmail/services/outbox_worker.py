"""Sends what is due in the outbox: claims it in batches, a few calls at once for each account."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tempmail.clock import Clock, parse_stamp, stamp
from tempmail.domain.outbound import WAITING, Kind, OutboundMessage, State
from tempmail.errors import InvalidOutbound, StoreUnavailable
from tempmail.log import get_log
from tempmail.metrics import OUTBOX_PROVIDERS, Metrics
from tempmail.ports.outbound import Outbox, OutboxDetail, OutboxMail, Routes
from tempmail.services import outbound_payload
from tempmail.services.outbox_accounts import STUCK_AFTER_S, Accounts
from tempmail.services.outbox_followup import FollowUp
from tempmail.services.outbox_sending import LARGE_BYTES, Load, Round, SendingOptions, Tools

_log = get_log("outbox")

FORWARDS_AT_ONCE = 8
"""Received mails that are in memory to be handed on: a claim does not know their size."""
_STORE_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """`calls_at_once`: of one account; a crash leaves as many unknown. Up to `mails_in_hand` with `bytes_in_hand` are
    claimed at a time; an idle outbox is looked at every `idle_s`."""

    calls_at_once: int = 8
    mails_in_hand: int = 64
    bytes_in_hand: int = 32 << 20
    idle_s: float = 0.5
    sending: SendingOptions = field(default_factory=SendingOptions)


@dataclass(frozen=True, slots=True)
class _InHand:
    task: asyncio.Task[None]
    payload_bytes: int


class OutboxWorker:
    """Several may work on one outbox, in one process or many: each mail is claimed by one of them at a time."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        routes: Routes,
        clock: Clock,
        metrics: Metrics,
        forwarded: Load | None = None,
        options: WorkerOptions | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`forwarded` gives the message of a mail that is handed on; without it none is."""
        self._outbox = outbox
        self._clock = clock
        self._metrics = metrics
        self._options = options or WorkerOptions()
        self._forwarded = forwarded
        self._accounts = Accounts(outbox, clock, calls_at_once=self._options.calls_at_once)
        self._follow_up = FollowUp(outbox, routes, clock)
        self._tools = Tools(
            outbox=outbox,
            routes=routes,
            accounts=self._accounts,
            load=self._load,
            clock=clock,
            metrics=metrics,
            changed=self._changed,
            is_stopping=lambda: self._is_stopping,
            options=self._options.sending,
            sleep=sleep,
            chance=chance,
        )
        self._forwards = asyncio.Semaphore(FORWARDS_AT_ONCE)
        self._in_hand: dict[str, _InHand] = {}
        self._bytes_in_hand = 0
        self._wanted = asyncio.Event()
        self._is_stopping = False
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def run_once(self) -> int:
        """Send one batch of what is due, to its end; how many mails were claimed."""
        await self._claim()
        tasks = self._tasks()
        if tasks:
            await asyncio.wait(tasks)
        return len(tasks)

    async def run(self, stop: asyncio.Event) -> None:
        """Send what becomes due until `stop`; then finish the calls under way, give back what is not begun, and return.
        Where it is cancelled, calls under way are cut off: their outcome is recorded as unknown."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                claimed = await self._claim_safely()
                await self._rest(stopping, is_idle=not claimed)
            self._stop()
            if self._in_hand:
                await asyncio.wait(self._tasks())
        finally:
            self._stop()
            stopping.cancel()
            for task in self._tasks():
                task.cancel()
            if self._in_hand:
                await asyncio.wait(self._tasks())

    def nudge(self) -> None:
        """Something may be due now: do not wait for the next look."""
        self._wanted.set()

    async def outcome(self, uuid: str, timeout_s: float) -> OutboxMail | None:
        """The mail once it is sent, failed, in doubt or put off for longer than the time left; or as it is after
        `timeout_s`. None where there is none."""
        changed = asyncio.Event()
        self._waiters[uuid].add(changed)
        give_up_at = self._clock.now() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    changed.clear()
                    found = await self._outbox.named(uuid)
                    if found is None or not self._is_soon(found, give_up_at):
                        return found
                    await changed.wait()
        except TimeoutError:
            return await self._outbox.named(uuid)
        finally:
            self._waiters[uuid].discard(changed)
            if not self._waiters[uuid]:
                del self._waiters[uuid]

    async def look_up(self) -> int:
        """Ask providers what became of mails they accepted, where that is due; how many calls that were."""
        return await self._follow_up.run_once()

    async def refresh(self, mail_id: int) -> None:
        """Ask the providers now what became of a mail, where they can tell; at most once in ten seconds."""
        await self._follow_up.refresh(mail_id)

    async def measure(self) -> None:
        """Publish how many mails there are of each provider and state."""
        counts = await self._outbox.counts()
        for provider in OUTBOX_PROVIDERS:
            for state in State:
                number = counts.get(("" if provider == "none" else provider, state), 0)
                self._metrics.set("outbox_mails", number, f"{provider},{state.value}")

    async def _claim_safely(self) -> int:
        try:
            return await self._claim()
        except StoreUnavailable as exc:
            _log.warning("outbox.unavailable", error=str(exc))
        except Exception as exc:  # noqa: BLE001 - a bug in one claim must not end the sending for good
            _log.error("outbox.claim_failed", exc=exc)
        await asyncio.sleep(_STORE_PAUSE_S)
        return 0

    async def _claim(self) -> int:
        """Take as many mails in hand as there is room for; how many that were."""
        self._wanted.clear()
        if not self._has_room():
            return 0
        await self._accounts.refresh()
        now = self._clock.now()
        claimed = await self._outbox.claim(
            now=stamp(now),
            until=stamp(now + self._options.sending.lease_s),
            limit=self._options.mails_in_hand - len(self._in_hand),
            max_bytes=self._options.bytes_in_hand - self._bytes_in_hand,
        )
        for detail in claimed:
            uuid = detail.mail.uuid
            # One whose round outlives its lease ends at its next step; it comes back when this lease ends.
            if uuid not in self._in_hand:
                task = asyncio.create_task(self._send(detail))
                self._in_hand[uuid] = _InHand(task, len(detail.payload))
                self._bytes_in_hand += len(detail.payload)
        return len(claimed)

    async def _send(self, detail: OutboxDetail) -> None:
        try:
            if detail.mail.object_key:
                await self._hand_on(detail)
            else:
                await Round(detail, self._tools).run()
        except StoreUnavailable as exc:
            # Nothing was recorded: it comes back when its lease ends.
            _log.error("mail.not_recorded", mail=detail.mail.uuid, error=str(exc))
        finally:
            self._done(detail.mail.uuid)

    async def _hand_on(self, detail: OutboxDetail) -> None:
        """Send a received mail, as soon as few others are in memory. Where that takes long, it is given back instead of
        keeping mails of other accounts from being claimed."""
        try:
            async with asyncio.timeout(STUCK_AFTER_S):
                await self._forwards.acquire()
        except TimeoutError:
            now = self._clock.now()
            again = stamp(now + self._options.sending.stuck_pause_s)
            await self._outbox.put_off(detail.mail.id, detail.mail.turn, due=again, error=None, now=stamp(now))
            return
        try:
            await Round(detail, self._tools).run()
        finally:
            self._forwards.release()

    def _done(self, uuid: str) -> None:
        self._bytes_in_hand -= self._in_hand.pop(uuid).payload_bytes
        self._changed(uuid)
        if self._has_room():
            self._wanted.set()

    def _has_room(self) -> bool:
        """Whether at least half of what may be in hand is free: a claim is a commit, so not one by one."""
        options = self._options
        return 2 * len(self._in_hand) <= options.mails_in_hand and 2 * self._bytes_in_hand <= options.bytes_in_hand

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [each.task for each in self._in_hand.values()]

    async def _rest(self, stopping: asyncio.Task[bool], *, is_idle: bool) -> None:
        """Wait until there is room and something may be due, or it is time to stop."""
        if not is_idle and self._has_room():
            return
        wanted = asyncio.create_task(self._wanted.wait())
        try:
            await asyncio.wait({wanted, stopping}, timeout=self._options.idle_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            wanted.cancel()

    async def _load(self, detail: OutboxDetail) -> OutboundMessage:
        if detail.mail.kind is Kind.FORWARD:
            if self._forwarded is None:
                raise InvalidOutbound("forwarding is not set up")
            return await self._forwarded(detail)
        try:
            if len(detail.payload) < LARGE_BYTES:
                return outbound_payload.decode(detail.payload)
            return await asyncio.to_thread(outbound_payload.decode, detail.payload)
        except ValueError as exc:
            raise InvalidOutbound("the stored mail cannot be read") from exc

    def _is_soon(self, mail: OutboxMail, deadline: float) -> bool:
        """Whether an outcome may be had before `deadline`."""
        if mail.state is State.SENDING or mail.uuid in self._in_hand:
            return True
        if self._is_stopping or mail.state not in WAITING:
            return False
        return mail.due is not None and parse_stamp(mail.due) <= deadline

    def _stop(self) -> None:
        self._is_stopping = True
        for uuid in self._waiters:
            self._changed(uuid)

    def _changed(self, uuid: str) -> None:
        for waiter in self._waiters.get(uuid, ()):
            waiter.set()
