"""The contract of `ports.Spool`: bodies that wait for the object store, claimed by lease."""

from asyncio import gather, run
from pathlib import Path

import pytest

from tempmail.adapters.sql.script import STATEMENT_ROWS
from tempmail.ports import SpoolEntry, Store
from tests.builders import NOW, RAW, at, incoming


def spool(store: Store, *bodies: bytes) -> list[str]:
    """Store a mail for each body; their object keys."""
    return [mail.object_key for mail in run(store.mail.add([incoming(body=body) for body in bodies]))]


def claim(
    store: Store, second: float = 0, *, lease: float = 60, limit: int = 100, max_bytes: int = 1 << 20
) -> list[str]:
    claimed = run(store.spool.claim(now=at(second), until=at(second + lease), limit=limit, max_bytes=max_bytes))
    return [entry.object_key for entry in claimed]


def test_a_claimed_entry_carries_its_body(store: Store) -> None:
    [key] = spool(store, RAW)
    [entry] = run(store.spool.claim(now=NOW, until=at(60), limit=1, max_bytes=1))
    assert entry == SpoolEntry(key, size_bytes=len(RAW), body=RAW, file_name=None, attempts=1)


@pytest.mark.parametrize("body", [b"", bytes(range(256))], ids=["empty", "every-byte"])
def test_a_body_is_read_back_byte_for_byte_while_it_waits(store: Store, body: bytes) -> None:
    [key] = spool(store, body)
    entry = run(store.spool.body(key))
    assert entry is not None
    assert entry.body == body


def test_what_is_not_spooled_has_no_entry(store: Store) -> None:
    assert run(store.spool.body("2023/none.eml")) is None


def test_size_counts_entries_and_bytes(store: Store) -> None:
    spool(store, b"12", b"345")
    assert run(store.spool.size()) == (2, 5)


def test_nothing_is_claimed_before_it_is_due(store: Store) -> None:
    run(store.mail.add([incoming(received_at=at(1))]))
    assert (claim(store, 0), len(claim(store, 1))) == ([], 1)


def test_entries_are_claimed_oldest_due_first_within_the_limit(store: Store) -> None:
    keys = spool(store, b"1", b"2", b"3")
    assert claim(store, limit=2) == keys[:2]
    assert claim(store, limit=2) == keys[2:]


@pytest.mark.parametrize(
    ("max_bytes", "count"), [(0, 1), (19, 1), (20, 2), (29, 2), (30, 3)], ids=lambda value: str(value)
)
def test_a_claim_stays_within_max_bytes_but_takes_at_least_one(store: Store, max_bytes: int, count: int) -> None:
    spool(store, *[b"0123456789"] * 3)
    assert len(claim(store, max_bytes=max_bytes)) == count


def test_each_of_many_claimed_entries_has_its_own_body_or_file(store: Store, tmp_path: Path) -> None:
    count = 2 * STATEMENT_ROWS + 1
    file = tmp_path / "large.eml"
    file.write_bytes(b"large")
    batch = [incoming(body=file if number % 3 == 0 else b"m%d" % number) for number in range(count)]
    keys = [mail.object_key for mail in run(store.mail.add(batch))]
    claimed = run(store.spool.claim(now=NOW, until=at(60), limit=count, max_bytes=1 << 20))
    assert [(entry.object_key, entry.body, entry.file_name) for entry in claimed] == [
        (key, None, "large.eml") if number % 3 == 0 else (key, b"m%d" % number, None) for number, key in enumerate(keys)
    ]
    files = run(store.spool.finish(keys, now=NOW))
    assert files == ["large.eml"] * (count // 3)
    assert run(store.spool.size()) == (0, 0)
    assert run(store.spool.pending_deletes()) == 0


def test_a_lease_keeps_others_out_until_its_very_end(store: Store, other_store: Store) -> None:
    [key] = spool(store, RAW)
    assert claim(store, 0, lease=60) == [key]
    assert claim(other_store, 59) == []
    assert claim(other_store, 60) == [key]


def test_two_claimers_at_once_never_get_the_same_entry(store: Store, other_store: Store) -> None:
    keys = spool(store, *[RAW] * 40)

    async def race() -> list[str]:
        claims = (
            side.spool.claim(now=NOW, until=at(60), limit=3, max_bytes=1 << 20) for side in (store, other_store) * 7
        )
        return [entry.object_key for claimed in await gather(*claims) for entry in claimed]

    assert sorted(run(race())) == sorted(keys)


def test_attempts_count_the_claims(store: Store) -> None:
    spool(store, RAW)
    attempts = [
        run(store.spool.claim(now=at(second), until=at(second + 1), limit=1, max_bytes=1))[0].attempts
        for second in range(3)
    ]
    assert attempts == [1, 2, 3]


def test_a_failed_entry_is_due_again_when_told_and_keeps_its_body(store: Store) -> None:
    [key] = spool(store, RAW)
    claim(store, 0, lease=300)
    run(store.spool.retry(key, error="the object store is away" * 100, due=at(4)))
    assert claim(store, 3) == []
    assert claim(store, 4) == [key]
    entry = run(store.spool.body(key))
    assert entry is not None
    assert entry.body == RAW


def test_a_finished_entry_is_gone_and_its_message_stays(store: Store) -> None:
    [mail] = run(store.mail.add([incoming()]))
    claim(store)
    assert run(store.spool.finish([mail.object_key], now=NOW)) == []
    assert run(store.spool.body(mail.object_key)) is None
    assert run(store.spool.size()) == (0, 0)
    assert run(store.spool.pending_deletes()) == 0
    assert run(store.mail.get(mail.message_ids[0])) is not None
