"""An extraction in words: what was chosen, what else was weighed, and why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tempmail.domain.codes import MAX_REPORTED, CodeCandidate
from tempmail.domain.codes_weights import THRESHOLD as CODE_THRESHOLD
from tempmail.domain.extraction import Extraction, extract_mail
from tempmail.domain.links import THRESHOLD as LINK_THRESHOLD
from tempmail.domain.links import LinkCandidate
from tempmail.domain.mime import parse

MAX_LINKS = 8
"""Links beyond these are counted only."""

_INDENT = "     "


@dataclass(frozen=True, slots=True)
class Explained:
    """`read`: how many characters each part of the mail had to be read: subject, text, html as far as it is visible.
    `defects`: what was found broken in it."""

    extraction: Extraction
    read: Mapping[str, int]
    defects: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Everything, as plain dicts, lists, strings and numbers, for JSON."""
        thresholds = {"code_threshold": CODE_THRESHOLD, "link_threshold": LINK_THRESHOLD}
        return {**self.extraction.as_dict(), **thresholds, "read": dict(self.read), "defects": list(self.defects)}

    def lines(self) -> list[str]:
        """The same for people; without control characters, whatever the mail holds."""
        return [_printable(line).rstrip() for line in _lines(self)]


def explain(raw: bytes) -> Explained:
    """What is extracted from a raw mail, as `tempmail.extract` gives it, and from what. Any bytes are taken."""
    mail = parse(raw)
    extraction, view = extract_mail(mail)
    read = {"subject": len(mail.subject), "text": len(mail.text), "html": len(view.text) if view else 0}
    return Explained(extraction, read, mail.defects)


def _lines(explained: Explained) -> Iterator[str]:
    extraction = explained.extraction
    codes, links = extraction.codes, extraction.links
    yield f"code  {extraction.code or _none(codes, CODE_THRESHOLD, 'has the form of a code', [c.value for c in codes])}"
    yield f"link  {extraction.link or _none(links, LINK_THRESHOLD, 'is a link', [link.url for link in links])}"
    yield f"read  {', '.join(f'{name} {chars} characters' for name, chars in explained.read.items())}"
    if explained.defects:
        yield f"note  {'; '.join(explained.defects)}"
    if codes:
        yield ""
        yield f"What may be a code, best first. The first is the code from {CODE_THRESHOLD:.2f} points on."
        for number, code in enumerate(codes, 1):
            yield ""
            yield _head(number, code.value, code.score, CODE_THRESHOLD, is_chosen=number == 1 and bool(extraction.code))
            yield f"{_INDENT}{code.kind}, in the {code.source} at {code.start}-{code.end}, first of all: {code.rule}"
            if code.context:
                yield f"{_INDENT}behind the words: {' '.join(code.context)}"
            yield from _reasons(code.reasons)
        if len(codes) == MAX_REPORTED:
            yield ""
            yield f"  No more than {MAX_REPORTED} are kept."
    if links:
        yield ""
        yield f"Links, best first. The first is the one to open from {LINK_THRESHOLD:.2f} points on."
        for number, link in enumerate(links[:MAX_LINKS], 1):
            yield ""
            yield _head(number, link.url, link.score, LINK_THRESHOLD, is_chosen=number == 1 and bool(extraction.link))
            yield f"{_INDENT}{link.kind}, to {link.host}" + (f", shown as: {link.text}" if link.text else "")
            yield from _reasons(link.reasons)
        if len(links) > MAX_LINKS:
            yield ""
            yield f"  … and {len(links) - MAX_LINKS} more links with fewer points."


def _none(candidates: Sequence[CodeCandidate | LinkCandidate], threshold: float, form: str, names: list[str]) -> str:
    if not candidates:
        return f"none: nothing in this mail {form}"
    return f"none: the best is {names[0]} with {candidates[0].score:.2f} points, and {threshold:.2f} are needed"


def _head(number: int, what: str, score: float, threshold: float, *, is_chosen: bool) -> str:
    if is_chosen:
        verdict = "chosen"
    elif score >= threshold:
        verdict = "not chosen: another has more"
    else:
        verdict = f"not chosen: {threshold - score:.2f} below the threshold"
    return f"{number:3}  {what}  {score:.2f} points, {verdict}"


def _reasons(reasons: Iterable[str]) -> Iterator[str]:
    for reason in reasons:
        words, _, points = reason.rpartition(" ")
        yield f"{_INDENT}{points:>7}  {words}"


def _printable(line: str) -> str:
    """A mail must not steer the terminal that it is shown on."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
