"""What the settings of sending may say: keys of providers by sender domain, their URLs, pauses, rules of forwarding.

Parsers as in `setting_values.py`. Keys and URLs that may hold a password are never quoted; domains may be.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from tempmail import setting_values as values
from tempmail.setting_values import Unfit

EVERY_DOMAIN = "*"
PROVIDERS = ("resend", "sendflare", "cyberpersons", "mail_push", "nobase", "emailcar", "smtp")
MAIL_PUSH_PARTS = ("subject", "html", "text")

_SEPARATORS = re.compile(r"[,，\s]+")
_RULE_SEPARATORS = re.compile(r"[,，]")
_TOP_LEVEL = re.compile(r"(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59}|[^\x00-\x7f]{1,63})", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]{1,253}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,3})?", re.ASCII)
_WEBHOOK_PREFIX = "whsec_"
_LONGEST_PAUSE_S = 3600.0
_NO_FORWARDING = frozenset({"", "[]", "disabled", "none"})

_KEY_FORMS = 'give one key, or DOMAIN=KEY pairs separated by commas, or {"DOMAIN": "KEY"} as JSON'


@dataclass(frozen=True, slots=True)
class ProviderKeys:
    """A provider's keys. `by_domain`: (sender domain in lower case, key), as given; `*.example.com` is for subdomains.
    `otherwise`: the key for all other domains; empty: none."""

    by_domain: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    otherwise: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.by_domain or self.otherwise)

    def __str__(self) -> str:
        return ", ".join([*(domain for domain, _ in self.by_domain), *([EVERY_DOMAIN] if self.otherwise else [])])

    def domains_by_key(self) -> dict[str, tuple[str, ...]]:
        """Each key with the domains that it is for: one account, however many of them."""
        found: dict[str, tuple[str, ...]] = {}
        for domain, key in self.by_domain:
            found[key] = (*found.get(key, ()), domain)
        if self.otherwise:
            found.setdefault(self.otherwise, ())
        return found


@dataclass(frozen=True, slots=True)
class SmtpRelay:
    """A mail server that mail is handed to. `url`: whole, with the login."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        """The URL without the login."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"


@dataclass(frozen=True, slots=True)
class Pause:
    """The least time between two calls of a provider's account."""

    provider: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.provider}={self.seconds:g}"


@dataclass(frozen=True, slots=True)
class ForwardPrefix:
    """Mail for local parts that begin with `prefix` (lower case; `*`: any) is forwarded to `email`."""

    prefix: str
    email: str

    def __str__(self) -> str:
        return f"{self.prefix}={self.email}"


@dataclass(frozen=True, slots=True)
class TemplateVariables:
    """What the variables of the mail_push template are called; empty: it has none for that part."""

    subject: str = ""
    html: str = ""
    text: str = ""

    def by_part(self) -> dict[str, str]:
        """The parts that have a variable, with its name."""
        named = {"subject": self.subject, "html": self.html, "text": self.text}
        return {part: name for part, name in named.items() if name}

    def __str__(self) -> str:
        return ",".join(f"{part}={name}" for part, name in self.by_part().items())


def provider_keys(text: str) -> ProviderKeys:
    """One key for every sender; `domain=key` pairs; or a JSON object of them. `*` as a domain is for all others.

    A text is pairs where each piece begins with a domain name that has a dot; so a key may hold `=`, as base64 does.
    Source: freemail contract 6, D-16.
    """
    if not text:
        return ProviderKeys()
    if text.startswith("{"):
        return _keys_of(_json_pairs(text))
    pieces = [piece for piece in _SEPARATORS.split(text) if piece]
    named = [piece for piece in pieces if _names_domain(piece)]
    if not named:
        if len(pieces) > 1:
            raise Unfit(f"holds several keys without their domains; {_KEY_FORMS}")
        return ProviderKeys(otherwise=_checked_key(text))
    if len(named) < len(pieces):
        raise Unfit(f"holds a piece without a domain among DOMAIN=KEY pairs; {_KEY_FORMS}")
    return _keys_of((domain, key) for domain, _, key in (piece.partition("=") for piece in named))


def _names_domain(piece: str) -> bool:
    name, equals, _ = piece.partition("=")
    if name == EVERY_DOMAIN:
        return bool(equals)
    *rest, last = name.split(".")
    return bool(equals and rest) and _TOP_LEVEL.fullmatch(last) is not None and _is_domain(name)


def _is_domain(name: str) -> bool:
    try:
        return values.domains(name) == (name,)
    except Unfit:
        return False


def _json_pairs(text: str) -> Iterable[tuple[str, str]]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        # The parser's own error holds the text, and with it the keys.
        raise Unfit(f"begins like JSON and is none; {_KEY_FORMS}") from None
    if not all(isinstance(key, str) for _, key in pairs):
        raise Unfit("holds something else than texts in its JSON object; give each domain its key as text")
    return [(domain, key.strip()) for domain, key in pairs]


def _keys_of(pairs: Iterable[tuple[str, str]]) -> ProviderKeys:
    otherwise, by_domain = "", dict[str, str]()
    for given, key in pairs:
        domain = given.strip().lower()
        if domain != EVERY_DOMAIN and not _is_domain(domain):
            # Not shown: where the text is put wrongly, this is a part of a key.
            raise Unfit(f"has no domain name where one belongs; {_KEY_FORMS}")
        if domain in by_domain or (domain == EVERY_DOMAIN and otherwise):
            raise Unfit("is named twice; give each domain one key", shown=domain)
        if not key:
            raise Unfit("has no key; give one, or leave the domain out", shown=domain)
        if domain == EVERY_DOMAIN:
            otherwise = _checked_key(key)
        else:
            by_domain[domain] = _checked_key(key)
    if not otherwise and not by_domain:
        raise Unfit(f"names no key; {_KEY_FORMS}")
    return ProviderKeys(tuple(by_domain.items()), otherwise)


def _checked_key(key: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Unfit("holds a key with blanks or characters that no HTTP header can carry; give it as the provider does")
    return key


def api_url(text: str) -> str:
    """The root of a provider's API, without a slash at its end: http or https, a path allowed, no credentials."""
    problem = "is not the root URL of an API; give one such as https://api.example.com"
    try:
        parts = urlsplit(text)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        raise Unfit(problem) from None
    if parts.username is not None or parts.password is not None:
        raise Unfit("holds a user name; keys have their own variables")
    is_whole = parts.scheme in ("http", "https") and parts.hostname and port_is_valid
    if not is_whole or parts.query or parts.fragment or not text.isprintable() or " " in text:
        raise Unfit(problem)
    return text.rstrip("/")


def smtp_relay(text: str) -> SmtpRelay:
    """`smtp://USER:PASSWORD@HOST:PORT` (STARTTLS) or `smtps://…` (TLS from the first byte); login and port may be left
    out, and `%` escapes in the login."""
    problem = "is not the URL of a mail server; give smtp://USER:PASSWORD@HOST:587 or smtps://USER:PASSWORD@HOST:465"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Unfit(problem) from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or port == 0:
        raise Unfit(problem)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise Unfit("holds more than a login and a server; in the login write / as %2F, ? as %3F, # as %23, @ as %40")
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(username) != bool(password):
        raise Unfit("has a user name without a password, or the reverse; give both or neither")
    if not text.isprintable() or not (username + password).isprintable():
        raise Unfit("has a control character in its login")
    return SmtpRelay(text)


def sender_address(text: str) -> str:
    """The one address that an account sends from, in lower case; empty is none."""
    if text and (_ADDRESS.fullmatch(text) is None or not _is_domain(text.rpartition("@")[2].lower())):
        raise Unfit("is not an address; give one such as noreply@example.com", shown=text)
    return text.lower()


def some_domains(text: str) -> tuple[str, ...]:
    """Domains in lower case, `*.` in front for subdomains; empty is none."""
    return tuple(name.lower() for name in values.domains(text)) if text else ()


def pauses(text: str) -> tuple[Pause, ...]:
    """`PROVIDER=SECONDS` pairs, separated by commas; empty is none."""
    found: dict[str, Pause] = {}
    for piece in _SEPARATORS.split(text):
        if not piece:
            continue
        name, _, seconds = piece.partition("=")
        if name.lower() not in PROVIDERS:
            raise Unfit(f"names no provider; give PROVIDER=SECONDS with one of {', '.join(PROVIDERS)}", shown=piece)
        if _SECONDS.fullmatch(seconds) is None or float(seconds) > _LONGEST_PAUSE_S:
            raise Unfit(f"has no number of seconds from 0 to {_LONGEST_PAUSE_S:g}", shown=piece)
        found[name.lower()] = Pause(name.lower(), float(seconds))
    return tuple(found.values())


def template_variables(text: str) -> TemplateVariables:
    """`PART=NAME` pairs of subject, and html or text or both."""
    found: dict[str, str] = {}
    for piece in _SEPARATORS.split(text):
        part, _, name = piece.partition("=")
        if not piece:
            continue
        if part not in MAIL_PUSH_PARTS or _VARIABLE.fullmatch(name) is None:
            raise Unfit("is not PART=VARIABLE with a part of subject, html, text and the variable's name", shown=piece)
        found[part] = name
    if "subject" not in found or len(found) < 2:
        raise Unfit("must name a variable for the subject, and for html or text or both", shown=text)
    return TemplateVariables(**found)


def webhook_secrets(text: str) -> tuple[bytes, ...]:
    """Signing secrets as Svix writes them, `whsec_` and base64, separated by commas; empty is none."""
    return tuple(_webhook_secret(piece) for piece in _SEPARATORS.split(text) if piece)


def _webhook_secret(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(_WEBHOOK_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise Unfit(f"is not a signing secret; give the provider's, which begins with {_WEBHOOK_PREFIX}")
    return key


def forward_rules(text: str) -> tuple[ForwardPrefix, ...]:
    """`PREFIX=ADDRESS` pairs separated by commas, or a JSON array of `{"prefix", "email"}`, in this order; empty, `[]`,
    `none` and `disabled` are none. Source: freemail contract 4."""
    if text.lower() in _NO_FORWARDING:
        return ()
    pairs = _json_rules(text) if text.startswith("[") else [_rule_pair(piece) for piece in _RULE_SEPARATORS.split(text)]
    return tuple(_forward_prefix(prefix.strip().lower(), email.strip()) for prefix, email in pairs if prefix or email)


def _rule_pair(piece: str) -> tuple[str, str]:
    prefix, _, email = piece.strip().partition("=")
    return prefix, email.partition("=")[0]


def _json_rules(text: str) -> list[tuple[str, str]]:
    problem = 'is no JSON array of rules; give [{"prefix": "news", "email": "me@example.com"}] or news=me@example.com'
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise Unfit(problem) from None
    if not all(isinstance(rule, dict) for rule in given):
        raise Unfit(problem)
    pairs = [(rule.get("prefix"), rule.get("email")) for rule in given]
    if not all(isinstance(part, str) for pair in pairs for part in pair):
        raise Unfit(problem)
    return pairs


def _forward_prefix(prefix: str, email: str) -> ForwardPrefix:
    if not prefix or _ADDRESS.fullmatch(email) is None:
        raise Unfit("is no rule; give PREFIX=ADDRESS, such as news=me@example.com", shown=f"{prefix}={email}")
    return ForwardPrefix(prefix, email)
