"""The least time between two mails of a session."""

import pytest

from tempmail.clock import FakeClock
from tempmail.sandbox.pauses import MAX_SESSIONS, Pauses


@pytest.mark.parametrize(("after_s", "wait_s"), [(0.0, 60.0), (59.0, 1.0), (60.0, 0.0)])
def test_a_session_waits_for_the_rest_of_its_pause(clock: FakeClock, after_s: float, wait_s: float) -> None:
    pauses = Pauses(clock)
    assert pauses.begin("one", 60) == 0
    clock.advance(after_s)
    assert pauses.begin("one", 60) == wait_s
    assert pauses.begin("two", 60) == 0


def test_what_was_not_sent_after_all_does_not_count(clock: FakeClock) -> None:
    pauses = Pauses(clock)
    pauses.begin("one", 60)
    pauses.undo("one")
    assert pauses.begin("one", 60) == 0


def test_a_refused_call_does_not_make_the_pause_longer(clock: FakeClock) -> None:
    pauses = Pauses(clock)
    pauses.begin("one", 60)
    clock.advance(30)
    assert pauses.begin("one", 60) == 30
    clock.advance(30)
    assert pauses.begin("one", 60) == 0


def test_beyond_so_many_sessions_the_one_that_sent_longest_ago_is_forgotten(clock: FakeClock) -> None:
    pauses = Pauses(clock)
    for session in range(MAX_SESSIONS):
        pauses.begin(session, 60)
    assert pauses.begin(0, 60) == 60
    pauses.begin("one more", 60)
    assert pauses.begin(1, 60) == 60
    assert pauses.begin(0, 60) == 0
