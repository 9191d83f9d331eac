"""Results: rows with their bars, the table that people read, and the numbers behind it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Goal:
    """`bar` must be reached, `aim` should be; both are bounds of the same side."""

    side: Literal["min", "max"]
    bar: float
    aim: float | None = None

    def is_met(self, value: float) -> bool:
        return self._reaches(value, self.bar)

    def is_aim_met(self, value: float) -> bool:
        return self.aim is not None and self._reaches(value, self.aim)

    def _reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.side == "min" else value <= bound


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `value` is None where there is none (`without`); `note` then says why."""

    name: str
    value: float | None
    unit: str
    goal: Goal | None = None
    note: str = ""
    without: Literal["", "skipped", "FAILED"] = ""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return self.without
        if self.goal is None:
            return ""
        if not self.goal.is_met(self.value):
            return "MISSED"
        return "aim met" if self.goal.is_aim_met(self.value) else "met"


@dataclass(frozen=True, slots=True)
class Context:
    """What a benchmark gets. `folder`: its own, on the disk to be measured; removed afterwards. `raw` takes the numbers
    behind the rows, for the JSON file. `say` shows progress. `mails`: folders of mails besides our own."""

    folder: Path
    is_quick: bool
    say: Callable[[str], None]
    mails: tuple[Path, ...] = ()
    raw: dict[str, Any] = field(default_factory=dict)


def skipped(name: str, why: str) -> Row:
    """A row for what this machine lacks something for."""
    return Row(name, None, "", note=why, without="skipped")


def failed(name: str, why: str) -> Row:
    """A row for a benchmark that broke."""
    return Row(name, None, "", note=why, without="FAILED")


def percentile(samples: Sequence[float], percent: float) -> float:
    """The least sample that `percent` of all do not exceed (nearest rank). `samples` is not empty."""
    ordered = sorted(samples)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(1, int(rank)) - 1]


def document(machine: Mapping[str, object], rows: Iterable[Row], raw: Mapping[str, object]) -> dict[str, object]:
    """The whole result, for JSON."""
    return {"machine": dict(machine), "results": [_entry(row) for row in rows], "raw": dict(raw)}


def table(rows: Sequence[Row]) -> str:
    """The rows in columns, for a terminal."""
    lines = [("benchmark", "value", "unit", "bar", "aim", "result", "note")]
    lines += [
        (
            row.name,
            "" if row.value is None else shown(row.value),
            row.unit,
            _bound(row.goal, row.goal.bar) if row.goal else "",
            _bound(row.goal, row.goal.aim) if row.goal and row.goal.aim is not None else "",
            row.verdict,
            row.note,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    right = {1, 3, 4}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def shown(value: float) -> str:
    """Three significant digits, all digits before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _bound(goal: Goal, bound: float) -> str:
    return f"{'≥' if goal.side == 'min' else '≤'} {bound:,g}".replace(",", " ")


def _entry(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "value": row.value,
        "unit": row.unit,
        "side": row.goal.side if row.goal else None,
        "bar": row.goal.bar if row.goal else None,
        "aim": row.goal.aim if row.goal else None,
        "result": row.verdict or None,
        "note": row.note,
    }
