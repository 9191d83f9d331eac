"""Who wins where two processes want one mailbox, one place within a limit, or a mailbox that is being deleted."""

import sqlite3
from asyncio import create_task, gather, run, wait
from collections.abc import Coroutine, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tempmail.adapters.sql.deleting import CHUNK
from tempmail.adapters.sql.sqlite import connect
from tempmail.domain.accounts import NewUser
from tempmail.domain.messages import StoredMail
from tempmail.errors import QuotaReached
from tempmail.ports import Store
from tests.builders import NOW, at, incoming

BOX = "box@t.example"
AT_ONCE = 6


@pytest.fixture
def sides(store: Store, other_store: Store) -> list[Store]:
    """As many callers as there are at once, in turn of either process."""
    return [store, other_store] * (AT_ONCE // 2)


def add_users(store: Store, count: int, *, mailbox_limit: int = 10) -> list[int]:
    drafts = [NewUser(f"user{number}", None, "user", mailbox_limit) for number in range(count)]
    return [run(store.users.add(draft, now=NOW, limit=100)).id for draft in drafts]


def race(calls: Sequence[Coroutine[Any, Any, object]]) -> list[object]:
    """What each of them returned or raised, in order."""

    async def all_at_once() -> list[object]:
        return await gather(*calls, return_exceptions=True)

    return run(all_at_once())


def links(store: Store, users: Sequence[int]) -> int:
    return sum(run(store.users.mailbox_count(user_id)) for user_id in users)


def test_creating_at_once_never_exceeds_the_limit(store: Store, sides: list[Store]) -> None:
    [ann] = add_users(store, 1, mailbox_limit=2)
    addresses = [f"{number}@t.example" for number in range(AT_ONCE)]

    made = race(
        [
            side.mailboxes.create_new(address, now=NOW, owner_id=ann, within_limit=True)
            for side, address in zip(sides, addresses, strict=True)
        ]
    )

    assert sum(isinstance(each, QuotaReached) for each in made) == AT_ONCE - 2
    assert run(store.users.mailbox_count(ann)) == 2
    assert len(run(store.mailboxes.ids_of(addresses))) == 2


def test_creating_claiming_and_being_assigned_at_once_never_exceeds_the_limit(store: Store, sides: list[Store]) -> None:
    [ann] = add_users(store, 1, mailbox_limit=1)
    run(store.mailboxes.create(BOX, now=NOW, owner_id=None))
    one, other = sides[0], sides[1]

    ended = race(
        [
            one.mailboxes.create_new("new@t.example", now=NOW, owner_id=ann, within_limit=True),
            other.mailboxes.claim_unowned(BOX, now=NOW, owner_id=ann),
            one.users.assign(ann, "given@t.example", now=NOW),
        ]
    )

    assert sum(isinstance(each, QuotaReached) for each in ended) == 2
    assert run(store.users.mailbox_count(ann)) == 1


def test_of_those_who_create_one_address_at_once_one_gets_it(store: Store, sides: list[Store]) -> None:
    users = add_users(store, AT_ONCE)

    made = race(
        [
            side.mailboxes.create_new(BOX, now=NOW, owner_id=user, within_limit=True)
            for side, user in zip(sides, users, strict=True)
        ]
    )

    assert sorted(each is None for each in made) == [False] + [True] * (AT_ONCE - 1)
    assert links(store, users) == 1


def test_of_those_who_claim_one_mailbox_at_once_one_gets_it(store: Store, sides: list[Store]) -> None:
    users = add_users(store, AT_ONCE)
    run(store.mailboxes.create(BOX, now=NOW, owner_id=None))

    claimed = race(
        [side.mailboxes.claim_unowned(BOX, now=NOW, owner_id=user) for side, user in zip(sides, users, strict=True)]
    )

    assert sorted(claimed, key=bool) == [False] * (AT_ONCE - 1) + [True]
    assert links(store, users) == 1


def test_pins_and_favorites_toggled_at_once_all_count(store: Store, sides: list[Store]) -> None:
    [ann] = add_users(store, 1)
    box = run(store.mailboxes.create(BOX, now=NOW, owner_id=None))

    pinned = race([side.mailboxes.toggle_pin(box.id, user_id=ann, now=NOW, may_link=True) for side in sides])
    favorite = race([side.mailboxes.toggle_favorite(box.id) for side in sides])

    assert sorted(pinned, key=bool) == sorted(favorite, key=bool) == [False] * 3 + [True] * 3
    assert run(store.users.mailbox_count(ann)) == 1


def test_mail_that_arrives_while_its_mailbox_is_deleted_is_neither_lost_nor_orphaned(
    store: Store, other_store: Store, database: Path
) -> None:
    """Deleting takes more than one transaction here; mail comes between them, and after the last."""
    before = run(store.mail.add([incoming(BOX) for _ in range(CHUNK + 1)]))
    is_over = False

    async def deliver() -> list[StoredMail]:
        nonlocal is_over
        stored = []
        try:
            for _ in range(60):
                stored += await store.mail.add([incoming(BOX)])
        finally:
            is_over = True
        return stored

    async def delete() -> int:
        deleted = 0
        while not is_over:
            box = await other_store.mailboxes.find(BOX)
            if box is not None:
                deleted += await other_store.mailboxes.delete(box.id, now=NOW)
        return deleted

    async def both() -> tuple[list[StoredMail], int]:
        delivering, deleting = create_task(deliver()), create_task(delete())
        await wait([delivering, deleting])
        return delivering.result(), deleting.result()

    stored, deleted = run(both())

    mails = {mail.object_key: mail.message_ids[0] for mail in [*before, *stored]}
    kept = {key for key, message_id in mails.items() if run(store.mail.get(message_id))}
    spooled = {key for key in mails if run(store.spool.body(key))}
    due = run(store.spool.claim_deletes(now=at(86_400), until=at(90_000), limit=1000))
    with closing(connect(database)) as connection:
        orphans = _orphans(connection)
    assert deleted >= 1
    assert kept == spooled
    assert {entry.object_key for entry in due} == mails.keys() - kept
    assert orphans == 0


def _orphans(connection: sqlite3.Connection) -> int:
    query = "select count(*) from messages where mailbox_id not in (select id from mailboxes)"
    [(count,)] = connection.execute(query).fetchall()
    return int(count)
