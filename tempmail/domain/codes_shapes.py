"""Which strings of a text have the shape of a code."""

import re
from typing import Final

from tempmail.domain.codes_numbers import DASHES, GROUP_GAPS, counted, glued, group_reading, split_points
from tempmail.domain.codes_text import CAPITALS, DIGITS, MIXED, SCRAMBLED, Reading, is_scrambled
from tempmail.domain.lexicon.table import Concept, word_concepts

MAX_SHAPES: Final = 80
MAX_GROUPS: Final = 16

NUMERIC: Final = "numeric"
GROUPED: Final = "grouped"
ALPHANUMERIC: Final = "alphanumeric"
PASSPHRASE: Final = "passphrase"  # noqa: S105 - a kind of code

_SHORTEST: Final = 4
_LONGEST_DIGITS: Final = 10
_LONGEST_SOLID: Final = 12
_LONGEST_DASHED: Final = 14
_SHORTEST_UNEVEN: Final = 6
_YEAR: Final = re.compile(r"(?:19[3-9]|20[0-4])\d\Z")
_COMPACT_DATE: Final = re.compile(r"(?:19[5-9]\d|20[0-4]\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\Z")
_NOUN: Final = Concept.CODE | Concept.OTP
_UNITS_GLUED: Final = (
    "st",
    "nd",
    "rd",
    "th",
    "am",
    "pm",
    "kg",
    "km",
    "mb",
    "gb",
    "px",
    "pt",
    "min",
    "gbp",
    "eur",
    "usd",
)
_SHORTEST_PASS_WORD: Final = 3
_LONGEST_PASS_WORD: Final = 10
_FEWEST_IN_A_LINE: Final = 3
_LONGEST_ENDING: Final = 3
# What stands between single digits only: each on its line, or in brackets.
_GAPS_OF_SINGLES: Final = frozenset({"\n", "\n\n", "] [", "][", ") ("})
_VOWELS: Final = frozenset("AEIOUY")
_SHORTEST_UNSPEAKABLE: Final = 4
_MOST_PIECES: Final = 5
_PIECE_GAPS: Final = frozenset({" ", "  ", "   ", "\t", " - ", " · ", " | "})
# How many pieces of which length a code with letters may be shown in: "A 9 K 2 P 7", "XB4 91T".
_PIECES: Final = {1: (4, 8), 2: (2, 4), 3: (2, 3), 4: (2, 3)}
_LEADING_IN: Final = _NOUN | Concept.ASK | Concept.COPULA
_POSTCODE: Final = re.compile(r"[A-Z]\d[A-Z] \d[A-Z]\d\Z|[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\Z")
_OPENING: Final = " \t*_`\"'“«"
_CLOSING: Final = " \t*_`\"'”»."


class Shape:
    """A candidate by its form alone. `mask`: why it cannot be a code, or None. `form`: how it is written."""

    __slots__ = ("end", "first_word", "form", "kind", "last_word", "mask", "start", "value")

    def __init__(
        self,
        value: str,
        kind: str,
        start: int,
        end: int,
        first_word: int,
        last_word: int,
        mask: str | None,
        form: str,
    ) -> None:
        self.value: Final = value
        self.kind: Final = kind
        self.start: Final = start
        self.end: Final = end
        self.first_word: Final = first_word
        self.last_word: Final = last_word
        self.mask: Final = mask
        self.form: Final = form


def find_shapes(reading: Reading) -> list[Shape]:
    """Every candidate of a text in order, at most MAX_SHAPES. Numbers too short for a code are left out."""
    found: list[Shape] = []
    words, gaps = reading.words, reading.gaps
    done = -1
    for index, shape in reading.shaped:
        if index <= done:
            continue
        if len(found) >= MAX_SHAPES:
            break
        pieces = _in_pieces(reading, index, done) if len(words[index]) in _PIECES else None
        if pieces is not None:
            found.append(pieces)
            done = pieces.last_word
            continue
        first = last = index
        if gaps[index] in DASHES or (index and gaps[index - 1] in DASHES):
            first, last = _dashed_chain(reading, index, done)
        if last == first + 1 and words[first].isdigit() and _is_ending(words[last]):
            last = first
        elif last == first + 1 and words[last].isdigit() and _is_ending(words[first]):
            first = last
        while first < last and reading.concepts_between(reading.starts[first], reading.end_of(first)) & _NOUN:
            first += 1
        if index < first:
            index, shape = first, DIGITS if words[first].isdigit() else MIXED
        if first < last and any(not word.isdigit() for word in words[first : last + 1]):
            found += _dashed(reading, first, last)
        elif shape == DIGITS:
            last = _digits_chain(reading, index)
            if last > index:
                found += _numbers(reading, index, last)
            elif len(words[index]) >= _SHORTEST:
                found.append(_number(reading, index))
        else:
            last = index
            found += _solid(reading, index, shape)
        done = last
    return found + _passphrases(reading)


def _in_pieces(reading: Reading, index: int, done: int) -> Shape | None:
    """A code of letters and digits whose pieces, all of one length, stand apart: `A 9 K 2 P 7`, `XB4 91T`."""
    words, gaps = reading.words, reading.gaps
    if (gaps[index] if index < len(gaps) else "") not in _PIECE_GAPS and (
        not index or gaps[index - 1] not in _PIECE_GAPS
    ):
        return None
    size = len(words[index])
    first = last = index
    while first - 1 > done and gaps[first - 1] in _PIECE_GAPS and _is_piece(words[first - 1], size):
        first -= 1
        if index - first > MAX_GROUPS:
            return None
    while last + 1 < len(words) and gaps[last] in _PIECE_GAPS and _is_piece(words[last + 1], size):
        last += 1
        if last - index > MAX_GROUPS:
            return None
    fewest, most = _PIECES[size]
    if not fewest <= last - first + 1 <= most or not _is_piece(words[index], size):
        return None
    value = "".join(words[first : last + 1])
    if value.isalpha() or value.isdigit() or len(set(gaps[first:last])) > 1:
        return None
    if size > 1 and "".join(words[first + 1 : last + 1]).isdigit() and words[first].isalpha():
        return None
    start, end = reading.starts[first], reading.end_of(last)
    if size > 1 and not _is_shown_alone(reading, start, end):
        return None
    mask = glued(reading.text, start, end)
    return Shape(value, ALPHANUMERIC, start, end, first, last, mask, "even groups")


def _is_ending(word: str) -> bool:
    """Whether a word may be a grammatical ending that a dash ties to a number: "482913-as"."""
    return len(word) <= _LONGEST_ENDING and word.isalpha() and word.islower()


def is_unspeakable(value: str) -> bool:
    """Whether letters can be neither a word nor a name: capitals without a vowel among them, or scrambled."""
    if not value.isupper():
        return is_scrambled(value)
    return len(value) >= _SHORTEST_UNSPEAKABLE and _VOWELS.isdisjoint(value) and value.replace("-", "").isalpha()


def _is_piece(word: str, size: int) -> bool:
    return len(word) == size and word.isascii() and word.upper() == word


def _is_shown_alone(reading: Reading, start: int, end: int) -> bool:
    """Whether words lead to a string in pieces, or it has a line for itself, and it is no postcode there."""
    text = reading.text
    lead = text[max(0, start - 40) : start].rpartition("\n")[2].rstrip(_OPENING)
    if lead.endswith((":", "=", "->", "→", "：")):
        return True
    before = reading.hits_between(max(0, start - 24), start)
    if before and before[-1][2] & _LEADING_IN and not text[before[-1][1] : start].strip(_OPENING):
        return True
    is_line = not lead and text[end : end + 4].lstrip(_CLOSING)[:1] in ("", "\n")
    return is_line and _POSTCODE.match(text[start:end]) is None


def _dashed_chain(reading: Reading, index: int, done: int) -> tuple[int, int]:
    words, gaps = reading.words, reading.gaps
    first = last = index
    while first - 1 > done and gaps[first - 1] in DASHES and words[first - 1].isascii() and index - first < MAX_GROUPS:
        first -= 1
    while last + 1 < len(words) and gaps[last] in DASHES and words[last + 1].isascii() and last - index < MAX_GROUPS:
        last += 1
    return first, last


def _digits_chain(reading: Reading, index: int) -> int:
    words, gaps = reading.words, reading.gaps
    last = index
    while (
        last + 1 < len(words) and gaps[last] in GROUP_GAPS and words[last + 1].isdigit() and last - index < MAX_GROUPS
    ):
        last += 1
    if last == index and len(words[index]) == 1 and last < len(gaps) and gaps[last] in _GAPS_OF_SINGLES:
        gap = gaps[last]
        while (
            last + 1 < len(words)
            and gaps[last] == gap
            and len(words[last + 1]) == 1
            and words[last + 1].isdigit()
            and last - index < MAX_GROUPS
        ):
            last += 1
    return last


def _dashed(reading: Reading, first: int, last: int) -> list[Shape]:
    words = reading.words[first : last + 1]
    start, end = reading.starts[first], reading.end_of(last)
    mask = glued(reading.text, start, end)
    head, tail = words[0], words[-1]
    if len(words) == 2 and len(head) == 1 and head.isupper() and tail.isdigit() and _SHORTEST <= len(tail) <= 8:
        return [Shape(tail, NUMERIC, start, end, first, last, mask, "prefixed")]
    bare = "".join(words)
    shortest, longest = min(map(len, words)), max(map(len, words))
    if (
        len(words) > (_MOST_PIECES if _is_typed_in_pieces(bare) else 3)
        or not _SHORTEST <= len(bare) <= _LONGEST_DASHED
        or longest > 8
        or (shortest < 2 and not _is_typed_in_pieces(bare))
    ):
        return []
    if bare.isalpha() and not bare.isupper():
        return []
    if len(words) == 2 and head.isdigit() and len(head) < _SHORTEST - 1 and tail.islower() and tail.isalpha():
        return []
    form = "even groups" if shortest == longest else "uneven groups"
    return [Shape("-".join(words), ALPHANUMERIC, start, end, first, last, mask, form)]


def _is_typed_in_pieces(bare: str) -> bool:
    """Whether groups with a single letter or digit among them may be a code: "XN4-TT9-K", not "6-digit"."""
    return len(bare) >= _SHORTEST_UNEVEN and bare.upper() == bare and not bare.isalpha()


def _solid(reading: Reading, index: int, shape: int) -> list[Shape]:
    word = reading.words[index]
    if not _SHORTEST <= len(word) <= _LONGEST_SOLID:
        return []
    start = reading.starts[index]
    mask = glued(reading.text, start, start + len(word))
    if shape == CAPITALS:
        return [Shape(word, ALPHANUMERIC, start, start + len(word), index, index, mask, "capitals")]
    if shape == SCRAMBLED:
        end = start + len(word)
        if not _is_shown_alone(reading, start, end):
            return []
        return [Shape(word, ALPHANUMERIC, start, end, index, index, mask, "scrambled")]
    head = word.rstrip("0123456789")
    if len(word) - len(head) >= _SHORTEST and len(head) > 2 and head.isalpha() and word_concepts(head.lower()) & _NOUN:
        return [Shape(word[len(head) :], NUMERIC, start, start + len(word), index, index, mask, "digits")]
    stem = word.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if stem.isdigit() and word[len(stem) :].lower() in _UNITS_GLUED:
        mask = mask or "a number with its unit"
    return [Shape(word, ALPHANUMERIC, start, start + len(word), index, index, mask, "mixed")]


def _numbers(reading: Reading, first: int, last: int) -> list[Shape]:
    """The shapes in a run of digit groups: one code, several numbers, or something that is no code at all."""
    if first == last:
        return [_number(reading, first)] if len(reading.words[first]) >= _SHORTEST else []
    read = group_reading(reading, first, last)
    if read is None:
        return [shape for a, b in split_points(reading, first, last) for shape in _numbers(reading, a, b)]
    form, mask = read
    value = "".join(reading.words[first : last + 1])
    return [Shape(value, GROUPED, reading.starts[first], reading.end_of(last), first, last, mask, form)]


def _number(reading: Reading, index: int) -> Shape:
    word = reading.words[index]
    start = reading.starts[index]
    mask = glued(reading.text, start, start + len(word)) or counted(reading, index, index)
    if mask is None and len(word) > _LONGEST_DIGITS:
        mask = "too long"
    form = "digits"
    if len(word) == 4 and _YEAR.match(word):
        form = "year"
    elif len(word) == 8 and _COMPACT_DATE.match(word):
        form = "compact date"
    return Shape(word, NUMERIC, start, start + len(word), index, index, mask, form)


def _is_pass_word(word: str) -> bool:
    return _SHORTEST_PASS_WORD <= len(word) <= _LONGEST_PASS_WORD and word.isalpha() and word.islower()


def _passphrases(reading: Reading) -> list[Shape]:
    """Lower-case words joined by dashes: that end their line, alone or behind a colon, or three and more anywhere."""
    found: list[Shape] = []
    words, gaps, text = reading.words, reading.gaps, reading.text
    if "-" not in text:
        return found
    index = -1
    for first in [at for at, gap in enumerate(gaps) if gap == "-"]:
        if first <= index:
            continue
        if len(found) >= MAX_SHAPES:
            break
        index = first
        while index < len(gaps) and gaps[index] == "-" and index - first < MAX_GROUPS:
            index += 1
        if index >= len(words) or not all(map(_is_pass_word, words[first : index + 1])):
            continue
        start, end = reading.starts[first], reading.end_of(index)
        before = text[max(0, start - 40) : start].rpartition("\n")[2].rstrip(_OPENING)
        after = text[end : end + 4].lstrip(_CLOSING)
        if after[:1] in ("", "\n") and before[-1:] in ("", ":", ">", "→", "="):
            found.append(Shape(text[start:end], PASSPHRASE, start, end, first, index, None, "words"))
        elif index - first + 1 >= _FEWEST_IN_A_LINE and not glued(text, start, end):
            found.append(Shape(text[start:end], PASSPHRASE, start, end, first, index, None, "words in a line"))
    return found
