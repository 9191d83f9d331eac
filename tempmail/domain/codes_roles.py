"""What stands in for a label: how a reader is given a string to type, in a mail about proving who one is."""

from typing import Final

from tempmail.domain.codes_labels import CONFIRMATION, ONE_TIME
from tempmail.domain.codes_mail import ENOUGH_INTENT, PURPOSE, Mail, Source
from tempmail.domain.codes_numbers import SINGLE_DIGITS
from tempmail.domain.codes_place import Place
from tempmail.domain.codes_shapes import PASSPHRASE, Shape, is_unspeakable
from tempmail.domain.lexicon.table import Concept

_SHORTEST_ASKED: Final = 4
_USUAL_LENGTH: Final = 6
_LONGEST_ASKED: Final = 8
_DATE_FORMS: Final = frozenset({"year", "compact date"})
_NOT_TO_PROVE: Final = Concept.PROMO | Concept.MEETING | Concept.LIST_OF
ASKING_ROLES: Final = frozenset(
    {
        "right beside a word for typing",
        "opens the sentence that says what it is for",
        "what to sign in with",
        "pointed at and asked for",
        "in a sentence that asks to type",
        "asked to be typed on a page or screen",
        "asked for without a word for a code",
    }
)

ROLES: Final = ASKING_ROLES | {
    "the mail says that it is in the subject",
    "called a number",
    "named after signing in",
    "alone in a mail about a one-time code",
    "introduced without a word for a code",
    "stands out",
}


def role_of(source: Source, place: Place, mail: Mail) -> str:
    """The name of the sign, or "" where nothing asks for a candidate."""
    shape = place.shape
    if shape.kind == PASSPHRASE:
        is_given = place.is_alone and mail.intent >= ENOUGH_INTENT and place.reach() & Concept.ASK
        return "asked for without a word for a code" if is_given else ""
    is_meant = mail.intent >= ENOUGH_INTENT
    if not any(map(str.isdigit, shape.value)) and not _may_be_meant(shape, place, is_meant=is_meant):
        return ""
    if place.is_beside_a_word_for_typing() and (
        place.is_followed_by_function_word() or mail.has_purpose or mail.label is not None or mail.is_announced
    ):
        return "right beside a word for typing"
    if (is_meant or mail.is_open) and place.opens_a_sentence_about_its_use(Concept.ASK if not is_meant else 0):
        return "opens the sentence that says what it is for"
    if is_meant and _has_a_typed_form(shape):
        if place.is_said_to_let_in():
            return "opens the sentence that says what it is for"
        if place.is_used_to_sign_in():
            return "what to sign in with"
    if source.reading.source == "subject":
        is_there = mail.points_at_subject and (mail.has_purpose or mail.asks or mail.label is not None)
        if is_there and _has_a_typed_form(shape) and len(mail.subject_values) == 1:
            return "the mail says that it is in the subject"
        if _is_asked_for_in_the_subject(place, mail):
            return "opens the sentence that says what it is for"
    if (
        (is_meant or mail.is_open or place.is_called_a_number())
        and _has_a_typed_form(shape)
        and _is_typed_on_a_page(place)
    ):
        return "asked to be typed on a page or screen"
    if place.is_called_a_number() and (is_meant or (mail.is_open and place.reach() & Concept.ASK)):
        return "called a number"
    if is_meant and place.is_named_after_signing_in():
        return "named after signing in"
    if not place.is_set_apart and not (is_meant and place.is_pointed_at):
        is_asked = (is_meant or shape.form == SINGLE_DIGITS) and _is_asked_in_its_sentence(place, mail)
        return "in a sentence that asks to type" if is_asked else ""
    is_prominent = source.sets_large(shape)
    reach = place.reach()
    if (reach & _NOT_TO_PROVE and not mail.is_announced) or (reach & Concept.TRAVEL and not reach & Concept.ASK):
        return ""
    if not place.is_set_apart:
        return "pointed at and asked for" if reach & Concept.ASK else ""
    if reach & Concept.ASK and (
        reach & PURPOSE
        or mail.has_purpose
        or mail.label is not None
        or is_prominent
        or is_meant
        or shape.form == SINGLE_DIGITS
        or (mail.intent and place.is_introduced())
    ):
        return "asked for without a word for a code"
    is_awaited = mail.label in (ONE_TIME, CONFIRMATION) or (
        mail.label is not None and mail.is_announced and source.reading.source == "alt"
    )
    if is_meant and place.is_alone and is_awaited:
        return "alone in a mail about a one-time code"
    if (is_meant or (reach & Concept.NUMBER and reach & PURPOSE)) and place.is_introduced():
        return "introduced without a word for a code"
    if is_meant and place.is_alone and (is_prominent or (mail.is_announced and _is_typical(shape, place))):
        return "stands out"
    return ""


def _may_be_meant(shape: Shape, place: Place, *, is_meant: bool) -> bool:
    """Whether letters without digits may be a code: no word, and no abbreviation among other words ("enter HTML")."""
    if not (is_meant or shape.form == "scrambled") or not is_unspeakable(shape.value):
        return False
    return place.is_set_apart or len(shape.value) >= _USUAL_LENGTH


def _is_asked_for_in_the_subject(place: Place, mail: Mail) -> bool:
    """Whether a subject begins with a number and goes on with "enter this", in a mail about proving who one is."""
    if not (mail.has_purpose and place.opens_line and _has_a_typed_form(place.shape)):
        return False
    if mail.asks and (mail.intent >= ENOUGH_INTENT or mail.is_open) and place.is_said_to_be_a_number():
        return True
    if place.reading.concepts & (_NOT_TO_PROVE | Concept.ORDER | Concept.TRAVEL):
        return False
    return place.opens_a_sentence_about_its_use(Concept.ASK)


def _has_a_typed_form(shape: Shape) -> bool:
    """Whether a candidate is of the length and letters that are typed from a mail, and no date."""
    value = shape.value
    return _SHORTEST_ASKED <= len(value) <= _LONGEST_ASKED and value.upper() == value and shape.form not in _DATE_FORMS


def _is_typed_on_a_page(place: Place) -> bool:
    return place.is_typed_into_a_field() and not place.is_behind_a_word_for_telephones()


def _is_typical(shape: Shape, place: Place) -> bool:
    """Whether a number has the form that most codes have, and stands below a sentence, in two groups, or at
    the head of the mail."""
    if not shape.value.isdigit() or len(shape.value) != _USUAL_LENGTH:
        return False
    return shape.form == "even digit groups" or place.follows_a_sentence() or place.opens_the_mail()


def _is_asked_in_its_sentence(place: Place, mail: Mail) -> bool:
    """Whether the sentence of a number asks to type, in a mail or sentence about proving who one is."""
    shape = place.shape
    if not place.reading.concepts & Concept.ASK:
        return False
    if not _SHORTEST_ASKED <= len(shape.value) <= _LONGEST_ASKED:
        return False
    if not shape.value.isdigit() and (shape.value.upper() != shape.value or not mail.is_announced):
        return False
    if shape.form in _DATE_FORMS or place.is_behind_a_word_for_telephones():
        return False
    spoken = place.sentence()
    if mail.is_announced and not spoken & Concept.ASK:
        spoken |= place.sentence(further=1)
    if not spoken & Concept.ASK or spoken & (_NOT_TO_PROVE | Concept.STREET):
        return False
    return mail.is_announced or shape.form == SINGLE_DIGITS or bool(spoken & PURPOSE)
