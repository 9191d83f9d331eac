"""Mail that came by another way than SMTP, kept as if it had: a sandbox's, or one that the server wrote itself.

Nothing captured ever leaves: mail for addresses that are not served here goes to a mailbox that the caller names, and
what a mailbox forwards is not forwarded.
"""

from collections.abc import Sequence

from tempmail.clock import Clock
from tempmail.domain.address import ServedDomains, alias_of, split_address
from tempmail.domain.messages import IncomingMail, Recipient, StoredMail
from tempmail.errors import UnknownMailbox
from tempmail.metrics import Metrics
from tempmail.ports import Mailboxes
from tempmail.services.batch import GroupCommit
from tempmail.services.incoming import Incoming


class Capture:
    """`create_on_receipt`: unknown mailboxes of served domains are created. `commit`'s `run` must be running for
    `capture` to return."""

    def __init__(
        self,
        *,
        mailboxes: Mailboxes,
        commit: GroupCommit,
        domains: ServedDomains,
        incoming: Incoming,
        clock: Clock,
        metrics: Metrics,
        create_on_receipt: bool = True,
    ) -> None:
        self._mailboxes = mailboxes
        self._commit = commit
        self._domains = domains
        self._incoming = incoming
        self._clock = clock
        self._metrics = metrics
        self._create_on_receipt = create_on_receipt

    async def capture(
        self, raw: bytes, envelope_from: str, recipients: Sequence[str], *, catch_all: str | None = None
    ) -> StoredMail:
        """Store one mail durably. Returns after the commit.

        Recipients on served domains get it as by SMTP; for all others it goes to the mailbox `catch_all`, created where
        it is missing. Raises `UnknownMailbox` where neither is there, and as `prepare`.
        """
        began = self._clock.monotonic()
        mail = await self.prepare(raw, envelope_from, recipients, catch_all=catch_all)
        try:
            stored = await self._commit.submit(mail)
        except Exception as exc:
            self.discard(mail, exc)
            raise
        self._metrics.observe("ingest_seconds", self._clock.monotonic() - began)
        return stored

    def check(self, size_bytes: int = 0) -> None:
        """Whether a mail of this size may come. Raises `NoRoom`."""
        self._incoming.check(size_bytes)

    async def prepare(
        self, raw: bytes, envelope_from: str, recipients: Sequence[str], *, catch_all: str | None = None
    ) -> IncomingMail:
        """The mail, read and ready to be stored by a transaction of the caller's. A large body is in a spool file by
        then: `discard` it where the transaction fails. Raises `NoRoom`, `StoreFull`, `StoreUnavailable`,
        `UnknownMailbox`."""
        meant = [found for each in recipients if (found := await self._recipient(each, catch_all)) is not None]
        if not meant:
            raise UnknownMailbox("no such mailbox here")
        return await self._incoming.read(
            raw, envelope_from=envelope_from, addressed=recipients, recipients=tuple(meant), may_forward=False
        )

    def discard(self, mail: IncomingMail, cause: Exception | None = None) -> None:
        """As `Incoming.discard`, of what `prepare` gave."""
        self._incoming.discard(mail, cause)

    async def _recipient(self, address: str, catch_all: str | None) -> Recipient | None:
        exact = address.lower()
        if self._domains.serves(split_address(exact)[1]):
            alias = alias_of(exact)
            if self._create_on_receipt or await self._mailboxes.resolve(exact, alias) is not None:
                return Recipient(address, exact, alias, may_create=self._create_on_receipt)
        return None if catch_all is None else Recipient(address, catch_all, catch_all)
