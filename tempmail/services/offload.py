"""Moving bodies from the spool to the object store, and removing objects whose last message is gone.

Both are queues of rows claimed by lease, so that several processes or nodes may run this at once and a dead one's work
is taken over. Every step may be repeated: keys are deterministic, puts and deletes idempotent.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from tempmail.clock import Clock, stamp
from tempmail.log import get_log
from tempmail.metrics import Metrics
from tempmail.ports import Body, Objects, Spool, SpoolEntry
from tempmail.services.spool_files import SpoolFiles, file_name_of

_log = get_log("offload")

_STRAY_AFTER_S = 3600.0
_CUT_OFF = "the server was stopped"


@dataclass(frozen=True, slots=True)
class OffloadOptions:
    """A claim holds at most `batch_entries` and `batch_bytes`, for `lease_s`: longer than any put may take.
    After a failure an entry waits `backoff_s`, doubled with each attempt, at most `max_backoff_s`. An idle queue is
    looked at every `idle_s`."""

    batch_entries: int = 64
    batch_bytes: int = 8 << 20
    lease_s: float = 300.0
    backoff_s: float = 2.0
    max_backoff_s: float = 300.0
    idle_s: float = 0.5


class Offloader:
    def __init__(
        self,
        *,
        spool: Spool,
        files: SpoolFiles,
        objects: Objects,
        clock: Clock,
        metrics: Metrics,
        options: OffloadOptions | None = None,
    ) -> None:
        self._spool = spool
        self._files = files
        self._objects = objects
        self._clock = clock
        self._metrics = metrics
        self._options = options or OffloadOptions()

    async def offload_batch(self) -> int:
        """Hand one batch of due bodies to the object store; returns how many were claimed. Failed ones are due again
        after their backoff. Where it is cancelled, all of them are due again at once."""
        return (await self._offload())[0]

    async def offload_round(self) -> int:
        """`offload_batch`, but 0 also where the batch was not full: the caller then rests, and what comes meanwhile
        shares the next batch's transactions and syncs. Nobody waits for it: a spooled body can be read."""
        entries, size_bytes = await self._offload()
        is_full = entries == self._options.batch_entries or 2 * size_bytes > self._options.batch_bytes
        return entries if is_full else 0

    async def delete_batch(self) -> int:
        """Remove one batch of objects (and their spool files) that no message refers to; returns how many were
        claimed. Failed and cancelled ones as in `offload_batch`."""
        now = self._clock.now()
        pending = await self._spool.claim_deletes(
            now=stamp(now), until=stamp(now + self._options.lease_s), limit=self._options.batch_entries
        )
        if not pending:
            return 0
        try:
            await asyncio.to_thread(self._remove_files, [entry.object_key for entry in pending])
            outcomes = await self._objects.delete_many([entry.object_key for entry in pending])
        except asyncio.CancelledError:
            for entry in pending:
                await self._spool.retry_delete(entry.object_key, error=_CUT_OFF, due=stamp(self._clock.now()))
            raise
        removed = [entry.object_key for entry, error in zip(pending, outcomes, strict=True) if error is None]
        await self._spool.finish_deletes(removed)
        self._metrics.add("object_deletes_total", len(removed), "removed")
        for entry, error in zip(pending, outcomes, strict=True):
            if error is not None:
                self._metrics.add("object_deletes_total", 1, "failed")
                _log.warning(
                    "object.delete_failed", object_key=entry.object_key, attempts=entry.attempts, error=str(error)
                )
                await self._spool.retry_delete(entry.object_key, error=str(error), due=self._due(entry.attempts))
        return len(pending)

    async def measure(self) -> None:
        """Publish how much waits: the SMTP processes read it before they take mail."""
        entries, size_bytes = await self._spool.size()
        self._metrics.set("spool_entries", entries)
        self._metrics.set("spool_bytes", size_bytes)
        self._metrics.set("object_deletes_pending", await self._spool.pending_deletes())

    async def remove_strays(self) -> int:
        """Remove what crashes left behind: spool files without a commit, unfinished objects; returns how many."""
        known = await self._spool.file_names()
        files = await asyncio.to_thread(self._files.remove_strays, known, older_than_s=_STRAY_AFTER_S)
        return files + await self._objects.sweep(self._clock.now())

    async def _offload(self) -> tuple[int, int]:
        """One batch: how many were claimed, and their bytes."""
        now = self._clock.now()
        entries = await self._spool.claim(
            now=stamp(now),
            until=stamp(now + self._options.lease_s),
            limit=self._options.batch_entries,
            max_bytes=self._options.batch_bytes,
        )
        if not entries:
            return 0, 0
        uploads: list[tuple[str, Body]] = [(entry.object_key, self._body(entry)) for entry in entries]
        try:
            outcomes = await self._objects.put_many(uploads)
        except asyncio.CancelledError:
            for entry in entries:
                await self._spool.retry(entry.object_key, error=_CUT_OFF, due=stamp(self._clock.now()))
            raise
        await self._settle(entries, outcomes)
        return len(entries), sum(entry.size_bytes for entry in entries)

    async def _settle(self, entries: Sequence[SpoolEntry], outcomes: Sequence[Exception | None]) -> None:
        stored = [entry.object_key for entry, error in zip(entries, outcomes, strict=True) if error is None]
        if stored:
            for file_name in await self._spool.finish(stored, now=stamp(self._clock.now())):
                await asyncio.to_thread(self._files.remove, file_name)
            self._metrics.add("offload_total", len(stored), "stored")
        for entry, error in zip(entries, outcomes, strict=True):
            if error is not None:
                self._metrics.add("offload_total", 1, "failed")
                _log.warning(
                    "object.put_failed", object_key=entry.object_key, attempts=entry.attempts, error=str(error)
                )
                await self._spool.retry(entry.object_key, error=str(error), due=self._due(entry.attempts))

    def _body(self, entry: SpoolEntry) -> Body:
        if entry.file_name is not None:
            return self._files.path(entry.file_name)
        return entry.body or b""

    def _remove_files(self, keys: Sequence[str]) -> None:
        for key in keys:
            if (file_name := file_name_of(key)) is not None:
                self._files.remove(file_name)

    def _due(self, attempts: int) -> str:
        wait = min(self._options.max_backoff_s, self._options.backoff_s * 2 ** min(attempts - 1, 16))
        # Jitter, so that what failed together does not come back together.
        return stamp(self._clock.now() + wait * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret

    @property
    def idle_s(self) -> float:
        return self._options.idle_s
