"""Retention: messages past their days and mailboxes past their time go, with their bodies, durably; so do capsules that
were delivered as long ago as those messages came, entries of the audit log, and finished mails of the outbox."""

from dataclasses import dataclass

from tempmail.clock import Clock, stamp
from tempmail.log import get_log
from tempmail.metrics import Metrics
from tempmail.ports import Audit, Jobs, Mail, Mailboxes
from tempmail.ports.capsules import Capsules
from tempmail.ports.outbound import Outbox
from tempmail.services.audit import MAX_ENTRIES

_log = get_log("retention")

_DAY_S = 86_400
_CAPSULES_AT_ONCE = 20
"""Each may hold 10 MB."""


@dataclass(frozen=True, slots=True)
class RetentionOptions:
    """`days`: how long messages and delivered capsules are kept, 0 for ever; `audit_days`: the entries of the audit
    log; `outbox_days`: mails that were sent, after their last change. A run every `every_s` under a lease of
    `lease_s`."""

    days: int
    audit_days: int = 90
    outbox_days: int = 30
    every_s: float = 600.0
    lease_s: float = 3600.0
    chunk: int = 500


@dataclass(frozen=True, slots=True)
class Removed:
    messages: int
    mailboxes: int


class Retention:
    def __init__(
        self,
        *,
        mail: Mail,
        mailboxes: Mailboxes,
        audit: Audit,
        outbox: Outbox,
        capsules: Capsules,
        jobs: Jobs,
        clock: Clock,
        metrics: Metrics,
        options: RetentionOptions,
    ) -> None:
        self._mail = mail
        self._mailboxes = mailboxes
        self._audit = audit
        self._outbox = outbox
        self._capsules = capsules
        self._jobs = jobs
        self._clock = clock
        self._metrics = metrics
        self._options = options

    async def run_if_due(self) -> Removed | None:
        """One run, if no process has done it lately; None otherwise."""
        now = self._clock.now()
        if not await self._jobs.claim("retention", now=stamp(now), until=stamp(now + self._options.lease_s)):
            return None
        error = None
        try:
            return await self.run()
        except Exception as exc:
            error = type(exc).__name__
            raise
        finally:
            ended = self._clock.now()
            await self._jobs.finish(
                "retention", now=stamp(ended), next_due=stamp(ended + self._options.every_s), error=error
            )

    async def run(self) -> Removed:
        """Remove all that is past its time, in small transactions; returns what went."""
        mailboxes = 0
        while removed := await self._mailboxes.delete_expired(stamp(self._clock.now()), limit=self._options.chunk):
            mailboxes += removed
        messages = 0
        if self._options.days > 0:
            cutoff = stamp(self._clock.now() - self._options.days * _DAY_S)
            while removed := await self._mail.delete_received_before(
                cutoff, now=stamp(self._clock.now()), limit=self._options.chunk
            ):
                messages += removed
                self._metrics.add("retention_messages_total", removed)
            while await self._capsules.forget_delivered(cutoff, limit=_CAPSULES_AT_ONCE):
                pass
        cutoff = stamp(self._clock.now() - self._options.audit_days * _DAY_S)
        while await self._audit.delete_before(cutoff, keep=MAX_ENTRIES, limit=self._options.chunk):
            pass
        cutoff = stamp(self._clock.now() - self._options.outbox_days * _DAY_S)
        while await self._outbox.purge(cutoff, limit=self._options.chunk):
            pass
        if messages or mailboxes:
            _log.info("retention.done", messages=messages, mailboxes=mailboxes)
        return Removed(messages, mailboxes)
