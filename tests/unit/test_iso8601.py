"""Times as callers write them."""

import pytest

from tempmail.domain.iso8601 import parse_iso


@pytest.mark.parametrize(
    ("text", "epoch_s"),
    [
        ("2024-01-01T12:00:00Z", 1704110400.0),
        ("2024-01-01T20:00:00.5+08:00", 1704110400.5),
        ("2024-01-01T12:00:00", None),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
        ("9999-12-31T23:59:59-23:59", 253402387139.0),
        ("2024-02-30T12:00:00Z", None),
        ("soon", None),
        ("", None),
    ],
)
def test_iso_8601_without_an_offset_is_no_time(text: str, epoch_s: float | None) -> None:
    assert parse_iso(text) == epoch_s
