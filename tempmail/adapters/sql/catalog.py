"""The SQL catalogue: every statement that runs is a named query in `queries/*.sql`.

    -- name: spool.size
    -- What it returns, in which order, and which index serves it.
    select …

One text serves SQLite and PostgreSQL: lower-case names, `:name` parameters, `on conflict`, `returning`; times, ids and
flags come from Python.
"""

import functools
import re
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

_NAME = re.compile(r"^-- name: ([a-z_]+\.[a-z_]+)\s*$")


@functools.cache
def load() -> Mapping[str, str]:
    """Query name → SQL text, comments stripped. Raises ValueError where a file is malformed or a name taken twice."""
    queries: dict[str, str] = {}
    for file in sorted(resources.files(__package__).joinpath("queries").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            for name, text in _split(file.name, file.read_text("utf-8")):
                if name in queries:
                    raise ValueError(f"{file.name}: query {name} is defined twice")
                queries[name] = text
    return MappingProxyType(queries)


def _split(file_name: str, text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if match := _NAME.match(line):
            found.append((match.group(1), []))
        elif line.startswith("--") or not line.strip():
            continue
        elif not found:
            raise ValueError(f"{file_name}: a statement stands before the first '-- name:' line")
        else:
            found[-1][1].append(line)
    for name, lines in found:
        if not lines:
            raise ValueError(f"{file_name}: query {name} is empty")
    return [(name, "\n".join(lines).rstrip(";")) for name, lines in found]
