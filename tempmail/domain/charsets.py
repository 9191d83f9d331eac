"""Bytes of a mail to text: the charset that is declared, widened as browsers do; doubted where the bytes speak against
it; guessed where there is none.

Sources: WHATWG Encoding Standard (labels that stand for a larger set); RFC 1468 and CP50221 (ISO-2022-JP as sent).
"""

import codecs
import re
from collections.abc import Callable
from encodings.aliases import aliases as python_aliases
from functools import lru_cache

from tempmail.domain.charset_guess import guess, score_as

MAX_GUESSES = 8
"""How often one mail's strings are guessed anew; then the last guess serves. Bounds the work of a hostile mail."""

_UTF_8 = "utf_8"
_WESTERN = "cp1252"
_ISO_2022_JP = "iso2022_jp"

_WIDER = {
    "ascii": None,
    "latin_1": _WESTERN,
    "iso8859_1": _WESTERN,
    "iso8859_9": "cp1254",
    "iso8859_11": "cp874",
    "tis_620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "cp950": "big5hkscs",
    "euc_jis_2004": "euc_jp",
    "utf_8_sig": _UTF_8,
    "iso2022_jp_1": _ISO_2022_JP,
    "iso2022_jp_ext": _ISO_2022_JP,
}
"""Codecs that are replaced by a larger one. None: says nothing, the bytes decide."""

_EXTRA_LABELS = {
    "cn_big5": "big5hkscs",
    "x_x_big5": "big5hkscs",
    "x_big5": "big5hkscs",
    "cn_gb": "gb18030",
    "x_gbk": "gb18030",
    "gb_2312_80": "gb18030",
    "gb_2312": "gb18030",
    "ms936": "gb18030",
    "x_euc_jp": "euc_jp",
    "x_euc_kr": "cp949",
    "x_sjis": "cp932",
    "windows_31j": "cp932",
    "cswindows31j": "cp932",
    "ms_kanji": "cp932",
    "ks_c_5601": "cp949",
    "ks_c_5601_1987": "cp949",
    "ks_c_5601_1989": "cp949",
    "unicode_1_1_utf_7": "utf_7",
    "x_unicode_2_0_utf_7": "utf_7",
    "unicode_1_1_utf_8": _UTF_8,
    "utf_8mb4": _UTF_8,
    "x_utf_8": _UTF_8,
    "iso_8859_8_i": "cp1255",
    "iso_8859_8_e": "cp1255",
    "iso_2022_jp_ms": _ISO_2022_JP,
    "cp50220": _ISO_2022_JP,
    "cp50221": _ISO_2022_JP,
    "cp50222": _ISO_2022_JP,
    "hz_gb_2312": "hz",
    "koi": "koi8_r",
    "koi8_ru": "koi8_u",
    "koi8": "koi8_r",
    "dos_874": "cp874",
    "x_mac_roman": "mac_roman",
    "x_mac_cyrillic": "mac_cyrillic",
    "tis620": "cp874",
    "tis_620": "cp874",
}

_MULTI_BYTE = frozenset(
    {"gb18030", "big5hkscs", "cp932", "cp949", "euc_jp", "johab", "shift_jis_2004", "shift_jisx0213"}
)
_ASCII_BASED_OTHERS = frozenset(
    {"hz", "utf_7", _ISO_2022_JP, "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "iso2022_kr"}
)
_WIDE = frozenset({"utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"})
_SINGLE_BYTE = frozenset(
    {f"cp{n}" for n in (437, 737, 775, *range(850, 870), 874, 1006, 1125, *range(1250, 1259))}
    | {f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}
    | {
        "koi8_r",
        "koi8_u",
        "koi8_t",
        "kz1048",
        "ptcp154",
        "mac_roman",
        "mac_cyrillic",
        "mac_greek",
        "mac_turkish",
        "mac_latin2",
    }
) - {"cp853", "cp854", "cp859", "cp867", "cp868", "cp851"}
_LEGACY = (_MULTI_BYTE | _SINGLE_BYTE) - {_WESTERN}
_KNOWN = _MULTI_BYTE | _ASCII_BASED_OTHERS | _WIDE | _SINGLE_BYTE | {_UTF_8}

_BOMS = (
    (codecs.BOM_UTF8, _UTF_8),
    (codecs.BOM_UTF32_LE, "utf_32_le"),
    (codecs.BOM_UTF16_LE, "utf_16_le"),
    (codecs.BOM_UTF16_BE, "utf_16_be"),
)
_ESCAPES = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$", _ISO_2022_JP), (b"\x1b(", _ISO_2022_JP))

_NOT_WORD = re.compile(r"[^a-z0-9]+")
_WINDOWS = re.compile(r"(?:x_)?(?:windows|win|cp|ibm|ms)_?(\d{3,5})")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ASCII = bytes(range(128))
_META = re.compile(rb"<meta\b[^>]{0,300}?charset\s*=\s*[\"']?\s*([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_XML_DECLARATION = re.compile(rb"\s*<\?xml\b[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})")
_META_WITHIN_BYTES = 4096
_CHECKED_BYTES = 4096
"""How much is looked at to doubt a label."""


@lru_cache(maxsize=256)
def codec_of(label: str | None) -> str | None:
    """The Python codec that a charset label stands for, or None where it names nothing that may decode text.

    Never asks Python's registry for a sender's word: that would try to import it, and remember it for ever.

    >>> codec_of("GB2312"), codec_of('"iso-8859-1"'), codec_of("x-unknown"), codec_of("us-ascii")
    ('gb18030', 'cp1252', None, None)
    """
    if not label or len(label) > 64:
        return None
    norm = _NOT_WORD.sub("_", label.lower()).strip("_")
    codec: str | None = _EXTRA_LABELS.get(norm)
    if codec is None:
        codec = python_aliases.get(norm, norm)
        if codec not in _KNOWN and codec not in _WIDER and (match := _WINDOWS.fullmatch(norm)):
            codec = f"cp{match[1]}"
            codec = {"cp65001": _UTF_8, "cp936": "gb18030", "cp20866": "koi8_r", "cp54936": "gb18030"}.get(codec, codec)
        codec = _WIDER.get(codec, codec)
    return codec if codec in _KNOWN else None


class Decoder:
    """Decodes the strings of one mail. Never raises; never gives a lone surrogate; U+FFFD only where bytes have no
    meaning. It remembers the charset that its bodies proved, so that unlabelled headers are read the same way."""

    __slots__ = ("_guesses", "_proved")

    def __init__(self) -> None:
        self._proved: str | None = None
        self._guesses = 0

    def expect(self, label: str | None) -> None:
        """Read what is unlabelled by this charset, the declared one of a body, until a body proves another."""
        codec = codec_of(label)
        if self._proved is None and codec in _LEGACY:
            self._proved = codec

    def decode(self, data: bytes, label: str | None = None) -> str:
        """`data` as text; `label` is the declared charset, if any."""
        if data.isascii() and b"\x1b" not in data and b"\0" not in data:
            if not label or (codec := codec_of(label)) not in _ASCII_BASED_OTHERS:
                return data.decode("ascii")
        else:
            codec = codec_of(label)
        for bom, marked in _BOMS:
            if data.startswith(bom):
                return data[len(bom) :].decode(marked, "replace")
        if codec is None or codec == _UTF_8:
            return self._unlabelled(data)
        if codec in _WIDE:
            return _wide(data, codec) or self._unlabelled(data)
        if codec in _ASCII_BASED_OTHERS:
            return _escaped(data, codec) if data.isascii() else self._unlabelled(data)
        return self._labelled(data, codec)

    def decode_html(self, data: bytes, label: str | None = None) -> str:
        """As `decode`; where the mail declares nothing usable, the document's own declaration counts."""
        if codec_of(label) is None and (own := _declared_in(data)) and codec_of(own) not in _WIDE:
            label = own
        return self.decode(data, label)

    def _unlabelled(self, data: bytes) -> str:
        if data.isascii():
            for escape, codec in _ESCAPES:
                if escape in data:
                    return _escaped(data, codec)
        text = _strict(data, _UTF_8)
        if text is not None:
            return text
        if _mostly_utf_8(data):
            return data.decode(_UTF_8, "replace")
        if self._proved is not None:
            text = _strict(data, self._proved)
            if text is not None:
                return text
        if self._guesses >= MAX_GUESSES:
            return data.decode(self._proved or _WESTERN, "replace")
        self._guesses += 1
        self._proved = guess(data)
        return data.decode(self._proved, "replace")

    def _labelled(self, data: bytes, codec: str) -> str:
        """By `codec` (not UTF-8), unless the bytes are UTF-8 beyond doubt or make no sense in it."""
        if _is_utf_8_for_sure(data, codec in _MULTI_BYTE):
            return data.decode(_UTF_8)
        text = _strict(data, codec)
        if text is None and codec == "big5hkscs":
            text = _strict(data, "cp950")
        if codec == _WESTERN and self._guesses < MAX_GUESSES and (text is None or _is_hardly_western(data)):
            self._guesses += 1
            better = guess(data)
            if better != codec and score_as(data, better) > score_as(data, codec) + 0.2:
                self._proved = better
                return data.decode(better, "replace")
        if text is not None:
            if codec != _WESTERN and not data.isascii():
                self._proved = codec
            return text
        text = _scrubbed(data.decode(codec, "replace"))
        lost = text.count("\ufffd")
        if lost * 20 <= len(data.translate(None, _ASCII)) or codec in _SINGLE_BYTE:
            return text
        found = self._unlabelled(data)
        return found if found.count("\ufffd") < lost else text


def decode(data: bytes, label: str | None = None) -> str:
    """`data` as text on its own, without a mail around it. See `Decoder`."""
    return Decoder().decode(data, label)


def _strict(data: bytes, codec: str) -> str | None:
    try:
        text = data.decode(codec)
    except UnicodeError:
        return None
    return text if codec == _UTF_8 or codec in _SINGLE_BYTE or _SURROGATE.search(text) is None else None


def _scrubbed(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def _wide(data: bytes, codec: str) -> str | None:
    """UTF-16 or UTF-32, or None where the label is wrong: such text always holds NUL bytes or is not ASCII."""
    if data.isascii() and b"\0" not in data:
        return None
    if codec in ("utf_16", "utf_32"):
        # Without a mark the order is open; blanks and letters of ASCII tell it.
        width = 2 if codec == "utf_16" else 4
        big = data[0::width].count(0) > data[width - 1 :: width].count(0)
        codec += "_be" if big else "_le"
    return _scrubbed(data.decode(codec, "replace"))


def _escaped(data: bytes, codec: str) -> str:
    text = _strict(data, codec)
    if text is not None:
        return text
    if codec == _ISO_2022_JP and len(data) <= _CP50221_UP_TO_BYTES:
        return _cp50221(data)
    return _scrubbed(data.decode(codec, "replace"))


_CP50221_UP_TO_BYTES = 1 << 20
_JIS_SHIFT = re.compile(rb"\x1b(\$[@BA]|\$\(D|\([BJI])")


def _cp50221(data: bytes) -> str:
    """ISO-2022-JP with the vendor characters (circled digits, (株)) and half-width kana that real senders add."""
    out: list[str] = []
    pieces = _JIS_SHIFT.split(data)
    out.append(pieces[0].decode("ascii", "replace"))
    for shift, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        out.append(_JIS_SETS.get(shift, _jis_0208)(piece))
    return "".join(out)


def _jis_0208(piece: bytes) -> str:
    return _by_pairs(piece, _shift_jis_pair, "cp932")


def _jis_0212(piece: bytes) -> str:
    return _by_pairs(piece, lambda high, low: bytes((0x8F, high | 0x80, low | 0x80)), "euc_jp")


def _by_pairs(piece: bytes, encode: Callable[[int, int], bytes], codec: str) -> str:
    """A double-byte set's characters; what cannot be one (line ends, blanks) stands for itself."""
    out = bytearray()
    i = 0
    while i < len(piece):
        if 0x21 <= piece[i] <= 0x7E and i + 1 < len(piece) and 0x21 <= piece[i + 1] <= 0x7E:
            out += encode(piece[i], piece[i + 1])
            i += 2
        else:
            out.append(piece[i])
            i += 1
    return out.decode(codec, "replace")


def _shift_jis_pair(high: int, low: int) -> bytes:
    """A JIS X 0208 pair in Shift_JIS form (JIS X 0208:1997, annex 1)."""
    lead = (high + 1) // 2 + (0x70 if high < 0x5F else 0xB0)
    trail = low + (0x7E if high % 2 == 0 else 0x1F if low < 0x60 else 0x20)
    return bytes((lead, trail))


def _roman(piece: bytes) -> str:
    return piece.decode("ascii", "replace")


def _half_width_kana(piece: bytes) -> str:
    return bytes(b | 0x80 if 0x21 <= b <= 0x5F else b for b in piece).decode("cp932", "replace")


_JIS_SETS: dict[bytes, Callable[[bytes], str]] = {
    b"(B": _roman,
    b"(J": _roman,
    b"(I": _half_width_kana,
    b"$(D": _jis_0212,
}


def _mostly_utf_8(data: bytes) -> bool:
    """Whether `data` is UTF-8 with a few broken bytes (cut, or spliced by a bad relay)."""
    sample = data[:_CHECKED_BYTES].decode(_UTF_8, "replace")
    lost = sample.count("\ufffd")
    kept = sum(1 for char in sample if char > "\x7f") - lost
    return kept >= 2 and kept > lost


def _is_utf_8_for_sure(data: bytes, multi_byte_label: bool) -> bool:
    """Whether bytes with another label are UTF-8 all the same.

    Text of a single-byte charset is hardly ever valid UTF-8. Short text of a double-byte one may be by chance (the
    well-known 联通), so there a few characters are asked for.
    """
    text = _strict(data, _UTF_8)
    if text is None or not multi_byte_label:
        return text is not None and not data.isascii()
    wide = [char for char in text[:_CHECKED_BYTES] if char > "\x7f"]
    return len(wide) >= (2 if any(char > "\u07ff" for char in wide) else 5)


def _is_hardly_western(data: bytes) -> bool:
    """Whether letters outside ASCII are so many that windows-1252, the label of careless senders, cannot be meant."""
    sample = data[:_CHECKED_BYTES]
    high = len(sample.translate(None, _ASCII))
    letters = sum(sample.count(c) for c in b"etaoinsrhldcu")
    return high >= 4 and high * 2 > letters


def _declared_in(data: bytes) -> str | None:
    head = data[:_META_WITHIN_BYTES]
    match = _META.search(head) or _XML_DECLARATION.match(head)
    return match[1].decode("ascii") if match else None
