"""What each list reads: every statement of it over a filled, analysed database is served by an index, and twice as many
rows cost it no more steps."""

import re
import sqlite3
from asyncio import run
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tempmail.adapters.sql import SqlStore, catalog, mailbox_lists
from tempmail.adapters.sql.migrate import migrate
from tempmail.adapters.sql.script import Query, QueryMany, Rows, Script, T
from tempmail.adapters.sql.sqlite import connect
from tempmail.clock import FakeClock
from tempmail.domain.messages import MailboxFilter
from tests.bench import filled, filled_accounts
from tests.bench.filled_accounts import DOMAINS

SMALL, LARGE = 3_000, 12_000
DEPTH = 300
OWNER_ID = 1

# What may be read in full: counters, of which there are few, and subqueries that are limited.
FEW_ROWS = {"mailbox_counts", "user_counts", "page", "extraction_rules"}
FULL_SCAN = re.compile(r"SCAN (?!(?:[0-9]+ )?CONSTANT ROW|\(subquery)(\w+)(?! VIRTUAL TABLE INDEX)\b")

List = Callable[[SqlStore], Coroutine[Any, Any, object]]


def mailboxes(*, limit: int = 20, offset: int = 0, **criteria: Any) -> List:
    return lambda store: store.mailboxes.page(MailboxFilter(**criteria), limit=limit, offset=offset)


LISTS: dict[str, List] = {
    "all": mailboxes(),
    "all, a viewer's pins first": mailboxes(pinned_by=OWNER_ID),
    "all, a later page": mailboxes(offset=100),
    "all, the last page": mailboxes(offset=10**9),
    "of a domain": mailboxes(domain=DOMAINS[1], offset=100),
    "with login": mailboxes(can_login=True, offset=100),
    "without login": mailboxes(can_login=False, offset=100),
    "favourites": mailboxes(is_favorite=True, offset=100),
    "without forward": mailboxes(has_forward=False),
    "two flags": mailboxes(has_forward=False, is_favorite=False),
    "three flags": mailboxes(has_forward=False, is_favorite=False, can_login=True),
    "a domain with a flag": mailboxes(domain=DOMAINS[1], has_forward=True),
    "a domain with two flags": mailboxes(domain=DOMAINS[1], has_forward=False, can_login=False, pinned_by=OWNER_ID),
    "a search": mailboxes(search="shop", pinned_by=OWNER_ID),
    "a search that all fit": mailboxes(search="bench.example", offset=100),
    "a search of two characters": mailboxes(search="sh"),
    "a search of one in a domain": mailboxes(search="s", domain=DOMAINS[1]),
    "a search of one with flags": mailboxes(search="s", can_login=False),
    "a search of one in a domain with flags": mailboxes(search="s", can_login=False, domain=DOMAINS[1]),
    "a search with all filters": mailboxes(search="shop", can_login=False, is_favorite=False, domain=DOMAINS[1]),
    "within patterns": mailboxes(within=("shop*@*", f"*@{DOMAINS[1]}")),
    "within patterns of few characters": mailboxes(within=("s*",)),
    "within addresses": mailboxes(within=(f"shop8@{DOMAINS[3]}", "nobody@x.example")),
    "a user's": mailboxes(owned_by=OWNER_ID),
    "a user's, a later page": mailboxes(owned_by=OWNER_ID, offset=1_000),
    "a user's of a domain": mailboxes(owned_by=OWNER_ID, domain=DOMAINS[1]),
    "a user's with flags": mailboxes(owned_by=OWNER_ID, can_login=False, is_favorite=False),
    "a user's, a search": mailboxes(owned_by=OWNER_ID, search="shop"),
    "a user's within patterns": mailboxes(owned_by=OWNER_ID, within=("s*", "*1*")),
    "of a user without any": mailboxes(owned_by=10**6),
    "mailboxes of a user": lambda store: store.users.mailboxes(OWNER_ID, limit=100),
    "users": lambda store: store.users.page(limit=50, offset=0, newest_first=True),
    "users, a later page": lambda store: store.users.page(limit=50, offset=100, newest_first=False),
    "mail": lambda store: store.mail.latest(1, limit=20),
    "mail, a later page": lambda store: store.mail.latest(1, limit=20, before_id=200),
    "mail of a window": lambda store: store.mail.latest(1, limit=20, since="2000-01-01 00:00:00"),
    "mails by id": lambda store: store.mail.get_many(range(1, 51)),
    "audit": lambda store: store.audit.page(limit=50),
    "audit, a later page": lambda store: store.audit.page(limit=50, before_id=500),
    "audit of an actor": lambda store: store.audit.page(limit=50, actor="user14"),
    "audit of an action": lambda store: store.audit.page(limit=50, action="mailbox.delete"),
    "audit of both": lambda store: store.audit.page(limit=50, actor="user14", action="mailbox.delete"),
    "tokens": lambda store: store.tokens.page(user_id=None, after_id=0, limit=50),
    "tokens of a user": lambda store: store.tokens.page(user_id=OWNER_ID, after_id=0, limit=50),
    "rules": lambda store: store.rules.all(),
}

SORTED = re.compile("a search|within patterns")
"""Lists that may sort: the few that a search looks at."""


class Watched:
    """Implements `script.Database` for reading: notes the plan of each statement and the steps they took."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, read_only=True)
        self._queries = catalog.load()
        self.plans: list[str] = []
        self.steps = 0

    async def read(self, script: Script[T]) -> T:
        try:
            query = next(script)
            while True:
                query = script.send(self._run(query))
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _run(self, query: Query | QueryMany) -> Rows:
        text, params = self._queries[query.name], query.params
        bound: Any = params
        if isinstance(query, QueryMany):
            if not query.rows:
                return []
            repeated = catalog.repeated(text, len(query.rows))
            text, bound = repeated.text, repeated.bind(query.rows, params)
        self.plans += [
            f"{query.name}: {step[3]}" for step in self._connection.execute(f"explain query plan {text}", bound)
        ]
        self._connection.set_progress_handler(self._step, 10)
        try:
            return self._connection.execute(text, bound).fetchall()
        finally:
            self._connection.set_progress_handler(None, 0)

    def _step(self) -> int:
        self.steps += 1
        return 0

    async def write(self, script: Script[T]) -> T:
        raise AssertionError("a list writes nothing")

    async def checkpoint(self) -> None:
        raise AssertionError("a list writes nothing")

    async def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Size → a filled, analysed database. The owner has as many mailboxes in each: so many are its limit."""
    paths = {}
    for size in (SMALL, LARGE):
        paths[size] = path = tmp_path_factory.mktemp("plans") / "tempmail.db"
        migrate(path, FakeClock())
        filled.fill(path, size)
        filled_accounts.fill(path, mailboxes=size, users=size // 10, owned=2_000, audit_entries=size)
        with closing(connect(path)) as connection:
            connection.execute("analyze")
    return paths


def watched(path: Path, ask: List) -> Watched:
    async def asked() -> Watched:
        database = Watched(path)
        store = SqlStore(database)
        try:
            await ask(store)
        finally:
            await store.close()
        return database

    return run(asked())


@pytest.fixture(autouse=True)
def small_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of a search, below both sizes."""
    monkeypatch.setattr(mailbox_lists, "DEPTH", DEPTH)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_reads_no_table_in_full(databases: dict[int, Path], name: str) -> None:
    plans = watched(databases[LARGE], LISTS[name]).plans
    assert plans
    scanned = {match[1]: step for step in plans if (match := FULL_SCAN.search(step))}
    assert set(scanned) <= FEW_ROWS, scanned
    assert SORTED.match(name) or not any("TEMP B-TREE" in step for step in plans), plans


@pytest.mark.parametrize("name", LISTS)
def test_four_times_the_rows_cost_a_list_no_more_steps(databases: dict[int, Path], name: str) -> None:
    few, many = (watched(databases[size], LISTS[name]).steps for size in (SMALL, LARGE))
    assert many <= 1.5 * few + 100


def test_a_scan_would_be_seen(databases: dict[int, Path]) -> None:
    with closing(sqlite3.connect(databases[SMALL])) as connection:
        text = "explain query plan select id from mailboxes where session_epoch = 7"
        assert FULL_SCAN.search(connection.execute(text).fetchone()[3])
