"""The tables of all languages, compiled to one lookup.

A file `xx.toml` has these keys, each an array of terms (all optional):

    code      nouns for a code that may be anything ("code", "PIN")
    otp       terms that mean a one-time code on their own ("passcode", "验证码")
    codes     the same in the plural: talk about codes, not a label of one
    number    nouns that mean a code only beside a word of `auth`
    copula    "is", "as": what joins a number and its name
    auth      words that turn a neighbouring `code` noun into a one-time code ("verification", "login")
    confirm   the same, but also said of purchases and bookings ("confirmation")
    order, travel, promo, meeting, ident
              labels of other numbers, and words that make a neighbouring `code` noun such a label:
              purchases and deliveries; journeys and bookings; discounts; meetings; customers, places, errors, …
    pickup    those of `order` that hand something over: a "delivery verification code" is for the courier
    mark      "ID": labels another number, but says nothing about a `code` noun beside it ("your Acorn ID code")
    ask       "enter", "type", "use", "here is", "below"
    warn      "never share it": what is said beside a one-time code
    ignore    "ignore this mail", "if this was not you": what is said to those who did not ask
    occasion  "new device", "change of address", "approve", "one more step": why somebody has to prove who they are
    brief     "minutes", "only once": how long a code lasts
    link_for  "for", "on": a modifier behind it does not belong to the `code` noun before it
    stale     "no longer valid", "old", "previous"
    list_of   backup, recovery and setup keys: a stock of secrets, not something asked for now
    tail      "ending in": the digits behind it are the end of a longer number
    unit      "minutes", "days", "%": the number before it counts something
    phone     "phone", "call", "fax": digits behind it are a telephone number
    street    "street", "avenue": the line is a postal address
    account   "account", "e-mail address": what is verified or signed in to
    verify, login, reset, click, unsubscribe, deny, offer, info, attend, view
              what a link does, in its text, its address or the words before it

A term is one or more words in lower case; diacritics are optional in the mail. `kod*` is the beginning of a word,
`*code` its end (what stands before it is looked up as a word of its own, so that compounds work), `*kod*` its middle
or end, with an ending of a few letters behind it: compounds of languages that inflect.
`script = "run"` marks languages that write without spaces: their terms are found anywhere.
`prefixes` are particles that may be glued to a term (Hebrew, Arabic).
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from tempmail.domain.lexicon.letters import fold, normalise


class Concept:
    """What a term stands for; the names are the keys of the files, in upper case."""

    CODE: Final = 1 << 0
    OTP: Final = 1 << 1
    AUTH: Final = 1 << 2
    CONFIRM: Final = 1 << 3
    ORDER: Final = 1 << 4
    TRAVEL: Final = 1 << 5
    PROMO: Final = 1 << 6
    MEETING: Final = 1 << 7
    IDENT: Final = 1 << 8
    ASK: Final = 1 << 9
    LINK_FOR: Final = 1 << 10
    STALE: Final = 1 << 11
    LIST_OF: Final = 1 << 12
    TAIL: Final = 1 << 13
    UNIT: Final = 1 << 15
    PHONE: Final = 1 << 16
    STREET: Final = 1 << 17
    VERIFY: Final = 1 << 18
    LOGIN: Final = 1 << 19
    RESET: Final = 1 << 20
    CLICK: Final = 1 << 21
    UNSUBSCRIBE: Final = 1 << 22
    DENY: Final = 1 << 23
    OFFER: Final = 1 << 24
    INFO: Final = 1 << 25
    ATTEND: Final = 1 << 26
    VIEW: Final = 1 << 27
    CODES: Final = 1 << 28
    NUMBER: Final = 1 << 29
    COPULA: Final = 1 << 30
    ACCOUNT: Final = 1 << 31
    MARK: Final = 1 << 32
    WARN: Final = 1 << 33
    IGNORE: Final = 1 << 34
    OCCASION: Final = 1 << 35
    BRIEF: Final = 1 << 36
    PICKUP: Final = 1 << 37
    COMPOUND: Final = 1 << 38


# What a phrase says of the mail as a whole: its words keep what each of them means.
OF_THE_MAIL: Final = Concept.IGNORE | Concept.OCCASION | Concept.BRIEF

_RUN_LETTER = re.compile("[\u0900-\u109f\u1100-\u1dff\u2e80-\ufaff]")
_MIN_STEM, _MAX_STEM = 2, 18
_LONGEST_ENDING = 6
_LONGEST_WORD = 60
_SHORTEST_HEAD = 3


@dataclass(slots=True)
class _Tables:
    exact: dict[str, int] = field(default_factory=dict)
    prefix: dict[str, int] = field(default_factory=dict)
    suffix: dict[str, int] = field(default_factory=dict)
    middle: dict[str, int] = field(default_factory=dict)
    middles: re.Pattern[str] | None = None
    phrases: dict[str, list[tuple[tuple[str, ...], int]]] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    runs_from: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    run_start: re.Pattern[str] | None = None


def languages() -> list[str]:
    """The codes of the languages that have a file, sorted."""
    return sorted(entry.name[:-5] for entry in files(__package__).iterdir() if entry.name.endswith(".toml"))


@cache
def _tables() -> _Tables:
    tables = _Tables()
    for language in languages():
        rows = tomllib.loads(files(__package__).joinpath(f"{language}.toml").read_text(encoding="utf-8"))
        runs = rows.pop("script", "word") == "run"
        prefixes = ["", *rows.pop("prefixes", [])]
        for name, terms in rows.items():
            concept = int(getattr(Concept, name.upper()))
            for term in terms:
                if runs and _RUN_LETTER.search(term):
                    term = normalise(term)
                    tables.runs[term] = tables.runs.get(term, 0) | concept
                else:
                    for prefix in prefixes:
                        _enter(tables, prefix + term, concept)
    for phrases in tables.phrases.values():
        phrases.sort(key=lambda phrase: -len(phrase[0]))
    for term in sorted(tables.runs, key=len, reverse=True):
        tables.runs_from.setdefault(term[0], []).append((term, tables.runs[term]))
    if tables.middle:
        stems = sorted(tables.middle, key=len, reverse=True)
        tables.middles = re.compile(f"(?<=..)({'|'.join(map(re.escape, stems))}).{{0,{_LONGEST_ENDING}}}\\Z")
    if tables.runs:
        tables.run_start = re.compile(f"[{''.join(map(re.escape, tables.runs_from))}]")
    return tables


def _enter(tables: _Tables, term: str, concept: int) -> None:
    words = term.split()
    if len(words) > 1:
        folded = [fold(word) for word in words]
        rest = tuple(folded[1:])
        known = tables.phrases.setdefault(folded[0], [])
        for at, (other, concepts) in enumerate(known):
            if other == rest:
                known[at] = (rest, concepts | concept)
                return
        known.append((rest, concept))
    elif term.startswith("*") and term.endswith("*"):
        key = fold(term[1:-1])
        tables.middle[key] = tables.middle.get(key, 0) | concept
    elif term.startswith("*"):
        key = fold(term[1:])
        tables.suffix[key] = tables.suffix.get(key, 0) | concept
    elif term.endswith("*"):
        key = fold(term[:-1])
        tables.prefix[key] = tables.prefix.get(key, 0) | concept
    else:
        key = fold(term)
        tables.exact[key] = tables.exact.get(key, 0) | concept


@lru_cache(maxsize=16_384)
def word_concepts(word: str) -> int:
    """The concepts of one word as written, 0 for none, nor for a word that is longer than any."""
    return _folded_concepts(fold(word)) if len(word) <= _LONGEST_WORD else 0


def _folded_concepts(word: str) -> int:
    tables = _tables()
    found = tables.exact.get(word)
    if found is not None:
        return found
    beginning = ""
    for length in range(min(len(word), _MAX_STEM), _MIN_STEM - 1, -1):
        if word[:length] in tables.prefix:
            beginning = word[:length]
            break
    # A beginning that reaches into the tail ("barcode*") says more than the tail alone.
    for length in range(min(len(word) - _MIN_STEM, _MAX_STEM), _MIN_STEM - 1, -1):
        found = tables.suffix.get(word[-length:])
        if found is not None and len(beginning) <= len(word) - length:
            return _compound(found, word[:-length])
    middle = tables.middles.search(word) if tables.middles is not None else None
    if middle is not None and len(beginning) <= middle.start():
        return _compound(tables.middle[middle[1]], word[: middle.start()])
    return tables.prefix.get(beginning, 0)


def _compound(tail: int, head: str) -> int:
    """The concepts of a word in two parts. A code of an unknown sort ("kurssikoodi") is marked as such."""
    concepts = _folded_concepts(head)
    if not concepts and len(head) >= _SHORTEST_HEAD and tail & (Concept.CODE | Concept.OTP):
        return tail | Concept.COMPOUND
    return tail | concepts


@lru_cache(maxsize=4_096)
def phrases_from(word: str) -> tuple[tuple[tuple[str, ...], int], ...]:
    """The phrases that begin with `word`: (the folded words that follow, concepts), longest first."""
    return tuple(_tables().phrases.get(fold(word), ()))


def run_concepts(text: str) -> Iterator[tuple[int, int, int]]:
    """(start, end, concepts) of the terms of languages without spaces, from left to right, the longest at each place.

    A table by first letters: one pattern of all terms would try hundreds of them at every letter.
    """
    tables = _tables()
    if tables.run_start is None or text.isascii() or not _RUN_LETTER.search(text):
        return
    done = 0
    for found in tables.run_start.finditer(text):
        start = found.start()
        if start >= done:
            for term, concepts in tables.runs_from[found[0]]:
                if text.startswith(term, start):
                    done = start + len(term)
                    yield start, done, concepts
                    break
