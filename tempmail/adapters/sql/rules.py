"""Extraction rules in SQL: implements `ports.ExtractionRules`."""

from dataclasses import asdict

from tempmail.adapters.sql.script import Database, Query, Row, Script, one, record
from tempmail.domain.rules import ExtractionRule, RuleDraft
from tempmail.errors import Conflict


class SqlExtractionRules:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def version(self) -> int:
        rows = await self._database.read(one("rules.version"))
        return int(rows[0]["version"]) if rows else 0

    async def all(self) -> tuple[int, list[ExtractionRule]]:
        return await self._database.read(_all())

    async def add(self, draft: RuleDraft, *, now: str, limit: int) -> ExtractionRule:
        return await self._database.write(_add(draft, now, limit))

    async def change(self, rule_id: int, draft: RuleDraft, *, version: int, now: str) -> ExtractionRule | None:
        return await self._database.write(_change(rule_id, draft, version, now))

    async def remove(self, rule_id: int) -> bool:
        return await self._database.write(_remove(rule_id))


def _all() -> Script[tuple[int, list[ExtractionRule]]]:
    versions = yield Query("rules.version")
    rows = yield Query("rules.all")
    return (int(versions[0]["version"]) if versions else 0), [_rule(row) for row in rows]


def _add(draft: RuleDraft, now: str, limit: int) -> Script[ExtractionRule]:
    count = yield Query("rules.count")
    if int(count[0]["rules"]) >= limit:
        raise Conflict(f"there are {limit} rules already, which is the most: delete one first")
    rows = yield Query("rules.insert", {**_params(draft), "now": now})
    yield Query("rules.grow_version")
    return _made(draft, int(rows[0]["id"]), version=1, created_at=now, updated_at=now)


def _change(rule_id: int, draft: RuleDraft, version: int, now: str) -> Script[ExtractionRule | None]:
    rows = yield Query("rules.update", {**_params(draft), "id": rule_id, "version": version, "now": now})
    if not rows:
        return None
    yield Query("rules.grow_version")
    return _made(draft, rule_id, version=version + 1, created_at=str(rows[0]["created_at"]), updated_at=now)


def _remove(rule_id: int) -> Script[bool]:
    if not (yield Query("rules.delete", {"id": rule_id})):
        return False
    yield Query("rules.grow_version")
    return True


def _params(draft: RuleDraft) -> dict[str, object]:
    return {**asdict(draft), "enabled": int(draft.enabled)}


def _made(draft: RuleDraft, rule_id: int, *, version: int, created_at: str, updated_at: str) -> ExtractionRule:
    # A draft may be a stored rule with changes: of its own id, version and stamps none counts here.
    stored = {"id": rule_id, "version": version, "created_at": created_at, "updated_at": updated_at}
    return ExtractionRule(**(asdict(draft) | stored))


def _rule(row: Row) -> ExtractionRule:
    return record(ExtractionRule, row, enabled=bool(row["enabled"]))
