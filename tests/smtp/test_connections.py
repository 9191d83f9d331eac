"""Connection limits over several workers."""

import os

import pytest

from tempmail.smtp.connections import ConnectionTable, Refusal, shared_buffer


def table(
    *, slots: int = 1, slot: int = 0, max_total: int = 1000, max_per_address: int = 1000, buffer: object = None
) -> ConnectionTable:
    return ConnectionTable(
        buffer or shared_buffer(slots),  # type: ignore[arg-type]  # a test passes the one it shares
        slots=slots,
        slot=slot,
        seed=b"0123456789abcdef",
        max_total=max_total,
        max_per_address=max_per_address,
    )


def test_limits_hold_over_all_workers() -> None:
    buffer = shared_buffer(3)
    first, second, third = (table(buffer=buffer, slots=3, slot=i, max_per_address=2, max_total=4) for i in range(3))
    assert isinstance(first.admit("192.0.2.1"), int)
    assert isinstance(second.admit("192.0.2.1"), int)
    assert third.admit("192.0.2.1") is Refusal.ADDRESS
    assert isinstance(third.admit("192.0.2.2"), int)
    assert isinstance(third.admit("192.0.2.3"), int)
    assert first.admit("192.0.2.4") is Refusal.TOTAL
    assert first.total == second.total == third.total == 4


def test_a_refused_connection_is_not_counted() -> None:
    limited = table(max_per_address=1)
    bucket = limited.admit("192.0.2.1")
    assert isinstance(bucket, int)
    for _ in range(3):
        assert limited.admit("192.0.2.1") is Refusal.ADDRESS
    limited.release(bucket)
    assert limited.total == 0
    assert isinstance(limited.admit("192.0.2.1"), int)


def test_ipv6_counts_by_64_bits() -> None:
    limited = table(max_per_address=1)
    assert isinstance(limited.admit("2001:db8:0:1::1"), int)
    assert limited.admit("2001:db8:0:1:ffff::2") is Refusal.ADDRESS
    assert isinstance(limited.admit("2001:db8:0:2::1"), int)


def test_a_mapped_ipv4_address_is_that_address() -> None:
    limited = table(max_per_address=1)
    assert isinstance(limited.admit("::ffff:192.0.2.1"), int)
    assert limited.admit("192.0.2.1") is Refusal.ADDRESS
    assert isinstance(limited.admit("::ffff:192.0.2.2"), int)


@pytest.mark.parametrize("name", ["", "fe80::1%eth0", "/run/socket", "not an address"])
def test_any_name_can_be_counted(name: str) -> None:
    limited = table(max_per_address=1)
    assert isinstance(limited.admit(name), int)
    assert limited.admit(name) is Refusal.ADDRESS


def test_a_dead_workers_connections_are_forgotten() -> None:
    buffer = shared_buffer(2)
    survivor, dead = (table(buffer=buffer, slots=2, slot=i, max_per_address=2) for i in range(2))
    assert isinstance(survivor.admit("192.0.2.1"), int)
    assert isinstance(dead.admit("192.0.2.1"), int)
    survivor.clear(1)
    assert survivor.total == 1
    assert isinstance(survivor.admit("192.0.2.1"), int)
    assert survivor.admit("192.0.2.1") is Refusal.ADDRESS


def test_a_forked_worker_shares_the_counts() -> None:
    buffer = shared_buffer(2)
    parent = table(buffer=buffer, slots=2, slot=0)
    pid = os.fork()
    if pid == 0:
        table(buffer=buffer, slots=2, slot=1).admit("192.0.2.1")
        os._exit(0)
    os.waitpid(pid, 0)
    assert parent.total == 1


def test_the_seed_decides_who_shares_a_bucket() -> None:
    addresses = [f"198.51.{i // 250}.{i % 250}" for i in range(500)]

    def buckets(seed: bytes) -> list[int | Refusal]:
        seeded = ConnectionTable(shared_buffer(1), slots=1, slot=0, seed=seed, max_total=1000, max_per_address=1000)
        return [seeded.admit(address) for address in addresses]

    assert buckets(b"one") == buckets(b"one")
    assert buckets(b"one") != buckets(b"two")
    assert len(set(buckets(b"one"))) > 490


def test_a_slot_outside_the_buffer_is_refused() -> None:
    for slots, slot in ((1, 1), (2, 0), (1, -1)):
        with pytest.raises(ValueError, match="does not fit"):
            table(buffer=shared_buffer(1), slots=slots, slot=slot)
