"""Mail to the future: where it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tempmail.domain.capsules import Capsule, CapsuleFile, Recipient, Setting, Status, Trigger
from tempmail.domain.messages import IncomingMail
from tempmail.domain.outbound import State
from tempmail.ports.outbound import NewOutbound


@dataclass(frozen=True, slots=True)
class CapsuleText:
    """What a draft holds beside its attachments. `content` None: the one that is there stays."""

    recipient: Recipient
    title: str
    content: str | None = field(repr=False)
    capsule_style: str
    is_encrypted: bool
    password_hash: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewCapsule:
    uuid: str
    owner_key: str
    sender_name: str
    text: CapsuleText


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An attachment with its bytes."""

    file: CapsuleFile
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    """What a caller names its request by. `request_hash`: of what it asks for. Forgotten where it was first used before
    `since`."""

    name: str
    request_hash: str
    since: str


@dataclass(frozen=True, slots=True)
class NewSetting:
    """A draft is set for a time. `revision`: of the capsule that was judged. `due`: stamp at which it is frozen.
    `monthly_limit`: None: there is none."""

    capsule_id: int
    revision: int
    capsule_uuid: str
    sender_address: str | None
    trigger: Trigger
    trigger_condition: str
    is_outside: bool
    send_at: str
    due: str
    now: str
    monthly_limit: int | None
    key: Key | None


@dataclass(frozen=True, slots=True)
class CapsulePage:
    items: tuple[Capsule, ...]
    total: int


@dataclass(frozen=True, slots=True)
class SettledCapsule:
    """A capsule whose mail to an outside address has come to an end."""

    id: int
    capsule_uuid: str
    state: State
    error: str | None


class Capsules(Protocol):
    """Capsules. Every change of state is one compare-and-set in one transaction, durable on return: of two at once, one
    finds nothing to change. Moves that `capsules.MOVES` lacks are impossible: the database refuses them.

    Where a method takes `capsule_uuid`, it changes that very setting and no later one of the same capsule.
    """

    async def add(self, new: NewCapsule, *, limit: int, now: str) -> Capsule:
        """Raises `Unprocessable` where the owner has `limit` that are not on their way or delivered."""
        ...

    async def find(self, uuid: str) -> Capsule | None: ...

    async def content(self, capsule_id: int) -> str: ...

    async def change(self, capsule_id: int, revision: int, text: CapsuleText, *, now: str) -> Capsule | None:
        """The draft as it is then (a failed one is a draft again); None where it is none any more, or was changed since
        that revision."""
        ...

    async def delete(self, capsule_id: int) -> bool:
        """False where it is no draft (nor failed) any more."""
        ...

    async def files(self, capsule_id: int) -> list[CapsuleFile]:
        """In the order they came."""
        ...

    async def stored_files(self, capsule_id: int) -> list[StoredFile]: ...

    async def file(self, capsule_id: int, uuid: str) -> StoredFile | None: ...

    async def attach(self, capsule_id: int, file: StoredFile, *, now: str) -> Capsule:
        """Raises `Unprocessable` where it is no draft (nor failed) any more, or has no room (`check_room`)."""
        ...

    async def detach(self, capsule_id: int, uuid: str, *, now: str) -> bool:
        """False where it has no such attachment. Raises `Unprocessable` where it is no draft (nor failed) any more."""
        ...

    async def replay(self, owner_key: str, key: Key) -> Setting | None:
        """What was answered under the key; None: it is new. Raises `Unprocessable` where it named another request."""
        ...

    async def set(self, new: NewSetting, owner_key: str) -> Setting | None:
        """The setting, or that which was answered under the same key; None where the capsule is no draft any more, or
        was changed since that revision. Raises `Unprocessable` where the owner has set as many other capsules this
        month as it may, and as `replay`."""
        ...

    async def used(self, owner_key: str, month: str) -> int:
        """How many capsules the owner has set in that UTC month (`YYYY-MM`)."""
        ...

    async def revoke(self, capsule_id: int, *, now: str) -> Capsule | None:
        """A draft again; None where it is not pending any more."""
        ...

    async def release(self, capsule_id: int, capsule_uuid: str, *, now: str) -> Capsule | None:
        """To be delivered at once; None where it is not pending any more."""
        ...

    async def own(self, owner_key: str, statuses: Sequence[Status], *, limit: int, offset: int) -> CapsulePage:
        """By the time they are set for. Costs the same however many others have."""
        ...

    async def inbox(self, *, user_id: int, mailbox_id: int, limit: int, offset: int) -> CapsulePage:
        """What was delivered to the user, to a mailbox linked to it, or to that mailbox (0: none); latest first."""
        ...

    async def due(self, *, now: str, limit: int) -> list[Capsule]:
        """Those whose time for the next step has come, longest due first. Costs the same however many wait."""
        ...

    async def freeze(self, capsule_id: int, capsule_uuid: str, *, now: str) -> Capsule | None:
        """From pending to being delivered, due at its time; None where it was revoked, or its time has not come."""
        ...

    async def hand_over(self, capsule_id: int, capsule_uuid: str, mail: NewOutbound, *, now: str) -> bool:
        """From pending to being delivered, with its mail in the outbox, in one transaction. False, and no mail, as
        `freeze`."""
        ...

    async def deliver(self, capsule_id: int, capsule_uuid: str, mail: IncomingMail | None, *, now: str) -> bool:
        """From being delivered to delivered, with its mail in a mailbox (None: it has none), in one transaction. False,
        and no mail, where it was delivered before, or its time has not come. Raises `UnknownMailbox`."""
        ...

    async def fail(self, capsule_id: int, capsule_uuid: str, *, error: str, now: str) -> bool: ...

    async def put_off(self, capsule_id: int, capsule_uuid: str, *, due: str, error: str) -> None:
        """Look at it again at `due`."""
        ...

    async def forget_delivered(self, before: str, *, limit: int) -> int:
        """Up to `limit` of those delivered before that stamp, with all that they hold; returns how many went."""
        ...

    async def settled(self, *, limit: int) -> list[SettledCapsule]:
        """Those whose mail to an outside address was accepted, or certainly not sent."""
        ...

    async def sent(self, capsule_id: int, capsule_uuid: str, *, now: str) -> bool:
        """From being delivered to delivered, for one whose mail went out."""
        ...
