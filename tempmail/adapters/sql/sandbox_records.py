"""What single sandboxes keep, in SQL: implements `ports.sandbox_records`."""

from collections.abc import Mapping
from dataclasses import asdict

from tempmail.adapters.sql.sandbox import mail_of
from tempmail.adapters.sql.script import Database, Query, Script, one, record
from tempmail.domain.sandbox import SandboxMail, State
from tempmail.domain.sandbox_templates import Template
from tempmail.errors import QuotaReached
from tempmail.ports.sandbox_records import LogEntry

_LAST_ID = 2**63 - 1
_FIRST_STAMP, _LAST_STAMP = "", "~"
"""Before and after every stamp."""


class SqlTemplates:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def templates(self, credential_id: int) -> list[Template]:
        rows = await self._database.read(one("sandbox_records.templates", {"credential_id": credential_id}))
        return [record(Template, row) for row in rows]

    async def template(self, credential_id: int, temp_id: int) -> Template | None:
        params = {"credential_id": credential_id, "temp_id": temp_id}
        rows = await self._database.read(one("sandbox_records.template", params))
        return record(Template, rows[0]) if rows else None

    async def add_template(self, credential_id: int, template: Template, *, limit: int) -> Template | None:
        return await self._database.write(_add(credential_id, template, limit))

    async def put_template(self, credential_id: int, template: Template, *, limit: int) -> bool:
        return await self._database.write(_put(credential_id, template, limit))

    async def remove_template(self, credential_id: int, temp_id: int) -> bool:
        params = {"credential_id": credential_id, "temp_id": temp_id}
        return bool(await self._database.write(one("sandbox_records.remove_template", params)))


class SqlCallLog:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_entry(self, entry: LogEntry, *, keep: int) -> None:
        await self._database.write(_add_entry(entry, keep))

    async def entries(self, *, below_id: int | None, limit: int) -> list[LogEntry]:
        params = {"below": _LAST_ID if below_id is None else below_id, "limit": limit}
        rows = await self._database.read(one("sandbox_records.entries", params))
        return [record(LogEntry, row) for row in rows]


class SqlMailTotals:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_state(self, credential_id: int, *, since: str | None, until: str | None) -> Mapping[State, int]:
        rows = await self._database.read(one("sandbox_records.by_state", _within(credential_id, since, until)))
        return {state: int(rows[0][state]) for state in State if rows[0][state]}

    async def taken_between(
        self, credential_id: int, *, since: str | None, until: str | None, offset: int, limit: int
    ) -> list[SandboxMail]:
        params = {**_within(credential_id, since, until), "offset": offset, "limit": limit}
        return [mail_of(row) for row in await self._database.read(one("sandbox_records.taken_between", params))]


def _within(credential_id: int, since: str | None, until: str | None) -> dict[str, object]:
    return {
        "credential_id": credential_id,
        "since": _FIRST_STAMP if since is None else since,
        "until": _LAST_STAMP if until is None else until,
    }


def _add(credential_id: int, template: Template, limit: int) -> Script[Template | None]:
    params = {"credential_id": credential_id, "temp_id": template.temp_id}
    rows = yield Query("sandbox_records.place", params)
    if not rows:
        return None
    if int(rows[0]["templates"]) >= limit:
        raise _too_many(limit)
    temp_id = max(template.temp_id, int(rows[0]["highest"]) + 1)
    values = {**asdict(template), "credential_id": credential_id, "temp_id": temp_id}
    yield Query("sandbox_records.put_template", values)
    return Template(**{**asdict(template), "temp_id": temp_id})


def _put(credential_id: int, template: Template, limit: int) -> Script[bool]:
    params = {"credential_id": credential_id, "temp_id": template.temp_id}
    rows = yield Query("sandbox_records.place", params)
    if not rows:
        return False
    if int(rows[0]["others"]) >= limit:
        raise _too_many(limit)
    yield Query("sandbox_records.put_template", {**asdict(template), "credential_id": credential_id})
    return True


def _too_many(limit: int) -> QuotaReached:
    return QuotaReached(f"there are {limit} templates already, which is the most: remove one first")


def _add_entry(entry: LogEntry, keep: int) -> Script[None]:
    values = asdict(entry)
    del values["id"]
    rows = yield Query("sandbox_records.add_entry", values)
    yield Query("sandbox_records.cut_log", {"last": int(rows[0]["id"]) - keep})
