"""What the outbox costs beside many mails that wait for later: as much as beside few."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tempmail.adapters.sql import SqlStore, catalog, outbox_calls
from tempmail.adapters.sql.migrate import migrate
from tempmail.adapters.sql.script import Script, T
from tempmail.adapters.sql.sqlite import connect, transaction
from tempmail.clock import SystemClock, stamp
from tempmail.domain.outbound import Kind, State
from tempmail.ports.outbound import OutboxFilter
from tests.bench.outbox import fill_with_later
from tests.outbound_builders import new_outbound

SMALL, LARGE = 3_000, 12_000
DUE = 20
YEAR_S = 365 * 86_400


class Watched:
    """Implements `script.Database` on one connection; counts the steps."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._queries = catalog.load()
        self.steps = 0

    async def read(self, script: Script[T]) -> T:
        return await self.write(script)

    async def write(self, script: Script[T]) -> T:
        self._connection.set_progress_handler(self._step, 10)
        try:
            return transaction(self._connection, "begin immediate", script, self._queries)
        finally:
            self._connection.set_progress_handler(None, 0)

    def _step(self) -> int:
        self.steps += 1
        return 0

    async def checkpoint(self) -> None:
        return None

    async def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Size → a database with so many mails of later, and as many that are due."""
    clock = SystemClock()
    paths = {}
    for size in (SMALL, LARGE):
        paths[size] = path = tmp_path_factory.mktemp("outbox") / "tempmail.db"
        migrate(path, clock)
        fill_with_later(path, size)
        now = stamp(clock.now() - 10)

        async def add(path: Path = path, now: str = now) -> None:
            store = SqlStore(Watched(path))
            due = [new_outbound(due=now, created_at=now, deadline=stamp(clock.now() + YEAR_S)) for _ in range(DUE)]
            await store.outbox.add(due, [None] * DUE)
            await store.close()

        asyncio.run(add())
        with closing(connect(path)) as connection:
            connection.execute("analyze")
    return paths


def steps(path: Path, work: Callable[[SqlStore], Any]) -> tuple[int, Any]:
    async def watched() -> tuple[int, Any]:
        database = Watched(path)
        store = SqlStore(database)
        try:
            return (await work(store), database.steps)[::-1]
        finally:
            await store.close()

    return asyncio.run(watched())


def test_a_claim_costs_the_same_however_many_wait_for_later(databases: dict[int, Path]) -> None:
    now = SystemClock().now()
    counted = {}
    for size, path in databases.items():
        database = Watched(path)
        claimed = asyncio.run(
            database.write(outbox_calls.claim(stamp(now), stamp(now + 1), limit=2 * DUE, max_bytes=1 << 20))
        )
        assert len(claimed) == DUE
        counted[size] = database.steps
        asyncio.run(database.close())
    assert counted[LARGE] <= 1.2 * counted[SMALL] + 20


LOOKS: dict[str, Callable[[SqlStore], Any]] = {
    "nothing due": lambda store: store.outbox.claim(now="2000-01-01 00:00:00", until="2000", limit=9),
    "lookups": lambda store: store.outbox.claim_lookups(now=stamp(SystemClock().now()), until="9", limit=9),
    "counts": lambda store: store.outbox.counts(),
    "purge": lambda store: store.outbox.purge(stamp(SystemClock().now() + YEAR_S), limit=9),
    "list": lambda store: store.outbox.page(OutboxFilter()),
    "list of a state": lambda store: store.outbox.page(OutboxFilter(state=State.SCHEDULED)),
    "list of an empty state": lambda store: store.outbox.page(OutboxFilter(state=State.UNKNOWN)),
    "list of a kind": lambda store: store.outbox.page(OutboxFilter(kind=Kind.SEND)),
    "list of a user": lambda store: store.outbox.page(OutboxFilter(user_id=7)),
    "sent": lambda store: store.sent.page("me@shop.example", limit=20),
    "find": lambda store: store.outbox.find("nothing of that name"),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_four_times_the_mails_cost_no_more_steps(databases: dict[int, Path], look: Callable[[SqlStore], Any]) -> None:
    few, many = (steps(databases[size], look)[0] for size in (SMALL, LARGE))
    assert many <= 1.5 * few + 100


def test_a_scan_would_be_seen(databases: dict[int, Path]) -> None:
    with closing(connect(databases[LARGE])) as connection:
        counted = []
        connection.set_progress_handler(lambda: counted.append(1), 10)
        connection.execute("select count(*) from outbox where error is not null").fetchall()
    assert len(counted) > 1_000
