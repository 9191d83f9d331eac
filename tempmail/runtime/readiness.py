"""Can mail be taken now? What `GET /readyz` answers."""

from collections.abc import Callable

from tempmail.errors import NoRoom, StoreUnavailable
from tempmail.ports import Store
from tempmail.services.capacity import Capacity


class Readiness:
    """`smtp_ready`: how many processes take mail now."""

    def __init__(self, store: Store, capacity: Capacity, smtp_ready: Callable[[], float]) -> None:
        self._store = store
        self._capacity = capacity
        self._smtp_ready = smtp_ready

    async def not_ready(self) -> list[str]:
        """Why mail cannot be taken now, each a sentence; empty where it can. An object store that is down is no
        reason: the spool takes its place."""
        reasons = []
        if self._smtp_ready() < 1:
            reasons.append("no process takes mail")
        try:
            self._capacity.check()
        except NoRoom as exc:
            reasons.append(str(exc))
        try:
            await self._store.ping()
        except StoreUnavailable as exc:
            reasons.append(str(exc))
        return reasons
