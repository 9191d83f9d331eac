"""A text as the extraction reads it: words, lines and sentences, with what the lexicon says of them."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from tempmail.domain.lexicon.letters import WORD_LETTERS, fold
from tempmail.domain.lexicon.table import LONGEST_WORD, OF_THE_MAIL, phrases_from, run_concepts, word_concepts

MAX_CHARS: Final = 20_000
MAX_WORDS: Final = 4_000
MAX_OPAQUE: Final = 400
MAX_REMEMBERED_WORDS: Final = 32_768

PLAIN: Final = 0
DIGITS: Final = 1
MIXED: Final = 2
CAPITALS: Final = 3
SCRAMBLED: Final = 4

_WORDS: Final = re.compile(f"([{WORD_LETTERS}]+)")
_ASCII_WORDS: Final = re.compile("([0-9A-Za-z]+)")
_WEB_ADDRESS: Final = re.compile(
    r"(?:https?|ftp)://[^\s<>\"'\uff08\u3000]{1,4096}+|\bwww\.[^\s<>\"']{1,4096}+", re.IGNORECASE
)
_NOT_TEXT: Final = re.compile(
    _WEB_ADDRESS.pattern + r"|(?<![\w.+*-])[\w.+*-]{1,64}+@(?:[\w-]{1,63}+\.)*+[\w-]{1,63}+", re.IGNORECASE
)
# One set of characters first, so that the search skips to the next of them.
_SENTENCE_END: Final = re.compile(r"([.!?\n。！？।؟۔](?:(?<=[.!?])\s+|(?<![.!?])))")
_CONSONANTS: Final = re.compile("[b-df-hj-np-tv-xzB-DF-HJ-NP-TV-XZ]{4}")
_CAPITAL_INSIDE: Final = re.compile("[a-z][A-Z]")
_PARTS: Final = re.compile("[A-Z]*[a-z]*")
_VOWEL: Final = re.compile("[aeiouyAEIOUY]")
_NAME_AND_CAPITALS: Final = re.compile(r"[A-Z]?[a-z]+[A-Z]{2,4}\Z")
_SHORTEST_SCRAMBLED: Final = 6
_LONGEST_SCRAMBLED: Final = 12
_PHRASE_GAP: Final = frozenset(" -'’‑–־\n\t")


_T = TypeVar("_T")

# A term of the lexicon in the text: start, end, concepts. A bare tuple, since a text has one at every third word.
Hit: TypeAlias = tuple[int, int, int]


class _Meaning:
    """What is known of a word: its concepts, its shape, and the phrases that it may begin.

    `seconds`: the second words of these phrases, or None where one of them is only the beginning of a word.
    """

    __slots__ = ("concepts", "phrases", "seconds", "shape")

    def __init__(
        self,
        concepts: int,
        shape: int,
        phrases: tuple[tuple[tuple[str, ...], int], ...],
        seconds: frozenset[str] | None,
    ) -> None:
        self.concepts: Final = concepts
        self.shape: Final = shape
        self.phrases: Final = phrases
        self.seconds: Final = seconds


class Reading:
    """One source of a mail, read once.

    `words`, `starts` and `gaps` run in parallel: a word, where it starts, and the text between it and the next word.
    `shaped`: the indices of words with digits, in capitals or scrambled. `opaque`: addresses and URLs; no word in them
    counts.
    `concepts`: all that the hits speak of; what is not in it need not be looked for.
    """

    __slots__ = (
        "_hit_starts",
        "_line_starts",
        "_sentence_starts",
        "concepts",
        "gaps",
        "hits",
        "opaque",
        "shaped",
        "source",
        "starts",
        "text",
        "words",
    )

    def __init__(
        self,
        source: str,
        text: str,
        words: list[str],
        starts: list[int],
        gaps: list[str],
        shaped: list[tuple[int, int]],
        hits: list[Hit],
        opaque: list[tuple[int, int]],
        concepts: int,
    ) -> None:
        self.source: Final = source
        self.text: Final = text
        self.words: Final = words
        self.starts: Final = starts
        self.gaps: Final = gaps
        self.shaped: Final = shaped
        self.hits: Final = hits
        self.opaque: Final = opaque
        self.concepts: Final = concepts
        self._hit_starts: list[int] = []
        self._line_starts: list[int] = []
        self._sentence_starts: list[int] = []

    def end_of(self, word: int) -> int:
        return self.starts[word] + len(self.words[word])

    def line_of(self, at: int) -> int:
        if not self._line_starts:
            start = 0
            for line in self.text.split("\n"):
                self._line_starts.append(start)
                start += len(line) + 1
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
        starts = [0]
        parts = _SENTENCE_END.split(text)
        end = 0
        for sentence, mark in zip(parts[:-1:2], parts[1::2], strict=True):
            dot = end + len(sentence)
            end = dot + len(mark)
            if mark[0] != "." or not (text[dot - 2 : dot] == ".." or _abbreviates(text, dot, end)):
                starts.append(end)
        self._sentence_starts = starts
        return starts


def has_word(text: str) -> bool:
    """Whether there is a letter or digit in a text, which mostly has one at once or is short."""
    for char in text:  # noqa: SIM110 - a generator costs more than the search
        if char.isalnum():
            return True
    return False


def _abbreviates(text: str, dot: int, end: int) -> bool:
    """Whether a dot belongs to something like "Nr. 4471" or "Ref. 22"."""
    if not text[end : end + 1].isdigit():
        return False
    return not text[max(0, dot - 4) : dot].isalpha() and text[dot - 1 : dot].isalpha()


def read_source(source: str, text: str) -> Reading:
    """The reading of an already normalised text, cut at MAX_CHARS and MAX_WORDS."""
    text = text[:MAX_CHARS]
    parts = (_ASCII_WORDS if text.isascii() else _WORDS).split(text, MAX_WORDS)
    words, gaps = parts[1::2], parts[2::2]
    ends: list[int] = []
    at = 0
    for part in parts:
        at += len(part)
        ends.append(at)
    starts = ends[:-1:2]
    meanings: list[_Meaning | None] = list(map(_MEANINGS.__getitem__, words))
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
    last_word = len(words) - 1
    for index, meaning in enumerate(meanings):
        if meaning is None:
            continue
        if meaning.shape:
            shaped.append((index, meaning.shape))
        if index <= taken_until or meaning.shape == DIGITS:
            continue
        concepts, last, seconds = meaning.concepts, index, meaning.seconds
        if meaning.phrases and index < last_word and (seconds is None or _FOLDED[words[index + 1]] in seconds):
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
        # The search for mail addresses tries every word.
        pattern = _NOT_TEXT if text.find("@", start, end) >= 0 else _WEB_ADDRESS
        spans += [found.span() for found in pattern.finditer(text, start, end)]
        if len(spans) >= MAX_OPAQUE:
            break
    return spans[:MAX_OPAQUE]


def lines_with_addresses(text: str) -> list[tuple[int, int]]:
    """The lines that may hold a web or mail address, as spans. A search of these alone takes a tenth of the time."""
    lines: list[tuple[int, int]] = []
    start = 0
    has_www = "www." in text.lower()
    for line in text.split("\n"):
        if "://" in line or "@" in line or (has_www and "www." in line.lower()):
            lines.append((start, start + len(line)))
        start += len(line) + 1
    return lines


def is_scrambled(word: str) -> bool:
    """Whether Latin letters in mixed case cannot be spoken, unlike those of a name in parts ("TechCrunch")."""
    if not _SHORTEST_SCRAMBLED <= len(word) <= _LONGEST_SCRAMBLED or word[1:].islower() or not word.isalpha():
        return False
    if not _CAPITAL_INSIDE.search(word) or not _CONSONANTS.search(word) or _NAME_AND_CAPITALS.match(word):
        return False
    return any(part and not _VOWEL.search(part) for part in _PARTS.findall(word))


def _meaning(word: str) -> _Meaning | None:
    """What the word means, or None where it means nothing."""
    shape = PLAIN
    if word.isascii():
        if word.isdigit():
            return _OF_DIGITS
        if not word.isalpha():
            shape = MIXED
        elif len(word) >= 3 and word.isupper():
            shape = CAPITALS
        elif is_scrambled(word):
            shape = SCRAMBLED
    if len(word) > LONGEST_WORD:
        return _Meaning(0, shape, (), None) if shape else None
    folded = fold(word)
    concepts, phrases = word_concepts(folded), phrases_from(folded)
    second = [rest[0] for rest, _ in phrases]
    seconds = None if any(word.endswith("*") for word in second) else frozenset(second)
    return _Meaning(concepts, shape, phrases, seconds) if concepts or shape or phrases else None


class _Lately(dict[str, _T]):
    """What a function says of the words that were read lately, in half the time of an `lru_cache`, which orders its
    entries at every look. When it is full, it starts anew and takes over what is asked for again."""

    def __init__(self, function: Callable[[str], _T]) -> None:
        super().__init__()
        self._function = function
        self._before: dict[str, _T] = {}

    def __missing__(self, word: str) -> _T:
        if len(word) > LONGEST_WORD:
            return self._function(word)
        if len(self) >= MAX_REMEMBERED_WORDS:
            self._before = dict(self)
            self.clear()
        before = self._before
        found = self[word] = before[word] if word in before else self._function(word)
        return found


_OF_DIGITS: Final = _Meaning(0, DIGITS, (), None)
_MEANINGS: Final = _Lately(_meaning)
_FOLDED: Final = _Lately(fold)


def _longest(meaning: _Meaning, words: list[str], gaps: list[str], index: int) -> tuple[int, int]:
    """(concepts, last word) of the longest phrase that begins at `index`, or of the word alone."""
    if _joins(gaps[index]):
        following = _FOLDED[words[index + 1]]
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
        folded = _FOLDED[words[at + 1]]
        same = folded.startswith(wanted[:-1]) if wanted[-1] == "*" else folded == wanted
        if not same or not _joins(gaps[at]):
            return False
    return True


def _joins(gap: str) -> bool:
    """Whether the words on both sides may belong to one phrase: only spaces, dashes or apostrophes between."""
    return len(gap) <= 2 and _PHRASE_GAP.issuperset(gap)
