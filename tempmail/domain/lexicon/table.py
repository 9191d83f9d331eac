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
    field     "page", "screen", "box": where something is typed
    warn      "never share it": what is said beside a one-time code
    ignore    "ignore this mail", "if this was not you": what is said to those who did not ask
    occasion  "new device", "change of address", "approve", "one more step": why somebody has to prove who they are
    brief     "minutes", "only once": how long a code lasts
    link_for  "for", "on": a modifier behind it does not belong to the `code` noun before it
    stale     "no longer valid", "old", "previous"
    talk      "replied to your topic": what people say to each other is passed on
    otherwise "otherwise", "if not": what follows is for those who did not ask
    yours     "yours is", "it is": a number behind it is what the sentence before spoke of
    portal    "customer portal", "protected document": a subject that names a code for it announces one
    list_of   backup, recovery and setup keys: a stock of secrets, not something asked for now
    tail      "ending in": the digits behind it are the end of a longer number
    unit      "minutes", "days", "%": the number before it counts something
    phone     "phone", "call", "fax": digits behind it are a telephone number
    street    "street", "avenue": the line is a postal address
    account   "account", "e-mail address": what is verified or signed in to
    in_subject
              "in the subject line": where the code is
    means     "with": "with 482913 you sign in" gives something to sign in with; `-ile` stands behind it
    state     "confidential", "valid": what is said of a code in capitals, and is none
    check     "check", "proof": a name ending in it ("sign-in check:") is one for a code
    deal      those of `order` that are released by a code ("transaction"): one to type where the mail asks for it
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
from dataclasses import dataclass, field
from functools import cache
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
    TALK: Final = 1 << 14
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
    FIELD: Final = 1 << 39
    DEAL: Final = 1 << 40
    IN_SUBJECT: Final = 1 << 41
    OTHERWISE: Final = 1 << 42
    YOURS: Final = 1 << 43
    PORTAL: Final = 1 << 44


# What a phrase says of the mail as a whole: its words keep what each of them means.
OF_THE_MAIL: Final = Concept.IGNORE | Concept.OCCASION | Concept.BRIEF | Concept.TALK | Concept.PORTAL

_RUN_LETTER = re.compile("[\u0900-\u109f\u1100-\u1dff\u2e80-\ufaff]")
_NAME_WORD: Final = re.compile(r"[^\W\d_]+")
_MIN_STEM, _MAX_STEM = 2, 18
_RUN_KEY = 2
_LONGEST_ENDING = 6
LONGEST_WORD: Final = 60
"""So many characters of a word may mean something; no term is as long."""
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
    run_lengths: dict[str, list[int]] = field(default_factory=dict)
    run_start: re.Pattern[str] | None = None
    means: set[str] = field(default_factory=set)
    states: set[str] = field(default_factory=set)
    checks: set[str] = field(default_factory=set)


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
        # Common words that only matter right beside a candidate: they are no hits of the text.
        tables.means.update(map(fold, rows.pop("means", [])))
        tables.states.update(map(fold, rows.pop("state", [])))
        tables.checks.update(map(fold, rows.pop("check", [])))
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
    _arrange_runs(tables)
    if tables.middle:
        stems = sorted(tables.middle, key=len, reverse=True)
        tables.middles = re.compile(f"(?<=..)({'|'.join(map(re.escape, stems))}).{{0,{_LONGEST_ENDING}}}\\Z")
    return tables


def _arrange_runs(tables: _Tables) -> None:
    """How long the terms are that begin with two letters, the longest first, and a pattern of where one may start."""
    lengths: dict[str, set[int]] = {}
    for term in tables.runs:
        lengths.setdefault(term[:_RUN_KEY], set()).add(len(term))
    for key, found in lengths.items():
        if key[0] in tables.runs:
            found.add(1)
        tables.run_lengths[key] = sorted(found, reverse=True)
    if tables.runs:
        first, second = ("".join(sorted({key[at : at + 1] for key in lengths})) for at in (0, 1))
        alone = "".join(key for key in lengths if len(key) < _RUN_KEY)
        first, second, alone = map(re.escape, (first, second, alone))
        tables.run_start = re.compile(f"[{first}](?:(?<=[{alone}])|(?=[{second}]))")


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


def word_concepts(word: str) -> int:
    """The concepts of one folded word, 0 for none."""
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
    concepts = word_concepts(head)
    if not concepts and len(head) >= _SHORTEST_HEAD and tail & (Concept.CODE | Concept.OTP):
        return tail | Concept.COMPOUND
    return tail | concepts


def is_means(word: str) -> bool:
    """Whether a folded word says that what follows is used for something: "with"."""
    return word in _tables().means


def is_state(word: str) -> bool:
    """Whether a folded word may be said of a code: "confidential", "valid"."""
    return word in _tables().states


def names_a_check(name: str) -> bool:
    """Whether a word of a short folded name is or ends like "check"."""
    checks = tuple(_tables().checks)
    return any(word.endswith(checks) for word in _NAME_WORD.findall(name))


def phrases_from(word: str) -> tuple[tuple[tuple[str, ...], int], ...]:
    """The phrases that begin with a folded word: (the folded words that follow, concepts), longest first."""
    return tuple(_tables().phrases.get(word, ()))


def run_concepts(text: str) -> list[tuple[int, int, int]]:
    """(start, end, concepts) of the terms of languages without spaces, from left to right, the longest at each place.

    Looked up by the first two letters: one pattern of all terms would try hundreds of them at every letter.
    """
    found: list[tuple[int, int, int]] = []
    tables = _tables()
    if tables.run_start is None or text.isascii() or not _RUN_LETTER.search(text):
        return found
    done = 0
    runs, run_lengths = tables.runs, tables.run_lengths
    for start in [place.start() for place in tables.run_start.finditer(text)]:
        if start < done:
            continue
        for length in run_lengths.get(text[start : start + _RUN_KEY]) or run_lengths.get(text[start], []):
            term = text[start : start + length]
            concepts = runs.get(term)
            if concepts is not None:
                done = start + len(term)
                found.append((start, done, concepts))
                break
    return found
