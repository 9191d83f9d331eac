"""A mail as Resend's API takes it: what its fields may hold, checked in Resend's order, with Resend's words.

Source: provider facts 1.1 and 4.1.
"""

import base64
import binascii
import mimetypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tempmail.domain.address import receivable
from tempmail.domain.iso8601 import parse_iso
from tempmail.domain.outbound_fields import mailbox_of

MAX_RECIPIENTS = 50
MAX_ATTACHMENTS_BYTES = 40 << 20
"""Of one mail, as base64."""
MAX_TAG_CHARS = 256
MAX_AHEAD_S = 30 * 86_400

_BLOCKED = re.compile(
    "adp|app|asp|bas|bat|cer|chm|cmd|com|cpl|crt|csh|der|exe|fxp|gadget|hlp|hta|inf|ins|isp|its|js|jse|ksh|lib|lnk|mad|"
    "maf|mag|mam|maq|mar|mas|mat|mau|mav|maw|mda|mdb|mde|mdt|mdw|mdz|msc|msh|msh1|msh2|mshxml|msh1xml|msh2xml|msi|msp|"
    "mst|ops|pcd|pif|plg|prf|prg|reg|scf|scr|sct|shb|shs|sys|ps1|ps1xml|ps2|ps2xml|psc1|psc2|tmp|url|vb|vbe|vbs|vps|"
    "vsmacros|vss|vst|vsw|vxd|ws|wsc|wsf|wsh|xnk",
    re.IGNORECASE,
)
"""File name extensions that are refused."""
_TYPES = mimetypes.MimeTypes()
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_IN = re.compile(r"in\s+(\d{1,6}|an?)\s*(min|mins|minute|minutes|h|hour|hours|d|day|days)", re.IGNORECASE)
_TOMORROW = re.compile(r"tomorrow(?:\s+at\s+(\d{1,2})(?::(\d{2}))?\s*([ap]m)?)?", re.IGNORECASE)
_UNIT_S = {"m": 60, "h": 3_600, "d": 86_400}


class Invalid(Exception):
    """A request that Resend would refuse: `status`, `name` and `message` as it would say it."""

    def __init__(self, message: str, *, name: str = "validation_error", status: int = 422) -> None:
        super().__init__(message)
        self.message = message
        self.name = name
        self.status = status


@dataclass(frozen=True, slots=True)
class ResendFile:
    """`content` None: it was given by a `path`, which is not fetched."""

    filename: str
    content: bytes | None = field(repr=False)
    content_type: str
    content_id: str | None
    path: str | None


@dataclass(frozen=True, slots=True)
class ResendMail:
    """A mail that Resend would take. Addresses as given. `scheduled_at`: epoch seconds."""

    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    reply_to: tuple[str, ...]
    subject: str
    html: str | None
    text: str | None
    headers: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]
    files: tuple[ResendFile, ...]
    scheduled_at: float | None

    @property
    def recipients(self) -> tuple[str, ...]:
        """Everybody whom it is for, as bare addresses, each once."""
        return tuple(dict.fromkeys(mailbox_of(each).address for each in (*self.to, *self.cc, *self.bcc)))


def read_mail(given: Any, *, now: float, in_batch: bool = False) -> ResendMail:
    """The mail that a request's object describes. Raises `Invalid` for the first thing that is wrong."""
    if not isinstance(given, dict):
        raise Invalid("Invalid request body. An object was expected.")
    template = given.get("template")
    _check_presence(given, template)
    sender, to = _texts(given, "from", maximum=1), _texts(given, "to")
    cc, bcc, reply_to = (_texts(given, name) for name in ("cc", "bcc", "reply_to"))
    for name, addresses in (("from", sender), ("to", to), ("cc", cc), ("bcc", bcc), ("reply_to", reply_to)):
        for address in addresses:
            _check_address(name, address)
    subject, html, text = (_text(given, name) for name in ("subject", "html", "text"))
    for name, addresses in (("to", to), ("cc", cc), ("bcc", bcc)):
        if len(addresses) > MAX_RECIPIENTS:
            raise Invalid(f"The `{name}` field must not contain more than {MAX_RECIPIENTS} recipients.")
    if in_batch and given.get("attachments"):
        raise Invalid("The `attachments` field is not supported in batch requests.")
    if isinstance(template, dict):
        subject, text = subject or f"Template {template['id']}", _template_text(template)
    return ResendMail(
        sender=sender[0] if sender else "onboarding@resend.dev",
        to=to,
        cc=cc,
        bcc=bcc,
        reply_to=reply_to,
        subject=subject or "",
        html=html,
        text=text,
        headers=_headers(given.get("headers")),
        files=_files(given.get("attachments")),
        tags=_tags(given.get("tags")),
        scheduled_at=read_time(given.get("scheduled_at"), now=now),
    )


def read_time(given: Any, *, now: float) -> float | None:
    """When to send, in epoch seconds; None: at once. Raises `Invalid`.

    ISO 8601 with an offset, `in 10 minutes`, `in an hour`, `tomorrow`, `tomorrow at 9:30am` (UTC). Source: provider
    facts 4.1.
    """
    if given is None:
        return None
    at = _time(given.strip(), now) if isinstance(given, str) and len(given) <= 100 else None
    if at is None:
        raise Invalid(
            "Invalid `scheduled_at` field. A date in ISO 8601 format with an offset, or natural language such as "
            "`in 1 hour`, is expected."
        )
    if at < now:
        raise Invalid("Invalid `scheduled_at` field. The date must be in the future.")
    if at > now + MAX_AHEAD_S:
        raise Invalid("Invalid `scheduled_at` field. The date must be within 30 days.")
    return at


def without_contents(given: Any) -> Any:
    """A request's object with the size of each attachment's content in its place: the content is in the mail itself."""
    if not isinstance(given, dict) or not isinstance(given.get("attachments"), list):
        return given
    files = []
    for each in given["attachments"]:
        if isinstance(each, dict) and "content" in each:
            content = each["content"]
            size = len(content) if isinstance(content, str | list) else None
            each = {**{name: value for name, value in each.items() if name != "content"}, "content_length": size}
        files.append(each)
    return {**given, "attachments": files}


def _check_presence(given: Mapping[str, Any], template: Any) -> None:
    """In the order in which the live API was seen to miss them."""
    if _is_missing(given.get("to")):
        raise Invalid("Missing `to` field.", name="missing_required_field")
    has_body = any(isinstance(given.get(name), str) for name in ("html", "text"))
    if template is None:
        if not has_body or not (given.get("html") or given.get("text")):
            raise Invalid("Missing `html` or `text` field.")
        if _is_missing(given.get("subject")):
            raise Invalid("Missing `subject` field.", name="missing_required_field")
        if _is_missing(given.get("from")):
            raise Invalid("Missing `from` field.", name="missing_required_field")
        return
    if not isinstance(template, dict) or not isinstance(template.get("id"), str) or not template["id"]:
        raise Invalid("Invalid `template` field. An `id` is expected.")
    if has_body:
        raise Invalid("The `template` field cannot be used together with `html` or `text`.")


def _is_missing(value: Any) -> bool:
    return value is None or value in ("", [])


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise Invalid(f"Invalid `{name}` field. A string was expected.")
    return value


def _texts(given: Mapping[str, Any], name: str, *, maximum: int | None = None) -> tuple[str, ...]:
    value = given.get(name)
    if value is None or value == "":
        return ()
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _bad_address(name)
    if maximum is not None and len(texts) > maximum:
        raise _bad_address(name)
    return tuple(text for text in texts)


def _check_address(name: str, text: str) -> None:
    # A name may stand before an address in angle brackets, and nothing after it.
    address = mailbox_of(text).address
    if not receivable(address) or any(char in text for char in "\r\n\x00"):
        raise _bad_address(name)


def _bad_address(name: str) -> Invalid:
    return Invalid(
        f"Invalid `{name}` field. The email address needs to follow the `email@example.com` or `Name "
        "<email@example.com>` format.",
        name="invalid_from_address" if name == "from" else "validation_error",
    )


def _headers(given: Any) -> tuple[tuple[str, str], ...]:
    if given is None:
        return ()
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise Invalid("Invalid `headers` field. An object of strings was expected.")
    return tuple(given.items())


def _tags(given: Any) -> tuple[tuple[str, str], ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(tag, dict) for tag in given):
        raise Invalid("Invalid `tags` field. An array of objects was expected.")
    tags = []
    for tag in given:
        name, value = tag.get("name"), tag.get("value", "")
        if not isinstance(name, str) or not _TAG.fullmatch(name):
            raise _bad_tag("name")
        if not isinstance(value, str) or (value and not _TAG.fullmatch(value)):
            raise _bad_tag("value")
        tags.append((name, value))
    return tuple(tags)


def _bad_tag(what: str) -> Invalid:
    return Invalid(
        "Tags should only contain ASCII letters, numbers, underscores, or dashes, and be of at most "
        f"{MAX_TAG_CHARS} characters. The tag {what} is not."
    )


def _files(given: Any) -> tuple[ResendFile, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise _bad_file("An array was expected.")
    files = tuple(_file(each) for each in given)
    encoded = sum(-(-len(file.content) // 3) * 4 for file in files if file.content is not None)
    if encoded > MAX_ATTACHMENTS_BYTES:
        raise _bad_file("All of them together must not be over 40MB after Base64 encoding.")
    return files


def _file(given: Any) -> ResendFile:
    if not isinstance(given, dict):
        raise _bad_file("An object was expected.")
    content, path = given.get("content"), given.get("path")
    if content is None and not (isinstance(path, str) and path):
        raise _bad_file("Either `content` or `path` is required.")
    filename = given.get("filename") or (path.rpartition("/")[2] if isinstance(path, str) else "")
    if not isinstance(filename, str) or len(filename) > 255:
        raise _bad_file("`filename` must be a string of at most 255 characters.")
    if "." in filename and _BLOCKED.fullmatch(filename.rpartition(".")[2]):
        raise _bad_file(f"The extension of `{filename}` is not supported.")
    content_type = given.get("content_type") or ""
    content_id = given.get("content_id") or given.get("inline_content_id") or given.get("contentId")
    if not isinstance(content_type, str) or not isinstance(content_id, str | None):
        raise _bad_file("`content_type` and `content_id` must be strings.")
    return ResendFile(
        filename=filename,
        content=None if content is None else _content(content),
        content_type=content_type or _TYPES.guess_type(filename)[0] or "application/octet-stream",
        content_id=content_id.strip("<>") if content_id else None,
        path=path if content is None else None,
    )


def _content(given: Any) -> bytes:
    """Base64, a list of numbers (the Python SDK's documentation), or Node's JSON form of a Buffer."""
    if isinstance(given, dict) and given.get("type") == "Buffer":
        given = given.get("data")
    try:
        if isinstance(given, str):
            return base64.b64decode("".join(given.split()), validate=True)
        if isinstance(given, Sequence) and all(type(number) is int for number in given):
            return bytes(given)
    except (binascii.Error, ValueError) as exc:
        raise _bad_file("`content` must be Base64, or a list of bytes.") from exc
    raise _bad_file("`content` must be Base64, or a list of bytes.")


def _bad_file(text: str) -> Invalid:
    return Invalid(f"Invalid `attachments` field. {text}", name="invalid_attachment")


def _template_text(template: Mapping[str, Any]) -> str:
    variables = template.get("variables")
    if variables is None:
        variables = {}
    if not isinstance(variables, dict) or not all(isinstance(value, str | int | float) for value in variables.values()):
        raise Invalid("Invalid `template` field. `variables` must be strings and numbers.")
    return "\n".join([f"Template: {template['id']}", *[f"{name}: {value}" for name, value in variables.items()]])


def _time(text: str, now: float) -> float | None:
    if match := _IN.fullmatch(text):
        count = 1 if match[1].lower().startswith("a") else int(match[1])
        return now + count * _UNIT_S[match[2][0].lower()]
    if match := _TOMORROW.fullmatch(text):
        return _tomorrow(match, now)
    return parse_iso(text)


def _tomorrow(match: re.Match[str], now: float) -> float | None:
    """Without a time: at this time of the day."""
    tomorrow = datetime.fromtimestamp(now, UTC) + timedelta(days=1)
    if match[1] is None:
        return tomorrow.timestamp()
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").lower()
    if half and not 1 <= hour <= 12:
        return None
    hour = hour % 12 + 12 * (half == "pm") if half else hour
    if hour > 23 or minute > 59:
        return None
    return tomorrow.replace(hour=hour, minute=minute, second=0, microsecond=0).timestamp()
