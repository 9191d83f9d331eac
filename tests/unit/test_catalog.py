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
    "mail.mailboxes": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mail.object_keys": {"messages": {"messages_by_object"}, "spool": {"sqlite_autoindex_spool_1"}},
    "mail.knows_object": {
        "messages": {"messages_by_object"},
        "spool": {"sqlite_autoindex_spool_1"},
        "object_deletes": {"sqlite_autoindex_object_deletes_1"},
    },
    "mailboxes.find": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailboxes.resolve": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailboxes.is_linked": {"user_mailboxes": {"sqlite_autoindex_user_mailboxes_1"}},
    "mailbox_lists.count_in_domain": {"mailbox_counts_by_domain": {"sqlite_autoindex_mailbox_counts_by_domain_1"}},
    "mailbox_lists.newest": {"mailboxes": {"rowid"}},
    "mailbox_lists.oldest": {"mailboxes": {"rowid"}},
    "mailbox_lists.newest_in_domain": {"mailboxes": {"mailboxes_by_domain"}},
    "mailbox_lists.oldest_in_domain": {"mailboxes": {"mailboxes_by_domain"}},
    "mailbox_lists.newest_with_flags": {"mailboxes": {"mailboxes_by_flags"}},
    "mailbox_lists.oldest_with_flags": {"mailboxes": {"mailboxes_by_flags"}},
    "mailbox_lists.newest_in_domain_with_flags": {"mailboxes": {"mailboxes_by_domain_and_flags"}},
    "mailbox_lists.oldest_in_domain_with_flags": {"mailboxes": {"mailboxes_by_domain_and_flags"}},
    "mailbox_lists.search": {"mailboxes": {"rowid"}, "user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.search_in_domain": {
        "mailboxes": {"mailboxes_by_domain", "rowid"},
        "user_mailboxes": {"user_mailboxes_by_pin"},
    },
    "mailbox_lists.search_with_flags": {
        "mailboxes": {"mailboxes_by_flags", "rowid"},
        "user_mailboxes": {"user_mailboxes_by_pin"},
    },
    "mailbox_lists.search_in_domain_with_flags": {
        "mailboxes": {"mailboxes_by_domain_and_flags", "rowid"},
        "user_mailboxes": {"user_mailboxes_by_pin"},
    },
    "mailbox_lists.search_index": {"mailboxes": {"rowid"}, "user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.named": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailbox_lists.pinned": {"user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.own": {"user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.own_matches": {"user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.own_page": {"user_mailboxes": {"user_mailboxes_by_pin"}},
    "mailbox_lists.own_count": {"users": {"rowid"}},
    "mailbox_lists.rows": {"mailboxes": {"rowid"}},
    "mailboxes.expired": {"mailboxes": {"mailboxes_by_expiry"}},
    "mailboxes.get": {"mailboxes": {"rowid"}},
    "users.lock": {"users": {"rowid"}},
    "mailboxes.lock_without_login": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailboxes.has_owner": {"user_mailboxes": {"user_mailboxes_by_mailbox"}},
    "mailboxes.toggle_pin": {"user_mailboxes": {"sqlite_autoindex_user_mailboxes_1"}},
    "mailboxes.link_pinned": {"users": {"rowid"}, "mailboxes": {"rowid"}},
    "mailboxes.toggle_favorite": {"mailboxes": {"rowid"}},
    "mailboxes.set_favorite": {"mailboxes": {"rowid"}},
    "mailboxes.set_forward": {"mailboxes": {"rowid"}},
    "spool.due": {"spool": {"spool_by_due"}},
    "spool.claim": {"spool": {"rowid"}},
    "spool.bodies": {"spool_bodies": {"rowid"}},
    "spool.delete": {"spool": {"sqlite_autoindex_spool_1"}, "spool_bodies": {"rowid"}},
    "spool.find": {"spool": {"sqlite_autoindex_spool_1"}, "spool_bodies": {"rowid"}},
    "object_deletes.due": {"object_deletes": {"object_deletes_by_due"}},
    "sessions.forget_expired": {"revoked_sessions": {"revoked_sessions_by_expiry"}},
    "sessions.is_revoked": {"revoked_sessions": {"sqlite_autoindex_revoked_sessions_1"}},
    "sessions.user": {"users": {"rowid"}, "revoked_sessions": {"sqlite_autoindex_revoked_sessions_1"}},
    "sessions.mailbox": {"mailboxes": {"rowid"}, "revoked_sessions": {"sqlite_autoindex_revoked_sessions_1"}},
    "mailbox_logins.find": {"mailboxes": {"sqlite_autoindex_mailboxes_1"}},
    "mailbox_logins.set_password": {"mailboxes": {"rowid"}},
    "mailbox_logins.change_password": {"mailboxes": {"rowid"}},
    "mailbox_logins.upgrade_password": {"mailboxes": {"rowid"}},
    "mailbox_logins.record_login": {"mailboxes": {"rowid"}},
    "mailbox_logins.allow": {"mailboxes": {"rowid"}},
    "mailbox_logins.deny": {"mailboxes": {"rowid"}},
    "rules.version": {"versions": {"sqlite_autoindex_versions_1"}},
    "extractions.stale": {"messages": {"messages_by_extraction"}},
    "extractions.sharing": {"messages": {"messages_by_object"}},
    "extractions.count_stale": {"messages": {"messages_by_extraction"}},
    "extractions.forget": {"messages": {"rowid"}},
    "users.find": {"users": {"sqlite_autoindex_users_1"}},
    "users.get": {"users": {"rowid"}},
    "users.change": {"users": {"rowid"}},
    "users.upgrade_password": {"users": {"rowid"}},
    "users.delete": {
        "users": {"rowid"},
        "user_mailboxes": {"sqlite_autoindex_user_mailboxes_1"},
        "api_tokens": {"api_tokens_by_user"},
    },
    "users.page_newest_first": {"users": {"rowid"}},
    "users.page_oldest_first": {"users": {"rowid"}},
    "users.mailboxes": {"link": {"user_mailboxes_by_pin"}, "mailboxes": {"rowid"}},
    "tokens.count": {"api_tokens": {"api_tokens_by_user"}},
    "tokens.find": {"api_tokens": {"sqlite_autoindex_api_tokens_1"}, "users": {"rowid"}},
    "tokens.page": {"api_tokens": {"rowid"}},
    "tokens.page_of_user": {"api_tokens": {"api_tokens_by_user"}},
    "tokens.revoke": {"api_tokens": {"rowid"}},
    "tokens.record_use": {"api_tokens": {"rowid"}},
    "audit.page": {"audit_log": {"rowid"}},
    "audit.page_of_actor": {"audit_log": {"audit_log_by_actor"}},
    "audit.page_of_action": {"audit_log": {"audit_log_by_action"}},
    "audit.page_of_actor_and_action": {"audit_log": {"audit_log_by_actor_and_action"}},
    "audit.last_before": {"audit_log": {"audit_log_by_time"}},
    "audit.last": {"audit_log": {"rowid"}},
    "audit.delete_up_to": {"audit_log": {"rowid"}},
    "users.unassign": {"user_mailboxes": {"sqlite_autoindex_user_mailboxes_1"}},
}

READS_A_WHOLE_TABLE = {
    "mailboxes.total": "at most eight counters",
    "mailbox_lists.count": "the same",
    "users.totals": "at most two counters for each role",
    "users.count": "the same",
    "spool.size": "bounded by SPOOL_MAX_BYTES; bodies are apart",
    "spool.file_names": "the same bound",
    "object_deletes.count": "a queue that is worked off at once",
    "rules.all": "bounded by MAX_RULES",
    "rules.count": "the same bound",
}

SORTS_ONE_PAGE: dict[str, set[str]] = {
    "mail.object_keys": {"keys"},
    "mailbox_lists.search": {"page"},
    "mailbox_lists.search_in_domain": {"page"},
    "mailbox_lists.search_with_flags": {"page"},
    "mailbox_lists.search_in_domain_with_flags": {"page"},
    # SQLite calls every use of a full-text index a scan.
    "mailbox_lists.search_index": {"page", "mailbox_search"},
    "mailbox_lists.own_matches": {"page"},
}
"""Queries that scan and sort a subquery, which is limited."""


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


def test_a_part_stands_in_each_query_that_asks_for_it() -> None:
    text = (
        "-- part: own\n-- Why.\nuser_id = :user_id\n\n-- name: a.x\nselect 1\nwhere {own};\n-- name: a.y\nselect {own}"
    )
    assert catalog.queries_in("a.sql", text) == [
        ("a.x", "select 1\nwhere user_id = :user_id"),
        ("a.y", "select user_id = :user_id"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("select 1;", "before the first", id="without a name"),
        pytest.param("-- name: a.x\n-- What it returns.", r"a\.x is empty", id="without a statement"),
        pytest.param("-- name: a.x\nselect {own};", "own", id="a part that is missing"),
        pytest.param("-- part: own\nselect 1\n-- name: a.x\nselect 2;", "own", id="a part that is unused"),
    ],
)
def test_a_malformed_file_is_refused_with_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        catalog.queries_in("a.sql", text)


def test_a_query_over_many_rows_repeats_its_group_and_binds_in_the_order_of_the_text() -> None:
    text = "update t set a = :new where id in (values (:id, :part)) and a <= :old"
    statement = catalog.repeated(text, 2)
    assert statement.text == "update t set a = ? where id in (values (?, ?), (?, ?)) and a <= ?"
    rows = [{"id": 1, "part": "x"}, {"part": "y", "id": 2}]
    assert statement.bind(rows, {"old": 8, "new": 9}) == [9, 1, "x", 2, "y", 8]


@pytest.mark.parametrize("text", ["select :a", "insert into t values (:a); insert into t values (:b)"])
def test_a_query_without_one_group_cannot_serve_many_rows(text: str) -> None:
    with pytest.raises(ValueError, match="one group"):
        catalog.repeated(text, 2)
