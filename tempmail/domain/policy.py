"""Who may do what: one table, action by role. What it does not say is refused.

A cell is a `Reach`. It is handed to the service with the actor (a `Grant`), goes into the query as a filter, and
for single objects to `services/access.py`; nothing else in the program asks for a role. `docs/policy.md` is generated
from here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from tempmail.domain.actor import Actor, Role
from tempmail.errors import Forbidden, Unauthenticated

_DAY_S = 24 * 3600


class Reach(StrEnum):
    """How far a permission goes."""

    ALL = "ALL"
    """Every object."""
    OWN = "OWN"
    """Objects linked to the user; for a mailbox login, its one mailbox."""
    DEMO = "DEMO"
    """Every object of the demonstration world, none of the real one."""
    NONE = "NONE"
    """Refused."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. A role that is left out is refused.

    `public`: also for callers without any credential, who then have no actor.
    `mailbox_window_s`: how far back a mailbox login sees, by time of receipt; None: everything.
    `demo_refusal`: what a guest is told where its cell is NONE.
    `mailbox_foreign`: what a mailbox login is told about an object that is not its own.
    `by_token`: also for API tokens, within their scope; not where a token could make itself a wider one.
    `by_mailbox_token`: also for those of them that are for certain mailboxes; not where that would say nothing, as for
    accounts: who sets a user's password can log in and see all that is the user's.
    """

    what: str
    strict_admin: Reach = Reach.NONE
    admin: Reach = Reach.NONE
    user: Reach = Reach.NONE
    mailbox: Reach = Reach.NONE
    guest: Reach = Reach.NONE
    public: bool = False
    mailbox_window_s: int | None = None
    demo_refusal: str = "演示模式不可操作"
    mailbox_foreign: str = "Forbidden"
    by_token: bool = True
    by_mailbox_token: bool = True
    by_role: Mapping[Role, Reach] = field(init=False)

    def __post_init__(self) -> None:
        cells = {
            Role.STRICT_ADMIN: self.strict_admin,
            Role.ADMIN: self.admin,
            Role.USER: self.user,
            Role.MAILBOX: self.mailbox,
            Role.GUEST: self.guest,
        }
        object.__setattr__(self, "by_role", MappingProxyType(cells))


def _public(what: str) -> Rule:
    reach = Reach.ALL
    return Rule(what, strict_admin=reach, admin=reach, user=reach, mailbox=reach, guest=reach, public=True)


_ALL, _OWN, _DEMO = Reach.ALL, Reach.OWN, Reach.DEMO

# Sources: seed 004; freemail contract appendix A (roles), 1.0 (mailbox logins), 2.1 (guest refusals), D-15 (24 hours).
ACTIONS: Mapping[str, Rule] = MappingProxyType(
    {
        "server.read": _public("See that the server is alive and ready, its metrics and its documentation"),
        "session.login": _public("Log in"),
        "session.logout": _public("Log out"),
        "session.read": Rule(
            "See one's own session", strict_admin=_OWN, admin=_OWN, user=_OWN, mailbox=_OWN, guest=_OWN
        ),
        "domain.list": Rule(
            "List the domains that addresses can be made in", strict_admin=_ALL, admin=_ALL, user=_ALL, guest=_DEMO
        ),
        "mailbox.create": Rule(
            "Create a mailbox, random or named", strict_admin=_ALL, admin=_OWN, user=_OWN, guest=_DEMO
        ),
        "mailbox.list": Rule("List mailboxes", strict_admin=_ALL, admin=_OWN, user=_OWN, guest=_DEMO),
        "mailbox.delete": Rule(
            "Delete a mailbox with its mail", strict_admin=_ALL, admin=_OWN, demo_refusal="演示模式不可删除"
        ),
        "mailbox.info": Rule(
            "See one mailbox's settings", strict_admin=_ALL, admin=_OWN, user=_OWN, mailbox=_OWN, guest=_DEMO
        ),
        "mailbox.quota": Rule(
            "See how many mailboxes one may have", strict_admin=_ALL, admin=_OWN, user=_OWN, guest=_DEMO
        ),
        "mailbox.pin": Rule("Pin a mailbox for oneself", strict_admin=_ALL, admin=_OWN, user=_OWN),
        "mailbox.forward": Rule(
            "Set where a mailbox's mail is forwarded to",
            strict_admin=_ALL,
            admin=_OWN,
            user=_OWN,
        ),
        "mailbox.favorite": Rule("Mark a mailbox as a favourite", strict_admin=_ALL, admin=_OWN, user=_OWN),
        "mailbox.batch": Rule("Mark or forward many mailboxes at once", strict_admin=_ALL),
        "mailbox.login": Rule("Allow or deny that mailboxes log in", strict_admin=_ALL),
        "mailbox.password": Rule("Set a mailbox's password", strict_admin=_ALL),
        "mailbox.reset_password": Rule("Reset a mailbox's password to its address", strict_admin=_ALL, guest=_DEMO),
        "mailbox.own_password": Rule(
            "Change the password of one's own mailbox login", mailbox=_OWN, demo_refusal="演示模式不可修改密码"
        ),
        "mail.list": Rule(
            "List a mailbox's mail",
            strict_admin=_ALL,
            admin=_OWN,
            user=_OWN,
            mailbox=_OWN,
            guest=_DEMO,
            mailbox_window_s=_DAY_S,
            mailbox_foreign="只能访问自己的邮箱",
        ),
        "mail.read": Rule(
            "Read single mails",
            strict_admin=_ALL,
            admin=_OWN,
            user=_OWN,
            mailbox=_OWN,
            guest=_DEMO,
            mailbox_window_s=_DAY_S,
            mailbox_foreign="无权访问此邮件",
        ),
        "mail.download": Rule(
            "Download a mail's raw form",
            strict_admin=_ALL,
            admin=_OWN,
            user=_OWN,
            mailbox=_OWN,
            demo_refusal="演示模式不可下载",
            mailbox_foreign="无权访问此邮件",
        ),
        "mail.delete": Rule(
            "Delete a mail",
            strict_admin=_ALL,
            admin=_OWN,
            user=_OWN,
            mailbox=_OWN,
            demo_refusal="演示模式不可删除",
            mailbox_foreign="无权访问此邮件",
        ),
        "mail.clear": Rule(
            "Delete all mail of a mailbox",
            strict_admin=_ALL,
            admin=_OWN,
            user=_OWN,
            mailbox=_OWN,
            demo_refusal="演示模式不可清空",
        ),
        "mail.send": Rule(
            "Send mail, from one's own mailboxes",
            strict_admin=_ALL,
            admin=_OWN,
            user=_OWN,
            demo_refusal="演示模式不可发送",
        ),
        "send.read": Rule(
            "See what became of a mail one sent",
            strict_admin=_ALL,
            admin=_OWN,
            user=_OWN,
            demo_refusal="演示模式不可查询真实发送",
        ),
        "send.change": Rule(
            "Reschedule or cancel a mail that is not sent yet", strict_admin=_ALL, admin=_OWN, user=_OWN
        ),
        "sent.list": Rule("List the mails that a mailbox sent", strict_admin=_ALL, admin=_OWN, user=_OWN, guest=_DEMO),
        "sent.read": Rule(
            "Read a sent mail", strict_admin=_ALL, admin=_OWN, user=_OWN, demo_refusal="演示模式不可查询真实发送"
        ),
        "sent.delete": Rule(
            "Delete the record of a sent mail",
            strict_admin=_ALL,
            admin=_OWN,
            user=_OWN,
        ),
        "outbox.read": Rule("See every mail that goes out", strict_admin=_ALL, by_mailbox_token=False),
        "outbox.manage": Rule(
            "Send again, cancel or settle mails that go out", strict_admin=_ALL, by_mailbox_token=False
        ),
        "hook.receive": _public("Report what became of a mail; the report is signed"),
        "capsule.write": Rule(
            "Write mail to the future, and set and revoke it",
            strict_admin=_OWN,
            admin=_OWN,
            user=_OWN,
            mailbox=_OWN,
            by_mailbox_token=False,
        ),
        "capsule.read": Rule(
            "Read one's mail to the future",
            strict_admin=_OWN,
            admin=_OWN,
            user=_OWN,
            mailbox=_OWN,
            by_mailbox_token=False,
        ),
        "sandbox.manage": Rule(
            "Manage the accounts and templates of the provider sandboxes", strict_admin=_ALL, by_mailbox_token=False
        ),
        "user.list": Rule("List users", strict_admin=_ALL, guest=_DEMO),
        "user.create": Rule("Create a user", strict_admin=_ALL, guest=_DEMO, by_mailbox_token=False),
        "user.update": Rule("Change a user", strict_admin=_ALL, guest=_DEMO, by_mailbox_token=False),
        "user.delete": Rule("Delete a user", strict_admin=_ALL, guest=_DEMO, by_mailbox_token=False),
        "user.mailboxes": Rule("List a user's mailboxes", strict_admin=_ALL, admin=_OWN, user=_OWN, guest=_DEMO),
        "user.assign": Rule("Link mailboxes to users, and unlink them", strict_admin=_ALL, guest=_DEMO),
        "token.list": Rule("List API tokens", strict_admin=_ALL, admin=_OWN, user=_OWN, by_token=False),
        "token.create": Rule("Make an API token for oneself", strict_admin=_OWN, admin=_OWN, user=_OWN, by_token=False),
        "token.revoke": Rule("Revoke an API token", strict_admin=_ALL, admin=_OWN, user=_OWN, by_token=False),
        "audit.read": Rule("Read the audit log", strict_admin=_ALL, by_mailbox_token=False),
        "extraction.try": Rule("See what would be extracted from a mail", strict_admin=_ALL, admin=_ALL, user=_ALL),
        "extraction.rules": Rule("See and change the rules of extraction", strict_admin=_ALL, by_mailbox_token=False),
        "api.unknown": Rule(
            "Be told that an API path does not exist", strict_admin=_ALL, admin=_ALL, user=_ALL, guest=_ALL
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one actor may do in one action. Services take it instead of a role. `reach` is never NONE."""

    actor: Actor
    reach: Reach
    rule: Rule

    @property
    def window_s(self) -> int | None:
        """How far back mail may be seen, in seconds before now; None: all of it."""
        return self.rule.mailbox_window_s if self.actor.role is Role.MAILBOX else None

    @property
    def foreign_text(self) -> str:
        """What the actor is told about an object that exists but is not its own."""
        return self.rule.mailbox_foreign if self.actor.role is Role.MAILBOX else "Forbidden"


def decide(actor: Actor, action: str) -> Reach:
    """How far `actor` may go in `action`; NONE for an action that the table does not hold.

    >>> decide(Actor(Role.USER, "ann", user_id=7), "mail.list")
    <Reach.OWN: 'OWN'>
    >>> decide(Actor(Role.STRICT_ADMIN, "root"), "no.such.action")
    <Reach.NONE: 'NONE'>
    """
    rule = ACTIONS.get(action)
    return Reach.NONE if rule is None else rule.by_role[actor.role]


def grant(actor: Actor | None, action: str) -> Grant:
    """The actor's permission for `action`. Raises `Unauthenticated` where there is no actor, `Forbidden` (with the
    text that this role is told) where the table refuses."""
    if actor is None:
        raise Unauthenticated("Unauthorized")
    reach = decide(actor, action)
    if reach is Reach.NONE:
        raise Forbidden(_refusal(actor.role, ACTIONS.get(action)))
    if actor.scope is not None and not actor.scope.allows(action):
        raise Forbidden(f"this token may not do {action}")
    if actor.token_id and not ACTIONS[action].by_token:
        raise Forbidden(f"a token cannot do {action}: log in")
    if actor.scope is not None and actor.scope.mailboxes and not ACTIONS[action].by_mailbox_token:
        raise Forbidden(f"a token for certain mailboxes cannot do {action}")
    return Grant(actor, reach, ACTIONS[action])


def _refusal(role: Role, rule: Rule | None) -> str:
    if role is Role.MAILBOX:
        return "访问被拒绝"
    if role is Role.GUEST and rule is not None:
        return rule.demo_refusal
    return "Forbidden"


def as_markdown(routes: Mapping[str, tuple[str, ...]]) -> str:
    """The table as a document. `routes`: for each action, the routes that need it ("GET /api/emails")."""
    return "\n".join(_lines(routes)) + "\n"


def _lines(routes: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    yield "# Who may do what"
    yield ""
    yield "Generated from `tempmail/domain/policy.py` by `python -m tempmail.web.policy_page`; do not edit."
    yield ""
    for reach, meaning in (
        (Reach.ALL, "every object"),
        (Reach.OWN, "objects linked to the user; for a mailbox login, its one mailbox"),
        (Reach.DEMO, "every object of the demonstration world, none of the real one"),
        (Reach.NONE, "refused; so is everything that this table does not name"),
    ):
        yield f"- **{reach}**: {meaning}"
    yield ""
    yield "| action | what | anonymous | " + " | ".join(Role) + " | routes |"
    yield "|---" * (len(Role) + 4) + "|"
    for action, rule in ACTIONS.items():
        cells = [str(rule.by_role[role]) for role in Role]
        if rule.mailbox_window_s is not None:
            cells[list(Role).index(Role.MAILBOX)] += f", last {rule.mailbox_window_s // 3600} h"
        anonymous = Reach.ALL if rule.public else Reach.NONE
        where = "<br>".join(f"`{route}`" for route in routes.get(action, ()))
        yield f"| `{action}` | {rule.what} | {anonymous} | {' | '.join(cells)} | {where} |"
