"""Recurring jobs in SQL: implements `ports.Jobs`."""

from tempmail.adapters.sql.script import Database, Query, Script, one


class SqlJobs:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, kind: str, *, now: str, until: str) -> bool:
        return await self._database.write(_claim(kind, now, until))

    async def finish(self, kind: str, *, now: str, next_due: str, error: str | None) -> None:
        params = {"kind": kind, "name": "", "now": now, "next_due": next_due, "error": error}
        await self._database.write(one("jobs.finish", params))


def _claim(kind: str, now: str, until: str) -> Script[bool]:
    yield Query("jobs.ensure", {"kind": kind, "name": "", "due": now})
    rows = yield Query("jobs.claim", {"kind": kind, "name": "", "now": now, "until": until})
    return bool(rows)
