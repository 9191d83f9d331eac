"""Which string of a mail is the code its reader is asked to type, and why.

Every string with the shape of a code becomes a candidate. Named signs, for and against, are added up for each
(`codes_weights.SIGNS`); the best candidate above the threshold is the code. The sum can be read from the result alone.

    codes_text       words, lines, sentences, lexicon hits      codes_place      a candidate's surroundings
    codes_shapes     strings that look like codes               codes_labelling  which label is the candidate's
    codes_numbers    digit groups: code, date, phone, amount    codes_judge      the signs for and against it
    codes_labels     "verification code", "order number"        codes_roles      what stands in for a label
    codes_mail       what is known of the whole mail            codes_weights    what a sign is worth
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from tempmail.domain.codes_judge import Sign, judge
from tempmail.domain.codes_labelling import Earlier
from tempmail.domain.codes_labels import CONFIRMATION, ONE_TIME
from tempmail.domain.codes_mail import Mail, Searched
from tempmail.domain.codes_roles import ROLES
from tempmail.domain.codes_shapes import Shape
from tempmail.domain.codes_text import Reading
from tempmail.domain.codes_weights import SIGNS, THRESHOLD

MAX_REPORTED: Final = 8
MAX_CONTEXT_WORDS: Final = 8

_FEWEST_LISTED: Final = 4
_LONGEST_LIST_GAP: Final = 12
_ANOTHER: Final = "labelled as another number"
_OTHERS: Final = frozenset(name for name in SIGNS if name.startswith(_ANOTHER))
_REPLACED: Final = "said to be replaced or expired"
_FOLLOWS: Final = "takes the place of one that no longer counts"
_QUOTED: Final = "quoted from an earlier mail"
_NO_CODE: Final = "cannot be a code"
_OUT_OF_THE_RACE: Final = frozenset({_NO_CODE, _REPLACED, _QUOTED})
_OUTNAMED: Final = "another is called the code"
_WHERE: Final = ("before it", "after it", "on a line above")
_NAMED: Final = frozenset(f"{kind} {where}" for kind in (ONE_TIME, CONFIRMATION) for where in _WHERE)
_SCORE: Final = attrgetter("score")


# Not frozen: that would cost as much as all the rest of a candidate.
@dataclass(slots=True)
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


class _Judged:
    """A shape with its signs, and the sum of their points."""

    __slots__ = ("reading", "score", "shape", "signs")

    def __init__(self, score: float, shape: Shape, reading: Reading, signs: list[Sign]) -> None:
        self.score = score
        self.shape: Final = shape
        self.reading: Final = reading
        self.signs: Final = signs

    def add(self, name: str) -> None:
        sign = Sign(name, SIGNS[name])
        self.score += sign.points
        self.signs.append(sign)

    def add_unless(self, known: AbstractSet[str], name: str) -> None:
        """Add a sign for what another place says, unless it has one of the `known`."""
        if not any(sign.name in known for sign in self.signs):
            self.add(name)


def find_codes(sources: Sequence[Searched], people: Callable[[], str]) -> tuple[CodeCandidate, ...]:
    """The candidates of a mail, best first. The first is the code if its score reaches THRESHOLD.

    `people` gives the sender's and recipients' names and addresses.
    """
    # Where nothing can be a code, nothing is to be known of the mail.
    mail = Mail(sources, people) if any(searched.is_open for searched in sources) else None
    best: dict[str, _Judged] = {}
    others: set[str] = set()
    quoted: set[str] = set()
    takes_back = False
    for searched in sources:
        source, shapes = searched.source, searched.shapes
        listed = _listed(source.reading, shapes) if len(shapes) >= _FEWEST_LISTED else ()
        earlier = Earlier()
        for index, shape in enumerate(shapes):
            if shape.mask is None and mail is not None:
                signs = judge(source, shape, earlier, searched.labels, mail)
                if index in listed:
                    signs.append(Sign("one of a list", SIGNS["one of a list"]))
                names = {sign.name for sign in signs}
                if not _OTHERS.isdisjoint(names):
                    others.add(shape.value)
                elif _OUT_OF_THE_RACE.isdisjoint(names):
                    earlier.rivals.append(shape)
                takes_back = takes_back or _REPLACED in names
                if _QUOTED in names:
                    quoted.add(shape.value)
                earlier.numbers.append(shape)
            else:
                signs = [Sign(_NO_CODE, SIGNS[_NO_CODE], shape.mask or "")]
            score = sum([sign.points for sign in signs])
            known = best.get(shape.value)
            if known is None or score > known.score:
                best[shape.value] = _Judged(score, shape, source.reading, signs)
    for value in others:
        best[value].add_unless(_OTHERS, f"{_ANOTHER} elsewhere")
    for value in quoted:
        best[value].add_unless({_QUOTED}, f"{_QUOTED} too")
    if takes_back:
        _let_follow(best, others)
    ranked = sorted(best.values(), key=_SCORE, reverse=True)
    if len(ranked) > 1 and ranked[1].score >= THRESHOLD and _prefer_the_named(ranked):
        ranked.sort(key=_SCORE, reverse=True)
    return tuple([_candidate(judged) for judged in ranked[:MAX_REPORTED]])


def chosen(candidates: Iterable[CodeCandidate]) -> str | None:
    """The value of the first of ranked `candidates`, if it is good enough."""
    first = next(iter(candidates), None)
    return first.value if first is not None and first.score >= THRESHOLD else None


def _candidate(judged: _Judged) -> CodeCandidate:
    shape, reading = judged.shape, judged.reading
    before = reading.words[max(0, shape.first_word - MAX_CONTEXT_WORDS) : shape.first_word]
    reasons = tuple([sign.reason for sign in judged.signs])
    strongest = judged.signs[0]
    for sign in judged.signs:
        if sign.points > strongest.points:
            strongest = sign
    return CodeCandidate(
        shape.value,
        shape.kind,
        reading.source,
        shape.start,
        shape.end,
        tuple(before),
        round(judged.score, 2),
        strongest.name,
        reasons,
    )


def _prefer_the_named(ranked: list[_Judged]) -> bool:
    """Where one of several good candidates is called a one-time code, the others without a label fall behind it."""
    good = [judged for judged in ranked if judged.score >= THRESHOLD]
    unnamed = [judged for judged in good if any(sign.name in ROLES for sign in judged.signs)]
    if not unnamed or not any(sign.name in _NAMED for judged in good for sign in judged.signs):
        return False
    for judged in unnamed:
        if not any(sign.name in _NAMED for sign in judged.signs):
            judged.add(_OUTNAMED)
    return True


def _let_follow(best: dict[str, _Judged], others: set[str]) -> None:
    """Where the mail takes back a code, the one other number of the same length takes its place."""
    gone = {value for value, judged in best.items() if any(sign.name == _REPLACED for sign in judged.signs)}
    for length in {len(value) for value in gone}:
        left = [value for value in best if len(value) == length and value not in gone | others and value.isdigit()]
        left = [value for value in left if best[value].shape.mask is None and best[value].reading.source != "subject"]
        if len(left) == 1 and any(value.isdigit() and len(value) == length for value in gone):
            best[left[0]].add(_FOLLOWS)


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
