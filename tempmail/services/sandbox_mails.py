"""Mail that comes through a provider's sandbox: taken in one transaction with its record, kept until its time where it
is scheduled, forgotten after a while."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tempmail.clock import Clock, stamp
from tempmail.domain.messages import IncomingMail
from tempmail.domain.sandbox import (
    DueCapture,
    DueMail,
    Envelope,
    IdempotencyKey,
    Outcome,
    Quota,
    SandboxCredential,
    SandboxDraft,
    SandboxMail,
    SandboxReport,
    SandboxWork,
    State,
    Submission,
    Taken,
)
from tempmail.errors import Conflict, Transient
from tempmail.log import get_log
from tempmail.ports.sandbox import Sandboxes
from tempmail.services.batch import Batches
from tempmail.services.capture import Capture

_log = get_log("sandbox")

KEPT_DAYS = 30
USE_KEPT_DAYS = 62
"""By day: this month's quota needs its days. What was used before is one sum."""
KEPT_MAILS = 50_000
"""Of all credentials together."""
ANSWERS_KEPT_S = 86_400
"""How long an idempotency key holds."""
_DAY_S = 86_400
_DUE_AT_ONCE = 8
_PURGE_CHUNK = 500


class SandboxBatches(Batches[SandboxWork, Taken]):
    """The group commit of what comes through sandboxes."""


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail that a provider's caller handed in. `captured_for`: who gets it here, now or at its time; none: nobody, it
    is recorded only. `scheduled_at`: epoch seconds, rounded up to whole ones; None: now."""

    provider_id: str
    state: State
    summary: bytes
    request: bytes = field(repr=False)
    envelope: Envelope
    raw: bytes = field(repr=False)
    captured_for: tuple[str, ...] = ()
    scheduled_at: float | None = None
    reports: tuple[SandboxReport, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key as it came. `answer`: what a repeat of the same request gets."""

    key: str
    request_hash: str
    answer: bytes = field(repr=False)


class UnderWay(Conflict):
    """A request with the same idempotency key has not been answered yet."""


Released = tuple[State, tuple[str, ...], tuple[SandboxReport, ...]]
"""What becomes of a scheduled mail at its time: its state, who gets it here, and what is reported of it."""

Release = Callable[[DueMail], Released]
"""A provider's own."""


class SandboxMails:
    """`releases`: by provider. `batches`' `run` must be running."""

    def __init__(
        self,
        sandboxes: Sandboxes,
        capture: Capture,
        batches: SandboxBatches,
        *,
        clock: Clock,
        releases: Mapping[str, Release],
    ) -> None:
        self._sandboxes = sandboxes
        self._capture = capture
        self._batches = batches
        self._clock = clock
        self._releases = releases
        self._under_way: set[tuple[int, str]] = set()

    def check(self) -> None:
        """Whether mail may come at all. Raises `NoRoom`."""
        self._capture.check()

    async def take(self, credential: SandboxCredential, mails: list[NewMail], *, key: Key | None = None) -> Taken:
        """Record and capture all of `mails`, or none; durable on return. The credential's quotas hold. Raises
        `UnderWay`, `NoRoom`, `Overloaded`, `StoreUnavailable`, `StoreFull`."""
        if key is None:
            return await self._take(credential, mails, None)
        mark = (credential.id, key.key)
        if mark in self._under_way:
            raise UnderWay("a request with this key is under way")
        self._under_way.add(mark)
        try:
            return await self._take(credential, mails, key)
        finally:
            self._under_way.discard(mark)

    async def _take(self, credential: SandboxCredential, mails: list[NewMail], key: Key | None) -> Taken:
        now = self._clock.now()
        self._capture.check()
        drafts: list[SandboxDraft] = []
        try:
            for mail in mails:
                # One by one: where one fails, those before it are to be discarded.
                drafts.append(await self._draft(credential, mail))
                # A batch of a hundred takes a tenth of a second to read: others get their turn between two.
                await asyncio.sleep(0)
            taken = await self._batches.submit(
                Submission(
                    credential.id,
                    tuple(drafts),
                    stamp(now),
                    None
                    if key is None
                    else IdempotencyKey(key.key, key.request_hash, key.answer, stamp(now - ANSWERS_KEPT_S)),
                    _quota(credential),
                )
            )
        except Exception as exc:
            # Not where this task is cancelled: what waits to be committed may be, all the same.
            for draft in drafts:
                self._discard(draft.incoming, exc)
            raise
        if taken.outcome is not Outcome.TAKEN:
            for draft in drafts:
                self._discard(draft.incoming, None)
        _log.debug(  # the request has its own line
            "sandbox.taken",
            provider=credential.provider,
            account=credential.id,
            outcome=taken.outcome,
            mails=len(mails),
            ids=taken.message_ids,
        )
        return taken

    async def mail(self, credential: SandboxCredential, provider_id: str) -> SandboxMail | None:
        return await self._sandboxes.mail(credential.id, provider_id)

    async def page(
        self, credential: SandboxCredential, *, limit: int, after: str | None = None, before: str | None = None
    ) -> tuple[list[SandboxMail], bool]:
        """Newest first, and whether more follow in this direction; a cursor is a provider's id. One that is unknown
        selects nothing."""
        bounds: dict[str, int] = {}
        for name, cursor in (("after_id", after), ("before_id", before)):
            if cursor is not None:
                found = await self._sandboxes.mail(credential.id, cursor)
                if found is None:
                    return [], False
                bounds[name] = found.id
        found_mails = await self._sandboxes.mails(credential.id, limit=limit + 1, **bounds)
        if "before_id" in bounds:
            return found_mails[-limit:], len(found_mails) > limit
        return found_mails[:limit], len(found_mails) > limit

    async def request_of(self, mail: SandboxMail) -> bytes:
        """What came, without the content of attachments."""
        return await self._sandboxes.request_of(mail.id)

    async def raw_of(self, mail: SandboxMail) -> bytes | None:
        """The mail, while it waits for its time."""
        return await self._sandboxes.raw_of(mail.id)

    async def reschedule(self, mail: SandboxMail, at: float) -> bool:
        """False where it does not wait (any more)."""
        return await self._sandboxes.reschedule(mail.id, up_to_second(at))

    async def cancel(self, mail: SandboxMail) -> bool:
        """False where it does not wait (any more)."""
        return await self._sandboxes.cancel(mail.id)

    async def used(self, credential: SandboxCredential) -> tuple[int, int]:
        """(today, this month), UTC."""
        day = stamp(self._clock.now())[:10]
        today = await self._sandboxes.used(credential.id, since_day=day)
        return today, await self._sandboxes.used(credential.id, since_day=f"{day[:8]}01")

    async def used_in_all(self, credential: SandboxCredential) -> int:
        return await self._sandboxes.used(credential.id, since_day="")

    async def release_due(self) -> int:
        """Capture scheduled mails whose time has come; says how many were looked at. Late after a downtime, never
        early, each once: the record moves on in the transaction that stores the mail."""
        due = await self._sandboxes.due(stamp(self._clock.now()), limit=_DUE_AT_ONCE)
        for each in due:
            try:
                await self._release(each)
            except Transient:
                raise  # so it would be with the others
            except Exception as exc:  # noqa: BLE001 - one mail must not keep the others waiting for good
                _log.error("sandbox.release_failed", account=each.mail.credential_id, mail=each.mail.id, exc=exc)
                await self._batches.submit(_given_up(each))
        return len(due)

    async def purge(self) -> int:
        """Forget what is old, or too much; says how many rows went."""
        now = self._clock.now()
        return await self._sandboxes.purge(
            mails_before=stamp(now - KEPT_DAYS * _DAY_S),
            answers_before=stamp(now - ANSWERS_KEPT_S),
            days_before=stamp(now - USE_KEPT_DAYS * _DAY_S)[:10],
            keep=KEPT_MAILS,
            limit=_PURGE_CHUNK,
        )

    async def _release(self, due: DueMail) -> None:
        state, recipients, reports = self._releases[due.credential.provider](due)
        incoming = None
        if recipients:
            incoming = await self._capture.prepare(
                due.raw, due.mail.envelope.sender, recipients, catch_all=due.credential.mailbox
            )
        mail = due.mail
        work = DueCapture(mail.id, mail.credential_id, mail.scheduled_at or "", state, incoming, reports)
        try:
            taken = await self._batches.submit(work)
        except Exception as exc:
            self._discard(incoming, exc)
            raise
        if taken.outcome is not Outcome.TAKEN:
            self._discard(incoming, None)
        _log.info(
            "sandbox.released",
            account=mail.credential_id,
            mail=mail.id,
            outcome=taken.outcome,
            ids=taken.message_ids,
        )

    async def _draft(self, credential: SandboxCredential, mail: NewMail) -> SandboxDraft:
        waits = mail.scheduled_at is not None
        incoming = None
        if waits:
            self._capture.check(len(mail.raw))
        elif mail.captured_for:
            incoming = await self._capture.prepare(
                mail.raw, mail.envelope.sender, mail.captured_for, catch_all=credential.mailbox
            )
        return SandboxDraft(
            provider_id=mail.provider_id,
            state=mail.state,
            summary=mail.summary,
            request=mail.request,
            envelope=mail.envelope,
            incoming=incoming,
            scheduled_at=None if mail.scheduled_at is None else up_to_second(mail.scheduled_at),
            raw=mail.raw if waits else None,
            reports=mail.reports if credential.webhook_url else (),
        )

    def _discard(self, incoming: IncomingMail | None, cause: Exception | None) -> None:
        if incoming is not None:
            self._capture.discard(incoming, cause)


def _quota(credential: SandboxCredential) -> Quota:
    return Quota(
        credential.number("daily_quota"),
        credential.number("monthly_quota"),
        credential.number("points") if "points" in credential.switches else 0,
    )


def _given_up(due: DueMail) -> DueCapture:
    return DueCapture(due.mail.id, due.mail.credential_id, due.mail.scheduled_at or "", State.FAILED, None)


def up_to_second(epoch_s: float) -> str:
    """As a stamp that is not before it."""
    return stamp(-(-epoch_s // 1))


def next_resets(now: float) -> tuple[float, float]:
    """(the next day's begin, the next month's), in epoch seconds, UTC."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return (today + timedelta(days=1)).timestamp(), next_month.timestamp()
