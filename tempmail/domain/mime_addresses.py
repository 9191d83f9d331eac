"""Address lists (RFC 5322 section 3.4) as (display name, addr-spec) pairs.

The plain form `Name <local@domain>` is read here; everything else by mail-parser, which splits at structural
delimiters only. Encoded words are masked before and read after, so that a comma inside one never splits an address.
What even that leaves unread is searched for one address, since a name to show is better than nothing.
"""

import re

from mailparser.utils import get_addresses

from tempmail.domain.charsets import Decoder
from tempmail.domain.mime_words import ENCODED_WORD, decode_words, plain, raw_text

MAX_ADDRESS_FIELD_CHARS = 16384
"""Of one address header; about 500 recipients. The rest is cut at a comma and stays in the headers."""

_ADDR_SPEC = re.compile(r"[^\s<>\"(),:;\\\[\]@]+@[^\s<>\"(),:;\\\[\]@]+")
_LOOSE_ADDR_SPEC = re.compile(r"[^\s<>\"(),:;\\\[\]@']{1,64}@[^\s<>\"(),:;\\\[\]@']{1,255}")
_STRUCTURAL = re.compile(r"[\"<>(),:;\\\[\]@]")
_MASK = re.compile("\ue000(\\d{1,6})\ue001")
_MASK_CHARACTERS = re.compile("[\ue000\ue001]")
_WORDS_IN_A_ROW = re.compile(rf"{ENCODED_WORD.pattern}(?:\s*+{ENCODED_WORD.pattern})*+")


def address_list(value: bytes, decoder: Decoder) -> list[tuple[str, str]]:
    """The mailboxes of a From, To, Cc or Reply-To value: (decoded name or "", addr-spec as written or "").

    An item has no addr-spec only where none can be made out; its text is the name then.
    """
    text = plain(raw_text(value, decoder))
    if not text:
        return []
    single = _single(text, decoder)
    if single is not None:
        return [single]
    if len(text) > MAX_ADDRESS_FIELD_CHARS:
        text = text[: text.rfind(",", 0, MAX_ADDRESS_FIELD_CHARS) + 1 or MAX_ADDRESS_FIELD_CHARS]
    found = _structured(text, decoder)
    if not found and "=?" in text:
        # Some senders encode the whole `Name <address>`.
        text = plain(decode_words(text, decoder))
        single = _single(text, decoder)
        found = [single] if single else _structured(text, decoder)
    return found or [_loose(text, decoder)]


def _single(text: str, decoder: Decoder) -> tuple[str, str] | None:
    """`Name <local@domain>`, `"Name" <…>` or `local@domain`, without anything that needs a real parser."""
    if text[-1] == ">":
        name, angle, address = text[:-1].rpartition("<")
        name = name.strip()
        if not angle or not _ADDR_SPEC.fullmatch(address):
            return None
        if len(name) > 1 and name[0] == name[-1] == '"':
            name = name[1:-1]
            if '"' in name or "\\" in name:
                return None
        elif _STRUCTURAL.search(name):
            return None
        return _name(name, decoder), address
    return ("", text) if _ADDR_SPEC.fullmatch(text) and "=?" not in text else None


def _name(name: str, decoder: Decoder) -> str:
    return plain(decode_words(name, decoder)) if "=?" in name else name.strip()


def _structured(text: str, decoder: Decoder) -> list[tuple[str, str]]:
    words: list[str] = []

    def mask(match: re.Match[str]) -> str:
        words.append(match[0])
        return f"\ue000{len(words) - 1}\ue001"

    def unmask(name: str) -> str:
        return plain(decode_words(_MASK.sub(lambda m: words[int(m[1])], name), decoder)) if words else plain(name)

    masked = _WORDS_IN_A_ROW.sub(mask, _MASK_CHARACTERS.sub("", text))
    defects: list[dict[str, object]] = []
    found = [(unmask(name), unmask(address)) for name, address in get_addresses(masked, defects=defects) if address]
    found.extend(_loose(unmask(str(defect["raw"])), decoder) for defect in defects if not defect["recovered"])
    return [(name if name != address else "", address) for name, address in found if name or address]


def _loose(text: str, decoder: Decoder) -> tuple[str, str]:
    """The last thing in `text` that looks like an address, and what is before it as the name."""
    text = _name(text, decoder)
    last = None
    for last in _LOOSE_ADDR_SPEC.finditer(text):  # noqa: B007 - the last one counts
        pass
    if last is None:
        return text.strip(' "<>,;'), ""
    return text[: last.start()].strip(' "<>,;:('), last[0].rstrip(".")
