"""The line of a mail that a list shows: its first visible characters."""

import re
import unicodedata
from collections.abc import Callable

PREVIEW_CHARS = 120

_LOOKED_AT_CHARS = (512, 8192)
"""How much text is looked at: little at first, more where that shows too little, and never beyond."""
_ZWJ = "\u200d"
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e007f]"
    "|(?<![\u0600-\u0dff])\u200c|(?<![\u0600-\u0dff\u2190-\U0001ffff])\u200d"
)
"""Characters without a glyph: what preheaders are padded with. Joiners stay within emoji and where a script's spelling
needs them (Persian, the scripts of India)."""


def preview(text: str, visible_html_text: Callable[[], str]) -> str | None:
    """At most `PREVIEW_CHARS` characters on one line, from `text` if anything in it is visible, else from the HTML's
    visible text (asked for only then); None if there is nothing to see. Never ends within a character: marks and
    joined emoji are kept whole or left out."""
    return _line(text) or _line(visible_html_text()) or None


def _line(text: str) -> str:
    line = ""
    for looked_at in _LOOKED_AT_CHARS:
        line = " ".join(text[:looked_at].split())
        if not (line.isascii() and line.isprintable()):
            line = " ".join(_INVISIBLE.sub("", text[:looked_at]).split())
        if len(line) > PREVIEW_CHARS or len(text) <= looked_at:
            break
    if len(line) <= PREVIEW_CHARS:
        return line
    end = PREVIEW_CHARS
    while end > PREVIEW_CHARS - 20 and _continues(line, end):
        end -= 1
    return line[: end if not _continues(line, end) else PREVIEW_CHARS].rstrip()


def _continues(line: str, at: int) -> bool:
    """Whether the character at `at` belongs to the one before it."""
    char = line[at]
    return (
        char == _ZWJ
        or line[at - 1] == _ZWJ
        or unicodedata.combining(char) != 0
        or "\ufe00" <= char <= "\ufe0f"
        or ("\U0001f3fb" <= char <= "\U0001f3ff")
    )
