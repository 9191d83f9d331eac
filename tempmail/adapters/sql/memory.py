"""A whole database in memory, of bounded size: what the demonstration world lives in."""

import sqlite3
from contextlib import ExitStack
from pathlib import Path

from tempmail.adapters.sql import catalog
from tempmail.adapters.sql.migrate import create
from tempmail.adapters.sql.script import Script, T
from tempmail.adapters.sql.sqlite import connect, transaction, translate
from tempmail.clock import Clock

_IN_MEMORY = Path(":memory:")


class MemoryDatabase:
    """Implements `script.Database`, empty at first. Scripts run at once, in the caller's thread: there is no disk to
    wait for. A write beyond `max_bytes` raises `StoreFull` and leaves nothing behind."""

    def __init__(self, clock: Clock, *, max_bytes: int) -> None:
        with ExitStack() as opened:
            self._connection = connect(_IN_MEMORY)
            opened.callback(self._connection.close)
            create(self._connection, clock)
            [(page_bytes,)] = self._connection.execute("pragma page_size").fetchall()
            self._connection.execute(f"pragma max_page_count = {max_bytes // page_bytes:d}")
            opened.pop_all()
        self._queries = catalog.load()
        self._version = 0

    def version(self) -> int:
        """A number that changes with every write (see `services.fresh.Version`)."""
        return self._version

    async def read(self, script: Script[T]) -> T:
        try:
            return transaction(self._connection, "begin", script, self._queries)
        except sqlite3.Error as exc:
            raise translate(exc) from exc

    async def write(self, script: Script[T]) -> T:
        self._version += 1
        try:
            return transaction(self._connection, "begin immediate", script, self._queries)
        except sqlite3.Error as exc:
            raise translate(exc) from exc

    def take_over(self, other: "MemoryDatabase") -> None:
        """Hold what `other` holds instead; `other` is not to be used any more."""
        self._connection.close()
        self._connection = other._connection
        self._version += 1

    async def checkpoint(self) -> None:
        return None

    async def close(self) -> None:
        self._connection.close()
