"""Offloading and removing: over the real database, with an object store that fails as real ones do."""

from asyncio import run
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import pytest

from tempmail.adapters.objects.folder import FolderObjects
from tempmail.clock import FakeClock
from tempmail.metrics import Board
from tempmail.ports import Body, Objects, Store
from tempmail.services.offload import Offloader, OffloadOptions
from tempmail.services.spool_files import SpoolFiles
from tests.builders import NOW, RAW, incoming
from tests.memory_objects import MemoryObjects

OPTIONS = OffloadOptions(batch_entries=10, batch_bytes=1 << 20, lease_s=60, backoff_s=4, max_backoff_s=16)


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def files(tmp_path: Path, clock: FakeClock) -> SpoolFiles:
    return SpoolFiles(tmp_path / "spool", clock)


@pytest.fixture
def board() -> Board:
    return Board(1)


@pytest.fixture
def offloader(store: Store, files: SpoolFiles, objects: MemoryObjects, clock: FakeClock, board: Board) -> Offloader:
    return offloader_to(objects, store, files, clock, board)


def offloader_to(objects: Objects, store: Store, files: SpoolFiles, clock: FakeClock, board: Board) -> Offloader:
    return Offloader(
        spool=store.spool, files=files, objects=objects, clock=clock, metrics=board.slot(0), options=OPTIONS
    )


def add(store: Store, body: bytes = RAW) -> tuple[str, int]:
    """Store one mail; its object key and id."""
    [stored] = run(store.mail.add([incoming(body=body)]))
    return stored.object_key, stored.message_ids[0]


def add_in_file(store: Store, files: SpoolFiles, body: bytes = RAW) -> tuple[str, int]:
    """The same for a large mail, as ingest stores it."""
    [stored] = run(store.mail.add([incoming(uuid="6a8f", body=files.write("6a8f", body))]))
    return stored.object_key, stored.message_ids[0]


def seconds_until_work(clock: FakeClock, batch: Callable[[], Coroutine[None, None, int]]) -> int:
    """Move the clock on until there is something to do, and do it; the seconds that took."""
    for second in range(1_000):
        if run(batch()):
            return second
        clock.advance(1)
    raise AssertionError("nothing became due")


def test_an_idle_queue_is_no_work(offloader: Offloader) -> None:
    assert (run(offloader.offload_batch()), run(offloader.delete_batch())) == (0, 0)


def test_spooled_bodies_move_to_the_object_store_and_leave_the_spool(
    store: Store, offloader: Offloader, objects: MemoryObjects, board: Board
) -> None:
    keys = [add(store, body)[0] for body in (b"one", b"two")]
    assert run(offloader.offload_batch()) == 2
    assert objects.bodies == dict(zip(keys, (b"one", b"two"), strict=True))
    assert run(store.spool.size()) == (0, 0)
    assert board.total("offload_total", "stored") == 2


def test_bodies_and_their_removal_reach_a_real_folder(
    store: Store, files: SpoolFiles, clock: FakeClock, board: Board, tmp_path: Path
) -> None:
    folder = FolderObjects(tmp_path / "objects")
    offloader = offloader_to(folder, store, files, clock, board)
    key, small = add(store)
    large_key, large = add_in_file(store, files, b"m" * 300_000)

    assert run(offloader.offload_batch()) == 2
    assert (tmp_path / "objects" / key).read_bytes() == RAW
    assert run(folder.get(large_key)) == b"m" * 300_000
    assert list((tmp_path / "spool").iterdir()) == []

    for message_id in (small, large):
        run(store.mail.delete(message_id, now=NOW))
    assert run(offloader.delete_batch()) == 2
    assert list((tmp_path / "objects").rglob("*.eml")) == []
    run(folder.close())


def test_what_one_batch_leaves_is_moved_by_the_next(store: Store, offloader: Offloader) -> None:
    for _ in range(OPTIONS.batch_entries + 1):
        add(store)
    assert [run(offloader.offload_batch()) for _ in range(3)] == [OPTIONS.batch_entries, 1, 0]


def test_a_round_asks_for_another_at_once_only_after_a_full_batch(store: Store, offloader: Offloader) -> None:
    for _ in range(OPTIONS.batch_entries + 1):
        add(store)
    assert [run(offloader.offload_round()) for _ in range(2)] == [OPTIONS.batch_entries, 0]
    assert run(store.spool.size()) == (0, 0)


@pytest.mark.parametrize(
    ("size_bytes", "did"), [(OPTIONS.batch_bytes // 2, 0), (OPTIONS.batch_bytes // 2 + 1, 1)], ids=["half", "over-half"]
)
def test_a_batch_is_full_where_its_bytes_may_have_kept_another_out(
    store: Store, offloader: Offloader, size_bytes: int, did: int
) -> None:
    add(store, b"m" * size_bytes)
    assert run(offloader.offload_round()) == did
    assert run(store.spool.size()) == (0, 0)


def test_a_failed_body_stays_spooled_and_its_neighbours_move(
    store: Store, offloader: Offloader, objects: MemoryObjects, board: Board, clock: FakeClock
) -> None:
    (bad, _), (good, _) = add(store), add(store)
    objects.refused = {bad}
    run(offloader.offload_batch())
    assert (set(objects.bodies), run(store.spool.size())[0]) == ({good}, 1)
    assert (board.total("offload_total", "stored"), board.total("offload_total", "failed")) == (1, 1)

    objects.refused = set()
    assert 2 <= seconds_until_work(clock, offloader.offload_batch) <= 4
    assert (set(objects.bodies), run(store.spool.size())[0]) == ({good, bad}, 0)


def test_waits_after_failures_double_up_to_a_limit(
    store: Store, offloader: Offloader, objects: MemoryObjects, clock: FakeClock
) -> None:
    add(store)
    objects.down = True
    run(offloader.offload_batch())
    for longest in (4, 8, 16, 16, 16):
        assert longest // 2 <= seconds_until_work(clock, offloader.offload_batch) <= longest


class DiesAfterPut(MemoryObjects):
    """The process ends between the upload and the transaction that would record it."""

    async def put_many(self, uploads: Sequence[tuple[str, Body]]) -> list[Exception | None]:
        await super().put_many(uploads)
        raise RuntimeError("killed")


def test_a_crash_between_upload_and_record_costs_a_second_upload_and_nothing_else(
    store: Store, files: SpoolFiles, clock: FakeClock, board: Board
) -> None:
    key, _ = add(store)
    dying, living = DiesAfterPut(), MemoryObjects()
    living.bodies = dying.bodies
    with pytest.raises(RuntimeError):
        run(offloader_to(dying, store, files, clock, board).offload_batch())
    assert run(store.spool.size())[0] == 1

    clock.advance(OPTIONS.lease_s - 1)
    another = offloader_to(living, store, files, clock, board)
    assert run(another.offload_batch()) == 0
    clock.advance(1)
    assert run(another.offload_batch()) == 1
    assert living.bodies == {key: RAW}
    assert run(store.spool.size()) == (0, 0)
    assert run(store.spool.pending_deletes()) == 0


class DeletedMeanwhile(MemoryObjects):
    """A user deletes the mail while its body is on its way."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        super().__init__()
        self._store = store
        self._clock = clock

    async def put_many(self, uploads: Sequence[tuple[str, Body]]) -> list[Exception | None]:
        await self._store.mail.delete(1, now=NOW)
        return await super().put_many(uploads)


@pytest.mark.parametrize("large", [False, True], ids=["in-the-database", "in-a-spool-file"])
def test_a_mail_deleted_during_its_upload_leaves_nothing_behind(
    store: Store, files: SpoolFiles, clock: FakeClock, board: Board, tmp_path: Path, large: bool
) -> None:
    objects = DeletedMeanwhile(store, clock)
    offloader = offloader_to(objects, store, files, clock, board)
    add_in_file(store, files) if large else add(store)
    run(offloader.offload_batch())
    clock.advance(OPTIONS.lease_s)
    run(offloader.delete_batch())

    assert objects.bodies == {}
    assert list((tmp_path / "spool").iterdir()) == []
    assert (run(store.spool.size()), run(store.spool.pending_deletes())) == ((0, 0), 0)


def test_a_large_body_deleted_before_its_upload_takes_its_spool_file_with_it(
    store: Store, files: SpoolFiles, offloader: Offloader, tmp_path: Path
) -> None:
    _, message_id = add_in_file(store, files)
    run(store.mail.delete(message_id, now=NOW))
    assert run(offloader.delete_batch()) == 1
    assert list((tmp_path / "spool").iterdir()) == []


def test_failed_deletes_are_tried_again_later_and_counted(
    store: Store, offloader: Offloader, objects: MemoryObjects, board: Board, clock: FakeClock
) -> None:
    (bad, _), (good, _) = added = [add(store), add(store)]
    run(offloader.offload_batch())
    for _, message_id in added:
        run(store.mail.delete(message_id, now=NOW))
    objects.refused = {bad}
    assert run(offloader.delete_batch()) == 2
    assert (set(objects.bodies), run(store.spool.pending_deletes())) == ({bad}, 1)
    assert good not in objects.bodies
    assert (board.total("object_deletes_total", "removed"), board.total("object_deletes_total", "failed")) == (1, 1)

    for longest in (4, 8, 16):
        assert longest // 2 <= seconds_until_work(clock, offloader.delete_batch) <= longest
    objects.refused = set()
    seconds_until_work(clock, offloader.delete_batch)
    assert (objects.bodies, run(store.spool.pending_deletes())) == ({}, 0)


def test_an_object_with_a_foreign_key_is_removed_without_touching_the_spool_folder(
    store: Store, offloader: Offloader, objects: MemoryObjects, tmp_path: Path
) -> None:
    objects.bodies = {"backup.tar": b"", "x/101500-...eml": b""}
    for key in objects.bodies:
        run(store.spool.queue_delete(key, due=NOW))
    assert run(offloader.delete_batch()) == 2
    assert (objects.bodies, run(store.spool.pending_deletes())) == ({}, 0)
    assert (tmp_path / "spool").is_dir()


def test_what_waits_is_published_for_all_processes(store: Store, offloader: Offloader, board: Board) -> None:
    add(store, b"12345")
    run(store.spool.queue_delete("a.eml", due=NOW))
    run(offloader.measure())
    published = {name: board.total(name) for name in ("spool_entries", "spool_bytes", "object_deletes_pending")}
    assert published == {"spool_entries": 1, "spool_bytes": 5, "object_deletes_pending": 1}


def test_what_crashes_left_is_removed_and_spool_files_of_entries_stay(
    store: Store, files: SpoolFiles, offloader: Offloader, objects: MemoryObjects, clock: FakeClock, tmp_path: Path
) -> None:
    objects.unfinished = 2
    add_in_file(store, files)
    files.write("stray", RAW)
    clock.advance(10 * 365 * 86_400)  # files carry the machine's own time
    assert run(offloader.remove_strays()) == 3
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["6a8f.eml"]
