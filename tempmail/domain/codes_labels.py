"""The words that say what a number is: a one-time code, a code of some kind, or another number."""

from typing import Final, NamedTuple

from tempmail.domain.codes_text import Hit, Reading
from tempmail.domain.lexicon.table import Concept

ONE_TIME, CONFIRMATION, ANY_CODE, CODES, ANOTHER = (
    "one-time code",
    "confirmation code",
    "code",
    "codes in general",
    "another number",
)

_OTHERS: Final = Concept.ORDER | Concept.TRAVEL | Concept.PROMO | Concept.MEETING | Concept.IDENT
# "Transaction OTP" and "approval TAN" are one-time codes, "meeting passcode" and "gift card passcode" are not.
_OTHERS_OF_A_SURE_NOUN: Final = Concept.PROMO | Concept.MEETING
_MODIFIERS: Final = _OTHERS | Concept.AUTH | Concept.CONFIRM
_NOUNS: Final = Concept.CODE | Concept.OTP | Concept.CODES | Concept.NUMBER
_LABELS_OF_ANOTHER: Final = _OTHERS | Concept.LIST_OF | Concept.MARK
_DIVIDING: Final = frozenset(".,:;!?()\n\t|[]/0123456789")
_LONGEST_LEFT_GAP = 1
_LONGEST_RIGHT_GAP = 8
_MAX_MODIFIERS = 3


class Label(NamedTuple):
    """`explicit`: the words themselves say that it proves an identity ("verification", "login")."""

    start: int
    end: int
    kind: str
    explicit: bool


def find_labels(reading: Reading) -> list[Label]:
    """The labels of a text in order. A code noun takes the modifiers beside it into account."""
    labels: list[Label] = []
    if not reading.concepts & (_NOUNS | _LABELS_OF_ANOTHER):
        return labels
    for index, (start, end, concepts) in enumerate(reading.hits):
        if concepts & _NOUNS:
            label = _noun(reading, index)
            if label is not None and not _in_a_path(reading.text, end):
                labels.append(label)
        elif concepts & _LABELS_OF_ANOTHER:
            labels.append(Label(start, end, ANOTHER, explicit=False))
    return labels


def _in_a_path(text: str, end: int) -> bool:
    """Whether the word before `end` is a piece of a file name or identifier, like `verify/code.ts`."""
    return text[end : end + 1] in (".", "/", "_") and text[end + 1 : end + 2].isalnum()


def _noun(reading: Reading, index: int) -> Label | None:
    hit = reading.hits[index]
    left = _modifiers(reading, index, -1)
    concepts = hit.concepts
    for modifier in left:
        concepts |= modifier.concepts
    start = left[-1].start if left else hit.start
    end = hit.end
    if not concepts & (_MODIFIERS & ~Concept.CONFIRM):
        for modifier in _modifiers(reading, index, +1):
            if concepts & Concept.AUTH and not modifier.concepts & Concept.TRAVEL:
                break
            concepts |= modifier.concepts
            end = modifier.end
    others = _OTHERS_OF_A_SURE_NOUN if hit.concepts & Concept.OTP else _OTHERS
    other = concepts & (others | Concept.LIST_OF) and not _auth_is_nearer(hit, left)
    if other:
        return Label(start, end, ANOTHER, explicit=False)
    explicit = bool(concepts & Concept.AUTH)
    if not hit.concepts & (Concept.CODE | Concept.OTP | Concept.CODES):
        return Label(start, end, ONE_TIME, explicit) if explicit else None
    if hit.concepts & Concept.CODES and not hit.concepts & (Concept.CODE | Concept.OTP):
        return Label(start, end, CODES, explicit)
    if concepts & (Concept.AUTH | Concept.OTP):
        return Label(start, end, ONE_TIME, explicit)
    if concepts & Concept.CONFIRM:
        return Label(start, end, CONFIRMATION, explicit=False)
    return Label(start, end, ANY_CODE, explicit=False)


def _auth_is_nearer(noun: Hit, left: list[Hit]) -> bool:
    if noun.concepts & Concept.AUTH and not noun.concepts & _OTHERS:
        return True
    return bool(left) and bool(left[0].concepts & Concept.AUTH) and not left[0].concepts & _OTHERS


def _modifiers(reading: Reading, index: int, step: int) -> list[Hit]:
    """The modifiers directly beside a noun, nearest first. Behind "for" only what proves an identity counts."""
    found: list[Hit] = []
    longest = _LONGEST_LEFT_GAP if step < 0 else _LONGEST_RIGHT_GAP
    wanted = _MODIFIERS
    at = index
    while len(found) < _MAX_MODIFIERS and 0 <= at + step < len(reading.hits):
        here, there = reading.hits[at], reading.hits[at + step]
        gap = reading.text[there.end : here.start] if step < 0 else reading.text[here.end : there.start]
        if len(gap) > longest or not _DIVIDING.isdisjoint(gap):
            break
        if there.concepts & Concept.LINK_FOR and step > 0 and not found:
            wanted = Concept.AUTH
        elif there.concepts & wanted and not there.concepts & (Concept.LINK_FOR | Concept.CODE | Concept.OTP):
            found.append(there)
        else:
            break
        at += step
    return found
