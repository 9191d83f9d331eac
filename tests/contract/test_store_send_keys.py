"""Which mails a request made, by the key that its caller gave it."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from tempmail.errors import Conflict
from tempmail.ports import Store
from tests.builders import NOW, at
from tests.outbound_builders import new_outbound, sent_record

NEVER = "2000-01-01 00:00:00"


def take(store: Store, owner: str, name: str, *uuids: str, **changes: Any) -> Awaitable[list[str]]:
    given = {"request_hash": "h", "uuids": uuids, "now": NOW, "forget_before": NEVER, **changes}
    return store.send_keys.take(owner, name, **given)


def test_a_new_key_is_its_own_and_an_old_one_the_first_s(store: Store) -> None:
    async def work() -> None:
        assert await store.send_keys.find("user 1", "k") is None
        assert await take(store, "user 1", "k", "a", "b") == ["a", "b"]
        assert await take(store, "user 1", "k", "c", "d") == ["a", "b"]
        assert await store.send_keys.find("user 1", "k") == ("h", ["a", "b"])
        assert await take(store, "user 2", "k", "e") == ["e"]
        assert await take(store, "user 1", "other", "f") == ["f"]

    asyncio.run(work())


def test_a_key_of_another_request_is_refused_and_stays(store: Store) -> None:
    async def work() -> None:
        await take(store, "user 1", "k", "a")
        with pytest.raises(Conflict):
            await take(store, "user 1", "k", "b", request_hash="other")
        assert await store.send_keys.find("user 1", "k") == ("h", ["a"])

    asyncio.run(work())


def test_keys_made_before_a_time_are_forgotten(store: Store) -> None:
    async def work() -> None:
        await take(store, "user 1", "old", "a")
        await take(store, "user 1", "new", "b", now=at(60), forget_before=at(1))
        assert await store.send_keys.find("user 1", "old") is None
        assert await store.send_keys.find("user 1", "new") == ("h", ["b"])

    asyncio.run(work())


def test_of_many_at_once_one_is_the_first(store: Store) -> None:
    async def work() -> None:
        answers = await asyncio.gather(*(take(store, "user 1", "k", f"uuid-{number}") for number in range(20)))
        assert len({tuple(answer) for answer in answers}) == 1

    asyncio.run(work())


def test_a_record_is_found_by_its_name(store: Store) -> None:
    async def work() -> None:
        first, second = new_outbound(), new_outbound()
        await store.outbox.add([first, second], [sent_record(first), sent_record(second)])
        found = await store.sent.find(first.uuid)
        assert found is not None
        assert (found.uuid, found.text_content) == (first.uuid, "Hi.")
        assert await store.sent.find("nothing") is None

    asyncio.run(work())
