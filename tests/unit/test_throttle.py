"""How often one caller may come."""

import pytest

from tempmail.clock import FakeClock
from tempmail.errors import Throttled
from tempmail.services.throttle import Throttle


def test_the_limit_is_exact_and_refusals_do_not_count() -> None:
    clock = FakeClock()
    throttle = Throttle(3, 60.0, clock=clock)
    for _ in range(3):
        throttle.admit("a")
        clock.advance(10)
    for _ in range(5):
        with pytest.raises(Throttled):
            throttle.admit("a")
    clock.advance(30)
    throttle.admit("a")
    with pytest.raises(Throttled):
        throttle.admit("a")


def test_it_says_how_long_to_wait() -> None:
    clock = FakeClock()
    throttle = Throttle(1, 60.0, clock=clock)
    throttle.admit("a")
    clock.advance(17.5)
    with pytest.raises(Throttled) as caught:
        throttle.admit("a")
    assert caught.value.retry_after_s == 43
    clock.advance(42.5)
    throttle.admit("a")


def test_keys_are_counted_apart() -> None:
    throttle = Throttle(1, 60.0, clock=FakeClock())
    throttle.admit("a")
    throttle.admit("b")


def test_the_number_of_keys_is_bounded_and_the_quietest_goes_first() -> None:
    throttle = Throttle(2, 60.0, clock=FakeClock(), max_keys=3)
    for key in ("a", "b", "c", "a", "d"):
        throttle.admit(key)
    with pytest.raises(Throttled):
        throttle.admit("a")
    throttle.admit("b")  # forgotten when d came
    throttle.admit("b")
