"""Ended sessions in SQL: implements `ports.Sessions`."""

from tempmail.adapters.sql.script import Database, Query, Script, one


class SqlSessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def revoke(self, jti: str, *, expires_at: str, now: str) -> None:
        await self._database.write(_revoke(jti, expires_at, now))

    async def is_revoked(self, jti: str) -> bool:
        return bool(await self._database.read(one("sessions.is_revoked", {"jti": jti})))


def _revoke(jti: str, expires_at: str, now: str) -> Script[None]:
    yield Query("sessions.forget_expired", {"now": now})
    yield Query("sessions.revoke", {"jti": jti, "expires_at": expires_at})
