"""Who is asking: the five roles of seed 004, and the caller of one request."""

from dataclasses import dataclass
from enum import StrEnum


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
class Actor:
    """The caller of one request.

    `user_id`: the row in `users`, 0 where there is none (root token, mailbox, guest). `mailbox_id` and
    `mailbox_address` (lower case) are set for the role mailbox only, and say which one mailbox it may use.
    """

    role: Role
    username: str
    user_id: int = 0
    mailbox_id: int = 0
    mailbox_address: str | None = None

    @property
    def is_strict_admin(self) -> bool:
        return self.role is Role.STRICT_ADMIN

    @property
    def owner_id(self) -> int | None:
        """Who owns what this actor creates; None: nobody (the root token has no row)."""
        return self.user_id or None


ROOT = Actor(Role.STRICT_ADMIN, "__root__")
"""Whoever shows the root token."""
