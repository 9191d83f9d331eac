"""Mails to be sent, in SQL: implements `ports.outbound.Outbox`."""

from collections.abc import Iterable, Mapping, Sequence

from tempmail.adapters.sql import outbox_calls, outbox_changes, outbox_records, outbox_reports
from tempmail.adapters.sql.grouped import Grouped, GroupedWrites
from tempmail.adapters.sql.script import Database, Query, QueryMany, Rows, Script, one, record
from tempmail.adapters.sql.sent_mails import insert as insert_sent
from tempmail.domain.outbound import Delivery, ProviderCall, State
from tempmail.errors import QuotaReached
from tempmail.ports.outbound import (
    CLAIM_BYTES,
    Lookup,
    NewOutbound,
    OutboxCall,
    OutboxDetail,
    OutboxFilter,
    OutboxMail,
    Pause,
    ProviderEvent,
    Room,
    SentRecord,
    Settled,
)

_LAST_ID = 2**63 - 1


class SqlOutbox:
    """Its small writes share commits: see `grouped.py`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._grouped = GroupedWrites(database)
        self._steps = Grouped(database, outbox_calls.record)

    async def add(
        self, mails: Sequence[NewOutbound], sent: Sequence[SentRecord | None], *, room: Room | None = None
    ) -> list[OutboxMail]:
        return await self._grouped.write(lambda: insert(mails, sent, room))

    async def claim(self, *, now: str, until: str, limit: int, max_bytes: int = CLAIM_BYTES) -> list[OutboxDetail]:
        # Asked first without the write lock: nothing is due most of the time.
        if not await self._database.read(one("outbox.is_due", {"now": now})):
            return []
        return await self._database.write(outbox_calls.claim(now, until, limit, max_bytes))

    async def begin(
        self,
        mail_id: int,
        turn: int,
        provider: str,
        account: str,
        calls: Sequence[tuple[str, ProviderCall]],
        *,
        until: str,
        now: str,
    ) -> list[OutboxCall]:
        step = outbox_calls.Begun(mail_id, turn, provider, account, calls, until, now)
        begun: list[OutboxCall] = await self._steps.write(step)
        return begun

    async def begin_call(self, call_id: int, turn: int, *, until: str, now: str) -> None:
        await self._grouped.write(lambda: outbox_calls.begin_call(call_id, turn, until, now))

    async def settle(self, settled: Settled) -> OutboxMail:
        mail: OutboxMail = await self._steps.write(settled)
        return mail

    async def put_off(self, mail_id: int, turn: int, *, due: str | None, error: str | None, now: str) -> None:
        await self._grouped.write(lambda: outbox_calls.put_off(mail_id, turn, due, error, now))

    async def fail(self, mail_id: int, turn: int, *, error: str, now: str) -> OutboxMail | None:
        return await self._grouped.write(lambda: outbox_changes.fail(mail_id, turn, error, now))

    async def cancel(self, mail_id: int, *, now: str) -> OutboxMail | None:
        return await self._grouped.write(lambda: outbox_changes.cancel(mail_id, now))

    async def reschedule(self, mail_id: int, *, scheduled_at: str, deadline: str, now: str) -> OutboxMail | None:
        return await self._grouped.write(lambda: outbox_changes.reschedule(mail_id, scheduled_at, deadline, now))

    async def retry(self, mail_id: int, *, deadline: str, now: str) -> OutboxMail | None:
        return await self._grouped.write(lambda: outbox_changes.retry(mail_id, deadline, now))

    async def resolve(self, mail_id: int, state: State, *, now: str) -> OutboxMail | None:
        return await self._grouped.write(lambda: outbox_changes.resolve(mail_id, state, now))

    async def report(self, event: ProviderEvent) -> bool:
        return await self._grouped.write(lambda: outbox_reports.report(event))

    async def claim_lookups(self, *, now: str, until: str, limit: int) -> list[Lookup]:
        if not await self._database.read(one("outbox.due_lookups", {"now": now, "limit": 1})):
            return []
        return await self._database.write(outbox_reports.claim_lookups(now, until, limit))

    async def lookups(self, mail_id: int) -> list[Lookup]:
        return await self._database.read(outbox_reports.lookups(mail_id))

    async def observe(
        self, call_id: int, found: Mapping[str, Delivery], *, look_due: str | None, now: str
    ) -> OutboxMail | None:
        return await self._grouped.write(lambda: outbox_reports.observe(call_id, found, look_due, now))

    async def pause(self, pause: Pause) -> None:
        params = {
            "provider": pause.provider,
            "account": pause.account,
            "until": pause.until,
            "reason": pause.reason,
        }
        await self._grouped.write(lambda: one("outbox.pause", params))

    async def unpause(self, provider: str, account: str, *, due: str) -> bool:
        return await self._database.write(outbox_changes.unpause(provider, account, due))

    async def pauses(self, *, now: str) -> list[Pause]:
        rows = await self._database.read(one("outbox.pauses", {"now": now}))
        return [record(Pause, row) for row in rows]

    async def get(self, mail_id: int) -> OutboxDetail | None:
        return await self._database.read(outbox_records.detail(mail_id))

    async def named(self, uuid: str) -> OutboxMail | None:
        rows = await self._database.read(_named(uuid))
        return outbox_records.mail_of(rows[0]) if rows else None

    async def find(self, name: str) -> OutboxDetail | None:
        return await self._database.read(outbox_records.find(name))

    async def page(self, criteria: OutboxFilter) -> list[OutboxMail]:
        return [outbox_records.mail_of(row) for row in await self._database.read(_page(criteria))]

    async def counts(self) -> Mapping[tuple[str, State], int]:
        rows = await self._database.read(one("outbox.counts"))
        return {(row["provider"], State(row["state"])): int(row["mails"]) for row in rows}

    async def purge(self, before: str, *, limit: int) -> int:
        return await self._database.write(_purge(before, limit))


def insert(
    mails: Sequence[NewOutbound], sent: Sequence[SentRecord | None], room: Room | None = None
) -> Script[list[OutboxMail]]:
    """Put mails into the outbox, within a transaction that may do more; see `ports.outbound.Outbox.add`."""
    rows = yield QueryMany("outbox.insert", [_columns(mail) for mail in mails])
    ids = {str(row["uuid"]): int(row["id"]) for row in rows}
    new = {mail.uuid: mail for mail in mails if mail.uuid in ids}
    yield QueryMany(
        "outbox.insert_payload", [{"outbox_id": ids[uuid], "payload": mail.payload} for uuid, mail in new.items()]
    )
    yield QueryMany(
        "outbox.insert_recipient",
        [
            {"outbox_id": ids[uuid], "kind": kind, "address": address, "state": _first_state(mail)}
            for uuid, mail in new.items()
            for kind, address in mail.recipients
        ],
    )
    if room is not None:
        yield from _check_room({mail.user_id for mail in new.values() if mail.user_id is not None}, room)
    records = {mail.uuid: each for mail, each in zip(mails, sent, strict=True) if each is not None}
    yield from insert_sent([(mail, records[uuid], _first_state(mail)) for uuid, mail in new.items() if uuid in records])
    stored = yield QueryMany("outbox.of_uuid", [{"uuid": mail.uuid} for mail in mails])
    by_uuid = {str(row["uuid"]): outbox_records.mail_of(row) for row in stored}
    return [by_uuid[mail.uuid] for mail in mails]


def _check_room(user_ids: Iterable[int], room: Room) -> Script[None]:
    for user_id in user_ids:
        params = {"user_id": user_id, "limit": room.mails + 1}
        [waiting] = yield Query("outbox.waiting_of_user", params)
        if waiting["mails"] > room.mails or waiting["payload_bytes"] > room.payload_bytes:
            raise QuotaReached("too many mails of this user wait")


def _first_state(mail: NewOutbound) -> State:
    return State.QUEUED if mail.scheduled_at is None else State.SCHEDULED


def _columns(mail: NewOutbound) -> dict[str, object]:
    return {
        "uuid": mail.uuid,
        "kind": mail.kind,
        "state": _first_state(mail),
        "user_id": mail.user_id,
        "from_addr": mail.from_addr,
        "subject": mail.subject,
        "scheduled_at": mail.scheduled_at,
        "due": mail.due,
        "deadline": mail.deadline,
        "at_least_once": int(mail.at_least_once),
        "object_key": mail.object_key,
        "created_at": mail.created_at,
    }


def _named(uuid: str) -> Script[Rows]:
    return (yield QueryMany("outbox.of_uuid", [{"uuid": uuid}]))


def _page(criteria: OutboxFilter) -> Script[Rows]:
    params = {
        "state": criteria.state or "",
        "kind": criteria.kind or "",
        "user_id": criteria.user_id,
        "before_id": _LAST_ID if criteria.before_id is None else criteria.before_id,
        "limit": criteria.limit,
    }
    if criteria.user_id is not None:
        return (yield Query("outbox.page_of_user", params))
    if criteria.state is not None:
        return (yield Query("outbox.page_of_state", params))
    if criteria.kind is not None:
        return (yield Query("outbox.page_of_kind", params))
    return (yield Query("outbox.page", params))


def _purge(before: str, limit: int) -> Script[int]:
    params = {"before": before, "limit": limit}
    rows = yield Query("outbox.purge", params)
    yield Query("outbox.purge_events", params)
    return len(rows)
