"""Header values as text: unfolded, charset decoded, encoded words read (RFC 2047), control characters gone."""

import binascii
import re

from tempmail.domain.charsets import Decoder
from tempmail.domain.mime_transfer import base64_bytes

_FOLD = re.compile(rb"\r?\n")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
ENCODED_WORD = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?((?:[^?=\x00-\x1f]++|\?(?!=)|=(?!\?[^=]))*+)\?=")
"""One encoded word. More than RFC 2047 allows: blanks and question marks inside, any length. Linear: a word ends where
the next one begins."""


def header_text(value: bytes, decoder: Decoder) -> str:
    """A whole unstructured header value, as a reader sees it. Never raises.

    >>> header_text(b"=?utf-8?B?w7xi?= =?utf-8?Q?er_uns?=", Decoder())
    'über uns'
    """
    text = raw_text(value, decoder)
    return plain(decode_words(text, decoder) if "=?" in text else text)


def raw_text(value: bytes, decoder: Decoder) -> str:
    """A header value as text with its encoded words still encoded; unfolded, may hold control characters."""
    if b"\n" in value:
        value = _FOLD.sub(b"", value)
    return decoder.decode(value).strip()


def plain(text: str) -> str:
    """`text` on one line: runs of control characters become one blank; nothing at the ends."""
    return text if text.isprintable() else _CONTROLS.sub(" ", text).strip()


def decode_words(text: str, decoder: Decoder) -> str:
    """`text` with its encoded words decoded. The bytes of neighbours in one charset are joined first, since senders cut
    within a character (RFC 2047 section 5 forbids it)."""
    out: list[str] = []
    pending = bytearray()
    charset = ""
    end = 0
    for match in ENCODED_WORD.finditer(text):
        label = match[1].partition("*")[0].lower()
        gap = text[end : match.start()]
        if pending and (label != charset or gap.strip()):
            out.append(decoder.decode(bytes(pending), charset))
            pending.clear()
        if end == 0 or gap.strip():
            out.append(gap)
        charset = label
        encoded = match[3].encode("utf-8", "replace")
        pending += base64_bytes(encoded) if match[2] in "bB" else binascii.a2b_qp(encoded, header=True)
        end = match.end()
    if pending:
        out.append(decoder.decode(bytes(pending), charset))
    out.append(text[end:])
    return "".join(out)
