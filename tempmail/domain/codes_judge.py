"""The signs for and against one candidate, each by its name in `codes_weights.SIGNS`."""

import re
from typing import Final, NamedTuple

from tempmail.domain.codes_labelling import Earlier, Found, label_of
from tempmail.domain.codes_labels import ANY_CODE, CONFIRMATION, ONE_TIME, Label
from tempmail.domain.codes_place import Place
from tempmail.domain.codes_shapes import ALPHANUMERIC, PASSPHRASE, Shape
from tempmail.domain.codes_text import Reading
from tempmail.domain.codes_weights import SIGNS
from tempmail.domain.lexicon.table import Concept

PURPOSE: Final = Concept.AUTH | Concept.CONFIRM | Concept.VERIFY | Concept.LOGIN
WEAK_SOURCES: Final = frozenset({"alt", "preheader"})

_MANY = 2
_PROMINENT_CHARS = 60
_SLOGAN = re.compile(r"(?=.{0,4}[AEIOU])[A-Z]{3,}\d{1,4}\Z")
_LONGEST_TYPED = 8
_OF_DIGITS: Final = {"digit groups": "groups", "year": "could be a year", "compact date": "could be a date"}
_NUMBER_SIGN = re.compile(r"(?:#|№|\b[Nn](?:o|r|ro|um|°|º)\.?\s?:?)\s?\Z")
_NUMBER_SIGN_ENDS: Final = frozenset("#№orm°º.:")
_STATE_BEFORE_ZIP = re.compile(r"\b[A-Z]{2} \Z")
_COPYRIGHT = re.compile(r"(?:©|\([cC]\)|[Cc]opyright)[ \d–-]{0,14}\Z")
_CLAUSE_END = re.compile(r"[,;.!?。，；\n]|\d{4}")
_PLACE_NAME_BEHIND = re.compile(r"\s[A-ZÀ-ÞА-ЯŁŚŻ][a-zß-ÿа-яłśż]{2,}")


class Sign(NamedTuple):
    name: str
    points: float
    detail: str = ""


_BARE: Final = {name: Sign(name, points) for name, points in SIGNS.items()}


class Mail(NamedTuple):
    """What is known of the whole mail while one candidate is judged.

    `names`: words of the sender and recipients. `topics`: how often each topic is touched. `label`, `subject_label`:
    the kind of the strongest label in all and in the subject. `has_purpose`: whether it speaks of signing in or
    verifying. `has_warning`: whether it says not to share something. `subject_values`: candidates in the subject.
    `counts`: how often a value is shown.
    """

    names: frozenset[str]
    topics: dict[int, int]
    label: str | None
    subject_label: str | None
    has_purpose: bool
    has_warning: bool
    subject_values: frozenset[str]
    counts: dict[str, int]


class Source(NamedTuple):
    """A reading with what the page said about parts of it."""

    reading: Reading
    prominent: tuple[tuple[int, int], ...] = ()
    quoted: tuple[tuple[int, int], ...] = ()


def judge(source: Source, shape: Shape, earlier: Earlier, labels: list[Label], mail: Mail) -> list[Sign]:
    """All signs of a shape that may be a code, in the order form, labels, place, mail. Their points are its score."""
    place = Place(source.reading, shape)
    found, another = label_of(place, labels, earlier)
    signs = [_BARE[name] for name in _signs_of_form(shape)]
    if not shape.value.isdigit() and _is_ordinary(place, mail):
        signs.append(_BARE["an ordinary word"])
    for name, words in another:
        signs.append(Sign(name, SIGNS[name], words))
    if found is None and not place.is_set_apart and not place.is_beside_a_word_for_typing():
        signs.append(_BARE["no word for a code near"])
        return signs
    reach = place.reach()
    if found is None or found.points < 1:
        signs.append(_BARE[_unlabelled(place, reach, mail, is_prominent=_is_prominent(source, shape))])
    if found is not None:
        words = place.text[found.label.start : found.label.end]
        signs.append(Sign(f"{found.label.kind} {found.where}", found.points, words))
    is_labelled = found is not None and sum([sign.points for sign in signs]) >= 4
    signs += _signs_of_place(source, place, is_labelled=is_labelled)
    signs += [_BARE[name] for name in _signs_of_mail(source, shape, found, reach, mail)]
    return signs


def _signs_of_form(shape: Shape) -> list[str]:
    value, form = shape.value, shape.form
    if value.isdigit():
        if len(value) == 6:
            names = ["six digits"]
        else:
            names = ["four, five, seven or eight digits" if len(value) <= _LONGEST_TYPED else "nine or ten digits"]
        if form == "prefixed":
            names.insert(0, "one letter before the digits")
        elif form in _OF_DIGITS:
            names.append(_OF_DIGITS[form])
        return names
    if shape.kind == PASSPHRASE:
        return ["words joined by dashes"]
    if value.replace("-", "").isalpha():
        return ["only capital letters"]
    if form == "even groups":
        return ["even groups"]
    return ["letters and digits", "a slogan with a number"] if _SLOGAN.match(value) else ["letters and digits"]


def _is_ordinary(place: Place, mail: Mail) -> bool:
    """Whether a candidate with letters is a name, a word of a language, or shouted prose."""
    shape, reading = place.shape, place.reading
    folded = shape.value.lower()
    if folded in mail.names or any(part in mail.names and len(part) > 3 for part in folded.split("-")):
        return True
    if shape.kind == PASSPHRASE:
        return not place.is_set_apart
    if any(start == shape.start for start, _, _ in reading.hits_between(shape.start, shape.end)):
        return True
    if not shape.value.isalpha():
        return False
    for index in (shape.first_word - 1, shape.last_word + 1):
        if 0 <= index < len(reading.words) and reading.words[index].isupper() and len(reading.words[index]) > 2:
            gap = reading.gaps[min(index, shape.last_word)]
            if len(gap) <= 2 and "\n" not in gap:
                return True
    if not (place.is_set_apart or place.is_pointed_at):
        return True
    return place.text.lower().count(folded) > place.text.count(shape.value)


def _unlabelled(place: Place, reach: int, mail: Mail, *, is_prominent: bool) -> str:
    """What stands in for a label: that the reader is asked to type the string, to sign in or verify."""
    shape = place.shape
    is_typable = shape.value.isdigit() or (shape.kind == ALPHANUMERIC and any(map(str.isdigit, shape.value)))
    if is_typable and reach & Concept.ASK:
        purpose = bool(reach & PURPOSE) or mail.has_purpose or mail.label is not None
        if place.is_set_apart and (purpose or is_prominent):
            return "asked for without a word for a code"
        if (
            shape.value.isdigit()
            and place.is_beside_a_word_for_typing()
            and (purpose or place.is_followed_by_function_word())
        ):
            return "right beside a word for typing"
    return "no word for a code near"


def _signs_of_place(source: Source, place: Place, *, is_labelled: bool) -> list[Sign]:
    shape, text, reading = place.shape, place.text, place.reading
    start = shape.start
    signs: list[Sign] = []
    is_weak = reading.source in WEAK_SOURCES
    if place.is_alone and not is_weak and reading.source != "subject":
        signs.append(_BARE["alone on its line"])
    elif place.is_pointed_at and place.ends_line:
        signs.append(_BARE["alone after a colon"])
    if source.prominent and _is_prominent(source, shape):
        signs.append(_BARE["set large"])
    lead = text[max(0, start - 20) : start]
    # Most leads are told by one character; a pattern costs as much as all the rest here.
    if lead.rstrip()[-1:] in _NUMBER_SIGN_ENDS and _NUMBER_SIGN.search(lead):
        signs.append(_BARE["behind a number sign"])
    if ("©" in lead or ")" in lead or "opyright" in lead) and _COPYRIGHT.search(lead):
        signs.append(Sign("cannot be a code", SIGNS["cannot be a code"], "the year of a copyright"))
    if source.quoted and any(a <= start < b for a, b in source.quoted):
        signs.append(_BARE["quoted from an earlier mail"])
    if reading.concepts & Concept.STALE and _is_stale(place):
        signs.append(_BARE["said to be replaced or expired"])
    if not is_labelled:
        if (lead[-2:-1].isupper() and _STATE_BEFORE_ZIP.search(lead)) or place.is_on_a_street():
            signs.append(_BARE["in a postal address"])
        elif shape.value.isdigit() and len(shape.value) in (4, 5) and _PLACE_NAME_BEHIND.match(text, shape.end):
            near = "another number's label near"
            signs.append(Sign(near, SIGNS[near], "a place name follows"))
        if place.is_behind_a_word_for_telephones():
            signs.append(_BARE["a telephone number"])
    if is_weak:
        signs.append(_BARE["weak source"])
    return signs


def _is_prominent(source: Source, shape: Shape) -> bool:
    return any(a <= shape.start and shape.end <= b and b - a <= _PROMINENT_CHARS for a, b in source.prominent)


def _is_stale(place: Place) -> bool:
    """Whether the words right around a candidate say that it no longer counts."""
    shape, text, reading = place.shape, place.text, place.reading
    stop = _CLAUSE_END.search(text, shape.end, min(len(text), shape.end + 60))
    end = stop.start() if stop else min(place.line_end, shape.end + 60)
    if reading.concepts_between(shape.end, end) & Concept.STALE:
        return True
    return any(
        concepts & Concept.STALE and not _CLAUSE_END.search(text, end, shape.start)
        for _, end, concepts in reading.hits_between(max(place.line_start, shape.start - 40), shape.start)
    )


def _signs_of_mail(source: Source, shape: Shape, found: Found | None, reach: int, mail: Mail) -> list[str]:
    names: list[str] = []
    in_subject = source.reading.source == "subject"
    if in_subject:
        names.append("in the subject")
    elif shape.value in mail.subject_values:
        names.append("in the subject too")
    elif mail.counts[shape.value] > 1:
        names.append("shown more than once")
    if reach & Concept.ASK:
        names.append("asked to be typed")
    if reach & PURPOSE:
        names.append("sign-in or verification words near")
    if mail.subject_label is not None and not in_subject:
        names.append("the subject announces a code")
    elif mail.label in (ONE_TIME, CONFIRMATION):
        names.append("the mail speaks of a one-time code")
    if mail.has_warning and found is not None:
        names.append("the mail warns not to share it")
    topics = mail.topics
    if topics[Concept.MEETING] and not (found is not None and found.label.explicit):
        names.append("a mail about a meeting")
    if found is not None and found.label.kind == ANY_CODE and not shape.value.isdigit() and not mail.has_purpose:
        names.append("nothing speaks of signing in")
    if found is None or found.label.kind != ONE_TIME:
        enough = 1 if found is not None and found.label.kind == CONFIRMATION else _MANY
        if not reach & Concept.ASK and topics[Concept.ORDER] + topics[Concept.TRAVEL] >= enough:
            names.append("a mail about a purchase or journey")
        if topics[Concept.PROMO] >= _MANY:
            names.append("a mail about an offer")
        if topics[Concept.LIST_OF]:
            names.append("a stock of backup or setup keys")
    return names
