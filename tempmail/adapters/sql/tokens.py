"""API tokens in SQL: implements `ports.Tokens`."""

import json
from dataclasses import replace

from tempmail.adapters.sql.script import Database, Query, Row, Script, one, record
from tempmail.domain.accounts import ApiToken, User
from tempmail.errors import QuotaReached


class SqlTokens:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token: ApiToken, *, secret_hash: str, limit: int) -> ApiToken:
        return await self._database.write(_add(token, secret_hash, limit))

    async def find(self, secret_hash: str) -> tuple[ApiToken, User] | None:
        rows = await self._database.read(one("tokens.find", {"secret_hash": secret_hash}))
        return (_token(rows[0]), _owner(rows[0])) if rows else None

    async def page(self, *, user_id: int | None, after_id: int, limit: int) -> list[ApiToken]:
        params = {"after_id": after_id, "limit": limit}
        if user_id is None:
            rows = await self._database.read(one("tokens.page", params))
        else:
            rows = await self._database.read(one("tokens.page_of_user", {**params, "user_id": user_id}))
        return [_token(row) for row in rows]

    async def revoke(self, token_id: int, *, user_id: int | None) -> bool:
        # No row has the id 0, so it can stand for "anybody's".
        return bool(await self._database.write(one("tokens.revoke", {"id": token_id, "user_id": user_id or 0})))

    async def record_use(self, token_id: int, *, now: str) -> None:
        await self._database.write(one("tokens.record_use", {"id": token_id, "now": now}))


def _add(token: ApiToken, secret_hash: str, limit: int) -> Script[ApiToken]:
    count = yield Query("tokens.count", {"user_id": token.user_id})
    if int(count[0]["tokens"]) >= limit:
        raise QuotaReached(f"{limit} tokens")
    rows = yield Query(
        "tokens.insert",
        {
            "user_id": token.user_id,
            "name": token.name,
            "secret_hash": secret_hash,
            "actions": json.dumps(token.actions),
            "mailboxes": json.dumps(token.mailboxes),
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "for_admin": token.for_admin,
        },
    )
    return replace(token, id=int(rows[0]["id"]))


def _token(row: Row) -> ApiToken:
    return record(
        ApiToken, row, actions=tuple(json.loads(row["actions"])), mailboxes=tuple(json.loads(row["mailboxes"]))
    )


def _owner(row: Row) -> User:
    return record(User, row, id=row["user_id"], created_at=row["user_created_at"])
