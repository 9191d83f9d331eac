"""What a reader sees of an HTML body: its visible text in lines, its links, and what is only there for machines.

The text keeps the shape of the page: a block ends a line, table cells are divided by a tab, inline elements run on.
One character per cell, span or block (a common way to show a code) is joined to one word.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_HTML_CHARS: Final = 200_000
MAX_NODES: Final = 12_000
MAX_TEXT_CHARS: Final = 20_000
MAX_LINKS: Final = 120
MAX_ALTS: Final = 100
MAX_PREHEADER_CHARS: Final = 600
MAX_URL_CHARS: Final = 4_096
_LONG_CHARS: Final = 60_000

_SKIPPED: Final = frozenset(
    {"head", "style", "script", "title", "desc", "metadata", "noscript", "template", "object", "select", "textarea"}
)
_BLOCKS: Final = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "text",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_CELLS: Final = frozenset({"td", "th"})
_FIELDS: Final = frozenset({"", "text", "tel", "number"})
_LARGE: Final = frozenset({"h1", "h2", "h3", "big"})
_LARGE_FONTS: Final = frozenset({"5", "6", "7", "+2", "+3", "+4"})

_SPACE: Final = " \t\r\n\f"
_SPACES: Final = re.compile(r"[ \t\r\n\f]++")
_HIDDEN_STYLE: Final = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|mso-hide:all|opacity:0(?:\.0+)?(?![.\d])|max-height:0(?![.\d])"
    r"|(?<![-\w])height:0(?:px)?;(?:.{0,80})overflow:hidden|overflow:hidden;(?:.{0,80})(?<![-\w])height:0(?![.\d])"
)
_FONT_SIZE: Final = re.compile(
    r"(?<![-\w])font(?:-size)?:[^;]{0,80}?(?<![\w.#])(?:(\d{1,4}(?:\.\d{1,3})?)(px|pt|em|rem|%)|0(?![\w.%]))"
)
# One of these is in every style that _HIDDEN_STYLE finds.
_HIDING_WORDS: Final = ("none", "hid", "collapse", "opacity", "max-height")
_BUTTON_STYLE: Final = re.compile(r"background|border-radius|display:(?:inline-)?block|padding")
# Begins only where a selector can, so that no text is scanned twice.
_HIDING_RULE: Final = re.compile(r"(?<![^{}])([^{}]{1,200}+)\{([^{}]{0,500}+)\}")
_CLASS_SELECTOR: Final = re.compile(r"(?:^|,)\.([\w-]{1,60})(?=$|,)")
_SINGLES: Final = re.compile(
    r"(?:(?<=\n)|\A)[ \u00a0]*+[0-9A-Za-z]"
    r"(?:[ \u00a0]*+[\t\n]\s*+(?:[-–]\s++)?[0-9A-Za-z](?=[ \u00a0]*+(?:[\t\n]|\Z))){3,11}+"
)
_GROUPS_ROW: Final = re.compile(
    r"(?:(?<=\n)|\A)(\d{2,4})\t(?:[-–]\t)?(\d{2,4})(?:\t(?:[-–]\t)?(\d{2,4}))?(?=[\t ]*+(?:\n|\Z))"
)
_GROUPS_LINES: Final = re.compile(r"(?:(?<=[^\d\s]\n)|\A)\d{3}[ \t]*+\n\s*+\d{3}(?=[ \t]*+(?:\n(?!\d)|\Z))")
_DATA_URI: Final = re.compile(r"\bdata:[^\s\"'>)]{200,}+")
_NOISE: Final = (("<!--", "-->"), ("<style", "</style"), ("<script", "</script"))

_TO_PX: Final = {"pt": 1.33, "em": 16.0, "rem": 16.0, "%": 0.16}
_LARGE_PX: Final = 20.0
_SHORTEST_NUMBER: Final = 4
_LONGEST_GROUP: Final = 4
_BOXED: Final = 3
_LONGEST_PICTURED: Final = 16
_PICTURED: Final = re.compile(
    r"[A-Z]|(?!(?:19|20)\d\d\Z)\d(?:[ -]?\d){0,9}|(?=\d*[A-Z])(?=[A-Z-]*\d)[A-Z\d]{4,8}(?:-[A-Z\d]{3,7})?"
)
_LONGEST_FIELD: Final = 40
_STRUCK: Final = frozenset({"s", "strike", "del"})


class HtmlLink(NamedTuple):
    """An anchor as shown. `start` and `end` are its place in `HtmlView.text`; `text` may come from an image's alt."""

    url: str
    text: str
    start: int
    end: int
    is_button: bool


@dataclass(frozen=True, slots=True)
class HtmlView:
    """The visible part of an HTML body.

    `prominent`: spans of `text` that are set large. `quoted`: spans of an earlier mail or struck out.
    `preheader`: hidden text, as shown in a list of mails. `alts`: texts of images.
    """

    text: str
    links: tuple[HtmlLink, ...] = ()
    alts: tuple[str, ...] = ()
    preheader: str = ""
    prominent: tuple[tuple[int, int], ...] = ()
    quoted: tuple[tuple[int, int], ...] = ()


def read_html(html: str) -> HtmlView:
    """The view of `html`, which may be anything. Work is bounded by the MAX_ figures above; never raises."""
    if len(html) > _LONG_CHARS:
        html = _without_noise(html)
    tree = LexborHTMLParser(html[:MAX_HTML_CHARS])
    body = tree.body
    if body is None:
        return HtmlView("")
    return _Reader(_hiding_classes(html)).read(body)


def _without_noise(html: str) -> str:
    """A long page without comments, styles, scripts and inlined images, so that the cut keeps what is visible."""
    for opening, closing in _NOISE:
        pieces: list[str] = []
        done = 0
        while (start := html.find(opening, done)) >= 0 and (end := html.find(closing, start)) >= 0:
            pieces.append(html[done:start])
            done = end + (len(closing) if opening == "<!--" else 0)
        html = "".join(pieces) + html[done:]
    return _DATA_URI.sub("", html) if "data:" in html else html


def _hiding_classes(html: str) -> frozenset[str]:
    """Class names that a plain style rule (not one for certain screens) hides."""
    start = html.find("<style")
    if start < 0 or "display" not in html:
        return frozenset()
    sheet = html[html.find(">", start) + 1 : start + 20_000].partition("</style")[0]
    media = sheet.find("@media")
    if media >= 0:
        sheet = sheet[:media]
    found: set[str] = set()
    if not _may_hide(sheet.lower()):
        return frozenset()
    for rule in _HIDING_RULE.finditer(sheet):
        if _hides(_squeeze(rule[2])):
            found.update(_CLASS_SELECTOR.findall(rule[1].rpartition(">")[2].replace(" ", "").replace("\n", "")))
    return frozenset(found)


def _may_hide(style: str) -> bool:
    return any([word in style for word in _HIDING_WORDS])  # noqa: C419 - a generator costs more than the search


def _hides(style: str) -> bool:
    """Whether a squeezed style takes its element out of sight."""
    return _may_hide(style) and _HIDDEN_STYLE.search(style) is not None


def _squeeze(style: str) -> str:
    """A style in one spelling: lower case, single spaces, none around colons and semicolons."""
    style = " ".join(style.lower().split())
    if " " in style:
        for mark in ":;,":
            style = style.replace(f" {mark}", mark).replace(f"{mark} ", mark)
    return style


class _OpenLink:
    __slots__ = ("first_alt", "is_button", "start", "url")

    def __init__(self, url: str, start: int, is_button: bool, first_alt: int) -> None:
        self.url: Final = url
        self.start: Final = start
        self.is_button: Final = is_button
        self.first_alt: Final = first_alt


class _Frame:
    """An element that is open, and what to do when it closes."""

    __slots__ = ("hidden", "large_from", "link", "quoted_from", "tag", "tiny")

    def __init__(self, tag: str, hidden: bool, tiny: bool) -> None:
        self.tag: Final = tag
        self.hidden = hidden
        self.tiny = tiny
        self.large_from = -1
        self.quoted_from = -1
        self.link: _OpenLink | None = None


class _Reader:
    """One walk over the tree, without recursion."""

    def __init__(self, hiding: frozenset[str]) -> None:
        self._hiding = hiding
        self._pieces: list[str] = []
        self._length = 0
        self._last = "\n"
        self._links: list[HtmlLink] = []
        self._alts: list[str] = []
        self._hidden: list[str] = []
        self._hidden_length = 0
        self._prominent: list[tuple[int, int]] = []
        self._quoted: list[tuple[int, int]] = []

    def read(self, body: LexborNode) -> HtmlView:
        opened: list[tuple[LexborNode | None, _Frame]] = []
        frame = _Frame("body", hidden=False, tiny=False)
        node = body.child
        budget = MAX_NODES
        while True:
            if node is None:
                if not opened:
                    break
                self._close(frame)
                node, frame = opened.pop()
                continue
            budget -= 1
            if budget < 0 or self._length > MAX_TEXT_CHARS:
                node = None
                continue
            tag = node.tag
            if tag == "-text":
                text = node.text_content
                # Most texts of a page are the line ends between its tags.
                if text and (self._last != "\n" or text[0] not in _SPACE or frame.tag == "pre" or text.strip(_SPACE)):
                    self._add(text, frame)
            elif tag == "br":
                self._break("\n")
            elif tag == "img":
                self._image(node, frame)
            elif tag == "input":
                self._field(node.attributes, frame)
            elif tag and tag[0] not in "-!" and tag not in _SKIPPED:
                opened.append((node.next, frame))
                frame = self._open(node, tag, frame)
                node = node.child
                continue
            node = node.next
        whole, moved = _join_singles("".join(self._pieces))
        links, prominent, quoted = self._links, self._prominent, self._quoted
        if moved:
            links = [_shifted(link, moved) for link in links]
            prominent = [(_shift(a, moved), _shift(b, moved)) for a, b in prominent]
            quoted = [(_shift(a, moved), _shift(b, moved)) for a, b in quoted]
        preheader = " ".join("".join(self._hidden).split())
        return HtmlView(whole, tuple(links), tuple(self._alts), preheader, tuple(prominent), tuple(quoted))

    def _open(self, node: LexborNode, tag: str, outer: _Frame) -> _Frame:
        frame = _Frame(tag, outer.hidden, outer.tiny)
        attributes = node.attributes
        if attributes:
            self._apply(attributes, frame)
        if tag in _LARGE:
            frame.large_from = self._length
        elif tag in _STRUCK:
            frame.quoted_from = self._length
        if tag in _CELLS:
            self._break("\t")
        elif tag in _BLOCKS:
            self._break("\n")
        return frame

    def _apply(self, attributes: dict[str, str | None], frame: _Frame) -> None:
        """What the attributes of an element do to it."""
        tag = frame.tag
        written = attributes.get("style")
        style = _style(written) if written else _NO_STYLE
        if style.hides or "hidden" in attributes:
            frame.hidden = True
        if style.font_px is not None:
            frame.tiny = style.font_px <= 1
        if style.is_large:
            frame.large_from = self._length
        classes = attributes.get("class")
        if classes:
            names = classes.split()
            if self._hiding and not self._hiding.isdisjoint(names):
                frame.hidden = True
            if "gmail_quote" in names:
                frame.quoted_from = self._length
        if tag == "font" and (attributes.get("size") or "") in _LARGE_FONTS:
            frame.large_from = self._length
        elif tag == "blockquote" and attributes.get("type") == "cite":
            frame.quoted_from = self._length
        elif tag == "a" and (url := attributes.get("href")) and len(self._links) < MAX_LINKS:
            address = "".join(url.split())[:MAX_URL_CHARS]
            frame.link = _OpenLink(address, self._length, style.is_button, len(self._alts))

    def _close(self, frame: _Frame) -> None:
        if frame.link is not None:
            self._close_link(frame.link, frame.hidden)
        if 0 <= frame.large_from < self._length:
            self._prominent.append((frame.large_from, self._length))
        if 0 <= frame.quoted_from < self._length:
            self._quoted.append((frame.quoted_from, self._length))
        if self._last != "\n" and frame.tag in _BLOCKS:
            self._break("\n")

    def _close_link(self, link: _OpenLink, hidden: bool) -> None:
        text = ""
        if self._length > link.start:
            tail: list[str] = []
            missing = self._length - link.start
            for piece in reversed(self._pieces):
                if missing <= 0:
                    break
                tail.append(piece)
                missing -= len(piece)
            text = " ".join("".join(reversed(tail))[-(self._length - link.start) :].split())
        if not text:
            text = " ".join(self._alts[link.first_alt :])
        if not hidden:
            self._links.append(HtmlLink(link.url, text[:300], link.start, self._length, link.is_button))

    def _image(self, node: LexborNode, frame: _Frame) -> None:
        alt = node.attributes.get("alt")
        if alt and not frame.hidden and len(self._alts) < MAX_ALTS:
            self._alts.append(" ".join(alt.split())[:500])
            # A picture of a number belongs among the words around it, and a row of digits to one number.
            if len(alt) <= _LONGEST_PICTURED and _PICTURED.fullmatch(alt) and not _is_a_link(node):
                self._add(alt, frame)

    def _field(self, attributes: dict[str, str | None], frame: _Frame) -> None:
        """What stands in a field that is only shown, not filled in."""
        if "readonly" not in attributes and "disabled" not in attributes:
            return
        value = attributes.get("value")
        if (
            value
            and (attributes.get("type") or "").lower() in _FIELDS
            and not _style(attributes.get("style") or "").hides
        ):
            self._add(value[:_LONGEST_FIELD], frame)

    def _add(self, raw: str, frame: _Frame) -> None:
        if frame.hidden or frame.tiny:
            if self._hidden_length < MAX_PREHEADER_CHARS and not raw.isspace():
                self._hidden.append(raw[: MAX_PREHEADER_CHARS - self._hidden_length] + " ")
                self._hidden_length += len(raw)
            return
        text = _SPACES.sub(" ", raw) if frame.tag != "pre" and _has_odd_spaces(raw) else raw
        if self._last in " \n\t" and text[:1] == " ":
            text = text[1:]
        if text:
            if self._pieces and _runs_together(self._pieces[-1], text):
                text = " " + text
            self._pieces.append(text)
            self._length += len(text)
            self._last = text[-1]

    def _break(self, mark: str) -> None:
        """End a line ("\n") or a cell ("\t"); never two marks on end, a line wins over a cell."""
        if self._last == "\n" or (self._last == "\t" and mark == "\t"):
            return
        if self._last == "\t":
            self._pieces[-1] = self._pieces[-1][:-1] + mark
        else:
            self._pieces.append(mark)
            self._length += 1
        self._last = mark


def _is_a_link(picture: LexborNode) -> bool:
    """Whether a picture is what is clicked, like the figures of a scale."""
    parent = picture.parent
    return parent is not None and (parent.tag == "a" or (parent.parent is not None and parent.parent.tag == "a"))


def _has_odd_spaces(raw: str) -> bool:
    return "\n" in raw or "  " in raw or "\t" in raw or "\r" in raw or "\f" in raw


def _runs_together(before: str, after: str) -> bool:
    """Whether a number and a word would become one across the edge of an element ("code<b>482913</b>")."""
    if before[-1].isdigit():
        return after[0].isalpha() and before.strip().isdigit() and len(before) >= _SHORTEST_NUMBER
    return before[-1].isalpha() and after[0].isdigit() and after.strip().isdigit() and len(after) >= _SHORTEST_NUMBER


class _Style(NamedTuple):
    """What a style attribute says of its element. `font_px`: the size it sets, if any."""

    hides: bool = False
    font_px: float | None = None
    is_large: bool = False
    is_button: bool = False


_NO_STYLE: Final = _Style()


def _style(written: str) -> _Style:
    # Long ones are not remembered, so that what is remembered stays small whatever is sent.
    return _remembered_style(written) if len(written) <= _REMEMBERED_STYLE_CHARS else _read_style(written)


def _read_style(written: str) -> _Style:
    style = _squeeze(written)
    size = _font_px(style)
    is_large = size >= _LARGE_PX if size is not None else "letter-spacing" in style
    return _Style(_hides(style), size, is_large, _BUTTON_STYLE.search(style) is not None)


# A page says the same few styles again and again, and so do the mails of one sender.
_REMEMBERED_STYLE_CHARS: Final = 400
_remembered_style: Final = lru_cache(maxsize=2_048)(_read_style)


def _font_px(style: str) -> float | None:
    """The font size that a squeezed style sets, in pixels; em and % against 16."""
    if "font" not in style:
        return None
    found = _FONT_SIZE.search(style)
    if found is None:
        return None
    return float(found[1]) * _TO_PX.get(found[2], 1.0) if found[1] else 0.0


def _join_singles(text: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """`text` with characters that stand alone in neighbouring cells or lines joined, and (place, removed) pairs.

    A row of nothing but short digit groups becomes one number in groups.
    """
    cells = [cell for each in text.replace("\t", "\n").split("\n") if len(cell := each.strip()) <= _LONGEST_GROUP]
    runs = [(run, "") for run in _SINGLES.finditer(text)] if sum(len(cell) == 1 for cell in cells) >= 3 else []
    if "\t" in text and any(map(str.isdigit, cells)):
        runs += [(row, " ") for row in _GROUPS_ROW.finditer(text)]
    if sum(len(cell) == _BOXED and cell.isdigit() for cell in cells) == 2:
        runs += [(row, " ") for row in _GROUPS_LINES.finditer(text)]
    if not runs:
        return text, ()
    pieces: list[str] = []
    moved: list[tuple[int, int]] = []
    done = 0
    for run, mark in sorted(runs, key=lambda each: each[0].start()):
        joined = mark.join(run[0].replace("-", " ").replace("–", " ").split())
        pieces += (text[done : run.start()], joined)
        moved.append((run.end(), len(run[0]) - len(joined)))
        done = run.end()
    pieces.append(text[done:])
    return "".join(pieces), tuple(moved)


def _shift(at: int, moved: tuple[tuple[int, int], ...]) -> int:
    return at - sum(removed for place, removed in moved if place <= at)


def _shifted(link: HtmlLink, moved: tuple[tuple[int, int], ...]) -> HtmlLink:
    return HtmlLink(link.url, link.text, _shift(link.start, moved), _shift(link.end, moved), link.is_button)
