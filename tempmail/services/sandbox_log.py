"""The log of the nobase sandbox: every call, whatever came of it. Source: seed 001."""

from collections import deque

from tempmail.clock import Clock, stamp
from tempmail.domain.sandbox import SandboxCredential
from tempmail.ports.sandbox_records import CallLog, LogEntry

KEPT = 10_000
MAX_CHARS = 998
MAX_STRANGERS_PER_MINUTE = 60
"""Calls that show no secret may come from anybody: beyond so many they are not logged."""


class SandboxLog:
    def __init__(self, log: CallLog, *, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._strangers: deque[float] = deque()

    async def record(
        self,
        credential: SandboxCredential | None,
        *,
        appid: str,
        mail: str,
        title: str,
        code: int,
        detail: str,
        address: str,
        is_stranger: bool,
    ) -> None:
        """Keep one call, as answered. Never a secret: there is no place for one. `is_stranger`: it showed none, so that
        anybody may have made it."""
        now = self._clock.now()
        if is_stranger and not self._has_room(now):
            return
        entry = LogEntry(
            id=0,
            credential_id=None if credential is None else credential.id,
            appid=appid[:MAX_CHARS],
            mail=mail[:MAX_CHARS],
            title=title[:MAX_CHARS],
            code=code,
            detail=detail[:MAX_CHARS],
            address=address,
            created_at=stamp(now),
        )
        await self._log.add_entry(entry, keep=KEPT)

    async def page(self, *, before: int | None, limit: int) -> list[LogEntry]:
        """Newest first, those with a lower id than `before`."""
        return await self._log.entries(below_id=before, limit=limit)

    def _has_room(self, now: float) -> bool:
        while self._strangers and self._strangers[0] <= now - 60:
            self._strangers.popleft()
        if len(self._strangers) >= MAX_STRANGERS_PER_MINUTE:
            return False
        self._strangers.append(now)
        return True
