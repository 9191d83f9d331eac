"""What is known of a whole mail while its candidates for the code are judged."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from tempmail.domain.codes_labels import ANOTHER, ANY_CODE, CONFIRMATION, ONE_TIME, SOME_CODE, Label, find_labels
from tempmail.domain.codes_shapes import Shape, find_shapes
from tempmail.domain.codes_text import Reading
from tempmail.domain.codes_weights import LABEL
from tempmail.domain.lexicon.letters import fold
from tempmail.domain.lexicon.table import Concept

PURPOSE: Final = Concept.AUTH | Concept.CONFIRM | Concept.VERIFY | Concept.LOGIN
ENOUGH_INTENT: Final = 2
"""A mail of so much `intent` is about proving who one is."""

_PROMINENT_CHARS: Final = 60
_TOPICS: Final = (Concept.ORDER, Concept.TRAVEL, Concept.PROMO, Concept.MEETING, Concept.LIST_OF, Concept.TALK)
_ANY_TOPIC: Final = Concept.ORDER | Concept.TRAVEL | Concept.PROMO | Concept.MEETING | Concept.LIST_OF | Concept.TALK
# Each of these speaks of proving who one is; one alone says little.
_INTENTS: Final = (PURPOSE, Concept.OCCASION, Concept.IGNORE | Concept.DENY, Concept.WARN, Concept.BRIEF)
# What is said beside a code that somebody waits for, and seldom beside another number.
_AWAITED: Final = Concept.IGNORE | Concept.WARN | Concept.OCCASION | Concept.BRIEF
_CODES: Final = Concept.CODE | Concept.OTP | Concept.CODES
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
_NAME_WORDS: Final = re.compile(r"[^\W_]{3,40}")
_BY_WORTH: Final = sorted((ONE_TIME, CONFIRMATION, ANY_CODE), key=LABEL.__getitem__, reverse=True)


class Source:
    """A reading with what the page said about parts of it."""

    __slots__ = ("prominent", "quoted", "reading")

    def __init__(
        self, reading: Reading, prominent: tuple[tuple[int, int], ...] = (), quoted: tuple[tuple[int, int], ...] = ()
    ) -> None:
        self.reading: Final = reading
        self.prominent: Final = prominent
        self.quoted: Final = quoted

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


class Mail:
    """What is known of the whole mail while one candidate is judged.

    `topics`: how often each topic is touched. `label`, `subject_label`:
    the kind of the strongest label in all and in the subject. `has_purpose`: whether it speaks of signing in or
    verifying. `has_warning`: whether it says not to share something. `intent`: how many kinds of words speak of proving
    who one is. `is_announced`: whether the subject does. `is_about_other_things`: whether it speaks of a purchase,
    journey, offer or appointment and of nothing that proves who one is. `is_expected`: whether its subject is about
    signing in or a code, or it speaks of what surrounds a code that is waited for. `is_open`: whether it speaks of
    no other matter.
    `subject_is_another`: whether the subject names another number and nothing that proves who one is;
    `subject_is_another_code`: whether that is called a code ("promo code");
    `subject_offers`, `subject_is_elsewhere`: the same for an offer or meeting, and for these, a journey or appointment.
    `asks`: whether it tells to type something; `points_at_subject`: whether it says that this is in the subject.
    `hints`: signs of the mail for a candidate without a label.
    `subject_values`: candidates in the subject. `counts`: how often a value is shown.
    """

    __slots__ = (
        "_names",
        "_people",
        "asks",
        "counts",
        "has_purpose",
        "has_warning",
        "hints",
        "intent",
        "is_about_other_things",
        "is_announced",
        "is_expected",
        "is_open",
        "label",
        "points_at_subject",
        "subject_is_another",
        "subject_is_another_code",
        "subject_is_elsewhere",
        "subject_label",
        "subject_offers",
        "subject_values",
        "topics",
    )

    def __init__(self, sources: Sequence[Searched], people: Callable[[], str]) -> None:
        """`people` gives the sender's and recipients' names and addresses."""
        self._people = people
        self._names: frozenset[str] | None = None
        self.topics: dict[int, int] = dict.fromkeys(_TOPICS, 0)
        self.counts: dict[str, int] = {}
        self.subject_values: frozenset[str] = frozenset()
        everything = subject = body = 0
        kinds: set[str] = set()
        subject_kinds: set[str] = set()
        for searched in sources:
            reading = searched.source.reading
            everything |= reading.concepts
            if reading.concepts & _ANY_TOPIC:
                self._count_topics(reading)
            found = {label.kind for label in searched.labels}
            kinds |= found
            values = [shape.value for shape in searched.shapes if shape.mask is None]
            if reading.source == "subject":
                subject, subject_kinds = reading.concepts, found
                self.subject_values = frozenset(values)
            else:
                body |= reading.concepts
            for value in values:
                self.counts[value] = self.counts.get(value, 0) + 1
        is_announced = bool(
            subject & _ANNOUNCING
            or (subject & _CONFIRMING and (subject & Concept.ACCOUNT or not subject & _OTHER_MATTERS))
            or (subject & Concept.PORTAL and subject & _CODES)
        )
        names_a_code = not _OWN_LABELS.isdisjoint(subject_kinds)
        self.label = _strongest(kinds)
        self.subject_label = _strongest(subject_kinds)
        self.has_purpose = bool(everything & PURPOSE)
        self.has_warning = bool(everything & Concept.WARN)
        self.intent = (
            sum([bool(everything & kind) for kind in _INTENTS])
            + (not _OWN_LABELS.isdisjoint(kinds))
            + (is_announced or names_a_code)
        )
        self.is_announced = is_announced
        self.asks = bool(everything & Concept.ASK)
        self.points_at_subject = bool(body & Concept.IN_SUBJECT)
        self.is_about_other_things = bool(everything & _OTHER_MATTERS) and not body & _PROVING and not is_announced
        self.is_expected = is_announced or names_a_code or bool(everything & _AWAITED)
        self.is_open = not everything & _OTHER_MATTERS
        self.subject_is_another = subject_kinds == {ANOTHER} and not is_announced
        self.subject_is_another_code = self.subject_is_another and bool(subject & _CODES)
        self.subject_offers = bool(subject & _OFFERED) and not is_announced
        self.subject_is_elsewhere = bool(subject & _ELSEWHERE) and not is_announced
        self.hints = [name for name, kind, where in _HINTS if (subject if where else everything) & kind]

    def is_name(self, word: str) -> bool:
        """Whether the sender or a recipient is called by a folded word."""
        if self._names is None:
            self._names = _names_in(self._people())
        return word in self._names

    def _count_topics(self, reading: Reading) -> None:
        topics = self.topics
        for _, _, concepts in reading.hits:
            if concepts & _ANY_TOPIC:
                for topic in _TOPICS:
                    if concepts & topic:
                        topics[topic] += 1


def _names_in(people: str) -> frozenset[str]:
    if people.isascii():
        return frozenset(_NAME_WORDS.findall(people.lower()))
    return frozenset(map(fold, _NAME_WORDS.findall(people)))


def _strongest(kinds: set[str]) -> str | None:
    """The kind of label that is worth most, of those that speak of one code."""
    for kind in _BY_WORTH:
        if kind in kinds:
            return kind
    return None
