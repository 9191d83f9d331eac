"""What claimers do to mails: claim them, begin their calls, record how these ended. Many at once, since between two
statements the database's thread may have to wait for the interpreter, with the write lock held."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tempmail.adapters.sql.outbox_records import details, mails_of
from tempmail.adapters.sql.outbox_reports import apply_earlier_reports
from tempmail.adapters.sql.outbox_states import Restated, restate_all
from tempmail.adapters.sql.script import Query, QueryMany, Script
from tempmail.domain.outbound import ProviderCall, State
from tempmail.errors import Conflict
from tempmail.ports.outbound import OutboxCall, OutboxDetail, OutboxMail, Settled

_LOST = "the process ended before the provider's answer was recorded"
_REPLACED = "another call took its place"
_TOO_LATE = "the mail was canceled, changed or claimed by somebody else meanwhile"


def claim(now: str, until: str, limit: int, max_bytes: int) -> Script[list[OutboxDetail]]:
    chosen: list[int] = []
    interrupted = []
    room = max_bytes
    for candidate in (yield Query("outbox.due", {"now": now, "limit": limit})):
        room -= int(candidate["payload_bytes"])
        if chosen and room < 0:
            break
        chosen.append(int(candidate["id"]))
        if candidate["state"] == State.SENDING:
            interrupted.append(chosen[-1])
    yield QueryMany("outbox.claim", [{"id": id_} for id_ in chosen], {"now": now, "until": until})
    yield from _lose(interrupted, now)
    return (yield from details(chosen))


def _lose(ids: Sequence[int], now: str) -> Script[None]:
    """Their calls under way are unknown: whoever made them is gone."""
    rows = [{"id": id_} for id_ in ids]
    yield QueryMany("outbox.lose_calls", rows, {"error": _LOST, "now": now})
    yield QueryMany("outbox.lose_recipients", rows, {"error": _LOST})
    yield from restate_all([Restated(id_, error=_LOST, now=now) for id_ in ids])


@dataclass(frozen=True, slots=True)
class Begun:
    """A mail, as it was claimed, of which calls begin: see `ports.outbound.Outbox.begin`."""

    mail_id: int
    turn: int
    provider: str
    account: str
    calls: Sequence[tuple[str, ProviderCall]]
    until: str
    now: str


def record(steps: Sequence[Begun | Settled]) -> Script[list[list[OutboxCall] | OutboxMail | Conflict]]:
    """Each step's result, in the order of `steps`: the calls that begin, or the mail as it is then; an error where the
    step was refused, without effect. Raises `Conflict` where one of several must be refused after all: they can be
    recorded one by one."""
    begun = [step for step in steps if isinstance(step, Begun)]
    settled = [step for step in steps if isinstance(step, Settled)]
    if len({step.mail_id for step in begun}) < len(begun) or len({step.call_id for step in settled}) < len(settled):
        raise Conflict("two steps of one mail")
    calls = iter((yield from _begin(begun)))
    mails = iter((yield from _settle(settled)))
    return [next(calls) if isinstance(step, Begun) else next(mails) for step in steps]


def _begin(begun: Sequence[Begun]) -> Script[list[list[OutboxCall] | Conflict]]:
    held = yield from _hold(begun)
    going = [each for each in begun if each.mail_id in held]
    wanted = [
        (each, _call(each, key, request, is_first=not number))
        for each in going
        for number, (key, request) in enumerate(each.calls)
    ]
    # By the bytes: those that many calls share are hashed once.
    digests = {body: hashlib.sha256(body).hexdigest() for body in {call.request.body for _, call in wanted}}
    rows = yield QueryMany("outbox.insert_call", [_columns(each, call, digests) for each, call in wanted])
    ids = {str(row["idempotency_key"]): int(row["id"]) for row in rows}
    stored = [(each, replace(call, id=ids[call.idempotency_key])) for each, call in wanted]
    bodies = {(each.mail_id, digests[call.request.body]): call.request.body for each, call in wanted}
    yield QueryMany(
        "outbox.insert_request",
        [{"outbox_id": mail_id, "digest": digest, "body": body} for (mail_id, digest), body in bodies.items()],
    )
    yield from _give_recipients(stored)
    now = max((each.now for each in going), default="")
    replaced = [{"outbox_id": each.mail_id} for each in going]
    yield QueryMany("outbox.drop_replaced", replaced, {"error": _REPLACED, "now": now})
    by_mail: dict[int, list[OutboxCall]] = {each.mail_id: [] for each in going}
    for each, call in stored:
        by_mail[each.mail_id].append(call)
    return [by_mail.get(each.mail_id) or Conflict(_TOO_LATE) for each in begun]


def _hold(begun: Sequence[Begun]) -> Script[set[int]]:
    """The mails that are still as they were claimed: they are being sent from now on."""
    rows = yield QueryMany(
        "outbox.hold",
        [
            {"id": each.mail_id, "turn": each.turn, "provider": each.provider, "until": each.until, "now": each.now}
            for each in begun
        ],
    )
    return {int(row["id"]) for row in rows}


def _call(begun: Begun, key: str, request: ProviderCall, *, is_first: bool) -> OutboxCall:
    return OutboxCall(
        id=0,
        provider=begun.provider,
        account=begun.account,
        idempotency_key=key,
        state=State.SENDING if is_first else State.QUEUED,
        attempts=int(is_first),
        failures=0,
        provider_message_id=None,
        error=None,
        began_at=begun.now if is_first else None,
        request=request,
    )


def _columns(begun: Begun, call: OutboxCall, digests: Mapping[bytes, str]) -> dict[str, object]:
    return {
        "outbox_id": begun.mail_id,
        "provider": call.provider,
        "account": call.account,
        "idempotency_key": call.idempotency_key,
        "state": call.state,
        "attempts": call.attempts,
        "began_at": call.began_at,
        "now": begun.now,
        "request_target": call.request.target,
        "request_type": call.request.content_type,
        "request_digest": digests[call.request.body],
    }


def _give_recipients(stored: Sequence[tuple[Begun, OutboxCall]]) -> Script[None]:
    rows = [
        {"call_id": call.id, "outbox_id": each.mail_id, "address": address, "state": call.state}
        for each, call in stored
        for address in call.request.recipients
    ]
    if len((yield QueryMany("outbox.give_recipients", rows))) != len(rows):
        raise Conflict("a recipient may have got this mail already")


def begin_call(call_id: int, turn: int, until: str, now: str) -> Script[None]:
    rows = yield Query("outbox.repeat_call", {"id": call_id, "now": now})
    if not rows or not (yield Query("outbox.repeat_recipients", {"call_id": call_id})):
        raise Conflict("this call was settled meanwhile, or another one took its place")
    begun = Begun(rows[0]["outbox_id"], turn, rows[0]["provider"], "", (), until, now)
    if not (yield from _hold([begun])):
        raise Conflict(_TOO_LATE)


def _settle(settled: Sequence[Settled]) -> Script[list[OutboxMail]]:
    by_call = {each.call_id: each for each in settled}
    rows = yield QueryMany("outbox.settle_calls", [_outcome(each) for each in settled])
    counted = {int(row["id"]): (by_call[row["id"]], str(row["provider"])) for row in rows}
    mail_of = {int(row["id"]): int(row["outbox_id"]) for row in rows}
    late = [{"id": each.call_id} for each in settled if each.call_id not in counted]
    mail_of |= {int(row["id"]): int(row["outbox_id"]) for row in (yield QueryMany("outbox.mails_of_calls", late))}
    yield QueryMany(
        "outbox.settle_recipients",
        [{"call_id": each.call_id, "state": each.state, "error": each.error} for each, _ in counted.values()],
    )
    yield from _name(counted.values(), mail_of)
    yield from restate_all(
        [
            Restated(mail_of[call_id], each.error, each.now, turn=each.turn, due=each.due)
            for call_id, (each, _) in counted.items()
        ]
    )
    mails = yield from mails_of([mail_of[each.call_id] for each in settled])
    return [mails[mail_of[each.call_id]] for each in settled]


def _outcome(settled: Settled) -> dict[str, object]:
    return {
        "id": settled.call_id,
        "attempt": settled.attempt,
        "state": settled.state,
        "message_id": settled.message_id,
        "error": settled.error,
        "failures": int(settled.is_failure),
        "look_due": settled.look_due,
        "now": settled.now,
    }


def _name(counted: Iterable[tuple[Settled, str]], mail_of: Mapping[int, int]) -> Script[None]:
    """Store the provider's ids, and apply what it reported of them before."""
    named: dict[tuple[str, str], str] = {}
    for settled, provider in counted:
        for address, message_id in settled.by_recipient.items():
            yield Query(
                "outbox.name_recipient",
                {
                    "outbox_id": mail_of[settled.call_id],
                    "address": address,
                    "call_id": settled.call_id,
                    "message_id": message_id,
                },
            )
        if settled.state is State.ACCEPTED:
            names = [settled.message_id, *settled.by_recipient.values()]
            named |= {(provider, name): settled.now for name in names if name is not None}
    yield from apply_earlier_reports(named)


def put_off(mail_id: int, turn: int, due: str | None, error: str | None, now: str) -> Script[None]:
    yield Query("outbox.put_off", {"id": mail_id, "turn": turn, "due": due, "error": error, "now": now})
