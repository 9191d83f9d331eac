"""Content-Transfer-Encoding (RFC 2045 section 6): bytes as the sender had them, however badly they were wrapped."""

import binascii
import re

MAX_PADDED_RUNS = 20000
"""Base64 that was padded within (each line for itself, or files in a row) is read so up to this many runs."""

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(b for b in range(256) if b not in _BASE64)
_NOT_BASE64_OR_PAD = bytes(b for b in _NOT_BASE64 if b != 0x3D)
_PADDING = re.compile(rb"=+")
_NOT_A_RUN = re.compile(rb"[^A-Za-z0-9+/=\s]|[^=\s][ \t]+[^=\s]")
_SOFT_BREAK_WITH_PADDING = re.compile(rb"=[ \t]+(?=\r?\n)")
_UU_BEGIN = re.compile(rb"(?:^|\n)begin [0-7]{3,4} [^\n]*\n")
_CHUNK_BYTES = 1 << 16
_REGULAR_FROM_BYTES = 1 << 16
_UU_COUNTED_BYTES = 1 << 20

UUENCODE = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})


def decode(data: bytes, encoding: str) -> bytes:
    """The content of a body. Never raises; an unknown encoding leaves it as it is.

    `encoding`: the Content-Transfer-Encoding, in lower case without blanks.
    """
    if encoding == "base64":
        return base64_bytes(data)
    if encoding == "quoted-printable":
        if b"= " in data or b"=\t" in data:
            data = _SOFT_BREAK_WITH_PADDING.sub(b"=", data)
        return binascii.a2b_qp(data)
    if encoding in UUENCODE:
        return _uudecoded(data)
    return data


def base64_bytes(data: bytes) -> bytes:
    """Base64 with strange characters, missing padding or a stray last character; several padded runs are joined.

    >>> base64_bytes(b"dGVz\\r\\n!dA"), base64_bytes(b"YQ==Yg==")
    (b'test', b'ab')
    """
    data = data[: _end_of_base64(data, 0, len(data))]
    pad = data.find(b"=")
    if pad < 0 or not data[pad:].strip(b"=\r\n\t "):
        try:
            return binascii.a2b_base64(data)
        except binascii.Error:
            pass
    runs = _PADDING.split(data.translate(None, _NOT_BASE64_OR_PAD), MAX_PADDED_RUNS - 1)
    return b"".join(map(_unpadded, runs))


def _end_of_base64(raw: bytes, start: int, end: int) -> int:
    """Where base64 ends: after its padding, if what follows is text that was added behind it and not another run."""
    pad = raw.find(b"=", start, end)
    if pad < 0 or _NOT_A_RUN.search(raw, pad, end) is None:
        return end
    return pad + (2 if raw.startswith(b"==", pad) else 1)


def _unpadded(data: bytes) -> bytes:
    clean = data.translate(None, _NOT_BASE64)
    odd = len(clean) % 4
    return binascii.a2b_base64(clean[:-1] if odd == 1 else clean + b"=" * (-odd % 4))


def decoded_size(raw: bytes, start: int, end: int, encoding: str) -> int:
    """How many bytes `raw[start:end]` decodes to. Base64, the one that carries large files, is counted, not decoded.

    Uuencode beyond a megabyte is estimated. Large base64 whose lines end at equal distances is taken to hold nothing
    but base64: counting the breaks costs a tenth of looking at every byte.
    """
    if encoding == "base64":
        return _base64_size(raw, start, end)
    if encoding == "quoted-printable":
        return _quoted_printable_size(raw, start, end)
    if encoding in UUENCODE:
        return len(_uudecoded(raw[start : min(end, start + _UU_COUNTED_BYTES)])) * max(
            1, (end - start) // _UU_COUNTED_BYTES
        )
    return end - start


def _quoted_printable_size(raw: bytes, start: int, end: int) -> int:
    size = 0
    while start < end:
        cut = end if end - start <= _CHUNK_BYTES else raw.find(b"\n", start + _CHUNK_BYTES, end) + 1 or end
        size += len(decode(raw[start:cut], "quoted-printable"))
        start = cut
    return size


def _base64_size(raw: bytes, start: int, end: int) -> int:
    end = _end_of_base64(raw, start, end)
    characters = _regular_base64(raw, start, end) if end - start >= _REGULAR_FROM_BYTES else None
    if characters is not None:
        return characters * 3 // 4
    size = 0
    characters = 0
    room = MAX_PADDED_RUNS - 1
    for at in range(start, end, _CHUNK_BYTES):
        clean = raw[at : min(at + _CHUNK_BYTES, end)].translate(None, _NOT_BASE64_OR_PAD)
        if room > 0 and b"=" in clean:
            *closed, clean = _PADDING.split(clean, room)
            room -= len(closed)
            for run in closed:
                size += (characters + len(run)) * 3 // 4
                characters = 0
        if room <= 0:
            clean = clean.replace(b"=", b"")
        characters += len(clean)
    return size + characters * 3 // 4


def _regular_base64(raw: bytes, start: int, end: int) -> int | None:
    """How many characters of base64 there are, or None where the lines are not all alike."""
    first = raw.find(b"\n", start, min(end, start + 1000)) + 1
    width = first - start
    if width < 5:
        return None
    break_bytes = 2 if raw[first - 2 : first] == b"\r\n" else 1
    tail = raw[max(first, end - 8) : end]
    end -= len(tail) - len(tail.rstrip(b"=\r\n"))
    if raw.find(b"=", start, end) >= 0:
        return None
    lines = (end - start) // width
    if raw[first - 1 : end : width].count(b"\n") != lines:
        return None
    if break_bytes == 2 and raw[first - 2 : start + lines * width : width].count(b"\r") != lines:
        return None
    return end - start - lines * break_bytes


def _uudecoded(data: bytes) -> bytes:
    begin = _UU_BEGIN.search(data)
    out = bytearray()
    for line in data[begin.end() if begin else 0 :].split(b"\n"):
        line = line.rstrip(b"\r")
        if line in (b"end", b"`", b" "):
            break
        if not line:
            continue
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            # The line is longer or shorter than its count says: take what the count can stand for.
            wanted = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                out += binascii.a2b_uu(line[:wanted].ljust(wanted))
            except binascii.Error:
                out += line
    return bytes(out)
