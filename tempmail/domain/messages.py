"""The records of mail and mailboxes, as the services pass them on."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Recipient:
    """One accepted RCPT.

    `address`: as received, case and alias kept. `exact`: in lower case. `alias`: the mailbox that the original's alias
    rule names (equal to `exact` where it does not apply). `may_create`: whether an unknown mailbox is created.
    """

    address: str
    exact: str
    alias: str
    may_create: bool = True


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """One mail, parsed and extracted, ready to be stored for all its recipients.

    `body`: the whole message as stored (CRLF lines, dots unstuffed), or the fsynced spool file that holds it.
    `uuid` makes the object key; the key's date comes from `received_at` (stamp), its folder from the first mailbox.
    `extraction`: the full result as JSON, or None where nothing was found. `extraction_version`: what it was made by
    (see `domain.rules`); 0: not read yet. `may_forward` False: it is kept here, whatever its mailbox asks for.
    """

    recipients: tuple[Recipient, ...]
    uuid: str
    envelope_from: str
    sender: str
    subject: str
    preview: str | None
    verification_code: str | None
    extraction: str | None
    attachment_count: int
    received_at: str
    size_bytes: int
    body: bytes | Path
    extraction_version: int = 0
    may_forward: bool = True

    @property
    def held_bytes(self) -> int:
        """What it adds to a transaction; a body in a spool file adds nothing."""
        return len(self.body) if isinstance(self.body, bytes) else 0


@dataclass(frozen=True, slots=True)
class StoredMail:
    """What became of an IncomingMail: the rows, one per distinct mailbox, and the object key they share."""

    object_key: str
    message_ids: tuple[int, ...]
    mailbox_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """A line of a mailbox's list (seed 004, 获取邮件列表)."""

    id: int
    sender: str
    to_addrs: str
    subject: str
    received_at: str
    is_read: int
    preview: str | None
    verification_code: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """A whole row, with where its body is."""

    id: int
    mailbox_id: int
    mailbox_address: str
    sender: str
    to_addrs: str
    subject: str
    received_at: str
    is_read: int
    preview: str | None
    verification_code: str | None
    extraction: str | None
    r2_bucket: str
    r2_object_key: str
    size_bytes: int
    attachment_count: int
    envelope_from: str
    extraction_version: int


@dataclass(frozen=True, slots=True)
class StaleMail:
    """A stored mail that was read by an older extraction: all rows that share its body.

    `object_key`: "" where there is no body. `recipients`: as received, one per row. `verification_code`: of the first.
    """

    object_key: str
    message_ids: tuple[int, ...]
    recipients: tuple[str, ...]
    envelope_from: str
    verification_code: str | None


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """What a stored mail shows now. `has_body` False: it could not be read and keeps what it has, but counts as read by
    `extraction_version`."""

    message_ids: tuple[int, ...]
    extraction_version: int
    has_body: bool
    verification_code: str | None = None
    extraction: str | None = None


@dataclass(frozen=True, slots=True)
class Mailbox:
    id: int
    address: str
    created_at: str
    expires_at: str | None
    can_login: int
    is_favorite: int
    forward_to: str | None


@dataclass(frozen=True, slots=True)
class MailboxFilter:
    """Which mailboxes a viewer may see and asks for; None means "any".

    `owned_by`: only those linked to this user (the policy's reach OWN). `pinned_by`: whose pins sort first.
    `search`: a substring of the address, in lower case, taken literally. `within`: patterns of which the address fits
    one (`actor.Scope.mailboxes`); none: any address.
    """

    owned_by: int | None = None
    pinned_by: int = 0
    search: str | None = None
    domain: str | None = None
    can_login: bool | None = None
    is_favorite: bool | None = None
    has_forward: bool | None = None
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MailboxListing:
    """A line of the mailbox list (seed 004, 获取邮箱列表)."""

    id: int
    address: str
    created_at: str
    is_pinned: int
    password_is_default: int
    can_login: int
    forward_to: str | None
    is_favorite: int


@dataclass(frozen=True, slots=True)
class MailboxPage:
    items: tuple[MailboxListing, ...]
    total: int


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One mail as it came over SMTP.

    `raw`: the whole message as sent, dots unstuffed, nothing added. `envelope_from`: "" for the null reverse-path.
    `recipients`: in the order of RCPT, repeats included. `cid`: names this mail in the log and in the reply.
    `protocol`: SMTP, ESMTP, ESMTPS, UTF8SMTP, UTF8SMTPS (RFC 3848, RFC 6531).
    """

    envelope_from: str
    recipients: tuple[Recipient, ...]
    raw: bytes
    cid: str
    peer: str
    helo: str
    protocol: str
    smtputf8: bool
