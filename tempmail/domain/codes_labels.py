"""The words that say what a number is: a one-time code, a code of some kind, or another number."""

from typing import Final

from tempmail.domain.codes_text import Hit, Reading
from tempmail.domain.lexicon.table import Concept

ONE_TIME: Final = "one-time code"
CONFIRMATION: Final = "confirmation code"
ANY_CODE: Final = "code"
SOME_CODE: Final = "code of some sort"
CODES: Final = "codes in general"
TRANSACTION: Final = "transaction code"
ANOTHER: Final = "another number"

_OTHERS: Final = Concept.ORDER | Concept.TRAVEL | Concept.PROMO | Concept.MEETING | Concept.IDENT
# "Transaction OTP" and "approval TAN" are one-time codes, "meeting passcode" and "gift card passcode" are not.
_OTHERS_OF_A_SURE_NOUN: Final = Concept.PROMO | Concept.MEETING | Concept.PICKUP
_NOT_A_PURCHASE: Final = (_OTHERS & ~Concept.ORDER) | Concept.PICKUP | Concept.LIST_OF
_MODIFIERS: Final = _OTHERS | Concept.AUTH | Concept.CONFIRM | Concept.DEAL
_MODIFIERS_BUT_CONFIRM: Final = _MODIFIERS & ~Concept.CONFIRM
_NOUNS: Final = Concept.CODE | Concept.OTP | Concept.CODES | Concept.NUMBER
_NOT_A_DEAL: Final = (_OTHERS & ~Concept.ORDER) | Concept.PICKUP | Concept.LIST_OF
_LABELS_OF_ANOTHER: Final = _OTHERS | Concept.LIST_OF | Concept.MARK
_DIVIDING: Final = frozenset(".,:;!?()\n\t|[]/0123456789")
_LONGEST_LEFT_GAP: Final = 1
_LONGEST_RIGHT_GAP: Final = 8
_MAX_MODIFIERS: Final = 3


class Label:
    """`explicit`: the words themselves say that it proves an identity ("verification", "login")."""

    __slots__ = ("end", "explicit", "kind", "start")

    def __init__(self, start: int, end: int, kind: str, explicit: bool) -> None:
        self.start: Final = start
        self.end: Final = end
        self.kind: Final = kind
        self.explicit: Final = explicit


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
    start, end, noun = reading.hits[index]
    left = _modifiers(reading, index, -1)
    concepts = noun
    for _, _, modifier in left:
        concepts |= modifier
    if left:
        start = left[-1][0]
    if not concepts & _MODIFIERS_BUT_CONFIRM:
        for _, modifier_end, modifier in _modifiers(reading, index, +1):
            if concepts & Concept.AUTH and not modifier & Concept.TRAVEL:
                break
            concepts |= modifier
            end = modifier_end
    others = _OTHERS_OF_A_SURE_NOUN if noun & Concept.OTP else _OTHERS
    other = concepts & (others | Concept.LIST_OF) and not _auth_is_nearer(noun, left)
    other = other or (concepts & Concept.PICKUP and any(modifier & Concept.PICKUP for _, _, modifier in left))
    if concepts & Concept.DEAL and noun & Concept.CODE and not concepts & (_NOT_A_DEAL | Concept.AUTH | Concept.OTP):
        return Label(start, end, TRANSACTION, explicit=False)
    if other:
        return Label(start, end, ANOTHER, explicit=False)
    explicit = bool(concepts & Concept.AUTH)
    if not noun & (Concept.CODE | Concept.OTP | Concept.CODES):
        return Label(start, end, ONE_TIME, explicit) if explicit else None
    if noun & Concept.CODES and not noun & (Concept.CODE | Concept.OTP):
        return Label(start, end, CODES, explicit)
    if concepts & (Concept.AUTH | Concept.OTP):
        return Label(start, end, ONE_TIME, explicit)
    if concepts & Concept.CONFIRM:
        return Label(start, end, CONFIRMATION, explicit=False)
    return Label(start, end, ANY_CODE if not noun & Concept.COMPOUND else SOME_CODE, explicit=False)


def _auth_is_nearer(noun: int, left: list[Hit]) -> bool:
    """Whether a noun (its concepts) or the first modifier left of it speaks of proving an identity, not of others.

    Or any modifier, where the others only speak of a purchase ("secure payment code")."""
    if left and left[-1][2] & Concept.AUTH and not any(modifier & _NOT_A_PURCHASE for _, _, modifier in left):
        return True
    if noun & Concept.AUTH and not noun & _OTHERS:
        return True
    return bool(left) and bool(left[0][2] & Concept.AUTH) and not left[0][2] & _OTHERS


def _modifiers(reading: Reading, index: int, step: int) -> list[Hit]:
    """The modifiers directly beside a noun, nearest first. Behind "for" only what proves an identity counts."""
    found: list[Hit] = []
    hits = reading.hits
    longest = _LONGEST_LEFT_GAP if step < 0 else _LONGEST_RIGHT_GAP
    wanted = _MODIFIERS
    here = hits[index]
    at = index + step
    while len(found) < _MAX_MODIFIERS and 0 <= at < len(hits):
        there = hits[at]
        start, end = (there[1], here[0]) if step < 0 else (here[1], there[0])
        if end - start > longest or not _DIVIDING.isdisjoint(reading.text[start:end]):
            break
        concepts = there[2]
        if concepts & Concept.LINK_FOR and step > 0 and not found:
            wanted = Concept.AUTH | Concept.DEAL
        elif concepts & Concept.COPULA and step > 0 and not found:
            # "Is" of one language may be "of the" of another.
            wanted = Concept.DEAL
        elif concepts & wanted and not concepts & (Concept.LINK_FOR | Concept.CODE | Concept.OTP):
            found.append(there)
        else:
            break
        here = there
        at += step
    return found
