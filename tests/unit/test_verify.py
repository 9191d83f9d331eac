"""Rows and objects agree, or each disagreement is named once; what merely moves is none."""

import sqlite3
from asyncio import run
from contextlib import closing
from pathlib import Path

import pytest

from tempmail.clock import FakeClock
from tempmail.domain.messages import StoredMail
from tempmail.errors import NotFound, ObjectsUnavailable
from tempmail.metrics import Board
from tempmail.ports import CHECK_FOLDER, Store
from tempmail.services.offload import Offloader
from tempmail.services.spool_files import SpoolFiles
from tempmail.services.verify import Fault, Verifier
from tests.builders import NOW, RAW, incoming
from tests.memory_objects import MemoryObjects


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def files(tmp_path: Path, clock: FakeClock) -> SpoolFiles:
    return SpoolFiles(tmp_path / "spool", clock)


@pytest.fixture
def verifier(store: Store, files: SpoolFiles, objects: MemoryObjects, clock: FakeClock) -> Verifier:
    return Verifier(store, objects, files, clock)


def faults(verifier: Verifier, *, fix: bool = False) -> list[Fault]:
    async def collect() -> list[Fault]:
        return [fault async for fault in verifier.faults(fix=fix)]

    return run(collect())


def add(store: Store, count: int = 1, *to: str) -> list[StoredMail]:
    return run(store.mail.add([incoming(*to) for _ in range(count)]))


def offloaded(store: Store, objects: MemoryObjects, count: int = 1, *to: str) -> list[StoredMail]:
    """Mails whose bodies are objects."""
    stored = add(store, count, *to)
    for mail in stored:
        objects.bodies[mail.object_key] = RAW
    run(store.spool.finish([mail.object_key for mail in stored], now=NOW))
    return stored


def test_an_empty_server_has_no_faults(verifier: Verifier) -> None:
    assert faults(verifier) == []


def test_bodies_in_spool_spool_file_and_object_store_are_no_faults(
    store: Store, objects: MemoryObjects, files: SpoolFiles, verifier: Verifier
) -> None:
    add(store)
    offloaded(store, objects, 2, "a@t.example", "b@t.example")
    run(store.mail.add([incoming(uuid="u1", body=files.write("u1", RAW))]))
    assert faults(verifier) == []
    assert (verifier.checked.bodies, verifier.checked.objects) == (4, 2)


def test_a_stored_object_whose_entry_is_still_spooled_is_no_fault(
    store: Store, objects: MemoryObjects, verifier: Verifier
) -> None:
    [mail] = add(store)
    objects.bodies[mail.object_key] = RAW
    assert faults(verifier) == []


def test_a_message_without_its_body_is_missing_and_cannot_be_fixed(
    store: Store, objects: MemoryObjects, verifier: Verifier
) -> None:
    lost, _ = offloaded(store, objects, 2, "a@t.example", "b@t.example")
    del objects.bodies[lost.object_key]
    assert faults(verifier, fix=True) == [Fault("missing", lost.object_key, fixed=False)]


def test_the_object_of_a_check_under_way_is_no_orphan(objects: MemoryObjects, verifier: Verifier) -> None:
    objects.bodies[f"{CHECK_FOLDER}1.eml"] = b"check"
    assert faults(verifier) == []


def test_a_row_without_an_object_key_is_no_fault(store: Store, verifier: Verifier, database: Path) -> None:
    [mail] = add(store)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("update messages set r2_object_key = '' where id = ?", mail.message_ids)
    assert faults(verifier) == []


@pytest.mark.parametrize("fix", [False, True], ids=["told", "fixed"])
def test_an_object_without_a_message_is_an_orphan_and_goes_with_fix(
    store: Store, objects: MemoryObjects, verifier: Verifier, files: SpoolFiles, clock: FakeClock, fix: bool
) -> None:
    [kept] = offloaded(store, objects)
    orphans = ["0000/first.eml", f"{kept.object_key}.orphan", "zzzz/last.eml"]
    objects.bodies |= dict.fromkeys(orphans, RAW)

    assert faults(verifier, fix=fix) == [Fault("orphan", key, fixed=fix) for key in orphans]
    offloader = Offloader(spool=store.spool, files=files, objects=objects, clock=clock, metrics=Board(1).slot(0))
    assert run(offloader.delete_batch()) == (3 if fix else 0)
    assert faults(verifier) == ([] if fix else [Fault("orphan", key, fixed=False) for key in orphans])
    assert kept.object_key in objects.bodies


def test_an_object_that_is_queued_for_removal_is_no_orphan(
    store: Store, objects: MemoryObjects, verifier: Verifier
) -> None:
    [mail] = offloaded(store, objects)
    run(store.mail.delete(mail.message_ids[0], now=NOW))
    assert faults(verifier) == []


def test_a_spool_entry_whose_file_is_gone_is_a_lost_spool_file(
    store: Store, files: SpoolFiles, verifier: Verifier
) -> None:
    [mail] = run(store.mail.add([incoming(uuid="u1", body=files.write("u1", RAW))]))
    files.remove("u1.eml")
    assert faults(verifier) == [Fault("lost_spool_file", mail.object_key, fixed=False)]


def test_more_keys_than_one_page_holds_are_all_compared(
    store: Store, objects: MemoryObjects, verifier: Verifier
) -> None:
    stored = offloaded(store, objects, 1_001)
    last = max(mail.object_key for mail in stored)
    del objects.bodies[last]
    assert faults(verifier) == [Fault("missing", last, fixed=False)]
    assert (verifier.checked.bodies, verifier.checked.objects) == (1_001, 1_000)


class Moving(MemoryObjects):
    """While one key is looked for, something else happens to it."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store

    async def get(self, key: str) -> bytes:
        found = await self._store.mail.get(1)
        if found is not None:
            await self._store.mail.delete(1, now=NOW)
            raise NotFound("It was removed in this very moment.")
        return await super().get(key)


def test_a_message_that_is_deleted_under_way_is_not_missing(store: Store, files: SpoolFiles, clock: FakeClock) -> None:
    objects = Moving(store)
    offloaded(store, objects)
    objects.bodies.clear()
    assert faults(Verifier(store, objects, files, clock)) == []


class Stale(MemoryObjects):
    """What was listed has been removed since."""

    async def get(self, key: str) -> bytes:
        raise NotFound("There is no such object.")


def test_an_object_that_is_removed_under_way_is_no_orphan(store: Store, files: SpoolFiles, clock: FakeClock) -> None:
    stale = Stale()
    stale.bodies = {"2023/gone.eml": RAW}
    assert faults(Verifier(store, stale, files, clock), fix=True) == []
    assert run(store.spool.pending_deletes()) == 0


def test_a_store_that_is_down_is_told_and_no_body_is_called_missing(
    store: Store, objects: MemoryObjects, verifier: Verifier
) -> None:
    offloaded(store, objects)
    objects.down = True
    with pytest.raises(ObjectsUnavailable):
        faults(verifier)
