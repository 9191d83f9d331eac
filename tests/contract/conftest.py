"""The store's contract holds for each kind of store there is; the HTTP side is tried on a server of the test's own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tempmail.adapters.sql import SqlStore
from tempmail.adapters.sql.memory import MemoryDatabase
from tempmail.clock import FakeClock
from tests.contract.capsule_suite import Future
from tests.contract.web_suite import Server

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


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with nothing in it."""
    with Server(tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the cases of a module that name all they touch, and leave nothing that matters to others."""
    with Server(tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture
def future(tmp_path: Path) -> Iterator[Future]:
    """A writer of mail to the future, on a server of its own."""
    with Server(tmp_path) as server:
        yield Future.of(server, tmp_path / "real" / "spool")


@pytest.fixture
def still(shared: Server, tmp_path: Path) -> Future:
    """Likewise, on a server that many tests share: nobody moves its clock."""
    return Future.of(shared, tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "store" in metafunc.fixturenames and not _looks_at_the_disk(metafunc):
        metafunc.parametrize("store", ["disk", "memory"], indirect=True)


def _looks_at_the_disk(metafunc: pytest.Metafunc) -> bool:
    """Whether the test, or a fixture of its own, reads or writes the database file."""
    info = metafunc.definition._fixtureinfo
    asked = [info.argnames]
    asked += [defs[-1].argnames for name, defs in info.name2fixturedefs.items() if name not in ("store", "disk_store")]
    return any("database" in names or "other_store" in names for names in asked)
