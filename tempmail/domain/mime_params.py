"""Parameters of header values: `text/plain; charset=utf-8`, `attachment; filename*=UTF-8''a%20b` (RFC 2045, 2231)."""

import re
from urllib.parse import unquote_to_bytes

from tempmail.domain.charsets import Decoder
from tempmail.domain.mime_words import decode_words

MAX_PARAMETERS = 200
"""Of one value; further ones are not read."""
MAX_FILENAME_CHARS = 200

_PARAMETER = re.compile(r'[;\s]*([^\s=;"]++)\s*=\s*(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^;]*+))[^;]*+')
_NO_PARAMETER = re.compile(r"[^;]*;|[^;]+$")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_NOT_IN_FILENAMES = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")


def parameters(text: str) -> dict[str, str]:
    """The parameters that follow the first word of a value, names in lower case, quotes removed. The first of a name
    counts. `text`: what follows that word. Extended ones (RFC 2231) keep their raw names: `filename*0*`."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text) and len(found) < MAX_PARAMETERS:
        match = _PARAMETER.match(text, at)
        if match is None:
            match = _NO_PARAMETER.match(text, at)
            if match is None:
                break
        else:
            name, quoted, token = match.groups()
            value = token.strip() if quoted is None else _QUOTED_PAIR.sub(r"\1", quoted) if "\\" in quoted else quoted
            found.setdefault(name.lower(), value)
        at = match.end()
    return found


def parameter(found: dict[str, str], name: str, decoder: Decoder) -> str:
    """One parameter as text, "" if absent: extended or continued (RFC 2231) where it is given so, else plain; encoded
    words, which do not belong there but are common, are read."""
    extended = found.get(name + "*")
    if extended is not None:
        charset, data = _extended(extended)
        return decoder.decode(data, charset)
    if name + "*0" in found or name + "*0*" in found:
        return _continued(found, name, decoder)
    value = found.get(name, "")
    return decode_words(value, decoder) if "=?" in value else value


def safe_filename(name: str) -> str:
    """`name` as the last part of a path: no folders, no control or direction characters, bounded with its extension
    kept; "" where nothing is left."""
    name = _NOT_IN_FILENAMES.sub(" ", name).replace("\\", "/").rpartition("/")[2].strip(" .") if name else ""
    if len(name) > MAX_FILENAME_CHARS:
        stem, dot, extension = name.rpartition(".")
        keep = dot + extension if stem and len(extension) <= 16 else ""
        name = name[: MAX_FILENAME_CHARS - len(keep)] + keep
    return name


def _extended(value: str) -> tuple[str, bytes]:
    """(charset, bytes) of `charset'language'percent-encoded`; the two marks may be missing."""
    charset, mark, rest = value.partition("'")
    if mark:
        _, mark, encoded = rest.partition("'")
        if mark:
            return charset, unquote_to_bytes(encoded)
    return "", unquote_to_bytes(value)


def _continued(found: dict[str, str], name: str, decoder: Decoder) -> str:
    """`name*0`, `name*1*`, … joined as bytes before decoding, since a character may be cut between two."""
    charset = ""
    data = bytearray()
    for number in range(MAX_PARAMETERS):
        plain_value = found.get(f"{name}*{number}")
        encoded = found.get(f"{name}*{number}*")
        if encoded is not None:
            if number == 0:
                charset, piece = _extended(encoded)
                data += piece
            else:
                data += unquote_to_bytes(encoded)
        elif plain_value is not None:
            data += plain_value.encode("utf-8", "replace")
        else:
            break
    return decoder.decode(bytes(data), charset)
