"""The contract of `ports.outbound.Outbox`: intents that are claimed by lease, and calls that are begun before they are
made."""

from asyncio import gather, run
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tempmail.adapters.sql.sqlite import connect
from tempmail.domain.outbound import Kind, State
from tempmail.errors import Conflict, QuotaReached
from tempmail.ports import Store
from tempmail.ports.outbound import (
    NewOutbound,
    OutboxFilter,
    OutboxMail,
    Room,
)
from tests.builders import NOW, at
from tests.contract.outbox_suite import DAY, A, B, C, add, begin, begun, claim, get, recipient_states, settle
from tests.outbound_builders import new_outbound, outbound_message, request, sent_record

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
