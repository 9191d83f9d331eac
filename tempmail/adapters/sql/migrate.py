"""Numbered migrations, each applied in one transaction together with its record."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from tempmail.adapters.sql.sqlite import MIN_SQLITE, Gate, connect, translate
from tempmail.clock import Clock, stamp
from tempmail.errors import ConfigError

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")

_RECORD = """create table if not exists schema_migrations (
    version integer primary key,
    name text not null,
    applied_at text not null
)"""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str


def available() -> list[Migration]:
    """The migrations of this program, in order of version."""
    found = [
        Migration(int(match[1]), match[2], file.read_text("utf-8"))
        for file in resources.files(__package__).joinpath("migrations").iterdir()
        if (match := _FILE.fullmatch(file.name))
    ]
    return sorted(found, key=lambda migration: migration.version)


def migrate(path: Path, clock: Clock, migrations: list[Migration] | None = None) -> list[Migration]:
    """Bring the database at `path` (created if missing) up to date; returns what was applied.

    Safe to run by several processes at once. Raises `ConfigError` where the file is not a database, is of a newer
    version of this program, or cannot be written, and where SQLite itself cannot serve (`check_engine`); a failed
    migration leaves the version before it.
    """
    with closing(sqlite3.connect(":memory:")) as probe:
        check_engine(probe)
    migrations = available() if migrations is None else migrations
    try:
        # The gate, since turning a new file's write-ahead log on is the one thing that SQLite does not wait for.
        with closing(Gate(path)) as gate, gate, closing(connect(path)) as connection:
            return _apply(connection, path, clock, migrations)
    except OSError as exc:
        raise ConfigError(
            [f"DATABASE_URL: {path} cannot be used as a database ({exc.strerror}): check its folder's permissions."]
        ) from exc
    except sqlite3.Error as exc:
        raise ConfigError([f"DATABASE_URL: {path} cannot be used as a database ({exc}): {_hint(exc)}"]) from exc


def check_engine(probe: sqlite3.Connection) -> None:
    """Raises `ConfigError` where the SQLite behind `probe` (an empty database, which is written to) is too old or was
    built without what the searches need."""
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        raise ConfigError([f"SQLite {sqlite3.sqlite_version} is too old: {'.'.join(map(str, MIN_SQLITE))} is needed."])
    try:
        probe.execute("create virtual table probe using fts5 (text, tokenize = 'trigram')")
    except sqlite3.Error as exc:
        raise ConfigError(
            [f"SQLite {sqlite3.sqlite_version} was built without FTS5 ({exc}): use one that was built with it."]
        ) from exc


def create(connection: sqlite3.Connection, clock: Clock) -> None:
    """The newest schema in an empty database that only this connection sees."""
    _apply(connection, Path(":memory:"), clock, available())


def _hint(error: sqlite3.Error) -> str:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
        return "it is another kind of file; name a new file or move this one away."
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
        return "its tables are not this program's; name a new file, and import what this one holds."
    return f"{translate(error)}; check the folder's permissions and free space."


def _apply(connection: sqlite3.Connection, path: Path, clock: Clock, migrations: list[Migration]) -> list[Migration]:
    newest = max((migration.version for migration in migrations), default=0)
    applied = []
    for migration in migrations:
        connection.execute("begin immediate")
        try:
            connection.execute(_RECORD)
            found = connection.execute("select coalesce(max(version), 0) from schema_migrations").fetchone()[0]
            if found > newest:
                raise ConfigError([_newer(path, found, newest)])
            if migration.version > found:
                for statement in statements(migration.sql):
                    connection.execute(statement)
                connection.execute(
                    "insert into schema_migrations (version, name, applied_at) values (?, ?, ?)",
                    (migration.version, migration.name, stamp(clock.now())),
                )
                applied.append(migration)
            connection.execute("commit")
        finally:
            if connection.in_transaction:
                connection.execute("rollback")
    return applied


def _newer(path: Path, found: int, newest: int) -> str:
    return (
        f"DATABASE_URL: {path} was written by a newer version of tempmail (schema {found}, this one knows {newest}): "
        "install that version, or restore a backup made before the upgrade."
    )


def statements(sql: str) -> Iterator[str]:
    """The statements of a script, one by one (`executescript` would commit between them)."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if any(line.strip() and not line.strip().startswith("--") for line in pending.splitlines()):
        raise ValueError(f"unfinished statement: {pending.strip()[:80]}")


def schema_text(connection: sqlite3.Connection) -> str:
    """The whole schema as SQL: tables, then indexes, then triggers, as they were declared. Tables that a virtual table
    keeps for itself are left out: it makes them."""
    rows = connection.execute(
        "select name, type, sql from sqlite_master where sql is not null and name not like 'sqlite_%' order by rowid"
    ).fetchall()
    inner = tuple(f"{name}_" for name, _, sql in rows if sql.lower().startswith("create virtual table"))
    texts = [
        f"{sql};"
        for wanted in ("table", "index", "trigger")
        for name, kind, sql in rows
        if kind == wanted and not name.startswith(inner)
    ]
    return "\n\n".join(texts) + "\n"
