"""Is there room for more mail: the disk guard and the spool's bound.

Mail is refused with a temporary error before it is taken, while there is still room to finish what was begun.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tempmail.clock import Clock
from tempmail.errors import NoRoom


@dataclass(frozen=True, slots=True)
class CapacityLimits:
    """`disk_min_free_bytes`: what must stay free on the data directory's disk. `spool_max_bytes`: what may wait for
    the object store. `recheck_s`: how old an answer of the disk may be."""

    disk_min_free_bytes: int
    spool_max_bytes: int
    recheck_s: float = 0.5


def disk_free_bytes(folder: Path) -> int:
    """What this program may still write on the disk of `folder`. Without free inodes that is nothing."""
    disk = os.statvfs(folder)
    has_inodes = disk.f_files == 0 or disk.f_favail > 0
    return disk.f_bavail * disk.f_frsize if has_inodes else 0


class Capacity:
    """`spooled_bytes` tells how much waits; it is asked at every check, so it must be cheap. `disk_free` is asked
    again when its answer is `recheck_s` old."""

    def __init__(
        self,
        data_dir: Path,
        limits: CapacityLimits,
        *,
        spooled_bytes: Callable[[], float],
        clock: Clock,
        disk_free: Callable[[Path], int] = disk_free_bytes,
    ) -> None:
        self._data_dir = data_dir
        self._limits = limits
        self._spooled_bytes = spooled_bytes
        self._clock = clock
        self._disk_free = disk_free
        self._free_bytes = 0
        self._asked_at = float("-inf")

    def check(self, size_bytes: int = 0) -> None:
        """Raises `NoRoom` where a mail of `size_bytes` (0 if unknown) could not be kept safely."""
        # A mail is written to the spool, to the write-ahead log, and to a local object store.
        if self.free_bytes() - 3 * size_bytes < self._limits.disk_min_free_bytes:
            raise NoRoom("the disk is nearly full")
        if self._spooled_bytes() + size_bytes > self._limits.spool_max_bytes:
            raise NoRoom("too much mail waits for the object store")

    def free_bytes(self) -> int:
        """Free bytes of the disk, at most `recheck_s` old."""
        now = self._clock.monotonic()
        if now - self._asked_at >= self._limits.recheck_s:
            self._asked_at = now
            self._free_bytes = self._disk_free(self._data_dir)
        return self._free_bytes
