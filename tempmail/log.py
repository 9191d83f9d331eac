"""Log lines: one event each, in one form for this program and for the libraries under it.

An event reads `noun.verb key=value`: error = somebody must act, warning = degraded and healed, info = lifecycle,
debug = detail without content. Built on the standard `logging`, so uvicorn, boto3 and the rest come out the same way.

No value can start a line or a field of its own: whatever is not plain is quoted and escaped. Values are cut at
`MAX_VALUE_CHARS`, bytes show only their number, and fields that are named like secrets are masked.
"""

import contextlib
import json
import logging
import re
import secrets
import traceback
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import TextIO

MAX_VALUE_CHARS = 500
MAX_TRACEBACK_CHARS = 4000
MAX_TRACEBACK_FRAMES = 12
MAX_ITEMS = 20
MAX_DEPTH = 4
MASK = "********"

MASKED_WORDS = frozenset(
    {
        "auth",
        "authorization",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "jwt",
        "key",
        "pass",
        "passwd",
        "password",
        "secret",
        "secrets",
        "token",
        "tokens",
    }
)
"""A field is masked where any word of its name is one of these …"""

UNMASKED_FIELDS = frozenset({"object_key", "object_keys"})
"""… and its whole name is none of these, which name no secret."""

# Below these levels other packages' loggers are noise or repeat what passes through them. mail-parser quotes headers
# and file names of mails in its warnings and errors, and a mail's content never reaches a log.
LIBRARY_LEVELS: Mapping[str, int] = {
    "mail.log": logging.WARNING,
    "mail.debug": logging.WARNING,
    "boto3": logging.WARNING,
    "botocore": logging.WARNING,
    "s3transfer": logging.WARNING,
    "urllib3": logging.WARNING,
    "aiosqlite": logging.WARNING,
    "asyncio": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "mailparser": logging.CRITICAL,
}

_LEVELS: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_OWN = ("ts", "level", "role", "pid", "cid", "logger", "event")
_PLAIN = re.compile(r"[!#-<>-\[\]-~]+", re.ASCII)  # printable ASCII without blank, quote, equals sign, backslash
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)
_WORDS = re.compile(r"[a-z0-9]+", re.ASCII)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])", re.ASCII)
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}

_JSON = json.JSONEncoder(ensure_ascii=False)

_cid: ContextVar[str] = ContextVar("cid", default="")

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]


class Log:
    """A named source of events. Cheap where the level is off: fields are not even looked at."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, /, **fields: object) -> None:
        if self._logger.isEnabledFor(logging.DEBUG):
            self._emit(logging.DEBUG, event, fields, None)

    def info(self, event: str, /, **fields: object) -> None:
        if self._logger.isEnabledFor(logging.INFO):
            self._emit(logging.INFO, event, fields, None)

    def warning(self, event: str, /, *, exc: BaseException | None = None, **fields: object) -> None:
        """`exc` adds its type and text."""
        if self._logger.isEnabledFor(logging.WARNING):
            if exc is not None:
                fields = {**fields, "error": type(exc).__name__, "error_text": exc}
            self._emit(logging.WARNING, event, fields, None)

    def error(self, event: str, /, *, exc: BaseException | None = None, **fields: object) -> None:
        """`exc` adds its type, its text and a bounded traceback."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._emit(logging.ERROR, event, fields, exc)

    def _emit(self, level: int, event: str, fields: Mapping[str, object], exc: BaseException | None) -> None:
        # Not logger.log(): it walks the stack for the caller's file and line, which no line here shows.
        info = None if exc is None else (type(exc), exc, exc.__traceback__)
        record = logging.LogRecord(self._logger.name, level, "", 0, event, None, info)
        record.__dict__["fields"] = fields
        self._logger.handle(record)


def get_log(name: str) -> Log:
    """The log of the part called `name`, such as `smtp` or `services.ingest`."""
    return Log(logging.getLogger(f"tempmail.{name}"))


def new_cid() -> str:
    """A fresh correlation id: 12 URL-safe characters, 72 random bits."""
    return secrets.token_urlsafe(9)


@contextlib.contextmanager
def bind_cid(cid: str) -> Iterator[None]:
    """Within this context every line carries `cid`, across awaits and in tasks started meanwhile."""
    token = _cid.set(cid)
    try:
        yield
    finally:
        _cid.reset(token)


def current_cid() -> str:
    """The bound correlation id; empty where none is."""
    return _cid.get()


def configure_logging(level: str, fmt: str, role: str, stream: TextIO) -> None:
    """Send all logging of this process to `stream`, one line per event.

    `level`: debug, info, warning or error. `fmt`: logfmt or json. `role`: which process this is, such as `web` or
    `smtp-0`. A further call replaces what the former one set up; handlers made by others are left alone.
    """
    handler = _Handler(stream)
    handler.setFormatter(_JsonFormatter(role) if fmt == "json" else _LogfmtFormatter(role))
    root = logging.getLogger()
    for former in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(_LEVELS[level])
    for name, lowest in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(lowest)


class _Handler(logging.StreamHandler[TextIO]):
    """Marks the handler that `configure_logging` owns."""


class _Formatter(logging.Formatter):
    """Turns a record into ordered pairs of name and plain value; subclasses write them down."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def pairs(self, record: logging.LogRecord) -> list[tuple[str, Plain]]:
        second = int(record.created)
        fields: Mapping[str, object] | None = record.__dict__.get("fields")
        is_ours = isinstance(fields, dict)
        pairs: list[tuple[str, Plain]] = [
            ("ts", f"{_second_text(second)}.{int((record.created - second) * 1000):03d}Z"),
            ("level", record.levelname.lower()),
            ("role", self._role),
            ("pid", record.process),
        ]
        if cid := _cid.get():
            pairs.append(("cid", cid))
        pairs.append(("logger", record.name))
        pairs.append(("event", _cut(record.msg) if is_ours else "log"))
        if is_ours and fields:
            pairs += [(_field_name(name), plain(name, value)) for name, value in fields.items()]
        elif not is_ours:
            pairs.append(("msg", _cut(_message(record))))
        if record.exc_info and record.exc_info[1] is not None:
            exc = record.exc_info[1]
            pairs.append(("error", type(exc).__name__))
            pairs.append(("error_text", _text(exc)))
            pairs.append(("traceback", _traceback(exc)))
        return pairs


class _LogfmtFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join([f"{name}={_logfmt(value)}" for name, value in self.pairs(record)])


class _JsonFormatter(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        # ASCII only: no character of any alphabet can end a line or break the stream's encoding.
        return json.dumps(dict(self.pairs(record)), ensure_ascii=True, separators=(",", ":"))


@lru_cache(maxsize=16)
def _second_text(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=1024)
def is_masked(name: str) -> bool:
    """Whether a field of this name may hold a secret.

    >>> is_masked("X-Admin-Token"), is_masked("apiKey"), is_masked("object_key")
    (True, True, False)
    """
    if name in UNMASKED_FIELDS:
        return False
    return not MASKED_WORDS.isdisjoint(_WORDS.findall(_CAMEL.sub("_", name).lower()))


def plain(name: str, value: object, depth: int = 0) -> Plain:
    """`value` as it may be written for a field called `name`: masked, cut, and of JSON's types alone."""
    if value is None or isinstance(value, bool):
        return value
    if is_masked(name):
        return MASK
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, (int, float)):  # the union int | float would be made anew for each value
        return value if abs(value) < 1e18 else _text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        items = islice(value.items(), MAX_ITEMS)
        return {_text(key): plain(_text(key), item, depth + 1) for key, item in items}
    if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [plain("", item, depth + 1) for item in islice(value, MAX_ITEMS)]
    return _text(value)


@lru_cache(maxsize=1024)
def _field_name(name: str) -> str:
    safe = _NOT_IN_NAME.sub("_", name[:MAX_VALUE_CHARS]) or "_"
    return f"{safe}_" if safe in _OWN else safe


def _text(value: object) -> str:
    try:
        return _cut(str(value))
    except Exception:  # noqa: BLE001 (a log line must not fail because of what it shows)
        return f"<{type(value).__name__}>"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_VALUE_CHARS else text[:MAX_VALUE_CHARS] + "…"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 (as above; the library's text without its arguments is better than nothing)
        return _text(record.msg)


def _traceback(exc: BaseException) -> str:
    """The innermost frames and the last characters: what failed stands at the end."""
    text = "".join(traceback.format_exception(exc, limit=-MAX_TRACEBACK_FRAMES)).rstrip()
    return text if len(text) <= MAX_TRACEBACK_CHARS else "…" + text[-MAX_TRACEBACK_CHARS:]


def _logfmt(value: Plain) -> str:
    if isinstance(value, str):
        text = value
    elif value is None:
        return "null"
    elif isinstance(value, bool):
        return "true" if value else "false"
    elif isinstance(value, (int, float)):
        return str(value)
    else:
        text = _cut(_JSON.encode(value))
    if _PLAIN.fullmatch(text):
        return text
    return f'"{"".join(_escaped(char) for char in text)}"'


def _escaped(char: str) -> str:
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    if char.isprintable():
        return char
    # Controls, line and paragraph separators, marks that turn the direction of writing, lone surrogates.
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
