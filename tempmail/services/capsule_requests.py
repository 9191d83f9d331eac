"""What is asked of capsules, and what a caller gets to see of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tempmail.domain.capsules import Capsule, CapsuleFile


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a capsule is to be for; all empty: nobody yet."""

    user_id: str = ""
    username: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """What to change of a draft; None leaves it as it is. `current_password`: needed to change or take away a
    password. `updated_at`: as last seen; the edit is refused where it is another by now."""

    recipient: Asked | None = None
    title: str | None = None
    content: str | None = field(default=None, repr=False)
    capsule_style: str | None = None
    is_encrypted: bool | None = None
    password: str | None = field(default=None, repr=False)
    current_password: str | None = field(default=None, repr=False)
    updated_at: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What is to release a capsule before its time. `json`: as it is stored and echoed."""

    latitude: float | None = None
    longitude: float | None = None
    city: str | None = None
    keywords: list[str] | None = None
    event: str | None = None
    json: str = "{}"


@dataclass(frozen=True, slots=True)
class SetRequest:
    """What send-to-future asks for, as it came."""

    mail: str | None
    send_time: str | None
    trigger: str | None
    condition: Condition


@dataclass(frozen=True, slots=True)
class Opened:
    """A capsule as one caller sees it. `content` None: it is encrypted, and was not unlocked."""

    capsule: Capsule
    content: str | None = field(repr=False)
    files: Sequence[CapsuleFile]
    is_own: bool


@dataclass(frozen=True, slots=True)
class Quota:
    """`limit` None: there is none. `resets_at`: stamp."""

    limit: int | None
    used: int
    resets_at: str


@dataclass(frozen=True, slots=True)
class CapsuleOptions:
    """`per_month`: how many a user may set in a calendar month, 0: any number."""

    per_month: int = 5
