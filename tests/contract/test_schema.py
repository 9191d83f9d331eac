"""The schema: one file that agrees with the migrations, and the original's tables and columns under their own names."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tempmail.adapters.sql.migrate import migrate, schema_text
from tempmail.adapters.sql.sqlite import connect
from tempmail.clock import FakeClock
from tests.schema_sql import SCHEMA_SQL, generate

ID = "integer primary key autoincrement"
NOW = "current_timestamp"

# Column → type, "not null" or "", default. Source: contract 5.
ORIGINAL: dict[str, dict[str, tuple[str, str, str | None]]] = {
    "mailboxes": {
        "id": ("integer", "", None),
        "address": ("text", "not null", None),
        "local_part": ("text", "not null", None),
        "domain": ("text", "not null", None),
        "password_hash": ("text", "", None),
        "can_login": ("integer", "", "0"),
        "created_at": ("text", "", NOW),
        "last_accessed_at": ("text", "", None),
        "expires_at": ("text", "", None),
        "is_pinned": ("integer", "", "0"),
        "forward_to": ("text", "", None),
        "is_favorite": ("integer", "", "0"),
    },
    "messages": {
        "id": ("integer", "", None),
        "mailbox_id": ("integer", "not null", None),
        "sender": ("text", "not null", None),
        "to_addrs": ("text", "not null", "''"),
        "subject": ("text", "not null", None),
        "verification_code": ("text", "", None),
        "preview": ("text", "", None),
        "r2_bucket": ("text", "not null", "'mail-eml'"),
        "r2_object_key": ("text", "not null", "''"),
        "received_at": ("text", "", NOW),
        "is_read": ("integer", "", "0"),
    },
    "users": {
        "id": ("integer", "", None),
        "username": ("text", "not null", None),
        "password_hash": ("text", "", None),
        "role": ("text", "not null", "'user'"),
        "can_send": ("integer", "not null", "0"),
        "mailbox_limit": ("integer", "not null", "10"),
        "created_at": ("text", "", NOW),
    },
    "user_mailboxes": {
        "id": ("integer", "", None),
        "user_id": ("integer", "not null", None),
        "mailbox_id": ("integer", "not null", None),
        "created_at": ("text", "", NOW),
        "is_pinned": ("integer", "not null", "0"),
    },
    "sent_emails": {
        "id": ("integer", "", None),
        "resend_id": ("text", "", None),
        "from_name": ("text", "", None),
        "from_addr": ("text", "not null", None),
        "to_addrs": ("text", "not null", None),
        "subject": ("text", "not null", None),
        "html_content": ("text", "", None),
        "text_content": ("text", "", None),
        "status": ("text", "", "'queued'"),
        "scheduled_at": ("text", "", None),
        "created_at": ("text", "", NOW),
        "updated_at": ("text", "", NOW),
        "provider": ("text", "not null", "'resend'"),
    },
}

UNIQUE = {
    "mailboxes": [["address"]],
    "messages": [],
    "users": [["username"]],
    "user_mailboxes": [["user_id", "mailbox_id"]],
    "sent_emails": [],
}

REFERENCES = [
    ("messages", "mailbox_id", "mailboxes", "NO ACTION"),
    ("user_mailboxes", "user_id", "users", "CASCADE"),
    ("user_mailboxes", "mailbox_id", "mailboxes", "CASCADE"),
]


@pytest.fixture
def sql(database: Path) -> Iterator[sqlite3.Connection]:
    """A migrated database without rows."""
    migrate(database, FakeClock())
    with closing(connect(database)) as connection:
        yield connection


def test_schema_sql_is_what_the_migrations_yield() -> None:
    assert SCHEMA_SQL.read_text("utf-8") == generate(), "run: python -m tests.schema_sql"


def test_schema_sql_run_by_itself_makes_the_same_schema(sql: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCHEMA_SQL.read_text("utf-8"))
        assert schema_text(fresh) == schema_text(sql)


@pytest.mark.parametrize("table", ORIGINAL)
def test_the_originals_columns_keep_their_names_types_and_defaults(sql: sqlite3.Connection, table: str) -> None:
    declared = {
        row["name"]: (row["type"].lower(), "not null" if row["notnull"] else "", row["dflt_value"])
        for row in sql.execute(f"pragma table_info({table})")
    }
    assert {name: declared.get(name) for name in ORIGINAL[table]} == ORIGINAL[table]


@pytest.mark.parametrize("table", ORIGINAL)
def test_columns_of_ours_need_no_value_so_that_a_dump_imports_by_name(sql: sqlite3.Connection, table: str) -> None:
    ours = [row for row in sql.execute(f"pragma table_info({table})") if row["name"] not in ORIGINAL[table]]
    assert [row["name"] for row in ours if row["notnull"] and row["dflt_value"] is None] == []


@pytest.mark.parametrize("table", ORIGINAL)
def test_ids_are_never_reused(sql: sqlite3.Connection, table: str) -> None:
    [declared] = sql.execute("select sql from sqlite_master where type = 'table' and name = ?", (table,)).fetchone()
    assert f"id {ID}" in declared


@pytest.mark.parametrize(("table", "columns"), UNIQUE.items())
def test_what_was_unique_in_the_original_is_unique(
    sql: sqlite3.Connection, table: str, columns: list[list[str]]
) -> None:
    found = [
        [column["name"] for column in sql.execute(f"pragma index_info({index['name']})")]
        for index in sql.execute(f"pragma index_list({table})")
        if index["unique"]
    ]
    assert found == columns


@pytest.mark.parametrize(("table", "column", "target", "on_delete"), REFERENCES)
def test_references_are_the_originals(
    sql: sqlite3.Connection, table: str, column: str, target: str, on_delete: str
) -> None:
    found = [
        (row["table"], row["on_delete"])
        for row in sql.execute(f"pragma foreign_key_list({table})")
        if row["from"] == column
    ]
    assert found == [(target, on_delete)]
