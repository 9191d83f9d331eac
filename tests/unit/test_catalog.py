"""The SQL catalogue: well-formed, used in full, and each query served by the index that its comment names."""

import ast
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import tempmail.adapters.sql as adapter
from tempmail.adapters.sql import catalog
from tempmail.adapters.sql.migrate import migrate
from tempmail.adapters.sql.sqlite import connect
from tempmail.clock import FakeClock

ROOM = Path(adapter.__file__).parent
QUERY_NAME = re.compile(r"[a-z_]+\.[a-z_]+")
PARAMETER = re.compile(r":([a-z_]+)")

STEP = re.compile(r"(SEARCH|SCAN) (\w+)(?: USING (?:COVERING )?(?:INDEX (\w+)|INTEGER PRIMARY KEY))?")

# The index by which each query with a promise in its comment searches each of its tables.
PLANS: dict[str, dict[str, set[str]]] = {
    "mail.latest": {"messages": {"messages_by_mailbox"}},
    "mail.get": {"messages": {"rowid"}, "mailboxes": {"rowid"}},
    "mail.delete_from_mailbox": {"messages": {"rowid", "messages_by_mailbox"}},
    "mail.delete_received_before": {"messages": {"rowid", "messages_by_receipt"}},
    "mail.shares_object": {"messages": {"messages_by_object"}},
    "mail.object_keys": {"messages": {"messages_by_object"}, "spool": {"sqlite_autoindex_spool_1"}},
    "mail.knows_object": {
        "messages": {"messages_by_object"},
        "spool": {"sqlite_autoindex_spool_1"},
        "object_deletes": {"sqlite_autoindex_object_deletes_1"},
    },
    "mailboxes.find": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailboxes.resolve": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailboxes.is_linked": {"user_mailboxes": {"sqlite_autoindex_user_mailboxes_1"}},
    "mailboxes.expired": {"mailboxes": {"mailboxes_by_expiry"}},
    "spool.due": {"spool": {"spool_by_due"}},
    "spool.find": {"spool": {"sqlite_autoindex_spool_1"}, "spool_bodies": {"rowid"}},
    "object_deletes.due": {"object_deletes": {"object_deletes_by_due"}},
    "sessions.forget_expired": {"revoked_sessions": {"revoked_sessions_by_expiry"}},
    "sessions.is_revoked": {"revoked_sessions": {"sqlite_autoindex_revoked_sessions_1"}},
    "rules.version": {"versions": {"sqlite_autoindex_versions_1"}},
    "extractions.stale": {"messages": {"messages_by_extraction"}},
    "extractions.sharing": {"messages": {"messages_by_object"}},
    "extractions.count_stale": {"messages": {"messages_by_extraction"}},
    "extractions.forget": {"messages": {"rowid"}},
    "users.find": {"users": {"sqlite_autoindex_users_1"}},
}

READS_A_WHOLE_TABLE = {
    "mailboxes.page": "sorted by the viewer's own pins, and its filters match inside addresses",
    "mailboxes.count": "the same filters",
    "spool.size": "bounded by SPOOL_MAX_BYTES; bodies are apart",
    "spool.file_names": "the same bound",
    "object_deletes.count": "a queue that is worked off at once",
    "rules.all": "bounded by MAX_RULES",
    "rules.count": "the same bound",
}

SORTS_ONE_PAGE = {"mail.object_keys": {"keys"}}
"""Queries that scan and sort a subquery, which is limited to a page."""


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("catalog") / "tempmail.db"
    migrate(path, FakeClock())
    with closing(connect(path)) as connection:
        yield connection


@dataclass
class Plan:
    """`searched`: table → the indexes it is searched by ("rowid" for the primary key). `scanned`: tables (and
    subqueries) that are read in full."""

    searched: dict[str, set[str]] = field(default_factory=dict)
    scanned: set[str] = field(default_factory=set)
    sorts: bool = False


def plan(sql: sqlite3.Connection, name: str) -> Plan:
    text = catalog.load()[name]
    params: dict[str, object] = dict.fromkeys(PARAMETER.findall(text), 1)
    found = Plan()
    for step in sql.execute(f"explain query plan {text}", params):
        found.sorts |= "TEMP B-TREE" in step["detail"]
        match = STEP.match(step["detail"].replace("CONSTANT ROW", ""))
        if match and match[1] == "SEARCH":
            found.searched.setdefault(match[2], set()).add(match[3] or "rowid")
        elif match:
            found.scanned.add(match[2])
    return found


def used_names() -> set[str]:
    """Every text in the adapter's code that names a query."""
    files = {path.stem for path in (ROOM / "queries").glob("*.sql")} | {"object_deletes"}
    return {
        node.value
        for path in ROOM.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and QUERY_NAME.fullmatch(node.value)
        and node.value.partition(".")[0] in files
    }


def test_every_query_is_used_and_every_used_name_exists() -> None:
    assert used_names() == set(catalog.load())


@pytest.mark.parametrize("name", catalog.load())
def test_a_query_compiles_and_is_portable_text(sql: sqlite3.Connection, name: str) -> None:
    text = catalog.load()[name]
    plan(sql, name)
    assert not re.search(r"\?|@[a-z]|\$[a-z]|insert or |autoincrement|datetime\(|strftime", text)
    assert text == re.sub(r"\b[A-Z]{2,}\b", lambda word: word[0].lower(), text), "keywords are in lower case"


@pytest.mark.parametrize("name", PLANS)
def test_a_query_is_served_by_the_index_that_its_comment_names(sql: sqlite3.Connection, name: str) -> None:
    assert plan(sql, name).searched == PLANS[name]


def test_every_query_whose_comment_names_an_index_has_its_plan_tested() -> None:
    promising = set()
    for path in (ROOM / "queries").glob("*.sql"):
        for block in path.read_text("utf-8").split("-- name: ")[1:]:
            if "Serves:" in block:
                promising.add(block.split("\n", 1)[0].strip())
    assert promising <= set(PLANS)


@pytest.mark.parametrize("name", sorted(set(catalog.load()) - set(READS_A_WHOLE_TABLE)))
def test_a_query_reads_no_table_in_full_and_does_not_sort(sql: sqlite3.Connection, name: str) -> None:
    assert plan(sql, name).scanned == SORTS_ONE_PAGE.get(name, set())
    assert not plan(sql, name).sorts or name in SORTS_ONE_PAGE


@pytest.mark.parametrize("name", READS_A_WHOLE_TABLE)
def test_a_query_excused_for_reading_a_table_in_full_does_so(sql: sqlite3.Connection, name: str) -> None:
    assert plan(sql, name).scanned
