"""Sending from the outbox: what follows from each answer of a provider, and that nothing is sent twice or lost."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tempmail.clock import stamp
from tempmail.domain.outbound import Delivery, Kind, OutboundMessage, SendResult, State
from tempmail.domain.outbound_retry import DENIALS
from tempmail.errors import (
    CannotDo,
    InvalidOutbound,
    ObjectsUnavailable,
    OutcomeUnknown,
    ProviderAuthFailed,
    ProviderDenied,
    ProviderExhausted,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from tempmail.ports.outbound import OutboxDetail
from tempmail.services.outbox_accounts import PAUSES_KNOWN_AFTER_S
from tempmail.services.outbox_followup import REFRESH_FOR_S
from tempmail.services.outbox_sending import SendingOptions
from tempmail.services.outbox_worker import FORWARDS_AT_ONCE
from tests.builders import at
from tests.fake_provider import KNOWS_KEYS, RELAY, FakeProvider, nothing
from tests.outbound_builders import outbound_message
from tests.unit.outbox_stage import Stage

HOUR = 3600.0
Open = Callable[..., Stage]


@pytest.fixture
def open_stage() -> Iterator[Open]:
    stages = []

    def opened(*providers: FakeProvider, **options: object) -> Stage:
        stages.append(Stage(*providers, **options))  # type: ignore[arg-type]
        return stages[-1]

    yield opened
    for stage in stages:
        stage.close()


def states(stage: Stage, mail: object) -> dict[str, str]:
    return {each.address: each.state.value for each in stage.detail(mail).recipients}  # type: ignore[arg-type]


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


# Accounts that are of no use


DISABLED = {
    "exhausted": (ProviderExhausted("quota"), 900.0),
    "exhausted until": (ProviderExhausted("quota", resets_after_s=5000.0), 5000.0),
    "auth": (ProviderAuthFailed("bad key"), 900.0),
    "denied": (ProviderDenied("domain"), 900.0),
}


@pytest.mark.parametrize(("error", "pause_s"), DISABLED.values(), ids=DISABLED)
def test_an_account_of_no_use_is_paused_and_the_next_sends_at_once(
    open_stage: Open, error: ProviderDenied, pause_s: float
) -> None:
    first = FakeProvider("sendflare").answer(error)
    second = FakeProvider("cyberpersons")
    stage = open_stage(first, second)
    mails = [stage.add()]
    stage.work()
    assert stage.now(mails[0]).state is State.ACCEPTED
    mails.append(stage.add())
    stage.work(after=pause_s - 1)
    assert (len(first.made), len(second.made)) == (1, 2)
    mails.append(stage.add())
    stage.work(after=6)
    assert (len(first.made), len(second.made)) == (2, 2)


def test_a_mail_that_waits_for_a_paused_account_is_not_claimed_before_the_pause_is_over(open_stage: Open) -> None:
    provider = FakeProvider().answer(ProviderExhausted("used up", resets_after_s=1.0))
    stage = open_stage(provider)
    stage.add()
    stage.work(after=0.7)
    # The pause ends within a second, the store counts whole ones: a claim in between could do nothing but give back.
    assert (stage.work(after=0.6), len(provider.made)) == (0, 1)
    assert (stage.work(after=0.7), len(provider.made)) == (1, 2)


def test_a_pause_outlives_the_process(open_stage: Open) -> None:
    first = FakeProvider("sendflare").answer(ProviderAuthFailed("bad key"))
    second = FakeProvider("cyberpersons")
    stage = open_stage(first, second)
    stage.add()
    stage.work()
    stage.worker = stage.new_worker()
    stage.add()
    stage.work()
    assert (len(first.made), len(second.made)) == (1, 2)


def test_a_pause_that_is_lifted_ends_within_seconds(open_stage: Open) -> None:
    provider = FakeProvider().answer(ProviderAuthFailed("bad key"))
    stage = open_stage(provider)
    mail = stage.add(deadline=at(HOUR))
    stage.work()
    assert stage.wait_of(mail) == 900.0
    [pause] = stage.run(stage.outbox.pauses(now=at(0)))
    assert (pause.provider, pause.account, pause.reason) == ("sendflare", "shop.example", "bad key")
    assert stage.run(stage.outbox.unpause("sendflare", "shop.example", due=at(PAUSES_KNOWN_AFTER_S)))
    other = stage.add()
    stage.work(after=PAUSES_KNOWN_AFTER_S)
    assert [stage.now(each).state for each in (mail, other)] == [State.ACCEPTED] * 2


def test_with_every_account_paused_a_mail_waits_for_the_first_and_says_why(open_stage: Open) -> None:
    first = FakeProvider("sendflare").answer(ProviderAuthFailed("bad key"))
    second = FakeProvider("cyberpersons").answer(ProviderExhausted("quota", resets_after_s=100.0))
    stage = open_stage(first, second)
    mail = stage.add()
    stage.work()
    waiting = stage.now(mail)
    assert (waiting.state, waiting.error, stage.wait_of(mail)) == (State.QUEUED, "quota", 100.0)
    stage.work(after=100.0)
    assert (len(first.made), len(second.made), stage.now(mail).state) == (1, 2, State.ACCEPTED)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_mail_that_waits_for_an_account_that_another_mail_had_paused_says_why(
    open_stage: Open, is_restarted: bool
) -> None:
    provider = FakeProvider().answer(ProviderExhausted("daily quota", resets_after_s=100.0))
    stage = open_stage(provider)
    stage.add()
    stage.work()
    if is_restarted:
        stage.worker = stage.new_worker()
    late = stage.add()
    stage.work(after=10.0)
    waiting = stage.now(late)
    assert (waiting.state, waiting.attempts, stage.wait_of(late)) == (State.QUEUED, 0, 90.0)
    assert waiting.error == f"sendflare is paused until {at(100.0)} UTC: daily quota"
    stage.work(after=90.0)
    assert (stage.now(late).state, stage.now(late).error) == (State.ACCEPTED, None)


def test_the_longer_of_two_pauses_is_the_one_that_a_mail_waits_for(open_stage: Open) -> None:
    errors = [ProviderExhausted("daily quota", resets_after_s=100.0), ProviderExhausted("short", resets_after_s=30.0)]
    provider = FakeProvider().answer(*errors)
    stage = open_stage(provider)
    mails = [stage.add() for _ in range(2)]
    stage.work()
    assert len(provider.made) == 2, "both were under way when the first was refused"
    late = stage.add()
    stage.work()
    assert stage.now(late).error == f"sendflare is paused until {at(100.0)} UTC: daily quota"
    assert [stage.now(mail).error for mail in mails] == ["daily quota", "short"]


def test_a_mail_that_waits_for_an_account_that_is_out_says_so(open_stage: Open) -> None:
    provider = FakeProvider().answer(*[ProviderUnavailable("away")] * 5)
    stage = open_stage(provider)
    for _ in range(5):
        stage.add()
        stage.work()
    late = stage.add()
    stage.work()
    assert stage.now(late).error == f"sendflare cannot be reached and is tried again at {at(60.0)} UTC"


def test_a_mail_whose_paused_account_is_taken_away_fails_for_having_none(open_stage: Open) -> None:
    provider = FakeProvider().answer(ProviderExhausted("daily quota", resets_after_s=100.0))
    stage = open_stage(provider)
    stage.add()
    stage.work()
    late = stage.add()
    stage.work()
    stage.routes.providers = []
    stage.work(after=100.0)
    assert (stage.now(late).state, stage.now(late).error) == (
        State.FAILED,
        "no provider is set up that can send this mail",
    )


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


# Handing received mail on


def test_a_forwarded_mail_goes_out_as_it_was_received(open_stage: Open) -> None:
    relay = FakeProvider("smtp", capabilities=RELAY)

    async def forwarded(detail: OutboxDetail) -> OutboundMessage:
        assert detail.mail.object_key == "2023/a.eml"
        return OutboundMessage("srs@temp.example", ("you@else.example",), raw=b"From: x\r\n\r\nHi")

    stage = open_stage(FakeProvider(), relay, forwarded=forwarded)
    mail = stage.add(kind="forward", object_key="2023/a.eml", payload=b"{}", at_least_once=True)
    stage.work()
    assert ([made.raw for made in relay.made], stage.now(mail).state) == ([b"From: x\r\n\r\nHi"], State.ACCEPTED)


def test_a_forwarded_mail_is_tried_for_as_long_as_the_relay_is_down_within_its_deadline(open_stage: Open) -> None:
    down = [ProviderUnavailable("no connection")] * 40
    relay = FakeProvider("smtp", capabilities=RELAY).answer(*down)

    async def forwarded(detail: OutboxDetail) -> OutboundMessage:
        return OutboundMessage("srs@temp.example", ("you@else.example",), raw=b"From: x\r\n\r\nHi")

    stage = open_stage(relay, forwarded=forwarded)
    mail = stage.add(kind="forward", object_key="2023/a.eml", payload=b"{}", at_least_once=True, deadline=at(86_400))
    for _ in down:
        assert stage.now(mail).state is not State.FAILED
        stage.work(after=400.0)
    stage.work(after=400.0)
    assert stage.now(mail).state is State.ACCEPTED


def test_a_received_mail_that_cannot_be_read_now_is_tried_later_and_one_that_is_gone_fails(open_stage: Open) -> None:
    answers = [ObjectsUnavailable("the object store is away"), InvalidOutbound("the mail was deleted")]

    async def forwarded(detail: OutboxDetail) -> OutboundMessage:
        raise answers.pop(0)

    stage = open_stage(FakeProvider("smtp", capabilities=RELAY), forwarded=forwarded)
    mail = stage.add(kind="forward", object_key="2023/a.eml", payload=b"{}")
    stage.work()
    waiting = stage.now(mail)
    assert (waiting.state, waiting.error) == (State.QUEUED, "the object store is away")
    stage.work(after=120.0)
    assert (stage.now(mail).state, stage.now(mail).error) == (State.FAILED, "the mail was deleted")


# What became of it


def test_a_provider_that_can_be_asked_is_at_growing_intervals_until_the_end(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS)
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    looked = []
    for gap in (60.0, 300.0, 1800.0, 7200.0, 28_800.0, 86_400.0):
        stage.clock.advance(gap - 1)
        before = stage.run(stage.worker.look_up())
        stage.clock.advance(1)
        looked.append((before, stage.run(stage.worker.look_up())))
    assert looked == [(0, 1)] * 6
    stage.clock.advance(100 * 86_400)
    assert stage.run(stage.worker.look_up()) == 0
    assert stage.now(mail).state is State.ACCEPTED


def test_the_end_that_a_lookup_finds_is_kept_and_not_asked_again(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS)
    provider.states["resend-1"] = Delivery(State.BOUNCED, "bounced", "no such user")
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    stage.clock.advance(60)
    stage.run(stage.worker.look_up())
    assert (stage.now(mail).state, stage.now(mail).error) == (State.BOUNCED, "no such user")
    stage.clock.advance(86_400)
    assert stage.run(stage.worker.look_up()) == 0


def test_a_lookup_that_fails_is_made_again_later(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS)
    provider.states["resend-1"] = ProviderUnavailable("away")
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    stage.clock.advance(60)
    assert stage.run(stage.worker.look_up()) == 1
    provider.states["resend-1"] = Delivery(State.DELIVERED, "delivered")
    stage.clock.advance(300)
    assert stage.run(stage.worker.look_up()) == 1
    assert stage.now(mail).state is State.DELIVERED


def test_a_provider_that_cannot_be_asked_is_not(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    stage.clock.advance(86_400)
    assert stage.run(stage.worker.look_up()) == 0
    stage.run(stage.worker.refresh(mail.id))
    assert provider.asked == []


def test_whoever_looks_at_a_mail_has_it_asked_for_at_most_every_ten_seconds(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS)
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    for seconds in (0, 9, 1, 1):
        stage.clock.advance(seconds)
        stage.run(stage.worker.refresh(mail.id))
    assert len(provider.asked) == 2


def test_the_gauge_shows_each_provider_and_state(open_stage: Open) -> None:
    stage = open_stage(FakeProvider().answer(OutcomeUnknown("timeout")))
    for _ in range(2):
        stage.add()
    stage.work()
    stage.add(scheduled_at=at(HOUR))
    stage.run(stage.worker.measure())
    shown = stage.metrics.board.render().decode()
    assert 'tempmail_outbox_mails{provider="sendflare",state="unknown"} 1.0' in shown
    assert 'tempmail_outbox_mails{provider="sendflare",state="accepted"} 1.0' in shown
    assert 'tempmail_outbox_mails{provider="none",state="scheduled"} 1.0' in shown
    assert 'tempmail_outbox_calls_total{outcome="unknown",provider="sendflare"} 1.0' in shown


def test_a_mail_that_an_account_denies_again_and_again_does_not_pause_it_for_ever(open_stage: Open) -> None:
    provider = FakeProvider().answer(*[ProviderDenied("the domain is not verified")] * 10)
    stage = open_stage(provider)
    mail = stage.add()
    for _ in range(10):
        stage.work(after=1000.0)
    assert (len(provider.made), stage.now(mail).state) == (DENIALS, State.FAILED)
    assert stage.now(mail).error == "the domain is not verified"
    stage.run(stage.outbox.retry(mail.id, deadline=stamp(stage.clock.now() + HOUR), now=stamp(stage.clock.now())))
    provider.answers.clear()
    stage.work(after=1000.0)
    assert stage.now(mail).state is State.ACCEPTED


def test_a_lookup_that_somebody_waits_for_has_a_time_limit(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS)
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()

    async def never(message_id: str) -> Delivery:
        await asyncio.get_running_loop().create_future()
        raise AssertionError(message_id)

    provider.status = never  # type: ignore[method-assign]

    async def seconds() -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.wait_for(stage.worker.refresh(mail.id), 1e6)
        return asyncio.get_running_loop().time() - began

    assert stage.run(seconds()) == pytest.approx(REFRESH_FOR_S)
    assert stage.now(mail).state is State.ACCEPTED


def test_few_received_mails_are_in_memory_at_once(open_stage: Open) -> None:
    provider = FakeProvider("smtp", capabilities=RELAY)
    loaded: list[int] = []

    async def load(detail: OutboxDetail) -> OutboundMessage:
        loaded.append(detail.mail.id)
        return outbound_message(raw=b"mail")

    stage = open_stage(provider, forwarded=load)
    mails = [stage.add(kind=Kind.FORWARD, object_key="k", payload=b"{}") for _ in range(FORWARDS_AT_ONCE + 2)]
    let_go = asyncio.Event()
    provider.before = let_go.wait

    async def work() -> None:
        task = asyncio.create_task(stage.worker.run_once())
        await asyncio.sleep(1.0)
        assert len(loaded) == FORWARDS_AT_ONCE
        await asyncio.sleep(10.0)
        assert len(loaded) == FORWARDS_AT_ONCE
        let_go.set()
        await task

    stage.run(work())
    assert [stage.now(mail).state for mail in mails] == [State.ACCEPTED] * FORWARDS_AT_ONCE + [State.QUEUED] * 2
    stage.work(after=60.0)
    assert [stage.now(mail).state for mail in mails] == [State.ACCEPTED] * len(mails)
