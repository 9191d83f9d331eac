"""What many tests share: a clock that stands still, and a store."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import tempmail
from tempmail.adapters.sql import SqlStore, open_store
from tempmail.adapters.sql.migrate import migrate
from tempmail.clock import FakeClock


def pytest_sessionstart() -> None:
    """Refuse to test what was compiled from older sources."""
    package = Path(tempmail.__file__).parent
    for compiled in package.rglob("*.so"):
        source = compiled.parent / f"{compiled.name.partition('.')[0]}.py"
        if not source.exists() or source.stat().st_mtime > compiled.stat().st_mtime:
            raise pytest.UsageError(
                f"{compiled.name} does not come from its source of now: run make compile, or make interpret"
            )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the database of `store` is."""
    return tmp_path / "tempmail.db"


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows; to be copied."""
    path = tmp_path_factory.mktemp("empty") / "tempmail.db"
    migrate(path, FakeClock())
    return path


@pytest.fixture
def disk_store(database: Path, empty_database: Path, clock: FakeClock) -> Iterator[SqlStore]:
    shutil.copyfile(empty_database, database)
    opened = asyncio.run(open_store(database, clock=clock, migrated=True))
    yield opened
    asyncio.run(opened.close())


@pytest.fixture
def store(disk_store: SqlStore) -> SqlStore:
    return disk_store


@pytest.fixture
def other_store(store: SqlStore, database: Path, clock: FakeClock) -> Iterator[SqlStore]:
    """A second store on the database of `store`, with connections of its own, as another process has it."""
    opened = asyncio.run(open_store(database, clock=clock, migrated=True))
    yield opened
    asyncio.run(opened.close())
