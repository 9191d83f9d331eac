"""Letters and digits of all scripts brought to one form, so that texts and tables can be compared."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

# Letters of scripts that divide words by spaces: Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic, Georgian.
WORD_LETTERS = (
    "0-9A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af\u0300-\u0373\u0376-\u037d\u037f-\u0386\u0388-\u0556\u0561-\u0588"
    "\u0591-\u05bd\u05bf-\u05f4\u0610-\u061a\u0620-\u0669\u066e-\u06d3\u06d5-\u06ff\u0750-\u08ff\u10a0-\u10ff\u1e00-\u1fff"
)

_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\u20e3]+"
)
_ZEROS = (
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
    0x1040, 0x1090, 0x17E0, 0x1810,
)  # fmt: skip
_TO_ASCII = {zero + value: str(value) for zero in _ZEROS for value in range(10)} | {0x66B: ".", 0x66C: ",", 0x60C: ","}
_ASCII: Final = bytes(range(128))
_FOREIGN: Final = re.compile(f"[{''.join(map(chr, _TO_ASCII))}]+")
_TO_PLAIN: Final = str.maketrans(
    {
        "ى": "ی",
        "ي": "ی",
        "ك": "ک",
        "ة": "ه",
        "ł": "l",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ı": "i",
        "æ": "ae",
        "œ": "oe",
        "ß": "ss",
    }
)


def normalise(text: str) -> str:
    """`text` with invisible characters removed, compatibility forms (full width) plain, and all digits ASCII."""
    if text.isascii():
        return text
    # Letters beyond ASCII are few in most texts: it is enough to look among these for what is to be changed.
    foreign = _beyond_ascii(text)
    if _INVISIBLE.search(foreign):
        text = _INVISIBLE.sub("", text)
    plain = unicodedata.normalize("NFKC", text)
    if plain != text:
        text, foreign = plain, _beyond_ascii(plain)
    return _FOREIGN.sub(_to_ascii, text) if _FOREIGN.search(foreign) else text


def _beyond_ascii(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")


def _to_ascii(found: re.Match[str]) -> str:
    return found[0].translate(_TO_ASCII)


def normalise_with_offsets(text: str, offsets: Sequence[int]) -> tuple[str, dict[int, int]]:
    """`normalise(text)`, and where each of the `offsets` into `text` is in the result."""
    if text.isascii():
        return text, {offset: offset for offset in offsets}
    # The one change that most pages need moves nothing.
    text = text.replace("\u00a0", " ")
    if normalise(text) == text:
        return text, {offset: offset for offset in offsets}
    pieces: list[str] = []
    moved: dict[int, int] = {}
    done = length = 0
    for offset in sorted(set(offsets)):
        pieces.append(normalise(text[done:offset]))
        length += len(pieces[-1])
        moved[offset] = length
        done = offset
    pieces.append(normalise(text[done:]))
    return "".join(pieces), moved


def fold(word: str) -> str:
    """`word` in lower case without diacritics, as the tables are compared."""
    if word.isascii():
        return word.lower()
    bare = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare).translate(_TO_PLAIN)
