"""What follows from each error of a provider, decided without any effect."""

import pytest

from tempmail.domain.outbound import MOVES, State
from tempmail.domain.outbound_retry import (
    BACKOFF_S,
    MAX_BACKOFF_S,
    PAUSE_S,
    TRIES,
    Tried,
    Verdict,
    backoff_s,
    judge,
)
from tempmail.errors import (
    CannotDo,
    InvalidOutbound,
    OutcomeUnknown,
    ProviderAuthFailed,
    ProviderDenied,
    ProviderError,
    ProviderExhausted,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)

FIRST = Tried(failures=0, is_doubtful=False, is_repeatable=False, at_least_once=False)
ERRORS: list[ProviderError] = [
    ProviderAuthFailed("x"),
    ProviderDenied("x"),
    InvalidOutbound("x"),
    ProviderRateLimited("x", retry_after_s=20.0),
    ProviderExhausted("x"),
    ProviderUnavailable("x"),
    ProviderRefused("x"),
    OutcomeUnknown("x"),
    CannotDo("x"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("is_doubtful", [False, True])
@pytest.mark.parametrize("is_repeatable", [False, True])
@pytest.mark.parametrize("at_least_once", [False, True])
def test_every_verdict_is_a_move_that_a_call_under_way_can_make_and_no_doubt_is_ever_lost(
    error: ProviderError, is_doubtful: bool, is_repeatable: bool, at_least_once: bool
) -> None:
    tried = Tried(0, is_doubtful, is_repeatable, at_least_once)
    verdict = judge(error, tried, chance=0.5)
    assert verdict.state in MOVES[State.SENDING]
    if error.maybe_sent or is_doubtful:
        assert not verdict.moves_on
        assert verdict.state is State.UNKNOWN or at_least_once
    assert verdict.after_s is None or verdict.state in (State.QUEUED, State.UNKNOWN)
    assert verdict.after_s is not None or verdict.moves_on or verdict.state is not State.QUEUED


@pytest.mark.parametrize(
    ("failures", "limit"), [(0, BACKOFF_S), (1, 2.0), (8, 256.0), (9, MAX_BACKOFF_S), (10_000, MAX_BACKOFF_S)]
)
def test_the_backoff_doubles_up_to_its_limit_and_is_jittered_from_nothing(failures: int, limit: float) -> None:
    assert [backoff_s(failures, chance) for chance in (0.0, 0.5, 1.0)] == [0.0, limit / 2, limit]


@pytest.mark.parametrize(("failures", "moves_on"), [(4, False), (5, True)])
def test_an_unavailable_provider_has_six_tries(failures: int, moves_on: bool) -> None:
    verdict = judge(ProviderUnavailable("x"), Tried(failures, False, False, False), chance=1.0)
    assert (verdict.moves_on, verdict.after_s is None, verdict.is_outage) == (moves_on, moves_on, True)


@pytest.mark.parametrize(("failures", "state"), [(TRIES - 2, State.QUEUED), (TRIES - 1, State.UNKNOWN)])
def test_a_mail_that_is_rather_sent_twice_has_six_tries(failures: int, state: State) -> None:
    assert judge(OutcomeUnknown("x"), Tried(failures, False, False, True), chance=1.0).state is state


@pytest.mark.parametrize(("seconds", "latest"), [(0.0, 1.0), (5.0, 6.0), (50.0, 55.0)])
def test_a_rate_limit_is_kept_and_spread(seconds: float, latest: float) -> None:
    error = ProviderRateLimited("x", retry_after_s=seconds)
    assert [judge(error, FIRST, chance=chance).after_s for chance in (0.0, 1.0)] == [seconds, latest]


@pytest.mark.parametrize("is_doubtful", [False, True])
@pytest.mark.parametrize(
    ("asked_s", "limited", "wait_s"),
    [
        (1.0, 0, 1.0),
        (1.0, 1, 1.0),
        (1.0, 2, 4.0),
        (1.0, 3, 8.0),
        (1.0, 8, 256.0),
        (1.0, 9, MAX_BACKOFF_S),
        (1.0, 10_000, MAX_BACKOFF_S),
        (20.0, 4, 20.0),
        (20.0, 5, 32.0),
        (7200.0, 10_000, 7200.0),
    ],
)
def test_from_the_third_rate_limit_on_a_call_waits_longer_than_it_was_asked_to(
    is_doubtful: bool, asked_s: float, limited: int, wait_s: float
) -> None:
    tried = Tried(0, is_doubtful, is_repeatable=False, at_least_once=False, limited=limited)
    error = ProviderRateLimited("x", retry_after_s=asked_s)
    verdicts = [judge(error, tried, chance=chance) for chance in (0.0, 1.0)]
    assert [verdict.after_s for verdict in verdicts] == [wait_s, wait_s + max(1.0, 0.1 * wait_s)]
    assert not any(verdict.is_failure for verdict in verdicts)


@pytest.mark.parametrize(
    ("error", "pause_s"),
    [
        (ProviderExhausted("x"), PAUSE_S),
        (ProviderExhausted("x", resets_after_s=77.0), 77.0),
        (ProviderExhausted("x", resets_after_s=0.0), 1.0),
        (ProviderAuthFailed("x"), PAUSE_S),
        (ProviderDenied("x"), PAUSE_S),
    ],
)
def test_an_account_of_no_use_is_paused(error: ProviderError, pause_s: float) -> None:
    is_denial = isinstance(error, ProviderDenied)
    expected = Verdict(State.QUEUED, is_failure=is_denial, pause_s=pause_s, moves_on=True)
    assert judge(error, FIRST, chance=1.0) == expected


def test_mail_that_is_handed_on_is_tried_until_its_deadline() -> None:
    patient = Tried(failures=1_000, is_doubtful=False, is_repeatable=False, at_least_once=True, is_patient=True)
    verdict = judge(ProviderUnavailable("x"), patient, chance=1.0)
    assert (verdict.state, verdict.after_s, verdict.moves_on) == (State.QUEUED, MAX_BACKOFF_S, False)


@pytest.mark.parametrize("is_repeatable", [True, False])
@pytest.mark.parametrize("at_least_once", [True, False])
def test_what_no_repeat_can_tell_is_not_repeated(is_repeatable: bool, at_least_once: bool) -> None:
    tried = Tried(0, is_doubtful=False, is_repeatable=is_repeatable, at_least_once=at_least_once)
    verdict = judge(OutcomeUnknown("taken before", repeatable=False), tried, chance=1.0)
    assert (verdict.state, verdict.after_s) == (State.UNKNOWN, None)
