"""How often one caller may do something: a sliding window per key.

The counters are this process's memory. That is enough, for exactly one process of a server answers HTTP.
"""

from collections import OrderedDict, deque
from math import ceil

from tempmail.clock import Clock
from tempmail.errors import Throttled


class Throttle:
    """At most `limit` admissions per `window_s` seconds and key.

    Holds the last `max_keys` keys; beyond that the one that was quiet longest is forgotten, so that memory stays
    bounded whoever knocks.
    """

    def __init__(self, limit: int, window_s: float, *, clock: Clock, max_keys: int = 10_000) -> None:
        self._limit = limit
        self._window_s = window_s
        self._clock = clock
        self._max_keys = max_keys
        self._admitted: OrderedDict[str, deque[float]] = OrderedDict()

    def admit(self, key: str) -> None:
        """Count one attempt. Raises `Throttled` (which is not counted) where the window is full."""
        now = self._clock.monotonic()
        times = self._admitted.setdefault(key, deque())
        self._admitted.move_to_end(key)
        while times and times[0] <= now - self._window_s:
            times.popleft()
        if len(times) >= self._limit:
            raise Throttled("Too Many Requests", retry_after_s=max(1, ceil(times[0] + self._window_s - now)))
        times.append(now)
        if len(self._admitted) > self._max_keys:
            self._admitted.popitem(last=False)
