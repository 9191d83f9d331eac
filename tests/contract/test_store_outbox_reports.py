"""The contract of `ports.outbound.Outbox`: what becomes of accepted mails, by providers' reports and by lookups."""

from asyncio import run

import pytest

from tempmail.domain.outbound import Delivery, State
from tempmail.ports import Store
from tempmail.ports.outbound import Lookup, OutboxDetail, ProviderEvent
from tests.builders import at
from tests.contract.outbox_suite import A, B, add, begun, claim, get, recipient_states, settle
from tests.outbound_builders import new_outbound, request

DELIVERED = Delivery(State.DELIVERED, "email.delivered")
BOUNCED = Delivery(State.BOUNCED, "email.bounced", "no such user")


def event(event_id: str, message_id: str, delivery: Delivery, *, second: float = 5) -> ProviderEvent:
    return ProviderEvent("resend", event_id, message_id, delivery, at(second), at(second))


def report(store: Store, event_id: str, message_id: str, delivery: Delivery, *, second: float = 5) -> bool:
    return run(store.outbox.report(event(event_id, message_id, delivery, second=second)))


def accepted(store: Store, *, look_due: str | None = None) -> OutboxDetail:
    """A mail that its provider calls m1."""
    detail, [call] = begun(store)
    settle(store, call, detail, State.ACCEPTED, message_id="m1", look_due=look_due)
    return get(store, detail)


@pytest.mark.parametrize("delivery", [DELIVERED, BOUNCED])
def test_a_report_gives_the_mail_its_state(store: Store, delivery: Delivery) -> None:
    detail = accepted(store)
    assert report(store, "e1", "m1", delivery)
    found = get(store, detail)
    assert (found.mail.state, found.calls[0].state) == (delivery.state, delivery.state)
    assert (found.mail.error or "") == delivery.reason


def test_a_repeated_report_is_known(store: Store) -> None:
    accepted(store)
    assert [report(store, "e1", "m1", DELIVERED) for _ in range(2)] == [True, False]


@pytest.mark.parametrize("first", [DELIVERED, BOUNCED])
def test_no_report_leads_back_from_the_end(store: Store, first: Delivery) -> None:
    detail = accepted(store)
    report(store, "e1", "m1", first)
    for number, later in enumerate((DELIVERED, BOUNCED, Delivery(State.ACCEPTED, "sent"), Delivery(None, "opened"))):
        report(store, f"l{number}", "m1", later)
    assert get(store, detail).mail.state is first.state


def test_a_report_that_comes_before_the_answer_is_applied_with_it(store: Store) -> None:
    detail, [call] = begun(store)
    assert report(store, "e2", "m1", BOUNCED, second=7)
    assert report(store, "e1", "m1", DELIVERED, second=6)
    assert get(store, detail).mail.state is State.SENDING
    mail = settle(store, call, detail, State.ACCEPTED, message_id="m1")
    assert mail.state is State.DELIVERED


def test_a_report_of_another_provider_or_of_no_mail_changes_nothing(store: Store) -> None:
    detail = accepted(store)
    run(store.outbox.report(ProviderEvent("smtp", "e1", "m1", BOUNCED, at(5), at(5))))
    assert report(store, "e2", "unknown", BOUNCED)
    assert get(store, detail).mail.state is State.ACCEPTED


def test_a_report_of_one_recipient_is_that_ones_alone(store: Store) -> None:
    detail, _ = begun(store, A)
    add(store, new_outbound(A, B))
    [two] = claim(store)
    [both] = run(
        store.outbox.begin(
            two.mail.id, two.mail.turn, "resend", "shop", [("k", request(A, B))], until=at(60), now=at(0)
        )
    )
    settle(store, both, two, State.ACCEPTED, message_id="r1", by_recipient={A: "r1", B: "r2"})
    report(store, "e1", "r2", BOUNCED)
    assert recipient_states(store, two) == {A: State.ACCEPTED, B: State.BOUNCED}
    assert get(store, two).mail.state is State.BOUNCED
    report(store, "e2", "r1", DELIVERED)
    assert recipient_states(store, two) == {A: State.DELIVERED, B: State.BOUNCED}
    assert get(store, detail).mail.state is State.SENDING


def test_a_report_of_a_call_that_was_replaced_is_kept_with_it_and_leaves_the_mail_alone(store: Store) -> None:
    detail = accepted(store)
    report(store, "e1", "m1", Delivery(State.FAILED, "failed", "refused"))
    run(store.outbox.retry(detail.mail.id, deadline=at(99), now=at(6)))
    report(store, "e2", "m1", DELIVERED)
    found = get(store, detail)
    assert (found.mail.state, found.calls[0].state) == (State.QUEUED, State.FAILED)


def test_old_reports_go_with_old_mails(store: Store) -> None:
    accepted(store)
    report(store, "e1", "m1", Delivery(None, "opened"))
    run(store.outbox.purge(at(5), limit=10))
    assert not report(store, "e1", "m1", Delivery(None, "opened"))
    run(store.outbox.purge(at(6), limit=10))
    assert report(store, "e1", "m1", Delivery(None, "opened"))


def lookups(store: Store, second: float) -> list[Lookup]:
    return run(store.outbox.claim_lookups(now=at(second), until=at(second + 60), limit=10))


def test_a_call_is_looked_up_when_told_and_by_one_at_a_time(store: Store) -> None:
    detail = accepted(store, look_due=at(30))
    assert lookups(store, 29) == []
    [found] = lookups(store, 30)
    assert found == Lookup(detail.calls[0].id, "resend", "shop", ("m1",), 0)
    assert lookups(store, 89) == []
    assert lookups(store, 90) == [found]


def test_what_a_lookup_finds_is_applied_and_the_next_one_planned(store: Store) -> None:
    accepted(store, look_due=at(30))
    [found] = lookups(store, 30)
    mail = run(store.outbox.observe(found.call_id, {"m1": Delivery(None, "sent")}, look_due=at(300), now=at(31)))
    assert mail is not None
    assert mail.state is State.ACCEPTED
    [again] = lookups(store, 300)
    assert again.looks == 1
    mail = run(store.outbox.observe(found.call_id, {"m1": DELIVERED}, look_due=at(999), now=at(301)))
    assert mail is not None
    assert mail.state is State.DELIVERED
    assert lookups(store, 99_999) == []


def test_a_report_ends_the_lookups(store: Store) -> None:
    accepted(store, look_due=at(30))
    report(store, "e1", "m1", DELIVERED)
    assert lookups(store, 30) == []


def test_recipients_with_ids_of_their_own_are_looked_up_by_them(store: Store) -> None:
    detail, [call] = begun(store, A)
    settle(store, call, detail, State.ACCEPTED, message_id="first", by_recipient={A: "r1"}, look_due=at(30))
    assert [each.message_ids for each in run(store.outbox.lookups(detail.mail.id))] == [("r1",)]


def test_only_accepted_calls_are_looked_up(store: Store) -> None:
    detail, _ = begun(store, A)
    assert run(store.outbox.lookups(detail.mail.id)) == []


def test_a_lookup_of_a_mail_that_is_gone_changes_nothing(store: Store) -> None:
    assert run(store.outbox.observe(7, {"m1": DELIVERED}, look_due=None, now=at(1))) is None


def test_a_report_without_an_id_means_no_mail(store: Store) -> None:
    detail, [call] = begun(store)
    report(store, "e1", "", BOUNCED)
    assert settle(store, call, detail, State.ACCEPTED).state is State.ACCEPTED
