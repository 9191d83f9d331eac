"""Messages in SQL: implements `ports.Mail`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tempmail.adapters.sql.deleting import CHUNK, delete_from_mailbox, delete_messages
from tempmail.adapters.sql.forwards import Forward, enqueue
from tempmail.adapters.sql.mailboxes import find_or_create
from tempmail.adapters.sql.script import Database, Query, QueryMany, Row, Script, one
from tempmail.domain.address import object_key
from tempmail.domain.messages import IncomingMail, Message, MessageSummary, Recipient, StoredMail
from tempmail.errors import UnknownMailbox

_LAST_ID = 2**63 - 1

ForwardTo = Callable[[str, str | None], str | None]
"""(a mailbox's address, its own target) → where mail for it is handed on to, None for nowhere."""


def own_target(_mailbox: str, target: str | None) -> str | None:
    """A mailbox's own target, and no rules."""
    return target or None


class SqlMail:
    """The queries of messages name their columns in the order of the records' fields: lists of mail are what clients
    poll, and a row costs 2 µs by position, 3 by `record`."""

    def __init__(self, database: Database, *, bucket: str, forward_to: ForwardTo = own_target) -> None:
        self._database = database
        self._bucket = bucket
        self._forward_to = forward_to

    async def add(self, batch: Sequence[IncomingMail]) -> list[StoredMail]:
        return await self._database.write(add_mails(lambda: batch, self._bucket, self._forward_to))

    async def add_taken(self, take: Callable[[], Sequence[IncomingMail]]) -> list[StoredMail]:
        return await self._database.write(add_mails(take, self._bucket, self._forward_to))

    async def latest(
        self, mailbox_id: int, *, limit: int, before_id: int | None = None, since: str | None = None
    ) -> list[MessageSummary]:
        params = {
            "mailbox_id": mailbox_id,
            "before_id": _LAST_ID if before_id is None else before_id,
            "since": since or "",
            "limit": limit,
        }
        rows = await self._database.read(one("mail.latest", params))
        return [MessageSummary(*row) for row in rows]

    async def get(self, message_id: int) -> Message | None:
        rows = await self._database.read(one("mail.get", {"id": message_id}))
        return Message(*rows[0]) if rows else None

    async def get_many(self, ids: Sequence[int]) -> list[Message]:
        rows = await self._database.read(_each("mail.get", ({"id": id_} for id_ in sorted(set(ids)))))
        return [Message(*row) for row in rows]

    async def mark_read(self, message_id: int) -> None:
        await self._database.write(one("mail.mark_read", {"id": message_id}))

    async def delete(self, message_id: int, *, now: str) -> bool:
        return await self._database.write(delete_messages("mail.delete", {"id": message_id}, now)) > 0

    async def clear(self, mailbox_id: int, *, now: str) -> int:
        removed = 0
        while True:
            chunk = await self._database.write(delete_from_mailbox(mailbox_id, now))
            removed += chunk
            if chunk < CHUNK:
                return removed

    async def delete_received_before(self, cutoff: str, *, now: str, limit: int) -> int:
        params = {"cutoff": cutoff, "limit": limit}
        return await self._database.write(delete_messages("mail.delete_received_before", params, now))

    async def object_keys(self, *, after: str, limit: int) -> list[tuple[str, bool]]:
        rows = await self._database.read(one("mail.object_keys", {"after": after, "limit": limit}))
        return [(str(row["object_key"]), bool(row["is_spooled"])) for row in rows]

    async def has_object(self, key: str) -> bool:
        return bool(await self._database.read(one("mail.shares_object", {"object_key": key})))

    async def object_key_known(self, keys: Sequence[str]) -> set[str]:
        return await self._database.read(_known(keys))


def _each(name: str, all_params: Iterable[dict[str, object]]) -> Script[list[Row]]:
    found: list[Row] = []
    for params in all_params:
        found.extend((yield Query(name, params)))
    return found


def _known(keys: Sequence[str]) -> Script[set[str]]:
    known = set()
    for key in keys:
        if (yield Query("mail.knows_object", {"object_key": key})):
            known.add(key)
    return known


def add_mails(
    take: Callable[[], Sequence[IncomingMail]], bucket: str, forward_to: ForwardTo
) -> Script[list[StoredMail]]:
    """Every statement serves the whole batch: between two of them this thread may have to wait for the interpreter,
    with the write lock held."""
    batch = take()
    boxes = yield from _mailboxes_of(batch)
    keys = [object_key(mail.received_at, next(iter(found.values())).address, mail.uuid) for mail, found in boxes]
    rows = yield QueryMany(
        "mail.insert",
        [
            {
                "mailbox_id": mailbox_id,
                "sender": mail.sender,
                "to_addrs": box.recipient.address,
                "subject": mail.subject,
                "verification_code": mail.verification_code,
                "preview": mail.preview,
                "bucket": bucket,
                "object_key": key,
                "received_at": mail.received_at,
                "envelope_from": mail.envelope_from,
                "size_bytes": mail.size_bytes,
                "attachment_count": mail.attachment_count,
                "extraction": mail.extraction,
                "extraction_version": mail.extraction_version,
            }
            for key, (mail, found) in zip(keys, boxes, strict=True)
            for mailbox_id, box in found.items()
        ],
    )
    ids = {(row["r2_object_key"], row["mailbox_id"]): int(row["id"]) for row in rows}
    yield from _spool(batch, keys)
    yield from enqueue(
        [
            Forward(mail, key, box.address, target)
            for key, (mail, found) in zip(keys, boxes, strict=True)
            for box in found.values()
            if mail.may_forward and (target := forward_to(box.address, box.forward_to)) is not None
        ]
    )
    return [
        StoredMail(key, tuple(ids[key, mailbox_id] for mailbox_id in found), tuple(found))
        for key, (_, found) in zip(keys, boxes, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Box:
    """A mailbox that a mail goes to. `recipient`: the first that means it."""

    address: str
    forward_to: str | None
    recipient: Recipient


_Boxes = dict[int, _Box]
"""By mailbox id: one copy per mailbox, in RCPT order."""

_Known = dict[str, tuple[int, str | None]]
"""Address → id and own forward target."""


def _mailboxes_of(batch: Sequence[IncomingMail]) -> Script[list[tuple[IncomingMail, _Boxes]]]:
    recipients = [recipient for mail in batch for recipient in mail.recipients]
    addresses = dict.fromkeys(address for one_of in recipients for address in (one_of.exact, one_of.alias))
    rows = yield QueryMany("mail.mailboxes", [{"address": address} for address in addresses])
    known: _Known = {str(row["address"]): (int(row["id"]), row["forward_to"]) for row in rows}
    result = []
    for mail in batch:
        boxes: _Boxes = {}
        for recipient in mail.recipients:
            address = yield from _mailbox_for(recipient, known, mail.received_at)
            if address is not None:
                mailbox_id, target = known[address]
                boxes.setdefault(mailbox_id, _Box(address, target, recipient))
        if not boxes:
            raise UnknownMailbox("no such mailbox here")
        result.append((mail, boxes))
    return result


def _mailbox_for(recipient: Recipient, known: _Known, now: str) -> Script[str | None]:
    """The address of the mailbox that is meant, one of `known`; a new one joins them. None where there is none."""
    # An exact mailbox comes before the alias rule, which could name another person's (contract D-3).
    if recipient.exact in known:
        return recipient.exact
    if recipient.alias not in known:
        if not recipient.may_create:
            return None
        row = yield from find_or_create(recipient.alias, now=now)
        known[recipient.alias] = (int(row["id"]), row["forward_to"])
    return recipient.alias


def _spool(batch: Sequence[IncomingMail], keys: Sequence[str]) -> Script[None]:
    rows = yield QueryMany(
        "spool.insert",
        [
            {
                "object_key": key,
                "size_bytes": mail.size_bytes,
                "file_name": mail.body.name if isinstance(mail.body, Path) else None,
                "due": mail.received_at,
            }
            for mail, key in zip(batch, keys, strict=True)
        ],
    )
    ids = {row["object_key"]: row["id"] for row in rows}
    yield QueryMany(
        "spool.insert_body",
        [
            {"spool_id": ids[key], "body": mail.body}
            for mail, key in zip(batch, keys, strict=True)
            if not isinstance(mail.body, Path)
        ],
    )
