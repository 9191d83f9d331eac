"""Room for more mail: the disk guard and the spool's bound, at the limit and one past it."""

from pathlib import Path

import pytest

from tempmail.clock import FakeClock
from tempmail.errors import NoRoom
from tempmail.services.capacity import Capacity, CapacityLimits, disk_free_bytes

LIMITS = CapacityLimits(disk_min_free_bytes=1000, spool_max_bytes=500, recheck_s=0.5)


class Disk:
    """A disk whose free bytes a test sets; counts how often it was asked."""

    def __init__(self, free_bytes: int) -> None:
        self.free_bytes = free_bytes
        self.asked = 0

    def __call__(self, folder: Path) -> int:
        self.asked += 1
        return self.free_bytes


def capacity(disk: Disk, clock: FakeClock, *, spooled: float = 0) -> Capacity:
    return Capacity(Path("data"), LIMITS, spooled_bytes=lambda: spooled, clock=clock, disk_free=disk)


@pytest.mark.parametrize(
    ("free_bytes", "size_bytes", "fits"),
    [
        pytest.param(1000, 0, True, id="at-the-limit"),
        pytest.param(999, 0, False, id="one-byte-less"),
        pytest.param(1300, 100, True, id="a-mail-takes-its-size-three-times"),
        pytest.param(1299, 100, False, id="a-mail-that-would-go-below"),
    ],
)
def test_the_disk_keeps_its_free_bytes(clock: FakeClock, free_bytes: int, size_bytes: int, fits: bool) -> None:
    room = capacity(Disk(free_bytes), clock)
    if fits:
        room.check(size_bytes)
    else:
        with pytest.raises(NoRoom, match="disk"):
            room.check(size_bytes)


@pytest.mark.parametrize(
    ("spooled", "size_bytes", "fits"),
    [(500, 0, True), (501, 0, False), (400, 100, True), (400, 101, False)],
    ids=["at-the-limit", "over-it", "a-mail-that-fills-it", "a-mail-that-would-overfill-it"],
)
def test_the_spool_stays_within_its_bound(clock: FakeClock, spooled: int, size_bytes: int, fits: bool) -> None:
    room = capacity(Disk(1 << 30), clock, spooled=spooled)
    if fits:
        room.check(size_bytes)
    else:
        with pytest.raises(NoRoom, match="object store"):
            room.check(size_bytes)


def test_the_disk_is_asked_again_when_its_answer_is_old_and_not_before(clock: FakeClock) -> None:
    disk = Disk(1000)
    room = capacity(disk, clock)
    room.check()
    disk.free_bytes = 0
    clock.advance(0.25)
    room.check()
    assert disk.asked == 1

    clock.advance(0.25)
    with pytest.raises(NoRoom):
        room.check()
    disk.free_bytes = 1000
    clock.advance(0.5)
    room.check()
    assert disk.asked == 3


def test_a_real_folder_has_a_plausible_number_of_free_bytes(tmp_path: Path) -> None:
    before = disk_free_bytes(tmp_path)
    assert 0 < before < 1 << 60
    assert before % 512 == 0
