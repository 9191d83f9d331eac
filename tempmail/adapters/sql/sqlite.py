"""The SQLite driver: one writer and a few read-only connections, each aiosqlite's connection on its own thread."""

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

from tempmail.adapters.sql import catalog
from tempmail.adapters.sql.script import STATEMENT_ROWS, Query, QueryMany, Rows, Script
from tempmail.errors import Conflict, StoreFull, StoreUnavailable

T = TypeVar("T")
P = ParamSpec("P")

BUSY_TIMEOUT_MS = 10_000
WAL_AUTOCHECKPOINT_PAGES = 32_000
"""128 MB: a bound for when nobody calls `checkpoint`, since the commit that crosses it pays for all the others."""
RESTART_PAGES = 4_000
"""16 MB: from here on `checkpoint` sees to it that the write-ahead log can begin anew."""

MIN_SQLITE = (3, 35, 0)  # RETURNING; also 3.34 for the trigram tokenizer, 3.31 for generated columns

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


class Gate:
    """A file lock that the writers of all processes queue at before they ask for SQLite's own lock.

    SQLite waits for a lock by sleeping and asking again, up to 100 ms at a time; the kernel wakes the next in line at
    once. Under load this cuts the longest waits of two writers from about 200 ms to 30 ms. Correctness does not rest on
    it: SQLite's lock is still taken. Raises OSError where its file cannot be made.
    """

    def __init__(self, database: Path) -> None:
        # Not the database file itself: closing another descriptor of that would drop SQLite's locks.
        self._descriptor = os.open(f"{database}-gate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._descriptor)


class SqliteDatabase:
    """Implements `script.Database`. One writer connection, so transactions of one process never wait on each other's
    locks; writers of other processes queue at the gate, and others still wait up to `BUSY_TIMEOUT_MS`."""

    def __init__(self, path: Path, writer: _Connection, readers: list[_Connection], gate: Gate) -> None:
        self._path = path
        self._keeper: tuple[_Connection, Gate] | None = None
        self._writer = writer
        self._readers = readers
        self._gate = gate
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
            try:
                gate = Gate(path)
            except OSError as exc:
                raise StoreUnavailable("the folder of the database cannot be written") from exc
            opened.pop_all()
        return cls(path, connections[0], connections[1:], gate)

    async def write(self, script: Script[T]) -> T:
        try:
            return await self._writer.run(_write, self._gate, script, self._queries)
        except sqlite3.Error as exc:
            raise translate(exc) from exc

    async def read(self, script: Script[T]) -> T:
        connection = self._writer
        if self._readers:
            self._turn = (self._turn + 1) % len(self._readers)
            connection = self._readers[self._turn]
        try:
            return await connection.run(transaction, "begin", script, self._queries)
        except sqlite3.Error as exc:
            raise translate(exc) from exc

    async def checkpoint(self) -> None:
        """Move committed pages from the write-ahead log into the database file, as far as no reader needs the old
        ones. On a connection of its own, so that neither commits nor reads wait for its fsync."""
        try:
            if self._keeper is None:
                # A gate of its own: within one process a file lock excludes nobody who holds the same descriptor.
                connection = await _open(self._path, read_only=False)
                try:
                    self._keeper = (connection, Gate(self._path))
                except OSError:
                    await connection.close()
                    raise
            connection, gate = self._keeper
            await connection.run(_checkpoint, gate)
        except OSError as exc:
            raise StoreUnavailable("the folder of the database cannot be written") from exc
        except sqlite3.Error as exc:
            raise translate(exc) from exc

    async def close(self) -> None:
        for connection in (*self._readers, self._writer):
            await connection.close()
        self._gate.close()
        if self._keeper is not None:
            connection, gate = self._keeper
            await connection.close()
            gate.close()


def _write(connection: sqlite3.Connection, gate: Gate, script: Script[T], queries: Mapping[str, str]) -> T:
    with gate:
        return transaction(connection, "begin immediate", script, queries)


def _checkpoint(connection: sqlite3.Connection, gate: Gate) -> None:
    [(_, logged_pages, _)] = connection.execute("pragma wal_checkpoint(passive)").fetchall()
    if logged_pages > RESTART_PAGES:
        # While others write, the log is never moved whole, and only then can it begin anew. Most of it has been moved
        # just now, so the writers wait for little.
        with gate:
            connection.execute("pragma wal_checkpoint(passive)").fetchall()


def transaction(connection: sqlite3.Connection, begin: str, script: Script[T], queries: Mapping[str, str]) -> T:
    """Run a script between `begin` and commit. Raises sqlite3.Error, after rolling back."""
    connection.execute(begin)
    try:
        query = next(script)
        while True:
            query = script.send(_execute(connection, query, queries[query.name]))
    except StopIteration as stop:
        connection.execute("commit")
        result: T = stop.value
        return result
    finally:
        # After an error, also one of COMMIT itself; SQLite has already rolled back some of them.
        if connection.in_transaction:
            connection.execute("rollback")


def _execute(connection: sqlite3.Connection, query: Query | QueryMany, text: str) -> Rows:
    if isinstance(query, Query):
        return connection.execute(text, query.params).fetchall()
    found: list[sqlite3.Row] = []
    for start in range(0, len(query.rows), STATEMENT_ROWS):
        rows = query.rows[start : start + STATEMENT_ROWS]
        statement = catalog.repeated(text, len(rows))
        found += connection.execute(statement.text, statement.bind(rows, query.params)).fetchall()
    return found


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
