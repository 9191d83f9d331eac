"""Times as callers write them."""

from datetime import datetime


def parse_iso(text: str) -> float | None:
    """The epoch seconds of an ISO 8601 time with an offset; None for any other text.

    >>> parse_iso("2024-01-01T20:00:00+08:00"), parse_iso("2024-01-01T12:00:00")
    (1704110400.0, None)
    """
    try:
        at = datetime.fromisoformat(text)
        return None if at.tzinfo is None else at.timestamp()
    except ValueError:
        return None
