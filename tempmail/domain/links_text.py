"""Web addresses that are written out in a text, with the words they belong to."""

import re
from itertools import islice
from typing import Final, NamedTuple

from tempmail.domain.codes_text import Reading, lines_with_addresses

MAX_LINKS: Final = 120

_URL: Final = re.compile(r"(?:https?://|www\.)[^\s<>\"'\uff08\u3000\u3001\u3002，。）】」]{3,4096}+", re.IGNORECASE)
_WORDS_THEN_BRACKET: Final = re.compile(r"(?:\A|[\n|·•]|(?<=[.:!?]) )([^\n|·•\[\]]{1,120}?)\s?[(<\[]\s?\Z")
_MARKDOWN: Final = re.compile(r"\[([^\n\[\]]{1,120})\]\(\s?\Z")


class ShownLink(NamedTuple):
    """A link and where it stands in a source. `text`: the anchor's words, or "" where the address stands for itself.

    `until`: where the next link of the source starts; the words behind that are not about this one.
    """

    url: str
    text: str
    reading: Reading
    start: int
    end: int
    until: int
    is_button: bool = False
    is_quoted: bool = False


def links_in_text(reading: Reading, quoted: tuple[tuple[int, int], ...] = ()) -> list[ShownLink]:
    """The addresses written out in a text, closing punctuation left out. For `Words ( https://… )` the words count."""
    found: list[ShownLink] = []
    text = reading.text
    if "://" not in text and "www." not in text:
        return found
    lines = lines_with_addresses(text)
    until = len(text)
    matches = list(islice((match for start, end in lines for match in _URL.finditer(text, start, end)), MAX_LINKS))
    for match in reversed(matches):
        url = _trimmed(match[0])
        words, start = _words_before(text, match.start())
        is_quoted = bool(quoted) and any(a <= start < b for a, b in quoted)
        url = url if "://" in url[:9] else "http://" + url
        found.append(ShownLink(url, words, reading, start, match.end(), until, is_quoted=is_quoted))
        until = start
    found.reverse()
    return found


def _trimmed(url: str) -> str:
    """`url` without the punctuation of the sentence around it; a closing bracket stays if it was opened inside."""
    while url:
        last = url[-1]
        if last in ")]}":
            opening = "([{"[")]}".index(last)]
            if url.count(opening) >= url.count(last):
                return url
        elif last not in ".,;:!?'\"*_>`|»”’":
            return url
        url = url[:-1]
    return url


def _words_before(text: str, at: int) -> tuple[str, int]:
    """For `Confirm my address ( https://… )` or `[Confirm](https://…)`: the words and where they start."""
    if text[max(0, at - 2) : at].rstrip()[-1:] not in ("(", "[", "<"):
        return "", at
    window = max(0, at - 130)
    lead = text[window:at]
    found = _MARKDOWN.search(lead) or _WORDS_THEN_BRACKET.search(lead)
    if found is None:
        return "", at
    return found[1].strip(), window + found.start(1)
