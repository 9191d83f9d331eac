"""Receiving: from an accepted recipient to a committed, finished mail. The life of a message is in docs/flow.md."""

import asyncio
import uuid
from dataclasses import dataclass
from pathlib import Path

from tempmail.clock import Clock, stamp
from tempmail.domain.address import ServedDomains, alias_of, split_address
from tempmail.domain.messages import IncomingMail, ReceivedMail, Recipient, StoredMail
from tempmail.errors import BadRequest, NotServed, Overloaded, Permanent, StoreFull, TooLarge, UnknownMailbox
from tempmail.log import get_log
from tempmail.metrics import Metrics
from tempmail.ports import Mailboxes
from tempmail.services.batch import GroupCommit
from tempmail.services.capacity import Capacity
from tempmail.services.extraction import Extractor, Finding
from tempmail.services.spool_files import SpoolFiles

_log = get_log("ingest")


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """`create_on_receipt`: unknown mailboxes of served domains are created. `capture_all`: any domain is taken.
    From `file_bytes` on a mail's body goes to a spool file."""

    max_message_bytes: int
    create_on_receipt: bool = True
    capture_all: bool = False
    file_bytes: int = 256 << 10


class Ingest:
    """Implements `smtp.receiver.Receiver`."""

    def __init__(
        self,
        *,
        mailboxes: Mailboxes,
        commit: GroupCommit,
        domains: ServedDomains,
        capacity: Capacity,
        extractor: Extractor,
        files: SpoolFiles,
        clock: Clock,
        metrics: Metrics,
        options: IngestOptions,
    ) -> None:
        self._mailboxes = mailboxes
        self._commit = commit
        self._domains = domains
        self._capacity = capacity
        self._extractor = extractor
        self._files = files
        self._clock = clock
        self._metrics = metrics
        self._options = options

    async def rcpt(self, address: str) -> Recipient:
        """Which mailbox `address` means. Raises `NotServed`, `UnknownMailbox`, `NoRoom`, `BadRequest`.

        Without SQL where mailboxes are created on receipt: the commit resolves the mailbox then.
        """
        local, domain = split_address(address)
        if not domain or not local:
            raise BadRequest("an address needs a domain: local@domain")
        if not (self._options.capture_all or self._domains.serves(domain)):
            raise NotServed(f"mail for {domain} is not accepted here")
        self._capacity.check()
        exact = address.lower()
        recipient = Recipient(address, exact, alias_of(exact), may_create=self._options.create_on_receipt)
        if not recipient.may_create and await self._mailboxes.resolve(exact, recipient.alias) is None:
            raise UnknownMailbox("no such mailbox here")
        return recipient

    def admit(self, size_bytes: int) -> None:
        """Whether a mail of the announced size (0 if none) may come. Raises `TooLarge`, `NoRoom`."""
        if size_bytes > self._options.max_message_bytes:
            raise TooLarge(f"at most {self._options.max_message_bytes} bytes are accepted")
        self._capacity.check(size_bytes)

    async def take(self, mail: ReceivedMail) -> StoredMail:
        """Store one mail durably for every recipient, its codes extracted. Returns after the commit: the caller may
        then say 250. Raises `Transient` or `Permanent`; nothing is kept then. Source: RFC 5321 4.2.5, 6.1."""
        began = self._clock.monotonic()
        received_at = stamp(self._clock.now())
        self._capacity.check(len(mail.raw))
        addresses = tuple(recipient.address for recipient in mail.recipients)
        finding = await self._extractor.read(mail.raw, envelope_from=mail.envelope_from, recipients=addresses)
        name = str(uuid.uuid4())
        body: bytes | Path = mail.raw
        if len(mail.raw) >= self._options.file_bytes:
            body = await asyncio.to_thread(self._files.write, name, mail.raw)
        try:
            stored = await self._commit.submit(_incoming(mail, finding, name, body, received_at))
        except (Permanent, Overloaded, StoreFull):
            # Certainly not committed. After any other failure it may be: then the sweep of strays decides.
            if isinstance(body, Path):
                self._files.remove(body.name)
            raise
        self._metrics.observe("ingest_seconds", self._clock.monotonic() - began)
        _log.info(
            "mail.stored",
            peer=mail.peer,
            ids=stored.message_ids,
            size_bytes=len(mail.raw),
            recipients=len(mail.recipients),
            has_code=finding.extraction.code is not None,
        )
        return stored


def _incoming(mail: ReceivedMail, finding: Finding, name: str, body: bytes | Path, received_at: str) -> IncomingMail:
    return IncomingMail(
        recipients=mail.recipients,
        uuid=name,
        envelope_from=mail.envelope_from,
        sender=finding.sender or mail.envelope_from,
        subject=finding.subject,
        preview=finding.preview,
        verification_code=finding.extraction.code,
        extraction=finding.extraction_json(),
        attachment_count=finding.attachment_count,
        received_at=received_at,
        size_bytes=len(mail.raw),
        body=body,
        extraction_version=finding.extraction_version,
    )
