"""Mail that goes out: the message, its states, and what a provider must be able to carry.

A mail is sent in *calls*: one where the provider takes all recipients at once, one per recipient where it takes only
one. Each call has a state, each recipient has that of its call, and the mail's state is read from all of them by
`overall`. The states are drawn here once; SQL enforces the same moves (`outbox_moves`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """Where a mail, a call or a recipient stands."""

    QUEUED = "queued"
    """Waits for its (next) try."""
    SCHEDULED = "scheduled"
    """Waits for its time."""
    SENDING = "sending"
    """A call is under way, or was when its process died: then it becomes unknown."""
    ACCEPTED = "accepted"
    """The provider has taken it."""
    DELIVERED = "delivered"
    """The provider says that the recipient's server has it."""
    BOUNCED = "bounced"
    """The provider says that the recipient's server refused it."""
    FAILED = "failed"
    """Certainly not sent, and not tried again."""
    CANCELED = "canceled"
    """Taken back before it was sent."""
    UNKNOWN = "unknown"
    """It may have been sent or not: nothing is done before somebody decides."""


_S = State

MOVES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        _S.QUEUED: frozenset({_S.SCHEDULED, _S.SENDING, _S.FAILED, _S.CANCELED}),
        _S.SCHEDULED: frozenset({_S.SENDING, _S.FAILED, _S.CANCELED}),
        _S.SENDING: frozenset({_S.QUEUED, _S.ACCEPTED, _S.DELIVERED, _S.BOUNCED, _S.FAILED, _S.UNKNOWN}),
        _S.ACCEPTED: frozenset({_S.DELIVERED, _S.BOUNCED, _S.FAILED}),
        # What a lookup, a webhook or the operator finds out, or that it is to be sent again.
        _S.UNKNOWN: frozenset({_S.QUEUED, _S.SENDING, _S.ACCEPTED, _S.DELIVERED, _S.BOUNCED, _S.FAILED}),
        _S.FAILED: frozenset({_S.QUEUED}),
        _S.DELIVERED: frozenset(),
        _S.BOUNCED: frozenset(),
        _S.CANCELED: frozenset(),
    }
)
"""From each state, where it may go. Sources: provider facts 3, steps 5 to 7."""

WAITING = frozenset({State.QUEUED, State.SCHEDULED})
"""Not begun: may be changed and taken back."""

# The first that any call is in decides: what is still open comes before what went wrong, that before what is done.
_OVERALL = (
    _S.SENDING,
    _S.UNKNOWN,
    _S.QUEUED,
    _S.SCHEDULED,
    _S.FAILED,
    _S.BOUNCED,
    _S.ACCEPTED,
    _S.DELIVERED,
    _S.CANCELED,
)


def overall(states: Iterable[State]) -> State:
    """The state of a mail whose calls (or recipients) are in `states`, at least one.

    >>> overall([State.ACCEPTED, State.FAILED]).value
    'failed'
    """
    present = set(states)
    return next(state for state in _OVERALL if state in present)


class Kind(StrEnum):
    """Why a mail goes out."""

    SEND = "send"
    """A user sent it."""
    CAPSULE = "capsule"
    """Mail to the future for an outside address."""
    FORWARD = "forward"
    """Received mail, handed on as it is."""


class RecipientKind(StrEnum):
    TO = "to"
    CC = "cc"
    BCC = "bcc"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file: its bytes as they are (not base64). `content_id`: how HTML refers to it, without `<>`."""

    filename: str
    content: bytes
    content_type: str = "application/octet-stream"
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One mail to be sent.

    `from_addr` is a bare address, `from_name` its display name; `to`, `cc`, `bcc`, `reply_to` hold bare addresses or
    `Name <address>`. `headers`: further ones, names as given. `message_id`: with `<>`, ours, constant over all tries.
    `raw`: a whole message to be handed on as it is (forwarding); the other fields are then for the record only.
    """

    from_addr: str
    to: tuple[str, ...]
    subject: str = ""
    from_name: str = ""
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    html: str | None = None
    text: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    attachments: tuple[Attachment, ...] = ()
    message_id: str = ""
    raw: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can carry and do, with one account (provider facts 2).

    `max_to`: recipients of one call; more go out in several calls. `only_from`: the one sender that the account has,
    where a call names none; None: any. `html_with_text`: both in one mail; else the text gives way, and the provider
    makes one. `one_each`: at most one address in each of cc, bcc and reply_to.
    `status`: it can be asked what became of a mail. `idempotency`: a repeated call with the same key sends nothing.
    `pause_s`: the least time between two calls, unless settings say otherwise.
    """

    max_to: int
    cc: bool = False
    bcc: bool = False
    only_from: str | None = None
    from_name: bool = True
    reply_to: bool = False
    one_each: bool = False
    html: bool = True
    text: bool = True
    html_with_text: bool = False
    headers: bool = False
    tags: bool = False
    attachments: bool = False
    raw: bool = False
    status: bool = False
    idempotency: bool = False
    pause_s: float = 0.2


def lacking(can: Capabilities, message: OutboundMessage) -> tuple[str, ...]:
    """What of `message` a provider cannot carry, by name; empty: it can.

    Nothing is ever dropped to make a mail fit, with one exception that every such provider documents: where it has one
    field for the body, HTML goes and its text alternative is made by the provider.
    """
    if message.raw is not None:
        return () if can.raw else ("raw",)
    most = 1 if can.one_each else len(message.cc) + len(message.bcc) + len(message.reply_to)
    asked = {
        "cc": (message.cc, can.cc and len(message.cc) <= most),
        "bcc": (message.bcc, can.bcc and len(message.bcc) <= most),
        "from": (can.only_from is not None and message.from_addr.lower() != can.only_from.lower(), False),
        "from_name": (message.from_name, can.from_name),
        "reply_to": (message.reply_to, can.reply_to and len(message.reply_to) <= most),
        "html": (message.html, can.html),
        "text": (message.text and not message.html, can.text),
        "headers": (message.headers, can.headers),
        "tags": (message.tags, can.tags),
        "attachments": (message.attachments, can.attachments),
    }
    missing = [name for name, (wanted, possible) in asked.items() if wanted and not possible]
    if len(message.to) > can.max_to and (message.cc or message.bcc):
        # In several calls everybody in copy would get several mails.
        missing.append("several recipients with cc or bcc")
    return tuple(missing)


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One request to a provider, ready to be sent and to be stored: the same bytes at every try.

    `recipients`: bare addresses that it reaches, as in the outbox. `target`: path below the provider's base URL; for
    SMTP the sender of the envelope, "" being the null sender. `body`: the request's body; never a credential, those are
    added when it is sent.
    """

    recipients: tuple[str, ...]
    target: str
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendResult:
    """What the provider said of an accepted call. `message_id` is its own id, None where it gives none; `by_recipient`:
    ids that it gave per address. `raw`: its answer's body, cut to 4 KB, for the record."""

    message_id: str | None
    by_recipient: Mapping[str, str] = field(default_factory=dict)
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a provider says became of a mail. `state` None: nothing new that is a state (opened, clicked, delayed, a
    word that is not known). `event`: the provider's own word. `reason`: why, where it failed."""

    state: State | None
    event: str
    reason: str = ""
