"""The records of users, mailbox logins, API tokens and the audit log, as the services pass them on."""

from dataclasses import dataclass

MAX_TOKEN_MAILBOXES = 8
"""Mailbox patterns of one token: each is a parameter of the list query."""


@dataclass(frozen=True, slots=True)
class User:
    """A row of `users`. `username` is in lower case; `role` is "admin" or "user" as stored.

    `password_hash`: None or "" where the account cannot log in by password. `session_epoch` grows with each change that
    ends the account's sessions (password, role).
    """

    id: int
    username: str
    role: str
    can_send: int
    mailbox_limit: int
    created_at: str
    password_hash: str | None
    session_epoch: int


@dataclass(frozen=True, slots=True)
class NewUser:
    username: str
    password_hash: str | None
    role: str
    mailbox_limit: int


@dataclass(frozen=True, slots=True)
class UserChange:
    """What to change of a user; None leaves a field as it is. A new password or role ends the user's sessions."""

    username: str | None = None
    password_hash: str | None = None
    role: str | None = None
    can_send: int | None = None
    mailbox_limit: int | None = None


@dataclass(frozen=True, slots=True)
class UserListing:
    """A line of the user list (seed 004, 获取用户列表)."""

    id: int
    username: str
    role: str
    mailbox_limit: int
    can_send: int
    created_at: str
    mailbox_count: int


@dataclass(frozen=True, slots=True)
class UserPage:
    """A page of users; the numbers are those of the whole system, not of the page. `active_count`: may send."""

    items: tuple[UserListing, ...]
    total: int
    total_mailboxes: int
    admin_count: int
    active_count: int


@dataclass(frozen=True, slots=True)
class UserMailbox:
    """A line of a user's mailbox list (seed 004, 获取指定用户的邮箱列表)."""

    address: str
    created_at: str
    is_pinned: int
    can_login: int


@dataclass(frozen=True, slots=True)
class MailboxLogin:
    """A mailbox as an account. `password_hash`: None or "" where its address is its password."""

    id: int
    address: str
    can_login: int
    password_hash: str | None
    session_epoch: int


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A personal API token; its secret is stored as a hash only.

    `actions`: names or patterns (`mail.*`) of the policy table. `mailboxes`: addresses or patterns (`qa-*@example.com`)
    in lower case; none: every mailbox of its owner. Stamps; `expires_at` None: never. `for_admin`: 1 where its owner
    was the configured admin when it was made.
    """

    id: int
    user_id: int
    name: str
    actions: tuple[str, ...]
    mailboxes: tuple[str, ...]
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    for_admin: int = 0


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what, on what, when, from where, with which result. `id` is 0 before it is stored.

    `actor`: a username, an address, `__root__`, or `cli`; for a failed login the name that was tried. `action`: of the
    policy table. `target`: what it was done to, as named in the request, never a secret. `status`: of the HTTP answer;
    of the command line 200 or 400.
    """

    at: str
    actor: str
    role: str
    action: str
    target: str
    address: str
    status: int
    request_id: str
    id: int = 0
