"""From the bytes of a mail, whichever way it came, to what the store takes."""

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path

from tempmail.clock import Clock, stamp
from tempmail.domain.messages import IncomingMail, Recipient
from tempmail.errors import Overloaded, Permanent, StoreFull
from tempmail.services.capacity import Capacity
from tempmail.services.extraction import Extractor
from tempmail.services.spool_files import SpoolFiles

FILE_BYTES = 256 << 10


class Incoming:
    """`file_bytes`: from this size on a mail's body goes to a spool file."""

    def __init__(
        self,
        *,
        capacity: Capacity,
        extractor: Extractor,
        files: SpoolFiles,
        clock: Clock,
        file_bytes: int = FILE_BYTES,
    ) -> None:
        self._capacity = capacity
        self._extractor = extractor
        self._files = files
        self._clock = clock
        self._file_bytes = file_bytes

    def check(self, size_bytes: int = 0) -> None:
        """Whether a mail of this size may come. Raises `NoRoom`."""
        self._capacity.check(size_bytes)

    async def read(
        self,
        raw: bytes,
        *,
        envelope_from: str,
        addressed: Sequence[str],
        recipients: tuple[Recipient, ...],
        may_forward: bool,
    ) -> IncomingMail:
        """The mail, ready to be stored by a transaction. A large body is in a spool file by then: `discard` it where
        the transaction fails.

        `addressed`: the envelope's recipients, of whom some may be none here; `recipients`: who gets it. Raises
        `NoRoom`, `StoreFull`, `StoreUnavailable`.
        """
        received_at = stamp(self._clock.now())
        self._capacity.check(len(raw))
        finding = await self._extractor.read(raw, envelope_from=envelope_from, recipients=tuple(addressed))
        name = str(uuid.uuid4())
        body: bytes | Path = raw
        if len(raw) >= self._file_bytes:
            body = await asyncio.to_thread(self._files.write, name, raw)
        return IncomingMail(
            recipients=recipients,
            uuid=name,
            envelope_from=envelope_from,
            sender=finding.sender or envelope_from,
            subject=finding.subject,
            preview=finding.preview,
            verification_code=finding.extraction.code,
            extraction=finding.extraction_json(),
            attachment_count=finding.attachment_count,
            received_at=received_at,
            size_bytes=len(raw),
            body=body,
            extraction_version=finding.extraction_version,
            may_forward=may_forward,
        )

    def discard(self, mail: IncomingMail, cause: Exception | None = None) -> None:
        """Drop what `read` wrote. Not where the mail may be committed after all, as far as `cause` tells: then the
        sweep of strays decides."""
        if isinstance(mail.body, Path) and (cause is None or isinstance(cause, Permanent | Overloaded | StoreFull)):
            self._files.remove(mail.body.name)
