"""What a raw mail says: decoded headers, texts and attachments, as one frozen `ParsedMail`.

`parse` takes any bytes and never raises: what is broken is shown as well as it can be, and named in the defects. The
raw mail is the truth; this is a reading of it, and the same bytes always give the same reading.

The way through: `mime_tree` finds the parts, `mime_roles` (mail-parser) says what each is for, `charsets`,
`mime_words`, `mime_params` and `mime_addresses` decode what a reader sees. A body is decoded only where it is shown;
attachments are measured, not decoded.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tempmail.domain.charsets import Decoder
from tempmail.domain.mime_addresses import address_list
from tempmail.domain.mime_params import parameter, safe_filename
from tempmail.domain.mime_preview import PREVIEW_CHARS, preview
from tempmail.domain.mime_roles import Roles, plain_roles, roles
from tempmail.domain.mime_tree import MimeLimits, Part, Tree, split
from tempmail.domain.mime_words import header_text, plain
from tempmail.errors import NotFound

__all__ = [
    "PREVIEW_CHARS",
    "Attachment",
    "MailAddress",
    "MimeLimits",
    "ParsedMail",
    "attachment_bytes",
    "parse",
    "preview",
]


@dataclass(frozen=True, slots=True)
class MailAddress:
    """`name`: decoded display name, or "". `address`: the addr-spec as written, or "" where none can be made out."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a mail. `part`: its number for `attachment_bytes`. `filename`: never empty, without
    folders and control characters. `size_bytes`: decoded. `content_id`: without angle brackets. `inline`: meant to be
    shown within the HTML."""

    part: int
    filename: str
    content_type: str
    size_bytes: int
    content_id: str | None
    inline: bool


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """`subject`: on one line, "" if absent. `message_id`, `date`: as written. `text`, `html`: all bodies of the kind,
    joined with LF, lines end with LF; those of enclosed messages follow those of the mail. `defects`: what was found
    broken or over a limit, each named once."""

    subject: str
    from_: tuple[MailAddress, ...]
    to: tuple[MailAddress, ...]
    cc: tuple[MailAddress, ...]
    reply_to: tuple[MailAddress, ...]
    message_id: str | None
    date: str | None
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    header_fields: "HeaderFields"
    defects: tuple[str, ...]

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The header of the mail itself: all fields in order, decoded, (name as written, value)."""
        return self.header_fields.decoded()

    @property
    def sender(self) -> str:
        """The first From address (addr-spec), or "" ."""
        return next((mailbox.address for mailbox in self.from_ if mailbox.address), "")


class HeaderFields:
    """All header fields of a mail, decoded when they are first asked for: reading a mail needs five of twenty."""

    __slots__ = ("_decoded", "_decoder", "_raw")

    def __init__(self, raw: Sequence[tuple[str, bytes]] = (), decoder: Decoder | None = None) -> None:
        self._raw = raw
        self._decoder = decoder or Decoder()
        self._decoded: tuple[tuple[str, str], ...] | None = None

    def decoded(self) -> tuple[tuple[str, str], ...]:
        if self._decoded is None:
            self._decoded = tuple([(name, header_text(value, self._decoder)) for name, value in self._raw])
        return self._decoded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HeaderFields) and self.decoded() == other.decoded()

    def __hash__(self) -> int:
        return hash(self.decoded())

    def __repr__(self) -> str:
        return repr(self.decoded())


_DEFAULT_LIMITS = MimeLimits()


def parse(raw: bytes, limits: MimeLimits = _DEFAULT_LIMITS) -> ParsedMail:
    """What `raw` says. Never raises; time and memory grow with its size alone."""
    try:
        return _parse(raw, limits)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not cost a mail; the defect names it
        return _as_source(raw, limits, f"parser: {type(error).__name__}")


def _parse(raw: bytes, limits: MimeLimits) -> ParsedMail:
    decoder, tree, names, found = _structure(raw, limits)
    attachments = _attachments(tree, found, names, decoder)
    # Bodies before headers: they prove the charset that unlabelled headers are in.
    text, html = _bodies(tree, found, limits, decoder)
    root = tree.root
    return ParsedMail(
        subject=header_text(root.values.get("subject", b""), decoder),
        from_=_mailboxes(tree, "from", decoder),
        to=_mailboxes(tree, "to", decoder),
        cc=_mailboxes(tree, "cc", decoder),
        reply_to=_mailboxes(tree, "reply-to", decoder),
        message_id=_optional(root, "message-id", decoder),
        date=_optional(root, "date", decoder),
        text=text,
        html=html,
        attachments=attachments,
        header_fields=HeaderFields(root.fields, decoder),
        defects=tuple(tree.defects),
    )


def attachment_bytes(raw: bytes, part: int, limits: MimeLimits = _DEFAULT_LIMITS) -> tuple[Attachment, bytes]:
    """One attachment that `parse` listed, and its decoded content. Raises `NotFound` for any other part number.

    `limits`: those of `parse`; part numbers depend on them.
    """
    decoder, tree, names, found = _structure(raw, limits)
    for attachment in _attachments(tree, found, names, decoder, only=part):
        content = tree.parts[part].content()
        return replace(attachment, size_bytes=len(content)), content
    raise NotFound(f"no attachment {part} in this mail")


def _structure(raw: bytes, limits: MimeLimits) -> tuple[Decoder, Tree, dict[int, str], Roles]:
    decoder = Decoder()
    tree = split(raw, limits, decoder)
    for part in tree.parts:
        if part.media_type.startswith("text/") and part.type_parameters:
            decoder.expect(part.type_parameters.get("charset"))
    names = _filenames(tree, decoder)
    return decoder, tree, names, _roles(tree, set(names))


def _as_source(raw: bytes, limits: MimeLimits, defect: str) -> ParsedMail:
    """The whole source as the text, for a mail that cannot be read otherwise."""
    text = raw[: limits.max_text_bytes].decode("utf-8", "replace").replace("\r\n", "\n")
    return ParsedMail("", (), (), (), (), None, None, text, "", (), HeaderFields(), (defect,))


def _roles(tree: Tree, named: set[int]) -> Roles:
    try:
        return roles(tree, named)
    except Exception as error:  # noqa: BLE001 - whatever the library stumbles over, the mail is shown
        tree.defects.append(f"parts: judged by type alone, mail-parser raised {type(error).__name__}")
        return plain_roles(tree, named)


def _optional(part: Part, name: str, decoder: Decoder) -> str | None:
    value = part.values.get(name)
    return None if value is None else header_text(value, decoder) or None


def _mailboxes(tree: Tree, name: str, decoder: Decoder) -> tuple[MailAddress, ...]:
    value = tree.root.values.get(name)
    if value is None:
        return ()
    try:
        found = address_list(value, decoder)
    except Exception as error:  # noqa: BLE001 - as above
        tree.defects.append(f"{name}: not read as addresses, mail-parser raised {type(error).__name__}")
        found = [(header_text(value, decoder), "")]
    return tuple([MailAddress(*mailbox) for mailbox in found])


# Bodies


def _bodies(tree: Tree, found: Roles, limits: MimeLimits, decoder: Decoder) -> tuple[str, str]:
    plain_numbers = found.plain
    if not found.plain and not found.html:
        # Nothing else to read: text of any other kind (markdown, enriched, calendar) is better than nothing.
        plain_numbers = [n for n in found.others if tree.parts[n].media_type.startswith("text/")]
    return (
        _joined(_by_message(tree, plain_numbers), tree, limits, decoder, is_html=False),
        _joined(_by_message(tree, found.html), tree, limits, decoder, is_html=True),
    )


def _by_message(tree: Tree, numbers: Iterable[int]) -> list[Part]:
    """The parts of the mail itself, then those of the messages within it."""
    return sorted((tree.parts[number] for number in numbers), key=lambda part: part.message_depth)


def _joined(parts: list[Part], tree: Tree, limits: MimeLimits, decoder: Decoder, *, is_html: bool) -> str:
    texts: list[str] = []
    room = limits.max_text_bytes
    for part in parts:
        is_cut = False
        if room is None:
            content = part.content()
        else:
            content, is_whole = part.content_start(room)
            is_cut = not is_whole or len(content) > room
            if len(content) > room:
                content = _cut(content, room)
            room -= len(content)
        text = _text(part, content, decoder, is_html=is_html)
        if text:
            texts.append(text)
        if is_cut:
            tree.defects.append(f"{part.media_type}: cut at the limit")
            break
    return "\n".join(texts)


def _text(part: Part, content: bytes, decoder: Decoder, *, is_html: bool) -> str:
    label = parameter(part.type_parameters, "charset", decoder) if part.type_parameters else None
    text = decoder.decode_html(content, label) if is_html else decoder.decode(content, label)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not is_html and part.type_parameters.get("format", "").lower() == "flowed":
        text = _unflowed(text, delete_space=part.type_parameters.get("delsp", "").lower() == "yes")
    return text


_CUT_WITHIN_BYTES = 4096


def _cut(content: bytes, at: int) -> bytes:
    """`content` up to `at` at most, ended where no charset has a character's middle: after a line, a blank or a tag."""
    last = max(content.rfind(mark, at - _CUT_WITHIN_BYTES if at > _CUT_WITHIN_BYTES else 0, at) for mark in b"\n >")
    if last >= 0:
        return content[: last + 1]
    while at > 0 and content[at] & 0xC0 == 0x80:
        at -= 1
    return content[:at]


def _unflowed(text: str, *, delete_space: bool) -> str:
    """Paragraphs of format=flowed on one line each (RFC 3676 section 4). Quoted lines stay as they are."""
    out: list[str] = []
    is_open = False
    for line in text.split("\n"):
        is_quoted = line.startswith(">")
        if out and not (is_open and not is_quoted):
            out.append("\n")
        is_open = line.endswith(" ") and not is_quoted and line != "-- "
        content = line if is_quoted else line.removeprefix(" ")
        out.append(content[:-1] if is_open and delete_space else content)
    return "".join(out)


# Attachments

_MAX_CONTENT_ID_CHARS = 250
_EXTENSIONS = {
    "application/pdf": ".pdf",
    "application/pkcs7-signature": ".p7s",
    "application/zip": ".zip",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/webp": ".webp",
    "message/delivery-status": ".txt",
    "text/calendar": ".ics",
    "text/csv": ".csv",
    "text/html": ".html",
    "text/plain": ".txt",
    "text/rfc822-headers": ".txt",
    "text/x-amp-html": ".html",
}


def _filenames(tree: Tree, decoder: Decoder) -> dict[int, str]:
    """The file names that parts declare, by part number: of the disposition, else of the type."""
    names: dict[int, str] = {}
    for part in tree.parts:
        if part.disposition_parameters or part.type_parameters:
            name = safe_filename(
                parameter(part.disposition_parameters, "filename", decoder)
                or parameter(part.type_parameters, "name", decoder)
            )
            if name:
                names[part.number] = name
    return names


def _attachments(
    tree: Tree, found: Roles, names: dict[int, str], decoder: Decoder, *, only: int | None = None
) -> tuple[Attachment, ...]:
    """In the mail's order. Enclosed messages are listed although they are also read; `only`: just this one."""
    numbers = {*found.attachments, *found.others}
    numbers.update(part.number for part in tree.parts if part.is_message)
    return tuple(
        [
            _attachment(tree.parts[number], names.get(number), decoder)
            for number in sorted(numbers)
            if only is None or number == only
        ]
    )


def _attachment(part: Part, name: str | None, decoder: Decoder) -> Attachment:
    content_id = plain(_optional(part, "content-id", decoder) or "").strip("<> ")[:_MAX_CONTENT_ID_CHARS]
    return Attachment(
        part=part.number,
        filename=name or _made_up_name(part, decoder),
        content_type=part.media_type,
        size_bytes=part.content_size(),
        content_id=content_id or None,
        inline=part.disposition == "inline" or (bool(content_id) and not part.disposition),
    )


_MEDIA_TYPE_WORD = re.compile(r"[a-z0-9]{1,8}")


def _made_up_name(part: Part, decoder: Decoder) -> str:
    if part.is_message:
        subject = part.children[0].values.get("subject", b"") if part.children else b""
        return (safe_filename(header_text(subject, decoder)) or "message") + ".eml"
    extension = _EXTENSIONS.get(part.media_type)
    if extension is None:
        word = part.media_type.partition("/")[2]
        is_plain_word = part.media_type.startswith(("image/", "audio/", "video/")) and _MEDIA_TYPE_WORD.fullmatch(word)
        extension = f".{word}" if is_plain_word else ".bin"
    return f"part-{part.number}{extension}"
