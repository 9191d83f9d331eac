"""Migrations: each once, in order, whole or not at all; a file that is not ours is refused with what to do."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tempmail.adapters.sql.migrate import Migration, available, check_engine, migrate, statements
from tempmail.adapters.sql.sqlite import connect
from tempmail.clock import FakeClock
from tempmail.errors import ConfigError
from tests.builders import NOW

FIRST = Migration(1, "first", "create table a (x integer);\ninsert into a (x) values (1);\n")
SECOND = Migration(2, "second", "alter table a add column y text;\n")
BROKEN = Migration(2, "broken", "insert into a (x) values (2);\ncreate table b (x integer);\nselect no_such_column;\n")


def tables(path: Path) -> list[str]:
    with closing(connect(path)) as connection:
        rows = connection.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
        return sorted(row["name"] for row in rows)


def record(path: Path) -> list[tuple[int, str, str]]:
    with closing(connect(path)) as connection:
        return [tuple(row) for row in connection.execute("select version, name, applied_at from schema_migrations")]


def test_the_programs_own_migrations_are_numbered_from_one_without_gaps() -> None:
    assert [migration.version for migration in available()] == list(range(1, len(available()) + 1))


def test_a_missing_file_is_made_and_brought_up_to_date(database: Path) -> None:
    assert migrate(database, FakeClock()) == available()
    assert record(database) == [(migration.version, migration.name, NOW) for migration in available()]


def test_a_second_run_does_nothing(database: Path) -> None:
    migrate(database, FakeClock(), [FIRST, SECOND])
    assert migrate(database, FakeClock(), [FIRST, SECOND]) == []
    assert [version for version, _, _ in record(database)] == [1, 2]


def test_only_what_is_missing_is_applied_and_rows_stay(database: Path) -> None:
    migrate(database, FakeClock(), [FIRST])
    assert migrate(database, FakeClock(), [FIRST, SECOND]) == [SECOND]
    with closing(connect(database)) as connection:
        assert [tuple(row) for row in connection.execute("select x, y from a")] == [(1, None)]


def test_a_migration_that_fails_half_way_leaves_the_version_before_it(database: Path) -> None:
    with pytest.raises(ConfigError, match="no_such_column"):
        migrate(database, FakeClock(), [FIRST, BROKEN])

    assert tables(database) == ["a", "schema_migrations"]
    assert [version for version, _, _ in record(database)] == [1]
    with closing(connect(database)) as connection:
        assert [tuple(row) for row in connection.execute("select x from a")] == [(1,)]
    assert migrate(database, FakeClock(), [FIRST, SECOND]) == [SECOND]


def test_a_migration_whose_record_cannot_be_written_is_undone(database: Path) -> None:
    migrate(database, FakeClock(), [FIRST])
    unrecordable = Migration(2, "unrecordable", "drop table schema_migrations;\n")
    with pytest.raises(ConfigError, match="schema_migrations"):
        migrate(database, FakeClock(), [FIRST, unrecordable])
    assert [version for version, _, _ in record(database)] == [1]


def test_a_database_of_a_newer_version_is_refused_with_both_versions_and_left_alone(database: Path) -> None:
    migrate(database, FakeClock(), [FIRST, SECOND])
    with pytest.raises(ConfigError, match=r"newer version of tempmail \(schema 2, this one knows 1\)"):
        migrate(database, FakeClock(), [FIRST])
    assert [version for version, _, _ in record(database)] == [1, 2]


def test_another_kind_of_file_is_refused_and_left_alone(database: Path) -> None:
    text = "DATABASE_URL=sqlite:///tempmail.db\n" * 100
    database.write_text(text)
    with pytest.raises(ConfigError, match="another kind of file"):
        migrate(database, FakeClock())
    assert database.read_text() == text


def test_another_programs_database_is_refused_and_left_alone(database: Path) -> None:
    with closing(connect(database)) as connection:
        connection.execute("create table mailboxes (id integer primary key, colour text)")
    with pytest.raises(ConfigError, match="its tables are not this program's"):
        migrate(database, FakeClock())
    assert tables(database) == ["mailboxes"]


@pytest.mark.parametrize("path", ["missing/tempmail.db", "."], ids=["no-folder", "a-folder"])
def test_a_path_that_cannot_be_opened_is_refused_by_name(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"DATABASE_URL: .*cannot be used as a database"):
        migrate(tmp_path / path, FakeClock())


def test_a_sqlite_without_full_text_search_is_refused_by_name() -> None:
    with closing(sqlite3.connect(":memory:")) as probe:
        check_engine(probe)
    with closing(sqlite3.connect(":memory:")) as probe:
        probe.set_authorizer(
            lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_CREATE_VTABLE else sqlite3.SQLITE_OK
        )
        with pytest.raises(ConfigError, match="without FTS5"):
            check_engine(probe)


def test_a_statement_ends_at_its_own_semicolon_only() -> None:
    text = """\
    -- a comment; with a semicolon
    insert into a values ('one; two');
    create trigger t after insert on a begin delete from a; delete from a; end;
    -- the end
    """
    assert [statement.splitlines()[-1].strip() for statement in statements(text)] == [
        "insert into a values ('one; two');",
        "create trigger t after insert on a begin delete from a; delete from a; end;",
    ]


def test_an_unfinished_statement_is_refused() -> None:
    with pytest.raises(ValueError, match="unfinished statement: create table"):
        list(statements("create table a (x integer)\n"))


def test_of_many_that_migrate_at_once_each_migration_is_applied_by_one(database: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        applied = list(pool.map(lambda _: migrate(database, FakeClock(), [FIRST, SECOND]), range(8)))
    assert sorted(migration.version for each in applied for migration in each) == [1, 2]


def test_two_processes_may_migrate_at_once(database: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tempmail.adapters.sql.migrate import migrate;"
        "from tempmail.clock import FakeClock; print('ready', flush=True); sys.stdin.readline();"
        "print(len(migrate(Path(sys.argv[1]), FakeClock())))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [int(process.communicate(timeout=30)[0]) for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(counts) == [0, len(available())]
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
