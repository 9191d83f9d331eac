"""Receiving: from an accepted recipient to a committed, finished mail. The life of a message is in docs/flow.md."""

from dataclasses import dataclass

from tempmail.clock import Clock
from tempmail.domain.address import BOUNCES, ServedDomains, alias_of, split_address
from tempmail.domain.messages import ReceivedMail, Recipient, StoredMail
from tempmail.domain.srs import SenderRewriting, is_rewritten
from tempmail.errors import BadRequest, NotServed, TooLarge, UnknownMailbox
from tempmail.log import get_log
from tempmail.metrics import Metrics
from tempmail.ports import Mailboxes
from tempmail.services.batch import GroupCommit
from tempmail.services.incoming import Incoming

_log = get_log("ingest")


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """`create_on_receipt`: unknown mailboxes of served domains are created. `capture_all`: any domain is taken, and
    nothing is handed on."""

    max_message_bytes: int
    create_on_receipt: bool = True
    capture_all: bool = False


class Ingest:
    """Implements `smtp.receiver.Receiver`."""

    def __init__(
        self,
        *,
        mailboxes: Mailboxes,
        commit: GroupCommit,
        domains: ServedDomains,
        incoming: Incoming,
        clock: Clock,
        metrics: Metrics,
        options: IngestOptions,
        senders: SenderRewriting,
    ) -> None:
        self._mailboxes = mailboxes
        self._commit = commit
        self._domains = domains
        self._incoming = incoming
        self._clock = clock
        self._metrics = metrics
        self._options = options
        self._senders = senders

    async def rcpt(self, address: str) -> Recipient:
        """Which mailbox `address` means. Raises `NotServed`, `UnknownMailbox`, `NoRoom`, `BadRequest`.

        Without SQL where mailboxes are created on receipt: the commit resolves the mailbox then.
        """
        local, domain = split_address(address)
        if not domain or not local:
            raise BadRequest("an address needs a domain: local@domain")
        if not (self._options.capture_all or self._domains.serves(domain)):
            raise NotServed(f"mail for {domain} is not accepted here")
        self._incoming.check()
        if is_rewritten(local):
            return self._returned(address, local, domain)
        exact = address.lower()
        recipient = Recipient(address, exact, alias_of(exact), may_create=self._options.create_on_receipt)
        if not recipient.may_create and await self._mailboxes.resolve(exact, recipient.alias) is None:
            raise UnknownMailbox("no such mailbox here")
        return recipient

    def _returned(self, address: str, local: str, domain: str) -> Recipient:
        """Mail that comes back to a sender which forwarding made: kept in one mailbox per domain. Raises `BadRequest`
        where it was not made here."""
        self._senders.restore(local, now=self._clock.now())
        bounces = f"{BOUNCES}@{domain.lower()}"
        return Recipient(address, bounces, bounces)

    def admit(self, size_bytes: int) -> None:
        """Whether a mail of the announced size (0 if none) may come. Raises `TooLarge`, `NoRoom`."""
        if size_bytes > self._options.max_message_bytes:
            raise TooLarge(f"at most {self._options.max_message_bytes} bytes are accepted")
        self._incoming.check(size_bytes)

    async def take(self, mail: ReceivedMail) -> StoredMail:
        """Store one mail durably for every recipient, its codes extracted. Returns after the commit: the caller may
        then say 250. Raises `Transient` or `Permanent`; nothing is kept then. Source: RFC 5321 4.2.5, 6.1."""
        began = self._clock.monotonic()
        incoming = await self._incoming.read(
            mail.raw,
            envelope_from=mail.envelope_from,
            addressed=[recipient.address for recipient in mail.recipients],
            recipients=mail.recipients,
            may_forward=not self._options.capture_all,
        )
        try:
            stored = await self._commit.submit(incoming)
        except Exception as exc:
            self._incoming.discard(incoming, exc)
            raise
        self._metrics.observe("ingest_seconds", self._clock.monotonic() - began)
        _log.info(
            "mail.stored",
            peer=mail.peer,
            ids=stored.message_ids,
            size_bytes=len(mail.raw),
            recipients=len(mail.recipients),
            has_code=incoming.verification_code is not None,
        )
        return stored
