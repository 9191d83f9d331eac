"""Lists against a naive model: every filter, pins, paging, totals, searches and their bound; and the counters that they
rest on, after every kind of change."""

import shutil
import sqlite3
from asyncio import gather, run
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tempmail.adapters.sql import SqlStore, mailbox_lists, open_store
from tempmail.adapters.sql.sqlite import connect
from tempmail.clock import FakeClock
from tempmail.domain.accounts import MAX_TOKEN_MAILBOXES, NewUser, UserChange
from tempmail.domain.actor import Scope
from tempmail.domain.address import MAX_ADDRESS_LENGTH
from tempmail.domain.messages import MailboxFilter, MailboxListing, MailboxPage
from tempmail.errors import QuotaReached
from tempmail.web.endpoints import mailboxes
from tests.builders import NOW, incoming

VIEWER, OTHER = 1, 2
SLOW_EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Box:
    """A mailbox as it is stored, nulls included. `links`: user → pinned."""

    address: str
    can_login: int | None = 0
    is_favorite: int | None = 0
    forward_to: str | None = None
    password_hash: str | None = None
    links: tuple[tuple[int, int], ...] = ()

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    def fits(self, criteria: MailboxFilter) -> bool:
        flags = (
            (criteria.can_login, bool(self.can_login)),
            (criteria.is_favorite, bool(self.is_favorite)),
            (criteria.has_forward, bool(self.forward_to)),
        )
        return criteria.domain in (None, self.domain) and all(wanted in (None, is_so) for wanted, is_so in flags)

    def is_named(self, criteria: MailboxFilter) -> bool:
        return (criteria.search or "") in self.address and Scope((), criteria.within).covers(self.address)


def expected(boxes: Sequence[Box], criteria: MailboxFilter, limit: int, offset: int, *, depth: int) -> MailboxPage:
    """The page by definition; ids are places in `boxes`, from 1."""
    numbered = [(id_, box) for id_, box in enumerate(boxes, start=1)][::-1]
    viewer = criteria.pinned_by if criteria.owned_by is None else criteria.owned_by
    pool = [(id_, box) for id_, box in numbered if box.fits(criteria)]
    if criteria.owned_by is not None:
        pool = [(id_, box) for id_, box in pool if viewer in dict(box.links)]
    pinned = [(id_, box) for id_, box in pool if dict(box.links).get(viewer) and box.is_named(criteria)]
    if criteria.owned_by is None:
        pool = looked_at(numbered, pool, criteria, depth)
    others = [(id_, box) for id_, box in pool if box.is_named(criteria) and not dict(box.links).get(viewer)]
    listed = [(id_, box, 1) for id_, box in pinned] + [(id_, box, 0) for id_, box in others]
    items = tuple(
        MailboxListing(
            id=id_,
            address=box.address,
            created_at=NOW,
            is_pinned=is_pinned,
            password_is_default=int(not box.password_hash),
            can_login=box.can_login or 0,
            forward_to=box.forward_to,
            is_favorite=box.is_favorite or 0,
        )
        for id_, box, is_pinned in listed[offset : offset + limit]
    )
    return MailboxPage(items, len(listed))


def looked_at(
    numbered: Sequence[tuple[int, Box]], pool: Sequence[tuple[int, Box]], criteria: MailboxFilter, depth: int
) -> list[tuple[int, Box]]:
    """Of `pool`, what fits the filters, those that a search of this depth looks at."""
    all_named = bool(criteria.within) and not any("*" in pattern for pattern in criteria.within)
    any_address = not criteria.search and (not criteria.within or any(p.strip("*") == "" for p in criteria.within))
    if any_address or all_named or len(pool) <= depth:
        return list(pool)
    terms = [grams(criteria.search)] if criteria.search and len(criteria.search) >= 3 else []
    patterns = [grams(*(p[:12] for p in pattern.split("*") if len(p) >= 3)) for pattern in criteria.within]
    one_of = patterns if all(patterns) else []
    if not terms and not one_of:
        return list(pool[:depth])
    indexed = [
        (id_, box)
        for id_, box in numbered
        if all(gram in box.address for term in terms for gram in term)
        and (not one_of or any(all(gram in box.address for gram in pattern) for pattern in one_of))
    ]
    return [entry for entry in indexed[:depth] if entry in pool]


def grams(*texts: str) -> set[str]:
    """The texts in threes, side by side, with what is left over at the end of each."""
    return {text[start : start + 3] for text in texts for start in (*range(0, len(text) - 3, 3), len(text) - 3)}


def put(sql: sqlite3.Connection, boxes: Sequence[Box]) -> None:
    for user in (VIEWER, OTHER):
        sql.execute("insert into users (id, username) values (?, ?)", (user, f"user{user}"))
    for id_, box in enumerate(boxes, start=1):
        local = box.address.rpartition("@")[0]
        sql.execute(
            "insert into mailboxes (id, address, local_part, domain, password_hash, can_login, is_favorite, forward_to,"
            " created_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                id_,
                box.address,
                local,
                box.domain,
                box.password_hash,
                box.can_login,
                box.is_favorite,
                box.forward_to,
                NOW,
            ),
        )
        for user, is_pinned in box.links:
            sql.execute(
                "insert into user_mailboxes (user_id, mailbox_id, is_pinned) values (?, ?, ?)", (user, id_, is_pinned)
            )


@pytest.fixture
def sql(disk_store: SqlStore, database: Path) -> Iterator[sqlite3.Connection]:
    """To write what the store only reads."""
    with closing(connect(database)) as connection:
        yield connection


@contextmanager
def filled(empty: Path, folder: Path, boxes: Sequence[Box]) -> Iterator[SqlStore]:
    path = folder / "filled.db"
    for left in folder.glob("filled.db*"):
        left.unlink()
    shutil.copyfile(empty, path)
    with closing(connect(path)) as connection:
        put(connection, boxes)
    store = run(open_store(path, clock=FakeClock(), migrated=True))
    try:
        yield store
    finally:
        run(store.close())


def listed(store: SqlStore, criteria: MailboxFilter, limit: int = 100, offset: int = 0) -> MailboxPage:
    return run(store.mailboxes.page(criteria, limit=limit, offset=offset))


def names(page: MailboxPage) -> list[str]:
    return [item.address.partition("@")[0] for item in page.items]


DOMAINS = ("one.example", "two.example", "x.io")
LOCALS = st.text(alphabet="ab\"%_*'\\.é字😀-", min_size=1, max_size=6)
TERMS = st.one_of(LOCALS, st.sampled_from(("example", "e.exa", "@one", "@", "one.example", "zzz", "x.io", '"', "OR b")))
PATTERNS = st.one_of(
    st.sampled_from(("*", "a*", "*@one.example", "*b*@*", "ab*@two.example", "*ab*b*", "a@one.example", "*.io", "%*")),
    st.builds("{}@{}".format, LOCALS.map(lambda text: text.replace("*", "")), st.sampled_from(DOMAINS)),
)
MAYBE = st.sampled_from((None, True, False))
FILTERS = st.builds(
    MailboxFilter,
    owned_by=st.sampled_from((None, None, VIEWER)),
    pinned_by=st.sampled_from((0, VIEWER, OTHER)),
    search=st.one_of(st.none(), TERMS),
    domain=st.sampled_from((None, None, *DOMAINS, "none.example")),
    can_login=MAYBE,
    is_favorite=MAYBE,
    has_forward=MAYBE,
    within=st.lists(PATTERNS, max_size=3).map(tuple),
)
BOXES = st.lists(
    st.builds(
        Box,
        address=st.builds("{}@{}".format, LOCALS, st.sampled_from(DOMAINS)),
        can_login=st.sampled_from((0, 0, 1, None)),
        is_favorite=st.sampled_from((0, 0, 1, None)),
        forward_to=st.sampled_from((None, None, "", "me@else.example")),
        password_hash=st.sampled_from((None, "", "x")),
        links=st.dictionaries(st.sampled_from((VIEWER, OTHER)), st.sampled_from((0, 1))).map(
            lambda links: tuple(links.items())
        ),
    ),
    max_size=30,
    unique_by=lambda box: box.address,
)


@SLOW_EXAMPLES
@given(
    boxes=BOXES,
    asked=st.lists(
        st.tuples(FILTERS, st.integers(1, 12), st.one_of(st.just(0), st.integers(0, 35))), min_size=12, max_size=12
    ),
    depth=st.sampled_from((2, 5, 100)),
)
def test_every_list_is_that_of_the_model(
    empty_database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    boxes: list[Box],
    asked: list[tuple[MailboxFilter, int, int]],
    depth: int,
) -> None:
    monkeypatch.setattr(mailbox_lists, "DEPTH", depth)
    with filled(empty_database, tmp_path, boxes) as store:
        for criteria, limit, offset in asked:
            assert listed(store, criteria, limit, offset) == expected(boxes, criteria, limit, offset, depth=depth)


def test_every_combination_of_filters_is_that_of_the_model_on_every_page(empty_database: Path, tmp_path: Path) -> None:
    boxes = [
        Box(
            f"box{number}@{DOMAINS[number % 3]}",
            can_login=number % 2,
            is_favorite=number // 2 % 2,
            forward_to="me@else.example" if number // 4 % 2 else None,
            links=((VIEWER, int(number % 13 == 0)),) if number % 5 else (),
        )
        for number in range(72)
    ]
    maybe = (None, True, False)
    with filled(empty_database, tmp_path, boxes) as store:
        for login, favorite, forward, domain, owner in product(maybe, maybe, maybe, (None, "x.io"), (None, VIEWER)):
            criteria = MailboxFilter(
                owned_by=owner,
                pinned_by=VIEWER,
                domain=domain,
                can_login=login,
                is_favorite=favorite,
                has_forward=forward,
            )
            for offset in (0, 1, 5, 30, 66, 80):
                assert listed(store, criteria, 7, offset) == expected(boxes, criteria, 7, offset, depth=100)


@pytest.mark.parametrize("pins", [0, 1, 4, 9])
def test_pages_follow_one_another_without_gap_or_repeat_however_pins_lie(
    empty_database: Path, tmp_path: Path, pins: int
) -> None:
    step = 40 // (pins or 1)
    boxes = [
        Box(f"box{number}@x.io", links=((VIEWER, 1),) if pins and number % step == 0 and number // step < pins else ())
        for number in range(40)
    ]
    criteria = MailboxFilter(pinned_by=VIEWER)
    with filled(empty_database, tmp_path, boxes) as store:
        for size in (1, 3, 7):
            pages = [listed(store, criteria, size, start) for start in range(0, 42, size)]
            assert [item.id for page in pages for item in page.items] == [
                item.id for item in expected(boxes, criteria, 99, 0, depth=9).items
            ]
            assert {page.total for page in pages} == {40}


SEARCHES = {
    "percent": ("%", ["a%b"]),
    "underscore": ("_", ["a_b"]),
    "backslash": ("\\", ["a\\b"]),
    "quote": ('"', ['a"b']),
    "a-word-of-the-query-language": ("nor", ["nor"]),
    "percent-in-a-term-of-the-index": ("a%b", ["a%b"]),
    "quote-in-a-term-of-the-index": ('a"b', ['a"b']),
    "star-is-no-wildcard": ("a*b", []),
    "umlaut": ("grü", ["grüße"]),
    "two-chinese-characters": ("邮箱", ["我的邮箱"]),
    "three-chinese-characters": ("的邮箱", ["我的邮箱"]),
    "beyond-the-basic-plane": ("😀😀😀", ["😀😀😀"]),
    "across-the-at": ("e@x", ["grüße"]),
    "nothing-fits": ("zzz", []),
    "a-nul": ("a\0", []),
    "a-nul-in-a-longer-term": ("grü\0", []),
}
ODD = ("a%b", "a_b", "a\\b", 'a"b', "nor", "grüße", "我的邮箱", "😀😀😀")


@pytest.mark.parametrize(("term", "found"), SEARCHES.values(), ids=SEARCHES.keys())
@pytest.mark.parametrize("depth", [3, 100], ids=["by-the-index", "by-looking"])
def test_a_search_is_taken_literally(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, term: str, found: list[str], depth: int
) -> None:
    # Few enough that the index is asked, yet what fits is among the newest: two are looked at in either case.
    boxes = [Box(f"{name}@y.io") for name in ODD if name not in found] + [Box(f"{name}@x.io") for name in found]
    boxes = [replace(box, address=box.address.replace("@y.io", "@x.io")) if term == "e@x" else box for box in boxes]
    monkeypatch.setattr(mailbox_lists, "DEPTH", depth)
    with filled(empty_database, tmp_path, boxes) as store:
        page = listed(store, MailboxFilter(search=term))
        assert (names(page), page.total) == (found, len(found))


@pytest.mark.parametrize("length", [MAX_ADDRESS_LENGTH, MAX_ADDRESS_LENGTH + 1, 100_000])
def test_a_search_longer_than_an_address_finds_nothing(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(mailbox_lists, "DEPTH", 1)
    longest = "a" * (MAX_ADDRESS_LENGTH - 5) + "@x.io"
    with filled(empty_database, tmp_path, [Box(longest), Box("b@x.io")]) as store:
        assert listed(store, MailboxFilter(search="a" * length)) == MailboxPage((), 0)
        assert listed(store, MailboxFilter(search=longest)).total == 1


def test_a_search_counts_up_to_its_depth_and_finds_pins_beyond(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_lists, "DEPTH", 10)
    boxes = [Box(f"box{n}@x.io", links=((VIEWER, 1),) if n == 0 else ()) for n in range(11)]
    with filled(empty_database, tmp_path, boxes[1:]) as store:
        assert listed(store, MailboxFilter(search="box")).total == 10
    with filled(empty_database, tmp_path, boxes) as store:
        assert listed(store, MailboxFilter(search="box")).total == 10
        pinned = listed(store, MailboxFilter(search="box", pinned_by=VIEWER))
        assert (pinned.items[0].address, pinned.total) == ("box0@x.io", 11)
        assert listed(store, MailboxFilter(search="box", owned_by=VIEWER)).total == 1
        assert names(listed(store, MailboxFilter(search="bo"), 2, 8)) == ["box2", "box1"]


def test_filters_look_at_so_many_of_a_users_mailboxes_and_no_more(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox_lists, "OWN_DEPTH", 5)
    boxes = [Box(f"box{n}@x.io", links=((VIEWER, int(n == 0)),)) for n in range(6)]
    own = MailboxFilter(owned_by=VIEWER)
    with filled(empty_database, tmp_path, boxes[:5]) as store:
        assert listed(store, replace(own, search="box"), 9, 3).total == 5
        assert names(listed(store, replace(own, domain="x.io"), 9, 3)) == ["box2", "box1"]
    with filled(empty_database, tmp_path, boxes) as store:
        assert names(listed(store, own)) == ["box0", "box5", "box4", "box3", "box2", "box1"]
        assert names(listed(store, replace(own, search="box"))) == ["box0", "box5", "box4", "box3", "box2"]
        assert listed(store, replace(own, search="box"), 9, 5) == MailboxPage((), 5)


def test_the_bounds_of_a_search_are_those_of_the_documentation() -> None:
    described = mailboxes.mailboxes.description
    assert f"newest {mailbox_lists.DEPTH} mailboxes" in " ".join(described.split())
    assert f"first {mailbox_lists.OWN_DEPTH} are" in " ".join(described.split())


def test_a_token_may_have_so_many_patterns_and_no_more(store: SqlStore) -> None:
    for name in ("a", "b", "c"):
        run(store.mailboxes.create(f"{name}@x.io", now=NOW, owner_id=None))
    within = ("a*", *["zz*"] * (MAX_TOKEN_MAILBOXES - 2), "c@x.io")
    assert names(listed(store, MailboxFilter(within=within))) == ["c", "a"]
    with pytest.raises(ValueError, match="patterns"):
        listed(store, MailboxFilter(within=("zz*", *within)))


def check_counters(sql: sqlite3.Connection) -> None:
    """Every counter is what counting gives, and the index holds each address once."""
    counted = "select flags, count(*) from mailboxes group by flags order by flags"
    kept = "select flags, mailboxes from mailbox_counts where mailboxes <> 0 order by flags"
    assert rows(sql, kept) == rows(sql, counted)
    counted = "select domain, flags, count(*) from mailboxes group by 1, 2 order by 1, 2"
    assert rows(sql, "select * from mailbox_counts_by_domain order by 1, 2") == rows(sql, counted)
    counted = "select id, (select count(*) from user_mailboxes where user_id = users.id) from users order by id"
    assert rows(sql, "select id, mailbox_count from users order by id") == rows(sql, counted)
    counted = "select role, can_send <> 0, count(*) from users group by 1, 2 order by 1, 2"
    assert rows(sql, "select * from user_counts order by 1, 2") == rows(sql, counted)
    linked = (
        "select user_mailboxes.id, flags, domain, address"
        " from user_mailboxes join mailboxes on mailboxes.id = mailbox_id order by 1"
    )
    copied = "select id, mailbox_flags, mailbox_domain, mailbox_address from user_mailboxes order by 1"
    assert rows(sql, copied) == rows(sql, linked)
    sql.execute("insert into mailbox_search (mailbox_search) values ('integrity-check')")
    assert rows(sql, "select id from mailbox_search_docsize order by id") == rows(
        sql, "select id from mailboxes order by id"
    )
    found = "select rowid from mailbox_search where mailbox_search match ? order by rowid"
    for (domain,) in rows(sql, "select distinct domain from mailboxes"):
        holding = "select id from mailboxes where address like ? order by id"
        assert rows(sql, found, f'"@{str(domain)[:2]}"') == rows(sql, holding, f"%@{str(domain)[:2]}%")


def rows(sql: sqlite3.Connection, query: str, *params: object) -> list[tuple[object, ...]]:
    return [tuple(row) for row in sql.execute(query, params)]


CHANGES = {
    "favourite": "update mailboxes set is_favorite = 1 where id = 1",
    "no-favourite-but-null": "update mailboxes set is_favorite = null where id = 2",
    "login": "update mailboxes set can_login = 1 where id in (1, 2)",
    "forward": "update mailboxes set forward_to = 'me@else.example'",
    "forward-emptied": "update mailboxes set forward_to = '' where id = 2",
    "all-at-once": "update mailboxes set can_login = 1, is_favorite = 0, forward_to = null, domain = 'new.example'",
    "moved-to-a-domain": "update mailboxes set domain = 'new.example' where id = 1",
    "renamed": "update mailboxes set address = 'renamed@one.example' where id = 1",
    "renumbered": "update mailboxes set id = 77 where id = 3",
    "nothing-changed": "update mailboxes set is_favorite = is_favorite, address = address",
    "a-mailbox-deleted": "delete from mailboxes where id = 2",
    "all-deleted": "delete from mailboxes",
    "a-user-deleted": "delete from users where id = 1",
    "all-users-deleted": "delete from users",
    "a-link-deleted": "delete from user_mailboxes where user_id = 1 and mailbox_id = 2",
    "a-link-given-away": "update user_mailboxes set user_id = 2 where user_id = 1 and mailbox_id = 2",
    "a-link-moved-to-another-mailbox": "update user_mailboxes set mailbox_id = 3 where user_id = 1 and mailbox_id = 1",
    "role": "update users set role = 'admin' where id = 1",
    "may-send": "update users set can_send = 1",
    "the-same-address-again": (
        "insert into mailboxes (address, local_part, domain) values ('a@one.example', 'a', 'one.example')"
        " on conflict (address) do nothing"
    ),
    "an-upsert-that-changes": (
        "insert into mailboxes (address, local_part, domain, is_favorite) values ('a@one.example', 'a', 'x', 1)"
        " on conflict (address) do update set is_favorite = 1, can_login = 1"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_counters_follow_a_change(disk_store: SqlStore, sql: sqlite3.Connection, change: str) -> None:
    both = ((VIEWER, 1), (OTHER, 0))
    put(
        sql,
        [
            Box("a@one.example", links=both),
            Box("b@one.example", is_favorite=1, forward_to="x@y.example", links=((VIEWER, 0),)),
            Box("c@two.example"),
        ],
    )
    check_counters(sql)
    sql.execute(change)
    check_counters(sql)
    sql.execute("begin")
    sql.execute("delete from mailboxes")
    sql.execute("rollback")
    check_counters(sql)


ADDRESSES = st.sampled_from([f"{local}@{domain}" for local in ("a", "b", "ab") for domain in DOMAINS])
USERS = st.integers(1, 3)
OPERATIONS = st.one_of(
    st.tuples(st.just("mail"), ADDRESSES),
    st.tuples(st.just("create"), ADDRESSES, USERS),
    st.tuples(st.just("delete"), ADDRESSES),
    st.tuples(st.just("favorite"), ADDRESSES),
    st.tuples(st.just("forward"), ADDRESSES, st.sampled_from((None, "me@else.example"))),
    st.tuples(st.just("login"), ADDRESSES, st.booleans()),
    st.tuples(st.just("pin"), ADDRESSES, USERS),
    st.tuples(st.just("unassign"), ADDRESSES, USERS),
    st.tuples(st.just("add user"), USERS),
    st.tuples(st.just("change user"), USERS, st.sampled_from(("user", "admin")), st.integers(0, 1)),
    st.tuples(st.just("delete user"), USERS),
)


async def act(store: SqlStore, name: str, *params: object) -> None:
    """One operation as the services do it; where it has nothing to act on, nothing happens."""
    if name.endswith("user"):
        user = await store.users.find(f"user{params[0]}")
        if name == "add user" and user is None:
            await store.users.add(NewUser(f"user{params[0]}", None, "user", 10), now=NOW, limit=9)
        elif user is not None and name == "delete user":
            await store.users.delete(user.id)
        elif user is not None and name == "change user":
            await store.users.change(user.id, UserChange(role=str(params[1]), can_send=int(str(params[2]))))
        return
    address = str(params[0])
    if name == "mail":
        await store.mail.add([incoming(address)])
        return
    user = await store.users.find(f"user{params[1]}") if name in ("create", "pin", "unassign") else None
    if name == "create":
        await store.mailboxes.create(address, now=NOW, owner_id=user.id if user else None)
    found = await store.mailboxes.find(address)
    if found is None:
        return
    if name == "delete":
        await store.mailboxes.delete(found.id, now=NOW)
    elif name == "favorite":
        await store.mailboxes.toggle_favorite(found.id)
    elif name == "forward":
        await store.mailboxes.set_forward([found.id], None if params[1] is None else str(params[1]))
    elif name == "login":
        await store.mailbox_logins.allow([address], bool(params[1]), now=NOW)
    elif name == "pin" and user is not None:
        await store.mailboxes.toggle_pin(found.id, user_id=user.id, now=NOW, may_link=True)
    elif name == "unassign" and user is not None:
        await store.users.unassign(user.id, found.id)


@SLOW_EXAMPLES
@given(operations=st.lists(OPERATIONS, max_size=25))
def test_counters_hold_after_any_operations(
    empty_database: Path, tmp_path: Path, operations: list[tuple[object, ...]]
) -> None:
    async def perform(store: SqlStore) -> None:
        for name, *params in operations:
            await act(store, str(name), *params)

    with filled(empty_database, tmp_path, []) as store, closing(connect(tmp_path / "filled.db")) as sql:
        sql.execute("delete from users")
        run(perform(store))
        check_counters(sql)
        total = rows(sql, "select count(*) from mailboxes")[0][0]
        assert listed(store, MailboxFilter()).total == run(store.mailboxes.total()) == total


def test_counters_hold_when_two_processes_create_and_delete_at_once(
    disk_store: SqlStore, other_store: SqlStore, sql: sqlite3.Connection
) -> None:
    async def life(side: SqlStore, number: int) -> None:
        for turn in range(4):
            box = await side.mailboxes.create(f"box{number % 3}@x.io", now=NOW, owner_id=None)
            await side.mailboxes.toggle_favorite(box.id)
            if turn % 2:
                await side.mailboxes.delete(box.id, now=NOW)

    async def race() -> None:
        await gather(*(life(side, number) for number in range(6) for side in (disk_store, other_store)))

    run(race())
    check_counters(sql)


def test_what_is_refused_leaves_the_counters_alone(disk_store: SqlStore, sql: sqlite3.Connection) -> None:
    user = run(disk_store.users.add(NewUser("u", None, "user", 1), now=NOW, limit=9))
    run(disk_store.users.assign(user.id, "a@x.io", now=NOW))
    with pytest.raises(QuotaReached):
        run(disk_store.users.assign(user.id, "b@x.io", now=NOW))
    with pytest.raises(QuotaReached):
        run(disk_store.users.add(NewUser("v", None, "user", 1), now=NOW, limit=1))
    check_counters(sql)
    assert rows(sql, "select sum(mailboxes) from mailbox_counts") == [(1,)]
