"""What each leaf of a mail is for, as mail-parser judges it: body text, body HTML or attachment.

mail-parser is shown a skeleton: the content type and disposition of each leaf, whether it has a file name and a content
id, and the part's number as its payload. It never sees a body, a charset or a file name, so that its work does not grow
with the mail and nothing of a mail gets into its log.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from typing import Any, NamedTuple

import mailparser

from tempmail.domain.mime_tree import Tree

# mail-parser warns of every type that it does not file under text or HTML. A program that only calls `extract` and has
# not set up logging would have these on its standard error.
logging.getLogger("mailparser").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Roles:
    """Part numbers by role, each in the mail's order. A named inline text is both body and attachment. `others`:
    neither text to read nor declared an attachment."""

    plain: list[int]
    html: list[int]
    attachments: list[int]
    others: list[int]


class _Skeleton(Message):
    """The leaves in a row. Containers are not walked: they carry nothing that mail-parser's judgement needs."""

    def __init__(self, leaves: list[Message]) -> None:
        super().__init__()
        self._leaves = leaves

    def walk(self) -> Iterator[Message]:  # type: ignore[override]
        return iter(self._leaves)


class _Judge(mailparser.MailParser):  # type: ignore[misc]
    """mail-parser's judgement of parts, without its diagnostics of headers (two thirds of its time) and decoding."""

    def _reset(self) -> None:
        self._attachments: list[dict[str, Any]] = []
        self._text_plain: list[str] = []
        self._text_html: list[str] = []
        self._text_not_managed: list[str] = []
        self._defects: list[Any] = []
        self._defects_categories: set[str] = set()
        self._has_defects = False

    def _make_mail(self, *_: object, **__: object) -> dict[str, Any]:
        return {}

    def _append_defects(self, *_: object) -> None:
        pass

    def _decode_body_payload(self, part: Message, *_: object) -> str:
        return str(part.get_payload())


class _Leaf(NamedTuple):
    """All that the judgement of one leaf depends on."""

    media_type: str
    disposition: str
    is_named: bool
    has_content_id: bool


def roles(tree: Tree, named: set[int]) -> Roles:
    """The roles of the tree's leaves. `named`: the parts that have a file name. Raises whatever mail-parser raises."""
    parts = [part for part in tree.parts if not part.children]
    leaves = tuple(
        _Leaf(part.media_type, part.disposition or "", part.number in named, bool(part.values.get("content-id")))
        for part in parts
    )
    judged = _judged_before(leaves) if len(leaves) <= _REMEMBERED_LEAVES else _judged(leaves)
    numbers = [part.number for part in parts]
    return Roles(
        plain=[numbers[at] for at in judged.plain],
        html=[numbers[at] for at in judged.html],
        attachments=[numbers[at] for at in judged.attachments],
        others=[numbers[at] for at in judged.others],
    )


def _judged(leaves: tuple[_Leaf, ...]) -> Roles:
    """Roles by position among the leaves."""
    judge = _Judge(_Skeleton([_message(leaf, at) for at, leaf in enumerate(leaves)]))
    return Roles(
        plain=[int(at) for at in judge.text_plain],
        html=[int(at) for at in judge.text_html],
        attachments=[int(attachment["payload"]) for attachment in judge.attachments],
        others=[int(at) for at in judge.text_not_managed],
    )


# Mails come in few shapes, and a shape is always judged alike. The judgement costs as much as all the rest of parsing.
_REMEMBERED_LEAVES = 8
_judged_before = lru_cache(maxsize=512)(_judged)


def plain_roles(tree: Tree, named: set[int]) -> Roles:
    """The roles by the type alone, for when mail-parser fails."""
    found = Roles([], [], [], [])
    for part in tree.parts:
        if part.children:
            continue
        if part.number in named or part.disposition == "attachment":
            found.attachments.append(part.number)
        elif part.media_type == "text/plain":
            found.plain.append(part.number)
        elif part.media_type == "text/html":
            found.html.append(part.number)
        else:
            found.others.append(part.number)
    return found


def _message(leaf: _Leaf, at: int) -> Message:
    message = Message()
    message["Content-Type"] = leaf.media_type
    # Kept as it is, by this label: a number needs no decoding.
    message["Content-Transfer-Encoding"] = "base64"
    if leaf.is_named:
        # A name alone (`Content-Type: text/html; name=…`) does not hide a body.
        message["Content-Disposition"] = f'{leaf.disposition or "inline"}; filename="file"'
    elif leaf.disposition:
        message["Content-Disposition"] = leaf.disposition
    if leaf.has_content_id:
        message["Content-ID"] = "<id>"
    message.set_payload(str(at))
    return message
