"""Background work: again at once while there is some, patient when idle, undeterred by failures."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterable
from itertools import pairwise
from typing import Any, TypeVar

import pytest

from tempmail.errors import ObjectsUnavailable
from tempmail.runtime.background import FAILURE_PAUSE_S, MAX_FAILURE_PAUSE_S, repeat

T = TypeVar("T")


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self._jumped_s = 0.0
        loop = self

        class Jumping(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> Any:
                loop._jumped_s += timeout or 0.0
                return super().select(None if timeout is None else 0)

        super().__init__(Jumping())

    def time(self) -> float:
        return self._jumped_s


def pauses(results: Iterable[int | Exception], *, idle_s: float = 7.0) -> list[float]:
    """Let work end as `results` say, then stop; the seconds between one round and the next."""

    async def case() -> list[float]:
        stop = asyncio.Event()
        began: list[float] = []
        left = list(results)

        async def work() -> int:
            began.append(asyncio.get_running_loop().time())
            if not left:
                stop.set()
                return 0
            result = left.pop(0)
            if isinstance(result, Exception):
                raise result
            return result

        await repeat("test", work, idle_s=idle_s, stop=stop)
        return [round(after - before, 6) for before, after in pairwise(began)]

    return run(case)


def run(case: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(case())


def test_work_that_did_something_goes_on_at_once_and_idle_work_waits() -> None:
    assert pauses([3, 1, 0, 0, 5]) == [0, 0, 7, 7, 0]


FAILURES: dict[str, Callable[[], Exception]] = {
    "foreseen": lambda: ObjectsUnavailable("The object store is away."),
    "a-bug": lambda: ZeroDivisionError(),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_pauses_after_failures_double_up_to_a_limit_and_start_over_after_a_success(
    failure: Callable[[], Exception],
) -> None:
    doubling = [1, 2, 4, 8, 16, 30, 30]
    assert (doubling[0], doubling[-1]) == (FAILURE_PAUSE_S, MAX_FAILURE_PAUSE_S)
    assert pauses([*(failure() for _ in doubling), 0, failure()]) == [*doubling, 7, 1]


def test_a_thousand_failures_do_not_overflow_the_pause() -> None:
    assert pauses([ZeroDivisionError() for _ in range(1_100)])[-1] == MAX_FAILURE_PAUSE_S


def test_a_stop_ends_an_idle_wait_at_once() -> None:
    async def case() -> float:
        stop = asyncio.Event()
        idle = asyncio.create_task(repeat("test", nothing, idle_s=1_000_000, stop=stop))
        await asyncio.sleep(0)
        stop.set()
        await idle
        return asyncio.get_running_loop().time()

    assert run(case) < 1_000


def test_work_does_not_begin_after_a_stop() -> None:
    async def case() -> None:
        stop = asyncio.Event()
        stop.set()
        await repeat("test", broken, idle_s=1, stop=stop)

    run(case)


def test_busy_work_leaves_the_loop_to_others() -> None:
    async def case() -> None:
        stop = asyncio.Event()

        async def busy() -> int:
            return 1

        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            tasks.create_task(repeat("test", busy, idle_s=1, stop=stop))
            for _ in range(10):
                await asyncio.sleep(0)
            stop.set()

    run(case)


async def nothing() -> int:
    return 0


async def broken() -> int:
    raise AssertionError("it ran")
