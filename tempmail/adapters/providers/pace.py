"""How fast one account is used."""

import asyncio
from collections.abc import Awaitable, Callable

from tempmail.clock import Clock
from tempmail.errors import ProviderRateLimited

MAX_WAIT_S = 2.0
"""How long a call waits for its turn. One that waits counts as begun, so that a crash leaves it unknown though it was
never made: what takes longer goes back to the outbox."""

MAX_HOLD_S = 3600.0
"""What a provider may ask for at once; it says so again where it means more."""


class Pace:
    """Turns at least `pause_s` apart, in the order in which they were asked for. An idle account never waits."""

    def __init__(
        self, pause_s: float, clock: Clock, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._pause_s = pause_s
        self._clock = clock
        self._sleep = sleep
        self._next_turn = 0.0
        self._held_until = 0.0

    async def turn(self) -> None:
        """Return when it is this caller's turn. Raises `ProviderRateLimited` where that is over `MAX_WAIT_S` away, or
        the provider asks for a break meanwhile."""
        now = self._clock.monotonic()
        at = max(now, self._next_turn, self._held_until)
        if at - now > MAX_WAIT_S:
            raise ProviderRateLimited("This account's next turn is not yet", retry_after_s=at - now)
        after = self._next_turn = at + self._pause_s
        if at <= now:
            return
        try:
            await self._sleep(at - now)
        except asyncio.CancelledError:
            if self._next_turn == after:  # nobody queued behind: the turn is free again
                self._next_turn = at
            raise
        if self._held_until > at:
            left = max(0.0, self._held_until - self._clock.monotonic())
            raise ProviderRateLimited("The provider asks for a break", retry_after_s=left)

    def hold(self, seconds: float) -> None:
        """No turn for the next `seconds`: the provider says so."""
        self._held_until = max(self._held_until, self._clock.monotonic() + min(seconds, MAX_HOLD_S))
