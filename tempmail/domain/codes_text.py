"""A text as the extraction reads it: words, lines and sentences, with what the lexicon says of them."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, count
from operator import add
from typing import NamedTuple, TypeAlias

from tempmail.domain.lexicon.letters import WORD_LETTERS, fold
from tempmail.domain.lexicon.table import OF_THE_MAIL, phrases_from, run_concepts, word_concepts

MAX_CHARS = 20_000
MAX_WORDS = 4_000
MAX_OPAQUE = 400

PLAIN, DIGITS, MIXED, CAPITALS = 0, 1, 2, 3

_WORDS = re.compile(f"([{WORD_LETTERS}]+)")
_NOT_TEXT = re.compile(
    r"(?:https?|ftp)://[^\s<>\"'\uff08\u3000]{1,4096}+|\bwww\.[^\s<>\"']{1,4096}+"
    r"|(?<![\w.+*-])[\w.+*-]{1,64}+@(?:[\w-]{1,63}+\.)*+[\w-]{1,63}+",
    re.IGNORECASE,
)
# One set of characters first, so that the search skips to the next of them.
_SENTENCE_END = re.compile(r"[.!?\n。！？।؟۔](?:(?<=[.!?])\s+|(?<![.!?]))")
_PHRASE_GAP = frozenset(" -'’‑–־\n\t")


# A term of the lexicon in the text: start, end, concepts. A bare tuple, since a text has one at every third word.
Hit: TypeAlias = tuple[int, int, int]


class _Meaning(NamedTuple):
    """What is known of a word: its concepts, its shape, and the phrases that it may begin.

    `seconds`: the second words of these phrases, or None where one of them is only the beginning of a word.
    """

    concepts: int
    shape: int
    phrases: tuple[tuple[tuple[str, ...], int], ...]
    seconds: frozenset[str] | None


@dataclass(slots=True)
class Reading:
    """One source of a mail, read once.

    `words`, `starts` and `gaps` run in parallel: a word, where it starts, and the text between it and the next word.
    `shaped`: the indices of words with digits or in capitals. `opaque`: addresses and URLs; no word in them counts.
    `concepts`: all that the hits speak of; what is not in it need not be looked for.
    """

    source: str
    text: str
    words: list[str]
    starts: list[int]
    gaps: list[str]
    shaped: list[tuple[int, int]]
    hits: list[Hit]
    opaque: list[tuple[int, int]]
    concepts: int
    _hit_starts: list[int] = field(default_factory=list)
    _line_starts: list[int] = field(default_factory=list)
    _sentence_starts: list[int] = field(default_factory=list)

    def end_of(self, word: int) -> int:
        return self.starts[word] + len(self.words[word])

    def line_of(self, at: int) -> int:
        if not self._line_starts:
            lengths = accumulate(map(len, self.text.split("\n")))
            self._line_starts = [0, *map(add, lengths, count(1))][:-1]
        return bisect_right(self._line_starts, at) - 1

    def line_span(self, line: int) -> tuple[int, int]:
        """Start and end of a line (a number from `line_of` or below it), its newline left out."""
        starts = self._line_starts
        end = starts[line + 1] - 1 if line + 1 < len(starts) else len(self.text)
        return starts[line], end

    def is_last_line(self, line: int) -> bool:
        return line + 1 >= len(self._line_starts)

    def hits_between(self, start: int, end: int) -> list[Hit]:
        """The hits that lie in a span."""
        starts = self._hit_starts or self._starts_of_hits()
        first = bisect_left(starts, start)
        return [hit for hit in self.hits[first : bisect_left(starts, end, first)] if hit[1] <= end]

    def concepts_between(self, start: int, end: int) -> int:
        starts = self._hit_starts or self._starts_of_hits()
        first = bisect_left(starts, start)
        found = 0
        for _, stop, concepts in self.hits[first : bisect_left(starts, end, first)]:
            if stop <= end:
                found |= concepts
        return found

    def _starts_of_hits(self) -> list[int]:
        self._hit_starts = [start for start, _, _ in self.hits]
        return self._hit_starts

    def speaks_of(self, wanted: int, start: int, end: int) -> bool:
        """Whether one of the `wanted` concepts is touched in a span."""
        return bool(self.concepts & wanted and self.concepts_between(start, end) & wanted)

    def sentence_start(self, at: int, floor: int) -> int:
        starts = self._sentence_starts or self._sentences()
        start = starts[bisect_right(starts, at) - 1]
        return max(floor, start)

    def sentence_end(self, at: int, ceiling: int) -> int:
        starts = self._sentence_starts or self._sentences()
        following = bisect_right(starts, at)
        return starts[following] if following < len(starts) and starts[following] < ceiling else ceiling

    def _sentences(self) -> list[int]:
        text = self.text
        self._sentence_starts = [0]
        self._sentence_starts += [
            end
            for start, end in [found.span() for found in _SENTENCE_END.finditer(text)]
            if text[start] != "." or not (text[start - 2 : start] == ".." or _abbreviates(text, start, end))
        ]
        return self._sentence_starts


def _abbreviates(text: str, dot: int, end: int) -> bool:
    """Whether a dot belongs to something like "Nr. 4471" or "Ref. 22"."""
    if not text[end : end + 1].isdigit():
        return False
    return not text[max(0, dot - 4) : dot].isalpha() and text[dot - 1 : dot].isalpha()


def read_source(source: str, text: str) -> Reading:
    """The reading of an already normalised text, cut at MAX_CHARS and MAX_WORDS."""
    text = text[:MAX_CHARS]
    parts = _WORDS.split(text, MAX_WORDS)
    words, gaps = parts[1::2], parts[2::2]
    starts = list(accumulate(map(len, parts)))[:-1:2]
    meanings: list[_Meaning | None] = list(map(_meaning, words))
    opaque = _opaque_spans(text)
    for start, end in opaque:
        first, behind = bisect_right(starts, start) - 1, bisect_left(starts, end)
        if first < 0 or starts[first] + len(words[first]) <= start:
            first += 1
        meanings[first:behind] = [None] * (behind - first)
        gaps[first:behind] = ["\0"] * (behind - first)
    found: list[Hit] = []
    shaped: list[tuple[int, int]] = []
    everything = 0
    taken_until = -1
    for index, meaning in enumerate(meanings):
        if meaning is None:
            continue
        concepts, shape, phrases, seconds = meaning
        if shape:
            shaped.append((index, shape))
        if index <= taken_until or shape == DIGITS:
            continue
        last = index
        if phrases and index + 1 < len(words) and (seconds is None or _folded(words[index + 1]) in seconds):
            longest, last = _longest(meaning, words, gaps, index)
            if longest & ~OF_THE_MAIL:
                concepts, taken_until = longest, last
            else:
                concepts, last = concepts | longest, index
        if concepts:
            everything |= concepts
            found.append((starts[index], starts[last] + len(words[last]), concepts))
    if not text.isascii():
        for run in run_concepts(text):
            if not any(a <= run[0] < b for a, b in opaque):
                everything |= run[2]
                found.append(run)
        found.sort()
    return Reading(source, text, words, starts, gaps, shaped, found, opaque, everything)


def _opaque_spans(text: str) -> list[tuple[int, int]]:
    if "@" not in text and "://" not in text and "www." not in text:
        return []
    spans: list[tuple[int, int]] = []
    for start, end in lines_with_addresses(text):
        spans += [found.span() for found in _NOT_TEXT.finditer(text, start, end)]
        if len(spans) >= MAX_OPAQUE:
            break
    return spans[:MAX_OPAQUE]


def lines_with_addresses(text: str) -> Iterator[tuple[int, int]]:
    """The lines that may hold a web or mail address, as spans. A search of these alone takes a tenth of the time."""
    start = 0
    has_www = "www." in text.lower()
    for line in text.split("\n"):
        if "://" in line or "@" in line or (has_www and "www." in line.lower()):
            yield start, start + len(line)
        start += len(line) + 1


@lru_cache(maxsize=16_384)
def _meaning(word: str) -> _Meaning | None:
    """What the word means, or None where it means nothing."""
    shape = PLAIN
    if word.isascii():
        if word.isdigit():
            shape = DIGITS
        elif not word.isalpha():
            shape = MIXED
        elif len(word) >= 3 and word.isupper():
            shape = CAPITALS
    if shape == DIGITS:
        return _Meaning(0, shape, (), None)
    concepts, phrases = word_concepts(word), phrases_from(word)
    second = [rest[0] for rest, _ in phrases]
    seconds = None if any(word.endswith("*") for word in second) else frozenset(second)
    return _Meaning(concepts, shape, phrases, seconds) if concepts or shape or phrases else None


def _longest(meaning: _Meaning, words: list[str], gaps: list[str], index: int) -> tuple[int, int]:
    """(concepts, last word) of the longest phrase that begins at `index`, or of the word alone."""
    if _joins(gaps[index]):
        following = _folded(words[index + 1])
        for rest, concepts in meaning.phrases:
            second = rest[0]
            is_second = second == following or (second[-1] == "*" and following.startswith(second[:-1]))
            if is_second and (len(rest) == 1 or _continues(words, gaps, index + 1, rest[1:])):
                return concepts, index + len(rest)
    return meaning.concepts, index


def _continues(words: list[str], gaps: list[str], index: int, rest: tuple[str, ...]) -> bool:
    """Whether the words behind `index` are those of a phrase."""
    if index + len(rest) >= len(words):
        return False
    for at, wanted in enumerate(rest, index):
        folded = _folded(words[at + 1])
        same = folded.startswith(wanted[:-1]) if wanted[-1] == "*" else folded == wanted
        if not same or not _joins(gaps[at]):
            return False
    return True


def _joins(gap: str) -> bool:
    """Whether the words on both sides may belong to one phrase: only spaces, dashes or apostrophes between."""
    return len(gap) <= 2 and _PHRASE_GAP.issuperset(gap)


_folded = lru_cache(maxsize=16_384)(fold)
