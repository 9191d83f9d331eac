"""Labelled mails: a folder of .eml files with `labels.jsonl`, scored the way its users would judge.

One label a line: `file`, `code` (what the user types, or null), `link` (the address to open, or null; `links_ok` more
that are right, `link_optional` some that are neither right nor wrong), `lang`, `tags`, `kind`, `template`.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tempmail

OWN = Path(__file__).parent / "own"
PARTS = ("tune", "hold", "fresh", "wild1", "wild2", "wild3", "wild4", "wild5", "wild6", "wild7", "wild8")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one mail came out. `label`: its line of `labels.jsonl`; `code`, `link`: what was found."""

    label: dict[str, Any]
    code: str | None
    link: str | None

    @property
    def code_is_right(self) -> bool:
        return bool(self.code == self.label["code"])

    @property
    def link_is_right(self) -> bool:
        wanted = [url for url in (self.label.get("link"), *self.label.get("links_ok", ())) if url]
        if wanted:
            return self.link in wanted
        return self.link is None or self.link in self.label.get("link_optional", ())

    @property
    def is_false_positive(self) -> bool:
        """Whether something was found in a mail that has neither a code nor a link."""
        return not self.label["code"] and not self.label.get("link") and not (self.code_is_right and self.link_is_right)


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares from 0 to 1; 1 where there is nothing to be wrong about."""

    mails: int
    code_exact: float
    code_precision: float
    code_recall: float
    link_exact: float
    link_precision: float
    link_recall: float
    false_positives: int


def verdicts(folder: Path) -> list[Verdict]:
    """All mails of a folder, extracted."""
    lines = (folder / "labels.jsonl").read_text("utf-8").splitlines()
    results: list[Verdict] = []
    for label in map(json.loads, lines):
        found = tempmail.extract((folder / label["file"]).read_bytes())
        results.append(Verdict(label, found.code, found.link))
    return results


def figures(results: Iterable[Verdict]) -> Figures:
    results = list(results)
    with_code = [each for each in results if each.label["code"]]
    said_code = [each for each in results if each.code]
    with_link = [each for each in results if each.label.get("link")]
    said_link = [each for each in results if each.link and each.link not in each.label.get("link_optional", ())]
    return Figures(
        mails=len(results),
        code_exact=_share(each.code_is_right for each in results),
        code_precision=_share(each.code_is_right for each in said_code),
        code_recall=_share(each.code_is_right for each in with_code),
        link_exact=_share(each.link_is_right for each in results),
        link_precision=_share(each.link_is_right for each in said_link),
        link_recall=_share(each.link_is_right for each in with_link),
        false_positives=sum(each.is_false_positive for each in results),
    )


def table(results: Iterable[Verdict], keys: Callable[[dict[str, Any]], Iterable[str]]) -> str:
    """A Markdown table of the figures, one row for each key of the labels, most mails first."""
    rows: dict[str, list[Verdict]] = {}
    for each in results:
        for key in keys(each.label):
            rows.setdefault(key, []).append(each)
    lines = ["| | mails | code | link |", "| --- | ---: | ---: | ---: |"]
    for key, group in sorted(rows.items(), key=lambda row: (-len(row[1]), row[0])):
        found = figures(group)
        lines.append(f"| {key} | {found.mails} | {found.code_exact:.1%} | {found.link_exact:.1%} |")
    return "\n".join(lines)


def by_language(label: dict[str, Any]) -> list[str]:
    return [label["lang"]]


def by_format(label: dict[str, Any]) -> list[str]:
    """The form of the code, or the kind of the mail where there is none."""
    code = label["code"]
    if not code:
        return [label["kind"]]
    if code.isdigit():
        return [f"{len(code)} digits"]
    if "-" in code:
        return [
            "words" if code.replace("-", "").islower() and code.replace("-", "").isalpha() else "groups with dashes"
        ]
    return ["letters and digits"]


def by_layout(label: dict[str, Any]) -> list[str]:
    return [tag for tag in label["tags"] if tag in ("text", "html", "alt")]


def _share(hits: Iterable[bool]) -> float:
    counted = list(hits)
    return sum(counted) / len(counted) if counted else 1.0
