"""Which label of a text belongs to a candidate, if any, and whether it is called another number."""

import re
from bisect import bisect_left
from itertools import islice
from operator import attrgetter
from typing import Final

from tempmail.domain.codes_labels import ANOTHER, ANY_CODE, ONE_TIME, SOME_CODE, Label
from tempmail.domain.codes_place import Place
from tempmail.domain.codes_shapes import Shape
from tempmail.domain.codes_text import Reading
from tempmail.domain.codes_weights import (
    AFTER_LABEL,
    LABEL,
    LABEL_TAKEN,
    LINE_ABOVE,
    LOOSE,
    NEARNESS,
    OTHER_SENTENCE,
    TIED,
)
from tempmail.domain.lexicon.table import Concept

_TIGHT: Final = 3
_LOOSE_KINDS: Final = (ANY_CODE, SOME_CODE)
_OF_A_CODE: Final = (
    Concept.CODE
    | Concept.OTP
    | Concept.CODES
    | Concept.NUMBER
    | Concept.ASK
    | Concept.AUTH
    | Concept.CONFIRM
    | Concept.COPULA
)
# So many letters of a script without spaces between a label and a number are a clause of their own.
_CLAUSE_OF_RUNS: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff][^\n0-9]{3,60}[\u3040-\u30ff\u3400-\u9fff]")
_LONGEST_GAP_OF_ANOTHER: Final = 14
_LONGEST_GAP_OF_ANOTHER_AFTER: Final = 12
_LONGEST_GAP_OF_AN_OFFER: Final = 20
_LONGEST_PHRASE: Final = 30
_FEWEST_WORDS_BEHIND: Final = 2
_LONGEST_COLUMN: Final = 5
_WIDEST_ROW: Final = 400
_START: Final = attrgetter("start")
_FARTHEST: Final = NEARNESS[-1][0]
_FARTHEST_AFTER: Final = 120
_MAX_LINES_LOOKED_AT: Final = 12
_TAKES_NEXT: Final = re.compile(r"\W{0,3}(?:\w{1,8}\W{1,3})?\d{3}")


class Found:
    """A label that is the candidate's, and what it is worth there."""

    __slots__ = ("label", "points", "where")

    def __init__(self, points: float, where: str, label: Label) -> None:
        self.points: Final = points
        self.where: Final = where
        self.label: Final = label


class Earlier:
    """What stands before a candidate in its text: all `numbers`, and of these the `rivals` that may be the code."""

    __slots__ = ("numbers", "rivals")

    def __init__(self) -> None:
        self.numbers: Final[list[Shape]] = []
        self.rivals: Final[list[Shape]] = []


def label_of(place: Place, labels: list[Label], earlier: Earlier) -> tuple[Found | None, list[tuple[str, str]]]:
    """A candidate's best label, and (sign, words) for each word that calls it another number.

    Labels are on its line before and after it, and on the lines above where it opens a line. A label before an earlier
    number is that number's first.
    """
    another: list[tuple[str, str]] = []
    if not labels:
        return None, another
    before = _before(place, labels, earlier, another)
    is_labelled = before is not None and before.points >= AFTER_LABEL[ANY_CODE] - 1
    after = _after(place, labels, another, is_labelled=is_labelled)
    best = _better(before, after)
    if place.opens_line and (place.is_alone or best is None):
        best = _better(best, _above(place, labels, earlier, another))
    best = _better(best, _column(place, labels))
    if best is not None and _is_for_an_offer(place, best.label):
        another.append(("labelled as another number", "an offer"))
    return best, another


def _is_for_an_offer(place: Place, label: Label) -> bool:
    """Whether the words behind a label say that it buys something cheaper ("your secret code for 25% off")."""
    if label.explicit or not place.reading.concepts & Concept.PROMO:
        return False
    reading = place.reading
    for start in (label.end, place.shape.end):
        end = reading.sentence_end(start + 1, start + _LONGEST_GAP_OF_AN_OFFER)
        if reading.speaks_of(Concept.PROMO, start, end):
            return True
    return False


def _better(known: Found | None, new: Found | None) -> Found | None:
    return new if new is not None and (known is None or new.points > known.points) else known


def _nearness(gap: int) -> float:
    for limit, factor in NEARNESS:
        if gap <= limit:
            return factor
    return 0.0


def _is_taken(shapes: list[Shape], start: int, end: int) -> bool:
    """Whether another number stands in a span, so that a label before the span is that number's."""
    return bool(shapes) and any(start <= shape.start and shape.end <= end for shape in shapes)


def _before(place: Place, labels: list[Label], earlier: Earlier, another: list[tuple[str, str]]) -> Found | None:
    start = place.shape.start
    floor = max(place.line_start, start - _FARTHEST)
    sentence = place.reading.sentence_start(start, floor)
    is_named_otherwise = place.is_pointed_at and sentence > floor and _has_own_name(place, sentence)
    best: Found | None = None
    other: Label | None = None
    for label in reversed(labels):
        if label.end > start:
            continue
        if label.start < floor:
            break
        if label.kind == ANOTHER:
            if other is None and label.start >= sentence and not _says_where(place, label, sentence):
                other = label
            continue
        gap = start - label.end
        points = LABEL[label.kind] * _nearness(gap)
        is_taken_up = label.start < sentence and _is_taken_up(place, sentence)
        if label.start < sentence and not is_taken_up:
            points *= OTHER_SENTENCE
            if is_named_otherwise:
                points *= LABEL_TAKEN
        if _is_taken(earlier.rivals, label.end, start):
            points *= LABEL_TAKEN
        if not place.is_pointed_at and not is_taken_up and _is_loose(place, label, gap):
            points *= LOOSE
        if place.is_tied and not (is_named_otherwise and label.start < sentence):
            points += TIED
        if best is None or points > best.points:
            best = Found(points, "before it", label)
    if (
        other is not None
        and (best is None or other.start >= best.label.end)
        and not _is_taken(earlier.numbers, other.end, start)
        and not place.reading.speaks_of(Concept.ASK, other.end, start)
        and not _is_named_anew(place, other.end)
    ):
        words = place.text[other.start : other.end]
        if start - other.end > _LONGEST_GAP_OF_ANOTHER:
            if best is None:
                another.append(("another number's label near", words))
        elif best is not None and place.is_joined(other.end, start) and not _opens_brackets(place, best.label, other):
            another.append(("another number's label near", words))
        else:
            another.append(("labelled as another number", words))
    return best


def _is_taken_up(place: Place, sentence: int) -> bool:
    """Whether its sentence begins with "yours is" or "it is", and so goes on about what was named before."""
    reading, start = place.reading, place.shape.start
    if not reading.concepts & Concept.YOURS or start - sentence > _LONGEST_PHRASE:
        return False
    return reading.speaks_of(Concept.YOURS, sentence, start)


def _has_own_name(place: Place, sentence: int) -> bool:
    """Whether the words of its own sentence, none of which asks to type or speaks of a code, name a candidate."""
    lead = place.text[sentence : place.shape.start]
    return any(map(str.isalpha, lead)) and not place.reading.concepts_between(sentence, place.shape.start) & _OF_A_CODE


def _opens_brackets(place: Place, label: Label, other: Label) -> bool:
    """Whether a bracket between a label and another number's label closes the first off: "your code (Ref: QKZT)"."""
    between = place.text[label.end : other.start]
    return "(" in between or "[" in between


def _is_loose(place: Place, label: Label, gap: int) -> bool:
    """Whether nothing ties a label before a candidate to it, where something should: a word for any code, or a clause
    in a script without spaces between them."""
    start = place.shape.start
    if label.kind in _LOOSE_KINDS:
        return gap > _TIGHT and not place.is_joined(label.end, start)
    if place.text.isascii() or not _CLAUSE_OF_RUNS.search(place.text, label.end, start):
        return False
    return not place.reading.speaks_of(Concept.ASK | Concept.COPULA, label.end, start)


def _above(place: Place, labels: list[Label], earlier: Earlier, another: list[tuple[str, str]]) -> Found | None:
    reading, text = place.reading, place.text
    if labels[0].start >= place.line_start:
        return None
    steps = 0
    for line in range(place.line - 1, max(-1, place.line - 1 - _MAX_LINES_LOOKED_AT), -1):
        start, end = reading.line_span(line)
        start = max(start, end - _FARTHEST)
        if not any(map(str.isalnum, text[start:end])):
            continue
        here = [label for label in labels if start <= label.start and label.end <= end]
        wanted = [label for label in here if label.kind != ANOTHER and not _is_taken(earlier.rivals, label.end, end)]
        if wanted:
            label = max(wanted, key=lambda label: (LABEL[label.kind], label.start))
            last_sentence = reading.sentence_start(max(start, end - 1), start)
            points = LABEL[label.kind] * LINE_ABOVE[steps] * (1.0 if label.start >= last_sentence else 0.9)
            return Found(points, "on a line above", label)
        if here and steps == 0 and place.is_alone and _says_no_more(reading, here[-1].end, end):
            another.append(("labelled as another number", text[here[-1].start : here[-1].end]))
            return None
        steps += 1
        if steps == len(LINE_ABOVE):
            return None
    return None


def _says_where(place: Place, label: Label, sentence: int) -> bool:
    """Whether another number's label only says what a number is for ("your number for the student portal is")."""
    reading = place.reading
    if not place.is_tied or not reading.concepts & Concept.NUMBER:
        return False
    if len(place.text[label.end : place.shape.start].split()) < _FEWEST_WORDS_BEHIND:
        return False
    lead = reading.hits_between(max(sentence, label.start - _LONGEST_PHRASE), label.start)
    at = next((at for at, hit in enumerate(lead) if hit[2] & Concept.LINK_FOR), len(lead))
    return any(hit[2] & Concept.NUMBER for hit in lead[:at]) and at < len(lead)


def _is_named_anew(place: Place, start: int) -> bool:
    """Whether "the numbers" stands between another number's label and the candidate, with words before it."""
    between = place.reading.hits_between(start, place.shape.start) if place.reading.concepts & Concept.NUMBER else ()
    return any(
        concepts & Concept.NUMBER and any(map(str.isalpha, place.text[start:hit_start]))
        for hit_start, _, concepts in between
    )


def _says_no_more(reading: Reading, start: int, end: int) -> bool:
    """Whether a line ends with a label, but for a colon or "is"."""
    rest = reading.text[start:end].strip(" \t:#")
    return not rest or (rest.isalpha() and reading.speaks_of(Concept.COPULA, start, end))


def _is_named_in_brackets(place: Place) -> bool:
    """Whether a candidate is the last of several words in brackets: "[Case #204813]"."""
    lead = place.text[place.line_start : place.shape.start]
    return any(map(str.isalnum, lead[max(lead.rfind("["), lead.rfind("(")) + 1 :]))


def _column(place: Place, labels: list[Label]) -> Found | None:
    """The label at the head of the candidate's column, in a table whose rows above have as many cells."""
    text = place.text
    before = text[place.line_start : place.shape.start]
    if "\t" not in before:
        return None
    column = before.count("\t")
    cells = text[place.line_start : place.line_end].rstrip("\t ").count("\t") + 1
    for line in range(place.line - 1, max(-1, place.line - 1 - _LONGEST_COLUMN), -1):
        start, end = place.reading.line_span(line)
        heads = text[start:end].rstrip("\t ").split("\t") if end - start <= _WIDEST_ROW else []
        if len(heads) != cells:
            return None
        head_start = start + sum(len(head) + 1 for head in heads[:column])
        head_end = head_start + len(heads[column])
        for label in islice(labels, bisect_left(labels, head_start, key=_START), None):
            if label.end > head_end:
                break
            if label.kind != ANOTHER:
                return Found(LABEL[label.kind], "at the head of its column", label)
    return None


def _after(place: Place, labels: list[Label], another: list[tuple[str, str]], *, is_labelled: bool) -> Found | None:
    reading, text, behind = place.reading, place.text, place.shape.end
    if labels[-1].start < behind:
        return None
    end = reading.sentence_end(behind, min(place.line_end, behind + _FARTHEST_AFTER))
    if place.is_alone and (below := place.line_below()) is not None:
        start, ceiling = reading.line_span(below)
        end = min(reading.sentence_end(start, ceiling), start + _FARTHEST_AFTER)
    best: Found | None = None
    for label in labels:
        if label.start < behind:
            continue
        if label.end > end:
            break
        gap = text[behind : label.start]
        if ":" in gap or any(map(str.isdigit, gap)) or (gap[:1] in "])" and gap and _is_named_in_brackets(place)):
            break
        if label.kind == ANOTHER:
            if (
                len(gap) <= _LONGEST_GAP_OF_ANOTHER_AFTER
                and "\n" not in gap
                and label.end - label.start > 1
                and not reading.speaks_of(Concept.FIELD, label.start, label.end)
                and not is_labelled
                and (place.is_joined(behind, label.start) or not place.is_beside_a_word_for_typing())
            ):
                another.append(("labelled as another number after it", text[label.start : label.end]))
            continue
        if _TAKES_NEXT.match(text, label.end):
            continue
        points = AFTER_LABEL[label.kind] * _nearness(len(gap))
        if label.kind in _LOOSE_KINDS and len(gap) > _TIGHT and not place.is_joined(behind, label.start):
            points *= LOOSE
        if "," in gap and not (gap.strip() == "," and label.kind == ONE_TIME and place.opens_line):
            points *= LOOSE
        if best is None or points > best.points:
            best = Found(points, "after it", label)
    return best
