"""The record of sent mails in SQL: implements `ports.outbound.SentMails`. Triggers keep each one's state up to date."""

from collections.abc import Sequence

from tempmail.adapters.sql.script import Database, QueryMany, Script, one, record
from tempmail.domain.outbound import State
from tempmail.ports.outbound import NewOutbound, SentRecord


class SqlSentMails:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, from_addr: str, *, limit: int) -> list[SentRecord]:
        rows = await self._database.read(one("sent.page", {"from_addr": from_addr, "limit": limit}))
        return [record(SentRecord, row) for row in rows]

    async def get(self, sent_id: int) -> SentRecord | None:
        rows = await self._database.read(one("sent.get", {"id": sent_id}))
        return record(SentRecord, rows[0]) if rows else None

    async def find(self, name: str) -> SentRecord | None:
        rows = await self._database.read(one("sent.find", {"name": name}))
        return record(SentRecord, rows[0]) if rows else None

    async def delete(self, sent_id: int) -> bool:
        return bool(await self._database.write(one("sent.delete", {"id": sent_id})))


def insert(sent: Sequence[tuple[NewOutbound, SentRecord, State]]) -> Script[None]:
    """Record mails that go out, with the state that each begins in."""
    yield QueryMany(
        "sent.insert",
        [
            {
                "uuid": mail.uuid,
                "from_name": each.from_name,
                "from_addr": each.from_addr,
                "to_addrs": each.to_addrs,
                "subject": each.subject,
                "html_content": each.html_content,
                "text_content": each.text_content,
                "status": state,
                "scheduled_at": each.scheduled_at,
                "provider": each.provider,
                "created_at": each.created_at or mail.created_at,
            }
            for mail, each, state in sent
        ],
    )
