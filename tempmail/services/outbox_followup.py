"""What became of accepted mails: providers that can be asked are, at growing intervals and on demand."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Sequence

from tempmail.clock import Clock, stamp
from tempmail.domain.outbound import Delivery
from tempmail.domain.outbound_retry import LOOKUP_GAPS_S
from tempmail.errors import CannotDo, ProviderError
from tempmail.log import get_log
from tempmail.ports.outbound import Lookup, Outbox, Routes

_log = get_log("outbox")

LOOKUPS_AT_ONCE = 20
REFRESH_EVERY_S = 10.0
REFRESH_FOR_S = 5.0
"""How long somebody who looks at a mail waits for its providers."""
_LEASE_S = 300.0
_REMEMBERED = 4_096


class FollowUp:
    def __init__(self, outbox: Outbox, routes: Routes, clock: Clock) -> None:
        self._outbox = outbox
        self._routes = routes
        self._clock = clock
        self._refreshed: OrderedDict[int, float] = OrderedDict()

    async def run_once(self) -> int:
        """Ask for what is due to be asked; how many calls that were."""
        now = self._clock.now()
        due = await self._outbox.claim_lookups(now=stamp(now), until=stamp(now + _LEASE_S), limit=LOOKUPS_AT_ONCE)
        await self._look(due)
        return len(due)

    async def refresh(self, mail_id: int) -> None:
        """Ask now, at most once in ten seconds for each mail, and for `REFRESH_FOR_S`."""
        now = self._clock.monotonic()
        if now - self._refreshed.get(mail_id, float("-inf")) < REFRESH_EVERY_S:
            return
        self._refreshed[mail_id] = now
        self._refreshed.move_to_end(mail_id)
        while len(self._refreshed) > _REMEMBERED:
            self._refreshed.popitem(last=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REFRESH_FOR_S):
                await self._look(await self._outbox.lookups(mail_id))

    async def _look(self, lookups: Sequence[Lookup]) -> None:
        for lookup in lookups:
            found, can_tell = await self._ask(lookup)
            asked = lookup.looks + 1
            again_s = LOOKUP_GAPS_S[asked] if can_tell and asked < len(LOOKUP_GAPS_S) else None
            now = self._clock.now()
            look_due = None if again_s is None else stamp(now + again_s)
            await self._outbox.observe(lookup.call_id, found, look_due=look_due, now=stamp(now))

    async def _ask(self, lookup: Lookup) -> tuple[dict[str, Delivery], bool]:
        """What the provider says of each id; whether asking again makes sense."""
        provider = self._routes.account(lookup.provider, lookup.account)
        found: dict[str, Delivery] = {}
        if provider is None or not provider.capabilities.status:
            return found, False
        for message_id in lookup.message_ids:
            try:
                found[message_id] = await provider.status(message_id)
            except CannotDo:
                return found, False
            except ProviderError as exc:
                _log.info("lookup.failed", provider=lookup.provider, kind=type(exc).__name__)
                break
        return found, True
