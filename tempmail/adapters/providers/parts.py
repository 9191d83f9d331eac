"""How a mail is cut into calls: who is reached by which."""

from collections.abc import Sequence
from dataclasses import dataclass

from tempmail.domain.address import normalized_address
from tempmail.domain.outbound import OutboundMessage
from tempmail.domain.outbound_fields import Mailbox, read_mailbox
from tempmail.errors import InvalidOutbound


@dataclass(frozen=True, slots=True)
class Part:
    """Who one call is for. `recipients`: their bare addresses as the caller named them, To before Cc before Bcc."""

    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    recipients: tuple[str, ...]


def split(name: str, max_to: int, message: OutboundMessage, recipients: Sequence[str]) -> list[Part]:
    """`message` to those of its addresses that `recipients` names, in calls of at most `max_to` addresses in To.

    An address that stands in several fields is reached once, by the first of To, Cc, Bcc. Whoever is in copy goes with
    the first call; `outbound.lacking` sees to it that there is no other then. `name`: what the provider is called in
    texts. Raises `InvalidOutbound` where nobody is left in To, or a recipient is none of the message.
    """
    wanted = {normalized_address(address): address for address in recipients}
    to, cc, bcc = (_take(wanted, field, mailboxes) for field, mailboxes in _fields(message))
    if wanted:
        raise InvalidOutbound(f"Not among the mail's recipients: {', '.join(sorted(wanted.values()))[:200]}")
    if not to:
        raise InvalidOutbound(f"{name} 渠道至少需要一个收件人")
    parts = []
    for start in range(0, len(to), max_to):
        chosen = to[start : start + max_to]
        copies = (cc, bcc) if start == 0 else ([], [])
        everyone = [*chosen, *copies[0], *copies[1]]
        parts.append(
            Part(
                tuple(mailbox for mailbox, _ in chosen),
                tuple(mailbox for mailbox, _ in copies[0]),
                tuple(mailbox for mailbox, _ in copies[1]),
                tuple(address for _, address in everyone),
            )
        )
    return parts


def _fields(message: OutboundMessage) -> Sequence[tuple[str, Sequence[str]]]:
    return ("to", message.to), ("cc", message.cc), ("bcc", message.bcc)


def _take(wanted: dict[str, str], field: str, mailboxes: Sequence[str]) -> list[tuple[Mailbox, str]]:
    """Those of `mailboxes` that are wanted, each with its name in the outbox; they are not wanted any more then."""
    taken = []
    for text in mailboxes:
        mailbox = read_mailbox(text, field)
        address = wanted.pop(normalized_address(mailbox.address), None)
        if address is not None:
            taken.append((mailbox, address))
    return taken
