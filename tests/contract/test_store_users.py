"""The contract of `ports.Users`: accounts, their links to mailboxes, and their limits, also against each other."""

import sqlite3
from asyncio import gather, run
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tempmail.adapters.sql.sqlite import connect
from tempmail.domain.accounts import NewUser, User, UserChange, UserMailbox, UserPage
from tempmail.errors import Conflict, NotFound, QuotaReached
from tempmail.ports import Store
from tests.builders import NOW, at


@pytest.fixture
def sql(store: Store, database: Path) -> Iterator[sqlite3.Connection]:
    """For what the port does not show."""
    with closing(connect(database)) as connection:
        yield connection


def add(store: Store, username: str = "ann", *, limit: int = 100, second: float = 0, **fields: object) -> User:
    user = NewUser(username, password_hash="hash", role="user", mailbox_limit=10)
    return run(store.users.add(replace(user, **fields), now=at(second), limit=limit))  # type: ignore[arg-type]


def get(store: Store, user_id: int) -> User:
    user = run(store.users.get(user_id))
    assert user is not None
    return user


def assign(store: Store, user: User, *addresses: str, within_limit: bool = True) -> None:
    for address in addresses:
        run(store.users.assign(user.id, address, now=NOW, within_limit=within_limit))


def page(store: Store, *, limit: int = 100, offset: int = 0, newest_first: bool = False) -> UserPage:
    return run(store.users.page(limit=limit, offset=offset, newest_first=newest_first))


def names(shown: UserPage) -> list[str]:
    return [item.username for item in shown.items]


def test_an_added_user_may_not_send_and_is_found_by_id_and_by_name(store: Store) -> None:
    added = add(store, "张三", role="admin", mailbox_limit=3, password_hash=None)
    assert added == User(
        id=added.id,
        username="张三",
        role="admin",
        can_send=0,
        mailbox_limit=3,
        created_at=NOW,
        password_hash=None,
        session_epoch=0,
    )
    assert run(store.users.get(added.id)) == added
    assert run(store.users.find("张三")) == added


def test_an_unknown_user_is_none(store: Store) -> None:
    assert run(store.users.get(1)) is None
    assert run(store.users.find("nobody")) is None


def test_a_taken_name_is_a_conflict_and_changes_nothing(store: Store) -> None:
    added = add(store)
    with pytest.raises(Conflict):
        add(store, role="admin")
    assert get(store, added.id) == added
    assert page(store).total == 1


def test_users_are_added_up_to_the_limit_and_none_above(store: Store) -> None:
    add(store, "a", limit=2)
    add(store, "b", limit=2)
    with pytest.raises(QuotaReached):
        add(store, "c", limit=2)
    assert names(page(store)) == ["a", "b"]


def test_of_many_that_add_one_name_at_once_one_gets_it(store: Store, other_store: Store) -> None:
    user = NewUser("ann", None, "user", 10)

    async def race() -> list[User | BaseException]:
        adds = (side.users.add(user, now=NOW, limit=100) for side in (store, other_store) * 4)
        return await gather(*adds, return_exceptions=True)

    outcomes = run(race())
    assert sum(isinstance(outcome, User) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 7
    assert page(store).total == 1


CHANGES: dict[str, tuple[UserChange, dict[str, object]]] = {
    "nothing": (UserChange(), {}),
    "name": (UserChange(username="bob"), {"username": "bob"}),
    "own-name": (UserChange(username="ann"), {}),
    "limit-to-none-at-all": (UserChange(mailbox_limit=0), {"mailbox_limit": 0}),
    "may-send": (UserChange(can_send=1), {"can_send": 1}),
    "may-not-send": (UserChange(can_send=0), {"can_send": 0}),
    "the-role-it-has": (UserChange(role="user"), {}),
    "another-role-ends-sessions": (UserChange(role="admin"), {"role": "admin", "session_epoch": 1}),
    "a-password-ends-sessions": (UserChange(password_hash="new"), {"password_hash": "new", "session_epoch": 1}),
    "all": (
        UserChange(username="bob", password_hash="new", role="admin", can_send=1, mailbox_limit=5),
        {
            "username": "bob",
            "password_hash": "new",
            "role": "admin",
            "can_send": 1,
            "mailbox_limit": 5,
            "session_epoch": 1,
        },
    ),
}


@pytest.mark.parametrize(("change", "fields"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_sets_what_it_names_and_leaves_the_rest(
    store: Store, change: UserChange, fields: dict[str, object]
) -> None:
    other, user = add(store, "other"), add(store)
    assert run(store.users.change(user.id, change)) is True
    assert get(store, user.id) == replace(user, **fields)  # type: ignore[arg-type]
    assert get(store, other.id) == other


def test_changing_nobody_is_told(store: Store) -> None:
    assert run(store.users.change(1, UserChange(mailbox_limit=5))) is False


def test_a_rename_to_a_taken_name_is_a_conflict_and_changes_nothing(store: Store) -> None:
    add(store, "bob")
    user = add(store)
    with pytest.raises(Conflict):
        run(store.users.change(user.id, UserChange(username="bob", role="admin")))
    assert get(store, user.id) == user


def test_of_many_that_take_one_name_at_once_one_gets_it(store: Store, other_store: Store) -> None:
    users = [add(store, f"user{number}") for number in range(6)]

    async def race() -> list[bool | BaseException]:
        sides = (store, other_store) * 3
        changes = (side.users.change(user.id, UserChange("ann")) for side, user in zip(sides, users, strict=True))
        return await gather(*changes, return_exceptions=True)

    outcomes = run(race())
    assert outcomes.count(True) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 5


def test_a_better_hash_takes_the_place_of_the_old_one_only(store: Store) -> None:
    user = add(store)
    run(store.users.upgrade_password(user.id, old_hash="another", new_hash="better"))
    assert get(store, user.id) == user
    run(store.users.upgrade_password(user.id, old_hash="hash", new_hash="better"))
    assert get(store, user.id) == replace(user, password_hash="better")


def test_a_deleted_user_takes_its_links_and_tokens_along_and_leaves_its_mailboxes(
    store: Store, sql: sqlite3.Connection
) -> None:
    user, other = add(store), add(store, "other")
    assign(store, user, "mine@t.example", "shared@t.example")
    assign(store, other, "shared@t.example")
    for owner in (user, other):
        sql.execute(
            "insert into api_tokens (user_id, name, secret_hash, actions, mailboxes, created_at)"
            " values (?, 't', ?, '', '', '')",
            (owner.id, owner.username),
        )

    assert run(store.users.delete(user.id)) is True

    assert run(store.users.get(user.id)) is None
    for table in ("user_mailboxes", "api_tokens"):
        assert [row["user_id"] for row in sql.execute(f"select user_id from {table}")] == [other.id]
    assert run(store.mailboxes.total()) == 2
    assert run(store.users.delete(user.id)) is False


def test_an_id_is_never_given_again(store: Store) -> None:
    first = add(store)
    run(store.users.delete(first.id))
    assert add(store).id > first.id


def test_a_page_is_by_id_either_way_and_counts_each_users_mailboxes(store: Store) -> None:
    users = [add(store, name, second=-number) for number, name in enumerate("abcd")]
    assign(store, users[1], "1@t.example", "2@t.example")
    assign(store, users[3], "1@t.example")

    assert names(page(store)) == ["a", "b", "c", "d"]
    assert names(page(store, newest_first=True)) == ["d", "c", "b", "a"]
    assert names(page(store, limit=2, offset=1)) == ["b", "c"]
    assert names(page(store, limit=2, offset=3, newest_first=True)) == ["a"]
    assert names(page(store, offset=4)) == []
    assert [item.mailbox_count for item in page(store).items] == [0, 2, 0, 1]
    first = page(store).items[0]
    assert (first.id, first.role, first.mailbox_limit, first.can_send, first.created_at) == (
        users[0].id,
        "user",
        10,
        0,
        NOW,
    )


def test_the_numbers_beside_a_page_are_those_of_the_whole_system(store: Store) -> None:
    empty = page(store)
    assert (empty.total, empty.total_mailboxes, empty.admin_count, empty.active_count) == (0, 0, 0, 0)
    run(store.users.ensure_admin("root", now=NOW))
    add(store, "a", role="admin")
    sender = add(store, "b")
    run(store.users.change(sender.id, UserChange(can_send=1)))
    add(store, "c")
    assign(store, sender, "1@t.example")
    run(store.mailboxes.create("nobodys@t.example", now=NOW, owner_id=None))

    shown = page(store, limit=1)

    assert len(shown.items) == 1
    assert (shown.total, shown.total_mailboxes, shown.admin_count, shown.active_count) == (4, 2, 2, 2)


def test_a_users_mailboxes_are_its_pins_first_then_newest_first(store: Store, sql: sqlite3.Connection) -> None:
    user, other = add(store), add(store, "other")
    for second, name in enumerate(("a", "b", "c")):
        run(store.mailboxes.create(f"{name}@t.example", now=at(second), owner_id=user.id))
    run(store.mailboxes.create("foreign@t.example", now=NOW, owner_id=other.id))
    sql.execute("update user_mailboxes set is_pinned = 1 where user_id = ? and mailbox_id = 1", (user.id,))
    sql.execute("update mailboxes set can_login = null where address = 'b@t.example'")
    sql.execute("update mailboxes set can_login = 1 where address = 'c@t.example'")

    assert run(store.users.mailboxes(user.id, limit=9)) == [
        UserMailbox("a@t.example", at(0), is_pinned=1, can_login=0),
        UserMailbox("c@t.example", at(2), is_pinned=0, can_login=1),
        UserMailbox("b@t.example", at(1), is_pinned=0, can_login=0),
    ]
    assert [box.address[0] for box in run(store.users.mailboxes(user.id, limit=2))] == ["a", "c"]
    assert run(store.users.mailboxes(999, limit=9)) == []


def test_assigning_creates_a_mailbox_in_lower_case_or_links_the_one_there_is(store: Store) -> None:
    user = add(store)
    there = run(store.mailboxes.create("there@t.example", now=NOW, owner_id=None))
    assign(store, user, "New@T.example", "THERE@t.example")
    new = run(store.mailboxes.find("new@t.example"))
    assert new is not None
    assert run(store.mailboxes.linked(user.id, [there.id, new.id])) == {there.id, new.id}
    assert run(store.users.mailbox_count(user.id)) == 2


def test_a_user_gets_as_many_mailboxes_as_its_limit_and_not_one_more(store: Store) -> None:
    user = add(store, mailbox_limit=2)
    assign(store, user, "1@t.example", "2@t.example")
    with pytest.raises(QuotaReached):
        assign(store, user, "3@t.example")
    assert run(store.users.mailbox_count(user.id)) == 2
    assert run(store.mailboxes.find("3@t.example")) is None, "what was created on the way is gone"


def test_a_limit_of_none_at_all_allows_none(store: Store) -> None:
    with pytest.raises(QuotaReached):
        assign(store, add(store, mailbox_limit=0), "1@t.example")


def test_a_mailbox_that_is_linked_already_stays_so_also_at_the_limit(store: Store) -> None:
    user = add(store, mailbox_limit=1)
    assign(store, user, "1@t.example", "1@t.example")
    assert run(store.users.mailbox_count(user.id)) == 1


def test_a_lifted_limit_does_not_stop_anybody(store: Store) -> None:
    user = add(store, mailbox_limit=0)
    assign(store, user, "1@t.example", within_limit=False)
    assert run(store.users.mailbox_count(user.id)) == 1


def test_assigning_to_nobody_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(NotFound):
        run(store.users.assign(999, "1@t.example", now=NOW))
    assert run(store.mailboxes.total()) == 0


def test_many_assigns_at_once_stop_at_the_limit(store: Store, other_store: Store) -> None:
    user = add(store, mailbox_limit=3)

    async def race() -> list[BaseException | None]:
        sides = (store, other_store) * 6
        assigns = (side.users.assign(user.id, f"{n}@t.example", now=NOW) for n, side in enumerate(sides))
        return await gather(*assigns, return_exceptions=True)

    outcomes = run(race())
    assert outcomes.count(None) == 3
    assert sum(isinstance(outcome, QuotaReached) for outcome in outcomes) == 9
    assert run(store.users.mailbox_count(user.id)) == 3
    assert run(store.mailboxes.total()) == 3


def test_many_assigns_of_one_mailbox_at_once_all_succeed_and_link_it_once(store: Store, other_store: Store) -> None:
    user = add(store, mailbox_limit=1)

    async def race() -> None:
        await gather(*(side.users.assign(user.id, "1@t.example", now=NOW) for side in (store, other_store) * 4))

    run(race())
    assert run(store.users.mailbox_count(user.id)) == 1


def test_an_unassigned_mailbox_stays_and_can_be_linked_again(store: Store) -> None:
    user, other = add(store, mailbox_limit=1), add(store, "other")
    assign(store, user, "1@t.example")
    assign(store, other, "1@t.example")
    mailbox = run(store.mailboxes.find("1@t.example"))
    assert mailbox is not None

    assert run(store.users.unassign(user.id, mailbox.id)) is True

    assert run(store.mailboxes.linked(user.id, [mailbox.id])) == set()
    assert run(store.mailboxes.linked(other.id, [mailbox.id])) == {mailbox.id}
    assert run(store.users.unassign(user.id, mailbox.id)) is False
    assign(store, user, "2@t.example")


def test_the_number_of_mailboxes_counts_those_of_nobody_too(store: Store) -> None:
    assign(store, add(store), "1@t.example")
    run(store.mailboxes.create("2@t.example", now=NOW, owner_id=None))
    assert run(store.mailboxes.total()) == 2
