"""The table of variables as people read it: docs/settings.md, the list in `--help`, and what `tempmail config` prints.

Pure functions from the table (and loaded settings) to text. Secrets never leave them.
"""

import textwrap
from itertools import groupby

from tempmail.setting_sources import Loaded
from tempmail.settings import NOT_USED_YET, VARIABLES, Settings, Variable

MASK = "********"

_INTRODUCTION = """\
# Settings

<!-- Made by `tempmail config --docs` from the table in tempmail/settings.py. -->

Every setting is a variable. Its value comes from the first of these that gives one:

1. the environment;
2. `[vars]` of the `wrangler.toml` that `--config FILE` names;
3. for secrets, `secrets.toml` in `DATA_DIR`, which the first start makes (mode 0600);
4. the default.

An empty value counts as not given. So do the placeholders of the original's `wrangler.toml`: values that contain
`你的` or end in `发件密钥`, and the values of `JWT_TOKEN` that its repository has published. Where a variable has
aliases, the first one that is not empty wins.

`tempmail config` shows every variable with its value and where that came from; secrets are masked. Faults are all told
at once, one line each, and the exit code is 2.

From `wrangler.toml` the bindings are used too: the `database_name` bound as `TEMP_MAIL_DB` in `[[d1_databases]]` names
the database file under `DATA_DIR`, and the `bucket_name` bound as `MAIL_EML` in `[[r2_buckets]]` sets `R2_BUCKET_NAME`.
"""


def markdown() -> str:
    """The whole of docs/settings.md."""
    parts = [_INTRODUCTION]
    for group, rows in groupby(VARIABLES, key=lambda row: row.group):
        lines = [f"| {_names(row)} | {_default(row)} | {row.doc} |" for row in rows]
        parts.append("\n".join([f"## {group}\n", "| Variable | Default | Meaning |", "|---|---|---|", *lines]) + "\n")
    unused = ", ".join(f"`{name}`" for name in NOT_USED_YET)
    parts.append(
        "## Known, not used yet\n\n"
        "A `wrangler.toml` may hold these variables of the original without complaint, but this version does nothing\n"
        f"with them:\n\n{textwrap.fill(unused, 118, break_long_words=False, break_on_hyphens=False)}\n"
    )
    return "\n".join(parts)


def _names(row: Variable) -> str:
    return ", ".join(f"`{name}`" for name in (row.name, *row.aliases))


def _default(row: Variable) -> str:
    if not row.default_doc:
        return "empty"
    # As code what can be typed; as it is what describes it.
    is_literal = row.default_doc == row.default or "://" in row.default_doc
    return f"`{row.default_doc}`" if is_literal else row.default_doc


def help_text() -> str:
    """The variables for the end of `--help`, grouped, at most 100 columns wide."""
    lines = ["variables (environment > [vars] of --config FILE > secrets.toml > default):"]
    for group, rows in groupby(VARIABLES, key=lambda row: row.group):
        lines += ["", f"  {group}"]
        for row in rows:
            default = f" [{row.default_doc}]" if row.default_doc else ""
            lines.append(f"    {'|'.join((row.name, *row.aliases))}{default}")
            lines += textwrap.wrap(row.doc, 92, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return "\n".join(lines)


def table(loaded: Loaded) -> str:
    """Name, value and source of every variable in columns; a secret shows only whether it is set."""
    rows = [(row.name, _shown(row, loaded.settings), loaded.sources[row.name]) for row in VARIABLES]
    name_width = max(len(name) for name, _, _ in rows)
    value_width = min(48, max(len(value) for _, value, _ in rows))
    return "\n".join(f"{name:<{name_width}}  {value:<{value_width}}  {source}" for name, value, source in rows)


def _shown(row: Variable, settings: Settings) -> str:
    value = value_of(row, settings)
    if row.is_secret:
        return MASK if value else "(not set)"
    plain = _plain(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, list):
        return ", ".join(plain) or "(none)"
    return "(none)" if plain in (None, "") else str(plain)


def document(loaded: Loaded) -> dict[str, object]:
    """As `table`, for JSON: `variables` (each with `name`, `value`, `source`, `secret`) and `notices`.

    Numbers, booleans and lists stay what they are; what is off is null. The value of a secret that is set is the mask.
    """
    return {"variables": [_entry(row, loaded) for row in VARIABLES], "notices": list(loaded.notices)}


def _entry(row: Variable, loaded: Loaded) -> dict[str, object]:
    value = value_of(row, loaded.settings)
    shown = (MASK if value else None) if row.is_secret else _plain(value)
    return {"name": row.name, "value": shown, "source": loaded.sources[row.name], "secret": row.is_secret}


def value_of(row: Variable, settings: Settings) -> object:
    """The parsed value of a row."""
    value: object = getattr(settings, row.name.lower())
    return value


def _plain(value: object) -> bool | int | str | list[str] | None:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return str(value) or None
