"""Writes that are committed together: many small ones of one process share a transaction and its fsync.

There is no timer: what comes while one commit is under way makes up the next, so an idle server commits at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tempmail.adapters.sql.script import Database, Script, T
from tempmail.errors import StoreUnavailable

I = TypeVar("I")  # noqa: E741 - an item

MAX_ITEMS = 64


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[I]):
    item: I
    done: "asyncio.Future[Any]"


class Grouped(Generic[I]):
    """Writes items of one kind, each all or nothing. One that fails does not fail its neighbours.

    `together` records several in one transaction: a result for each, in order; an error as a result is raised for that
    item alone. Where it raises, the items are recorded one by one.
    """

    def __init__(self, database: Database, together: Callable[[Sequence[I]], Script[Sequence[Any]]]) -> None:
        self._database = database
        self._together = together
        self._queue: deque[_Waiting[I]] = deque()
        self._flusher: asyncio.Task[None] | None = None

    async def write(self, item: I) -> Any:
        """The item's result, committed and fsynced. Raises what `together` does for it, or the database."""
        waiting = _Waiting(item, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._flusher is None or self._flusher.done():
            # A task of its own: a waiter that is cancelled must not take its neighbours with it.
            self._flusher = asyncio.create_task(self._flush())
        return await waiting.done

    async def _flush(self) -> None:
        while self._queue:
            group = [self._queue.popleft() for _ in range(min(MAX_ITEMS, len(self._queue)))]
            try:
                await self._commit(group)
            finally:
                for waiting in group:
                    waiting.done.cancel()  # without effect on those that have their result

    async def _commit(self, group: Sequence[_Waiting[I]]) -> None:
        try:
            results = await self._database.write(self._together([waiting.item for waiting in group]))
        except Exception as exc:  # noqa: BLE001 - every cause must reach its waiter, and the flusher must go on
            if len(group) > 1 and not isinstance(exc, StoreUnavailable):
                for waiting in group:
                    await self._commit([waiting])
                return
            results = [exc] * len(group)
        for waiting, result in zip(group, results, strict=True):
            if waiting.done.done():
                continue
            if isinstance(result, Exception):
                waiting.done.set_exception(result)
            else:
                waiting.done.set_result(result)


class GroupedWrites:
    """The same for scripts of any kind."""

    def __init__(self, database: Database) -> None:
        self._grouped = Grouped[Callable[[], Script[Any]]](database, _one_after_another)

    async def write(self, make: Callable[[], Script[T]]) -> T:
        """Run the script that `make` gives. `make` is called again where the group it was in failed."""
        result: T = await self._grouped.write(make)
        return result


def _one_after_another(makers: Sequence[Callable[[], Script[Any]]]) -> Script[list[Any]]:
    results: list[Any] = []
    for make in makers:
        result = yield from make()
        results.append(result)
    return results
