"""The loop that sends: what it takes in hand, whom it tells, and how it stops."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from tempmail.domain.outbound import State
from tempmail.errors import ProviderRateLimited, ProviderUnavailable, StoreUnavailable
from tempmail.ports.outbound import OutboxMail, Settled
from tempmail.services.outbox_worker import WorkerOptions
from tests.builders import at
from tests.fake_provider import KNOWS_KEYS, FakeProvider
from tests.outbound_builders import new_outbound, outbound_message
from tests.unit.outbox_stage import Stage

LONG_S = 1e6
Open = Callable[..., Stage]


@pytest.fixture
def open_stage() -> Iterator[Open]:
    stages = []

    def opened(*providers: FakeProvider, **options: Any) -> Stage:
        stages.append(Stage(*providers, options=WorkerOptions(idle_s=LONG_S, **options)))
        return stages[-1]

    yield opened
    for stage in stages:
        stage.close()


class Held:
    """Makes a provider wait within its calls until `let_go`."""

    def __init__(self, provider: FakeProvider) -> None:
        self.let_go = asyncio.Event()
        self.begun = asyncio.Event()
        provider.before = self._wait

    async def _wait(self) -> None:
        self.begun.set()
        await self.let_go.wait()


def running(stage: Stage, work: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Do `work` while the worker runs; then stop it."""

    async def case() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(stage.worker.run(stop))
        try:
            await work(stop)
        finally:
            stop.set()
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled() or task.exception() is None

    stage.run(case())


async def settled_down() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def added(stage: Stage, **changes: Any) -> OutboxMail:
    [mail] = await stage.outbox.add([new_outbound(**changes)], [None])
    return mail


def test_a_nudge_has_a_mail_sent_at_once_and_whoever_waits_learns_it(open_stage: Open) -> None:
    stage = open_stage(FakeProvider())

    async def work(_: asyncio.Event) -> None:
        await settled_down()
        began = asyncio.get_running_loop().time()
        mail = await added(stage)
        stage.worker.nudge()
        sent = await stage.worker.outcome(mail.uuid, 10.0)
        assert sent is not None
        assert sent.state is State.ACCEPTED
        assert asyncio.get_running_loop().time() - began < 10.0

    running(stage, work)


def test_without_a_nudge_it_is_sent_after_a_while(open_stage: Open) -> None:
    stage = open_stage(FakeProvider())

    async def work(_: asyncio.Event) -> None:
        await settled_down()
        mail = await added(stage)
        sent = await stage.worker.outcome(mail.uuid, 10 * LONG_S)
        assert sent is not None
        assert sent.state is State.ACCEPTED

    running(stage, work)


def test_whoever_waits_is_told_after_its_patience_what_is_known(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider)

    async def work(_: asyncio.Event) -> None:
        held = Held(provider)
        mail = await added(stage)
        stage.worker.nudge()
        found = await stage.worker.outcome(mail.uuid, 10.0)
        assert found is not None
        assert found.state is State.SENDING
        held.let_go.set()

    running(stage, work)


@pytest.mark.parametrize(
    "error", [ProviderUnavailable("away", tries=6), ProviderRateLimited("slow", retry_after_s=60.0)]
)
def test_whoever_waits_does_not_wait_for_a_try_that_comes_too_late(
    open_stage: Open, error: ProviderUnavailable
) -> None:
    stage = open_stage(FakeProvider().answer(error))

    async def work(_: asyncio.Event) -> None:
        mail = await added(stage)
        stage.worker.nudge()
        began = asyncio.get_running_loop().time()
        found = await stage.worker.outcome(mail.uuid, 0.5)
        assert found is not None
        assert (found.state, found.error) == (State.QUEUED, str(error))
        assert asyncio.get_running_loop().time() == began

    running(stage, work)


def test_of_a_mail_that_is_not_there_nothing_is_awaited(open_stage: Open) -> None:
    stage = open_stage(FakeProvider())
    assert stage.run(stage.worker.outcome("nothing", 10.0)) is None


def test_a_stop_finishes_what_is_under_way_and_gives_back_what_is_not_begun(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider, calls_at_once=1)
    first, second = stage.add(), stage.add()

    async def work(stop: asyncio.Event) -> None:
        held = Held(provider)
        await held.begun.wait()
        stop.set()
        await settled_down()
        held.let_go.set()

    running(stage, work)
    assert (stage.now(first).state, len(provider.made)) == (State.ACCEPTED, 1)
    waiting = stage.now(second)
    assert (waiting.state, stage.wait_of(second), waiting.attempts) == (State.QUEUED, 0.0, 0)


@pytest.mark.parametrize(("knows_keys", "wait"), [(False, None), (True, 1.0)])
def test_a_call_that_is_cut_off_is_unknown(open_stage: Open, knows_keys: bool, wait: float | None) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS) if knows_keys else FakeProvider()
    stage = open_stage(provider)
    mail = stage.add()

    async def case() -> None:
        held = Held(provider)
        task = asyncio.create_task(stage.worker.run(asyncio.Event()))
        await held.begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stage.run(case())
    assert (stage.now(mail).state, stage.wait_of(mail)) == (State.UNKNOWN, wait)
    assert "stopped before" in (stage.now(mail).error or "")


def test_no_more_calls_are_under_way_at_an_account_than_a_crash_may_leave_unknown(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider, calls_at_once=3)
    mails = [stage.add() for _ in range(10)]

    async def work(_: asyncio.Event) -> None:
        held = Held(provider)
        await held.begun.wait()
        await settled_down()
        found = [await stage.outbox.named(mail.uuid) for mail in mails]
        assert sum(mail is not None and mail.state is State.SENDING for mail in found) == 3
        held.let_go.set()
        for mail in mails:
            await stage.worker.outcome(mail.uuid, 10.0)

    running(stage, work)
    assert len(provider.made) == 10


PAYLOAD_BYTES = len(new_outbound().payload)


@pytest.mark.parametrize(
    ("options", "claimed"),
    [
        ({"mails_in_hand": 4}, 4),
        ({"bytes_in_hand": 3 * PAYLOAD_BYTES}, 3),
        ({"bytes_in_hand": 3 * PAYLOAD_BYTES - 1}, 2),
        ({"bytes_in_hand": 1}, 1),
        ({}, 10),
    ],
    ids=["mails", "bytes", "a byte less", "at least one", "neither"],
)
def test_no_more_is_taken_in_hand_than_there_is_room_for(
    open_stage: Open, options: dict[str, int], claimed: int
) -> None:
    provider = FakeProvider()
    stage = open_stage(provider, **options)
    mails = [stage.add() for _ in range(10)]

    async def work(_: asyncio.Event) -> None:
        held = Held(provider)
        await held.begun.wait()
        await settled_down()
        found = [await stage.outbox.named(mail.uuid) for mail in mails]
        assert sum(mail is not None and mail.turn > 0 for mail in found) == claimed
        held.let_go.set()

    running(stage, work)


class Flaky:
    """An outbox that is away for the first `failures` outcomes."""

    def __init__(self, stage: Stage, failures: int) -> None:
        self._outbox = stage.outbox
        self._failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outbox, name)

    async def settle(self, settled: Settled) -> OutboxMail:
        if self._failures:
            self._failures -= 1
            raise StoreUnavailable("the database is unavailable")
        return await self._outbox.settle(settled)


@pytest.mark.parametrize(("failures", "state"), [(5, State.ACCEPTED), (6, State.SENDING)])
def test_an_outcome_is_recorded_though_the_store_is_away_for_a_while(
    open_stage: Open, failures: int, state: State
) -> None:
    stage = open_stage(FakeProvider())
    mail = stage.add()
    stage.worker = stage.new_worker(Flaky(stage, failures))
    stage.work()
    assert stage.now(mail).state is state


def test_mails_of_an_account_that_hangs_wait_elsewhere(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider, calls_at_once=1, mails_in_hand=2)
    stuck, behind = stage.add(), stage.add(due=at(1))

    async def work(_: asyncio.Event) -> None:
        held = Held(provider)
        await held.begun.wait()
        stage.clock.advance(10.0)
        stage.worker.nudge()
        await settled_down()
        found = await stage.outbox.named(behind.uuid)
        assert found is not None
        assert (found.state, found.due) == (State.QUEUED, at(25))
        held.let_go.set()

    running(stage, work)
    assert stage.now(stuck).state is State.ACCEPTED


def test_an_account_that_hangs_does_not_hold_the_mails_of_others_up(open_stage: Open) -> None:
    hanging, fine = FakeProvider(), FakeProvider("resend", capabilities=KNOWS_KEYS)
    stage = open_stage(hanging, fine, calls_at_once=1, mails_in_hand=4)
    for _ in range(4):
        stage.add()
    other = stage.add(message=outbound_message(cc=("cc@else.example",)), due=at(1))
    stage.clock.advance(1.0)

    async def work(_: asyncio.Event) -> None:
        held = Held(hanging)
        await held.begun.wait()
        stage.clock.advance(10.0)
        sent = await stage.worker.outcome(other.uuid, 10.0)
        held.let_go.set()
        assert sent is not None
        assert (sent.state, len(hanging.made)) == (State.ACCEPTED, 1)

    running(stage, work)
