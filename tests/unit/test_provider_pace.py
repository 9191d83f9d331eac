"""Turns of one account."""

import asyncio

import pytest

from tempmail.adapters.providers.pace import MAX_HOLD_S, MAX_WAIT_S, Pace
from tempmail.clock import FakeClock
from tempmail.errors import ProviderRateLimited


class Sleeper:
    """Sleeps by turning the clock, and remembers for how long."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.slept: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.clock.advance(seconds)


def test_an_idle_account_never_waits() -> None:
    clock = FakeClock()
    sleeper = Sleeper(clock)
    pace = Pace(0.2, clock, sleep=sleeper)

    async def main() -> None:
        for _ in range(3):
            await pace.turn()
            clock.advance(0.2)

    asyncio.run(main())
    assert sleeper.slept == []


def test_turns_are_a_pause_apart_in_the_order_they_were_asked_for() -> None:
    clock = FakeClock()
    slept: list[float] = []
    order: list[int] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        await asyncio.sleep(0)

    pace = Pace(0.5, clock, sleep=sleep)

    async def take(number: int) -> None:
        await pace.turn()
        order.append(number)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(take(number))

    asyncio.run(main())
    assert slept == [0.5, 1.0, 1.5, 2.0]
    assert order == [0, 1, 2, 3, 4]


def test_no_pause_means_no_wait() -> None:
    clock = FakeClock()
    sleeper = Sleeper(clock)
    pace = Pace(0.0, clock, sleep=sleeper)

    async def main() -> None:
        for _ in range(1000):
            await pace.turn()

    asyncio.run(main())
    assert sleeper.slept == []


@pytest.mark.parametrize(("pause_s", "is_waited"), [(MAX_WAIT_S, True), (MAX_WAIT_S + 0.001, False)])
def test_a_turn_too_far_away_is_refused_and_takes_no_place(pause_s: float, is_waited: bool) -> None:
    clock = FakeClock()
    sleeper = Sleeper(clock)
    pace = Pace(pause_s, clock, sleep=sleeper)

    async def main() -> None:
        await pace.turn()
        if is_waited:
            await pace.turn()
            return
        for _ in range(3):
            with pytest.raises(ProviderRateLimited) as caught:
                await pace.turn()
            assert caught.value.retry_after_s == pytest.approx(pause_s)
        clock.advance(pause_s)
        await pace.turn()

    asyncio.run(main())
    assert sleeper.slept == ([pause_s] if is_waited else [])


def test_a_break_asked_for_meanwhile_reaches_those_who_wait() -> None:
    clock = FakeClock()
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await asyncio.sleep(0)
        clock.advance(seconds)

    pace = Pace(1.0, clock, sleep=sleep)

    async def main() -> None:
        await pace.turn()
        second = asyncio.create_task(pace.turn())
        await waiting.wait()
        pace.hold(10)
        with pytest.raises(ProviderRateLimited) as caught:
            await second
        assert caught.value.retry_after_s == pytest.approx(9)
        clock.advance(9)
        await pace.turn()

    asyncio.run(main())


def test_who_gives_up_waiting_leaves_the_turn_to_the_next() -> None:
    clock = FakeClock()
    slept: list[float] = []
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        waiting.set()
        await asyncio.Event().wait()

    pace = Pace(1.0, clock, sleep=sleep)

    async def main() -> None:
        await pace.turn()
        for _ in range(2):
            waiting.clear()
            task = asyncio.create_task(pace.turn())
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert slept == [1.0, 1.0]


def test_a_break_is_bounded() -> None:
    clock = FakeClock()
    pace = Pace(0.0, clock)
    pace.hold(1e12)
    with pytest.raises(ProviderRateLimited) as caught:
        asyncio.run(pace.turn())
    assert caught.value.retry_after_s == MAX_HOLD_S
