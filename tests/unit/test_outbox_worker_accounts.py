"""Accounts that are of no use: how long they rest, who takes over, and what is made known of it."""

import pytest

from tempmail.domain.outbound import State
from tempmail.errors import (
    ProviderAuthFailed,
    ProviderDenied,
    ProviderExhausted,
    ProviderUnavailable,
)
from tempmail.services.outbox_accounts import PAUSES_KNOWN_AFTER_S
from tests.builders import at
from tests.fake_provider import FakeProvider
from tests.unit.outbox_stage import Open

HOUR = 3600.0


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
    assert waiting.error == f"sendflare is paused until {at(100.0)} UTC"
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
    assert stage.now(late).error == f"sendflare is paused until {at(100.0)} UTC"
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
