"""Mailboxes in SQL: implements `ports.Mailboxes`."""

from collections.abc import Mapping, Sequence

from tempmail.adapters.sql import mailbox_lists
from tempmail.adapters.sql.deleting import CHUNK, delete_from_mailbox
from tempmail.adapters.sql.script import Database, Query, Row, Script, one, record
from tempmail.domain.address import split_address
from tempmail.domain.messages import Mailbox, MailboxFilter, MailboxPage
from tempmail.errors import NotFound, QuotaReached


class SqlMailboxes:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, address: str) -> Mailbox | None:
        rows = await self._database.read(one("mailboxes.find", {"address": address.lower()}))
        return _mailbox(rows[0]) if rows else None

    async def resolve(self, exact: str, alias: str) -> Mailbox | None:
        rows = await self._database.read(one("mailboxes.resolve", {"exact": exact, "alias": alias}))
        best = next((row for row in rows if row["address"] == exact), rows[0] if rows else None)
        return _mailbox(best) if best is not None else None

    async def create(self, address: str, *, now: str, owner_id: int | None, expires_at: str | None = None) -> Mailbox:
        return await self._database.write(_create(address.lower(), now, owner_id, expires_at))

    async def create_new(
        self,
        address: str,
        *,
        now: str,
        owner_id: int | None,
        expires_at: str | None = None,
        within_limit: bool = False,
    ) -> Mailbox | None:
        return await self._database.write(
            _create_new(address.lower(), now, owner_id, expires_at, within_limit=within_limit)
        )

    async def claim_unowned(self, address: str, *, now: str, owner_id: int) -> bool:
        return await self._database.write(_claim_unowned(address.lower(), now, owner_id))

    async def get(self, mailbox_id: int) -> Mailbox | None:
        rows = await self._database.read(one("mailboxes.get", {"id": mailbox_id}))
        return _mailbox(rows[0]) if rows else None

    async def toggle_pin(self, mailbox_id: int, *, user_id: int, now: str, may_link: bool) -> bool:
        return await self._database.write(_toggle_pin(mailbox_id, user_id, now, may_link=may_link))

    async def toggle_favorite(self, mailbox_id: int) -> bool | None:
        rows = await self._database.write(one("mailboxes.toggle_favorite", {"id": mailbox_id}))
        return bool(rows[0]["is_favorite"]) if rows else None

    async def set_favorite(self, mailbox_ids: Sequence[int], is_favorite: bool) -> int:
        changes = {"is_favorite": int(is_favorite)}
        return await self._database.write(_set("mailboxes.set_favorite", mailbox_ids, changes))

    async def set_forward(self, mailbox_ids: Sequence[int], forward_to: str | None) -> int:
        return await self._database.write(_set("mailboxes.set_forward", mailbox_ids, {"forward_to": forward_to}))

    async def ids_of(self, addresses: Sequence[str]) -> dict[str, int]:
        return await self._database.read(_ids_of(addresses))

    async def linked(self, user_id: int, mailbox_ids: Sequence[int]) -> set[int]:
        return await self._database.read(_linked(user_id, mailbox_ids))

    async def page(self, criteria: MailboxFilter, *, limit: int, offset: int) -> MailboxPage:
        return await self._database.read(mailbox_lists.page(criteria, limit, offset))

    async def total(self) -> int:
        rows = await self._database.read(one("mailboxes.total"))
        return int(rows[0]["total"])

    async def delete(self, mailbox_id: int, *, now: str) -> bool:
        while True:
            removed, deleted = await self._database.write(_delete(mailbox_id, now))
            if removed < CHUNK:
                return deleted

    async def delete_expired(self, now: str, *, limit: int) -> int:
        rows = await self._database.read(one("mailboxes.expired", {"now": now, "limit": limit}))
        for row in rows:
            await self.delete(int(row["id"]), now=now)
        return len(rows)


def find_or_create(address: str, *, now: str, expires_at: str | None = None) -> Script[Row]:
    """The mailbox row of an address in lower case. Two creators at once get the same row."""
    row = yield from _insert(address, now, expires_at)
    if row is None:
        row = (yield Query("mailboxes.find", {"address": address}))[0]
    return row


def _insert(address: str, now: str, expires_at: str | None) -> Script[Row | None]:
    local_part, domain = split_address(address)
    rows = yield Query(
        "mailboxes.insert",
        {"address": address, "local_part": local_part, "domain": domain, "now": now, "expires_at": expires_at},
    )
    return rows[0] if rows else None


def _create(address: str, now: str, owner_id: int | None, expires_at: str | None) -> Script[Mailbox]:
    row = yield from find_or_create(address, now=now, expires_at=expires_at)
    yield from _link(row, owner_id, now)
    return _mailbox(row)


def _create_new(
    address: str, now: str, owner_id: int | None, expires_at: str | None, *, within_limit: bool
) -> Script[Mailbox | None]:
    row = yield from _insert(address, now, expires_at)
    if row is None:
        return None
    if within_limit and owner_id is not None:
        yield from check_quota(owner_id)
    yield from _link(row, owner_id, now)
    return _mailbox(row)


def check_quota(user_id: int) -> Script[None]:
    """Raises `QuotaReached` where the user has as many mailboxes as its limit allows (0: none at all), `NotFound` for a
    user that is gone. Until the transaction ends, nobody else links a mailbox within that user's limit."""
    locked = yield Query("users.lock", {"id": user_id})
    if not locked:
        raise NotFound("用户不存在")
    if int(locked[0]["mailbox_count"]) >= int(locked[0]["mailbox_limit"]):
        raise QuotaReached("the user has as many mailboxes as it may have")


def _claim_unowned(address: str, now: str, owner_id: int) -> Script[bool]:
    locked = yield Query("mailboxes.lock_without_login", {"address": address})
    if not locked or (yield Query("mailboxes.has_owner", {"mailbox_id": int(locked[0]["id"])})):
        return False
    yield from check_quota(owner_id)
    yield from _link(locked[0], owner_id, now)
    return True


def _toggle_pin(mailbox_id: int, user_id: int, now: str, *, may_link: bool) -> Script[bool]:
    params: dict[str, object] = {"mailbox_id": mailbox_id, "user_id": user_id}
    rows = yield Query("mailboxes.toggle_pin", params)
    if not rows and may_link:
        rows = yield Query("mailboxes.link_pinned", {**params, "now": now})
    if not rows:
        raise NotFound("邮箱不存在")
    return bool(rows[0]["is_pinned"])


def _set(name: str, mailbox_ids: Sequence[int], changes: Mapping[str, object]) -> Script[int]:
    """How many of them exist. In the order of ids, so that two batches at once cannot wait for each other."""
    changed = 0
    for mailbox_id in sorted(set(mailbox_ids)):
        changed += len((yield Query(name, {"id": mailbox_id, **changes})))
    return changed


def _ids_of(addresses: Sequence[str]) -> Script[dict[str, int]]:
    ids = {}
    for address in dict.fromkeys(addresses):
        rows = yield Query("mailboxes.find", {"address": address})
        if rows:
            ids[address] = int(rows[0]["id"])
    return ids


def _link(row: Row, owner_id: int | None, now: str) -> Script[None]:
    if owner_id is not None:
        yield Query("mailboxes.link", {"user_id": owner_id, "mailbox_id": int(row["id"]), "now": now})


def _linked(user_id: int, mailbox_ids: Sequence[int]) -> Script[set[int]]:
    linked = set()
    for mailbox_id in mailbox_ids:
        if (yield Query("mailboxes.is_linked", {"user_id": user_id, "mailbox_id": mailbox_id})):
            linked.add(mailbox_id)
    return linked


def _delete(mailbox_id: int, now: str) -> Script[tuple[int, bool]]:
    """One chunk of messages, and the mailbox with the last of them: mail that arrives in between goes too."""
    removed = yield from delete_from_mailbox(mailbox_id, now)
    if removed == CHUNK:
        return removed, False
    rows = yield Query("mailboxes.delete", {"id": mailbox_id})
    return removed, bool(rows)


def _mailbox(row: Row) -> Mailbox:
    """Imported rows may leave the flags open."""
    return record(Mailbox, row, can_login=row["can_login"] or 0, is_favorite=row["is_favorite"] or 0)
