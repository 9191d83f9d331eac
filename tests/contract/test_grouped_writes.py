"""Writes that share a commit: each gets its own result, and none its neighbour's failure."""

import asyncio
from typing import Any

import pytest

from tempmail.adapters.sql.grouped import MAX_ITEMS, GroupedWrites
from tempmail.adapters.sql.memory import MemoryDatabase
from tempmail.adapters.sql.script import Query, Script, T
from tempmail.clock import FakeClock
from tempmail.errors import Conflict, StoreUnavailable

ROOMY_BYTES = 8 << 20


class Counting(MemoryDatabase):
    """Counts its transactions; each takes a turn of the event loop."""

    def __init__(self) -> None:
        super().__init__(FakeClock(), max_bytes=ROOMY_BYTES)
        self.commits = 0
        self.is_away = False

    async def write(self, script: Script[T]) -> T:
        await asyncio.sleep(0)
        self.commits += 1
        if self.is_away:
            raise StoreUnavailable("away")
        return await super().write(script)


def pausing(account: str, until: str = "2030-01-01 00:00:00") -> Script[str]:
    params = {"provider": "resend", "account": account, "until": until, "reason": ""}
    yield Query("outbox.pause", params)
    if account == "bad":
        raise Conflict("it does not fit")
    return account


async def written(database: Counting, *accounts: str) -> list[Any]:
    grouped = GroupedWrites(database)
    return await asyncio.gather(
        *(grouped.write(lambda name=name: pausing(name)) for name in accounts),  # type: ignore[misc]
        return_exceptions=True,
    )


async def stored(database: Counting) -> list[str]:
    def script() -> Script[list[str]]:
        rows = yield Query("outbox.pauses", {"now": ""})
        return [row["account"] for row in rows]

    return await database.read(script())


def test_writes_at_once_share_a_commit_up_to_a_limit_and_each_has_its_result() -> None:
    async def case() -> None:
        database = Counting()
        names = [f"{number:03d}" for number in range(MAX_ITEMS + 1)]
        assert await written(database, *names) == names
        assert await stored(database) == names
        assert database.commits == 2

    asyncio.run(case())


def test_one_that_fails_is_rolled_back_alone() -> None:
    async def case() -> None:
        database = Counting()
        first, second, third = await written(database, "a", "bad", "c")
        assert (first, third) == ("a", "c")
        assert isinstance(second, Conflict)
        assert await stored(database) == ["a", "c"]

    asyncio.run(case())


def test_where_the_store_is_away_it_is_so_for_all_and_asked_once() -> None:
    async def case() -> None:
        database = Counting()
        database.is_away = True
        results = await written(database, "a", "b")
        assert [type(result) for result in results] == [StoreUnavailable] * 2
        assert database.commits == 1

    asyncio.run(case())


def test_a_waiter_that_is_cancelled_takes_nobody_with_it() -> None:
    async def case() -> None:
        database = Counting()
        grouped = GroupedWrites(database)
        first = asyncio.create_task(grouped.write(lambda: pausing("a")))
        second = asyncio.create_task(grouped.write(lambda: pausing("b")))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == "b"
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await stored(database) == ["a", "b"]

    asyncio.run(case())
