"""The file of an upload form: `multipart/form-data` (RFC 7578, RFC 2046 5.1), all of it in memory, in linear time."""

import re
from dataclasses import dataclass, field

from tempmail.web.problems import Malformed

MULTIPART = "multipart/form-data"

MAX_PARTS = 16
MAX_HEAD_BYTES = 8 << 10

_BOUNDARY = re.compile(r""";\s*boundary=(?:"([0-9A-Za-z'()+_,./:=? -]{1,70})"|([0-9A-Za-z'()+_,./:=?-]{1,70}))""")
_PARAMETER = re.compile(r';\s*(name|filename)=(?:"((?:[^"\\]|\\.)*)"|([^\s";]*))')


@dataclass(frozen=True, slots=True)
class Part:
    """`filename` None: a field that is no file."""

    name: str
    filename: str | None
    content_type: str
    body: bytes = field(repr=False)


def is_multipart(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == MULTIPART


def parts(content_type: str, body: bytes) -> list[Part]:
    """The parts of a form, in order. Raises `Malformed` for what is none, and for more than `MAX_PARTS`."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise Malformed("multipart: no boundary")
    delimiter = b"--" + (match[1] or match[2]).encode()
    # The delimiter belongs to the line break before it; the first may have none.
    at = 0 if body.startswith(delimiter) else body.find(b"\r\n" + delimiter) + 2
    if at == 1:
        raise Malformed("multipart: the boundary does not occur")
    found: list[Part] = []
    while True:
        at += len(delimiter)
        if body.startswith(b"--", at):
            return found
        if len(found) == MAX_PARTS:
            raise Malformed(f"multipart: more than {MAX_PARTS} parts")
        head_at = body.find(b"\r\n", at, at + MAX_HEAD_BYTES)
        head_end = body.find(b"\r\n\r\n", head_at, head_at + MAX_HEAD_BYTES) if head_at >= 0 else -1
        end = body.find(b"\r\n" + delimiter, head_end + 2) if head_end >= 0 else -1
        if end < 0:
            raise Malformed("multipart: a part does not end")
        found.append(_part(body[head_at:head_end], body[head_end + 4 : end]))
        at = end + 2


def _part(head: bytes, body: bytes) -> Part:
    headers = {}
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    given = {
        name: _unquoted(quoted or bare)
        for name, quoted, bare in _PARAMETER.findall(headers.get("content-disposition", ""))
    }
    return Part(given.get("name", ""), given.get("filename"), headers.get("content-type", ""), body)


def _unquoted(text: str) -> str:
    """Browsers write quotes as `%22` (WHATWG), others as `\\"`."""
    return re.sub(r"\\(.)", r"\1", text).replace("%22", '"')
