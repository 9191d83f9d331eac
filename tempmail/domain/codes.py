"""Which string of a mail is the code its reader is asked to type, and why.

Every string with the shape of a code becomes a candidate. Named signs, for and against, are added up for each
(`codes_weights.SIGNS`); the best candidate above the threshold is the code. The sum can be read from the result alone.

    codes_text       words, lines, sentences, lexicon hits      codes_place      a candidate's surroundings
    codes_shapes     strings that look like codes               codes_labelling  which label is the candidate's
    codes_numbers    digit groups: code, date, phone, amount    codes_judge      the signs for and against it
    codes_labels     "verification code", "order number"        codes_weights    what a sign is worth
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from tempmail.domain.codes_judge import PURPOSE, Mail, Sign, Source, judge
from tempmail.domain.codes_labelling import Earlier
from tempmail.domain.codes_labels import ANY_CODE, CONFIRMATION, ONE_TIME, Label, find_labels
from tempmail.domain.codes_shapes import Shape, find_shapes
from tempmail.domain.codes_text import Reading
from tempmail.domain.codes_weights import LABEL, SIGNS, THRESHOLD
from tempmail.domain.lexicon.letters import fold
from tempmail.domain.lexicon.table import Concept

MAX_REPORTED = 8
MAX_CONTEXT_WORDS = 8

_TOPICS: Final = (Concept.ORDER, Concept.TRAVEL, Concept.PROMO, Concept.MEETING, Concept.LIST_OF)
_ANY_TOPIC: Final = Concept.ORDER | Concept.TRAVEL | Concept.PROMO | Concept.MEETING | Concept.LIST_OF
_NAME_WORDS = re.compile(r"[^\W_]{3,40}")
_FEWEST_LISTED = 4
_LONGEST_LIST_GAP = 12
_ANOTHER: Final = "labelled as another number"
_OTHERS: Final = frozenset(name for name in SIGNS if name.startswith(_ANOTHER))
_REPLACED: Final = "said to be replaced or expired"
_FOLLOWS: Final = "takes the place of one that no longer counts"
_NO_CODE: Final = "cannot be a code"
_OUT_OF_THE_RACE: Final = frozenset({_NO_CODE, _REPLACED, "quoted from an earlier mail"})
_BY_WORTH: Final = sorted((ONE_TIME, CONFIRMATION, ANY_CODE), key=LABEL.__getitem__, reverse=True)
_SCORE: Final = itemgetter(0)
_POINTS: Final = itemgetter(1)
# What is known of a mail without a candidate that has to be judged.
_UNKNOWN: Final = Mail(frozenset(), {}, None, None, False, False, frozenset(), {})


@dataclass(frozen=True, slots=True)
class CodeCandidate:
    """A string that may be the code.

    `value` is what a user would type. `kind`: numeric, grouped, alphanumeric or passphrase. `start` and `end` are its
    place in the normalised text of `source` (subject, text, html, alt, preheader). `context`: the words before it.
    `rule`: the sign that speaks most for it. `reasons`: every sign with its points, which add up to `score`.
    """

    value: str
    kind: str
    source: str
    start: int
    end: int
    context: tuple[str, ...]
    score: float
    rule: str
    reasons: tuple[str, ...]


class Searched:
    """A source that was searched for strings that look like codes.

    `shapes`: these strings in order. `is_open`: whether one of them may be the code. `labels` are searched for when
    they are first asked for: where nothing can be a code, nothing is to be known about the words beside it.
    """

    __slots__ = ("_labels", "is_open", "shapes", "source")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.shapes = find_shapes(source.reading)
        self.is_open = any(shape.mask is None for shape in self.shapes)
        self._labels: list[Label] | None = None

    @property
    def labels(self) -> list[Label]:
        if self._labels is None:
            self._labels = find_labels(self.source.reading)
        return self._labels


class _Judged(NamedTuple):
    score: float
    shape: Shape
    reading: Reading
    signs: list[Sign]


def find_codes(sources: Sequence[Searched], people: str) -> tuple[CodeCandidate, ...]:
    """The candidates of a mail, best first. The first is the code if its score reaches THRESHOLD.

    `people`: the sender's and recipients' names and addresses.
    """
    mail = _overview(sources, people) if any(searched.is_open for searched in sources) else _UNKNOWN
    best: dict[str, _Judged] = {}
    others: set[str] = set()
    takes_back = False
    for searched in sources:
        source, shapes = searched.source, searched.shapes
        listed = _listed(source.reading, shapes) if len(shapes) >= _FEWEST_LISTED else ()
        earlier = Earlier([], [])
        for index, shape in enumerate(shapes):
            if shape.mask is None:
                signs = judge(source, shape, earlier, searched.labels, mail)
                if index in listed:
                    signs.append(Sign("one of a list", SIGNS["one of a list"]))
                names = {name for name, _, _ in signs}
                if not _OTHERS.isdisjoint(names):
                    others.add(shape.value)
                elif _OUT_OF_THE_RACE.isdisjoint(names):
                    earlier.rivals.append(shape)
                takes_back = takes_back or _REPLACED in names
                earlier.numbers.append(shape)
            else:
                signs = [Sign(_NO_CODE, SIGNS[_NO_CODE], shape.mask)]
            score = sum([points for _, points, _ in signs])
            known = best.get(shape.value)
            if known is None or score > known.score:
                best[shape.value] = _Judged(score, shape, source.reading, signs)
    for value in others:
        best[value] = _doubted(best[value])
    if takes_back:
        _let_follow(best, others)
    ranked = sorted(best.values(), key=_SCORE, reverse=True)
    return tuple([_candidate(judged) for judged in ranked[:MAX_REPORTED]])


def chosen(candidates: Iterable[CodeCandidate]) -> str | None:
    """The value of the first of ranked `candidates`, if it is good enough."""
    first = next(iter(candidates), None)
    return first.value if first is not None and first.score >= THRESHOLD else None


def _candidate(judged: _Judged) -> CodeCandidate:
    shape, reading = judged.shape, judged.reading
    before = reading.words[max(0, shape.first_word - MAX_CONTEXT_WORDS) : shape.first_word]
    reasons = tuple(map(_reason, judged.signs))
    rule = max(judged.signs, key=_POINTS).name
    return CodeCandidate(
        shape.value,
        shape.kind,
        reading.source,
        shape.start,
        shape.end,
        tuple(before),
        round(judged.score, 2),
        rule,
        reasons,
    )


@lru_cache(maxsize=4_096)
def _reason(sign: Sign) -> str:
    return f"{sign.name}{': ' if sign.detail else ''}{sign.detail} {sign.points:+.2f}"


def _doubted(judged: _Judged) -> _Judged:
    """A candidate whose value another place of the mail calls something else."""
    if any(sign.name in _OTHERS for sign in judged.signs):
        return judged
    sign = Sign(f"{_ANOTHER} elsewhere", SIGNS[f"{_ANOTHER} elsewhere"])
    return judged._replace(score=judged.score + sign.points, signs=[*judged.signs, sign])


def _let_follow(best: dict[str, _Judged], others: set[str]) -> None:
    """Where the mail takes back a code, the one other number of the same length takes its place."""
    gone = {value for value, judged in best.items() if any(sign.name == _REPLACED for sign in judged.signs)}
    for length in {len(value) for value in gone}:
        left = [value for value in best if len(value) == length and value not in gone | others and value.isdigit()]
        left = [value for value in left if best[value].shape.mask is None and best[value].reading.source != "subject"]
        if len(left) == 1 and any(value.isdigit() and len(value) == length for value in gone):
            judged = best[left[0]]
            sign = Sign(_FOLLOWS, SIGNS[_FOLLOWS])
            best[left[0]] = judged._replace(score=judged.score + sign.points, signs=[*judged.signs, sign])


def _overview(sources: Sequence[Searched], people: str) -> Mail:
    topics: dict[int, int] = dict.fromkeys(_TOPICS, 0)
    counts: dict[str, int] = {}
    kinds: set[str] = set()
    subject_label = None
    subject_values: frozenset[str] = frozenset()
    everything = 0
    for searched in sources:
        reading = searched.source.reading
        everything |= reading.concepts
        if reading.concepts & _ANY_TOPIC:
            for _, _, concepts in reading.hits:
                if concepts & _ANY_TOPIC:
                    for topic in _TOPICS:
                        if concepts & topic:
                            topics[topic] += 1
        found = {label.kind for label in searched.labels}
        kinds |= found
        values = [shape.value for shape in searched.shapes if shape.mask is None]
        if reading.source == "subject":
            subject_label = _strongest(found)
            subject_values = frozenset(values)
        for value in values:
            counts[value] = counts.get(value, 0) + 1
    return Mail(
        names=_names(people) if any(not value.isdigit() for value in counts) else frozenset(),
        topics=topics,
        label=_strongest(kinds),
        subject_label=subject_label,
        has_purpose=bool(everything & PURPOSE),
        has_warning=bool(everything & Concept.WARN),
        subject_values=subject_values,
        counts=counts,
    )


def _names(people: str) -> frozenset[str]:
    if people.isascii():
        return frozenset(_NAME_WORDS.findall(people.lower()))
    return frozenset(map(fold, _NAME_WORDS.findall(people)))


def _strongest(kinds: set[str]) -> str | None:
    """The kind of label that is worth most, of those that speak of one code."""
    for kind in _BY_WORTH:
        if kind in kinds:
            return kind
    return None


def _listed(reading: Reading, shapes: list[Shape]) -> set[int]:
    """Indices of the shapes that are one of several of the same form on neighbouring lines."""
    listed: set[int] = set()
    run: list[int] = []
    for index, shape in enumerate(shapes):
        if shape.mask is not None:
            continue
        if run and not _lists_on(reading, shapes[run[-1]], shape):
            run = []
        run.append(index)
        if len(run) >= _FEWEST_LISTED:
            listed.update(run)
    return listed


def _lists_on(reading: Reading, last: Shape, shape: Shape) -> bool:
    between = reading.text[last.end : shape.start]
    same = last.kind == shape.kind and len(last.value) == len(shape.value)
    return same and len(between) <= _LONGEST_LIST_GAP and not any(map(str.isalpha, between))
