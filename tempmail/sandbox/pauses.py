"""The least time between two mails of a session."""

from collections import OrderedDict
from collections.abc import Hashable

from tempmail.clock import Clock

MAX_SESSIONS = 10_000
"""Beyond it the one that sent longest ago is forgotten."""


class Pauses:
    """The counters are this process's memory, which is the only one that answers HTTP."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sent: OrderedDict[Hashable, float] = OrderedDict()

    def begin(self, session: Hashable, pause_s: float) -> float:
        """0: `session` may send now, and counts as having sent. Else how many seconds it is to wait."""
        now = self._clock.monotonic()
        last = self._sent.get(session)
        if last is not None and last + pause_s > now:
            return last + pause_s - now
        self._sent[session] = now
        self._sent.move_to_end(session)
        if len(self._sent) > MAX_SESSIONS:
            self._sent.popitem(last=False)
        return 0.0

    def undo(self, session: Hashable) -> None:
        """It did not send after all."""
        self._sent.pop(session, None)
