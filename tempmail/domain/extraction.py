"""What a mail is for: the code to type or the link to open, with everything that was weighed on the way."""

import re
from dataclasses import asdict, dataclass
from typing import Final

from tempmail.domain import links
from tempmail.domain.codes import CodeCandidate, chosen, find_codes
from tempmail.domain.codes_mail import Searched, Source
from tempmail.domain.codes_text import MAX_CHARS, read_source
from tempmail.domain.html import HtmlView, read_html
from tempmail.domain.lexicon.letters import normalise, normalise_with_offsets
from tempmail.domain.links import LinkCandidate
from tempmail.domain.links_text import ShownLink, links_in_text
from tempmail.domain.mime import ParsedMail, parse

VERSION: Final = 3
MAX_ALT_SOURCES: Final = 40
MAX_SUBJECT_CHARS: Final = 1_000

_FORWARDED: Final = re.compile(
    r"\s*(?:\[[^\]]{0,30}\]\s*)?(?:fwd?|wg|tr|rv|enc|vs|i|doorst|vidarebefordrat|pd|转发|轉寄|転送|전달)\s*[:：]",
    re.IGNORECASE,
)
# Lines after `>`, but not one line of a single word: an arrow before an address or a code.
_QUOTED_LINES: Final = re.compile(
    r"^>(?![> ]{0,4}[^\s>]+[ <]{0,4}(?:\n(?!>)|\Z))[^\n]*(?:\n|\Z)(?:^>[^\n]*(?:\n|\Z))*", re.MULTILINE
)
# In a string that may be a code: a digit, capitals, words joined by a dash.
_OF_INTEREST: Final = re.compile(r"\d|[A-Z]{3}|[a-z]-[a-z]")
_SEPARATOR: Final = re.compile(r"^[ \t]*-{2,}(?=[^\n]{0,40}[^\W\d_])[^\n-]{3,40}-{2,}[ \t]*$", re.MULTILINE)
_COLON_AT_END: Final = re.compile(r":[ \t]*+$", re.MULTILINE)
_ATTRIBUTION: Final = re.compile(
    r"(?:wrote|schrieb|écrit|escribió|escreveu|scritto|schreef|skrev|napisał|написал|пише|kirjoitti|yazdı|写道|寫道)"
    r"[^\n]{0,60}:[ \t]*$",
    re.MULTILINE,
)

__all__ = ["CodeCandidate", "Extraction", "LinkCandidate", "extract", "extract_from", "extract_mail"]


@dataclass(frozen=True, slots=True)
class Extraction:
    """The result for one mail.

    `code`: what its reader is asked to type, as typed, or None. `link`: the URL to open to verify, sign in or reset, or
    None. `codes` and `links`: the candidates, best first, each with the reasons for its score. `version` grows when the
    rules change, so that stored results can be told from new ones.
    """

    code: str | None
    link: str | None
    codes: tuple[CodeCandidate, ...]
    links: tuple[LinkCandidate, ...]
    version: int = VERSION

    def as_dict(self) -> dict[str, object]:
        """The result as plain dicts, lists, strings and numbers, for JSON."""
        return asdict(self)


def extract(raw: bytes) -> Extraction:
    """The code and the link of a raw mail (RFC 5322), by the same rules that ingest uses. Any bytes are taken."""
    return extract_mail(parse(raw))[0]


def extract_mail(mail: ParsedMail, *, with_view: bool = False) -> tuple[Extraction, HtmlView | None]:
    """The code and the link of a parsed mail, with the view of its HTML body if that was read.

    The HTML is left alone where the text part settles the matter, which halves the work; `with_view` reads it then too.
    """
    if not mail.html:
        return extract_from(mail, None), None
    parts = _Parts(mail)
    settled = parts.settled_by_text()
    if settled is not None and not with_view:
        return settled, None
    view = read_html(mail.html)
    return settled or parts.extract(view), view


def extract_from(mail: ParsedMail, view: HtmlView | None) -> Extraction:
    """The code and the link of a parsed mail; `view` is the view of its HTML body, None if it has none."""
    return _Parts(mail).extract(view)


class _Parts:
    """A mail whose parts are read when they are needed, and once."""

    def __init__(self, mail: ParsedMail) -> None:
        self._mail = mail
        self._forwarded = _FORWARDED.match(mail.subject) is not None
        self._subject = Searched(Source(read_source("subject", normalise(mail.subject[:MAX_SUBJECT_CHARS]))))
        self._text: Searched | None = None

    def settled_by_text(self) -> Extraction | None:
        """The result of subject and text part if they hold a code and whatever links the mail has. A text part without
        anything like a code may be a stub, and one without addresses may leave the link to the page."""
        mail = self._mail
        if "://" not in mail.text and "<a" in mail.html:
            return None
        text = self._read_text()
        if not text.is_open:
            return None
        candidates = find_codes([self._subject, text], self._people)
        code = chosen(candidates)
        # A text part that lost its line ends may show a code and the next word as one.
        if code is None or not (code.isdigit() or code in mail.html):
            return None
        return self._extraction(candidates, _links_in(text))

    def extract(self, view: HtmlView | None) -> Extraction:
        """The result of all parts; `view` is the view of the HTML."""
        sources = [self._subject]
        shown: list[ShownLink] = []
        if self._mail.text and not (view is not None and _says_no_more(self._mail.text[:MAX_CHARS], view)):
            text = self._read_text()
            sources.append(text)
            shown = _links_in(text)
        if view is not None:
            html_source, html_links = _html_source(view, forwarded=self._forwarded)
            shown = html_links + shown
            hints = [("alt", alt) for alt in view.alts[:MAX_ALT_SOURCES]] + [("preheader", view.preheader)]
            sources.append(Searched(html_source))
            sources += [
                Searched(Source(read_source(name, normalise(hint))))
                for name, hint in hints
                if any(map(str.isdigit, hint))
            ]
        return self._extraction(find_codes(sources, self._people), shown)

    def _extraction(self, candidates: tuple[CodeCandidate, ...], shown: list[ShownLink]) -> Extraction:
        found = links.find_links(shown, self._subject.source.reading) if shown else ()
        return Extraction(chosen(candidates), links.chosen(found), candidates, found)

    def _people(self) -> str:
        """The addresses and names in From and To: no word of them is a code."""
        people = self._mail.from_ + self._mail.to
        return " ".join([f"{address.name} {address.address}" for address in people])[:2_000]

    def _read_text(self) -> Searched:
        if self._text is None:
            text = normalise(self._mail.text[:MAX_CHARS])
            reading = read_source("text", text)
            quoted = () if self._forwarded else _quoted_spans(text)
            self._text = Searched(Source(reading, quoted=quoted))
        return self._text


def _links_in(text: Searched) -> list[ShownLink]:
    return links_in_text(text.source.reading, text.source.quoted)


def _says_no_more(text: str, view: HtmlView) -> bool:
    """Whether a text part has no word of interest that the page lacks, so that reading the page is enough."""
    words = set(text.split()).difference(view.text.split())
    if not view.links and any("://" in word for word in words):
        return False
    return _OF_INTEREST.search("\n".join(word for word in words if "://" not in word)) is None


def _html_source(view: HtmlView, *, forwarded: bool) -> tuple[Source, list[ShownLink]]:
    offsets = [at for link in view.links for at in (link.start, link.end)]
    offsets += [at for span in view.prominent + view.quoted for at in span]
    text, moved = normalise_with_offsets(view.text, offsets)
    reading = read_source("html", text)
    quoted = () if forwarded else tuple((moved[a], moved[b]) for a, b in view.quoted) + _quoted_spans(text)
    prominent = tuple((moved[a], moved[b]) for a, b in view.prominent)
    shown: list[ShownLink] = []
    until = len(text)
    for link in reversed(view.links):
        start, end = moved[link.start], moved[link.end]
        is_quoted = bool(quoted) and any(a <= start < b for a, b in quoted)
        shown.append(ShownLink(link.url, normalise(link.text), reading, start, end, until, link.is_button, is_quoted))
        until = start
    shown.reverse()
    written = [link for link in links_in_text(reading, quoted) if not any(a.start <= link.start < a.end for a in shown)]
    return Source(reading, prominent, quoted), shown + written


def _quoted_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Parts of a text that repeat an earlier mail: lines after `>`, and all that follows a line of attribution."""
    spans = [found.span() for found in _QUOTED_LINES.finditer(text)] if ">" in text else []
    attribution = _attribution(text) or ("---" in text and _SEPARATOR.search(text))
    if attribution:
        spans.append((attribution.start(), len(text)))
    return tuple(spans)


def _attribution(text: str) -> re.Match[str] | None:
    """The first "On Monday Ada wrote:". Only lines that end with a colon are searched."""
    for colon in _COLON_AT_END.finditer(text):
        found = _ATTRIBUTION.search(text, text.rfind("\n", 0, colon.start()) + 1, colon.end())
        if found:
            return found
    return None
