"""Ids that grow: numbers that a provider gives its mails, made of the time."""

_BEGAN_EPOCH_MS = 1_420_070_400_000
"""2015-01-01: 40 bits of milliseconds last from then until 2049."""
_SEQUENCE_BITS = 20


def next_id(last: int, *, now_s: float) -> int:
    """An id of up to 60 bits: beyond what a float holds exactly, as EmailCar's are. Greater than `last`.

    >>> next_id(0, now_s=1_763_632_800.0), next_id(360251287142400001, now_s=1_763_632_800.0)
    (360251287142400000, 360251287142400002)
    """
    return max(last + 1, max(0, int(now_s * 1000) - _BEGAN_EPOCH_MS) << _SEQUENCE_BITS)


def next_task(last: int, *, now_s: float) -> int:
    """An id of up to 53 bits, at least 1: JavaScript holds it exactly, and it counts as true. Greater than `last`."""
    return max(last + 1, int(now_s * 1000))
