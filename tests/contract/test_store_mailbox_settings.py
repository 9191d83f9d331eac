"""The contract of `ports.Mailboxes`: limits and claims, pins, favourites, forwarding."""

import sqlite3
from asyncio import run
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tempmail.adapters.sql.sqlite import connect
from tempmail.domain.accounts import NewUser
from tempmail.domain.messages import Mailbox
from tempmail.errors import NotFound, QuotaReached
from tempmail.ports import Store
from tests.builders import NOW, at

BOX = "box@t.example"
NOBODY = 999


def add_user(store: Store, name: str = "ann", *, mailbox_limit: int = 10) -> int:
    return run(store.users.add(NewUser(name, None, "user", mailbox_limit), now=NOW, limit=100)).id


def add_box(store: Store, address: str = BOX, *, owner_id: int | None = None) -> Mailbox:
    return run(store.mailboxes.create(address, now=NOW, owner_id=owner_id))


def create_within(store: Store, owner_id: int, address: str) -> Mailbox | None:
    return run(store.mailboxes.create_new(address, now=NOW, owner_id=owner_id, within_limit=True))


def pins(store: Store, user_id: int) -> dict[str, int]:
    return {item.address: item.is_pinned for item in run(store.users.mailboxes(user_id, limit=100))}


@pytest.fixture
def sql(store: Store, database: Path) -> Iterator[sqlite3.Connection]:
    """For rows as an import leaves them."""
    with closing(connect(database)) as connection:
        yield connection


def test_a_mailbox_is_found_by_its_id(store: Store) -> None:
    box = add_box(store)
    assert run(store.mailboxes.get(box.id)) == box
    assert run(store.mailboxes.get(box.id + 1)) is None


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_within_the_limit_a_user_gets_that_many_mailboxes_and_not_one_more(store: Store, limit: int) -> None:
    ann = add_user(store, mailbox_limit=limit)
    for number in range(limit):
        assert create_within(store, ann, f"{number}@t.example")

    with pytest.raises(QuotaReached):
        create_within(store, ann, BOX)

    assert run(store.mailboxes.find(BOX)) is None
    assert run(store.users.mailbox_count(ann)) == limit


def test_without_the_limit_a_user_gets_more(store: Store) -> None:
    ann = add_user(store, mailbox_limit=0)
    assert run(store.mailboxes.create_new(BOX, now=NOW, owner_id=ann))
    assert run(store.users.mailbox_count(ann)) == 1


def test_at_the_limit_an_address_that_exists_is_none_all_the_same(store: Store) -> None:
    add_box(store)
    assert create_within(store, add_user(store, mailbox_limit=0), BOX) is None


def test_a_user_that_is_gone_gets_nothing_and_leaves_nothing(store: Store) -> None:
    with pytest.raises(NotFound):
        create_within(store, NOBODY, BOX)
    assert run(store.mailboxes.find(BOX)) is None


def test_a_mailbox_that_nobody_owns_can_be_claimed_once(store: Store) -> None:
    ann, bob = add_user(store, "ann"), add_user(store, "bob")
    box = add_box(store)

    assert run(store.mailboxes.claim_unowned(BOX.upper(), now=NOW, owner_id=ann)) is True
    assert run(store.mailboxes.claim_unowned(BOX, now=NOW, owner_id=bob)) is False
    assert run(store.mailboxes.claim_unowned(BOX, now=NOW, owner_id=ann)) is False
    assert run(store.mailboxes.linked(ann, [box.id])) == {box.id}
    assert run(store.mailboxes.linked(bob, [box.id])) == set()


def test_an_unknown_mailbox_cannot_be_claimed(store: Store) -> None:
    assert run(store.mailboxes.claim_unowned(BOX, now=NOW, owner_id=add_user(store))) is False
    assert run(store.mailboxes.find(BOX)) is None


def test_a_mailbox_that_may_log_in_cannot_be_claimed(store: Store) -> None:
    box, ann = add_box(store), add_user(store)
    run(store.mailbox_logins.allow([BOX], True, now=NOW))
    assert run(store.mailboxes.claim_unowned(BOX, now=NOW, owner_id=ann)) is False

    run(store.mailbox_logins.allow([BOX], False, now=NOW))
    assert run(store.mailboxes.claim_unowned(BOX, now=NOW, owner_id=ann)) is True
    assert run(store.mailboxes.linked(ann, [box.id])) == {box.id}


def test_a_claim_beyond_the_limit_links_nothing(store: Store) -> None:
    box, ann = add_box(store), add_user(store, mailbox_limit=1)
    create_within(store, ann, "a@t.example")
    with pytest.raises(QuotaReached):
        run(store.mailboxes.claim_unowned(BOX, now=NOW, owner_id=ann))
    assert run(store.mailboxes.linked(ann, [box.id])) == set()


def test_a_pin_is_toggled_for_one_user_only(store: Store) -> None:
    ann, bob = add_user(store, "ann"), add_user(store, "bob")
    box = add_box(store, owner_id=ann)
    add_box(store, owner_id=bob)
    toggle = [
        run(store.mailboxes.toggle_pin(box.id, user_id=ann, now=NOW, may_link=may_link))
        for may_link in (False, True, False)
    ]
    assert toggle == [True, False, True]
    assert (pins(store, ann), pins(store, bob)) == ({BOX: 1}, {BOX: 0})


def test_a_pin_links_a_user_who_may_be_linked(store: Store) -> None:
    box, ann = add_box(store), add_user(store)
    assert run(store.mailboxes.toggle_pin(box.id, user_id=ann, now=at(5), may_link=True)) is True
    assert pins(store, ann) == {BOX: 1}


def test_a_pin_links_nobody_who_may_not_be_linked(store: Store) -> None:
    box, ann = add_box(store), add_user(store)
    with pytest.raises(NotFound):
        run(store.mailboxes.toggle_pin(box.id, user_id=ann, now=NOW, may_link=False))
    assert pins(store, ann) == {}


def test_a_pin_on_a_mailbox_or_by_a_user_that_is_gone_is_not_found(store: Store) -> None:
    box, ann = add_box(store), add_user(store)
    for mailbox_id, user_id in ((box.id + 1, ann), (box.id, NOBODY)):
        with pytest.raises(NotFound):
            run(store.mailboxes.toggle_pin(mailbox_id, user_id=user_id, now=NOW, may_link=True))


def test_a_favorite_is_toggled(store: Store) -> None:
    box = add_box(store)
    shown = []
    for _ in range(3):
        toggled = run(store.mailboxes.toggle_favorite(box.id))
        found = run(store.mailboxes.get(box.id))
        assert found is not None
        shown.append((toggled, found.is_favorite))
    assert shown == [(True, 1), (False, 0), (True, 1)]
    assert run(store.mailboxes.toggle_favorite(box.id + 1)) is None


def test_an_imported_row_without_the_mark_becomes_a_favorite(store: Store, sql: sqlite3.Connection) -> None:
    box = add_box(store)
    sql.execute("update mailboxes set is_favorite = null")
    assert run(store.mailboxes.toggle_favorite(box.id)) is True


def test_setting_favorites_counts_each_mailbox_that_exists_once(store: Store) -> None:
    ids = [add_box(store, f"{number}@t.example").id for number in range(100)]
    assert run(store.mailboxes.set_favorite([*ids, *ids, NOBODY], True)) == 100
    assert run(store.mailboxes.set_favorite(ids[:1], False)) == 1
    assert run(store.mailboxes.set_favorite([], True)) == 0
    found = [run(store.mailboxes.get(id_)) for id_ in ids]
    assert [box.is_favorite for box in found if box] == [0] + [1] * 99


def test_setting_forwards_counts_each_mailbox_that_exists_once(store: Store) -> None:
    first, second = add_box(store, "a@t.example"), add_box(store, "b@t.example")
    assert run(store.mailboxes.set_forward([first.id, second.id, second.id, NOBODY], "Me@Else.example")) == 2
    assert run(store.mailboxes.set_forward([first.id], None)) == 1
    found = [run(store.mailboxes.get(box.id)) for box in (first, second)]
    assert [box.forward_to for box in found if box] == [None, "Me@Else.example"]


def test_ids_of_addresses_are_those_that_exist(store: Store) -> None:
    boxes = [add_box(store, address) for address in ("a@t.example", "b@t.example")]
    asked = ["b@t.example", "no@t.example", "a@t.example", "b@t.example"]
    assert run(store.mailboxes.ids_of(asked)) == {box.address: box.id for box in boxes}
    assert run(store.mailboxes.ids_of([])) == {}
