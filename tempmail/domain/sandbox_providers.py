"""What there is to know of each provider's sandbox before a request comes: how its credentials look, which switches it
has, and how an app is pointed at it. A new provider is one row here and one file in `tempmail/sandbox/`."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import ascii_letters, digits
from types import MappingProxyType

from tempmail.domain.sandbox import Fault, SandboxCredential, Setting
from tempmail.domain.sandbox_emailcar import md5_hex
from tempmail.domain.sandbox_fields import is_mailbox, is_time_zone
from tempmail.domain.sandbox_nobase import APP_STATES
from tempmail.errors import BadRequest

ALPHANUMERIC = ascii_letters + digits
MAX_SWITCH_CHARS = 2_048
MIN_VALUE_CHARS = 8


@dataclass(frozen=True, slots=True)
class CredentialField:
    """A part of a credential, made of random characters. A secret is shown once and held as the SHA-256 of
    `transform(value)`: its characters are random, so there is nothing to guess. A `is_password`, which people choose,
    is held as a password's hash instead, which is not made here. `min_chars`: of one that is given."""

    name: str
    prefix: str = ""
    alphabet: str = ALPHANUMERIC
    length: int = 32
    is_secret: bool = True
    is_password: bool = False
    min_chars: int = MIN_VALUE_CHARS
    transform: Callable[[str], str] = str

    def held(self, value: str) -> str:
        """What is stored of a value."""
        if not self.is_secret:
            return value
        return hashlib.sha256(self.transform(value).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Switch:
    """A setting of a credential. `choices`: for a text, the values that it may have, besides the empty one; none: any
    text."""

    name: str
    default: Setting
    doc: str
    low: int = 0
    high: int = 1_000_000_000
    choices: tuple[str, ...] = ()
    fits: Callable[[str], bool] = lambda _: True

    def checked(self, value: object) -> Setting:
        """`value`, if it fits. Raises `BadRequest`."""
        if isinstance(self.default, bool):
            if isinstance(value, bool):
                return value
            raise BadRequest(f"{self.name}: true or false")
        if isinstance(self.default, int):
            if isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high:
                return value
            raise BadRequest(f"{self.name}: a whole number from {self.low} to {self.high}")
        if not isinstance(value, str) or len(value) > MAX_SWITCH_CHARS:
            raise BadRequest(f"{self.name}: a text of at most {MAX_SWITCH_CHARS} characters")
        if self.choices and value and value not in self.choices:
            raise BadRequest(f"{self.name}: one of {', '.join(self.choices)}, or empty")
        if not self.fits(value):
            raise BadRequest(f"{self.name}: such as {self.default!r}")
        return value


COMMON_SWITCHES = (
    Switch("fault", "", "What goes wrong with every mail; see docs/sandboxes.md", choices=tuple(Fault)),
    Switch("timeout_s", 60, "Seconds that the fault `timeout` holds the answer", high=300),
    Switch("rate_per_s", 0, "Calls that are taken in a second; 0: any number", high=1_000_000),
    Switch("daily_quota", 0, "Mails that are taken in a day (UTC); 0: any number"),
    Switch("monthly_quota", 0, "Mails that are taken in a month (UTC); 0: any number"),
)
"""Those that every sandbox has."""


@dataclass(frozen=True, slots=True)
class SandboxProvider:
    """One provider. `lookup`: the name of the field that a request names its credential by. `usage`: how an app is
    pointed at it; `{base}` stands for the sandbox's URL, the names of fields in braces for their values."""

    name: str
    title: str
    fields: tuple[CredentialField, ...]
    lookup: str
    switches: tuple[Switch, ...] = ()
    usage: tuple[str, ...] = ()

    @property
    def all_switches(self) -> tuple[Switch, ...]:
        return COMMON_SWITCHES + self.switches

    def field(self, name: str) -> CredentialField:
        return next(field for field in self.fields if field.name == name)

    def new_values(self, choice: Callable[[str], str]) -> dict[str, str]:
        """A new credential, by field. `choice` picks a random character of a text: `secrets.choice`."""
        return {
            field.name: field.prefix + "".join(choice(field.alphabet) for _ in range(field.length))
            for field in self.fields
        }

    def held(self, values: Mapping[str, str]) -> dict[str, str]:
        """What is stored of a credential, passwords aside."""
        return {field.name: field.held(values[field.name]) for field in self.fields if not field.is_password}

    def switches_with(self, given: Mapping[str, object], before: Mapping[str, Setting]) -> dict[str, Setting]:
        """All switches: as given, else as they were before, else their defaults. Raises `BadRequest`."""
        known = {switch.name: switch for switch in self.all_switches}
        for name in given:
            if name not in known:
                raise BadRequest(f"{name[:64]} is no switch of {self.name}; those are {', '.join(known)}")
        return {
            name: switch.checked(given[name]) if name in given else before.get(name, switch.default)
            for name, switch in known.items()
        }

    def usage_lines(self, base: str, values: Mapping[str, str]) -> list[str]:
        """How an app is pointed at the sandbox, line by line. Values that are not known stand as their names."""
        shown = {field.name: values.get(field.name, f"<{field.name}>") for field in self.fields}
        return [line.format(base=base, **shown) for line in self.usage]


def matches(provider: SandboxProvider, credential: SandboxCredential, field: str, offered: str) -> bool:
    """Whether `offered` is the credential's `field`. In constant time."""
    return hmac.compare_digest(
        provider.field(field).held(offered).encode("utf-8", "surrogatepass"), credential.fields[field].encode()
    )


_DOMAINS = Switch("domains", "", "Verified domains, separated by commas; mail from others gets 403. Empty: any domain")
_POINTS = Switch("points", 0, "Mails that the account has paid for, all that it ever sent among them; 0: any number")


def _sender(default: str) -> Switch:
    return Switch("sender", default, "The one sender that the account has", fits=is_mailbox)


_TIME_ZONE = Switch("time_zone", "Asia/Shanghai", "The time zone that times are given and shown in", fits=is_time_zone)

RESEND = SandboxProvider(
    name="resend",
    title="Resend",
    fields=(CredentialField("key", prefix="re_"),),
    lookup="key",
    switches=(
        Switch("require_user_agent", True, "Calls without a User-Agent are refused with 403, as at Resend"),
        Switch(
            "refuse_key",
            "",
            "The key is refused: as the documentation says (403), or as the live API was seen to (401, 400)",
            choices=("403", "401", "400"),
        ),
        Switch("sending_only", False, "The key may send and do nothing else, as a restricted API key"),
        _DOMAINS,
    ),
    usage=(
        "RESEND_API_KEY={key}",
        "RESEND_API_URL={base}    # resend for Python, before it is imported",
        "RESEND_BASE_URL={base}   # resend for Node.js",
    ),
)

SENDFLARE = SandboxProvider(
    name="sendflare",
    title="SendFlare",
    fields=(CredentialField("key", prefix="live_"),),
    lookup="key",
    usage=("SENDFLARE_API_KEY={key}", "SENDFLARE_API_URL={base}   # in the place of https://api.sendflare.io"),
)

CYBERPERSONS = SandboxProvider(
    name="cyberpersons",
    title="Cyberpersons",
    fields=(CredentialField("key", prefix="sk_live_"),),
    lookup="key",
    switches=(
        Switch("can_send", True, "The key may send; off: 403"),
        Switch("can_read_analytics", True, "The key may look at messages and statistics; off: 403"),
        _DOMAINS,
    ),
    usage=(
        "CYBERPERSONS_API_KEY={key}",
        "CYBERPERSONS_API_URL={base}/email/v1   # in the place of https://platform.cyberpersons.com/email/v1",
    ),
)

MAIL_PUSH = SandboxProvider(
    name="mail_push",
    title="mail_push",
    fields=(CredentialField("token"),),
    lookup="token",
    switches=(
        _sender("mail_push <noreply@mail-push.example>"),
        _TIME_ZONE,
        _POINTS,
    ),
    usage=(
        "MAIL_PUSH_TOKEN={token}",
        "MAIL_PUSH_API_URL={base}/api   # in the place of https://mail.push.xiaocx.cc/api",
        "MAIL_PUSH_FROM=noreply@mail-push.example   # the switch `sender`",
        "MAIL_PUSH_TEMPLATE=1",
        "MAIL_PUSH_VARIABLES=subject=subject,html=html,text=text",
    ),
)

NOBASE = SandboxProvider(
    name="nobase",
    title="nobase",
    fields=(
        CredentialField("appid", length=12, is_secret=False),
        CredentialField("signature"),
        CredentialField("token"),
        CredentialField("user", alphabet=digits, length=11, is_secret=False),
        CredentialField("pass", length=16, is_password=True),
    ),
    lookup="appid",
    switches=(
        _sender("nobase <noreply@nobase.example>"),
        Switch("pause_s", 60, "Seconds between two mails of a session; 0: none", high=86_400),
        Switch("mirror_code", False, "HTTP's status is the answer's `code`; else it is always 200"),
        Switch("overdue_days", 0, "Since how many days the developer has not paid; 0: has", high=10_000),
        Switch("developer_disabled", False, "The developer's account is switched off"),
        Switch("app_state", "", "What keeps the app from sending; empty: nothing", choices=APP_STATES),
        Switch("user_disabled", False, "The user's account is switched off"),
        Switch("has_configuration", True, "The app has a mail server; off: 407"),
    ),
    usage=(
        "NOBASE_API_URL={base}   # in the place of https://nobase.cn",
        "NOBASE_APPID={appid}",
        "NOBASE_SIGNATURE={signature}",
        "NOBASE_FROM=noreply@nobase.example   # the switch `sender`",
        "NOBASE_TOKEN={token}   # or NOBASE_USER={user} and NOBASE_PASS={pass}, not both",
    ),
)

EMAILCAR = SandboxProvider(
    name="emailcar",
    title="EmailCar",
    fields=(
        CredentialField("api_user", length=12, is_secret=False, min_chars=3),
        CredentialField("api_pwd", length=16, is_password=True, min_chars=3, transform=md5_hex),
    ),
    lookup="api_user",
    switches=(
        Switch("approved", True, "The account may use the API"),
        Switch("senders", "", "Registered sender addresses, separated by commas. Empty: any"),
        Switch("submissions_per_s", 1, "Submissions that are taken in a second; 0: any number", high=1_000_000),
        Switch("stray_return", False, "Lists of mails have a `return` among them, as in the documentation's sample"),
        _TIME_ZONE,
        _POINTS,
    ),
    usage=(
        "EMAILCAR_API_URL={base}   # in the place of http://webapi.emailcar.net",
        "EMAILCAR_API_USER={api_user}",
        "EMAILCAR_API_PWD={api_pwd}",
    ),
)

PROVIDERS: Mapping[str, SandboxProvider] = MappingProxyType(
    {each.name: each for each in (RESEND, SENDFLARE, CYBERPERSONS, MAIL_PUSH, NOBASE, EMAILCAR)}
)
"""By name, which is also the path below /sandbox/."""


def provider_named(name: str) -> SandboxProvider:
    """Raises `BadRequest`."""
    found = PROVIDERS.get(name)
    if found is None:
        raise BadRequest(f"there is no sandbox {name[:64]}; there are {', '.join(PROVIDERS)}")
    return found
