"""What is SQLite's own: settings of every connection, locks, a full disk, and what a killed process leaves behind."""

import itertools
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from asyncio import run
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tempmail.adapters.sql import SqlStore, open_store, sqlite
from tempmail.adapters.sql.script import Query, Script, one
from tempmail.adapters.sql.sqlite import SqliteDatabase, connect, translate
from tempmail.clock import FakeClock
from tempmail.errors import ConfigError, StoreFull, StoreUnavailable
from tests.builders import NOW, RAW, incoming

SETTINGS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": sqlite.BUSY_TIMEOUT_MS}

ADD_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from tempmail.adapters.sql import open_store
from tempmail.clock import SystemClock
from tests.builders import incoming

async def main():
    store = await open_store(Path(sys.argv[1]), clock=SystemClock())
    while True:
        for stored in await store.mail.add([incoming("a@t.example", "b@t.example") for _ in range(3)]):
            print(*stored.message_ids, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("read_only", [False, True], ids=["writer", "reader"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_every_connection_is_durable_and_checks_references(database: Path, setting: str, read_only: bool) -> None:
    with closing(connect(database, read_only=read_only)) as connection:
        assert connection.execute(f"pragma {setting}").fetchone()[0] == SETTINGS[setting]


def test_a_read_cannot_write(store: SqlStore, database: Path) -> None:
    async def write_by_reading() -> None:
        opened = await SqliteDatabase.open(database)
        try:
            await opened.read(one("users.insert_admin", {"username": "root", "now": NOW}))
        finally:
            await opened.close()

    with pytest.raises(StoreUnavailable) as caught:
        run(write_by_reading())
    assert "readonly" in str(caught.value.__cause__)


def test_a_script_reads_one_snapshot(store: SqlStore, database: Path) -> None:
    def two_reads() -> Script[list[int]]:
        counts = []
        for _ in range(2):
            rows = yield Query("spool.size")
            counts.append(int(rows[0]["entries"]))
            with closing(connect(database)) as another:
                another.execute("insert into spool (object_key, size_bytes, due) values (random(), 1, 'now')")
        return counts

    async def read() -> list[int]:
        opened = await SqliteDatabase.open(database)
        try:
            return await opened.read(two_reads())
        finally:
            await opened.close()

    assert run(read()) == [0, 0]


def test_reads_run_on_the_writer_where_there_are_no_readers(database: Path, clock: FakeClock) -> None:
    async def round_trip() -> str | None:
        store = await open_store(database, clock=clock, readers=0)
        try:
            [stored] = await store.mail.add([incoming(subject="read on the writer")])
            found = await store.mail.get(stored.message_ids[0])
            return found.subject if found else None
        finally:
            await store.close()

    assert run(round_trip()) == "read on the writer"


def test_a_file_that_is_no_database_is_refused_at_opening(database: Path, clock: FakeClock) -> None:
    database.write_text("no database\n" * 1000)
    with pytest.raises(ConfigError):
        run(open_store(database, clock=clock))
    with pytest.raises(StoreUnavailable):
        run(open_store(database, clock=clock, migrated=True))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process in the middle of a transaction."""
    with closing(connect(path)) as another:
        another.execute("begin immediate")
        yield


def test_a_lock_held_for_too_long_makes_the_store_unavailable_and_passes(
    database: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 1)
    store = run(open_store(database, clock=clock))
    try:
        with locked(database):
            with pytest.raises(StoreUnavailable):
                run(store.mail.add([incoming()]))
            with pytest.raises(StoreUnavailable):
                run(store.ping())
            assert run(store.spool.size()) == (0, 0)  # readers never wait for a writer
        run(store.ping())
        run(store.mail.add([incoming()]))
        assert run(store.spool.size())[0] == 1
    finally:
        run(store.close())


@contextmanager
def disk_full_above(size_bytes: int) -> Iterator[None]:
    """No file of this process grows past `size_bytes`: the nearest to a full disk without one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_nothing_is_kept_and_the_store_recovers(store: SqlStore, database: Path) -> None:
    run(store.mail.add([incoming()]))
    with disk_full_above(database.with_name(f"{database.name}-wal").stat().st_size):
        with pytest.raises(StoreFull):
            run(store.mail.add([incoming("new@t.example", body=b"m" * 100_000)]))
        assert run(store.spool.size()) == (1, len(RAW))
    assert run(store.mailboxes.find("new@t.example")) is None

    run(store.mail.add([incoming("new@t.example")]))
    assert run(store.spool.size())[0] == 2


def test_a_database_at_its_own_size_limit_is_full(store: SqlStore, database: Path) -> None:
    with closing(connect(database)) as connection:
        connection.execute("pragma max_page_count = 1")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("insert into object_deletes (object_key, due) values (hex(zeroblob(100000)), '')")
    assert isinstance(translate(caught.value), StoreFull)


def test_what_was_acknowledged_survives_a_kill_at_any_instant_and_nothing_is_half_there(
    database: Path, clock: FakeClock
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ADD_UNTIL_KILLED, str(database)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = list(itertools.islice(process.stdout, 20))
    os.kill(process.pid, signal.SIGKILL)
    lines += process.communicate(timeout=30)[0].splitlines(keepends=True)
    acknowledged = [int(id_) for line in lines if line.endswith("\n") for id_ in line.split()]

    store = run(open_store(database, clock=clock))
    try:
        found = run(store.mail.get_many(acknowledged))
        assert [message.id for message in found] == sorted(acknowledged)
        bodies = [run(store.spool.body(message.r2_object_key)) for message in found]
        assert all(entry is not None and entry.body == RAW for entry in bodies)
    finally:
        run(store.close())
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        bodies_of_two, messages, entries = connection.execute(
            "select (select count(*) from spool_bodies), (select count(*) from messages), (select count(*) from spool)"
        ).fetchone()
        assert (messages, entries) == (2 * bodies_of_two, bodies_of_two)
        assert entries % 3 == 0


def test_after_a_checkpoint_the_log_begins_anew_instead_of_growing(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "tempmail.db"

    async def sizes() -> list[int]:
        store = await open_store(path, clock=clock)
        try:
            found = []
            for turn in range(3):
                await store.mail.add([incoming(uuid=f"{turn}-{n}", body=b"x" * 100_000) for n in range(200)])
                found.append(path.with_name("tempmail.db-wal").stat().st_size)
                await store.checkpoint()
            return found
        finally:
            await store.close()

    first, *later = run(sizes())
    assert first > sqlite.RESTART_PAGES * 4096
    assert all(size < 1.2 * first for size in later)
