"""The demonstration world: the same services over a small database in memory, made anew every hour."""

from collections.abc import Callable

from tempmail.adapters.sql.memory import MemoryDatabase
from tempmail.adapters.sql.store import SqlStore
from tempmail.clock import Clock
from tempmail.errors import NotFound
from tempmail.ports import Spool, Store
from tempmail.services.demo import seed
from tempmail.services.fresh import Version
from tempmail.web.call import World

MAX_BYTES = 16 << 20
RENEW_S = 3600.0


class Demonstration:
    """`world` stays the same object; `renew` puts fresh content under it, so what guests do is soon forgotten."""

    def __init__(self, clock: Clock, build: Callable[[Store, Version], World]) -> None:
        self._clock = clock
        self._database = MemoryDatabase(clock, max_bytes=MAX_BYTES)
        self.world = build(SqlStore(self._database), self._database.version)

    async def renew(self) -> int:
        """Replace the content; 0, as work that has nothing more to do now."""
        fresh = MemoryDatabase(self._clock, max_bytes=MAX_BYTES)
        await seed(SqlStore(fresh), self._clock)
        self._database.take_over(fresh)
        return 0


class SpoolBodies:
    """Raw mails of a store whose spool is never emptied: there is no object store behind it."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    async def read(self, object_key: str) -> bytes:
        """Raises `NotFound`."""
        entry = await self._spool.body(object_key)
        if entry is None or entry.body is None:
            raise NotFound("对象不存在")
        return entry.body
