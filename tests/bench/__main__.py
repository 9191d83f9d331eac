"""`python -m tests.bench`: measure the server as it would run, print a table, write bench.json."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

from tests.bench import api_lists, api_rate, ingest, lists, machine, memory, outbox, reading, sizes, starting, visible
from tests.bench.report import Context, Row, document, failed, table
from tests.bench.targets import ROOT, BenchError

BENCHMARKS: dict[str, Callable[[Context], Iterator[Row]]] = {
    starting.NAME: starting.run,
    memory.NAME: memory.run,
    reading.NAME: reading.run,
    visible.NAME: visible.run,
    ingest.NAME: ingest.run,
    sizes.NAME: sizes.run,
    lists.NAME: lists.run,
    outbox.NAME: outbox.run,
    api_lists.NAME: api_lists.run,
    api_rate.NAME: api_rate.run,
}
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})


def main() -> int:
    args = _arguments()
    signal.signal(signal.SIGTERM, _terminated)
    args.dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=args.dir))
    try:
        facts = machine.facts(folder)
        _show(facts, folder)
        context = Context(
            folder, args.quick, lambda line: print(f"  {line}", file=sys.stderr, flush=True), tuple(args.mails)
        )
        began = time.monotonic()
        rows = [row for name in args.only or BENCHMARKS for row in _run(name, context)]
        facts |= {"took_s": round(time.monotonic() - began, 1), "is_quick": args.quick}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    args.out.write_text(json.dumps(document(facts, rows, context.raw), ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(table(rows))
    verdicts = [row.verdict for row in rows]
    print(
        f"\n{sum(row.goal is not None for row in rows)} bars, {verdicts.count('MISSED')} missed;"
        f" {verdicts.count('skipped')} skipped, {verdicts.count('FAILED')} failed; {facts['took_s']} s; {args.out}"
    )
    return int("FAILED" in verdicts or (args.check and "MISSED" in verdicts))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=tuple(BENCHMARKS), help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="shorter and coarser; without the largest database")
    parser.add_argument(
        "--mails", type=Path, nargs="+", default=[], metavar="FOLDER", help=f"{reading.NAME}: mails besides our own"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a bar is missed")
    parser.add_argument("--out", type=Path, default=Path("bench.json"), help="default: %(default)s")
    parser.add_argument(
        "--dir",
        type=Path,
        default=ROOT / "build" / "bench",
        help="a folder on the disk to measure (default: %(default)s)",
    )
    return parser.parse_args()


def _run(name: str, context: Context) -> list[Row]:
    """The benchmark's rows; where it cannot go on, those that it has and one that says why."""
    rows: list[Row] = []
    try:
        # What was yielded before an exception stays in the list.
        rows.extend(BENCHMARKS[name](context))
    except (BenchError, OSError, ValueError) as exc:
        rows.append(failed(name, f"{type(exc).__name__}: {exc}"))
    return rows


def _show(facts: Mapping[str, object], folder: Path) -> None:
    print(", ".join(f"{name} {value}" for name, value in facts.items()), file=sys.stderr)
    if facts["filesystem"] in _IN_MEMORY:
        print(f"{folder} is in memory: what depends on fsync means nothing; give a folder by --dir", file=sys.stderr)


def _terminated(_number: int, _frame: FrameType | None) -> None:
    """Leaves by an exception, so that every process that was started is ended."""
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
