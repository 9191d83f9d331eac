"""The SQLite driver: one writer and a few read-only connections, each aiosqlite's connection on its own thread."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from tempmail.adapters.sql import catalog
from tempmail.adapters.sql.script import Rows, Script
from tempmail.errors import Conflict, StoreFull, StoreUnavailable

T = TypeVar("T")
P = ParamSpec("P")

BUSY_TIMEOUT_MS = 10_000
WAL_AUTOCHECKPOINT_PAGES = 4_000
MIN_SQLITE = (3, 35, 0)  # RETURNING

# What a full disk looks like, besides SQLITE_FULL: the WAL or its index cannot grow.
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection with the settings that every one of them has. Transactions are begun by hand."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256, check_same_thread=False)
    try:
        _configure(connection, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(connection: sqlite3.Connection, *, read_only: bool) -> None:
    connection.row_factory = sqlite3.Row
    connection.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_MS:d}")
    connection.execute("pragma journal_mode = wal")
    # FULL: the WAL is fsynced at each commit, so that a commit survives a power cut. Group commit shares the cost.
    connection.execute("pragma synchronous = full")
    connection.execute("pragma foreign_keys = on")
    connection.execute(f"pragma wal_autocheckpoint = {WAL_AUTOCHECKPOINT_PAGES:d}")
    connection.execute("pragma cache_size = -8000")
    if read_only:
        connection.execute("pragma query_only = on")


class _Connection(aiosqlite.Connection):
    """aiosqlite's connection, able to run a whole function on its thread: a transaction is one hop, not one a
    statement (a hop costs about 90 µs)."""

    async def run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        result: T = await self._execute(function, self._conn, *args, **kwargs)  # type: ignore[no-untyped-call]
        return result


async def _open(path: Path, *, read_only: bool) -> _Connection:
    # Connected before aiosqlite starts its thread: where its connector fails, it leaves the thread to report to a loop
    # that may be closed by then.
    connected = await asyncio.to_thread(connect, path, read_only=read_only)
    connection = _Connection(lambda: connected, iter_chunk_size=64)
    await connection
    return connection


class SqliteDatabase:
    """Implements `script.Database`. One writer connection, so transactions of one process never wait on each other's
    locks; other processes wait up to `BUSY_TIMEOUT_MS`."""

    def __init__(self, writer: _Connection, readers: list[_Connection]) -> None:
        self._writer = writer
        self._readers = readers
        self._turn = 0
        self._queries = catalog.load()

    @classmethod
    async def open(cls, path: Path, *, readers: int = 1) -> "SqliteDatabase":
        """Open an existing, migrated database. Without readers, reads run on the writer."""
        async with contextlib.AsyncExitStack() as opened:
            try:
                connections = []
                for read_only in (False, *[True] * readers):
                    connections.append(await _open(path, read_only=read_only))
                    opened.push_async_callback(connections[-1].close)
            except sqlite3.Error as exc:
                raise translate(exc) from exc
            opened.pop_all()
        return cls(connections[0], connections[1:])

    async def write(self, script: Script[T]) -> T:
        try:
            return await self._writer.run(_transaction, "begin immediate", script, self._queries)
        except sqlite3.Error as exc:
            raise translate(exc) from exc

    async def read(self, script: Script[T]) -> T:
        connection = self._writer
        if self._readers:
            self._turn = (self._turn + 1) % len(self._readers)
            connection = self._readers[self._turn]
        try:
            return await connection.run(_transaction, "begin", script, self._queries)
        except sqlite3.Error as exc:
            raise translate(exc) from exc

    async def close(self) -> None:
        for connection in (*self._readers, self._writer):
            await connection.close()


def _transaction(connection: sqlite3.Connection, begin: str, script: Script[T], queries: Mapping[str, str]) -> T:
    connection.execute(begin)
    try:
        rows: Rows = ()
        query = next(script)
        while True:
            rows = connection.execute(queries[query.name], query.params).fetchall()
            query = script.send(rows)
    except StopIteration as stop:
        connection.execute("commit")
        result: T = stop.value
        return result
    finally:
        # After an error, also one of COMMIT itself; SQLite has already rolled back some of them.
        if connection.in_transaction:
            connection.execute("rollback")


def translate(error: sqlite3.Error) -> Exception:
    """The error of our tree for one of SQLite's. Its text is for users; SQLite's own is for the log, as the cause."""
    code = getattr(error, "sqlite_errorcode", None)
    if code in _FULL:
        return StoreFull("the disk under the database is full")
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict("it conflicts with what is stored")
    if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError):
        return StoreUnavailable("the database is unavailable")
    return error
