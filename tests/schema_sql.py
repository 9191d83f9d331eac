"""The text of `schema.sql`: what the migrations yield. `python -m tests.schema_sql` writes the file anew."""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from tempmail.adapters.sql.migrate import migrate, schema_text
from tempmail.clock import FakeClock

SCHEMA_SQL = Path(__file__).parent.parent / "schema.sql"

HEADER = """\
-- The whole SQLite schema in one place, for reading and comparing. tempmail makes and upgrades its database itself.
--
-- Generated from tempmail/adapters/sql/migrations by `python -m tests.schema_sql`; a test proves that they agree.

"""


def generate() -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder, "tempmail.db")
        migrate(path, FakeClock())
        with closing(sqlite3.connect(path)) as connection:
            return HEADER + schema_text(connection)


if __name__ == "__main__":
    SCHEMA_SQL.write_text(generate(), "utf-8")
