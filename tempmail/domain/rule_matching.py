"""What an admin's rules find in a mail, put before what the built-in extraction found."""

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, TypeVar

from tempmail.domain.codes import MAX_CONTEXT_WORDS, CodeCandidate
from tempmail.domain.codes import MAX_REPORTED as MAX_CODES
from tempmail.domain.extraction import Extraction
from tempmail.domain.html import MAX_URL_CHARS
from tempmail.domain.links import MAX_REPORTED as MAX_LINKS
from tempmail.domain.links import OTHER, LinkCandidate
from tempmail.domain.links_address import read_address
from tempmail.domain.rules import (
    EVERYBODY,
    MAX_CODE_CHARS,
    MAX_SEARCHED_CHARS,
    RULE_POINTS,
    ExtractionRule,
    compile_pattern,
)
from tempmail.errors import BadRequest

T = TypeVar("T")

_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "subject": ("subject",),
    "text": ("text",),
    "html": ("html",),
    "any": ("subject", "text", "html"),
}
_CONTEXT_CHARS = 200


@dataclass(frozen=True, slots=True)
class RuledMail:
    """What rules look at. `sender`: an address. `recipients`: addresses, as far as they are known."""

    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str


class Ruled(NamedTuple):
    """`untried`: labels of the rules that there was no time for."""

    extraction: Extraction
    untried: tuple[str, ...]


class RuleSet:
    """Compiled rules of one `version`. `faults`: rules that cannot be used, each with the reason; they are left out."""

    def __init__(self, rules: Iterable[ExtractionRule] = (), *, version: int = 0) -> None:
        self.version = version
        usable: list[tuple[ExtractionRule, Any]] = []
        faults: list[tuple[ExtractionRule, str]] = []
        for rule in sorted(rules, key=lambda rule: (-rule.priority, rule.id)):
            if rule.enabled:
                try:
                    usable.append((rule, compile_pattern(rule)))
                except BadRequest as exc:
                    faults.append((rule, str(exc)))
        self._usable = tuple(usable)
        self.faults = tuple(faults)

    def __len__(self) -> int:
        return len(self._usable)

    def concern(self, mail: RuledMail) -> bool:
        """Whether any rule is for this mail."""
        return any(_is_for(rule, mail) for rule, _ in self._usable)

    def apply(self, mail: RuledMail, found: Extraction, is_late: Callable[[], bool] = lambda: False) -> Ruled:
        """`found` with what the rules say before it: the first that matches gives the code, likewise the link.

        `is_late` is asked before each search; once it says so, the other rules are not tried.
        """
        untried = []
        code: CodeCandidate | None = None
        link: LinkCandidate | None = None
        for rule, compiled in self._usable:
            if (code if rule.kind == "code" else link) is not None or not _is_for(rule, mail):
                continue
            if is_late():
                untried.append(rule.label)
            elif rule.kind == "code":
                code = _find(rule, compiled, mail, _as_code)
            else:
                link = _find(rule, compiled, mail, _as_link)
        if code is not None:
            found = _with_code(found, code)
        if link is not None:
            found = _with_link(found, link)
        return Ruled(found, tuple(untried))


NO_RULES: Final = RuleSet()


class _Match(NamedTuple):
    """`start` and `end`: the place of the named group in `text`."""

    rule: ExtractionRule
    source: str
    text: str
    start: int
    end: int

    @property
    def value(self) -> str:
        return self.text[self.start : self.end]

    @property
    def reason(self) -> str:
        return f"{self.rule.label} {RULE_POINTS:+.2f}"


def _find(rule: ExtractionRule, compiled: Any, mail: RuledMail, read: Callable[[_Match], T | None]) -> T | None:
    """The candidate of the first field whose first match can be one; None for none."""
    texts = {"subject": mail.subject, "text": mail.text, "html": mail.html}
    for source in _FIELDS[rule.field]:
        text = texts[source][:MAX_SEARCHED_CHARS]
        try:
            match = compiled.search(text)
        except UnicodeEncodeError:  # lone surrogates; their replacements keep every place
            text = text.encode("utf-8", "replace").decode()
            match = compiled.search(text)
        if match is None:
            continue
        start, end = match.span(compiled.groupindex[rule.kind])
        candidate = read(_Match(rule, source, text, start, end)) if 0 <= start < end else None
        if candidate is not None:
            return candidate
    return None


def _as_code(match: _Match) -> CodeCandidate | None:
    value = " ".join(match.value.split())
    if not 0 < len(value) <= MAX_CODE_CHARS or not value.isprintable():
        return None
    before = match.text[max(0, match.start - _CONTEXT_CHARS) : match.start].split()
    return CodeCandidate(
        value=value,
        kind="numeric" if value.isdigit() else "alphanumeric",
        source=match.source,
        start=match.start,
        end=match.end,
        context=tuple(before[-MAX_CONTEXT_WORDS:]),
        score=RULE_POINTS,
        rule=match.rule.label,
        reasons=(match.reason,),
    )


def _as_link(match: _Match) -> LinkCandidate | None:
    url = match.value.strip()
    if match.source == "html":
        url = html.unescape(url)
    address = read_address(url) if len(url) <= MAX_URL_CHARS else None
    if address is None or not url.isprintable() or " " in url:
        return None
    return LinkCandidate(
        url=url, kind=OTHER, text="", host=address.host, score=RULE_POINTS, reasons=(match.reason,)
    )  # fmt: skip


def _with_code(found: Extraction, code: CodeCandidate) -> Extraction:
    known = next((other for other in found.codes if other.value == code.value), None)
    if known is not None:
        points, reasons = round(code.score + known.score, 2), (*code.reasons, *known.reasons)
        code = replace(code, kind=known.kind, score=points, reasons=reasons)
    others = [other for other in found.codes if other is not known]
    return replace(found, code=code.value, codes=(code, *others)[:MAX_CODES])


def _with_link(found: Extraction, link: LinkCandidate) -> Extraction:
    known = next((other for other in found.links if other.url == link.url), None)
    if known is not None:
        points, reasons = round(link.score + known.score, 2), (*link.reasons, *known.reasons)
        link = replace(known, score=points, reasons=reasons)
    others = [other for other in found.links if other is not known]
    return replace(found, link=link.url, links=(link, *others)[:MAX_LINKS])


def _is_for(rule: ExtractionRule, mail: RuledMail) -> bool:
    if rule.recipient_domain is not None:
        domains = (address.lower().rpartition("@")[2] for address in mail.recipients)
        if not any(_fits(rule.recipient_domain, domain) for domain in domains):
            return False
    if rule.sender == EVERYBODY:
        return True
    sender = mail.sender.lower()
    if "@" in rule.sender:
        return _fits(rule.sender, sender)
    domain = sender.rpartition("@")[2]
    return _fits(rule.sender, domain) or _fits(f"*.{rule.sender}", domain)


def _fits(glob: str, text: str) -> bool:
    """Whether `text` is `glob`, whose `*` stand for any characters. Each piece is looked for once: linear."""
    first, *others = glob.split("*")
    if not others:
        return text == glob
    last = others.pop()
    if not (text.startswith(first) and len(text) >= len(first) + len(last) and text.endswith(last)):
        return False
    at, stop = len(first), len(text) - len(last)
    for piece in others:
        at = text.find(piece, at, stop)
        if at < 0:
            return False
        at += len(piece)
    return True
