"""What the services need from the outside, as Protocols. Adapters implement them; `runtime/wiring.py` joins the two."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tempmail.domain.accounts import (
    ApiToken,
    AuditEntry,
    MailboxLogin,
    NewUser,
    User,
    UserChange,
    UserMailbox,
    UserPage,
)
from tempmail.domain.messages import (
    IncomingMail,
    Mailbox,
    MailboxFilter,
    MailboxPage,
    Message,
    MessageSummary,
    ReadAgain,
    StaleMail,
    StoredMail,
)
from tempmail.domain.rules import ExtractionRule, RuleDraft
from tempmail.ports.capsules import Capsules
from tempmail.ports.outbound import ForwardTargets, Outbox, SendKeys, SentMails
from tempmail.ports.sandbox import Sandboxes
from tempmail.ports.sandbox_records import CallLog, MailTotals, Templates

Body = bytes | Path
"""A raw mail: its bytes, or the spool file that holds them."""


CHECK_FOLDER = "check/"
"""Where `Objects.check` puts its object for a moment: keys of mails begin with a year."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    key: str
    size_bytes: int


class Objects(Protocol):
    """Raw mails by key. Every operation may be repeated without harm.

    Keys look like `2026/11/20/box@example.com/101500-<uuid>.eml`; an implementation refuses keys that are absolute,
    hold `..`, an empty segment or a control character (ValueError).
    """

    async def put_many(self, uploads: Sequence[tuple[str, Body]]) -> list[Exception | None]:
        """Store each body under its key; durable on return. One entry per upload, in order: None where it is kept,
        else the error (`ObjectsUnavailable`, or ValueError for a bad key). One failure never fails its neighbours.
        A Path body stays the caller's: it is neither moved nor removed."""
        ...

    async def get(self, key: str) -> bytes:
        """The body. Raises `NotFound`, `ObjectsUnavailable`."""
        ...

    async def delete_many(self, keys: Sequence[str]) -> list[Exception | None]:
        """Remove each key durably; an absent one counts as removed. Entries as in `put_many`."""
        ...

    def walk(self) -> AsyncIterator[ObjectInfo]:
        """Every object, ordered by key (by code point)."""
        ...

    async def sweep(self, now_epoch_s: float) -> int:
        """Remove what puts that a crash interrupted left behind, old enough to be no put under way; returns how
        many."""
        ...

    async def check(self) -> None:
        """Prove that the store can be written, read and deleted. Raises `ObjectsUnavailable` that names what is
        wrong (endpoint, bucket, credentials, folder) and what to do."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """A body that waits in the spool: `body` is its bytes or, for a large mail, the name of its file."""

    object_key: str
    size_bytes: int
    body: bytes | None
    file_name: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class PendingDelete:
    object_key: str
    attempts: int


class Spool(Protocol):
    """Bodies that are committed but not yet in the object store, and objects that are still to be removed.

    Claims are leases: an entry claimed until a stamp is not handed out again before it, so that a dead claimer's work
    is taken over and no leader is needed.
    """

    async def claim(self, *, now: str, until: str, limit: int, max_bytes: int) -> list[SpoolEntry]:
        """The oldest due entries, at least one if any is due, then as many as stay within `limit` and `max_bytes`."""
        ...

    async def finish(self, keys: Sequence[str], *, now: str) -> list[str]:
        """Drop entries whose objects are stored. A key whose last message was deleted meanwhile is queued for
        deletion in the same transaction; one that another claimer finished already is left alone. Returns the names
        of spool files that are no longer needed."""
        ...

    async def retry(self, key: str, *, error: str, due: str) -> None:
        """Give a claimed entry back, due again at `due`."""
        ...

    async def body(self, key: str) -> SpoolEntry | None:
        """The entry under `key`, if it is still spooled."""
        ...

    async def size(self) -> tuple[int, int]:
        """(entries, bytes) that wait."""
        ...

    async def file_names(self) -> set[str]:
        """Names of all spool files that entries refer to."""
        ...

    async def queue_delete(self, key: str, *, due: str) -> None:
        """Queue an object for removal; without effect where it is queued already."""
        ...

    async def claim_deletes(self, *, now: str, until: str, limit: int) -> list[PendingDelete]: ...

    async def finish_deletes(self, keys: Sequence[str]) -> None: ...

    async def retry_delete(self, key: str, *, error: str, due: str) -> None: ...

    async def pending_deletes(self) -> int: ...


class Mail(Protocol):
    """Messages. `id` grows in commit order and is never reused: it is the cursor of every list."""

    async def add(self, batch: Sequence[IncomingMail]) -> list[StoredMail]:
        """Store each mail for all its recipients in one transaction: mailboxes (created where missing), rows, body
        in the spool. Durable (fsynced) on return, all or nothing. Raises `StoreUnavailable`, `StoreFull`,
        `UnknownMailbox` (only where an IncomingMail forbids creation and none of its recipients exists)."""
        ...

    async def add_taken(self, take: Callable[[], Sequence[IncomingMail]]) -> list[StoredMail]:
        """`add` of what `take` returns. It is called once, when the transaction has begun, on another thread perhaps;
        not at all where none could begin."""
        ...

    async def latest(
        self, mailbox_id: int, *, limit: int, before_id: int | None = None, since: str | None = None
    ) -> list[MessageSummary]:
        """Newest first (by id)."""
        ...

    async def get(self, message_id: int) -> Message | None: ...

    async def get_many(self, ids: Sequence[int]) -> list[Message]:
        """Those that exist, ordered by id."""
        ...

    async def mark_read(self, message_id: int) -> None: ...

    async def delete(self, message_id: int, *, now: str) -> bool:
        """Remove the row; its body too if no other row shares it (durably queued). False if there was none."""
        ...

    async def clear(self, mailbox_id: int, *, now: str) -> int:
        """Remove every message of a mailbox, in several transactions if they are many; returns how many went."""
        ...

    async def delete_received_before(self, cutoff: str, *, now: str, limit: int) -> int:
        """Remove up to `limit` of the oldest messages received before `cutoff`; returns how many went."""
        ...

    async def object_keys(self, *, after: str, limit: int) -> list[tuple[str, bool]]:
        """Distinct object keys of messages greater than `after`, in order, with whether each is still spooled."""
        ...

    async def has_object(self, key: str) -> bool:
        """Whether any message has its body under `key`."""
        ...

    async def object_key_known(self, keys: Sequence[str]) -> set[str]:
        """Those of `keys` that a message, the spool or the delete queue refers to."""
        ...


class Mailboxes(Protocol):
    """Mailboxes. Addresses are stored in lower case."""

    async def find(self, address: str) -> Mailbox | None: ...

    async def resolve(self, exact: str, alias: str) -> Mailbox | None:
        """The mailbox that mail for `exact` goes to: itself if it exists, else the one named `alias`."""
        ...

    async def create(self, address: str, *, now: str, owner_id: int | None, expires_at: str | None = None) -> Mailbox:
        """Create it, or return the one that exists; linked to `owner_id` if given."""
        ...

    async def create_new(
        self,
        address: str,
        *,
        now: str,
        owner_id: int | None,
        expires_at: str | None = None,
        within_limit: bool = False,
    ) -> Mailbox | None:
        """Create it, linked to `owner_id` if given; None (and nothing done) where the address exists already.
        One transaction: of two at once, one gets None. Where `within_limit`, raises `QuotaReached` if the owner has as
        many mailboxes as its limit allows, `NotFound` if it is gone; then nothing is left behind."""
        ...

    async def claim_unowned(self, address: str, *, now: str, owner_id: int) -> bool:
        """Link an existing mailbox that nobody is linked to and nobody may log in to; False where it is not so. One
        transaction: of two at once, one gets False. Raises `QuotaReached`, `NotFound` for an owner that is gone."""
        ...

    async def get(self, mailbox_id: int) -> Mailbox | None: ...

    async def toggle_pin(self, mailbox_id: int, *, user_id: int, now: str, may_link: bool) -> bool:
        """Pin it for the user or take the pin away; whether it is pinned now. A user without a link gets one where
        `may_link`. Raises `NotFound` where the mailbox is gone, or the link is and may not be made."""
        ...

    async def toggle_favorite(self, mailbox_id: int) -> bool | None:
        """Whether it is a favourite now; None where the mailbox is gone."""
        ...

    async def set_favorite(self, mailbox_ids: Sequence[int], is_favorite: bool) -> int:
        """How many of them exist. One transaction."""
        ...

    async def set_forward(self, mailbox_ids: Sequence[int], forward_to: str | None) -> int:
        """How many of them exist. One transaction."""
        ...

    async def ids_of(self, addresses: Sequence[str]) -> dict[str, int]:
        """Those of the addresses (lower case) that exist, with their ids."""
        ...

    async def linked(self, user_id: int, mailbox_ids: Sequence[int]) -> set[int]:
        """Those of `mailbox_ids` that are linked to the user."""
        ...

    async def page(self, criteria: MailboxFilter, *, limit: int, offset: int) -> MailboxPage:
        """Pinned by the viewer first, then newest first."""
        ...

    async def total(self) -> int:
        """How many there are."""
        ...

    async def delete(self, mailbox_id: int, *, now: str) -> bool:
        """Remove it with all its messages and their bodies, in several transactions if they are many: the mailbox
        itself goes with the last of them. False if there was none."""
        ...

    async def delete_expired(self, now: str, *, limit: int) -> int: ...


class Users(Protocol):
    """Accounts. Usernames are in lower case; the caller has validated what it passes."""

    async def ensure_admin(self, username: str, *, now: str) -> int:
        """The id of the configured admin's row, created if missing (role admin, may send, limit 9999)."""
        ...

    async def find(self, username: str) -> User | None: ...

    async def get(self, user_id: int) -> User | None: ...

    async def add(self, user: NewUser, *, now: str, limit: int) -> User:
        """Raises `Conflict` where the name is taken, `QuotaReached` where there are `limit` users."""
        ...

    async def change(self, user_id: int, change: UserChange) -> bool:
        """One transaction. A changed role or password moves `session_epoch` on. False if there is no such user.
        Raises `Conflict` where the new name is taken."""
        ...

    async def upgrade_password(self, user_id: int, *, old_hash: str, new_hash: str) -> None:
        """Replace a hash by a better one of the same password; without effect where it is not `old_hash` any more.
        Sessions go on."""
        ...

    async def delete(self, user_id: int) -> bool:
        """Remove the user, its links and its tokens; its mailboxes stay. False if there was none."""
        ...

    async def page(self, *, limit: int, offset: int, newest_first: bool) -> UserPage:
        """By time of creation, which is the order of ids."""
        ...

    async def mailboxes(self, user_id: int, *, limit: int) -> list[UserMailbox]:
        """The user's pins first, then newest first."""
        ...

    async def assign(self, user_id: int, address: str, *, now: str, within_limit: bool = True) -> None:
        """Link a mailbox (created where missing) to the user, within its limit unless that is lifted; one that is
        linked already stays so. One transaction, which leaves nothing behind where it raises: `NotFound` for a user
        that is gone, `QuotaReached`."""
        ...

    async def unassign(self, user_id: int, mailbox_id: int) -> bool:
        """Take the link away; the mailbox stays. False if there was none."""
        ...

    async def mailbox_count(self, user_id: int) -> int:
        """How many mailboxes are linked to the user."""
        ...


class MailboxLogins(Protocol):
    """Mailboxes as accounts."""

    async def find(self, address: str) -> MailboxLogin | None:
        """Whether it may log in or not."""
        ...

    async def set_password(self, mailbox_id: int, password_hash: str | None) -> bool:
        """Set the hash, or take it away (None); moves `session_epoch` on. False if there is no such mailbox."""
        ...

    async def change_password(self, mailbox_id: int, *, epoch: int, password_hash: str) -> bool:
        """As `set_password`, by the mailbox itself: only while its `session_epoch` is the one from when the current
        password was proved. False (and nothing done) otherwise."""
        ...

    async def upgrade_password(self, mailbox_id: int, *, old_hash: str, new_hash: str) -> None:
        """As `Users.upgrade_password`."""
        ...

    async def record_login(self, mailbox_id: int, *, now: str) -> None:
        """Record the time (`last_accessed_at`)."""
        ...

    async def allow(self, addresses: Sequence[str], can_login: bool, *, now: str) -> list[bool]:
        """Allow or deny logging in; unknown addresses are created. Moves `session_epoch` on where it is denied. One
        transaction. For each address, in order: whether it was created."""
        ...

    async def allow_one(self, mailbox_id: int, can_login: bool) -> bool:
        """As `allow`, for a mailbox that exists. False if there is none: it is not created."""
        ...


class Sessions(Protocol):
    """Which sessions hold. `jti` is the token's id (RFC 7519 4.1.7)."""

    async def revoke(self, jti: str, *, expires_at: str, now: str) -> None:
        """Refuse this session from now on; durable on return, and may be repeated. Entries whose `expires_at` is
        before `now` are dropped with it: their tokens are no longer valid anyway, so the table stays bounded."""
        ...

    async def is_revoked(self, jti: str) -> bool: ...

    async def user(self, jti: str, user_id: int) -> User | None:
        """The account of a session, as it is now; None where it is gone or the session was ended."""
        ...

    async def mailbox(self, jti: str, mailbox_id: int) -> MailboxLogin | None:
        """As `user`, for a mailbox login."""
        ...


class Tokens(Protocol):
    """Personal API tokens, by the hash of their secret."""

    async def add(self, token: ApiToken, *, secret_hash: str, limit: int) -> ApiToken:
        """Store it; its id is given here. Raises `QuotaReached` where its owner has `limit` tokens."""
        ...

    async def find(self, secret_hash: str) -> tuple[ApiToken, User] | None:
        """The token and its owner as they are now, expired or not."""
        ...

    async def page(self, *, user_id: int | None, after_id: int, limit: int) -> list[ApiToken]:
        """By id, those above `after_id`; of one owner, or of all (None)."""
        ...

    async def revoke(self, token_id: int, *, user_id: int | None) -> bool:
        """Remove it, if it is that owner's (None: anybody's). False if there was none."""
        ...

    async def record_use(self, token_id: int, *, now: str) -> None:
        """Record the time of use."""
        ...


class Audit(Protocol):
    """What was done by whom. `id` grows in the order of recording."""

    async def record(self, entry: AuditEntry) -> None: ...

    async def page(
        self, *, limit: int, before_id: int | None = None, actor: str | None = None, action: str | None = None
    ) -> list[AuditEntry]:
        """Newest first."""
        ...

    async def delete_before(self, cutoff: str, *, keep: int, limit: int) -> int:
        """Remove up to `limit` of the oldest entries: those before `cutoff`, and all but the newest `keep`. Returns how
        many went."""
        ...


class Jobs(Protocol):
    """Recurring work that one process at a time does, whichever claims it first."""

    async def claim(self, kind: str, *, now: str, until: str) -> bool:
        """Whether the job was due and is now this caller's until the stamp `until`."""
        ...

    async def finish(self, kind: str, *, now: str, next_due: str, error: str | None) -> None:
        """Give it back, due again at `next_due`."""
        ...


class ExtractionRules(Protocol):
    """What an admin adds to the built-in extraction."""

    async def version(self) -> int:
        """A number that grows with each change of any rule; 0 before the first."""
        ...

    async def all(self) -> tuple[int, list[ExtractionRule]]:
        """The version and the rules of one moment, by id."""
        ...

    async def add(self, draft: RuleDraft, *, now: str, limit: int) -> ExtractionRule:
        """Raises `Conflict` where there are `limit` rules already."""
        ...

    async def change(self, rule_id: int, draft: RuleDraft, *, version: int, now: str) -> ExtractionRule | None:
        """Replace a rule of this very `version`; None (and nothing done) where it is gone or was changed since."""
        ...

    async def remove(self, rule_id: int) -> bool:
        """False if there was none."""
        ...


class Extractions(Protocol):
    """What stored mails were read as, for reading them again."""

    async def stale(self, *, below: int, limit: int) -> list[StaleMail]:
        """Mails of the up to `limit` rows whose extraction version is below the number, the latest first."""
        ...

    async def count_stale(self, *, below: int) -> int:
        """How many rows that are."""
        ...

    async def update(self, mails: Sequence[ReadAgain]) -> None:
        """Store what mails were read as, in one transaction. Rows that are gone, or were read by a newer version
        meanwhile, stay as they are."""
        ...

    async def forget(self, *, after: int, limit: int) -> int | None:
        """Count up to `limit` rows with ids above `after` as not read yet; the highest id, None where none was
        left."""
        ...


class Store(Protocol):
    """The database: rows and committed transactions."""

    @property
    def mail(self) -> Mail: ...
    @property
    def mailboxes(self) -> Mailboxes: ...
    @property
    def spool(self) -> Spool: ...
    @property
    def users(self) -> Users: ...
    @property
    def mailbox_logins(self) -> MailboxLogins: ...
    @property
    def sessions(self) -> Sessions: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def rules(self) -> ExtractionRules: ...
    @property
    def sandboxes(self) -> Sandboxes: ...
    @property
    def sandbox_templates(self) -> Templates: ...
    @property
    def sandbox_log(self) -> CallLog: ...
    @property
    def sandbox_totals(self) -> MailTotals: ...
    @property
    def extractions(self) -> Extractions: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def forward_targets(self) -> ForwardTargets: ...
    @property
    def sent(self) -> SentMails: ...
    @property
    def send_keys(self) -> SendKeys: ...
    @property
    def capsules(self) -> Capsules: ...

    async def ping(self) -> None:
        """Raises `StoreUnavailable` where a write could not be made now."""
        ...

    async def checkpoint(self) -> None:
        """The database's own housekeeping; one process does it every second or so, to spare the commits."""
        ...

    async def close(self) -> None: ...
