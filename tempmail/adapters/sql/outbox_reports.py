"""What became of accepted mails: reports that providers make by themselves, and lookups."""

from collections.abc import Mapping, Sequence

from tempmail.adapters.sql.outbox_records import mail
from tempmail.adapters.sql.outbox_states import restate
from tempmail.adapters.sql.script import Query, QueryMany, Row, Script
from tempmail.domain.outbound import Delivery, State, overall
from tempmail.ports.outbound import Lookup, OutboxMail, ProviderEvent


def report(event: ProviderEvent) -> Script[bool]:
    params = {
        "provider": event.provider,
        "event_id": event.event_id,
        "provider_message_id": event.provider_message_id,
        "event": event.delivery.event,
        "state": event.delivery.state,
        "reason": event.delivery.reason,
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
    }
    if not (yield Query("outbox.insert_event", params)):
        return False
    if event.delivery.state is not None:
        changed = yield from _inform(
            event.provider, event.provider_message_id, event.delivery.state, event.delivery.reason, event.received_at
        )
        for mail_id in sorted(changed):
            yield from restate(mail_id, error=event.delivery.reason or None, now=event.received_at)
    return True


def apply_earlier_reports(named: Mapping[tuple[str, str], str]) -> Script[None]:
    """Apply what was reported of ids before they were known. `named`: (provider, its id) → the stamp of now. The mails
    themselves are restated by the caller."""
    rows = yield QueryMany("outbox.events", [{"message_id": name} for _, name in named])
    for row in sorted(rows, key=lambda row: (str(row["occurred_at"]), int(row["id"]))):
        provider, name = row["provider"], row["provider_message_id"]
        if (provider, name) in named:
            yield from _inform(provider, name, State(row["state"]), row["reason"], named[provider, name])


def _inform(provider: str, name: str, state: State, reason: str, now: str) -> Script[set[int]]:
    """The mails whose calls or recipients have that id, now that their state is known. Nothing leaves a state that is
    final."""
    error = reason or None
    params = {"message_id": name, "provider": provider}
    informed: dict[int, int] = {}
    for row in (yield Query("outbox.recipients_named", params)):
        yield Query("outbox.inform_recipient", {"id": row["id"], "state": state, "error": error})
        informed[row["call_id"]] = row["outbox_id"]
    if not informed:
        for row in (yield Query("outbox.calls_named", params)):
            yield Query("outbox.inform_recipients", {"call_id": row["id"], "state": state, "error": error})
            informed[row["id"]] = row["outbox_id"]
    for call_id in informed:
        states = [State(row["state"]) for row in (yield Query("outbox.states_of_call", {"call_id": call_id}))]
        # Without recipients: another call took its place, and this one is only for the record.
        of_call = overall(states or [state])
        yield Query("outbox.inform_call", {"id": call_id, "state": of_call, "error": error, "now": now})
    return set(informed.values())


def claim_lookups(now: str, until: str, limit: int) -> Script[list[Lookup]]:
    rows = yield Query("outbox.due_lookups", {"now": now, "limit": limit})
    for row in rows:
        yield Query("outbox.claim_lookup", {"id": row["id"], "until": until})
    return (yield from _lookups(rows))


def lookups(mail_id: int) -> Script[list[Lookup]]:
    return (yield from _lookups((yield Query("outbox.lookups_of_mail", {"id": mail_id}))))


def _lookups(rows: Sequence[Row]) -> Script[list[Lookup]]:
    found = []
    for row in rows:
        names = [each["provider_message_id"] for each in (yield Query("outbox.names_in_call", {"call_id": row["id"]}))]
        if not names and row["provider_message_id"]:
            names = [row["provider_message_id"]]
        found.append(Lookup(row["id"], row["provider"], row["account"], tuple(dict.fromkeys(names)), row["looks"]))
    return found


def observe(call_id: int, found: Mapping[str, Delivery], look_due: str | None, now: str) -> Script[OutboxMail | None]:
    rows = yield QueryMany("outbox.mails_of_calls", [{"id": call_id}])
    if not rows:
        return None
    mail_id, reason = int(rows[0]["outbox_id"]), ""
    for name, delivery in found.items():
        if delivery.state is not None:
            yield from _inform(rows[0]["provider"], name, delivery.state, delivery.reason, now)
            reason = delivery.reason or reason
    yield Query("outbox.looked", {"id": call_id, "look_due": look_due})
    before = yield from mail(mail_id)
    states = yield QueryMany("outbox.recipient_states", [{"id": mail_id}])
    state = overall(State(row["state"]) for row in states)
    if before is not None and before.state is not state:
        yield from restate(mail_id, error=reason or None, now=now)
        return (yield from mail(mail_id))
    return before
