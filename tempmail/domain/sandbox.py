"""The provider sandboxes: credentials, what came through them, and the faults that they play.

A sandbox answers as a sending provider does and keeps every mail here. A credential is an account at it: what a client
signs its calls with, a mailbox that mail for outside addresses goes to, and switches.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tempmail.domain.messages import IncomingMail

MAX_CREDENTIALS = 1_000
"""Of all providers together."""

MAX_WAITING = 10_000
"""Scheduled mails of one credential: they are kept until their time, however far that is."""

Setting = bool | int | str


class State(StrEnum):
    """What became of a mail."""

    SCHEDULED = "scheduled"
    """Waits for its time; may be rescheduled and canceled."""
    DELIVERED = "delivered"
    """It is in its mailboxes."""
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    """In its mailboxes, and unwelcome there."""
    SUPPRESSED = "suppressed"
    CANCELED = "canceled"
    FAILED = "failed"


class Fault(StrEnum):
    """What a sandbox can be told to do wrong, for every call of a credential (its switch `fault`) or for one mail (a
    recipient such as `x+fault-429@example.com`)."""

    RATE = "429"
    """Too many requests. Nothing is taken."""
    SERVER = "500"
    """A fault of the server. Nothing is taken."""
    QUOTA = "quota"
    """The account's quota is used up. Nothing is taken."""
    TIMEOUT = "timeout"
    """The mail is taken, and the answer held for `timeout_s`."""
    TIMEOUT_BEFORE = "timeout-before"
    """Nothing is taken, and the answer, a fault of the server, held for `timeout_s`."""
    CUT = "cut"
    """The mail is taken, and the connection cut within the answer."""
    HTML = "html"
    """The mail is taken, and the answer is a web page with status 200."""
    BOUNCE = "bounce"
    """The mail is taken, and bounces."""


REFUSING = frozenset({Fault.RATE, Fault.SERVER, Fault.QUOTA, Fault.TIMEOUT_BEFORE})
"""Those of which nothing is taken."""

_FAULT_TAG = re.compile(rf"\+fault-({'|'.join(Fault)})@")


def fault_in(recipients: Iterable[str]) -> Fault | None:
    """The fault that the first tagged recipient asks for.

    >>> fault_in(["a@x.example", "B+Fault-429@x.example"])
    <Fault.RATE: '429'>
    """
    for recipient in recipients:
        if match := _FAULT_TAG.search(recipient.lower()):
            return Fault(match[1])
    return None


@dataclass(frozen=True, slots=True)
class SandboxCredential:
    """`lookup`: what requests name it by, within its provider. `fields`: what it consists of; a secret is held as its
    hash. `mailbox`: where mail for addresses that are not served here goes. `switches`: by name, all of them."""

    id: int
    provider: str
    name: str
    lookup: str
    fields: Mapping[str, str]
    mailbox: str
    switches: Mapping[str, Setting]
    webhook_url: str | None
    webhook_secret: str | None = field(repr=False)
    created_at: str

    def number(self, switch: str) -> int:
        """A switch that is a whole number."""
        return int(self.switches[switch])

    def is_on(self, switch: str) -> bool:
        return bool(self.switches[switch])

    def text(self, switch: str) -> str:
        return str(self.switches[switch])

    def fault(self, recipients: Iterable[str] = ()) -> Fault | None:
        """What goes wrong with a mail for `recipients`; a recipient's own fault comes first."""
        tagged = fault_in(recipients)
        if tagged is not None or not self.switches["fault"]:
            return tagged
        return Fault(self.text("fault"))


@dataclass(frozen=True, slots=True)
class CredentialChange:
    """None: stays. An empty `webhook_url` takes the webhook away."""

    name: str | None = None
    switches: Mapping[str, Setting] | None = None
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who a mail is from and for, as SMTP would be told: bare addresses."""

    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """One event for a credential's webhook. `report_id` stays the same over all tries."""

    report_id: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SandboxDraft:
    """A mail that a provider's caller handed in, ready to be recorded.

    `provider_id`: what the caller is told. `request`: what came, without the content of attachments. `incoming`: the
    mail to be captured at once; None: it waits (`scheduled_at`, and `raw` is kept until then), or goes nowhere.
    `summary`: JSON of the provider's kind.
    """

    provider_id: str
    state: State
    summary: bytes
    request: bytes = field(repr=False)
    envelope: Envelope
    incoming: IncomingMail | None = None
    scheduled_at: str | None = None
    raw: bytes | None = field(default=None, repr=False)
    reports: tuple[SandboxReport, ...] = ()


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """`request_hash`: of the canonical request; `answer`: what a repeat gets; `since`: an older answer counts as
    forgotten."""

    key: str
    request_hash: str
    answer: bytes = field(repr=False)
    since: str


@dataclass(frozen=True, slots=True)
class Quota:
    """How many mails may be taken in a day, in a calendar month (UTC), and in all; 0: any number."""

    daily: int = 0
    monthly: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Submission:
    """One call: all of its mails are recorded and captured in one transaction, or none."""

    credential_id: int
    drafts: tuple[SandboxDraft, ...]
    now: str
    idempotency: IdempotencyKey | None = None
    quota: Quota = Quota()

    @property
    def held_bytes(self) -> int:
        return sum(
            (draft.incoming.held_bytes if draft.incoming else 0) + len(draft.raw or b"") + len(draft.request)
            for draft in self.drafts
        )


@dataclass(frozen=True, slots=True)
class DueCapture:
    """A scheduled mail whose time has come. It is captured only if it still waits for this very time."""

    mail_id: int
    credential_id: int
    scheduled_at: str
    state: State
    incoming: IncomingMail | None
    reports: tuple[SandboxReport, ...] = ()

    @property
    def held_bytes(self) -> int:
        return self.incoming.held_bytes if self.incoming else 0


SandboxWork = Submission | DueCapture


class Outcome(StrEnum):
    TAKEN = "taken"
    REPEATED = "repeated"
    """The same request came under this key before: `answer` is what it got."""
    KEY_REUSED = "key reused"
    """Another request came under this key before."""
    DAY_USED_UP = "day used up"
    MONTH_USED_UP = "month used up"
    USED_UP = "used up"
    TOO_MANY_WAIT = "too many wait"
    GONE = "gone"
    """The credential is gone, or the due mail was canceled or rescheduled."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a piece of work. Nothing was stored unless `outcome` is TAKEN. `used_today`, `used_this_month`:
    with this call's own mails."""

    outcome: Outcome
    message_ids: tuple[int, ...] = ()
    answer: bytes = b""
    used_today: int = 0
    used_this_month: int = 0


@dataclass(frozen=True, slots=True)
class SandboxMail:
    """A recorded mail. `message_ids`: what was stored of it, by mailbox."""

    id: int
    credential_id: int
    provider_id: str
    state: State
    scheduled_at: str | None
    summary: bytes
    envelope: Envelope
    message_ids: tuple[int, ...]
    created_at: str


@dataclass(frozen=True, slots=True)
class DueMail:
    """A scheduled mail whose time has come, with all that capturing it takes."""

    mail: SandboxMail
    credential: SandboxCredential
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DueReport:
    """A report whose (next) try is due, with where it goes. `attempts`: how many were made before."""

    id: int
    report_id: str
    body: bytes = field(repr=False)
    attempts: int
    url: str
    secret: str = field(repr=False)
