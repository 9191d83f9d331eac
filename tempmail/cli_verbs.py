"""Commands with verbs: `tempmail COMMAND VERB …`, and how they print rows."""

import argparse
import dataclasses
import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tempmail.settings import Settings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Run = Callable[[argparse.Namespace, Settings], None]


def verbs_of(parser: argparse.ArgumentParser) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """What the verbs of a command are added to; one of them must be given."""
    return parser.add_subparsers(metavar="VERB", required=True, title="verbs")


def add_verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    run: Run,
    *,
    as_json: bool = False,
) -> argparse.ArgumentParser:
    """A verb, which `args.verb` is then. `as_json`: it prints rows, which `--json` makes JSON of."""
    parser = verbs.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False)
    if as_json:
        parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    parser.set_defaults(verb=run)
    return parser


def print_rows(rows: "Iterable[DataclassInstance]", columns: Sequence[str], args: argparse.Namespace) -> None:
    """A line a row: JSON with every field, or the columns with tabs between them."""
    for row in rows:
        if args.json:
            print(json.dumps(dataclasses.asdict(row), ensure_ascii=False))
        else:
            print("\t".join(cell(getattr(row, column)) for column in columns))


def cell(value: object) -> str:
    """A value as one column shows it."""
    if isinstance(value, tuple):
        return ",".join(value) or "-"
    return "-" if value is None else str(value)
