"""How many calls a credential may make in a second, and what is told of it."""

from collections import OrderedDict, deque
from dataclasses import dataclass
from math import ceil

from tempmail.clock import Clock

WINDOW_S = 1.0
_MAX_KEYS = 1_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`remaining`: calls that are left in this second. `reset_s`: whole seconds until all are there again."""

    limit: int
    remaining: int
    reset_s: int
    is_over: bool


class Rates:
    """Any `WINDOW_S` seconds count. The counters are this process's memory, which is the only one that answers HTTP."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: OrderedDict[int, deque[float]] = OrderedDict()

    def count(self, credential_id: int, limit: int) -> Rate:
        """Count one call, unless `limit` are counted already. 0: no limit, and nothing is counted."""
        if limit <= 0:
            return Rate(0, 0, 1, is_over=False)
        now = self._clock.monotonic()
        calls = self._calls.setdefault(credential_id, deque())
        self._calls.move_to_end(credential_id)
        if len(self._calls) > _MAX_KEYS:
            self._calls.popitem(last=False)
        while calls and calls[0] <= now - WINDOW_S:
            calls.popleft()
        is_over = len(calls) >= limit
        if not is_over:
            calls.append(now)
        reset_s = max(1, ceil(calls[0] + WINDOW_S - now))
        return Rate(limit, max(0, limit - len(calls)), reset_s, is_over=is_over)
