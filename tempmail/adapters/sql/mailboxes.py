"""Mailboxes in SQL: implements `ports.Mailboxes`."""

from collections.abc import Mapping, Sequence

from tempmail.adapters.sql.deleting import CHUNK, delete_from_mailbox
from tempmail.adapters.sql.script import Database, Query, Row, Script, one
from tempmail.domain.address import split_address
from tempmail.domain.messages import Mailbox, MailboxFilter, MailboxListing, MailboxPage


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
        self, address: str, *, now: str, owner_id: int | None, expires_at: str | None = None
    ) -> Mailbox | None:
        return await self._database.write(_create_new(address.lower(), now, owner_id, expires_at))

    async def linked(self, user_id: int, mailbox_ids: Sequence[int]) -> set[int]:
        return await self._database.read(_linked(user_id, mailbox_ids))

    async def page(self, criteria: MailboxFilter, *, limit: int, offset: int) -> MailboxPage:
        return await self._database.read(_page(criteria, limit, offset))

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


def _create_new(address: str, now: str, owner_id: int | None, expires_at: str | None) -> Script[Mailbox | None]:
    row = yield from _insert(address, now, expires_at)
    if row is None:
        return None
    yield from _link(row, owner_id, now)
    return _mailbox(row)


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


def _page(criteria: MailboxFilter, limit: int, offset: int) -> Script[MailboxPage]:
    params = _params(criteria)
    rows = yield Query("mailboxes.page", {**params, "limit": limit, "offset": offset})
    total = yield Query("mailboxes.count", params)
    listed = tuple(
        MailboxListing(
            id=row["id"],
            address=row["address"],
            created_at=row["created_at"],
            is_pinned=row["is_pinned"],
            password_is_default=row["password_is_default"],
            can_login=row["can_login"],
            forward_to=row["forward_to"],
            is_favorite=row["is_favorite"],
        )
        for row in rows
    )
    return MailboxPage(listed, int(total[0]["total"]))


def _params(criteria: MailboxFilter) -> Mapping[str, object]:
    return {
        "owned_only": int(criteria.owned_by is not None),
        "viewer_id": criteria.pinned_by if criteria.owned_by is None else criteria.owned_by,
        "search": f"%{_escape_like(criteria.search)}%" if criteria.search else "",
        "domain": criteria.domain or "",
        "can_login": _flag(criteria.can_login),
        "is_favorite": _flag(criteria.is_favorite),
        "has_forward": _flag(criteria.has_forward),
    }


def _flag(wanted: bool | None) -> int:
    return -1 if wanted is None else int(wanted)


def _escape_like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _mailbox(row: Row) -> Mailbox:
    return Mailbox(
        id=row["id"],
        address=row["address"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        can_login=row["can_login"] or 0,
        is_favorite=row["is_favorite"] or 0,
        forward_to=row["forward_to"],
    )
