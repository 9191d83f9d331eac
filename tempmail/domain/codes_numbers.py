"""Runs of digit groups: which are one code in groups, and which are dates, phone numbers, amounts or addresses."""

import re
from typing import Final

from tempmail.domain.codes_text import Reading
from tempmail.domain.lexicon.table import Concept

SINGLE_DIGITS: Final = "single digits"
DASHES: Final = frozenset("-–—‑‐")
# What may stand between the digit groups of one number.
GROUP_GAPS: Final = (
    frozenset(" .·•‧∙,:/|") | DASHES | {") ", " (", ")-", " - ", " – ", " · ", " • ", " | "} | {"  ", "   "}
)

_WIDE_GAPS: Final = frozenset({"  ", "   "})
_GAPS_OF_NUMBERS: Final = frozenset(".,:/")
_AIRY_GAPS: Final = frozenset({" ", "  ", "   ", " - ", " – ", " · "})

# Sizes of the groups of a code ("123 456" is 3, 3). Those not sure are read as one code only with a dash between.
_SURE_GROUPS: Final = frozenset({(3, 3), (2, 2, 2), (4, 4)})
_CODE_GROUPS: Final = _SURE_GROUPS | {(2, 2), (3, 2), (2, 3), (3, 4), (4, 3), (2, 2, 2, 2), (3, 3, 3), (4, 2), (2, 4)}

_TRIPLETS: Final = (3, 3, 3)
_LEADING_IN: Final = Concept.CODE | Concept.OTP | Concept.ASK

_UNEVEN_GROUPS: Final = frozenset({(3, 4), (4, 3)})

_DATE: Final = re.compile(
    r"(?:19|20)\d\d-(?:0?[1-9]|1[0-2])(?:-(?:0?[1-9]|[12]\d|3[01]))?\Z"
    r"|(?:0?[1-9]|[12]\d|3[01])-(?:0?[1-9]|[12]\d|3[01])-(?:19|20)?\d\d\Z"
)
_CURRENCY_SIGNS: Final = frozenset("$€£¥₹₽₩₺₴₫₱₪฿₦₸₼₾₡₲₵﷼￥")
_CURRENCIES: Final = frozenset((
    "USD", "EUR", "GBP", "JPY", "CNY", "RMB", "INR", "RUB", "UAH", "PLN", "CZK", "HUF", "RON", "BGN", "SEK", "NOK",
    "DKK", "CHF", "TRY", "BRL", "MXN", "AUD", "CAD", "NZD", "KRW", "THB", "VND", "IDR", "MYR", "PHP", "SGD", "HKD",
    "TWD", "ILS", "SAR", "AED", "EGP", "IRR", "PKR", "BDT", "NGN", "KES", "ZAR", "BTC", "ETH", "USDT", "R", "RM", "TL",
    "Ft", "kr", "Kč", "zł", "zl", "lei", "лв", "руб", "р", "грн", "Rs", "rs", "Rp", "rp", "dkr", "skr", "nkr", "din",
    "kn", "đ", "vnđ", "ريال", "درهم", "تومان", "جنيه", "دينار",
))  # fmt: skip
_CURRENCY_BEHIND: Final = re.compile(r"\s?[万萬亿億만억]?(?:[원円元₽€$£₹₺₴₫₪฿]|บาท|টাকা|रुपये|ریال|تومان|ريال|درهم)")
_HIDING: Final = frozenset("*•·●xX×#")
_HIDDEN_DIGITS: Final = re.compile(r"[*•·●xX×#]{2,}[ -]?\Z")
_LONGEST_UNIT_GAP: Final = 1
_LONGEST_TAIL_GAP: Final = 10
_LONGEST_PARTICLE: Final = 3
_SCALE: Final = "0123456789"


def group_reading(reading: Reading, first: int, last: int) -> tuple[str, str | None] | None:
    """How the digit words `first` to `last` read as one number: (form, why it is no code or None). None: they are
    several numbers, to be read one by one or split at their widest gap (`split_points`)."""
    text = reading.text
    sizes = tuple([len(word) for word in reading.words[first : last + 1]])
    gaps = set(reading.gaps[first:last])
    start, end = reading.starts[first], reading.end_of(last)
    total = sum(sizes)
    if (
        max(sizes) == 1
        and (len(gaps) == 1 or gaps <= _AIRY_GAPS)
        and 4 <= total <= 10
        and not (total == 4 and gaps <= _GAPS_OF_NUMBERS)
    ):
        shown = "".join(reading.words[first : last + 1])
        return SINGLE_DIGITS, "a scale" if shown in _SCALE else glued(text, start, end)
    before = text[max(0, start - 2) : start]
    if " (" in gaps and not any(")" in gap for gap in gaps) and not before.endswith(("+", "+(")):
        # "482913 (10 minutes)": what is in brackets is another number.
        return None
    if before.endswith(("+", "+(")) or any("(" in gap or ")" in gap for gap in gaps):
        return "", "a phone number"
    if not gaps.isdisjoint(_WIDE_GAPS):
        return None
    if len(gaps) > 1:
        if gaps & {" ", ",", "|", " | "} and not (total >= 9 and gaps <= {" ", "-", "–", "."}):
            return None
        return "", "a date, phone number or amount"
    (gap,) = gaps
    if gap in (",", "|", " | "):
        return ("", "an amount") if gap == "," and _is_thousands(sizes) else None
    if gap in (":", "/"):
        return "", "a time" if gap == ":" else "a date or fraction"
    if gap == ".":
        if max(sizes) >= 4 and len(sizes) == 2 and sizes[1] > 2:
            return None
        return "", "a decimal, date, version or IP address"
    dashed = gap.strip() in DASHES
    if dashed and _DATE.match("-".join(reading.words[first : last + 1])):
        return "", "a date"
    if sizes in _SURE_GROUPS or (sizes in _CODE_GROUPS and (dashed or sizes[0] == sizes[-1])):
        form = "even digit groups" if sizes in _SURE_GROUPS else "digit groups"
        if sizes == _TRIPLETS:
            form = "triplets"
        return form, glued(text, start, end) or counted(reading, first, last)
    if sizes in _CODE_GROUPS and _is_asked_for(reading, first, last):
        return "digit groups", glued(text, start, end) or counted(reading, first, last)
    if sizes in _UNEVEN_GROUPS and _fills_its_cell(text, start, end):
        return "digit groups", glued(text, start, end)
    if reading.words[first][0] == "0" and len(sizes) == 2 and 9 <= total <= 12:
        return "", "a phone number"
    if not dashed and ((len(sizes) == 2 and max(sizes) >= 4) or total < 7):
        return None
    return "", "a long number in groups"


def _is_asked_for(reading: Reading, first: int, last: int) -> bool:
    """Whether a word that names a code or tells to type it stands right before a number, and no place name behind."""
    start = reading.starts[first]
    before = reading.hits_between(max(0, start - 24), start)
    if not before or not before[-1][2] & _LEADING_IN or reading.text[before[-1][1] : start].strip(" :\"'“«*"):
        return False
    following = reading.words[last + 1] if last + 1 < len(reading.words) and reading.gaps[last] == " " else ""
    return not following[:1].isupper()


def _fills_its_cell(text: str, start: int, end: int) -> bool:
    """Whether a number is all there is on its line, or behind a colon or a wide gap."""
    before = text[max(0, start - 3) : start]
    if text[end : end + 1] not in ("", "\n", "\r", "\t"):
        return False
    return not before.strip(" \t") or before.endswith(("\n", "\t")) or before.rstrip().endswith((":", "\n"))


def split_points(reading: Reading, first: int, last: int) -> list[tuple[int, int]]:
    """The parts of a run that is not one number: divided at its spaces, or else at every gap."""
    gaps = reading.gaps[first:last]
    widest = next((gap for gap in (" (", "   ", "  ", " ", " | ", "|", ",") if gap in gaps), None)
    whole_is_even = widest is None or all(gap == widest for gap in gaps)
    parts: list[tuple[int, int]] = []
    start = first
    for at in range(first, last + 1):
        if at == last or whole_is_even or reading.gaps[at] == widest:
            parts.append((start, at))
            start = at + 1
    return parts


def _is_thousands(sizes: tuple[int, ...]) -> bool:
    return sizes[0] <= 3 and all(size in (2, 3) for size in sizes[1:])


def glued(text: str, start: int, end: int) -> str | None:
    """Why a string with these neighbours is a piece of something longer, or None."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    further = text[end + 1 : end + 2]
    earlier = text[start - 2] if start >= 2 else " "
    if before in " \n" and after in " \n" and earlier not in _HIDING and further != "%":
        return None
    if before == after and before in "_*":
        return None
    if before in "/_\\@&%~$" or after in "/_\\@=&~" or (before == "." and earlier.isalnum()):
        return "part of a path, address or name"
    if after == "." and further.isascii() and further.isalnum() and not further.isupper():
        return "part of a path, address or name"
    if before == ":" and after == ":":
        return "part of a path, address or name"
    if before == "+" or (before == "(" and earlier == "+"):
        return "a phone number"
    if (
        before in "-–" and earlier.isalnum() and earlier.isascii() and not text[max(0, start - 4) : start - 1].isalpha()
    ) or (after in "-–" and further.isalnum() and not _is_particle(text, end + 1)):
        return "part of a longer identifier"
    if after == "%" or (after == " " and further == "%"):
        return "a percentage"
    if (earlier if before in " -" else before) in _HIDING:
        hidden = _HIDDEN_DIGITS.search(text, max(0, start - 8), start)
        if hidden:
            return "the tail of a card or account number"
    return None


def _is_particle(text: str, start: int) -> bool:
    """Whether a short ending in small letters is tied to a number by a dash: "482913-as", "482913-ը"."""
    ending = text[start : start + _LONGEST_PARTICLE + 1]
    length = next((at for at, letter in enumerate(ending) if not letter.isalnum()), len(ending))
    return 0 < length <= _LONGEST_PARTICLE and ending[:length].isalpha() and ending[:length].upper() != ending[:length]


def counted(reading: Reading, first: int, last: int) -> str | None:
    """Why a number is an amount, a count or a tail, from the words right beside it; or None."""
    text = reading.text
    start, end = reading.starts[first], reading.end_of(last)
    before = text[max(0, start - 2) : start].strip()
    behind = text[end : end + 2].lstrip()
    if before[-1:] in _CURRENCY_SIGNS or text[end : end + 1] in _CURRENCY_SIGNS:
        return "an amount of money"
    if behind and not "0" <= behind[0] <= "z" and _CURRENCY_BEHIND.match(text, end):
        return "an amount of money"
    if first and reading.gaps[first - 1] in (" ", "", ". ", ".") and reading.words[first - 1] in _CURRENCIES:
        return "an amount of money"
    if last + 1 < len(reading.words) and reading.gaps[last] == " " and reading.words[last + 1] in _CURRENCIES:
        return "an amount of money"
    if reading.concepts & Concept.UNIT:
        for hit_start, _, concepts in reading.hits_between(end, end + 18)[:1]:
            gap = text[end:hit_start]
            if concepts & Concept.UNIT and len(gap) <= _LONGEST_UNIT_GAP and gap in (" ", ""):
                return "a count of something"
    if reading.concepts & Concept.TAIL:
        for _, hit_end, concepts in reading.hits_between(max(0, start - 28), start):
            if concepts & Concept.TAIL and start - hit_end <= _LONGEST_TAIL_GAP:
                return "the tail of a card or account number"
    return None
