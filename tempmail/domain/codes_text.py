"""A text as the extraction reads it: words, lines and sentences, with what the lexicon says of them."""

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from tempmail.domain.lexicon.letters import WORD_LETTERS, fold
from tempmail.domain.lexicon.table import phrases_from, run_concepts, word_concepts

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
_SENTENCE_END = re.compile(r"[.!?]\s+|[。！？।؟۔\n]")
_PHRASE_GAP = frozenset(" -'’‑–־\n\t")


class Hit(NamedTuple):
    """A term of the lexicon in the text."""

    start: int
    end: int
    concepts: int


class _Meaning(NamedTuple):
    """What is known of a word: its concepts, its shape, and the phrases that it may begin."""

    concepts: int
    shape: int
    phrases: tuple[tuple[tuple[str, ...], int], ...]


@dataclass(slots=True)
class Reading:
    """One source of a mail, read once.

    `words`, `starts` and `gaps` run in parallel: a word, where it starts, and the text between it and the next word.
    `shaped`: the indices of words with digits or in capitals. `opaque`: addresses and URLs; no word in them counts.
    """

    source: str
    text: str
    words: list[str]
    starts: list[int]
    gaps: list[str]
    shaped: list[tuple[int, int]]
    hits: list[Hit]
    opaque: list[tuple[int, int]]
    _hit_starts: list[int] = field(default_factory=list)
    _line_starts: list[int] = field(default_factory=list)
    _sentence_starts: list[int] = field(default_factory=list)

    def end_of(self, word: int) -> int:
        return self.starts[word] + len(self.words[word])

    def line_of(self, at: int) -> int:
        if not self._line_starts:
            self._line_starts = [0, *(found.end() for found in re.finditer("\n", self.text))]
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
        if not self._hit_starts:
            self._hit_starts = [hit.start for hit in self.hits]
        first = bisect_left(self._hit_starts, start)
        last = bisect_left(self._hit_starts, end, first)
        return [hit for hit in self.hits[first:last] if hit.end <= end]

    def concepts_between(self, start: int, end: int) -> int:
        concepts = 0
        for hit in self.hits_between(start, end):
            concepts |= hit.concepts
        return concepts

    def sentence_start(self, at: int, floor: int) -> int:
        starts = self._sentences()
        return max(floor, starts[bisect_right(starts, at) - 1])

    def sentence_end(self, at: int, ceiling: int) -> int:
        starts = self._sentences()
        following = bisect_right(starts, at)
        return min(ceiling, starts[following]) if following < len(starts) else ceiling

    def _sentences(self) -> list[int]:
        if not self._sentence_starts:
            text = self.text
            self._sentence_starts = [
                0,
                *(
                    found.end()
                    for found in _SENTENCE_END.finditer(text)
                    if not _abbreviates(text, found.start(), found.end())
                ),
            ]
        return self._sentence_starts


def _abbreviates(text: str, dot: int, end: int) -> bool:
    """Whether a dot belongs to something like "Nr. 4471" or "Ref. 22"."""
    if text[dot] != "." or not text[end : end + 1].isdigit():
        return False
    return not text[max(0, dot - 4) : dot].isalpha() and text[dot - 1 : dot].isalpha()


def read_source(source: str, text: str) -> Reading:
    """The reading of an already normalised text, cut at MAX_CHARS and MAX_WORDS."""
    text = text[:MAX_CHARS]
    parts = _WORDS.split(text, MAX_WORDS)
    words, gaps = parts[1::2], parts[2::2]
    offsets = list(accumulate(map(len, parts)))
    starts = offsets[0 : 2 * len(words) : 2]
    meanings: list[_Meaning | None] = list(map(_meaning, words))
    opaque = _opaque_spans(text)
    for start, end in opaque:
        first = max(0, bisect_right(starts, start) - 1)
        for index in range(first, bisect_left(starts, end)):
            if starts[index] + len(words[index]) > start:
                meanings[index] = None
                gaps[index] = "\0"
    hits: list[Hit] = []
    shaped: list[tuple[int, int]] = []
    taken_until = -1
    for index, meaning in enumerate(meanings):
        if meaning is None:
            continue
        if meaning.shape:
            shaped.append((index, meaning.shape))
        if index <= taken_until or meaning.shape == DIGITS:
            continue
        concepts, last = meaning.concepts, index
        if meaning.phrases and index + 1 < len(words):
            concepts, last = _longest(meaning, words, gaps, index)
            taken_until = last
        if concepts:
            hits.append(Hit(starts[index], starts[last] + len(words[last]), concepts))
    runs = [Hit(*run) for run in run_concepts(text) if not any(a <= run[0] < b for a, b in opaque)]
    if runs:
        hits = sorted(hits + runs)
    return Reading(source, text, words, starts, gaps, shaped, hits, opaque)


def _opaque_spans(text: str) -> list[tuple[int, int]]:
    if "@" not in text and "://" not in text and "www." not in text:
        return []
    return [found.span() for found, _ in zip(_NOT_TEXT.finditer(text), range(MAX_OPAQUE), strict=False)]


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
    concepts, phrases = (0, ()) if shape == DIGITS else (word_concepts(word), phrases_from(word))
    return _Meaning(concepts, shape, phrases) if concepts or shape or phrases else None


def _longest(meaning: _Meaning, words: list[str], gaps: list[str], index: int) -> tuple[int, int]:
    """(concepts, last word) of the longest phrase that begins at `index`, or of the word alone."""
    following = _folded(words[index + 1])
    for rest, concepts in meaning.phrases:
        if (rest[0] == following or rest[0][-1] == "*") and _continues(words, gaps, index, rest):
            return concepts, index + len(rest)
    return meaning.concepts, index


def _continues(words: list[str], gaps: list[str], index: int, rest: tuple[str, ...]) -> bool:
    """Whether the words behind `index` are those of a phrase, with only spaces, dashes or apostrophes between."""
    if index + len(rest) >= len(words):
        return False
    for wanted in rest:
        gap = gaps[index]
        index += 1
        folded = _folded(words[index])
        same = folded.startswith(wanted[:-1]) if wanted[-1] == "*" else folded == wanted
        if not same or len(gap) > 2 or not _PHRASE_GAP.issuperset(gap):
            return False
    return True


_folded = lru_cache(maxsize=16_384)(fold)
