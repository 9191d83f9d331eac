"""Who is asking: the five roles of seed 004, and the caller of one request."""

from dataclasses import dataclass
from enum import StrEnum

from tempmail.domain.address import MAX_LOCAL_LENGTH, valid_local


class Role(StrEnum):
    """The columns of the policy table. `strictAdmin` and `admin` share the wire name `admin` (seed 004)."""

    STRICT_ADMIN = "strictAdmin"
    ADMIN = "admin"
    USER = "user"
    MAILBOX = "mailbox"
    GUEST = "guest"

    @property
    def wire_name(self) -> str:
        """The role as sessions and answers spell it."""
        return Role.ADMIN.value if self is Role.STRICT_ADMIN else self.value


@dataclass(frozen=True, slots=True)
class Scope:
    """What an API token narrows its owner's permissions to.

    Patterns know one special character, `*`: any run of characters, also none. `mailboxes` empty: no narrowing.

    >>> Scope(("mail.*",), ("qa-*@example.com",)).allows("mail.list")
    True
    >>> Scope(("mail.*",), ("qa-*@example.com",)).covers("boss@example.com")
    False
    """

    actions: tuple[str, ...]
    mailboxes: tuple[str, ...] = ()

    def allows(self, action: str) -> bool:
        return any(_matches(pattern, action) for pattern in self.actions)

    def covers(self, address: str) -> bool:
        """Whether the mailbox at `address` (lower case) is within it."""
        return not self.mailboxes or any(_matches(pattern, address) for pattern in self.mailboxes)

    def address_with(self, local: str, domain: str) -> str | None:
        """An address in `domain` within it: the first pattern that such an address fits, with `local` (cut to the room
        there is) for the star of its local part. None where no pattern leaves the local part open.

        >>> Scope((), ("boss@example.com", "qa-*@example.com")).address_with("x7k2", "example.com")
        'qa-x7k2@example.com'
        """
        if not self.mailboxes:
            return f"{local}@{domain}"
        for pattern in self.mailboxes:
            name, at, _ = pattern.rpartition("@")
            before, star, after = (name if at else pattern).partition("*")
            after = after.replace("*", "") if at else ""
            room = MAX_LOCAL_LENGTH - len(before) - len(after)
            filled = f"{before}{local[:room]}{after}"
            if star and room > 0 and valid_local(filled) and self.covers(f"{filled}@{domain}"):
                return f"{filled}@{domain}"
        return None


def _matches(pattern: str, text: str) -> bool:
    """In linear time: the pieces between the stars, each at its first place."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == text
    last = rest.pop()
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in rest:
        found = text.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of one request.

    `user_id`: the row in `users`, 0 where there is none (root token, mailbox, guest). `mailbox_id` and
    `mailbox_address` (lower case) are set for the role mailbox only, and say which one mailbox it may use. `token_id`
    and `scope` are set where the caller shows an API token: its owner's permissions, narrowed.
    """

    role: Role
    username: str
    user_id: int = 0
    mailbox_id: int = 0
    mailbox_address: str | None = None
    token_id: int = 0
    scope: Scope | None = None

    @property
    def is_strict_admin(self) -> bool:
        return self.role is Role.STRICT_ADMIN

    @property
    def owner_id(self) -> int | None:
        """Who owns what this actor creates; None: nobody (the root token has no row)."""
        return self.user_id or None


ROOT = Actor(Role.STRICT_ADMIN, "__root__")
"""Whoever shows the root token."""
