"""What a process remembers of a provider's account: its pace, its rests, its outages."""

import asyncio

import pytest

from tempmail.services.outbox_accounts import OPEN_S, OUTAGES_TO_OPEN, STUCK_AFTER_S, Account

HORIZON_S = 2.0


def account(pause_s: float = 1.0) -> Account:
    return Account("resend", "shop", pause_s, asyncio.Semaphore(1))


def reserve(of: Account, *mails: int, now: float = 100.0) -> list[float]:
    return [of.reserve(mail, now, horizon_s=HORIZON_S) - now for mail in mails]


def test_turns_are_a_pause_apart() -> None:
    assert reserve(account(), 1, 2, 3, 4) == [0.0, 1.0, 2.0, 3.0]


def test_a_turn_that_is_kept_for_a_mail_is_still_its_own_when_it_comes_back() -> None:
    of = account(10.0)
    assert reserve(of, 1, 2, 3) == [0.0, 10.0, 20.0]
    assert reserve(of, 2, now=110.0) == [0.0]
    assert reserve(of, 4, now=110.0) == [20.0]
    assert reserve(of, 3, now=120.0) == [0.0]


def test_mails_that_come_back_late_do_not_come_in_a_crowd() -> None:
    of = account(10.0)
    reserve(of, 1, 2, 3)
    late = reserve(of, 2, 3, now=500.0)
    assert late == [0.0, 10.0]
    assert reserve(of, 3, now=510.0) == [0.0]


def test_an_idle_account_never_waits() -> None:
    of = account(10.0)
    reserve(of, 1)
    assert reserve(of, 2, now=200.0) == [0.0]


def test_no_turn_comes_before_a_rest_is_over() -> None:
    of = account(0.5)
    of.rest(130.0)
    assert reserve(of, 1, 2) == [30.0, 30.5]


def test_without_a_pause_all_turns_are_now() -> None:
    assert reserve(account(0.0), *range(1000)) == [0.0] * 1000


def test_an_outage_ends_with_any_answer() -> None:
    of = account()
    for _ in range(OUTAGES_TO_OPEN - 1):
        of.was_out(0.0)
    assert of.admits(0.0)
    of.answered()
    for _ in range(OUTAGES_TO_OPEN - 1):
        of.was_out(0.0)
    assert of.admits(0.0)
    of.was_out(0.0)
    block = of.block(0.0)
    assert block is not None
    assert (of.admits(OPEN_S - 0.1), block.until) == (False, OPEN_S)


def test_after_an_outage_one_call_goes_ahead() -> None:
    of = account()
    for _ in range(OUTAGES_TO_OPEN):
        of.was_out(0.0)
    assert [of.admits(OPEN_S), of.admits(OPEN_S), of.admits(2 * OPEN_S - 1)] == [True, False, False]
    of.answered()
    assert of.admits(OPEN_S)


@pytest.mark.parametrize(("seconds", "is_stuck"), [(STUCK_AFTER_S, False), (STUCK_AFTER_S + 0.1, True)])
def test_an_account_is_stuck_when_its_calls_take_too_long_and_none_is_free(seconds: float, is_stuck: bool) -> None:
    async def case() -> bool:
        of = account()
        of.call_begins(1, 0.0)
        assert not of.is_stuck(seconds)
        await of.calls.acquire()
        return of.is_stuck(seconds)

    assert asyncio.run(case()) is is_stuck
