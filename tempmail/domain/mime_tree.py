"""Where the parts of a raw mail are: header fields and body spans, found in linear time without copying a body.

RFC 5322 section 2 and RFC 2046 section 5, read leniently: LF or CRLF, no blank line, headers alone, missing or
misdeclared boundaries. What cannot be split stays one leaf; nothing is lost, nothing raises.
"""

import itertools
import re
from dataclasses import dataclass, field

from tempmail.domain import mime_transfer
from tempmail.domain.charsets import Decoder
from tempmail.domain.mime_params import parameter, parameters
from tempmail.domain.mime_words import raw_text

MAX_ENCODED_MESSAGE_BYTES = 1 << 20
"""A message/rfc822 part in base64 or quoted-printable (RFC 2046 forbids it, gateways send it) is opened up to here."""

MAX_SEARCHES = 8
"""How often the whole of a mail may be searched for boundaries (and a megabyte more): keeps the work in proportion to
the mail's size where parts are nested with nothing beside them."""

_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
_FIELD_NAME = re.compile(rb"[!-9;-~]++[ \t]*+:|[ \t]")
_BLANK_LINE = re.compile(rb"\r?\n")
_BODY_FIELD = re.compile(
    rb"\n(content-type|content-transfer-encoding)[ \t]*+:([^\n]{0,998}(?:\n[ \t][^\n]{0,998}){0,8})", re.IGNORECASE
)
_HEADER_END = re.compile(rb"\n\r?\n")
_STRAY_LINE = re.compile(
    rb"[^\n]*+\n(?=(?:content-(?:type|transfer-encoding|disposition)|mime-version|subject|from|to|date|message-id"
    rb"|received|reply-to):)",
    re.IGNORECASE,
)
_MBOX_LINE = re.compile(rb">?From [^\n]*\n")
_MEDIA_TYPE = re.compile(r"\s*([\w!#$&^.+-]+)\s*/\s*([\w!#$&^.+*-]+)", re.ASCII)
_MESSAGES = ("message/rfc822", "message/global")
_HTML_START = re.compile(rb"\s{0,200}<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_GUESSED_DELIMITER = re.compile(rb"(?:^|\n)--([!-~]{1,70})[ \t]*\r?\n(?=content-[a-z-]+:)", re.IGNORECASE)
_GUESS_WITHIN_BYTES = 4096
_DELIMITER_TAIL = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")


@dataclass(frozen=True, slots=True)
class MimeLimits:
    """How much of a mail's structure is looked at. What is beyond stays in the raw mail and is named in the defects.

    `max_depth`: levels of parts inside parts; the mail itself is at 0. `max_parts`: parts in all, the mail included.
    `max_header_bytes`: of each header block, line ends included. `max_text_bytes`: decoded bytes of text/plain and of
    text/html, each; None for no bound.
    """

    max_depth: int = 20
    max_parts: int = 500
    max_header_bytes: int = 262144
    max_text_bytes: int | None = 1 << 20


@dataclass(slots=True)
class Part:
    """One MIME part. `number`: its place in the tree, depth first, the mail itself is 0.

    `source[start:end]` is the body, still transfer encoded. `fields`: every header field in order, name as written,
    value raw and folded. `values`: the first value of each name in lower case. `message_depth`: how many
    message/rfc822 parts hold it. `disposition`: "inline", "attachment", or "" for any other word and for none.
    """

    number: int
    depth: int
    message_depth: int
    source: bytes
    start: int
    end: int
    fields: list[tuple[str, bytes]]
    values: dict[str, bytes]
    media_type: str = "text/plain"
    type_parameters: dict[str, str] = field(default_factory=dict)
    encoding: str = ""
    disposition: str = ""
    disposition_parameters: dict[str, str] = field(default_factory=dict)
    children: list["Part"] = field(default_factory=list)

    @property
    def is_message(self) -> bool:
        return self.media_type in _MESSAGES

    def content(self) -> bytes:
        """The decoded body."""
        return mime_transfer.decode(self.source[self.start : self.end], self.encoding)

    def content_start(self, at_least_bytes: int) -> tuple[bytes, bool]:
        """The start of the decoded body, and whether that is all of it. If not, it has `at_least_bytes`, or fewer
        where the encoding is mostly line breaks."""
        end = min(self.end, self.start + 3 * at_least_bytes + 1024)
        return mime_transfer.decode(self.source[self.start : end], self.encoding), end == self.end

    def content_size(self) -> int:
        return mime_transfer.decoded_size(self.source, self.start, self.end, self.encoding)


@dataclass(slots=True)
class Tree:
    parts: list[Part]
    defects: list[str]

    @property
    def root(self) -> Part:
        return self.parts[0]


def split(raw: bytes, limits: MimeLimits, decoder: Decoder) -> Tree:
    """The parts of `raw`, depth first."""
    splitter = _Splitter(limits, decoder, len(raw))
    start = 0
    while raw.startswith((b"\r\n", b"\n"), start) and start < 64:
        start = _end_of_line(raw, start)
    if start and not _FIELD.match(raw, start, start + 1000):
        start = 0
    splitter.add(raw, start, len(raw), depth=0, message_depth=0, default_type="text/plain")
    return Tree(splitter.parts, splitter.defects)


def _end_of_line(raw: bytes, at: int) -> int:
    return raw.index(b"\n", at) + 1


def _sniffed(part: Part) -> str:
    """The type of a body that declares none: HTML where it begins so, else plain text."""
    return "text/html" if _HTML_START.match(part.source, part.start, part.end) else "text/plain"


class _Splitter:
    def __init__(self, limits: MimeLimits, decoder: Decoder, size_bytes: int) -> None:
        self.parts: list[Part] = []
        self.defects: list[str] = []
        self._limits = limits
        self._decoder = decoder
        self._searched_bytes = 0
        self._max_searched_bytes = MAX_SEARCHES * size_bytes + (1 << 20)

    def add(self, source: bytes, start: int, end: int, *, depth: int, message_depth: int, default_type: str) -> Part:
        fields: list[tuple[str, bytes]] = []
        body = self._read_fields(source, start, end, fields)
        values: dict[str, bytes] = {}
        for name, value in fields:
            values.setdefault(name.lower(), value)
        part = Part(len(self.parts), depth, message_depth, source, body, end, fields, values)
        self.parts.append(part)
        self._read_content_fields(part, default_type)
        if part.media_type.startswith("multipart/"):
            self._split_multipart(part)
        elif part.is_message:
            self._open_message(part)
        return part

    def _defect(self, text: str) -> None:
        if text not in self.defects:
            self.defects.append(text)

    def _read_fields(self, source: bytes, start: int, end: int, fields: list[tuple[str, bytes]]) -> int:
        """Collect the header fields from `start`; returns where the body begins."""
        at = start
        limit = min(end, start + self._limits.max_header_bytes)
        match = _MBOX_LINE.match(source, at, limit)
        if match:
            at = match.end()
        while at < limit:
            match = _FIELD.match(source, at, limit)
            if match is None:
                blank = _BLANK_LINE.match(source, at, end)
                if blank:
                    return blank.end()
                stray = _STRAY_LINE.match(source, at, limit) if fields else None
                if stray is None:
                    break
                self._defect("header: a line is no field")
                at = stray.end()
                continue
            if match.end() == limit < end and (source[limit - 1] != 10 or source[limit] in b" \t"):
                fields.append((match[1].decode("ascii"), match[2]))
                break
            fields.append((match[1].decode("ascii"), match[2]))
            at = match.end()
        if at == end:
            return end
        blank = _BLANK_LINE.match(source, at, end)
        if blank:
            return blank.end()
        if _FIELD_NAME.match(source, at, end) is None:
            self._defect("header: no blank line before the body")
            return at
        self._defect("header: over the limit of bytes")
        match = _HEADER_END.search(source, max(limit - 1, 0), end)
        body = match.end() if match else end
        # A long list of recipients may push the two fields out without which the body cannot be read.
        found = itertools.islice(_BODY_FIELD.finditer(source, max(limit - 1, 0), body), 4)
        fields.extend((match[1].decode("ascii"), match[2]) for match in found)
        return body

    def _read_content_fields(self, part: Part, default_type: str) -> None:
        part.media_type = default_type
        value = part.values.get("content-type")
        if value is not None:
            text = raw_text(value, self._decoder)
            match = _MEDIA_TYPE.match(text)
            if match:
                part.media_type = f"{match[1]}/{match[2]}".lower()
                if match.end() < len(text):
                    part.type_parameters = parameters(text[match.end() :])
            else:
                self._defect("content-type: not readable")
                part.type_parameters = parameters(text.partition(";")[2])
        elif part.depth == 0:
            part.media_type = _sniffed(part)
        value = part.values.get("content-transfer-encoding")
        if value is not None:
            part.encoding = value.partition(b";")[0].strip(b" \t\r\n\"'").decode("ascii", "replace").lower()
        value = part.values.get("content-disposition")
        if value is not None:
            word, _, rest = raw_text(value, self._decoder).partition(";")
            word = word.strip().lower()
            part.disposition = word if word in ("inline", "attachment") else ""
            part.disposition_parameters = parameters(rest) if rest else {}

    def _has_room_below(self, part: Part) -> bool:
        self._searched_bytes += part.end - part.start
        if self._searched_bytes > self._max_searched_bytes:
            self._defect("parts: too much nested in too much")
            return False
        if part.depth >= self._limits.max_depth:
            self._defect("parts: nested deeper than the limit")
            return False
        if len(self.parts) >= self._limits.max_parts:
            self._defect("parts: more than the limit")
            return False
        return True

    def _open_message(self, part: Part) -> None:
        source, start, end = part.source, part.start, part.end
        if part.encoding in ("base64", "quoted-printable"):
            if end - start > MAX_ENCODED_MESSAGE_BYTES:
                return
            source = part.content()
            start, end = 0, len(source)
        if start == end or not self._has_room_below(part):
            return
        part.children.append(
            self.add(
                source,
                start,
                end,
                depth=part.depth + 1,
                message_depth=part.message_depth + 1,
                default_type="text/plain",
            )
        )

    def _split_multipart(self, part: Part) -> None:
        boundary = self._boundary(part)
        if boundary is None:
            self._defect("multipart: no boundary")
            part.media_type = _sniffed(part)
            return
        if not self._has_room_below(part):
            return
        source, end = part.source, part.end
        default_type = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
        delimiters = _Delimiters(source, boundary)
        here = delimiters.next(max(part.start - 1, 0), end)
        if here is None:
            self._defect("multipart: the boundary does not occur")
            part.media_type = _sniffed(part)
            return
        while not here.closes:
            after = delimiters.next(here.end - 1, end)
            if len(self.parts) >= self._limits.max_parts:
                self._defect("parts: more than the limit")
                return
            if after is None:
                self._defect("multipart: no closing boundary")
            part.children.append(
                self.add(
                    source,
                    here.end,
                    end if after is None else max(after.start, here.end),
                    depth=part.depth + 1,
                    message_depth=part.message_depth,
                    default_type=default_type,
                )
            )
            if after is None:
                return
            here = after

    def _boundary(self, part: Part) -> bytes | None:
        declared = parameter(part.type_parameters, "boundary", self._decoder).rstrip()
        if declared:
            boundary = declared.encode("utf-8", "replace")
            if part.source.find(b"--" + boundary, part.start, part.end) >= 0:
                return boundary
        match = _GUESSED_DELIMITER.search(
            part.source, max(part.start - 1, 0), min(part.end, part.start + _GUESS_WITHIN_BYTES)
        )
        if match:
            self._defect("multipart: the boundary was guessed")
            return match[1]
        return declared.encode("utf-8", "replace") or None


@dataclass(frozen=True, slots=True)
class _Delimiter:
    """A delimiter line: `start` where the content before it ends, `end` where its next line begins."""

    start: int
    end: int
    closes: bool


class _Delimiters:
    """The delimiter lines of one boundary. Plain search finds them fastest; where lines that only begin like one turn
    up, a pattern takes over, which passes those without a step each."""

    def __init__(self, source: bytes, boundary: bytes) -> None:
        self._source = source
        self._needle = b"\n--" + boundary
        self._pattern: re.Pattern[bytes] | None = None

    def next(self, at: int, end: int) -> _Delimiter | None:
        """The first delimiter line whose preceding line feed is at `at` or later."""
        if self._pattern is None:
            start = self._source.find(self._needle, at, end)
            if start < 0:
                return None
            match = _DELIMITER_TAIL.match(self._source, start + len(self._needle), end)
            if match is not None:
                return self._delimiter(start, match)
            self._pattern = re.compile(re.escape(self._needle) + _DELIMITER_TAIL.pattern)
            at = start + 1
        match = self._pattern.search(self._source, at, end)
        return None if match is None else self._delimiter(match.start(), match)

    def _delimiter(self, start: int, match: re.Match[bytes]) -> _Delimiter:
        if start > 0 and self._source[start - 1] == 13:
            start -= 1
        return _Delimiter(start, match.end(), match[1] is not None)
