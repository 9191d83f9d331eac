"""What stands in for a label: how a reader is given a string to type, in a mail about proving who one is."""

from typing import Final

from tempmail.domain.codes_labels import CONFIRMATION, ONE_TIME
from tempmail.domain.codes_mail import ENOUGH_INTENT, PURPOSE, Mail, Source
from tempmail.domain.codes_numbers import SINGLE_DIGITS
from tempmail.domain.codes_place import Place
from tempmail.domain.codes_shapes import PASSPHRASE, Shape
from tempmail.domain.lexicon.table import Concept

_SHORTEST_ASKED, _USUAL_LENGTH, _LONGEST_ASKED = 4, 6, 8
_DATE_FORMS: Final = frozenset({"year", "compact date"})
_NOT_TO_PROVE: Final = Concept.PROMO | Concept.MEETING | Concept.LIST_OF
ASKING_ROLES: Final = frozenset(
    {
        "right beside a word for typing",
        "opens the sentence that says what it is for",
        "pointed at and asked for",
        "in a sentence that asks to type",
        "asked for without a word for a code",
    }
)


def role_of(source: Source, place: Place, mail: Mail) -> str:
    """The name of the sign, or "" where nothing asks for a candidate."""
    shape = place.shape
    if shape.kind == PASSPHRASE:
        is_given = place.is_alone and mail.intent >= ENOUGH_INTENT and place.reach() & Concept.ASK
        return "asked for without a word for a code" if is_given else ""
    if not any(map(str.isdigit, shape.value)):
        return ""
    is_meant = mail.intent >= ENOUGH_INTENT
    if place.is_beside_a_word_for_typing() and (
        place.is_followed_by_function_word() or mail.has_purpose or mail.label is not None or mail.is_announced
    ):
        return "right beside a word for typing"
    if (is_meant or mail.is_open) and place.opens_a_sentence_about_its_use(Concept.ASK if not is_meant else 0):
        return "opens the sentence that says what it is for"
    if place.is_called_a_number() and (is_meant or (mail.is_open and place.reach() & Concept.ASK)):
        return "called a number"
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
    if is_meant and place.is_alone and mail.label in (ONE_TIME, CONFIRMATION):
        return "alone in a mail about a one-time code"
    if is_meant and place.is_introduced():
        return "introduced without a word for a code"
    if is_meant and place.is_alone and (is_prominent or (mail.is_announced and _is_typical(shape, place))):
        return "stands out"
    return ""


def _is_typical(shape: Shape, place: Place) -> bool:
    """Whether a number has the form that most codes have, and stands below a sentence."""
    return shape.value.isdigit() and len(shape.value) == _USUAL_LENGTH and place.follows_a_sentence()


def _is_asked_in_its_sentence(place: Place, mail: Mail) -> bool:
    """Whether the sentence of a number asks to type, in a mail or sentence about proving who one is."""
    shape = place.shape
    if not place.reading.concepts & Concept.ASK:
        return False
    if not shape.value.isdigit() or not _SHORTEST_ASKED <= len(shape.value) <= _LONGEST_ASKED:
        return False
    if shape.form in _DATE_FORMS or place.is_behind_a_word_for_telephones():
        return False
    spoken = place.sentence()
    if mail.is_announced and not spoken & Concept.ASK:
        spoken |= place.sentence(further=1)
    if not spoken & Concept.ASK or spoken & (_NOT_TO_PROVE | Concept.STREET):
        return False
    return mail.is_announced or shape.form == SINGLE_DIGITS or bool(spoken & PURPOSE)
