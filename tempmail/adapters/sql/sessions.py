"""Which sessions hold, in SQL: implements `ports.Sessions`."""

from tempmail.adapters.sql.script import Database, Query, Script, one, record
from tempmail.domain.accounts import MailboxLogin, User


class SqlSessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def revoke(self, jti: str, *, expires_at: str, now: str) -> None:
        await self._database.write(_revoke(jti, expires_at, now))

    async def is_revoked(self, jti: str) -> bool:
        return bool(await self._database.read(one("sessions.is_revoked", {"jti": jti})))

    async def user(self, jti: str, user_id: int) -> User | None:
        rows = await self._database.read(one("sessions.user", {"jti": jti, "user_id": user_id}))
        return record(User, rows[0]) if rows else None

    async def mailbox(self, jti: str, mailbox_id: int) -> MailboxLogin | None:
        rows = await self._database.read(one("sessions.mailbox", {"jti": jti, "mailbox_id": mailbox_id}))
        return record(MailboxLogin, rows[0]) if rows else None


def _revoke(jti: str, expires_at: str, now: str) -> Script[None]:
    yield Query("sessions.forget_expired", {"now": now})
    yield Query("sessions.revoke", {"jti": jti, "expires_at": expires_at})
