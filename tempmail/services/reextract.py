"""Reading stored mail again: after an upgrade of the extraction by itself, after a change of rules when asked to.

Each batch is claimed, read, and stored in one transaction. What is left to do is what the rows say, so a crash costs
one batch at most, and any process may go on; while one works the others wait.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from tempmail.clock import Clock, stamp
from tempmail.domain.messages import ReadAgain, StaleMail
from tempmail.errors import NotFound, ObjectsUnavailable
from tempmail.log import get_log
from tempmail.metrics import Metrics
from tempmail.ports import Extractions, Jobs
from tempmail.services.extraction import OLDEST_CURRENT, Extractor
from tempmail.services.mail import Bodies

_log = get_log("reextract")

_KIND: Final = "reextract"


@dataclass(frozen=True, slots=True)
class ReextractOptions:
    """`limit`: rows of one batch. `max_outages`: bodies that cannot be had for now until the batch ends; few enough not
    to wait for an outage time and again, more than one so that a single object holds nothing up. `lease_s`: after a
    crash the next batch begins that much later. In the background each batch is followed by `rest` times its own
    duration of rest, at most `max_rest_s`: a fifth of one core."""

    limit: int = 20
    max_outages: int = 3
    lease_s: float = 60.0
    rest: float = 4.0
    max_rest_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Batch:
    """`messages`: rows that were done. `changed`: mails whose code is another now. `gone`: mails without a body."""

    messages: int = 0
    changed: int = 0
    gone: int = 0


class Reextraction:
    """`sleep`: how the background work rests."""

    def __init__(
        self,
        *,
        extractions: Extractions,
        bodies: Bodies,
        extractor: Extractor,
        jobs: Jobs,
        clock: Clock,
        metrics: Metrics,
        options: ReextractOptions | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._extractions = extractions
        self._bodies = bodies
        self._extractor = extractor
        self._jobs = jobs
        self._clock = clock
        self._metrics = metrics
        self._options = options or ReextractOptions()
        self._sleep = sleep

    async def run_if_due(self) -> int:
        """One batch of what was read before the last upgrade, then a rest; how many rows were done.

        Raises `ObjectsUnavailable`, `StoreUnavailable`.
        """
        began = self._clock.monotonic()
        batch = await self.batch(below=OLDEST_CURRENT)
        if batch is None or not batch.messages:
            return 0
        spent_s = self._clock.monotonic() - began
        await self._sleep(min(self._options.max_rest_s, spent_s * self._options.rest))
        return batch.messages

    async def outdated(self) -> int:
        """The number below which rows were read by other rules or an older extraction than those of now."""
        await self._extractor.refresh()
        return self._extractor.version

    async def pending(self, *, below: int) -> int:
        """How many rows there are to do."""
        return await self._extractions.count_stale(below=below)

    async def forget(self, *, chunk: int = 500) -> None:
        """Have all mail read again, by `batch` here or in the background of a server."""
        last: int | None = 0
        while last is not None:
            last = await self._extractions.forget(after=last, limit=chunk)

    async def batch(self, *, below: int) -> Batch | None:
        """Read some of what is below the number; an empty batch where nothing is left, None where another process is
        at it. Raises `ObjectsUnavailable` where no body could be read, `StoreUnavailable`."""
        # Without a claim first: an idle server writes nothing.
        if not await self._extractions.stale(below=below, limit=1):
            return Batch()
        now = self._clock.now()
        if not await self._jobs.claim(_KIND, now=stamp(now), until=stamp(now + self._options.lease_s)):
            return None
        error = None
        try:
            await self._extractor.refresh()
            return await self._work(await self._extractions.stale(below=below, limit=self._options.limit))
        except Exception as exc:
            error = type(exc).__name__
            raise
        finally:
            ended = stamp(self._clock.now())
            await self._jobs.finish(_KIND, now=ended, next_due=ended, error=error)

    async def _work(self, stale: list[StaleMail]) -> Batch:
        done: list[ReadAgain] = []
        changed = gone = 0
        outages: list[ObjectsUnavailable] = []
        for mail in stale:
            try:
                again = await self._read(mail)
            except ObjectsUnavailable as exc:
                outages.append(exc)
                if len(outages) == self._options.max_outages:
                    break
                continue
            done.append(again)
            gone += not again.has_body
            changed += again.has_body and again.verification_code != mail.verification_code
        if done:
            await self._extractions.update(done)
            self._metrics.add("reextract_mails_total", len(done) - gone, "read")
            self._metrics.add("reextract_mails_total", gone, "gone")
        elif outages:
            raise outages[0]
        return Batch(sum(len(again.message_ids) for again in done), changed, gone)

    async def _read(self, mail: StaleMail) -> ReadAgain:
        try:
            raw = await self._bodies.read(mail.object_key) if mail.object_key else None
        except NotFound as exc:
            _log.warning("reextract.body_gone", object_key=mail.object_key, ids=mail.message_ids, exc=exc)
            raw = None
        if raw is None:
            return ReadAgain(mail.message_ids, self._extractor.version, has_body=False)
        finding = await self._extractor.read(raw, envelope_from=mail.envelope_from, recipients=mail.recipients)
        return ReadAgain(
            message_ids=mail.message_ids,
            extraction_version=finding.extraction_version,
            has_body=True,
            verification_code=finding.extraction.code,
            extraction=finding.extraction_json(),
        )
