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
    mark      "ID": labels another number, but says nothing about a `code` noun beside it ("your Acorn ID code")
    ask       "enter", "type", "use", "here is", "below"
    warn      "never share it": what is said beside a one-time code
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
`*code` its end (what stands before it is looked up as a word of its own, so that compounds work).
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


_RUN_LETTER = re.compile("[\u0900-\u109f\u1100-\u1dff\u2e80-\ufaff]")
_MIN_STEM, _MAX_STEM = 2, 18


@dataclass(slots=True)
class _Tables:
    exact: dict[str, int] = field(default_factory=dict)
    prefix: dict[str, int] = field(default_factory=dict)
    suffix: dict[str, int] = field(default_factory=dict)
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
    """The concepts of one word as written, 0 for none."""
    return _folded_concepts(fold(word))


def _folded_concepts(word: str) -> int:
    tables = _tables()
    found = tables.exact.get(word)
    if found is not None:
        return found
    for length in range(min(len(word) - _MIN_STEM, _MAX_STEM), _MIN_STEM - 1, -1):
        found = tables.suffix.get(word[-length:])
        if found is not None:
            return found | _folded_concepts(word[:-length])
    for length in range(min(len(word), _MAX_STEM), _MIN_STEM - 1, -1):
        found = tables.prefix.get(word[:length])
        if found is not None:
            return found
    return 0


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
