"""SQLite's count of commits, as the web process sees it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tempmail.adapters.sql.data_version import DataVersion
from tempmail.adapters.sql.migrate import migrate
from tempmail.adapters.sql.sqlite import connect
from tempmail.clock import FakeClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    migrate(tmp_path / "tempmail.db", FakeClock())
    return tmp_path / "tempmail.db"


@pytest.fixture
def version(path: Path) -> Iterator[DataVersion]:
    version = DataVersion(path)
    yield version
    version.close()


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    writer = connect(path)
    yield writer
    writer.close()


def insert(writer: sqlite3.Connection, name: str) -> None:
    writer.execute("insert into users (username) values (?)", (name,))


def test_it_stays_while_nothing_is_committed(version: DataVersion, writer: sqlite3.Connection) -> None:
    before = version()
    writer.execute("begin immediate")
    insert(writer, "ann")
    assert version() == before
    writer.execute("rollback")
    writer.execute("select * from users").fetchall()
    assert version() == before


def test_every_commit_changes_it(version: DataVersion, writer: sqlite3.Connection) -> None:
    seen = [version()]
    for name in ("ann", "bob", "cid"):
        insert(writer, name)
        seen.append(version())
    assert len(set(seen)) == 4


def test_a_checkpoint_is_no_reason_to_wait_or_fail(version: DataVersion, writer: sqlite3.Connection) -> None:
    insert(writer, "ann")
    writer.execute("pragma wal_checkpoint(truncate)")
    assert version() is not None


def test_it_cannot_tell_when_closed(path: Path) -> None:
    version = DataVersion(path)
    version.close()
    assert version() is None
