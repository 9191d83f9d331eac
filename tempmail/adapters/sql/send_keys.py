"""Keys of send requests in SQL: implements `ports.outbound.SendKeys`."""

import json
from collections.abc import Sequence

from tempmail.adapters.sql.script import Database, Query, Script, one
from tempmail.errors import Conflict

_FORGOTTEN_AT_ONCE = 100
"""More than one request adds, so that the table shrinks."""


class SqlSendKeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, owner: str, name: str) -> tuple[str, list[str]] | None:
        rows = await self._database.read(one("send_keys.find", {"owner": owner, "name": name}))
        return (str(rows[0]["request_hash"]), json.loads(rows[0]["uuids"])) if rows else None

    async def take(
        self, owner: str, name: str, *, request_hash: str, uuids: Sequence[str], now: str, forget_before: str
    ) -> list[str]:
        return await self._database.write(_take(owner, name, request_hash, uuids, now, forget_before))


def _take(
    owner: str, name: str, request_hash: str, uuids: Sequence[str], now: str, forget_before: str
) -> Script[list[str]]:
    yield Query("send_keys.forget", {"before": forget_before, "limit": _FORGOTTEN_AT_ONCE})
    key = {"owner": owner, "name": name}
    if (
        yield Query(
            "send_keys.insert", {**key, "request_hash": request_hash, "uuids": json.dumps(list(uuids)), "now": now}
        )
    ):
        return list(uuids)
    found = (yield Query("send_keys.find", key))[0]
    if found["request_hash"] != request_hash:
        raise Conflict("Idempotency-Key 已用于另一个请求")
    first: list[str] = json.loads(found["uuids"])
    return first
