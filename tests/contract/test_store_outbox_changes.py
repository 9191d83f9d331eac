"""The contract of `ports.outbound.Outbox`: what users and the operator change, its moves, lists and records."""

import sqlite3
from asyncio import gather, run
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest

from tempmail.adapters.sql.sqlite import connect
from tempmail.domain.outbound import MOVES, Kind, OutboundMessage, State
from tempmail.errors import Conflict
from tempmail.ports import Store
from tempmail.ports.outbound import (
    OutboxFilter,
    OutboxMail,
    Pause,
)
from tests.builders import NOW, at
from tests.contract.outbox_suite import DAY, A, B, add, begin, begun, claim, get, recipient_states, settle, settled
from tests.outbound_builders import new_outbound, request, sent_record

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
