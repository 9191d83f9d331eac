"""Work that goes on beside the requests: offloading, deletes, retention, the numbers that others read."""

import asyncio
from collections.abc import Awaitable, Callable

from tempmail.errors import TempmailError
from tempmail.log import get_log

_log = get_log("background")

FAILURE_PAUSE_S = 1.0
MAX_FAILURE_PAUSE_S = 30.0


async def repeat(name: str, work: Callable[[], Awaitable[int]], *, idle_s: float, stop: asyncio.Event) -> None:
    """Do `work` again and again until `stop`: at once where it did something (its result is not 0), else after
    `idle_s`. A failure is logged and retried after a pause that doubles; it never ends the loop."""
    failures = 0
    while not stop.is_set():
        try:
            did = await work()
            failures = 0
            pause = 0.0 if did else idle_s
        except TempmailError as exc:
            failures += 1
            pause = _pause(failures)
            _log.warning("work.failed", work=name, error=str(exc), retry_in_s=pause)
        except Exception as exc:  # noqa: BLE001 - a bug in one round must not end the work for good
            failures += 1
            pause = _pause(failures)
            _log.error("work.failed", work=name, exc=exc, retry_in_s=pause)
        await _sleep(pause, stop)


def _pause(failures: int) -> float:
    return min(MAX_FAILURE_PAUSE_S, FAILURE_PAUSE_S * 2.0 ** min(failures - 1, 10))


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
