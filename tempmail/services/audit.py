"""The audit log: what admins and logins did."""

from tempmail.clock import Clock, stamp
from tempmail.domain.accounts import AuditEntry
from tempmail.errors import Transient
from tempmail.log import get_log
from tempmail.ports import Audit

_log = get_log("audit")

_MAX_TEXT_CHARS = 320
MAX_ENTRIES = 100_000
"""The newest are kept, whatever their age: a flood cannot fill the disk."""


class AuditTrail:
    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock

    async def record(
        self, *, actor: str, role: str, action: str, target: str, address: str, status: int, request_id: str
    ) -> None:
        """Record one call, after it was done; never the reason for it to fail. Long texts are cut."""
        entry = AuditEntry(
            at=stamp(self._clock.now()),
            actor=actor[:_MAX_TEXT_CHARS],
            role=role,
            action=action,
            target=target[:_MAX_TEXT_CHARS],
            address=address,
            status=status,
            request_id=request_id,
        )
        try:
            await self._audit.record(entry)
        except Transient as exc:
            _log.error("audit.unrecorded", exc=exc, action=action, status=status)

    async def page(
        self, *, limit: int, before_id: int | None = None, actor: str | None = None, action: str | None = None
    ) -> list[AuditEntry]:
        """Newest first."""
        return await self._audit.page(limit=limit, before_id=before_id, actor=actor, action=action)
