"""Stamps: one text form that sorts as time does."""

import pytest

from tempmail.clock import FakeClock, SystemClock, parse_stamp, stamp

TIMES = {
    "epoch": (0.0, "1970-01-01 00:00:00"),
    "rounded-down": (1704110400.999999, "2024-01-01 12:00:00"),
    "leap-day": (1709164800.0, "2024-02-29 00:00:00"),
    "last-second-of-a-year": (1735689599.0, "2024-12-31 23:59:59"),
    "after-2038": (4102444800.0, "2100-01-01 00:00:00"),
}


@pytest.mark.parametrize(("epoch_s", "text"), TIMES.values(), ids=TIMES.keys())
def test_a_stamp_is_utc_to_the_second_and_reads_back(epoch_s: float, text: str) -> None:
    assert stamp(epoch_s) == text
    assert parse_stamp(text) == int(epoch_s)


def test_stamps_sort_as_text_like_their_times() -> None:
    in_order = [stamp(epoch_s) for epoch_s, _ in sorted(TIMES.values())]
    assert in_order == sorted(in_order)


@pytest.mark.parametrize(
    "text", ["", "2024-01-01", "2024-01-01T12:00:00", "2024-01-01 12:00:00Z", "2024-02-30 00:00:00"]
)
def test_another_form_is_no_stamp(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_stamp(text)


def test_a_fake_clock_stands_still_until_told_otherwise() -> None:
    clock = FakeClock(100.0)
    assert (clock.now(), clock.now(), clock.monotonic()) == (100.0, 100.0, 100.0)
    clock.advance(1.5)
    assert (clock.now(), clock.monotonic()) == (101.5, 101.5)


def test_the_systems_monotonic_time_does_not_go_back() -> None:
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
    assert clock.now() > 1_700_000_000
