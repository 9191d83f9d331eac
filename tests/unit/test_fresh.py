"""Answers that are remembered for as long as nothing is committed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tempmail.errors import Forbidden
from tempmail.services.fresh import Fresh


class Source:
    """Counts how often it is read."""

    def __init__(self) -> None:
        self.version: int | None = 1
        self.reads = 0

    def reader(self, during: Callable[[], None] = lambda: None) -> Callable[[], Awaitable[int]]:
        async def read() -> int:
            self.reads += 1
            during()
            return self.reads

        return read


def test_a_result_is_given_again_until_something_is_committed() -> None:
    source = Source()
    fresh = Fresh[int](lambda: source.version)

    async def ask() -> list[int]:
        results = [await fresh.get("a", source.reader()) for _ in range(3)]
        source.version = 2
        return [*results, await fresh.get("a", source.reader())]

    assert asyncio.run(ask()) == [1, 1, 1, 2]


def test_a_commit_during_the_read_makes_the_next_one_read_again() -> None:
    source = Source()
    fresh = Fresh[int](lambda: source.version)

    async def ask() -> tuple[int, int]:
        def commit() -> None:
            source.version = 2

        return await fresh.get("a", source.reader(commit)), await fresh.get("a", source.reader())

    assert asyncio.run(ask()) == (1, 2)


def test_without_a_version_nothing_is_remembered() -> None:
    source = Source()
    fresh = Fresh[int](lambda: None)

    async def ask() -> tuple[int, int]:
        return await fresh.get("a", source.reader()), await fresh.get("a", source.reader())

    assert asyncio.run(ask()) == (1, 2)


def test_keys_are_apart_and_bounded() -> None:
    source = Source()
    fresh = Fresh[int](lambda: source.version, max_entries=2)

    async def ask() -> list[int]:
        return [await fresh.get(key, source.reader()) for key in ("a", "b", "a", "c", "a", "b")]

    assert asyncio.run(ask()) == [1, 2, 1, 3, 1, 4]


def test_errors_are_not_remembered() -> None:
    source = Source()
    fresh = Fresh[int](lambda: source.version)

    def refuse() -> None:
        raise Forbidden("no")

    async def ask() -> int:
        with pytest.raises(Forbidden):
            await fresh.get("a", source.reader(refuse))
        return await fresh.get("a", source.reader())

    assert asyncio.run(ask()) == 2
