"""Rows of the outbox as records."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tempmail.adapters.sql.script import Query, QueryMany, Row, Rows, Script, record
from tempmail.domain.outbound import Kind, ProviderCall, RecipientKind, State
from tempmail.ports.outbound import OutboxCall, OutboxDetail, OutboxMail, OutboxRecipient


def mail_of(row: Row) -> OutboxMail:
    return record(
        OutboxMail,
        row,
        kind=Kind(row["kind"]),
        state=State(row["state"]),
        at_least_once=bool(row["at_least_once"]),
    )


def mails_of(ids: Sequence[int]) -> Script[dict[int, OutboxMail]]:
    rows = yield QueryMany("outbox.get", [{"id": id_} for id_ in ids])
    return {row["id"]: mail_of(row) for row in rows}


def mail(mail_id: int) -> Script[OutboxMail | None]:
    return (yield from mails_of([mail_id])).get(mail_id)


def details(ids: Sequence[int]) -> Script[list[OutboxDetail]]:
    """The mails with all that belongs to them, in the order of `ids`; those that are gone are left out."""
    wanted = [{"id": id_} for id_ in ids]
    mails = yield from mails_of(ids)
    payloads = {row["outbox_id"]: row["payload"] for row in (yield QueryMany("outbox.payloads", wanted))}
    recipients = _by_mail((yield QueryMany("outbox.recipients", wanted)))
    calls = _by_mail((yield QueryMany("outbox.calls", wanted)))
    requests = yield QueryMany("outbox.requests", wanted)
    bodies = {(row["outbox_id"], row["digest"]): row["body"] for row in requests}
    return [
        OutboxDetail(
            mail=mails[id_],
            payload=payloads.get(id_, b""),
            recipients=tuple(_recipient(row) for row in recipients[id_]),
            calls=tuple(_call(row, recipients[id_], bodies) for row in calls[id_]),
        )
        for id_ in ids
        if id_ in mails
    ]


def detail(mail_id: int) -> Script[OutboxDetail | None]:
    found = yield from details([mail_id])
    return found[0] if found else None


def find(name: str) -> Script[OutboxDetail | None]:
    for query in ("outbox.find_by_uuid", "outbox.find_by_call", "outbox.find_by_recipient"):
        rows = yield Query(query, {"name": name})
        if rows and rows[0]["id"] is not None:
            return (yield from detail(rows[0]["id"]))
    return None


def _by_mail(rows: Rows) -> defaultdict[int, list[Any]]:
    found: defaultdict[int, list[Any]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: int(row["id"])):
        found[row["outbox_id"]].append(row)
    return found


def _recipient(row: Row) -> OutboxRecipient:
    return record(OutboxRecipient, row, kind=RecipientKind(row["kind"]), state=State(row["state"]))


def _call(row: Row, recipients: Sequence[Row], bodies: Mapping[tuple[int, str], bytes]) -> OutboxCall:
    request = ProviderCall(
        recipients=tuple(each["address"] for each in recipients if each["call_id"] == row["id"]),
        target=row["request_target"],
        content_type=row["request_type"],
        body=bodies[row["outbox_id"], row["request_digest"]],
    )
    return record(OutboxCall, row, state=State(row["state"]), request=request)
