"""Which strings of a text have the shape of a code."""

import re
from typing import Final, NamedTuple

from tempmail.domain.codes_numbers import DASHES, GROUP_GAPS, counted, glued, group_reading, split_points
from tempmail.domain.codes_text import CAPITALS, DIGITS, MIXED, Reading
from tempmail.domain.lexicon.table import Concept

MAX_SHAPES = 80
MAX_GROUPS = 16

NUMERIC, GROUPED, ALPHANUMERIC, PASSPHRASE = "numeric", "grouped", "alphanumeric", "passphrase"

_SHORTEST, _LONGEST_DIGITS, _LONGEST_SOLID, _LONGEST_DASHED = 4, 10, 12, 14
_SHORTEST_UNEVEN = 6
_YEAR = re.compile(r"(?:19[3-9]|20[0-4])\d\Z")
_COMPACT_DATE = re.compile(r"(?:19[5-9]\d|20[0-4]\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\Z")
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
_SHORTEST_PASS_WORD, _LONGEST_PASS_WORD = 3, 10
_FEWEST_IN_A_LINE = 3
_OPENING, _CLOSING = " \t*_`\"'“«", " \t*_`\"'”»."


class Shape(NamedTuple):
    """A candidate by its form alone. `mask`: why it cannot be a code, or None. `form`: how it is written."""

    value: str
    kind: str
    start: int
    end: int
    first_word: int
    last_word: int
    mask: str | None
    form: str


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
        first = last = index
        if gaps[index] in DASHES or (index and gaps[index - 1] in DASHES):
            first, last = _dashed_chain(reading, index, done)
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
        len(words) > 3
        or not _SHORTEST <= len(bare) <= _LONGEST_DASHED
        or longest > 8
        or (shortest < 2 and not _is_typed_in_pieces(bare))
    ):
        return []
    if bare.isalpha() and not bare.isupper():
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
    if "-" not in gaps:
        return found
    index = -1
    while len(found) < MAX_SHAPES:
        try:
            first = gaps.index("-", index + 1)
        except ValueError:
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
