"""Which string of a mail is the code its reader is asked to type, and why.

Every string with the shape of a code becomes a candidate. Named signs, for and against, are added up for each
(`codes_weights.SIGNS`); the best candidate above the threshold is the code. The sum can be read from the result alone.

    codes_text       words, lines, sentences, lexicon hits      codes_place      a candidate's surroundings
    codes_shapes     strings that look like codes               codes_labelling  which label is the candidate's
    codes_numbers    digit groups: code, date, phone, amount    codes_judge      the signs for and against it
    codes_labels     "verification code", "order number"        codes_roles      what stands in for a label
    codes_mail       what is known of the whole mail            codes_weights    what a sign is worth
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from tempmail.domain.codes_judge import Sign, judge
from tempmail.domain.codes_labelling import Earlier
from tempmail.domain.codes_mail import UNKNOWN, Searched, overview
from tempmail.domain.codes_shapes import Shape
from tempmail.domain.codes_text import Reading
from tempmail.domain.codes_weights import SIGNS, THRESHOLD

MAX_REPORTED = 8
MAX_CONTEXT_WORDS = 8

_FEWEST_LISTED = 4
_LONGEST_LIST_GAP = 12
_ANOTHER: Final = "labelled as another number"
_OTHERS: Final = frozenset(name for name in SIGNS if name.startswith(_ANOTHER))
_REPLACED: Final = "said to be replaced or expired"
_FOLLOWS: Final = "takes the place of one that no longer counts"
_NO_CODE: Final = "cannot be a code"
_OUT_OF_THE_RACE: Final = frozenset({_NO_CODE, _REPLACED, "quoted from an earlier mail"})
_SCORE: Final = itemgetter(0)
_POINTS: Final = itemgetter(1)


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


class _Judged(NamedTuple):
    score: float
    shape: Shape
    reading: Reading
    signs: list[Sign]


def find_codes(sources: Sequence[Searched], people: str) -> tuple[CodeCandidate, ...]:
    """The candidates of a mail, best first. The first is the code if its score reaches THRESHOLD.

    `people`: the sender's and recipients' names and addresses.
    """
    mail = overview(sources, people) if any(searched.is_open for searched in sources) else UNKNOWN
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
