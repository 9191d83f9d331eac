"""Users in SQL: implements `ports.Users`."""

from tempmail.adapters.sql.script import Database, Query, Script


class SqlUsers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure_admin(self, username: str, *, now: str) -> int:
        return await self._database.write(_ensure_admin(username.lower(), now))


def _ensure_admin(username: str, now: str) -> Script[int]:
    rows = yield Query("users.insert_admin", {"username": username, "now": now})
    if not rows:
        rows = yield Query("users.find", {"username": username})
    return int(rows[0]["id"])
