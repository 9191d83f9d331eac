"""Handing received mail on: its intents, stored with the mail itself, and the addresses that want it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

import msgspec

from tempmail.adapters.sql.script import Database, QueryMany, Script, one, record
from tempmail.clock import parse_stamp, stamp
from tempmail.domain.messages import IncomingMail
from tempmail.ports.outbound import ForwardTarget

GIVEN_UP_AFTER_S = 5 * 86_400.0
"""RFC 5321 4.5.4.1: at least four to five days."""


@dataclass(frozen=True, slots=True)
class Forward:
    """One copy of a received mail for `target`, which came to `mailbox`."""

    mail: IncomingMail
    object_key: str
    mailbox: str
    target: str

    @property
    def uuid(self) -> str:
        """The same for the same copy, so that storing the mail twice cannot send it twice."""
        return str(uuid5(NAMESPACE_URL, f"{self.mail.uuid}/{self.mailbox}/{self.target}"))


def enqueue(forwards: Sequence[Forward]) -> Script[None]:
    """Put the copies into the outbox, within the transaction that stores the mail."""
    if not forwards:
        return
    rows = yield QueryMany(
        "forwards.insert",
        [
            {
                "uuid": each.uuid,
                "from_addr": each.mail.envelope_from,
                "subject": each.mail.subject,
                "now": each.mail.received_at,
                "deadline": stamp(parse_stamp(each.mail.received_at) + GIVEN_UP_AFTER_S),
                "object_key": each.object_key,
            }
            for each in forwards
        ],
    )
    ids = {row["uuid"]: row["id"] for row in rows}
    yield QueryMany(
        "forwards.insert_payload",
        [{"outbox_id": ids[each.uuid], "payload": msgspec.json.encode({"mailbox": each.mailbox})} for each in forwards],
    )
    yield QueryMany(
        "forwards.insert_recipient", [{"outbox_id": ids[each.uuid], "address": each.target} for each in forwards]
    )


class SqlForwardTargets:
    """Implements `ports.outbound.ForwardTargets`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, address: str) -> ForwardTarget | None:
        rows = await self._database.read(one("forward_targets.find", {"address": address.lower()}))
        return record(ForwardTarget, rows[0]) if rows else None

    async def ask(
        self, address: str, *, code_hash: str, code_expires_at: str, tries: int, now: str, not_since: str
    ) -> bool:
        params = {
            "address": address.lower(),
            "code_hash": code_hash,
            "code_expires_at": code_expires_at,
            "tries": tries,
            "now": now,
            "not_since": not_since,
        }
        return bool(await self._database.write(one("forward_targets.ask", params)))

    async def spend_try(self, address: str, *, now: str) -> str | None:
        rows = await self._database.write(one("forward_targets.spend", {"address": address.lower(), "now": now}))
        return str(rows[0]["code_hash"]) if rows else None

    async def verify(self, address: str, *, now: str) -> None:
        await self._database.write(one("forward_targets.verify", {"address": address.lower(), "now": now}))

    async def forget_unanswered(self, before: str) -> None:
        await self._database.write(one("forward_targets.forget", {"before": before}))
