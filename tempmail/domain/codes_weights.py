"""What each sign is worth. A candidate is a code from THRESHOLD points on; a direct label is worth about that much."""

from typing import Final

THRESHOLD: Final = 5.0

# A label: the nearest word for a code, by how sure the word is. Multiplied by the nearness below.
LABEL: Final = {
    "one-time code": 6.0,
    "confirmation code": 5.0,
    "code": 4.0,
    "transaction code": 4.0,
    "code of some sort": 2.5,
    "codes in general": 1.5,
}
AFTER_LABEL: Final = {
    "one-time code": 5.5,
    "confirmation code": 4.5,
    "code": 4.0,
    "transaction code": 4.0,
    "code of some sort": 2.5,
    "codes in general": 0.5,
}

# How near the label is: (most characters between, factor), on the same line.
NEARNESS: Final = ((40, 1.0), (90, 0.85), (160, 0.65), (400, 0.45))
OTHER_SENTENCE: Final = 0.5
LINE_ABOVE: Final = (0.95, 0.75, 0.6, 0.5)
# The label is joined to the number by a colon or "is" right before it.
TIED: Final = 0.8
LABEL_TAKEN: Final = 0.35
# A bare "code" in running text says little unless the number follows at once or behind a colon or copula.
LOOSE: Final = 0.4

SIGNS: Final = {
    # the form of the string
    "six digits": 1.4,
    "four, five, seven or eight digits": 0.4,
    "even groups": 0.8,
    "shown digit by digit": 1.5,
    "groups": -0.2,
    "one letter before the digits": 0.5,
    "letters and digits": -0.3,
    "letters and digits in turn": 0.5,
    "only capital letters": -1.6,
    "capital letters in even groups": 0.0,
    "words joined by dashes": -1.2,
    "nine or ten digits": -2.5,
    "nine digits in groups": -1.2,
    "could be a year": -1.2,
    "could be a date": -2.5,
    # where it stands
    "alone on its line": 2.6,
    "alone after a colon": 1.5,
    "behind a colon at the end of its sentence": 0.8,
    "set large": 1.2,
    "in the subject too": 2.0,
    "in the subject": 0.8,
    "shown more than once": 0.6,
    "asked to be typed": 1.4,
    "takes the place of one that no longer counts": 6.5,
    "right beside a word for typing": 3.8,
    "opens the sentence that says what it is for": 3.5,
    "what to sign in with": 3.8,
    "the mail says that it is in the subject": 4.2,
    "named after signing in": 3.4,
    "called a number": 3.4,
    "in a sentence that asks to type": 2.2,
    "asked to be typed on a page or screen": 4.2,
    "asked for without a word for a code": 2.5,
    "introduced without a word for a code": 2.0,
    "pointed at and asked for": 3.0,
    "alone in a mail about a one-time code": 2.5,
    "stands out": 1.0,
    "the subject speaks of signing in or verifying": 1.0,
    "the mail says what to do if it was not you": 0.6,
    "it lasts a short time": 0.4,
    "a code that lasts a short time": 1.0,
    "sign-in or verification words near": 0.8,
    "the subject announces a code": 1.1,
    "the mail speaks of a one-time code": 0.4,
    "the mail warns not to share it": 0.8,
    # against
    "labelled as another number": -7.0,
    "labelled as another number after it": -4.0,
    "another number's label near": -2.0,
    "behind a number sign": -2.5,
    "said to be replaced or expired": -6.0,
    "quoted from an earlier mail": -9.0,
    "quoted from an earlier mail too": -6.0,
    "another is called the code": -4.0,
    "words that somebody else says": -9.0,
    "a case in brackets": -5.0,
    "letters that are not called one-time": -2.0,
    "one of a list": -7.0,
    "a stock of backup or setup keys": -8.0,
    "in a postal address": -4.0,
    "a telephone number": -5.0,
    "labelled as another number elsewhere": -6.0,
    "a slogan with a number": -3.0,
    "a mail about a purchase or journey": -5.5,
    "nothing speaks of signing in": -3.0,
    "for something to be handed over": -3.0,
    "other matters, and nothing asks for it": -7.0,
    "one of the particulars of something else": -5.0,
    "a mail that tells what people say": -10.0,
    "a transaction that nobody is asked to release": -8.0,
    "nothing but other matters": -3.5,
    "the subject is about another number": -3.0,
    "the subject is about another code": -5.0,
    "the subject is about an offer, journey or meeting": -6.0,
    "a mail about a meeting": -8.0,
    "a mail about an offer": -3.0,
    "weak source": -0.5,
    "no word for a code near": -2.5,
    "an ordinary word": -6.0,
    "cannot be a code": -20.0,
}
