"""The audit log in SQL: implements `ports.Audit`."""

from dataclasses import fields

from tempmail.adapters.sql.script import Database, Query, Script, one, record
from tempmail.domain.accounts import AuditEntry

_COLUMNS = tuple(column.name for column in fields(AuditEntry) if column.name != "id")
_NO_BOUND = 2**63 - 1


class SqlAudit:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, entry: AuditEntry) -> None:
        await self._database.write(one("audit.insert", {name: getattr(entry, name) for name in _COLUMNS}))

    async def page(
        self, *, limit: int, before_id: int | None = None, actor: str | None = None, action: str | None = None
    ) -> list[AuditEntry]:
        params: dict[str, object] = {"limit": limit, "before_id": _NO_BOUND if before_id is None else before_id}
        match actor, action:
            case None, None:
                query = "audit.page"
            case _, None:
                query, params["actor"] = "audit.page_of_actor", actor
            case None, _:
                query, params["action"] = "audit.page_of_action", action
            case _:
                query, params["actor"], params["action"] = "audit.page_of_actor_and_action", actor, action
        return [record(AuditEntry, row) for row in await self._database.read(one(query, params))]

    async def delete_before(self, cutoff: str, *, keep: int, limit: int) -> int:
        return await self._database.write(_delete_before(cutoff, keep, limit))


def _delete_before(cutoff: str, keep: int, limit: int) -> Script[int]:
    old = yield Query("audit.last_before", {"cutoff": cutoff})
    newest = yield Query("audit.last")
    up_to = max(int(old[0]["id"]) if old else 0, int(newest[0]["id"]) - keep)
    if up_to <= 0:
        return 0
    return len((yield Query("audit.delete_up_to", {"id": up_to, "limit": limit})))
