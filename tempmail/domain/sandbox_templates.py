"""Templates of the mail_push sandbox: a mail with places for variables.

`{{name}}` is a variable's value, in HTML escaped; `{{{name}}}` the value as it is. One that is not given leaves
nothing.
Source: seed 000 says that there are variables; how a template holds them is not documented, so this is the form that
most template languages share.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from tempmail.errors import BadRequest

MAX_TEMPLATES = 100
"""Of one credential."""
MAX_TEMPLATE_ID = 2**31 - 1
MAX_NAME_CHARS = 100
MAX_SUBJECT_CHARS = 998
MAX_BODY_BYTES = 1 << 20
MAX_RENDERED_CHARS = 8 << 20
"""Of one part of a mail: a variable may stand in a template many times."""

_PLACE = re.compile(r"\{\{\{\s*([\w.-]{1,64})\s*\}\}\}|\{\{\s*([\w.-]{1,64})\s*\}\}")


@dataclass(frozen=True, slots=True)
class Template:
    """`temp_id`: what calls name it by, within its credential. `html`, `text`: at least one is not empty."""

    temp_id: int
    name: str
    subject: str
    html: str
    text: str
    updated_at: str = ""


FREE_FORM = Template(1, "free-form", "{{subject}}", "{{{html}}}", "{{text}}")
"""What every account has until it puts another in its place: the whole mail is variables."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A part that came out empty is not there."""

    subject: str
    html: str | None
    text: str | None


def checked(template: Template) -> Template:
    """`template`, if it is one. Raises `BadRequest`."""
    if not 1 <= template.temp_id <= MAX_TEMPLATE_ID:
        raise BadRequest(f"temp_id: from 1 to {MAX_TEMPLATE_ID}")
    if len(template.name) > MAX_NAME_CHARS:
        raise BadRequest(f"name: at most {MAX_NAME_CHARS} characters")
    if not template.subject.strip() or len(template.subject) > MAX_SUBJECT_CHARS:
        raise BadRequest(f"subject: 1 to {MAX_SUBJECT_CHARS} characters")
    if not (template.html or template.text):
        raise BadRequest("html or text is needed")
    for name, body in (("html", template.html), ("text", template.text)):
        if len(body.encode("utf-8", "replace")) > MAX_BODY_BYTES:
            raise BadRequest(f"{name}: at most {MAX_BODY_BYTES} bytes")
    return template


def render(template: Template, variables: Mapping[str, str]) -> Rendered:
    """The mail that `template` makes of `variables`. Raises `BadRequest` where it would be over `MAX_RENDERED_CHARS`.

    >>> render(FREE_FORM, {"subject": "Hi", "text": "you"})
    Rendered(subject='Hi', html=None, text='you')
    """
    return Rendered(
        _fill(template.subject, variables, in_html=False),
        _fill(template.html, variables, in_html=True) or None,
        _fill(template.text, variables, in_html=False) or None,
    )


def variables_in(template: Template) -> tuple[str, ...]:
    """The names of all variables, each once, as they come."""
    found = (match for part in (template.subject, template.html, template.text) for match in _PLACE.finditer(part))
    return tuple(dict.fromkeys(match[1] or match[2] for match in found))


def _fill(part: str, variables: Mapping[str, str], *, in_html: bool) -> str:
    pieces, size, last = [], 0, 0
    for match in _PLACE.finditer(part):
        value = variables.get(match[1] or match[2], "")
        if in_html and match[1] is None:
            value = escape(value)
        pieces += [part[last : match.start()], value]
        size += match.start() - last + len(value)
        if size > MAX_RENDERED_CHARS:
            raise BadRequest("the mail that this template makes is too large")
        last = match.end()
    pieces.append(part[last:])
    return "".join(pieces)
