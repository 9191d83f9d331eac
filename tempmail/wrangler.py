"""What a `wrangler.toml` of the original says that this server can use."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tempmail.errors import ConfigError

D1_BINDING = "TEMP_MAIL_DB"
R2_BINDING = "MAIL_EML"
MAX_FILE_BYTES = 1_048_576

_DATABASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class WranglerFile:
    """The usable content of one file.

    `variables`: [vars] as text, the way a Worker's environment would show them. `database_name`: of the D1 binding
    TEMP_MAIL_DB; `bucket_name`: of the R2 binding MAIL_EML; None where the file has no such binding.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    database_name: str | None = None
    bucket_name: str | None = None


def read(path: Path) -> WranglerFile:
    """The file at `path`. Raises `ConfigError` with every fault found; none of them quotes a value.

    Placeholders are not judged here: they count as unset wherever they come from.
    """
    document = _document(path)
    faults: list[str] = []
    table = document.get("vars", {})
    if not isinstance(table, dict):
        faults.append(f'{path}: vars is not a table; write it as [vars] with one NAME = "value" per line.')
        table = {}
    variables = {name: _text(value) for name, value in table.items()}
    database_name = _binding(document, "d1_databases", D1_BINDING, "database_name", path, faults)
    bucket_name = _binding(document, "r2_buckets", R2_BINDING, "bucket_name", path, faults)
    if database_name is not None and _DATABASE_NAME.fullmatch(database_name) is None:
        faults.append(
            f"{path}: database_name of {D1_BINDING} cannot be the name of a file; use letters, digits, dot, - and _."
        )
    if faults:
        raise ConfigError(faults)
    return WranglerFile(variables, database_name, bucket_name)


def _document(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise ConfigError([f"{path}: cannot be read ({exc.strerror}); name an existing wrangler.toml."]) from exc
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError([f"{path}: is larger than {MAX_FILE_BYTES} bytes; name a wrangler.toml."])
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        raise ConfigError([f"{path}: is not UTF-8 text; save it as UTF-8."]) from exc
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        where = re.search(r"at line \d+, column \d+", str(exc))
        place = f" ({where.group()})" if where else ""
        advice = "mend that line; a value that holds double quotes is written between single quotes"
        raise ConfigError([f"{path}: is not valid TOML{place}; {advice}."]) from exc


def _text(value: object) -> str:
    """A value as text. Wrangler hands tables and arrays to a Worker as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _binding(
    document: dict[str, object], section: str, binding: str, key: str, path: Path, faults: list[str]
) -> str | None:
    entries = document.get(section, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        faults.append(f"{path}: {section} is not a list of tables; write each entry under [[{section}]].")
        return None
    for entry in entries:
        if entry.get("binding") != binding:
            continue
        name = entry.get(key)
        if name is None or isinstance(name, str):
            return name or None
        faults.append(f"{path}: {key} of {binding} is not text; write it between quotes.")
    return None
