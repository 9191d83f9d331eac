"""Transactions as generators, so that one text of each serves every driver.

A script yields queries and is sent their rows; what it returns is the transaction's result:

    def _add(address: str) -> Script[int]:
        rows = yield Query("mailboxes.insert", {"address": address})
        return int(rows[0]["id"])

A driver runs it between BEGIN and COMMIT: the SQLite one in a single hop to the connection's thread, where each await
would cost a hop of its own. An exception in the script rolls the transaction back.
"""

import functools
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
R = TypeVar("R", bound="DataclassInstance")

STATEMENT_ROWS = 16
"""Rows of a `QueryMany` per statement: past it a row gets no cheaper (42, 36, 37 µs a mail at 4, 16, 32), and the
connection keeps a prepared statement for each number."""


class Row(Protocol):
    """A result row; columns by name or position."""

    def __getitem__(self, column: str | int, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]:
        """The values, in the order of the columns."""
        ...


@dataclass(frozen=True, slots=True)
class Query:
    """One named query of the catalogue with its parameters."""

    name: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueryMany:
    """One named query for many rows at once: the group after its one `values` stands once per row, so that a statement
    serves up to `STATEMENT_ROWS` of them. The result rows of all come together; without rows nothing runs.

    `rows` give the group's parameters, `params` the others.
    """

    name: str
    rows: Sequence[Mapping[str, object]]
    params: Mapping[str, object] = field(default_factory=dict)


Rows = Sequence[Row]
Script = Generator[Query | QueryMany, Rows, T]


class Database(Protocol):
    """A connection to one database; see `sqlite.py`."""

    async def read(self, script: Script[T]) -> T:
        """Run a script that only reads, on one consistent snapshot."""
        ...

    async def write(self, script: Script[T]) -> T:
        """Run a script as one transaction: committed and fsynced on return, or rolled back and raised."""
        ...

    async def checkpoint(self) -> None:
        """Do the housekeeping that commits leave to a quiet moment. Call it often."""
        ...

    async def close(self) -> None: ...


def record(kind: type[R], row: Row, /, **given: object) -> R:
    """A row as a record: each field is the column of its name, or what is `given` in its place."""
    return kind(**{name: given[name] if name in given else row[name] for name in _field_names(kind)})


@functools.cache
def _field_names(kind: "type[DataclassInstance]") -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


def one(name: str, params: Mapping[str, object] | None = None) -> Script[Rows]:
    """A script of a single query; its rows are the result."""
    return (yield Query(name, params or {}))
