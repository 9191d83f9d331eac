"""The contract of `ports.Mailboxes` and `ports.Users`: naming, creating, linking, listing."""

import sqlite3
from asyncio import gather, run
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tempmail.adapters.sql.sqlite import connect
from tempmail.domain.messages import Mailbox, MailboxFilter
from tempmail.ports import Store
from tests.builders import NOW, at


def create(store: Store, address: str, *, second: float = 0, owner_id: int | None = None) -> Mailbox:
    return run(store.mailboxes.create(address, now=at(second), owner_id=owner_id))


def listed(store: Store, criteria: MailboxFilter, *, limit: int = 100, offset: int = 0) -> list[str]:
    """Local parts of a page, in its order."""
    page = run(store.mailboxes.page(criteria, limit=limit, offset=offset))
    return [item.address.partition("@")[0] for item in page.items]


@pytest.fixture
def sql(store: Store, database: Path) -> Iterator[sqlite3.Connection]:
    """For columns that the port only reads."""
    with closing(connect(database)) as connection:
        yield connection


def test_a_new_mailbox_is_kept_in_lower_case_and_found_in_any(store: Store) -> None:
    created = create(store, "My.Box@Temp.Example")
    assert created == Mailbox(
        id=created.id,
        address="my.box@temp.example",
        created_at=NOW,
        expires_at=None,
        can_login=0,
        is_favorite=0,
        forward_to=None,
    )
    assert run(store.mailboxes.find("MY.BOX@temp.example")) == created


def test_its_parts_are_stored_under_the_originals_names(store: Store, sql: sqlite3.Connection) -> None:
    create(store, "a.b@temp.example")
    row = sql.execute("select local_part, domain, last_accessed_at, password_hash from mailboxes").fetchone()
    assert tuple(row) == ("a.b", "temp.example", NOW, None)


def test_an_unknown_mailbox_is_none(store: Store) -> None:
    assert run(store.mailboxes.find("no@t.example")) is None


def test_creating_one_that_exists_returns_it_unchanged(store: Store) -> None:
    first = create(store, "a@t.example")
    assert create(store, "A@t.example", second=60) == first


def test_create_new_makes_one_and_refuses_what_exists(store: Store) -> None:
    user = run(store.users.ensure_admin("root", now=NOW))
    made = run(store.mailboxes.create_new("A@t.example", now=NOW, owner_id=None, expires_at=at(60)))
    assert made is not None
    assert (made.address, made.expires_at) == ("a@t.example", at(60))
    assert run(store.mailboxes.create_new("a@T.example", now=NOW, owner_id=user)) is None
    assert run(store.mailboxes.linked(user, [made.id])) == set()


def test_of_two_that_create_new_at_once_one_gets_it(store: Store, other_store: Store) -> None:
    async def race() -> list[Mailbox | None]:
        return await gather(
            *(side.mailboxes.create_new("a@t.example", now=NOW, owner_id=None) for side in (store, other_store) * 3)
        )

    assert sum(made is not None for made in run(race())) == 1


def test_resolve_prefers_the_exact_mailbox(store: Store) -> None:
    assert run(store.mailboxes.resolve("x.one@t.example", "one@t.example")) is None
    alias = create(store, "one@t.example")
    assert run(store.mailboxes.resolve("x.one@t.example", "one@t.example")) == alias
    exact = create(store, "x.one@t.example")
    assert run(store.mailboxes.resolve("x.one@t.example", "one@t.example")) == exact


def test_an_owner_is_linked_also_to_a_mailbox_that_existed(store: Store) -> None:
    user = run(store.users.ensure_admin("root", now=NOW))
    existing = create(store, "a@t.example")
    unlinked = create(store, "b@t.example")
    create(store, "a@t.example", owner_id=user)
    create(store, "a@t.example", owner_id=user)
    assert run(store.mailboxes.linked(user, [unlinked.id, existing.id, 999])) == {existing.id}


def test_a_list_is_newest_first_and_pages_by_offset(store: Store) -> None:
    for second, name in enumerate(("old", "mid1", "mid2", "new")):
        create(store, f"{name}@t.example", second=second // 2)
    assert listed(store, MailboxFilter()) == ["new", "mid2", "mid1", "old"]
    assert listed(store, MailboxFilter(), limit=2, offset=1) == ["mid2", "mid1"]
    assert run(store.mailboxes.page(MailboxFilter(), limit=1, offset=3)).total == 4
    assert run(store.mailboxes.page(MailboxFilter(), limit=1, offset=4)).items == ()


def test_the_viewers_pins_come_first_and_another_users_do_not(store: Store, sql: sqlite3.Connection) -> None:
    mine, theirs = (run(store.users.ensure_admin(name, now=NOW)) for name in ("mine", "theirs"))
    for second, name in enumerate(("a", "b", "c")):
        create(store, f"{name}@t.example", second=second, owner_id=theirs)
    create(store, "a@t.example", owner_id=mine)
    sql.execute("update user_mailboxes set is_pinned = 1 where user_id = ?", (mine,))
    sql.execute("update user_mailboxes set is_pinned = 1 where user_id = ? and mailbox_id = 2", (theirs,))

    assert listed(store, MailboxFilter(pinned_by=mine)) == ["a", "c", "b"]
    page = run(store.mailboxes.page(MailboxFilter(pinned_by=mine), limit=9, offset=0))
    assert [item.is_pinned for item in page.items] == [1, 0, 0]
    assert listed(store, MailboxFilter(pinned_by=theirs)) == ["b", "c", "a"]


def test_owned_by_shows_that_users_own_mailboxes_only(store: Store) -> None:
    mine, theirs = (run(store.users.ensure_admin(name, now=NOW)) for name in ("mine", "theirs"))
    create(store, "a@t.example", owner_id=mine)
    create(store, "b@t.example", owner_id=theirs)
    create(store, "c@t.example")
    assert listed(store, MailboxFilter(owned_by=mine)) == ["a"]
    assert run(store.mailboxes.page(MailboxFilter(owned_by=mine), limit=9, offset=0)).total == 1


FILTERS: dict[str, tuple[MailboxFilter, list[str]]] = {
    "none": (MailboxFilter(), ["plain", "pass_word", "fav%", "fwd", r"back\slash"]),
    "search": (MailboxFilter(search="wor"), ["pass_word"]),
    "search-in-the-domain": (MailboxFilter(search="@two"), ["fwd"]),
    "percent-is-literal": (MailboxFilter(search="%"), ["fav%"]),
    "underscore-is-literal": (MailboxFilter(search="s_w"), ["pass_word"]),
    "underscore-is-no-joker": (MailboxFilter(search="pl_in"), []),
    "backslash-is-literal": (MailboxFilter(search="k\\s"), [r"back\slash"]),
    "quote-is-literal": (MailboxFilter(search="' or 1=1 --"), []),
    "domain": (MailboxFilter(domain="two.example"), ["fwd"]),
    "domain-is-whole": (MailboxFilter(domain="two"), []),
    "can-login": (MailboxFilter(can_login=True), ["pass_word"]),
    "cannot-login": (MailboxFilter(can_login=False), ["plain", "fav%", "fwd", r"back\slash"]),
    "favorite": (MailboxFilter(is_favorite=True), ["fav%"]),
    "no-favorite": (MailboxFilter(is_favorite=False), ["plain", "pass_word", "fwd", r"back\slash"]),
    "has-forward": (MailboxFilter(has_forward=True), ["fwd"]),
    "has-none-or-an-empty-one": (MailboxFilter(has_forward=False), ["plain", "pass_word", "fav%", r"back\slash"]),
    "all-must-hold": (MailboxFilter(search="f", domain="one.example", is_favorite=True), ["fav%"]),
}


@pytest.mark.parametrize(("criteria", "names"), FILTERS.values(), ids=FILTERS.keys())
def test_a_filter_shows_and_counts_what_matches(
    store: Store, sql: sqlite3.Connection, criteria: MailboxFilter, names: list[str]
) -> None:
    for address in (r"back\slash@one.example", "fwd@two.example", "fav%@one.example", "pass_word@one.example"):
        create(store, address)
    create(store, "plain@one.example")
    sql.execute("update mailboxes set can_login = 1, password_hash = 'x' where local_part = 'pass_word'")
    sql.execute("update mailboxes set is_favorite = 1, can_login = null where local_part = 'fav%'")
    sql.execute("update mailboxes set forward_to = 'me@else.example', is_favorite = null where local_part = 'fwd'")
    sql.execute("update mailboxes set forward_to = '' where local_part = 'plain'")

    assert listed(store, criteria) == names
    assert run(store.mailboxes.page(criteria, limit=1, offset=0)).total == len(names)


def test_a_mailbox_without_a_password_shows_the_default_one(store: Store, sql: sqlite3.Connection) -> None:
    create(store, "a@t.example")
    create(store, "b@t.example")
    sql.execute("update mailboxes set password_hash = 'x' where local_part = 'a'")
    page = run(store.mailboxes.page(MailboxFilter(), limit=9, offset=0))
    assert [(item.address, item.password_is_default) for item in page.items] == [
        ("b@t.example", 1),
        ("a@t.example", 0),
    ]


def test_the_admins_row_is_made_once_in_lower_case_and_may_send(store: Store, sql: sqlite3.Connection) -> None:
    first = run(store.users.ensure_admin("Admin", now=NOW))
    assert run(store.users.ensure_admin("admin", now=at(60))) == first
    row = sql.execute("select username, role, can_send, mailbox_limit, created_at from users").fetchall()
    assert [tuple(columns) for columns in row] == [("admin", "admin", 1, 9999, NOW)]
