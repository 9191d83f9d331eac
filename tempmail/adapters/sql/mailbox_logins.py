"""Mailboxes as accounts in SQL: implements `ports.MailboxLogins`."""

from collections.abc import Sequence

from tempmail.adapters.sql.mailboxes import find_or_create
from tempmail.adapters.sql.script import Database, Query, Script, one, record
from tempmail.domain.accounts import MailboxLogin


class SqlMailboxLogins:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, address: str) -> MailboxLogin | None:
        rows = await self._database.read(one("mailbox_logins.find", {"address": address.lower()}))
        return record(MailboxLogin, rows[0]) if rows else None

    async def set_password(self, mailbox_id: int, password_hash: str | None) -> bool:
        params = {"id": mailbox_id, "password_hash": password_hash}
        return bool(await self._database.write(one("mailbox_logins.set_password", params)))

    async def change_password(self, mailbox_id: int, *, epoch: int, password_hash: str) -> bool:
        params = {"id": mailbox_id, "epoch": epoch, "password_hash": password_hash}
        return bool(await self._database.write(one("mailbox_logins.change_password", params)))

    async def upgrade_password(self, mailbox_id: int, *, old_hash: str, new_hash: str) -> None:
        params = {"id": mailbox_id, "old_hash": old_hash, "new_hash": new_hash}
        await self._database.write(one("mailbox_logins.upgrade_password", params))

    async def record_login(self, mailbox_id: int, *, now: str) -> None:
        await self._database.write(one("mailbox_logins.record_login", {"id": mailbox_id, "now": now}))

    async def allow(self, addresses: Sequence[str], can_login: bool, *, now: str) -> list[bool]:
        return await self._database.write(_allow([address.lower() for address in addresses], can_login, now))

    async def allow_one(self, mailbox_id: int, can_login: bool) -> bool:
        return bool(await self._database.write(one(_allowing(can_login), {"id": mailbox_id})))


def _allowing(can_login: bool) -> str:
    return "mailbox_logins.allow" if can_login else "mailbox_logins.deny"


def _allow(addresses: Sequence[str], can_login: bool, now: str) -> Script[list[bool]]:
    created = []
    for address in addresses:
        found = yield Query("mailbox_logins.find", {"address": address})
        row = found[0] if found else (yield from find_or_create(address, now=now))
        yield Query(_allowing(can_login), {"id": row["id"]})
        created.append(not found)
    return created
