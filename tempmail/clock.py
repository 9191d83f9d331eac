"""Time: the clock that everything asks, and the one text form that everything stores.

Stamps are `YYYY-MM-DD HH:MM:SS` in UTC without a zone (freemail contract 1.0): they sort as text, on SQLite and
PostgreSQL alike, and two of them compare only with each other.
"""

import functools
import time
from datetime import UTC, datetime
from typing import Protocol

_FORMAT = "%Y-%m-%d %H:%M:%S"


class Clock(Protocol):
    """What time it is. Injected everywhere, so that a test decides."""

    def now(self) -> float:
        """Seconds since the epoch (wall time)."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back. For durations and deadlines within one process."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class FakeClock:
    """A clock that stands still until told otherwise."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


def stamp(epoch_s: float) -> str:
    """`epoch_s` as stored text, rounded down to the second.

    >>> stamp(1704110400.9)
    '2024-01-01 12:00:00'
    """
    return _stamp_of(int(epoch_s))


@functools.lru_cache(maxsize=16)
def _stamp_of(second: int) -> str:
    # Remembered: a busy second asks many times.
    return datetime.fromtimestamp(second, UTC).strftime(_FORMAT)


def parse_stamp(text: str) -> float:
    """The epoch seconds of a stored stamp. Raises ValueError for any other form.

    >>> parse_stamp("2024-01-01 12:00:00")
    1704110400.0
    """
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC).timestamp()
