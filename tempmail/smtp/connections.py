"""How many connections are open, in all and per address, over all worker processes of one server."""

import mmap
import socket
import struct
from enum import Enum
from hashlib import blake2b

_BUCKETS = 65_536
_COUNT_MAX = 65_535
_TOTAL = struct.Struct("=I")
_SLOT_BYTES = 64 + 2 * _BUCKETS  # the total, padded to a cache line, then a u16 per bucket


class Refusal(Enum):
    """Why one more connection is not taken."""

    TOTAL = "total"
    ADDRESS = "address"


def shared_buffer(slots: int) -> mmap.mmap:
    """Anonymous memory for `slots` workers, zeroed. Made before the fork, so that all of them share it."""
    return mmap.mmap(-1, slots * _SLOT_BYTES)


class ConnectionTable:
    """Counts connections and says no at the limit.

    Each worker writes its own slot alone and reads the sum of all, so no lock is needed. Two workers that race for the
    last place may both be refused; both admitted they never are. Addresses share 65 536 buckets by a keyed hash, so
    that nobody can aim at another's bucket; IPv6 counts by /64, the least that one customer holds.

    `seed` must be equal in all workers. A dead worker's slot is cleared by whoever notices (`clear`).
    """

    def __init__(
        self, buffer: mmap.mmap | bytearray, *, slots: int, slot: int, seed: bytes, max_total: int, max_per_address: int
    ) -> None:
        if not 0 <= slot < slots or len(buffer) < slots * _SLOT_BYTES:
            raise ValueError(f"slot {slot} of {slots} does not fit the buffer")
        memory = memoryview(buffer)
        self._totals = [memory[i * _SLOT_BYTES :][: _TOTAL.size].cast("I") for i in range(slots)]
        self._buckets = [memory[i * _SLOT_BYTES + 64 : (i + 1) * _SLOT_BYTES].cast("H") for i in range(slots)]
        self._total = self._totals[slot]
        self._own = self._buckets[slot]
        self._seed = seed
        self._max_total = max_total
        self._max_per_address = min(max_per_address, _COUNT_MAX)

    def admit(self, address: str) -> int | Refusal:
        """Count one more connection from `address`; returns what `release` takes, or why it was not counted."""
        bucket = self._bucket(address)
        if self._own[bucket] == _COUNT_MAX:
            return Refusal.ADDRESS
        self._total[0] += 1
        self._own[bucket] += 1
        if sum(total[0] for total in self._totals) > self._max_total:
            self.release(bucket)
            return Refusal.TOTAL
        if sum(counts[bucket] for counts in self._buckets) > self._max_per_address:
            self.release(bucket)
            return Refusal.ADDRESS
        return bucket

    def release(self, bucket: int) -> None:
        """Give back what `admit` returned."""
        self._total[0] -= 1
        self._own[bucket] -= 1

    @property
    def total(self) -> int:
        """Open connections, over all workers."""
        return sum(total[0] for total in self._totals)

    def clear(self, slot: int) -> None:
        """Forget the connections of a worker that died."""
        self._totals[slot][0] = 0
        buckets = self._buckets[slot]
        buckets[:] = memoryview(bytes(buckets.nbytes)).cast("H")

    def _bucket(self, address: str) -> int:
        digest = blake2b(_network(address), digest_size=2, key=self._seed).digest()
        return int.from_bytes(digest, "big")


def _network(address: str) -> bytes:
    """What counts as one client: an IPv4 address (mapped ones too), the /64 of an IPv6 address, any other name."""
    try:
        if ":" not in address:
            return socket.inet_aton(address)
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except OSError:
        return address.encode()
    return packed[12:] if packed.startswith(b"\0" * 10 + b"\xff\xff") else packed[:8]
