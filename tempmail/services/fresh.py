"""Answers that are remembered for as long as nothing is committed: what pollers ask for again and again."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")

Version = Callable[[], int | None]
"""A number that changes with every commit of any process; None where the store cannot tell, which turns remembering
off. Cheap enough for every request."""


class Fresh(Generic[T]):
    """The latest `max_entries` results of one kind of read. Never stale: a result is given out again only while the
    store's version is still the one from before it was read."""

    def __init__(self, version: Version, *, max_entries: int = 256) -> None:
        self._version = version
        self._max_entries = max_entries
        self._results: OrderedDict[Hashable, tuple[int, T]] = OrderedDict()

    async def get(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """The remembered result under `key`, or that of `read`, whose errors are not remembered. `key` must hold all
        that the result depends on besides the store's content."""
        version = self._version()
        if version is None:
            return await read()
        remembered = self._results.get(key)
        if remembered is not None and remembered[0] == version:
            self._results.move_to_end(key)
            return remembered[1]
        result = await read()
        self._results[key] = (version, result)
        self._results.move_to_end(key)
        if len(self._results) > self._max_entries:
            self._results.popitem(last=False)
        return result
