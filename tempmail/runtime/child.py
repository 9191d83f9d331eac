"""A worker process, seen from inside: how it says that it lives, and how it learns that it must stop."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tempmail.log import get_log

_log = get_log("worker")

HEARTBEAT_S = 1.0
READY = b"R"
ALIVE = b"."


@dataclass(frozen=True, slots=True)
class Control:
    """The worker's ends of two pipes. `status_fd`: READY once, then ALIVE every `HEARTBEAT_S`. `lifeline_fd`: never
    carries a byte; its end means that the supervisor is gone."""

    status_fd: int
    lifeline_fd: int


@dataclass(frozen=True, slots=True)
class Life:
    """What a worker's body gets: `stop` is set when it shall drain; it calls `ready` once it serves."""

    stop: asyncio.Event
    ready: Callable[[], None]


Body = Callable[[Life], Awaitable[None]]


async def live(body: Body, control: Control) -> None:
    """Run `body` until it returns, which it does after SIGTERM or the supervisor's death. SIGINT is left to the
    supervisor, since a terminal sends it to all processes alike."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.add_reader(control.lifeline_fd, _orphaned, stop, loop, control.lifeline_fd)
    beating = loop.create_task(_beat(control.status_fd))
    try:
        await body(Life(stop, lambda: _say(control.status_fd, READY)))
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
        loop.remove_reader(control.lifeline_fd)


async def run_alone(body: Body) -> None:
    """Run `body` in a process of its own without a supervisor: SIGTERM and SIGINT stop it."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await body(Life(stop, lambda: None))


async def _beat(status_fd: int) -> None:
    while True:
        await asyncio.sleep(HEARTBEAT_S)
        _say(status_fd, ALIVE)


def _say(status_fd: int, word: bytes) -> None:
    # A full pipe means that the supervisor has not read for a while; it will find earlier words there.
    with contextlib.suppress(BlockingIOError, BrokenPipeError):
        os.write(status_fd, word)


def _orphaned(stop: asyncio.Event, loop: asyncio.AbstractEventLoop, lifeline_fd: int) -> None:
    loop.remove_reader(lifeline_fd)
    _log.error("supervisor.gone")
    stop.set()
