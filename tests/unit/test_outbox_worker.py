"""Sending from the outbox: one mail, and what follows from each answer of a provider."""

import pytest

from tempmail.domain.outbound import SendResult, State
from tempmail.errors import (
    CannotDo,
    InvalidOutbound,
    OutcomeUnknown,
    ProviderExhausted,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from tempmail.ports.outbound import OutboxDetail
from tests.builders import at
from tests.fake_provider import FakeProvider
from tests.outbound_builders import outbound_message
from tests.unit.outbox_stage import Open, states

HOUR = 3600.0


def test_a_due_mail_is_sent_once_and_accepted(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider)
    mail = stage.add()
    assert (stage.work(), stage.work()) == (1, 0)
    sent = stage.now(mail)
    assert (sent.state, sent.provider, sent.error, sent.due, sent.attempts) == (
        State.ACCEPTED,
        "sendflare",
        None,
        None,
        1,
    )
    [made] = provider.made
    assert (made.key, made.recipients) == (mail.uuid, ("you@else.example",))
    assert stage.counted("sendflare,accepted") == 1


def test_what_is_sent_is_stored_before_it_is(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider)
    mail = stage.add()
    seen: list[OutboxDetail] = []

    async def look() -> None:
        seen.append(await stage.outbox.find(mail.uuid))  # type: ignore[arg-type]

    provider.before = look
    stage.work()
    [detail] = seen
    [call] = detail.calls
    assert (detail.mail.state, call.state, call.idempotency_key) == (State.SENDING, State.SENDING, mail.uuid)
    assert call.request.body == provider.made[0].body


def test_a_scheduled_mail_waits_for_its_very_second(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider)
    mail = stage.add(scheduled_at=at(HOUR))
    assert (stage.work(), stage.work(after=HOUR - 1)) == (0, 0)
    assert stage.now(mail).state is State.SCHEDULED
    assert stage.work(after=1) == 1
    assert stage.now(mail).state is State.ACCEPTED


# Providers that are down


def test_an_unavailable_provider_is_tried_again_after_growing_pauses_with_the_same_key_and_bytes(
    open_stage: Open,
) -> None:
    provider = FakeProvider().answer(*[ProviderUnavailable("no connection")] * 4)
    stage = open_stage(provider)
    mail = stage.add()
    waits = []
    for _ in range(4):
        assert stage.work() == 1
        assert stage.now(mail).state is State.QUEUED
        waits.append(stage.wait_of(mail))
        stage.clock.advance(waits[-1] or 0.0)
    assert waits == [1.0, 2.0, 4.0, 8.0]
    stage.work()
    assert stage.now(mail).state is State.ACCEPTED
    assert len({(made.key, made.body) for made in provider.made}) == 1
    [call] = stage.calls(mail)
    assert (call.attempts, call.failures) == (5, 4)


def test_the_jitter_is_full(open_stage: Open) -> None:
    stage = open_stage(FakeProvider().answer(ProviderUnavailable("no connection")))
    stage.chance = 0.0
    mail = stage.add()
    stage.work()
    assert stage.wait_of(mail) == 0.0


@pytest.mark.parametrize(("error", "tries"), [(ProviderUnavailable("away"), 6), (ProviderUnavailable("x", tries=2), 2)])
def test_after_its_last_try_a_mail_has_failed(open_stage: Open, error: ProviderUnavailable, tries: int) -> None:
    provider = FakeProvider().answer(*[error] * 10)
    stage = open_stage(provider)
    mail = stage.add()
    for _ in range(10):
        stage.work(after=400.0)
    assert len(provider.made) == tries
    failed = stage.now(mail)
    assert (failed.state, failed.error, failed.due) == (State.FAILED, str(error), None)


def test_when_a_provider_stays_away_another_sends_the_mail(open_stage: Open) -> None:
    first = FakeProvider("sendflare").answer(*[ProviderUnavailable("away", tries=2)] * 2)
    second = FakeProvider("cyberpersons")
    stage = open_stage(first, second)
    mail = stage.add()
    stage.work()
    stage.work(after=400.0)
    assert (len(first.made), len(second.made)) == (2, 1)
    assert stage.now(mail).state is State.ACCEPTED
    assert [(call.provider, call.state, call.idempotency_key) for call in stage.calls(mail)] == [
        ("sendflare", State.FAILED, mail.uuid),
        ("cyberpersons", State.ACCEPTED, f"{mail.uuid}-2"),
    ]


def test_the_longest_pause_is_five_minutes(open_stage: Open) -> None:
    stage = open_stage(FakeProvider().answer(*[ProviderUnavailable("away", tries=99)] * 12))
    mail = stage.add(deadline=at(10 * HOUR))
    for _ in range(12):
        stage.work(after=400.0)
    assert stage.wait_of(mail) == 300.0


def test_the_circuit_opens_after_five_outages_and_one_call_looks_whether_it_is_over(open_stage: Open) -> None:
    provider = FakeProvider().answer(*[ProviderUnavailable("away")] * 6)
    stage = open_stage(provider)
    for _ in range(5):
        stage.add()
        stage.work()
    assert len(provider.made) == 5
    late = [stage.add() for _ in range(3)]
    stage.work(after=1.0)
    assert len(provider.made) == 5
    assert all(stage.now(mail).state is State.QUEUED for mail in late)
    assert stage.now(late[0]).attempts == 0
    stage.work(after=60.0)
    assert len(provider.made) == 6
    stage.work(after=61.0)
    stage.work(after=61.0)
    assert all(stage.now(mail).state is State.ACCEPTED for mail in late)


def test_while_the_circuit_is_open_another_account_is_used(open_stage: Open) -> None:
    first = FakeProvider("sendflare").answer(*[ProviderUnavailable("away")] * 5)
    second = FakeProvider("cyberpersons")
    stage = open_stage(first, second)
    for _ in range(5):
        stage.add()
    stage.work()
    assert len(first.made) == 5
    stage.work(after=2.0)
    assert (len(first.made), len(second.made)) == (5, 5)


# Too fast


def test_a_rate_limit_costs_no_attempt_and_stays_with_the_provider(open_stage: Open) -> None:
    first = FakeProvider("sendflare").answer(*[ProviderRateLimited("slow down", retry_after_s=20.0)] * 8)
    second = FakeProvider("cyberpersons")
    stage = open_stage(first, second)
    mail = stage.add()
    waits = []
    for _ in range(8):
        stage.work()
        assert stage.now(mail).state is State.QUEUED
        waits.append(stage.wait_of(mail) or 0.0)
        stage.clock.advance(waits[-1])
    assert waits[:5] == [22.0] * 5
    assert waits[5:] == pytest.approx([35.2, 70.4, 140.8], abs=1.0)
    stage.work()
    assert (len(first.made), len(second.made)) == (9, 0)
    [call] = stage.calls(mail)
    assert (stage.now(mail).state, call.failures) == (State.ACCEPTED, 0)


def test_a_provider_that_always_asks_for_a_second_is_not_asked_every_second(open_stage: Open) -> None:
    provider = FakeProvider().answer(*[ProviderRateLimited("slow down", retry_after_s=1.0)] * 300)
    stage = open_stage(provider)
    stage.chance = 0.0
    mail = stage.add(deadline=at(24 * HOUR))
    began = stage.clock.now()
    made_at = []
    while (wait := stage.wait_of(mail)) is not None:
        made = len(provider.made)
        stage.work(after=wait)
        made_at += [stage.clock.now() - began] * (len(provider.made) - made)
    assert made_at[:7] == [0.0, 1.0, 2.0, 6.0, 14.0, 30.0, 62.0]
    assert len(made_at) < 24 * 12 + 10
    [call] = stage.calls(mail)
    assert (stage.now(mail).state, call.failures) == (State.FAILED, 0)


def test_while_an_account_rests_no_other_mail_is_sent_by_it(open_stage: Open) -> None:
    provider = FakeProvider().answer(ProviderRateLimited("slow down", retry_after_s=20.0))
    stage = open_stage(provider)
    first = stage.add()
    stage.work()
    second = stage.add()
    stage.work(after=5.0)
    assert len(provider.made) == 1
    stage.work(after=30.0)
    stage.work(after=30.0)
    assert [stage.now(mail).state for mail in (first, second)] == [State.ACCEPTED] * 2


def test_waiting_ends_at_the_deadline(open_stage: Open) -> None:
    stage = open_stage(FakeProvider().answer(*[ProviderRateLimited("slow", retry_after_s=7200.0)] * 9))
    mail = stage.add(deadline=at(HOUR))
    stage.work()
    assert stage.wait_of(mail) == HOUR
    stage.work(after=HOUR)
    failed = stage.now(mail)
    assert (failed.state, failed.due) == (State.FAILED, None)


@pytest.mark.parametrize(("seconds", "state"), [(HOUR - 1, State.ACCEPTED), (HOUR, State.FAILED)])
def test_a_mail_is_sent_until_just_before_its_deadline(open_stage: Open, seconds: float, state: State) -> None:
    stage = open_stage(FakeProvider())
    mail = stage.add(deadline=at(HOUR))
    stage.work(after=seconds)
    assert stage.now(mail).state is state


def test_calls_of_an_account_keep_their_distance(open_stage: Open) -> None:
    provider = FakeProvider().with_pause(0.5)
    stage = open_stage(provider)
    began = stage.clock.now()
    for _ in range(4):
        stage.add()
    stage.work()
    assert len(provider.made) == 4
    assert [woken - began for woken in stage.woken_at] == [0.5, 1.0, 1.5]


def test_a_mail_whose_turn_is_far_away_goes_back_until_then_and_begins_nothing(open_stage: Open) -> None:
    provider = FakeProvider().with_pause(60.0)
    stage = open_stage(provider)
    mails = [stage.add() for _ in range(3)]
    stage.work()
    assert len(provider.made) == 1
    assert [stage.wait_of(mail) for mail in mails] == [None, 60.0, 120.0]
    assert [len(stage.calls(mail)) for mail in mails] == [1, 0, 0]
    stage.work(after=60.0)
    assert len(provider.made) == 2
    stage.work(after=60.0)
    assert [stage.now(mail).state for mail in mails] == [State.ACCEPTED] * 3


# Final answers


@pytest.mark.parametrize("error", [InvalidOutbound("bad"), ProviderRefused("suppressed"), CannotDo("no")])
def test_what_a_provider_will_never_send_has_failed(open_stage: Open, error: InvalidOutbound) -> None:
    first, second = FakeProvider("sendflare").answer(error), FakeProvider("cyberpersons")
    stage = open_stage(first, second)
    mail = stage.add()
    stage.work()
    failed = stage.now(mail)
    assert (failed.state, failed.error, failed.due) == (State.FAILED, str(error), None)
    assert stage.work(after=10 * HOUR) == 0
    assert (len(first.made), len(second.made)) == (1, 0)


def test_a_mail_that_nobody_can_send_has_failed(open_stage: Open) -> None:
    stage = open_stage()
    mail = stage.add()
    stage.work()
    assert stage.now(mail).state is State.FAILED
    assert "no provider" in (stage.now(mail).error or "")


def test_a_payload_that_cannot_be_read_fails_and_leaves_the_others(open_stage: Open) -> None:
    stage = open_stage(FakeProvider())
    broken, good = stage.add(payload=b"{"), stage.add()
    stage.work()
    assert [stage.now(mail).state for mail in (broken, good)] == [State.FAILED, State.ACCEPTED]


# Several recipients


TWO = ("a@else.example", "b@else.example")


def test_each_recipient_of_a_provider_that_takes_one_has_a_call_with_a_key_of_its_own(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider)
    mail = stage.add(*TWO)
    stage.work()
    assert [(made.key, made.recipients) for made in provider.made] == [
        (f"{mail.uuid}-1", TWO[:1]),
        (f"{mail.uuid}-2", TWO[1:]),
    ]
    assert stage.now(mail).state is State.ACCEPTED


def test_only_the_recipients_that_did_not_get_it_are_tried_again(open_stage: Open) -> None:
    provider = FakeProvider().answer(SendResult("1"), ProviderUnavailable("away"))
    stage = open_stage(provider)
    mail = stage.add(*TWO)
    stage.work()
    assert states(stage, mail) == {TWO[0]: "accepted", TWO[1]: "queued"}
    assert stage.now(mail).state is State.QUEUED
    stage.work(after=1.0)
    assert [made.recipients for made in provider.made] == [TWO[:1], TWO[1:], TWO[1:]]
    assert stage.now(mail).state is State.ACCEPTED


def test_an_unknown_call_does_not_keep_the_others_from_being_made(open_stage: Open) -> None:
    provider = FakeProvider().answer(OutcomeUnknown("timeout"))
    stage = open_stage(provider)
    mail = stage.add(*TWO)
    stage.work()
    assert states(stage, mail) == {TWO[0]: "unknown", TWO[1]: "accepted"}
    assert (stage.now(mail).state, stage.now(mail).due) == (State.UNKNOWN, None)


def test_one_refused_recipient_does_not_keep_the_others_from_getting_it(open_stage: Open) -> None:
    provider = FakeProvider().answer(ProviderRefused("suppressed"))
    stage = open_stage(provider)
    mail = stage.add(*TWO)
    stage.work()
    assert states(stage, mail) == {TWO[0]: "failed", TWO[1]: "accepted"}
    assert (stage.now(mail).state, stage.now(mail).error) == (State.FAILED, "suppressed")


def test_failover_takes_only_the_recipients_that_certainly_did_not_get_it(open_stage: Open) -> None:
    three = (*TWO, "c@else.example")
    first = FakeProvider("sendflare").answer(SendResult("1"), OutcomeUnknown("timeout"), ProviderExhausted("quota"))
    second = FakeProvider("cyberpersons")
    stage = open_stage(first, second)
    mail = stage.add(*three)
    stage.work()
    assert [made.recipients for made in second.made] == [three[2:]]
    assert states(stage, mail) == {three[0]: "accepted", three[1]: "unknown", three[2]: "accepted"}


def test_recipients_that_were_not_reached_before_a_crash_are_afterwards(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider)
    mail = stage.add(*TWO)

    async def dying() -> None:
        [detail] = await stage.outbox.claim(now=at(0), until=at(300), limit=1)
        calls = provider.prepare(outbound_message(*TWO), TWO)
        keyed = [(f"{mail.uuid}-{number}", call) for number, call in enumerate(calls, 1)]
        await stage.outbox.begin(
            mail.id, detail.mail.turn, provider.name, provider.account, keyed, until=at(300), now=at(0)
        )

    stage.run(dying())
    stage.work(after=300)
    assert [made.recipients for made in provider.made] == [TWO[1:]]
    assert states(stage, mail) == {TWO[0]: "unknown", TWO[1]: "accepted"}


def test_the_operators_retry_uses_a_new_key_and_only_what_is_not_accepted(open_stage: Open) -> None:
    provider = FakeProvider().answer(SendResult("1"), OutcomeUnknown("timeout"))
    stage = open_stage(provider)
    mail = stage.add(*TWO)
    stage.work()
    assert stage.run(stage.outbox.retry(mail.id, deadline=at(HOUR), now=at(0))) is not None
    stage.work()
    assert [(made.key, made.recipients) for made in provider.made[2:]] == [(f"{mail.uuid}-3", TWO[1:])]
    assert stage.now(mail).state is State.ACCEPTED


def test_a_retry_may_use_an_account_that_was_given_up(open_stage: Open) -> None:
    provider = FakeProvider().answer(*[ProviderUnavailable("away", tries=1)])
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    assert stage.now(mail).state is State.FAILED
    stage.run(stage.outbox.retry(mail.id, deadline=at(HOUR), now=at(0)))
    stage.work()
    assert stage.now(mail).state is State.ACCEPTED
