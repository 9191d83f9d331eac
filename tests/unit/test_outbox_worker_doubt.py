"""Outcomes that are not known, crashes and changes meanwhile: nothing is sent twice or lost."""

import pytest

from tempmail.domain.outbound import State
from tempmail.errors import (
    InvalidOutbound,
    OutcomeUnknown,
    ProviderDenied,
    ProviderExhausted,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from tempmail.services.outbox_sending import SendingOptions
from tests.builders import at
from tests.fake_provider import KNOWS_KEYS, FakeProvider, nothing
from tests.outbound_builders import outbound_message
from tests.unit.outbox_stage import Open, Stage

HOUR = 3600.0


# Outcomes that are not known


def test_an_unknown_outcome_is_parked_and_no_other_provider_tries(open_stage: Open) -> None:
    first, second = FakeProvider("sendflare").answer(OutcomeUnknown("timeout")), FakeProvider("cyberpersons")
    stage = open_stage(first, second)
    mail = stage.add()
    stage.work()
    parked = stage.now(mail)
    assert (parked.state, parked.error, parked.due) == (State.UNKNOWN, "timeout", None)
    assert stage.work(after=100 * HOUR) == 0
    assert (len(first.made), len(second.made)) == (1, 0)


def test_a_bug_in_an_adapter_is_an_unknown_outcome(open_stage: Open) -> None:
    provider = FakeProvider().answer(ZeroDivisionError())
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    assert stage.now(mail).state is State.UNKNOWN
    assert stage.work(after=100 * HOUR) == 0


def test_a_provider_that_knows_keys_gets_the_same_call_again(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS).answer(OutcomeUnknown("timeout"), OutcomeUnknown("5xx"))
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    assert (stage.now(mail).state, stage.wait_of(mail)) == (State.UNKNOWN, 1.0)
    stage.work(after=1.0)
    assert stage.wait_of(mail) == 2.0
    stage.work(after=2.0)
    assert stage.now(mail).state is State.ACCEPTED
    assert len(provider.made) == 3
    assert len(set(provider.made)) == 1


def test_a_repeat_that_the_provider_wants_later_is_made_later(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS).answer(OutcomeUnknown("busy", repeat_after_s=5.0))
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    wait = stage.wait_of(mail)
    assert wait is not None
    assert wait >= 5.0


@pytest.mark.parametrize(("hours", "repeats"), [(22.9, 1), (23.0, 0)])
def test_a_key_is_repeated_for_23_hours(open_stage: Open, hours: float, repeats: int) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS).answer(OutcomeUnknown("timeout"))
    stage = open_stage(provider)
    mail = stage.add(deadline=at(100 * HOUR))
    stage.work()
    stage.work(after=hours * HOUR)
    assert len(provider.made) == 1 + repeats
    assert stage.now(mail).state is (State.ACCEPTED if repeats else State.UNKNOWN)
    assert stage.now(mail).due is None


DOUBTS = {
    "refused": ProviderRefused("no"),
    "invalid": InvalidOutbound("the key belongs to another request"),
    "denied": ProviderDenied("domain"),
    "exhausted": ProviderExhausted("quota"),
    "away": ProviderUnavailable("away"),
    "too fast": ProviderRateLimited("slow", retry_after_s=1.0),
}


@pytest.mark.parametrize("error", DOUBTS.values(), ids=DOUBTS)
def test_no_later_error_makes_a_doubtful_mail_certainly_unsent(open_stage: Open, error: ProviderRefused) -> None:
    first = FakeProvider("resend", capabilities=KNOWS_KEYS).answer(OutcomeUnknown("timeout"), error)
    second = FakeProvider("cyberpersons")
    stage = open_stage(first, second)
    mail = stage.add()
    stage.work()
    stage.work(after=1.0)
    assert (len(first.made), stage.now(mail).state) == (2, State.UNKNOWN)
    for _ in range(5):
        stage.work(after=HOUR)
    assert second.made == []
    assert len({made.key for made in first.made}) == 1
    assert stage.now(mail).state in (State.UNKNOWN, State.ACCEPTED)


def test_a_mail_that_is_rather_sent_twice_is_tried_again_after_an_unknown_outcome(open_stage: Open) -> None:
    provider = FakeProvider().answer(*[OutcomeUnknown("timeout")] * 2)
    stage = open_stage(provider)
    mail = stage.add(at_least_once=True)
    for _ in range(3):
        stage.work(after=10.0)
    assert (len(provider.made), stage.now(mail).state) == (3, State.ACCEPTED)


def test_even_such_a_mail_is_parked_in_the_end(open_stage: Open) -> None:
    provider = FakeProvider().answer(*[OutcomeUnknown("timeout")] * 20)
    stage = open_stage(provider)
    mail = stage.add(at_least_once=True)
    for _ in range(20):
        stage.work(after=400.0)
    assert (len(provider.made), stage.now(mail).state, stage.now(mail).due) == (6, State.UNKNOWN, None)


# After a crash


def begun(stage: Stage, mail_provider: FakeProvider, mail_id: int) -> None:
    """What a process leaves that dies right after it began the call: claimed, begun, never settled."""

    async def dying() -> None:
        [detail] = await stage.outbox.claim(now=at(0), until=at(300), limit=1)
        assert detail.mail.id == mail_id
        calls = mail_provider.prepare(outbound_message(), ["you@else.example"])
        await stage.outbox.begin(
            mail_id,
            detail.mail.turn,
            mail_provider.name,
            mail_provider.account,
            [(detail.mail.uuid, calls[0])],
            until=at(300),
            now=at(0),
        )

    stage.run(dying())


def test_a_call_that_was_under_way_in_a_crash_is_unknown_and_not_repeated(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider)
    mail = stage.add()
    begun(stage, provider, mail.id)
    assert stage.work(after=299) == 0
    assert stage.now(mail).state is State.SENDING
    assert stage.work(after=1) == 1
    assert (stage.now(mail).state, stage.now(mail).due, provider.made) == (State.UNKNOWN, None, [])


def test_a_provider_that_knows_keys_gets_it_again_after_a_crash(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS)
    stage = open_stage(provider)
    mail = stage.add()
    begun(stage, provider, mail.id)
    stage.work(after=300)
    [made] = provider.made
    assert (made.key, stage.now(mail).state) == (mail.uuid, State.ACCEPTED)


def test_a_claim_alone_leaves_a_mail_as_it_was_when_its_process_dies(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider)
    mail = stage.add()
    stage.run(stage.outbox.claim(now=at(0), until=at(300), limit=1))
    assert stage.now(mail).state is State.QUEUED
    stage.work(after=300)
    assert stage.now(mail).state is State.ACCEPTED


def test_the_answer_of_a_process_whose_lease_is_over_counts_if_it_is_good(open_stage: Open) -> None:
    slow = FakeProvider("resend", capabilities=KNOWS_KEYS)
    stage = open_stage(slow)
    mail = stage.add()
    other = stage.new_worker()

    async def late() -> None:
        slow.before = nothing
        stage.clock.advance(SendingOptions().lease_s + 1)
        slow.answer(OutcomeUnknown("timeout"))
        await other.run_once()

    slow.before = late
    stage.work()
    assert stage.now(mail).state is State.ACCEPTED
    stage.work(after=HOUR)
    assert stage.now(mail).state is State.ACCEPTED
    assert len({made.key for made in slow.made}) == 1


# Changes meanwhile


@pytest.mark.parametrize("change", ["cancel", "reschedule"])
def test_a_mail_that_is_changed_after_its_claim_is_not_sent(open_stage: Open, change: str) -> None:
    provider = FakeProvider().with_pause(1.0)
    stage = open_stage(provider)
    first, second = stage.add(), stage.add()

    async def changed() -> None:
        if change == "cancel":
            assert await stage.outbox.cancel(second.id, now=at(1)) is not None
        else:
            assert await stage.outbox.reschedule(second.id, scheduled_at=at(300), deadline=at(HOUR), now=at(1))

    stage.while_asleep = changed
    stage.work()
    assert [made.key for made in provider.made] == [first.uuid]
    assert stage.now(second).state is (State.CANCELED if change == "cancel" else State.SCHEDULED)
    stage.while_asleep = nothing
    stage.work(after=299.0)
    assert len(provider.made) == (1 if change == "cancel" else 2)


def test_a_mail_whose_account_is_gone_is_sent_by_another_unless_it_may_have_been_sent(open_stage: Open) -> None:
    gone = FakeProvider("sendflare").answer(ProviderUnavailable("away"), OutcomeUnknown("timeout"))
    stage = open_stage(gone)
    certain, doubtful = stage.add(), stage.add()
    stage.work()
    other = FakeProvider("cyberpersons")
    stage.routes.providers = [other]
    stage.work(after=60.0)
    assert [stage.now(mail).state for mail in (certain, doubtful)] == [State.ACCEPTED, State.UNKNOWN]
    assert len(other.made) == 1
