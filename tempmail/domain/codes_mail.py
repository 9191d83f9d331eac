"""What is known of a whole mail while its candidates for the code are judged."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from tempmail.domain.codes_labels import ANOTHER, ANY_CODE, CONFIRMATION, ONE_TIME, SOME_CODE, Label, find_labels
from tempmail.domain.codes_shapes import Shape, find_shapes
from tempmail.domain.codes_text import Reading
from tempmail.domain.codes_weights import LABEL
from tempmail.domain.lexicon.letters import fold
from tempmail.domain.lexicon.table import Concept

PURPOSE: Final = Concept.AUTH | Concept.CONFIRM | Concept.VERIFY | Concept.LOGIN
ENOUGH_INTENT = 2
"""A mail of so much `intent` is about proving who one is."""

_PROMINENT_CHARS = 60
_TOPICS: Final = (Concept.ORDER, Concept.TRAVEL, Concept.PROMO, Concept.MEETING, Concept.LIST_OF)
_ANY_TOPIC: Final = Concept.ORDER | Concept.TRAVEL | Concept.PROMO | Concept.MEETING | Concept.LIST_OF
# Each of these speaks of proving who one is; one alone says little.
_INTENTS: Final = (PURPOSE, Concept.OCCASION, Concept.IGNORE | Concept.DENY, Concept.WARN, Concept.BRIEF)
_PROVING: Final = PURPOSE | Concept.IGNORE | Concept.DENY | Concept.WARN
_OTHER_MATTERS: Final = Concept.ORDER | Concept.TRAVEL | Concept.PROMO | Concept.MEETING | Concept.ATTEND
_ANNOUNCING: Final = Concept.AUTH | Concept.LOGIN | Concept.OCCASION
_CONFIRMING: Final = Concept.VERIFY | Concept.CONFIRM
_OFFERED: Final = Concept.PROMO | Concept.MEETING
_ELSEWHERE: Final = _OFFERED | Concept.TRAVEL | Concept.ATTEND
# Signs of a mail for a candidate without a label, by what it (or, where True, its subject) speaks of.
_HINTS: Final = (
    ("the subject speaks of signing in or verifying", _ANNOUNCING | _CONFIRMING, True),
    ("the mail says what to do if it was not you", Concept.IGNORE | Concept.DENY, False),
    ("it lasts a short time", Concept.BRIEF, False),
)
_OWN_LABELS: Final = {ONE_TIME, CONFIRMATION, ANY_CODE, SOME_CODE}
_NAME_WORDS = re.compile(r"[^\W_]{3,40}")
_BY_WORTH: Final = sorted((ONE_TIME, CONFIRMATION, ANY_CODE), key=LABEL.__getitem__, reverse=True)


class Source(NamedTuple):
    """A reading with what the page said about parts of it."""

    reading: Reading
    prominent: tuple[tuple[int, int], ...] = ()
    quoted: tuple[tuple[int, int], ...] = ()

    def sets_large(self, shape: Shape) -> bool:
        """Whether the page sets a candidate large, with few other words."""
        return any(a <= shape.start and shape.end <= b and b - a <= _PROMINENT_CHARS for a, b in self.prominent)


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


class Mail(NamedTuple):
    """What is known of the whole mail while one candidate is judged.

    `names`: words of the sender and recipients. `topics`: how often each topic is touched. `label`, `subject_label`:
    the kind of the strongest label in all and in the subject. `has_purpose`: whether it speaks of signing in or
    verifying. `has_warning`: whether it says not to share something. `intent`: how many kinds of words speak of proving
    who one is. `is_announced`: whether the subject does. `is_about_other_things`: whether it speaks of a purchase,
    journey, offer or appointment and of nothing that proves who one is. `is_open`: whether it speaks of none of these.
    `subject_is_another`: whether the subject names another number and nothing that proves who one is;
    `subject_offers`, `subject_is_elsewhere`: the same for an offer or meeting, and for these, a journey or appointment.
    `hints`: signs of the mail for a candidate without a label.
    `subject_values`: candidates in the subject. `counts`: how often a value is shown.
    """

    names: frozenset[str]
    topics: dict[int, int]
    label: str | None
    subject_label: str | None
    has_purpose: bool
    has_warning: bool
    intent: int
    is_announced: bool
    is_about_other_things: bool
    is_open: bool
    subject_is_another: bool
    subject_offers: bool
    subject_is_elsewhere: bool
    hints: tuple[str, ...]
    subject_values: frozenset[str]
    counts: dict[str, int]


# What is known of a mail without a candidate that has to be judged.
UNKNOWN: Final = Mail(
    frozenset(), {}, None, None, False, False, 0, False, False, False, False, False, False, (), frozenset(), {}
)


def overview(sources: Sequence[Searched], people: str) -> Mail:
    """What the sources tell in all. `people`: the sender's and recipients' names and addresses."""
    topics: dict[int, int] = dict.fromkeys(_TOPICS, 0)
    counts: dict[str, int] = {}
    kinds: set[str] = set()
    subject_label = None
    subject_values: frozenset[str] = frozenset()
    everything = subject = body = 0
    subject_kinds: set[str] = set()
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
            subject, subject_kinds = reading.concepts, found
            subject_label = _strongest(found)
            subject_values = frozenset(values)
        else:
            body |= reading.concepts
        for value in values:
            counts[value] = counts.get(value, 0) + 1
    is_announced = bool(
        subject & _ANNOUNCING or (subject & _CONFIRMING and (subject & Concept.ACCOUNT or not subject & _OTHER_MATTERS))
    )
    return Mail(
        names=_names(people) if any(not value.isdigit() for value in counts) else frozenset(),
        topics=topics,
        label=_strongest(kinds),
        subject_label=subject_label,
        has_purpose=bool(everything & PURPOSE),
        has_warning=bool(everything & Concept.WARN),
        intent=sum([bool(everything & kind) for kind in _INTENTS])
        + bool(kinds & _OWN_LABELS)
        + (is_announced or bool(subject_kinds & _OWN_LABELS)),
        is_announced=is_announced,
        is_about_other_things=bool(everything & _OTHER_MATTERS) and not body & _PROVING and not is_announced,
        is_open=not everything & _OTHER_MATTERS,
        subject_is_another=subject_kinds == {ANOTHER} and not is_announced,
        subject_offers=bool(subject & _OFFERED) and not is_announced,
        subject_is_elsewhere=bool(subject & _ELSEWHERE) and not is_announced,
        hints=tuple([name for name, kind, where in _HINTS if (subject if where else everything) & kind]),
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
