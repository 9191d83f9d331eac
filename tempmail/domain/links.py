"""Which link of a mail its reader is asked to open: verify, sign in, reset. Shown as it is, never fetched.

As with codes, named signs for and against are added up for each link; the sum can be read from the result alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from tempmail.domain.codes_text import Reading
from tempmail.domain.lexicon.table import Concept
from tempmail.domain.links_address import NO_TOKEN, TOKEN, Address, Traits, concepts_of, read_address
from tempmail.domain.links_text import MAX_LINKS, ShownLink

MAX_REPORTED: Final = 30
THRESHOLD: Final = 5.0

VERIFY: Final = "verify"
MAGIC: Final = "magic"
RESET: Final = "reset"
UNSUBSCRIBE: Final = "unsubscribe"
OTHER: Final = "other"

SIGNS: Final = {
    "its text says to verify": 5.0,
    "its text says to reset a password": 4.0,
    "its text says to sign in": 3.0,
    "its text is a call to go on": 1.5,
    "the address says verify": 2.5,
    "the address says reset": 2.0,
    "the address says sign in": 1.5,
    "the words before it say to verify": 3.0,
    "the words before it say to reset": 2.5,
    "the words before it say to sign in": 2.5,
    "the words before it say to open it": 1.2,
    "the subject says to verify": 2.0,
    "the subject says to reset": 1.5,
    "the subject says to sign in": 1.0,
    "the mail speaks of verifying or signing in": 0.8,
    "the subject announces a link": 1.0,
    "the mail says what to do if it was not you": 1.0,
    "it lasts a short time": 0.8,
    "the address carries a token": 2.5,
    "the address carries a short key": 0.5,
    "looks like a button": 0.8,
    "the address is its own text": 0.3,
    "the only link, and the subject says what for": 1.2,
    # against
    "unsubscribe or settings": -12.0,
    "for those who did not ask": -9.0,
    "an offer": -12.0,
    "help, terms or a home page": -6.0,
    "an invitation or appointment": -9.0,
    "shows or manages something": -6.0,
    "the subject is an offer or appointment": -6.0,
    "a plain sign-in among other matters": -4.0,
    "no token in the address": -3.0,
    "a sign-in page without a token": -4.0,
    "the bare site": -6.0,
    "quoted from an earlier mail": -5.0,
    "a mail that tells what people say": -8.0,
    "a new password in a mail about signing in": -6.0,
    "not a page": -20.0,
}

_REASONS: Final = {sign: f"{sign} {points:+.1f}" for sign, points in SIGNS.items()}

# Which purpose a text has, the surest first.
_PURPOSES: Final = ((Concept.VERIFY, "verify"), (Concept.RESET, "reset"), (Concept.LOGIN, "sign in"))
_PURPOSE: Final = Concept.VERIFY | Concept.RESET | Concept.LOGIN
_TO_PROVE: Final = _PURPOSE | Concept.AUTH | Concept.OTP
# What the words around a link are asked for; a text without any of it need not be looked at.
_ASKED_ABOUT: Final = _PURPOSE | Concept.CLICK | Concept.ACCOUNT | Concept.DENY
_OTHER_MATTERS: Final = (
    Concept.ORDER | Concept.TRAVEL | Concept.PROMO | Concept.MEETING | Concept.ATTEND | Concept.OFFER | Concept.VIEW
)
_OF_SIGNING_IN: Final = Concept.LOGIN | Concept.AUTH | Concept.OTP | Concept.CODE | Concept.OCCASION | Concept.VERIFY
_LINES_ABOVE: Final = 2
# So many letters before a link on its line are words about it.
_WORDS_FROM: Final = 4
_MAX_LOOKBACK: Final = 240
_LONGEST_QUESTION: Final = 60
_MAX_LOOKBEHIND: Final = 120


@dataclass(slots=True)
class LinkCandidate:
    """A link as shown. `url`: what a click opens. `text`: its words, or "" for an address in plain text."""

    url: str
    kind: str
    text: str
    host: str
    score: float
    reasons: tuple[str, ...]


def find_links(shown: list[ShownLink], subject: Reading) -> tuple[LinkCandidate, ...]:
    """The links of a mail, best first. The first is the one to open if its score reaches THRESHOLD."""
    best: dict[str, LinkCandidate] = {}
    about = mentioned = subject.concepts
    for link in shown:
        mentioned |= link.reading.concepts
    is_only = len(shown) == 1
    for link in shown[:MAX_LINKS]:
        address = read_address(link.url)
        if address is None:
            continue
        candidate = _judged(link, address, about, mentioned, is_only=is_only)
        known = best.get(link.url)
        if known is None or candidate.score > known.score:
            best[link.url] = candidate
    ranked = sorted(best.values(), key=lambda candidate: -candidate.score)
    return tuple(ranked[:MAX_REPORTED])


def chosen(candidates: Iterable[LinkCandidate]) -> str | None:
    """The address of the first of ranked `candidates`, if it is good enough."""
    first = next(iter(candidates), None)
    return first.url if first is not None and first.score >= THRESHOLD else None


def _judged(link: ShownLink, address: Address, about: int, mentioned: int, *, is_only: bool) -> LinkCandidate:
    own = _shows_itself(link)
    text = 0 if own else concepts_of(link.text[:200])
    if "%" in link.text and not own:
        text |= Concept.OFFER
    before, doubt = _words_around(link)
    if text & Concept.CLICK and not text & _PURPOSE and not before & _PURPOSE:
        before |= _purpose_behind(link)
    doubt |= mentioned & Concept.TALK
    proves, is_excused, is_brief = [bool(mentioned & kind) for kind in (_TO_PROVE, Concept.IGNORE, Concept.BRIEF)]
    shows = (link.is_button, own, link.is_quoted, is_only)
    kind, score, reasons = _weighed(text, address.traits, before, about, proves, is_excused, is_brief, doubt, shows)
    return LinkCandidate(link.url, kind, link.text[:200], address.host, score, reasons)


# Links are of few sorts: most are weighed like one seen before.
@lru_cache(maxsize=4_096)
def _weighed(
    text: int,
    address: Traits,
    before: int,
    about: int,
    proves: bool,
    is_excused: bool,
    is_brief: bool,
    doubt: int,
    shows: tuple[bool, bool, bool, bool],
) -> tuple[str, float, tuple[str, ...]]:
    """Kind, score and reasons of a link, from the concepts of its text, of the words before it, of the subject, of the
    doubts beside it; whether the mail speaks of proving who one is; whether it is a button, its own text, quoted, the
    only one."""
    signs = [
        *_signs_of_purpose(text, address, before, about, proves=proves, is_excused=is_excused, is_brief=is_brief),
        *_signs_against(text, address, before, about, doubt),
    ]
    is_button, is_own_text, is_quoted, is_only = shows
    if is_button:
        signs.append("looks like a button")
    if is_own_text:
        signs.append("the address is its own text")
        is_clear = is_excused or is_brief or about & (Concept.ACCOUNT | Concept.CLICK)
        if (
            is_only
            and address.token == TOKEN
            and is_clear
            and about & _PURPOSE
            and not (about & _OTHER_MATTERS or doubt)
        ):
            signs.append("the only link, and the subject says what for")
    if is_quoted:
        signs.append("quoted from an earlier mail")
    score = sum([SIGNS[sign] for sign in signs])
    kind = OTHER
    if "unsubscribe or settings" in signs:
        kind = UNSUBSCRIBE
    elif score >= THRESHOLD:
        kind = _kind(text, address.path_concepts | address.query_concepts, before, about)
    return kind, round(score, 2), tuple([_REASONS[sign] for sign in signs])


def _signs_of_purpose(
    text: int, address: Traits, before: int, about: int, *, proves: bool, is_excused: bool, is_brief: bool
) -> list[str]:
    signs: list[str] = []
    if not text & _PURPOSE and text & Concept.CLICK:
        signs.append("its text is a call to go on")
    if purpose := _purpose(text):
        signs.append(f"its text says to {purpose}" + (" a password" if purpose == "reset" else ""))
    if purpose := _purpose(address.path_concepts | address.query_concepts):
        signs.append(f"the address says {purpose}")
    if purpose := _purpose(before):
        signs.append(f"the words before it say to {purpose}")
    if before & Concept.CLICK:
        signs.append("the words before it say to open it")
    if purpose := _purpose(about):
        signs.append(f"the subject says to {purpose}")
    elif (text | before) & Concept.CLICK and proves:
        signs.append("the mail speaks of verifying or signing in")
    if is_brief and address.token != NO_TOKEN and (text | before) & _PURPOSE:
        signs.append("it lasts a short time")
    if address.token == TOKEN and (text | before) & (Concept.CLICK | _PURPOSE):
        if about & Concept.CLICK and not about & _PURPOSE:
            signs.append("the subject announces a link")
        if is_excused:
            signs.append("the mail says what to do if it was not you")
    if address.token == TOKEN:
        signs.append("the address carries a token")
    elif address.token != NO_TOKEN:
        signs.append("the address carries a short key")
    return signs


def _signs_against(text: int, address: Traits, before: int, about: int, doubt: int) -> list[str]:
    signs: list[str] = []
    path = address.path_concepts
    if address.is_file:
        signs.append("not a page")
    if (text | path | address.query_concepts) & Concept.UNSUBSCRIBE:
        signs.append("unsubscribe or settings")
    if (text | path | doubt) & Concept.DENY:
        signs.append("for those who did not ask")
    resets = (text or path | address.query_concepts) & (Concept.RESET | Concept.VERIFY) == Concept.RESET
    unasked = Concept.CODE | Concept.OTP if address.token == TOKEN else _OF_SIGNING_IN
    if resets and not (about | before) & Concept.RESET and about & unasked:
        signs.append("a new password in a mail about signing in")
    elif resets and doubt & Concept.IGNORE:
        signs.append("for those who did not ask")
    if doubt & Concept.TALK:
        signs.append("a mail that tells what people say")
    offered = (text | path) & Concept.OFFER or text & about & Concept.PROMO
    if text & _PURPOSE and about & _PURPOSE and not about & Concept.OFFER and address.token == TOKEN:
        offered = path & Concept.OFFER
    if offered and not text & Concept.ACCOUNT:
        signs.append("an offer")
    if address.token != TOKEN:
        if address.token == NO_TOKEN or not _says_what_for(address, text, before, about):
            signs.append("no token in the address")
        if path & (Concept.LOGIN | Concept.RESET) and not path & Concept.VERIFY and address.token == NO_TOKEN:
            signs.append("a sign-in page without a token")
    if (
        not (text | path | about) & (Concept.VERIFY | Concept.RESET)
        and not (about | before) & Concept.LOGIN
        and text & Concept.LOGIN
    ):
        signs.append("a plain sign-in among other matters")
    if address.is_bare:
        signs.append("the bare site")
    clear = text & _PURPOSE
    if (text & Concept.INFO and not clear) or (path & Concept.INFO and not text):
        signs.append("help, terms or a home page")
    if (text & Concept.ATTEND and not text & Concept.ACCOUNT) or (path & Concept.ATTEND and not path & Concept.VERIFY):
        signs.append("an invitation or appointment")
    elsewhere = about & (Concept.OFFER | Concept.ATTEND) or (about & Concept.PROMO and not about & _TO_PROVE)
    if elsewhere and not (about | text | before) & Concept.ACCOUNT:
        signs.append("the subject is an offer or appointment")
    is_clear = path & (Concept.VERIFY | Concept.RESET) or before & about & Concept.VERIFY
    shows = text | (0 if is_clear else path)
    if shows & Concept.VIEW and not (clear and text & Concept.ACCOUNT):
        signs.append("shows or manages something")
    return signs


def _says_what_for(address: Traits, text: int, before: int, about: int) -> bool:
    """Whether words say so clearly what a link is for that a short key will do."""
    if (address.path_concepts | address.query_concepts | text | before) & (Concept.VERIFY | Concept.RESET):
        return True
    return bool((text | before) & about & Concept.LOGIN)


def _purpose(concepts: int) -> str:
    if concepts & _PURPOSE:
        for concept, name in _PURPOSES:
            if concepts & concept:
                return name
    return ""


def _kind(*by_weight: int) -> str:
    """What the link is for, by the first of text, address, words before and subject that says so."""
    for concepts in by_weight:
        if concepts & Concept.RESET:
            return RESET
        if concepts & Concept.VERIFY:
            return VERIFY
        if concepts & Concept.LOGIN:
            return MAGIC
    return VERIFY


def _shows_itself(link: ShownLink) -> bool:
    text = link.text
    return (
        not text or text.startswith(("http", "www.")) or ("." in text and text.rstrip("/").lower() in link.url.lower())
    )


def _words_around(link: ShownLink) -> tuple[int, int]:
    """Concepts of the words before a link (in its sentence, or on the lines above if it stands alone), and the doubts
    ("wasn't you?") in its sentence."""
    reading = link.reading
    if not reading.concepts & _ASKED_ABOUT:
        return 0, 0
    line = reading.line_of(link.start)
    line_start, line_end = reading.line_span(line)
    start = reading.sentence_start(link.start, max(line_start, link.start - _MAX_LOOKBACK))
    doubt = 0
    if reading.concepts & Concept.DENY:
        end = reading.sentence_end(link.end, min(line_end, link.end + 120, max(link.end, link.until)))
        asked = start
        if reading.text[line_start:start].rstrip().endswith("?"):
            asked = reading.sentence_start(max(line_start, start - 2), max(line_start, start - _LONGEST_QUESTION))
        doubt = reading.concepts_between(asked, end) & Concept.DENY
    if _is_otherwise(reading, start, link.end):
        doubt |= Concept.IGNORE
    lead = reading.text[max(line_start, link.start - 60) : link.start]
    if len(list(islice(filter(str.isalpha, lead), _WORDS_FROM))) < _WORDS_FROM:
        steps = 0
        while line > 0 and steps < _LINES_ABOVE:
            line -= 1
            above, above_end = reading.line_span(line)
            if not reading.text[above:above_end].strip():
                continue
            steps += 1
            start = max(above, above_end - _MAX_LOOKBACK)
            if steps == 1 and reading.concepts & (Concept.DENY | Concept.OTHERWISE):
                doubt |= _doubt_of_lead_in(reading, start, above_end)
            if any(above <= opaque < above_end for opaque, _ in reading.opaque):
                break
    return reading.concepts_between(start, link.start) & ~Concept.DENY, doubt


def _purpose_behind(link: ShownLink) -> int:
    """What the words behind "tap here", up to the end of the sentence or the next link, say that it is for."""
    reading = link.reading
    if not reading.concepts & _PURPOSE:
        return 0
    end = reading.sentence_end(link.end, min(link.until, link.end + _MAX_LOOKBEHIND))
    spoken = reading.concepts_between(link.end, min(end, link.until))
    return 0 if spoken & _OTHER_MATTERS and not spoken & Concept.ACCOUNT else spoken & _PURPOSE


def _is_otherwise(reading: Reading, start: int, end: int) -> bool:
    """Whether a span says "otherwise, reset your password": to those who did not do what the mail tells of."""
    if not reading.concepts & Concept.OTHERWISE:
        return False
    spoken = reading.concepts_between(start, end)
    return bool(spoken & Concept.OTHERWISE and spoken & Concept.RESET)


def _doubt_of_lead_in(reading: Reading, start: int, end: int) -> int:
    """The doubts of a line that ends with a colon or question mark, in its last sentence and in a question right before
    that. Where it ends otherwise, IGNORE stands for a doubt that only counts for a new password."""
    asked = reading.sentence_start(max(start, len(reading.text[:end].rstrip()) - 1), start)
    if not reading.text[start:end].rstrip().endswith((":", "：", "?", "？")):
        said = reading.concepts_between(asked, end)
        return Concept.IGNORE if said & Concept.DENY and not said & Concept.IGNORE else 0
    if _is_otherwise(reading, asked, end):
        return Concept.IGNORE
    if reading.text[start:asked].rstrip().endswith("?"):
        asked = reading.sentence_start(max(start, asked - 2), max(start, asked - _LONGEST_QUESTION))
    return reading.concepts_between(asked, end) & Concept.DENY
