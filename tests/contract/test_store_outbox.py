"""The contract of `ports.outbound.Outbox`: intents that are claimed by lease, and calls that are begun before they are
made."""

import sqlite3
from asyncio import gather, run
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tempmail.adapters.sql.sqlite import connect
from tempmail.domain.outbound import MOVES, Kind, OutboundMessage, State
from tempmail.errors import Conflict, QuotaReached
from tempmail.ports import Store
from tempmail.ports.outbound import (
    NewOutbound,
    OutboxCall,
    OutboxDetail,
    OutboxFilter,
    OutboxMail,
    Pause,
    Room,
    Settled,
)
from tests.builders import NOW, at
from tests.outbound_builders import new_outbound, outbound_message, request, sent_record

A, B, C = "a@else.example", "b@else.example", "c@else.example"
DAY = 86_400.0


def add(store: Store, *mails: NewOutbound) -> list[OutboxMail]:
    return run(store.outbox.add(mails, [None] * len(mails)))


def claim(store: Store, second: float = 0, *, lease: float = 60, limit: int = 100) -> list[OutboxDetail]:
    return run(store.outbox.claim(now=at(second), until=at(second + lease), limit=limit))


def begin(store: Store, detail: OutboxDetail, *recipients: str, second: float = 0) -> list[OutboxCall]:
    """A call for each recipient."""
    calls = [(f"{detail.mail.uuid}-{to}", request(to)) for to in recipients or (A,)]
    return run(
        store.outbox.begin(
            detail.mail.id, detail.mail.turn, "resend", "shop", calls, until=at(second + 60), now=at(second)
        )
    )


def settle(
    store: Store, call: OutboxCall, detail: OutboxDetail, state: State, *, due: str | None = None, **more: object
) -> OutboxMail:
    settled = Settled(
        call_id=call.id,
        attempt=max(1, call.attempts),
        turn=detail.mail.turn,
        state=state,
        now=at(1),
        due=due,
        **more,  # type: ignore[arg-type]
    )
    return run(store.outbox.settle(settled))


def begun(store: Store, *recipients: str) -> tuple[OutboxDetail, list[OutboxCall]]:
    """A mail whose first call is under way."""
    add(store, new_outbound(*(recipients or (A,))))
    [detail] = claim(store)
    return detail, begin(store, detail, *recipients)


def settled(store: Store, state: State, *, due: str | None = None) -> OutboxMail:
    """A mail with one recipient whose call has ended like that."""
    detail, [call] = begun(store)
    return settle(store, call, detail, state, due=due)


def get(store: Store, mail: OutboxMail | OutboxDetail) -> OutboxDetail:
    found = run(store.outbox.get(mail.id if isinstance(mail, OutboxMail) else mail.mail.id))
    assert found is not None
    return found


def recipient_states(store: Store, mail: OutboxMail | OutboxDetail) -> dict[str, State]:
    return {each.address: each.state for each in get(store, mail).recipients}


# Adding


def test_an_intent_is_stored_with_all_that_belongs_to_it(store: Store) -> None:
    message = outbound_message(A, B, subject="Hello")
    new = new_outbound(message=message, user_id=None, scheduled_at=at(30), at_least_once=True)
    [mail] = run(store.outbox.add([new], [sent_record(new)]))
    assert mail == OutboxMail(
        id=mail.id,
        uuid=new.uuid,
        kind=Kind.SEND,
        state=State.SCHEDULED,
        from_addr="me@shop.example",
        subject="Hello",
        provider=None,
        error=None,
        attempts=0,
        scheduled_at=at(30),
        due=at(30),
        turn=0,
        deadline=at(DAY),
        created_at=NOW,
        updated_at=NOW,
        object_key="",
        user_id=None,
        sent_id=mail.sent_id,
        at_least_once=True,
    )
    detail = get(store, mail)
    assert (detail.payload, detail.calls) == (new.payload, ())
    assert [(each.kind.value, each.address, each.state) for each in detail.recipients] == [
        ("to", A, State.SCHEDULED),
        ("to", B, State.SCHEDULED),
    ]
    assert mail.sent_id is not None
    record = run(store.sent.get(mail.sent_id))
    assert record is not None
    assert (record.uuid, record.status) == (new.uuid, "scheduled")


def test_adding_a_mail_again_changes_nothing_and_returns_it_as_it_is(store: Store) -> None:
    new = new_outbound(A)
    [first] = run(store.outbox.add([new], [sent_record(new)]))
    run(store.outbox.cancel(first.id, now=at(1)))
    other = new_outbound(B)
    again, added = run(store.outbox.add([new, other], [sent_record(new), None]))
    assert (again.id, again.state, added.state) == (first.id, State.CANCELED, State.QUEUED)
    assert len(run(store.outbox.page(OutboxFilter()))) == 2
    assert len(run(store.sent.page("me@shop.example", limit=9))) == 1


def test_all_mails_of_an_addition_are_stored_or_none(store: Store) -> None:
    twice = new_outbound(A, A)
    with pytest.raises(Conflict):
        add(store, new_outbound(B), twice)
    assert run(store.outbox.page(OutboxFilter())) == []


MUCH = 1 << 20


def add_within(store: Store, room: Room, *mails: NewOutbound) -> None:
    run(store.outbox.add(mails, [None] * len(mails), room=room))


def of_user(user_id: int | None, **changes: Any) -> NewOutbound:
    return new_outbound(user_id=user_id, payload=b"ten bytes.", **changes)


@pytest.mark.parametrize(("room", "fits"), [(Room(3, 30), True), (Room(2, 30), False), (Room(3, 29), False)])
def test_a_user_s_mails_that_wait_have_a_limit(store: Store, room: Room, fits: bool) -> None:
    add(store, of_user(7), of_user(8), of_user(None))
    more = of_user(7), of_user(7, scheduled_at=at(DAY))
    if fits:
        add_within(store, room, *more)
    else:
        with pytest.raises(QuotaReached):
            add_within(store, room, *more)
    assert len(run(store.outbox.page(OutboxFilter(user_id=7)))) == (3 if fits else 1)


def test_what_is_done_takes_no_room(store: Store) -> None:
    room = Room(1, MUCH)
    first = of_user(7)
    add_within(store, room, first)
    [detail] = claim(store)
    [call] = begin(store, detail, "you@else.example")
    with pytest.raises(QuotaReached):
        add_within(store, room, of_user(7))
    settle(store, call, detail, State.ACCEPTED)
    add_within(store, room, of_user(7))


def test_a_mail_that_is_there_already_needs_no_room(store: Store) -> None:
    mail = of_user(7)
    for _ in range(2):
        add_within(store, Room(1, MUCH), mail)


def test_mails_of_nobody_have_no_limit(store: Store) -> None:
    add_within(store, Room(1, 1), of_user(None), of_user(None))


def test_many_mails_are_added_and_claimed_each_with_its_own(store: Store) -> None:
    mails = add(store, *(new_outbound(f"{number}@else.example") for number in range(50)))
    claimed = claim(store)
    assert [detail.mail.id for detail in claimed] == [mail.id for mail in mails]
    assert [detail.recipients[0].address for detail in claimed] == [f"{number}@else.example" for number in range(50)]
    assert [detail.payload for detail in claimed] == [get(store, mail).payload for mail in mails]


# Claiming


def test_mails_are_claimed_oldest_due_first_and_none_before_its_time(store: Store) -> None:
    late, soon, now = add(store, new_outbound(scheduled_at=at(60)), new_outbound(scheduled_at=at(30)), new_outbound())
    assert [each.mail.id for each in claim(store, 29)] == [now.id]
    assert [each.mail.id for each in claim(store, 59)] == [soon.id]
    assert [each.mail.id for each in claim(store, 60)] == [late.id]
    assert [each.mail.id for each in claim(store, 1000)] == [now.id, soon.id, late.id]


@pytest.mark.parametrize(("max_bytes", "count"), [(0, 1), (19, 1), (20, 2), (29, 2), (30, 3)])
def test_a_claim_stays_within_max_bytes_but_takes_at_least_one(store: Store, max_bytes: int, count: int) -> None:
    add(store, *(new_outbound(payload=b"0123456789") for _ in range(3)))
    claimed = run(store.outbox.claim(now=NOW, until=at(60), limit=10, max_bytes=max_bytes))
    assert len(claimed) == count


def test_a_lease_keeps_others_out_until_its_very_end(store: Store, other_store: Store) -> None:
    [mail] = add(store, new_outbound())
    assert [each.mail.id for each in claim(store, 0, lease=60)] == [mail.id]
    assert claim(other_store, 59) == []
    assert [each.mail.id for each in claim(other_store, 60)] == [mail.id]


def test_two_claimers_at_once_never_get_the_same_mail(store: Store, other_store: Store) -> None:
    mails = add(store, *(new_outbound() for _ in range(40)))

    async def race() -> list[int]:
        sides = (store, other_store) * 7
        claims = (side.outbox.claim(now=NOW, until=at(60), limit=3) for side in sides)
        return [detail.mail.id for claimed in await gather(*claims) for detail in claimed]

    assert sorted(run(race())) == [mail.id for mail in mails]


def test_a_claim_changes_no_state(store: Store) -> None:
    [mail] = add(store, new_outbound(scheduled_at=at(5)))
    [detail] = claim(store, 5)
    assert (detail.mail.state, get(store, mail).mail.state) == (State.SCHEDULED, State.SCHEDULED)


def test_calls_under_way_when_a_lease_ends_are_unknown_and_the_others_are_as_they_were(store: Store) -> None:
    detail, _ = begun(store, A, B)
    [later] = claim(store, 60)
    assert later.mail.state is State.UNKNOWN
    assert recipient_states(store, detail) == {A: State.UNKNOWN, B: State.QUEUED}
    assert [call.state for call in later.calls] == [State.UNKNOWN, State.QUEUED]
    assert "process ended" in (later.mail.error or "")


# Beginning and settling


def test_what_is_begun_is_stored_with_its_exact_bytes_before_anything_is_sent(store: Store) -> None:
    [mail] = add(store, new_outbound(A))
    [detail] = claim(store)
    body = bytes(range(256))
    [call] = run(
        store.outbox.begin(
            mail.id, detail.mail.turn, "resend", "shop", [("key", request(A, body=body))], until=at(60), now=NOW
        )
    )
    found = get(store, mail)
    assert (found.mail.state, found.mail.provider, found.mail.attempts) == (State.SENDING, "resend", 1)
    assert found.calls == (call,)
    assert (call.request.body, call.request.recipients, call.began_at, call.attempts) == (body, (A,), NOW, 1)


def test_bytes_that_calls_of_a_mail_share_are_stored_once(store: Store, database: Path) -> None:
    add(store, new_outbound(A, B, C))
    [detail] = claim(store)
    calls = [("k1", request(A, body=b"same")), ("k2", request(B, body=b"same")), ("k3", request(C, body=b"other"))]
    mail = detail.mail
    run(store.outbox.begin(mail.id, mail.turn, "smtp", "relay", calls, until=at(60), now=at(0)))
    assert [call.request.body for call in get(store, detail).calls] == [b"same", b"same", b"other"]
    with closing(connect(database, read_only=True)) as connection:
        stored = connection.execute("select body from outbox_requests").fetchall()
    assert sorted(bytes(row[0]) for row in stored) == [b"other", b"same"]


def test_each_call_of_a_mail_has_a_state_and_the_mail_the_one_of_all(store: Store) -> None:
    detail, [first, second] = begun(store, A, B)
    mail = settle(store, first, detail, State.ACCEPTED, due=at(60), message_id="m1")
    assert (mail.state, mail.due) == (State.QUEUED, at(60))
    run(store.outbox.begin_call(second.id, detail.mail.turn, until=at(90), now=at(2)))
    assert get(store, mail).mail.state is State.SENDING
    mail = settle(store, second, detail, State.ACCEPTED, message_id="m2")
    assert (mail.state, mail.due) == (State.ACCEPTED, None)


def test_a_begun_mail_is_not_begun_again_by_who_lost_its_lease(store: Store) -> None:
    add(store, new_outbound(A))
    [lost] = claim(store, 0)
    [held] = claim(store, 60)
    with pytest.raises(Conflict):
        begin(store, lost, A)
    [call] = begin(store, held, A, second=60)
    with pytest.raises(Conflict):
        begin(store, lost, A)
    assert get(store, held).calls == (call,)


@pytest.mark.parametrize("state", [State.ACCEPTED, State.FAILED, State.UNKNOWN])
def test_a_recipient_that_may_have_got_it_gets_no_further_call(store: Store, state: State) -> None:
    detail, [call, _] = begun(store, A, B)
    settle(store, call, detail, state, due=at(60))
    with pytest.raises(Conflict):
        run(
            store.outbox.begin(
                detail.mail.id, detail.mail.turn, "smtp", "x", [("other", request(A))], until=at(60), now=NOW
            )
        )
    assert len(get(store, detail).calls) == 2


def test_a_call_that_was_certainly_not_sent_gives_way_to_another_provider(store: Store) -> None:
    detail, [call] = begun(store)
    settle(store, call, detail, State.QUEUED, due=at(60), error="away")
    run(
        store.outbox.begin(
            detail.mail.id, detail.mail.turn, "smtp", "x", [("other", request(A))], until=at(60), now=at(2)
        )
    )
    assert [(each.provider, each.state, each.request.recipients) for each in get(store, detail).calls] == [
        ("resend", State.FAILED, ()),
        ("smtp", State.SENDING, (A,)),
    ]
    assert get(store, detail).mail.provider == "smtp"
    with pytest.raises(Conflict):
        run(store.outbox.begin_call(call.id, detail.mail.turn, until=at(60), now=at(2)))


def test_a_key_is_used_for_one_call_only(store: Store) -> None:
    _, [call] = begun(store)
    add(store, new_outbound(A))
    [other] = claim(store)
    with pytest.raises(Conflict):
        run(
            store.outbox.begin(
                other.mail.id,
                other.mail.turn,
                "resend",
                "shop",
                [(call.idempotency_key, request(A))],
                until=at(60),
                now=NOW,
            )
        )
    assert get(store, other).mail.state is State.QUEUED


def test_a_repeated_call_keeps_its_bytes_key_and_first_time(store: Store) -> None:
    detail, [call] = begun(store)
    settle(store, call, detail, State.UNKNOWN, due=at(5), is_failure=True)
    [detail] = claim(store, 5)
    run(store.outbox.begin_call(call.id, detail.mail.turn, until=at(65), now=at(5)))
    [again] = get(store, detail).calls
    assert (again.state, again.attempts, again.failures, again.began_at) == (State.SENDING, 2, 1, NOW)
    assert (again.request, again.idempotency_key) == (call.request, call.idempotency_key)


def test_an_outcome_of_an_earlier_try_counts_only_if_it_is_good(store: Store) -> None:
    detail, [call] = begun(store)
    [held] = claim(store, 60)
    run(store.outbox.begin_call(call.id, held.mail.turn, until=at(120), now=at(60)))
    late = settle(store, call, detail, State.QUEUED, due=at(1))
    assert (late.state, late.due) == (State.SENDING, at(120))
    late = settle(store, call, detail, State.ACCEPTED, message_id="m1")
    assert (late.state, late.due) == (State.ACCEPTED, at(120))
    [repeated] = get(store, detail).calls
    assert settle(store, repeated, held, State.UNKNOWN).state is State.ACCEPTED


def test_a_mail_that_waits_never_drops_out_of_sight(store: Store) -> None:
    detail, [call] = begun(store)
    with pytest.raises(Conflict):
        settle(store, call, detail, State.QUEUED, due=None)
    assert get(store, detail).mail.state is State.SENDING


def test_a_mail_that_is_put_off_is_claimed_again_when_told(store: Store) -> None:
    add(store, new_outbound())
    [detail] = claim(store)
    run(store.outbox.put_off(detail.mail.id, detail.mail.turn, due=at(30), error="all paused", now=at(1)))
    assert claim(store, 29) == []
    [again] = claim(store, 30)
    assert (again.mail.error, again.mail.state) == ("all paused", State.QUEUED)


def test_who_lost_the_lease_neither_puts_off_nor_fails_a_mail(store: Store) -> None:
    add(store, new_outbound())
    [lost] = claim(store)
    [held] = claim(store, 60)
    run(store.outbox.put_off(lost.mail.id, lost.mail.turn, due=at(1), error="x", now=at(61)))
    assert run(store.outbox.fail(lost.mail.id, lost.mail.turn, error="x", now=at(61))) is None
    assert get(store, held).mail == held.mail


def test_what_of_a_mail_is_certainly_not_sent_can_be_given_up(store: Store) -> None:
    detail, [first, _] = begun(store, A, B)
    settle(store, first, detail, State.UNKNOWN, due=at(60))
    mail = run(store.outbox.fail(detail.mail.id, detail.mail.turn, error="too late", now=at(2)))
    assert mail is not None
    assert (mail.state, mail.due, mail.error) == (State.UNKNOWN, None, "too late")
    assert recipient_states(store, mail) == {A: State.UNKNOWN, B: State.FAILED}


# What users and the operator do


@pytest.mark.parametrize("scheduled_at", [None, at(5)])
def test_a_waiting_mail_is_canceled_and_never_claimed(store: Store, scheduled_at: str | None) -> None:
    [mail] = add(store, new_outbound(scheduled_at=scheduled_at))
    canceled = run(store.outbox.cancel(mail.id, now=at(1)))
    assert canceled is not None
    assert (canceled.state, canceled.due) == (State.CANCELED, None)
    assert recipient_states(store, mail) == {"you@else.example": State.CANCELED}
    assert claim(store, DAY) == []


@pytest.mark.parametrize("state", [State.SENDING, State.ACCEPTED, State.FAILED, State.UNKNOWN, State.CANCELED])
def test_it_is_too_late_to_change_a_mail_that_is_not_waiting(store: Store, state: State) -> None:
    if state is State.SENDING:
        mail = begun(store)[0].mail
    elif state is State.CANCELED:
        [mail] = add(store, new_outbound())
        run(store.outbox.cancel(mail.id, now=NOW))
    else:
        mail = settled(store, state)
    before = get(store, mail)
    assert run(store.outbox.cancel(mail.id, now=at(2))) is None
    assert run(store.outbox.reschedule(mail.id, scheduled_at=at(9), deadline=at(99), now=at(2))) is None
    assert get(store, mail) == before


def test_it_is_too_late_to_cancel_a_mail_that_some_have_got(store: Store) -> None:
    detail, [first, _] = begun(store, A, B)
    settle(store, first, detail, State.ACCEPTED, due=at(60))
    assert get(store, detail).mail.state is State.QUEUED
    assert run(store.outbox.cancel(detail.mail.id, now=at(2))) is None


def test_what_does_not_exist_cannot_be_changed(store: Store) -> None:
    assert run(store.outbox.cancel(7, now=NOW)) is None
    assert run(store.outbox.reschedule(7, scheduled_at=NOW, deadline=NOW, now=NOW)) is None
    assert run(store.outbox.retry(7, deadline=NOW, now=NOW)) is None
    assert run(store.outbox.resolve(7, State.FAILED, now=NOW)) is None
    assert run(store.outbox.get(7)) is None
    assert run(store.outbox.find("none")) is None
    assert run(store.outbox.named("none")) is None


@pytest.mark.parametrize("scheduled_at", [None, at(5)])
def test_a_waiting_mail_gets_another_time(store: Store, scheduled_at: str | None) -> None:
    new = new_outbound(scheduled_at=scheduled_at)
    [mail] = run(store.outbox.add([new], [sent_record(new)]))
    [claimed] = claim(store, 5)
    changed = run(store.outbox.reschedule(mail.id, scheduled_at=at(90), deadline=at(DAY), now=at(6)))
    assert changed is not None
    assert (changed.state, changed.scheduled_at, changed.due) == (State.SCHEDULED, at(90), at(90))
    with pytest.raises(Conflict):
        begin(store, claimed, "you@else.example", second=6)
    assert claim(store, 89) == []
    assert len(claim(store, 90)) == 1
    [record] = run(store.sent.page("me@shop.example", limit=1))
    assert (record.scheduled_at, record.status) == (at(90), "scheduled")


def test_a_time_at_which_a_lease_ends_by_chance_does_not_let_its_holder_send_earlier(store: Store) -> None:
    [mail] = add(store, new_outbound(A))
    [claimed] = claim(store, 0, lease=60)
    run(store.outbox.reschedule(mail.id, scheduled_at=at(60), deadline=at(DAY), now=at(1)))
    with pytest.raises(Conflict):
        begin(store, claimed, A)


@pytest.mark.parametrize("state", [State.FAILED, State.UNKNOWN])
def test_what_failed_or_is_unknown_is_sent_again_at_once_by_a_new_call(store: Store, state: State) -> None:
    mail = settled(store, state)
    again = run(store.outbox.retry(mail.id, deadline=at(2 * DAY), now=at(9)))
    assert again is not None
    assert (again.state, again.due, again.deadline, again.error) == (State.QUEUED, at(9), at(2 * DAY), None)
    [detail] = claim(store, 9)
    assert [(each.state, each.request.recipients) for each in detail.calls] == [(state, ())]
    assert [each.state for each in detail.recipients] == [State.QUEUED]


def test_there_is_nothing_to_send_again_of_a_good_mail(store: Store) -> None:
    mail = settled(store, State.ACCEPTED)
    [waiting] = add(store, new_outbound())
    assert run(store.outbox.retry(mail.id, deadline=at(DAY), now=at(9))) is None
    assert run(store.outbox.retry(waiting.id, deadline=at(DAY), now=at(9))) is None


@pytest.mark.parametrize("found_out", [State.ACCEPTED, State.FAILED])
def test_what_somebody_found_out_ends_the_doubt(store: Store, found_out: State) -> None:
    mail = settled(store, State.UNKNOWN, due=at(30))
    resolved = run(store.outbox.resolve(mail.id, found_out, now=at(9)))
    assert resolved is not None
    assert (resolved.state, resolved.due) == (found_out, None)
    assert [call.state for call in get(store, mail).calls] == [found_out]
    assert run(store.outbox.resolve(mail.id, found_out, now=at(9))) is None


def test_cancel_and_begin_have_one_winner_two_hundred_times(store: Store, other_store: Store) -> None:
    mails = add(store, *(new_outbound(A) for _ in range(200)))
    claimed = {detail.mail.id: detail for detail in claim(store, limit=200)}

    async def race(mail: OutboxMail) -> tuple[bool, bool]:
        detail = claimed[mail.id]
        call = (f"key-{mail.id}", request(A))
        canceled, begun = await gather(
            other_store.outbox.cancel(mail.id, now=NOW),
            store.outbox.begin(mail.id, detail.mail.turn, "resend", "shop", [call], until=at(60), now=NOW),
            return_exceptions=True,
        )
        assert not isinstance(canceled, BaseException)
        assert isinstance(begun, list | Conflict)
        return canceled is not None, isinstance(begun, list)

    async def all_races() -> list[tuple[bool, bool]]:
        # A few at a time, so that each pair does meet.
        return [won for start in range(0, 200, 4) for won in await gather(*map(race, mails[start : start + 4]))]

    wins = run(all_races())
    assert {won.count(True) for won in wins} == {1}
    for mail, (canceled, _) in zip(mails, wins, strict=True):
        found = get(store, mail)
        assert found.mail.state is (State.CANCELED if canceled else State.SENDING)
        assert len(found.calls) == int(not canceled)


# Moves


def test_the_database_knows_the_moves_of_the_domain(store: Store, database: Path) -> None:
    with closing(connect(database)) as connection:
        stored = {tuple(row) for row in connection.execute("select from_state, to_state from outbox_moves")}
    assert stored == {(before.value, after.value) for before, afters in MOVES.items() for after in afters}


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("outbox", "outbox_moved"),
        ("outbox_calls", "outbox_call_moved"),
        ("outbox_recipients", "outbox_recipient_moved"),
    ],
)
def test_the_database_refuses_every_other_move(store: Store, database: Path, table: str, name: str) -> None:
    begun(store)
    with closing(connect(database)) as connection:
        # Any state at first: the trigger looks at moves alone.
        [(trigger,)] = connection.execute(
            "select sql from sqlite_master where type = 'trigger' and tbl_name = ? and name = ?", (table, name)
        )
        for before, after in product(State, State):
            connection.execute(f"drop trigger {name}")
            connection.execute(f"update {table} set state = ?", (before,))
            connection.execute(trigger)
            if after in MOVES[before] or after is before:
                connection.execute(f"update {table} set state = ?", (after,))
            else:
                with pytest.raises(sqlite3.IntegrityError):
                    connection.execute(f"update {table} set state = ?", (after,))


# Lists, counts, records


def test_a_mail_is_found_by_our_name_and_by_those_of_its_provider(store: Store) -> None:
    detail, [first, _] = begun(store, A, B)
    settle(store, first, detail, State.ACCEPTED, due=at(60), message_id="m1", by_recipient={A: "r1"})
    for name in (detail.mail.uuid, "m1", "r1"):
        found = run(store.outbox.find(name))
        assert found is not None
        assert found.mail.id == detail.mail.id
    assert run(store.outbox.named(detail.mail.uuid)) == get(store, detail).mail
    assert run(store.outbox.named("m1")) is None


FILTERS = {
    "all": (OutboxFilter(), [0, 1, 2, 3]),
    "state": (OutboxFilter(state=State.SCHEDULED), [1, 3]),
    "kind": (OutboxFilter(kind=Kind.FORWARD), [2, 3]),
    "user": (OutboxFilter(user_id=7), [0, 3]),
    "user and state": (OutboxFilter(user_id=7, state=State.SCHEDULED), [3]),
    "user and kind": (OutboxFilter(user_id=7, kind=Kind.SEND), [0]),
    "state and kind": (OutboxFilter(state=State.QUEUED, kind=Kind.FORWARD), [2]),
    "limit": (OutboxFilter(limit=2), [2, 3]),
}


@pytest.mark.parametrize(("criteria", "expected"), FILTERS.values(), ids=FILTERS)
def test_mails_are_listed_newest_first(store: Store, criteria: OutboxFilter, expected: list[int]) -> None:
    mails = add(
        store,
        new_outbound(user_id=7),
        new_outbound(scheduled_at=at(9), user_id=8),
        new_outbound(kind=Kind.FORWARD),
        new_outbound(scheduled_at=at(9), kind=Kind.FORWARD, user_id=7),
    )
    found = run(store.outbox.page(criteria))
    assert [mail.id for mail in found] == [mails[number].id for number in reversed(expected)]


def test_a_list_goes_on_where_the_last_page_ended(store: Store) -> None:
    mails = add(store, *(new_outbound() for _ in range(3)))
    found = run(store.outbox.page(OutboxFilter(before_id=mails[2].id)))
    assert [mail.id for mail in found] == [mails[1].id, mails[0].id]


def test_counts_follow_every_change(store: Store) -> None:
    settled(store, State.ACCEPTED)
    settled(store, State.UNKNOWN)
    add(store, new_outbound(scheduled_at=at(9)))
    assert run(store.outbox.counts()) == {
        ("resend", State.ACCEPTED): 1,
        ("resend", State.UNKNOWN): 1,
        ("", State.SCHEDULED): 1,
    }
    run(store.outbox.purge(at(DAY), limit=10))
    assert run(store.outbox.counts()) == {("resend", State.UNKNOWN): 1, ("", State.SCHEDULED): 1}


def test_the_record_of_a_sent_mail_has_its_state_and_outlives_it(store: Store) -> None:
    new = new_outbound(A)
    run(store.outbox.add([new], [sent_record(new, html_content="<p>Hi.</p>")]))
    [detail] = claim(store)
    [call] = begin(store, detail, A)
    [record] = run(store.sent.page("me@shop.example", limit=9))
    assert (record.status, record.html_content) == ("sending", None)
    settle(store, call, detail, State.ACCEPTED, message_id="m1")
    assert run(store.outbox.purge(at(DAY), limit=9)) == 1
    record_after = run(store.sent.get(record.id))
    assert record_after is not None
    assert (record_after.status, record_after.provider, record_after.resend_id) == ("accepted", "resend", "m1")
    assert (record_after.html_content, record_after.to_addrs) == ("<p>Hi.</p>", A)


def test_records_are_listed_by_sender_newest_first_and_deleted_alone(store: Store) -> None:
    for second, sender in enumerate(["x@a.example", "y@a.example", "x@a.example"]):
        new = new_outbound(message=OutboundMessage(sender, (A,)), created_at=at(second))
        run(store.outbox.add([new], [sent_record(new)]))
    newest, oldest = run(store.sent.page("x@a.example", limit=9))
    assert (newest.created_at, oldest.created_at) == (at(2), at(0))
    assert len(run(store.sent.page("x@a.example", limit=1))) == 1
    assert (run(store.sent.delete(newest.id)), run(store.sent.delete(newest.id))) == (True, False)
    assert run(store.sent.page("x@a.example", limit=9)) == [oldest]
    assert len(claim(store, 9)) == 3


@pytest.mark.parametrize("state", [State.ACCEPTED, State.FAILED])
def test_finished_mails_go_when_their_time_is_over(store: Store, state: State) -> None:
    settled(store, state)
    assert run(store.outbox.purge(at(1), limit=10)) == 0
    assert run(store.outbox.purge(at(2), limit=10)) == 1
    assert run(store.outbox.page(OutboxFilter())) == []


@pytest.mark.parametrize("state", [State.UNKNOWN, State.QUEUED, State.SENDING, State.SCHEDULED])
def test_open_mails_never_go(store: Store, state: State) -> None:
    if state is State.SENDING:
        begun(store)
    elif state is State.UNKNOWN:
        settled(store, state)
    else:
        add(store, new_outbound(scheduled_at=at(1) if state is State.SCHEDULED else None))
    assert run(store.outbox.purge(at(100 * DAY), limit=10)) == 0


def test_a_purge_goes_no_further_than_its_limit(store: Store) -> None:
    for _ in range(3):
        settled(store, State.ACCEPTED)
    assert [run(store.outbox.purge(at(DAY), limit=2)) for _ in range(3)] == [2, 1, 0]


# Pauses


def test_the_longer_of_two_pauses_holds_until_it_ends_or_is_lifted(store: Store) -> None:
    for seconds, reason in ((60, "quota"), (30, "key")):
        run(store.outbox.pause(Pause("resend", "shop", at(seconds), reason)))
    assert run(store.outbox.pauses(now=at(59))) == [Pause("resend", "shop", at(60), "quota")]
    assert run(store.outbox.pauses(now=at(60))) == []
    assert run(store.outbox.unpause("resend", "shop", due=NOW))
    assert not run(store.outbox.unpause("resend", "shop", due=NOW))
