"""A raw mail is found wherever it is, also while it moves."""

from asyncio import run
from pathlib import Path

import pytest

from tempmail.clock import FakeClock
from tempmail.errors import NotFound, ObjectsUnavailable
from tempmail.ports import Store
from tempmail.services.bodies import Bodies
from tempmail.services.spool_files import SpoolFiles
from tests.builders import NOW, RAW, incoming
from tests.memory_objects import MemoryObjects


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def files(tmp_path: Path, clock: FakeClock) -> SpoolFiles:
    return SpoolFiles(tmp_path / "spool", clock)


@pytest.fixture
def bodies(store: Store, files: SpoolFiles, objects: MemoryObjects) -> Bodies:
    return Bodies(store.spool, files, objects)


def add(store: Store, body: bytes | Path = RAW) -> str:
    [stored] = run(store.mail.add([incoming(body=body)]))
    return stored.object_key


def test_a_spooled_body_is_read_while_the_object_store_is_down(
    store: Store, bodies: Bodies, objects: MemoryObjects
) -> None:
    objects.down = True
    assert run(bodies.read(add(store))) == RAW


def test_an_empty_spooled_body_is_read_as_such(store: Store, bodies: Bodies, objects: MemoryObjects) -> None:
    objects.down = True
    assert run(bodies.read(add(store, b""))) == b""


def test_a_body_in_a_spool_file_is_read_from_it(
    store: Store, bodies: Bodies, files: SpoolFiles, objects: MemoryObjects
) -> None:
    objects.down = True
    assert run(bodies.read(add(store, files.write("u1", RAW)))) == RAW


def test_an_offloaded_body_is_read_from_the_object_store(store: Store, bodies: Bodies, objects: MemoryObjects) -> None:
    key = add(store)
    objects.bodies[key] = RAW
    run(store.spool.finish([key], now=NOW))
    assert run(bodies.read(key)) == RAW


def test_a_file_that_went_after_its_entry_was_read_is_found_in_the_object_store(
    store: Store, bodies: Bodies, files: SpoolFiles, objects: MemoryObjects
) -> None:
    key = add(store, files.write("u1", RAW))
    objects.bodies[key] = RAW
    files.remove("u1.eml")
    assert run(bodies.read(key)) == RAW


def test_a_body_that_is_nowhere_is_not_found(bodies: Bodies) -> None:
    with pytest.raises(NotFound):
        run(bodies.read("2023/11/14/box/221320-u1.eml"))


def test_a_store_that_is_down_is_told_and_not_taken_for_a_missing_body(bodies: Bodies, objects: MemoryObjects) -> None:
    objects.down = True
    with pytest.raises(ObjectsUnavailable):
        run(bodies.read("2023/11/14/box/221320-u1.eml"))
