"""What can be told from a web address alone: its host, the words in it, and whether it carries a secret."""

import re
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from tempmail.domain.codes_text import read_source

MAX_PIECES: Final = 60
MAX_WORDS_CHARS: Final = 300

NO_TOKEN: Final = 0
SHORT_KEY: Final = 1
TOKEN: Final = 2

_PARTS: Final = re.compile(r"https?://([^/?#\s]+)([^?#]*)(?:\?([^#]*))?(?:#(.*))?\Z", re.IGNORECASE | re.DOTALL)
_PIECES: Final = re.compile(r"[/?&=;#.,!~|:]")
_WORDS: Final = re.compile(r"[^\W\d_]+|\d+")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_CAPITALS: Final = re.compile("[A-Z]{2}")
_UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_UUID_DIGITS: Final = 32
_DIGITS: Final = b"0123456789"
_UPPERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWERS: Final = b"abcdefghijklmnopqrstuvwxyz"
_FILE: Final = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|css|js|ico|woff2?|ics|pdf)\Z", re.IGNORECASE)


class Traits(NamedTuple):
    """`path_concepts`, `query_concepts`: what the lexicon says of the words in them. `token`: NO_TOKEN to TOKEN."""

    is_bare: bool
    is_file: bool
    path_concepts: int
    query_concepts: int
    token: int


class Address(NamedTuple):
    host: str
    traits: Traits


def read_address(url: str) -> Address | None:
    """The address, or None where it is not a web page's (mailto:, tel:, relative)."""
    parts = _PARTS.match(url)
    if parts is None:
        return None
    host, path = parts[1].rpartition("@")[2].lower(), parts[2] or ""
    query = "&".join(filter(None, (parts[3], parts[4])))
    path_pieces = _pieces(path)
    query_pieces = _pieces(query)
    traits = Traits(
        not path.strip("/") and not query,
        "." in path and _FILE.search(path) is not None,
        _concepts_of_pieces(path_pieces),
        _concepts_of_pieces(query_pieces),
        _secret(path_pieces + query_pieces),
    )
    return Address(host, traits)


@lru_cache(maxsize=2_048)
def concepts_of(text: str) -> int:
    """All concepts of a short text."""
    concepts = 0
    for _, _, found in read_source("", text).hits:
        concepts |= found
    return concepts


def _pieces(text: str) -> list[tuple[str, int]]:
    """The pieces of a path or query, each with its strength."""
    if not text:
        return []
    pieces = _PIECES.split(unquote(text) if "%" in text else text)
    return [(piece, _strength(piece)) for piece in list(filter(None, pieces))[:MAX_PIECES]]


def _concepts_of_pieces(pieces: list[tuple[str, int]]) -> int:
    words = [piece for piece, strength in pieces if strength != TOKEN and len(piece) < 40]
    return _concepts_of_words(" ".join(words)) if words else 0


@lru_cache(maxsize=2_048)
def _concepts_of_words(words: str) -> int:
    return concepts_of(" ".join(_WORDS.findall(_CAMEL.sub(" ", words)))[:MAX_WORDS_CHARS])


def _secret(pieces: list[tuple[str, int]]) -> int:
    strongest = NO_TOKEN
    for _, strength in pieces:
        if strength > strongest:
            strongest = strength
    if strongest == SHORT_KEY:
        keys = [len(piece) for piece, strength in pieces if strength and not piece.isdigit()]
        if sum(keys) >= 16:
            return TOKEN
    return strongest


def _is_jumbled(letters: str) -> bool:
    """Whether capitals and small letters change as in no word."""
    if letters.isupper():
        return True
    changes = len(_CAMEL.findall(letters))
    return changes >= 3 or (changes == 2 and _CAPITALS.search(letters) is not None)


def _strength(piece: str) -> int:
    """TOKEN for a random string that nobody could guess, SHORT_KEY for a short key or number, NO_TOKEN for a word."""
    if len(piece) < 6:
        return NO_TOKEN
    if len(piece) < 12 and piece.isalpha():
        return SHORT_KEY if len(piece) >= 8 and _is_jumbled(piece) else NO_TOKEN
    if len(piece) >= _UUID_DIGITS and _UUID.search(piece):
        return TOKEN
    if piece.isascii():
        data = piece.encode()
        digits = len(data) - len(data.translate(None, _DIGITS))
        uppers = len(data) - len(data.translate(None, _UPPERS))
        letters = uppers + len(data) - len(data.translate(None, _LOWERS))
    else:
        digits = sum(map(str.isdigit, piece))
        uppers = sum(map(str.isupper, piece))
        letters = sum(map(str.isalpha, piece))
    if len(piece) >= 16 and ((digits >= 2 and letters >= 2) or 2 <= uppers < letters):
        return TOKEN
    if len(piece) >= 24 and "-" not in piece and "_" not in piece:
        return TOKEN
    if digits and letters:
        return TOKEN if len(piece) >= 12 and (uppers or digits >= 3) else SHORT_KEY
    return SHORT_KEY if digits else NO_TOKEN
