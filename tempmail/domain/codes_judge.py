"""The signs for and against one candidate, each by its name in `codes_weights.SIGNS`."""

import re
from functools import lru_cache
from typing import Final

from tempmail.domain.codes_labelling import Earlier, Found, label_of
from tempmail.domain.codes_labels import ANY_CODE, CONFIRMATION, ONE_TIME, SOME_CODE, TRANSACTION, Label
from tempmail.domain.codes_mail import ENOUGH_INTENT, PURPOSE, Mail, Source
from tempmail.domain.codes_numbers import SINGLE_DIGITS
from tempmail.domain.codes_place import Place
from tempmail.domain.codes_roles import ASKING_ROLES, role_of
from tempmail.domain.codes_shapes import ALPHANUMERIC, PASSPHRASE, Shape, is_unspeakable
from tempmail.domain.codes_weights import SIGNS
from tempmail.domain.lexicon.table import Concept, is_state

WEAK_SOURCES: Final = frozenset({"alt", "preheader"})

_MANY: Final = 2
_OF_ANY_SORT: Final = (ANY_CODE, SOME_CODE)
_LONGEST_MARKS: Final = 4
_LONGEST_TIE: Final = 6
_ENDS_OF_SENTENCES: Final = frozenset({". ", "! ", ".", "!", ".\n", "!\n", "。"})
_OPENING_QUOTES: Final = '"“„«「『'
_CLOSING_QUOTES: Final = '"”“»」』'
_LONGEST_LEAD_IN_QUOTES: Final = 200
_CASE: Final = re.compile(r"[A-Z]{2,8}-\d{1,6}\Z")
_SLOGAN: Final = re.compile(r"(?=.{0,4}[AEIOU])[A-Z]{3,}-?\d{1,4}\Z")
_LONGEST_TYPED: Final = 8
_WELL_MIXED: Final = re.compile(r"(?=.{5,8}\Z)(?:[A-Z]+\d+[A-Z]+\d+|\d+[A-Z]+\d+[A-Z]+)[A-Z\d]*\Z")
_SHORTEST_WORD: Final = 3
_ANNOUNCED_HINT: Final = "the subject speaks of signing in or verifying"
_ON_A_PAGE: Final = "asked to be typed on a page or screen"
_BRIEF_HINT: Final = "it lasts a short time"
_LONGEST_STATE: Final = 12
# A label of fewer points is so far away that what stands in for one counts as well.
_FAINT: Final = 2.0
_MASKED_CARD: Final = re.compile(r"[*•·xX#]{1,12}[ -]?\d{4}\b")
_LONGEST_VERB: Final = 24
_TIGHT: Final = 3
_OF_DIGITS: Final = {
    SINGLE_DIGITS: "shown digit by digit",
    "digit groups": "groups",
    "triplets": "nine digits in groups",
    "year": "could be a year",
    "compact date": "could be a date",
}
_NUMBER_SIGN: Final = re.compile(r"(?:#|№|\b[Nn](?:o|r|ro|um|°|º)\.?\s?:?)\s?\Z")
_NUMBER_SIGN_ENDS: Final = frozenset("#№orm°º.:")
_STATE_BEFORE_ZIP: Final = re.compile(r"\b[A-Z]{2} \Z")
_COPYRIGHT: Final = re.compile(r"(?:©|\([cC]\)|[Cc]opyright)[ \d–-]{0,14}\Z")
_CLAUSE_END: Final = re.compile(r"[,;.!?。，；\n]|\d{4}")
_PLACE_NAME_BEHIND: Final = re.compile(r"[ \t][A-ZÀ-ÞА-ЯŁŚŻ][a-zß-ÿа-яłśż]{2,}")


class Sign:
    """Something that speaks for or against a candidate. `detail`: the words of the mail that say so."""

    __slots__ = ("_reason", "detail", "name", "points")

    def __init__(self, name: str, points: float, detail: str = "") -> None:
        self.name: Final = name
        self.points: Final = points
        self.detail: Final = detail
        self._reason = ""

    @property
    def reason(self) -> str:
        """The sign as it is reported."""
        if not self._reason:
            self._reason = f"{self.name}{': ' if self.detail else ''}{self.detail} {_signed(self.points)}"
        return self._reason


@lru_cache(maxsize=1_024)
def _signed(points: float) -> str:
    return f"{points:+.2f}"


_BARE: Final = {name: Sign(name, points) for name, points in SIGNS.items()}


def judge(source: Source, shape: Shape, earlier: Earlier, labels: list[Label], mail: Mail) -> list[Sign]:
    """All signs of a shape that may be a code, in the order form, labels, place, mail. Their points are its score."""
    place = Place(source.reading, shape)
    found, another = label_of(place, labels, earlier)
    signs = [_BARE[name] for name in _signs_of_form(shape)]
    if place.text[max(0, shape.start - 2) : shape.start] in ("(#", "[#"):
        signs.append(_BARE["a case in brackets"])
    if not shape.value.isdigit():
        if _is_ordinary(place, mail, is_named=_is_named(place, found)):
            signs.append(_BARE["an ordinary word"])
        elif place.text[shape.start - 1 : shape.start] == "[" and _CASE.match(shape.value):
            signs.append(_BARE["a case in brackets"])
        is_one_time = found is not None and found.label.kind == ONE_TIME
        if (
            shape.kind == ALPHANUMERIC
            and shape.value.isalpha()
            and not (is_one_time or is_unspeakable(shape.value) or (mail.is_announced and place.ends_a_statement()))
        ):
            signs.append(_BARE["letters that are not called one-time"])
    for name, words in another:
        signs.append(Sign(name, SIGNS[name], words))
    role = ""
    if found is None or found.points < _FAINT:
        role = role_of(source, place, mail)
        if found is not None and found.points >= 1 and role not in ASKING_ROLES:
            role = ""
        if found is None and not role and not place.is_set_apart:
            signs.append(_BARE["no word for a code near"])
            if place.reading.concepts & Concept.STALE and _is_stale(place):
                signs.append(_BARE["said to be replaced or expired"])
            return signs
        if role or found is None or found.points < 1:
            signs.append(_BARE[role or "no word for a code near"])
    reach = place.reach()
    if found is not None:
        words = place.text[found.label.start : found.label.end]
        signs.append(Sign(f"{found.label.kind} {found.where}", found.points, words))
    is_labelled = bool(role) or (found is not None and sum([sign.points for sign in signs]) >= 4)
    signs += _signs_of_place(source, place, found, is_labelled=is_labelled)
    signs += [_BARE[name] for name in _signs_of_mail(source, place, found, role, reach, mail)]
    return signs


def _signs_of_form(shape: Shape) -> list[str]:
    value, form = shape.value, shape.form
    if value.isdigit():
        if len(value) == 6:
            names = ["six digits"]
        else:
            names = ["four, five, seven or eight digits" if len(value) <= _LONGEST_TYPED else "nine or ten digits"]
            if form == "triplets":
                names = []
        if form == "prefixed":
            names.insert(0, "one letter before the digits")
        elif form in _OF_DIGITS:
            names.append(_OF_DIGITS[form])
        return names
    if shape.kind == PASSPHRASE:
        return ["words joined by dashes"]
    if form == "scrambled":
        return ["letters and digits"]
    if value.replace("-", "").isalpha():
        return ["capital letters in even groups" if form == "even groups" else "only capital letters"]
    if form == "even groups":
        return ["even groups"]
    if _WELL_MIXED.match(value):
        return ["letters and digits in turn"]
    return ["letters and digits", "a slogan with a number"] if _SLOGAN.match(value) else ["letters and digits"]


def _is_named(place: Place, found: Found | None) -> bool:
    """Whether a label for a one-time code stands right before or behind a candidate, with nothing but marks between."""
    if found is None or found.label.kind not in (ONE_TIME, CONFIRMATION, ANY_CODE):
        return False
    start, end = (
        (found.label.end, place.shape.start) if found.where == "before it" else (place.shape.end, found.label.start)
    )
    return 0 <= end - start <= _LONGEST_MARKS and not any(map(str.isalnum, place.text[start:end]))


def _is_ordinary(place: Place, mail: Mail, *, is_named: bool) -> bool:
    """Whether a candidate with letters is a name, a word of a language, or shouted prose."""
    shape, reading = place.shape, place.reading
    folded = shape.value.lower()
    if mail.is_name(folded) or any(len(part) > 3 and mail.is_name(part) for part in folded.split("-")):
        return True
    if shape.kind == PASSPHRASE:
        return not place.is_set_apart and not is_named
    # A code may begin with what is a word elsewhere ("AC-482913"), not with a longer one.
    shortest = 0 if shape.value.isalpha() else _SHORTEST_WORD
    if any(a == shape.start and b - a >= shortest for a, b, _ in reading.hits_between(shape.start, shape.end)):
        return True
    if not shape.value.isalpha():
        return False
    for index in (shape.first_word - 1, shape.last_word + 1):
        if 0 <= index < len(reading.words) and reading.words[index].isupper() and len(reading.words[index]) > 2:
            gap = reading.gaps[min(index, shape.last_word)]
            if len(gap) <= 2 and "\n" not in gap:
                return True
    if is_state(folded):
        return True
    is_stated = place.ends_a_statement()
    if not (place.is_set_apart or place.is_pointed_at or is_unspeakable(shape.value) or is_stated):
        return True
    return place.text.lower().count(folded) > place.text.count(shape.value)


def _signs_of_place(source: Source, place: Place, found: Found | None, *, is_labelled: bool) -> list[Sign]:
    shape, text, reading = place.shape, place.text, place.reading
    start = shape.start
    signs: list[Sign] = []
    is_weak = reading.source in WEAK_SOURCES
    if place.is_alone and not is_weak and reading.source != "subject":
        signs.append(_BARE["alone on its line"])
    elif place.is_pointed_at and place.ends_line:
        signs.append(_BARE["alone after a colon"])
    elif place.is_pointed_at and not shape.value.isdigit() and text[shape.end : shape.end + 2] in _ENDS_OF_SENTENCES:
        signs.append(_BARE["behind a colon at the end of its sentence"])
    if source.prominent and source.sets_large(shape):
        signs.append(_BARE["set large"])
    lead = text[max(0, start - 20) : start]
    # Most leads are told by one character; a pattern costs as much as all the rest here.
    is_tied = found is not None and found.where == "before it" and start - found.label.end <= _LONGEST_TIE
    if not is_tied and lead.rstrip()[-1:] in _NUMBER_SIGN_ENDS and _NUMBER_SIGN.search(lead):
        signs.append(_BARE["behind a number sign"])
    if ("©" in lead or ")" in lead or "opyright" in lead) and _COPYRIGHT.search(lead):
        signs.append(Sign("cannot be a code", SIGNS["cannot be a code"], "the year of a copyright"))
    if _is_said_by_another(place, found):
        signs.append(_BARE["words that somebody else says"])
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


def _is_said_by_another(place: Place, found: Found | None) -> bool:
    """Whether quotation marks hold both a candidate and its label: words that are told, not said to the reader."""
    if found is None or found.where != "before it" or found.label.start < place.line_start:
        return False
    text, label = place.text, found.label
    lead = text[max(place.line_start, label.start - _LONGEST_LEAD_IN_QUOTES) : label.start]
    opening = max(map(lead.rfind, _OPENING_QUOTES))
    if opening < 0 or any(mark in lead[opening + 1 :] for mark in _CLOSING_QUOTES):
        return False
    between = text[label.end : place.shape.start]
    behind = text[place.shape.end : min(place.line_end, place.shape.end + _LONGEST_LEAD_IN_QUOTES)]
    return not any(mark in between for mark in _OPENING_QUOTES + _CLOSING_QUOTES) and any(
        mark in behind for mark in _CLOSING_QUOTES
    )


def _is_stale(place: Place) -> bool:
    """Whether the words right around a candidate say that it no longer counts."""
    shape, text, reading = place.shape, place.text, place.reading
    stop = _CLAUSE_END.search(text, shape.end, min(len(text), shape.end + 60))
    end = stop.start() if stop else min(place.line_end, shape.end + 60)
    if reading.concepts_between(shape.end, end) & Concept.STALE:
        return True
    if place.is_alone and (below := place.line_below()) is not None:
        start, end = reading.line_span(below)
        if end - start <= _LONGEST_STATE and reading.concepts_between(start, end) & Concept.STALE:
            return True
    return any(
        concepts & Concept.STALE and not _CLAUSE_END.search(text, end, shape.start)
        for _, end, concepts in reading.hits_between(max(place.line_start, shape.start - 40), shape.start)
    )


def _signs_of_mail(source: Source, place: Place, found: Found | None, role: str, reach: int, mail: Mail) -> list[str]:
    shape = place.shape
    names: list[str] = []
    in_subject = source.reading.source == "subject"
    if in_subject:
        names.append("in the subject")
    elif shape.value in mail.subject_values:
        names.append("in the subject too")
    elif mail.counts[shape.value] > 1:
        names.append("shown more than once")
    if reach & Concept.ASK or (role and source.reading.source == "alt"):
        names.append("asked to be typed")
    if reach & PURPOSE:
        names.append("sign-in or verification words near")
    if mail.subject_label is not None and not in_subject:
        names.append("the subject announces a code")
    elif mail.label in (ONE_TIME, CONFIRMATION):
        names.append("the mail speaks of a one-time code")
    if mail.has_warning and (found is not None or role):
        names.append("the mail warns not to share it")
    if role:
        names += mail.hints
    elif found is not None and found.label.kind == ANY_CODE and _BRIEF_HINT in mail.hints and not shape.value.isdigit():
        names.append("a code that lasts a short time")
    if mail.is_announced and found is not None and found.label.kind == ANY_CODE and shape.value.isalpha():
        names.append(_ANNOUNCED_HINT)
    topics = mail.topics
    is_brief = (
        _BRIEF_HINT in mail.hints
        and not (reach & Concept.PICKUP or (found is not None and found.label.kind == ONE_TIME))
        and place.lasts_briefly()
    )
    is_explicit = found is not None and found.label.explicit
    if topics[Concept.TALK]:
        names.append("a mail that tells what people say")
    if topics[Concept.MEETING] and not (is_explicit and (topics[Concept.MEETING] < _MANY or mail.is_announced)):
        names.append("a mail about a meeting")
    is_confirming = found is not None and found.label.kind == CONFIRMATION
    if (is_explicit and mail.subject_offers) or (is_confirming and mail.subject_is_elsewhere):
        names.append("the subject is about an offer, journey or meeting")
    if found is not None and found.label.kind in _OF_ANY_SORT and mail.subject_is_another:
        is_code = mail.subject_is_another_code
        names.append("the subject is about another code" if is_code else "the subject is about another number")
    is_of_any_sort = found.label.kind in _OF_ANY_SORT if found is not None else shape.form != SINGLE_DIGITS
    is_released = found is not None and found.label.kind == TRANSACTION
    if (
        found is not None
        and not is_released
        and not mail.is_expected
        and _is_aside(mail, found, reach)
        and not (place.is_tied and _is_to_confirm(mail, found, reach))
        and not source.sets_large(shape)
    ):
        names.append("other matters, and nothing asks for it")
    elif (
        found is not None
        and not (found.label.kind == ONE_TIME and mail.is_expected)
        and not (reach & Concept.ASK or in_subject or mail.subject_label is not None or mail.has_warning or is_brief)
        and place.is_among_particulars(found.label.end, fewest=2 if mail.is_expected else 1)
    ):
        names.append("one of the particulars of something else")
    elif (
        (role or found is not None)
        and is_of_any_sort
        and mail.is_about_other_things
        and not (is_brief or (role == _ON_A_PAGE and reach & (PURPOSE | Concept.ACCOUNT)))
        and not (role in ASKING_ROLES and _is_awaited_on_a_page(mail, reach))
    ):
        names.append("nothing but other matters")
    elif (
        found is not None
        and found.label.kind == ANY_CODE
        and (
            mail.intent < ENOUGH_INTENT or not (mail.is_expected or reach & Concept.ASK)
            if not shape.value.isdigit()
            else not (mail.is_expected or mail.has_purpose) and place.is_qualified(found.label.end)
        )
    ):
        names.append("nothing speaks of signing in")
    if found is not None and is_of_any_sort and reach & Concept.PICKUP and not mail.is_announced:
        names.append("for something to be handed over")
    if found is None or not (found.label.kind == ONE_TIME and found.label.explicit):
        is_for_signing_in = mail.is_announced or (
            (reach & PURPOSE or (role and in_subject)) and not reach & Concept.PROMO
        )
        if topics[Concept.PROMO] >= _MANY and not is_for_signing_in:
            names.append("a mail about an offer")
    if found is not None and (
        not _is_to_be_released(place, found, mail)
        if is_released
        else not in_subject and _is_of_a_card_payment(place, found, reach, mail)
    ):
        names.append("a transaction that nobody is asked to release")
    if found is None or found.label.kind not in (ONE_TIME, TRANSACTION):
        enough = 1 if found is not None and found.label.kind == CONFIRMATION else _MANY
        is_asked = (
            reach & Concept.ASK
            or is_brief
            or role in ASKING_ROLES
            or (mail.intent > ENOUGH_INTENT and (mail.is_announced or mail.intent > ENOUGH_INTENT + 1))
        )
        if not is_asked and topics[Concept.ORDER] + topics[Concept.TRAVEL] >= enough:
            names.append("a mail about a purchase or journey")
        many = _MANY if role and _is_apart_from_a_stock(shape, reach) else 1
        if topics[Concept.LIST_OF] >= many and not (many > 1 and mail.is_announced):
            names.append("a stock of backup or setup keys")
    return names


def _is_to_confirm(mail: Mail, found: Found, reach: int) -> bool:
    """Whether the subject asks to confirm something, and the label says that the code is for that."""
    if found.label.kind != ONE_TIME or _ANNOUNCED_HINT not in mail.hints:
        return False
    return not reach & (Concept.PICKUP | Concept.PROMO | Concept.MEETING)


def _is_awaited_on_a_page(mail: Mail, reach: int) -> bool:
    """Whether a subject that asks to confirm something announces a code, and the words near it say where to type it."""
    is_announced = mail.subject_label is not None and _ANNOUNCED_HINT in mail.hints
    return is_announced and bool(reach & Concept.FIELD) and not reach & (Concept.PROMO | Concept.PICKUP)


def _is_to_be_released(place: Place, found: Found, mail: Mail) -> bool:
    """Whether the words behind the code of a transaction ask to type it, and warn not to share it or say what for; or
    "enter" stands right before its name, in a mail about proving who one is."""
    label = found.label
    if mail.intent >= ENOUGH_INTENT and found.where == "before it":
        lead = place.reading.hits_between(max(place.line_start, label.start - _LONGEST_VERB), label.start)
        if any(concepts & Concept.ASK and not concepts & Concept.PHONE for _, _, concepts in lead):
            return True
    spoken = place.is_asked_for_below()
    return bool(spoken) and (mail.has_warning or bool(spoken & (PURPOSE | Concept.OCCASION)))


def _is_of_a_card_payment(place: Place, found: Found, reach: int, mail: Mail) -> bool:
    """Whether a text shows the end of a card's number and, with nothing to say what it is for, "authorisation code"."""
    if found.where != "before it" or reach & Concept.ASK or mail.subject_label is not None or mail.has_warning:
        return False
    if _BRIEF_HINT in mail.hints or place.is_tied or place.shape.start - found.label.end > _TIGHT:
        return False
    if place.reading.speaks_of(Concept.OTP, found.label.start, found.label.end):
        return False
    return _MASKED_CARD.search(place.text) is not None


def _is_apart_from_a_stock(shape: Shape, reach: int) -> bool:
    """Whether a number of a mail that speaks of backup keys is none of these."""
    return shape.value.isdigit() and not reach & Concept.LIST_OF


def _is_aside(mail: Mail, found: Found, reach: int) -> bool:
    """Whether a mail about a purchase, journey, offer or meeting only mentions a code, or hands something over."""
    others = sum([count for topic, count in mail.topics.items() if topic != Concept.TALK])
    if found.label.kind == ONE_TIME and others < _MANY:
        return False
    return others > 0 and (not reach & Concept.ASK or (bool(reach & Concept.PICKUP) and others >= _MANY))
