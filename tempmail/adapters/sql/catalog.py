"""The SQL catalogue: every statement that runs is a named query in `queries/*.sql`.

    -- name: spool.size
    -- What it returns, in which order, and which index serves it.
    select …

One text serves SQLite and PostgreSQL: lower-case names, `:name` parameters, `on conflict`, `returning`; times, ids and
flags come from Python.

What several queries of a file share may stand once, as a part, and in each of them as `{its_name}`:

    -- part: own_mailboxes
    select mailbox_id from user_mailboxes where user_id = :user_id
"""

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

_TITLE = re.compile(r"^-- (?:name: ([a-z_]+\.[a-z_]+)|part: ([a-z_]+))\s*$")
_PART = re.compile(r"\{([a-z_]+)\}")
_GROUP = re.compile(r"\bvalues\s*(\([^()]*\))")
_PARAMETER = re.compile(r":([a-z_]+)")


@dataclass(frozen=True, slots=True)
class Repeated:
    """A query whose group stands several times. `text` has `?` for each parameter: first those of `before`, then those
    of `group` for each row, then those of `after`."""

    text: str
    before: tuple[str, ...]
    group: tuple[str, ...]
    after: tuple[str, ...]

    def bind(self, rows: Iterable[Mapping[str, object]], params: Mapping[str, object]) -> list[object]:
        """The parameters in the order of the text."""
        return [
            *[params[name] for name in self.before],
            *[row[name] for row in rows for name in self.group],
            *[params[name] for name in self.after],
        ]


@functools.cache
def load() -> Mapping[str, str]:
    """Query name → SQL text, comments stripped, parts filled in. Raises ValueError where a file is malformed or a name
    taken twice."""
    queries: dict[str, str] = {}
    for file in sorted(resources.files(__package__).joinpath("queries").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            for name, text in queries_in(file.name, file.read_text("utf-8")):
                if name in queries:
                    raise ValueError(f"{file.name}: query {name} is defined twice")
                queries[name] = text
    return MappingProxyType(queries)


def queries_in(file_name: str, text: str) -> list[tuple[str, str]]:
    """(name, SQL) of each query in a file's `text`, in its order. Raises ValueError for a statement without a
    name, a name without a statement, and a part that is missing or unused."""
    found: list[tuple[str | None, str | None, list[str]]] = []
    for line in text.splitlines():
        if match := _TITLE.match(line):
            found.append((match[1], match[2], []))
        elif line.startswith("--") or not line.strip():
            continue
        elif not found:
            raise ValueError(f"{file_name}: a statement stands before the first '-- name:' line")
        else:
            found[-1][2].append(line)
    for name, part, lines in found:
        if not lines:
            raise ValueError(f"{file_name}: {name or part} is empty")
    parts = {part: "\n".join(lines) for _, part, lines in found if part is not None}
    queries = [(name, "\n".join(lines).rstrip(";")) for name, _, lines in found if name is not None]
    asked = {part for _, query in queries for part in _PART.findall(query)}
    if asked != parts.keys():
        raise ValueError(f"{file_name}: missing or unused parts: {', '.join(sorted(asked ^ parts.keys()))}")
    return [(name, _PART.sub(lambda match: parts[match[1]], query)) for name, query in queries]


@functools.lru_cache(maxsize=1024)
def repeated(text: str, count: int) -> Repeated:
    """The query `text` with the group after its one `values` standing `count` times. Raises ValueError where it has
    none, or several."""
    groups = list(_GROUP.finditer(text))
    if len(groups) != 1:
        raise ValueError(f"a query over many rows has one group after values: {text}")
    before, group, after = text[: groups[0].start(1)], groups[0][1], text[groups[0].end(1) :]
    return Repeated(
        _PARAMETER.sub("?", before + ", ".join([group] * count) + after),
        *(tuple(_PARAMETER.findall(part)) for part in (before, group, after)),
    )
