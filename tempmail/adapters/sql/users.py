"""Users in SQL: implements `ports.Users`."""

from dataclasses import asdict

from tempmail.adapters.sql.mailboxes import check_quota, find_or_create
from tempmail.adapters.sql.script import Database, Query, Rows, Script, one, record
from tempmail.domain.accounts import NewUser, User, UserChange, UserListing, UserMailbox, UserPage
from tempmail.errors import Conflict, NotFound, QuotaReached


class SqlUsers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure_admin(self, username: str, *, now: str) -> int:
        return await self._database.write(_ensure_admin(username.lower(), now))

    async def find(self, username: str) -> User | None:
        return _first(await self._database.read(one("users.find", {"username": username})))

    async def get(self, user_id: int) -> User | None:
        return _first(await self._database.read(one("users.get", {"id": user_id})))

    async def add(self, user: NewUser, *, now: str, limit: int) -> User:
        return await self._database.write(_add(user, now, limit))

    async def change(self, user_id: int, change: UserChange) -> bool:
        return bool(await self._database.write(one("users.change", {**asdict(change), "id": user_id})))

    async def upgrade_password(self, user_id: int, *, old_hash: str, new_hash: str) -> None:
        params = {"id": user_id, "old_hash": old_hash, "new_hash": new_hash}
        await self._database.write(one("users.upgrade_password", params))

    async def delete(self, user_id: int) -> bool:
        return bool(await self._database.write(one("users.delete", {"id": user_id})))

    async def page(self, *, limit: int, offset: int, newest_first: bool) -> UserPage:
        name = "users.page_newest_first" if newest_first else "users.page_oldest_first"
        return await self._database.read(_page(name, limit, offset))

    async def mailboxes(self, user_id: int, *, limit: int) -> list[UserMailbox]:
        rows = await self._database.read(one("users.mailboxes", {"user_id": user_id, "limit": limit}))
        return [record(UserMailbox, row) for row in rows]

    async def assign(self, user_id: int, address: str, *, now: str, within_limit: bool = True) -> None:
        await self._database.write(_assign(user_id, address.lower(), now, within_limit))

    async def unassign(self, user_id: int, mailbox_id: int) -> bool:
        params = {"user_id": user_id, "mailbox_id": mailbox_id}
        return bool(await self._database.write(one("users.unassign", params)))

    async def mailbox_count(self, user_id: int) -> int:
        rows = await self._database.read(one("mailbox_lists.own_count", {"user_id": user_id}))
        return int(rows[0]["total"]) if rows else 0


def _first(rows: Rows) -> User | None:
    return record(User, rows[0]) if rows else None


def _ensure_admin(username: str, now: str) -> Script[int]:
    rows = yield Query("users.insert_admin", {"username": username, "now": now})
    if not rows:
        rows = yield Query("users.find", {"username": username})
    return int(rows[0]["id"])


def _add(user: NewUser, now: str, limit: int) -> Script[User]:
    rows = yield Query("users.insert", {**asdict(user), "now": now})
    if not rows:
        raise Conflict("the username is taken")
    count = yield Query("users.count")
    if int(count[0]["users"]) > limit:
        raise QuotaReached(f"there are {limit} users already, which is the most")
    return record(User, rows[0])


def _page(name: str, limit: int, offset: int) -> Script[UserPage]:
    rows = yield Query(name, {"limit": limit, "offset": offset})
    totals = (yield Query("users.totals"))[0]
    mailboxes = yield Query("mailboxes.total")
    return UserPage(
        tuple(record(UserListing, row) for row in rows),
        total=int(totals["total"]),
        total_mailboxes=int(mailboxes[0]["total"]),
        admin_count=int(totals["admin_count"]),
        active_count=int(totals["active_count"]),
    )


def _assign(user_id: int, address: str, now: str, within_limit: bool) -> Script[None]:
    if not (yield Query("users.get", {"id": user_id})):
        raise NotFound("no such user")
    mailbox_id = int((yield from find_or_create(address, now=now))["id"])
    link = {"user_id": user_id, "mailbox_id": mailbox_id}
    if (yield Query("mailboxes.is_linked", link)):
        return
    if within_limit:
        yield from check_quota(user_id)
    yield Query("mailboxes.link", {**link, "now": now})
