"""The store's contract holds for each kind of store there is."""

import asyncio
from collections.abc import Iterator

import pytest

from tempmail.adapters.sql import SqlStore
from tempmail.adapters.sql.memory import MemoryDatabase
from tempmail.clock import FakeClock

ROOMY_BYTES = 64 << 20


@pytest.fixture
def store(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[SqlStore]:
    """An empty store: on disk, or, for tests that look at nothing but the store, in memory too."""
    if getattr(request, "param", "disk") == "disk":
        yield request.getfixturevalue("disk_store")
        return
    opened = SqlStore(MemoryDatabase(clock, max_bytes=ROOMY_BYTES))
    yield opened
    asyncio.run(opened.close())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store" in metafunc.fixturenames and not _looks_at_the_disk(metafunc):
        metafunc.parametrize("store", ["disk", "memory"], indirect=True)


def _looks_at_the_disk(metafunc: pytest.Metafunc) -> bool:
    """Whether the test, or a fixture of its own, reads or writes the database file."""
    info = metafunc.definition._fixtureinfo
    asked = [info.argnames]
    asked += [defs[-1].argnames for name, defs in info.name2fixturedefs.items() if name not in ("store", "disk_store")]
    return any("database" in names or "other_store" in names for names in asked)
