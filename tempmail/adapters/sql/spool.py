"""The spool and the delete queue in SQL: implements `ports.Spool`."""

from collections.abc import Sequence

from tempmail.adapters.sql.script import Database, Query, QueryMany, Script, one, record
from tempmail.ports import PendingDelete, SpoolEntry

_ERROR_LENGTH = 500


class SqlSpool:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, *, now: str, until: str, limit: int, max_bytes: int) -> list[SpoolEntry]:
        return await self._database.write(_claim(now, until, limit, max_bytes))

    async def finish(self, keys: Sequence[str], *, now: str) -> list[str]:
        return await self._database.write(_finish(keys, now))

    async def retry(self, key: str, *, error: str, due: str) -> None:
        params = {"object_key": key, "error": error[:_ERROR_LENGTH], "due": due}
        await self._database.write(one("spool.retry", params))

    async def body(self, key: str) -> SpoolEntry | None:
        rows = await self._database.read(one("spool.find", {"object_key": key}))
        return record(SpoolEntry, rows[0]) if rows else None

    async def size(self) -> tuple[int, int]:
        rows = await self._database.read(one("spool.size"))
        return int(rows[0]["entries"]), int(rows[0]["bytes"])

    async def file_names(self) -> set[str]:
        return {str(row["file_name"]) for row in await self._database.read(one("spool.file_names"))}

    async def queue_delete(self, key: str, *, due: str) -> None:
        await self._database.write(one("object_deletes.insert", {"object_key": key, "due": due}))

    async def claim_deletes(self, *, now: str, until: str, limit: int) -> list[PendingDelete]:
        return await self._database.write(_claim_deletes(now, until, limit))

    async def finish_deletes(self, keys: Sequence[str]) -> None:
        await self._database.write(_finish_deletes(keys))

    async def retry_delete(self, key: str, *, error: str, due: str) -> None:
        params = {"object_key": key, "error": error[:_ERROR_LENGTH], "due": due}
        await self._database.write(one("object_deletes.retry", params))

    async def pending_deletes(self) -> int:
        return int((await self._database.read(one("object_deletes.count")))[0]["entries"])


def _claim(now: str, until: str, limit: int, max_bytes: int) -> Script[list[SpoolEntry]]:
    due = yield Query("spool.due", {"now": now, "limit": limit})
    chosen: list[int] = []
    room = max_bytes
    for candidate in due:
        room -= int(candidate["size_bytes"])
        if chosen and room < 0:
            break
        chosen.append(int(candidate["id"]))
    rows = yield QueryMany("spool.claim", [{"id": id_} for id_ in chosen], {"now": now, "until": until})
    in_database = [{"spool_id": row["id"]} for row in rows if row["file_name"] is None]
    bodies = {row["spool_id"]: row["body"] for row in (yield QueryMany("spool.bodies", in_database))}
    claimed = {
        row["id"]: record(SpoolEntry, row, body=bodies[row["id"]] if row["file_name"] is None else None) for row in rows
    }
    return [claimed[id_] for id_ in chosen if id_ in claimed]


def _finish(keys: Sequence[str], now: str) -> Script[list[str]]:
    rows = yield QueryMany("spool.delete", [{"object_key": key} for key in keys])
    gone = {str(row["object_key"]) for row in rows}
    for key in keys:
        if key not in gone and not (yield Query("mail.shares_object", {"object_key": key})):
            # Its last message was deleted while the upload was under way. Where a message still has it, another
            # claimer finished the entry after this one's lease: the object stays.
            yield Query("object_deletes.insert", {"object_key": key, "due": now})
    return [str(row["file_name"]) for row in rows if row["file_name"] is not None]


def _claim_deletes(now: str, until: str, limit: int) -> Script[list[PendingDelete]]:
    claimed: list[PendingDelete] = []
    for candidate in (yield Query("object_deletes.due", {"now": now, "limit": limit})):
        params = {"object_key": candidate["object_key"], "now": now, "until": until}
        rows = yield Query("object_deletes.claim", params)
        claimed.extend(PendingDelete(str(row["object_key"]), int(row["attempts"])) for row in rows)
    return claimed


def _finish_deletes(keys: Sequence[str]) -> Script[None]:
    for key in keys:
        yield Query("object_deletes.finish", {"object_key": key})
