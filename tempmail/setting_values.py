"""What a setting's text may say: one parser per kind of value, and the types of those that are more than text.

A parser takes the text of a variable (trimmed; empty where the variable is off) and returns its value or raises
`Unfit`. It alone decides which part of the text a message may show: secrets, and URLs that may hold a password, are
never quoted.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network

MAX_SHOWN_CHARS = 60

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_HOST_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?", re.ASCII | re.IGNORECASE)
_USER_NAME = re.compile(r"[a-z_][a-z0-9_.-]{0,31}", re.ASCII | re.IGNORECASE)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,18}", re.ASCII)
# The full-width comma is what a Chinese keyboard gives; no domain name holds one.
_SEPARATORS = re.compile(r"[,，\s]+")

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})

T = TypeVar("T")


class Unfit(ValueError):
    """A text that its variable cannot take.

    `problem` says what is wrong and what to do, and reads on after the name of the variable or after `shown`, the
    part of the text that is at fault; None where showing it could give a secret away.
    """

    def __init__(self, problem: str, *, shown: str | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.shown = shown

    def sentence(self) -> str:
        """Problem and evidence on one line, whatever the text held."""
        return self.problem if self.shown is None else f"{quoted(self.shown)} {self.problem}"


@dataclass(frozen=True, slots=True)
class Bind:
    """Where to listen. `port` 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SqliteUrl:
    """A SQLite database in a file; `path` is absolute."""

    path: Path

    def __str__(self) -> str:
        return f"sqlite:///{self.path}"


@dataclass(frozen=True, slots=True)
class FolderUrl:
    """Objects in a local folder; `path` is absolute."""

    path: Path

    def __str__(self) -> str:
        return f"file://{self.path}"


@dataclass(frozen=True, slots=True)
class S3Url:
    """Objects in a bucket. `prefix` has no slash at either end and is empty where keys start at the root."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}" if self.prefix else f"s3://{self.bucket}"


def quoted(text: str) -> str:
    """`text` as evidence in a one-line message: quoted, escaped, cut to 60 characters."""
    cut = text if len(text) <= MAX_SHOWN_CHARS else text[:MAX_SHOWN_CHARS] + "…"
    body = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in cut)
    return f'"{body}"'


def optional(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """A parser that gives None for the empty text, which means "off"."""

    def parse_unless_empty(text: str) -> T | None:
        return parse(text) if text else None

    return parse_unless_empty


def integer(lowest: int, highest: int) -> Callable[[str], int]:
    """A parser of whole decimal numbers from `lowest` to `highest`, both included."""

    def parse(text: str) -> int:
        if _DECIMAL.fullmatch(text) is None:
            raise Unfit(f"is not a whole number; give one from {lowest} to {highest}", shown=text)
        number = int(text)
        if not lowest <= number <= highest:
            raise Unfit(f"is out of range; give a whole number from {lowest} to {highest}", shown=text)
        return number

    return parse


def choice(*words: str) -> Callable[[str], str]:
    """A parser of one of `words`, in any case."""

    def parse(text: str) -> str:
        word = text.lower()
        if word not in words:
            raise Unfit(f"is not known; give one of {', '.join(words)}", shown=text)
        return word

    return parse


def switch(text: str) -> bool:
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Unfit("is neither on nor off; give true or false", shown=text)


def plain(text: str) -> str:
    """One line of text."""
    if not text.isprintable():
        raise Unfit("holds a control character; give one line of plain text", shown=text)
    return text


def account_name(text: str) -> str:
    """A login name, in lower case: logins compare without regard to case (freemail contract 2)."""
    return plain(text).lower()


def secret(text: str) -> str:
    if not text.isprintable():
        raise Unfit("holds a control character; give one line of plain text")
    return text


def path(text: str) -> Path:
    """An absolute path; a relative one counts from the working directory, `~` is the home directory."""
    if "\0" in text:
        raise Unfit("holds a NUL character; give a path", shown=text)
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as exc:
        raise Unfit("names a user without a home directory; give a full path", shown=text) from exc


def domains(text: str) -> tuple[str, ...]:
    """Mail domains in the order and case given, duplicates kept; `*.` in front serves every subdomain.

    Names in other scripts are kept as given (U-labels). Source: freemail contract 1.2, 3 and 7, RFC 1035 2.3.1.
    """
    names = tuple(name for name in _SEPARATORS.split(text) if name)
    for name in names:
        _check_domain(name.lower())
    if not names:
        raise Unfit("names no domain; give at least one, such as mail.example.com", shown=text)
    return names


def _check_domain(name: str) -> None:
    labels = name.removeprefix("*.").split(".")
    try:
        encoded = [_ascii_label(label) for label in labels]
    except UnicodeError as exc:
        raise Unfit("is not a domain name; give names such as mail.example.com", shown=name) from exc
    fits = all(_LABEL.fullmatch(label) for label in encoded) and len(".".join(encoded)) <= 253
    if not fits or encoded[-1].isdigit():
        raise Unfit("is not a domain name; give names such as mail.example.com or *.example.com", shown=name)


def _ascii_label(label: str) -> str:
    # No label over 63 characters can be valid, and the codec takes quadratic time on long ones.
    if len(label) > 63:
        raise UnicodeError("label too long")
    return label if label.isascii() else label.encode("idna").decode("ascii")


def host_name(text: str) -> str:
    if _HOST_NAME.fullmatch(text) is None or ".." in text:
        raise Unfit("is not a host name; give one such as mx.example.com", shown=text)
    return text


def bind(text: str) -> Bind:
    """`ADDRESS:PORT` with an IP address (IPv6 in brackets) or `localhost`; no other name, so no look-up."""
    host, colon, port_text = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if is_bracketed:
        host = host[1:-1]
    if not colon or (":" in host) != is_bracketed or (host != "localhost" and not _is_address(host)):
        raise Unfit("is not ADDRESS:PORT; give an IP address and a port, such as 0.0.0.0:25 or [::]:25", shown=text)
    if _DECIMAL.fullmatch(port_text) is None or int(port_text) > 65535:
        raise Unfit("has no valid port; give one from 0 to 65535 after the last colon", shown=text)
    return Bind(host, int(port_text))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def networks(text: str) -> tuple[Network, ...]:
    """IP addresses and networks in CIDR form; empty is none."""
    return tuple(_network(item) for item in _SEPARATORS.split(text) if item)


def _network(item: str) -> Network:
    try:
        return ip_network(item)
    except ValueError as exc:
        try:
            meant = ip_network(item, strict=False)
        except ValueError:
            raise Unfit("is not a network; give CIDRs such as 10.0.0.0/8 or ::1", shown=item) from exc
        raise Unfit(f"has bits set outside its mask; give {meant}", shown=item) from exc


def user_name(text: str) -> str:
    """The name of a user of this machine; empty is none."""
    if text and _USER_NAME.fullmatch(text) is None:
        raise Unfit("is not a user name; give one of this machine's users", shown=text)
    return text


def bucket(text: str) -> str:
    if _BUCKET.fullmatch(text) is None or ".." in text:
        raise Unfit("is not a bucket name; give 3 to 63 of a-z, 0-9, dot and hyphen", shown=text)
    return text


def region(text: str) -> str:
    if _REGION.fullmatch(text) is None:
        raise Unfit("is not a region; give one such as us-east-1, or auto for R2", shown=text)
    return text


def database_url(text: str) -> SqliteUrl:
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise Unfit("is not a URL; give sqlite:///PATH")
    if scheme.lower() != "sqlite":
        raise Unfit("is not a database that this version can use; give sqlite:///PATH", shown=f"{scheme}://")
    if not rest.startswith("/") or rest in ("/", "/:memory:") or rest.endswith("/") or "?" in rest:
        raise Unfit("must name a file and nothing else; give sqlite:///PATH, such as sqlite:////srv/mail/tempmail.db")
    return SqliteUrl(path(rest[1:]))


def objects_url(text: str) -> FolderUrl | S3Url:
    scheme, separator, rest = text.partition("://")
    kind = scheme.lower() if separator else ""
    if kind == "file":
        if not rest.startswith(("/", "./", "../")):
            raise Unfit("must go on with a path; give file:///absolute/folder or file://./relative/folder")
        return FolderUrl(path(rest))
    if kind == "s3":
        return _s3_url(rest)
    raise Unfit("names no object store; give file:///folder or s3://bucket/prefix")


def _s3_url(rest: str) -> S3Url:
    if "@" in rest or "?" in rest:
        raise Unfit("holds more than a bucket and a prefix; keys go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    name, _, prefix_text = rest.partition("/")
    prefix = prefix_text.strip("/")
    if prefix and (not prefix.isprintable() or any(part in ("", ".", "..") for part in prefix.split("/"))):
        raise Unfit("is not a key prefix; give plain names between single slashes", shown=prefix)
    return S3Url(bucket(name), prefix)


def endpoint_url(text: str) -> str:
    """The root of an S3 API, without a slash at its end; empty is Amazon's own."""
    if not text:
        return text
    try:
        parts = urlsplit(text)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        raise Unfit("is not a URL; give one such as https://<account>.r2.cloudflarestorage.com") from None
    if parts.username is not None or parts.query or parts.fragment:
        raise Unfit("holds more than scheme, host and port; keys go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_valid or not text.isprintable():
        raise Unfit("is not a URL; give one such as https://<account>.r2.cloudflarestorage.com")
    if is_r2_endpoint(text) and parts.path.strip("/"):
        raise Unfit("ends with a bucket; the endpoint ends after the host, the bucket goes into OBJECTS_URL")
    return text.rstrip("/")


def is_r2_endpoint(text: str) -> bool:
    """Whether `text` is the URL of a Cloudflare R2 endpoint. False for what is no URL."""
    try:
        host = urlsplit(text).hostname or ""
    except ValueError:
        return False
    return host.endswith(".r2.cloudflarestorage.com")
