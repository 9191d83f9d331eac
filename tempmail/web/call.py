"""What a handler works with: the services it may use, the caller's permission, and the answer's extra headers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from tempmail.domain.actor import Actor
from tempmail.domain.policy import Grant
from tempmail.services.audit import AuditTrail
from tempmail.services.capsules import CapsuleService
from tempmail.services.extraction import Extractor
from tempmail.services.forwarding import ForwardConsent
from tempmail.services.hooks import ResendHook
from tempmail.services.mail import MailService
from tempmail.services.mailbox_admin import MailboxAdmin
from tempmail.services.mailboxes import MailboxService
from tempmail.services.outbox_admin import OutboxAdmin
from tempmail.services.rules import RuleService
from tempmail.services.sandbox_log import SandboxLog
from tempmail.services.sandbox_templates import SandboxTemplates
from tempmail.services.sandboxes import SandboxService
from tempmail.services.sending import SendService
from tempmail.services.sessions import SessionService
from tempmail.services.tokens import TokenService
from tempmail.services.users import UserService
from tempmail.web.limits import Throttles

SESSION_COOKIE = "iding-session"

Headers = dict[bytes, bytes]
"""A request's headers, names in lower case; of a repeated name the last value."""


class Metrics(Protocol):
    def add(self, name: str, amount: float = 1, label: str = "") -> None: ...

    def observe(self, name: str, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class World:
    """One set of users, mailboxes and their mail: the real one, or the one that guests are shown."""

    mailboxes: MailboxService
    mailbox_admin: MailboxAdmin
    mail: MailService
    users: UserService
    sending: SendService


@dataclass(frozen=True, slots=True)
class WebServices:
    """What the HTTP side needs.

    `demo`: the world of reach DEMO; None: guests are refused. `not_ready`: why mail cannot be taken now, each a public
    sentence; empty: it can. `metrics_page`: all metrics in the Prometheus text format.
    """

    sessions: SessionService
    tokens: TokenService
    audit: AuditTrail
    throttles: Throttles
    world: World
    demo: World | None
    extractor: Extractor
    rules: RuleService
    outbox: OutboxAdmin
    resend_hook: ResendHook
    sandboxes: SandboxService
    sandbox_templates: SandboxTemplates
    sandbox_log: SandboxLog
    forward_consent: ForwardConsent
    capsules: CapsuleService
    not_ready: Callable[[], Awaitable[list[str]]]
    metrics: Metrics
    metrics_page: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Visit:
    """What is known of a request before it is routed.

    `address`: the peer's, or what a trusted proxy says; empty where it is unknown. `https`: likewise.
    """

    request_id: str
    headers: Headers
    address: str
    https: bool


@dataclass(slots=True)
class Call:
    """One request to one endpoint. `world` is the demonstration's for reach DEMO. `grant` is None only for public
    actions. `session_token`: the cookie as sent, valid or not. `target`: what an audited handler works on, as named in
    the request; never a secret. `identified`: who a public action found its caller to be, for the audit log."""

    services: WebServices
    world: World
    grant_or_none: Grant | None
    visit: Visit
    session_token: str | None
    answer_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    target: str = ""
    identified: Actor | None = None

    @property
    def grant(self) -> Grant:
        """The caller's permission for this endpoint's action, which is not public."""
        if self.grant_or_none is None:
            raise RuntimeError("a public action has no grant")
        return self.grant_or_none

    def set_session_cookie(self, token: str, *, max_age_s: int) -> None:
        """Hand out a session; an empty token with age 0 takes it back (contract 2)."""
        secure = " Secure;" if self.visit.https else ""
        cookie = f"{SESSION_COOKIE}={token}; HttpOnly;{secure} Path=/; SameSite=Strict; Max-Age={max_age_s}"
        self.answer_headers.append((b"set-cookie", cookie.encode("latin-1")))
