"""The local folder as an object store."""

import asyncio
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tempmail.adapters.objects.folder import BATCH, STALE_AFTER_S, FolderObjects
from tempmail.errors import NotFound, ObjectsUnavailable
from tests.contract.objects_suite import KEY, MAIL, ObjectsSuite, keys_of, put, run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "objects"


@pytest.fixture
def objects(root: Path) -> Iterator[FolderObjects]:
    folder = FolderObjects(root)
    yield folder
    asyncio.run(folder.close())


class TestFolder(ObjectsSuite):
    pass


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """No file of this process grows past `size_bytes`: the nearest to a full disk that a test can have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files_below(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def test_a_key_at_the_length_limit_is_kept(objects: FolderObjects) -> None:
    key = "/".join(["a" * 204] * 5)
    assert len(key) == 1024

    async def case() -> bytes:
        await put(objects, key, MAIL)
        return await objects.get(key)

    assert run(case) == MAIL


def test_only_the_owner_can_read_what_is_stored(objects: FolderObjects, root: Path) -> None:
    run(lambda: put(objects, KEY, MAIL))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [root, *root.rglob("*")] if path.is_dir()}
    assert modes == {0o700}
    assert stat.S_IMODE((root / KEY).stat().st_mode) == 0o600


def test_a_path_on_the_same_disk_is_linked_not_copied(objects: FolderObjects, root: Path, tmp_path: Path) -> None:
    spooled = tmp_path / "spooled"
    spooled.write_bytes(MAIL)
    run(lambda: put(objects, KEY, spooled))
    assert (root / KEY).samefile(spooled)


def test_a_path_on_another_disk_is_copied(objects: FolderObjects, root: Path) -> None:
    # The kernel refuses every link across file systems, so one of its own files stands for another disk.
    elsewhere = Path("/proc/self/limits")
    run(lambda: put(objects, KEY, elsewhere))
    assert (root / KEY).read_bytes() == elsewhere.read_bytes()
    assert stat.S_IMODE((root / KEY).stat().st_mode) == 0o600


def test_deleting_the_last_object_removes_its_folders(objects: FolderObjects, root: Path) -> None:
    neighbour = "2026/11/21/box@example.com/a.eml"

    async def case() -> None:
        await objects.put_many([(KEY, MAIL), (neighbour, MAIL)])
        await objects.delete_many([KEY])

    run(case)
    assert sorted(path.name for path in (root / "2026/11").iterdir()) == ["21"]
    run(lambda: objects.delete_many([neighbour]))
    assert [path.name for path in root.iterdir()] == [".tmp"]


def test_a_crashed_writers_file_is_invisible_and_swept_when_stale(objects: FolderObjects, root: Path) -> None:
    left = root / ".tmp" / "left-by-a-crash"
    left.write_bytes(b"half a ma")
    changed = left.stat().st_ctime

    async def case() -> tuple[list[str], int, int]:
        listed = await keys_of(objects)
        at_limit = await objects.sweep(changed + STALE_AFTER_S)
        return listed, at_limit, await objects.sweep(changed + STALE_AFTER_S + 1)

    assert run(case) == ([], 0, 1)
    assert files_below(root) == []


def test_a_sweep_spares_a_link_to_an_old_file(objects: FolderObjects, root: Path, tmp_path: Path) -> None:
    spooled = tmp_path / "spooled"
    spooled.write_bytes(MAIL)
    os.utime(spooled, (0, 0))
    os.link(spooled, root / ".tmp" / "being-put")
    assert run(lambda: objects.sweep(spooled.stat().st_ctime)) == 0


def test_finished_puts_leave_no_temporary_file(objects: FolderObjects, root: Path, tmp_path: Path) -> None:
    spooled = tmp_path / "spooled"
    spooled.write_bytes(MAIL)

    async def case() -> None:
        await objects.put_many([(KEY, spooled), (KEY, spooled), ("b", MAIL), ("../c", MAIL)])

    run(case)
    assert files_below(root / ".tmp") == []


@pytest.mark.parametrize("key", [".tmp/a.eml", ".tmp", "lost+found/a.eml"])
def test_names_that_the_folder_keeps_for_itself_are_refused(objects: FolderObjects, key: str) -> None:
    async def case() -> tuple[list[Exception | None], list[Exception | None]]:
        with pytest.raises(ValueError, match="object key"):
            await objects.get(key)
        return await objects.put_many([(key, MAIL)]), await objects.delete_many([key])

    [put_fault], [delete_fault] = run(case)
    assert isinstance(put_fault, ValueError)
    assert isinstance(delete_fault, ValueError)


def test_foreign_files_and_links_are_left_out_of_the_walk(objects: FolderObjects, root: Path) -> None:
    run(lambda: put(objects, KEY, MAIL))
    (root / "back\\slash").write_bytes(b"")
    (root / "new\nline").mkdir()
    (root / "new\nline" / "a").write_bytes(b"")
    (root / os.fsdecode(b"not-utf8-\xff")).write_bytes(b"")
    (root / "loop").symlink_to(root)
    (root / "link").symlink_to(root / KEY)
    (root / "lost+found").mkdir()
    assert run(lambda: keys_of(objects)) == [KEY]


@pytest.mark.parametrize("count", [BATCH - 1, BATCH, BATCH + 1])
def test_a_batch_of_any_size_is_stored_whole(objects: FolderObjects, root: Path, count: int) -> None:
    uploads = [(f"2026/{n}@example.com/a.eml", MAIL) for n in range(count)]
    assert run(lambda: objects.put_many(uploads)) == [None] * count
    assert len(files_below(root)) == count


def test_a_body_that_the_disk_cannot_take_fails_alone_and_leaves_nothing(objects: FolderObjects, root: Path) -> None:
    with largest_file(10_000):
        outcomes = run(
            lambda: objects.put_many([("a.eml", MAIL), ("large.eml", b"x" * 10_001), ("c.eml", b"x" * 10_000)])
        )
    assert outcomes[0] is None
    assert outcomes[2] is None
    assert isinstance(outcomes[1], ObjectsUnavailable)
    assert isinstance(outcomes[1].__cause__, OSError)
    assert sorted(path.name for path in files_below(root)) == ["a.eml", "c.eml"]


def test_an_object_in_the_way_of_a_folder_is_unavailable_not_lost(objects: FolderObjects, root: Path) -> None:
    async def case() -> tuple[list[Exception | None], bytes, list[Exception | None]]:
        await put(objects, "a", MAIL)
        outcomes = await objects.put_many([("a/b", MAIL), ("c", MAIL)])
        with pytest.raises(NotFound):
            await objects.get("a/b")
        return outcomes, await objects.get("a"), await objects.delete_many(["a/b"])

    outcomes, body, deleted = run(case)
    assert isinstance(outcomes[0], ObjectsUnavailable)
    assert outcomes[1] is None
    assert body == MAIL
    assert deleted == [None]
    assert files_below(root / ".tmp") == []


def test_a_folder_whose_disk_is_not_mounted_is_unavailable_not_empty(objects: FolderObjects, root: Path) -> None:
    run(lambda: put(objects, KEY, MAIL))
    root.rename(root.with_name("unmounted"))
    root.mkdir()

    async def case() -> None:
        for operation in (objects.get(KEY), keys_of(objects), objects.delete_many([KEY]), objects.check()):
            with pytest.raises(ObjectsUnavailable, match="mount its disk"):
                await operation
        [fault] = await objects.put_many([(KEY, MAIL)])
        assert isinstance(fault, ObjectsUnavailable)

    run(case)
    assert list(root.iterdir()) == []


def test_check_names_the_folder_and_what_to_do(objects: FolderObjects, root: Path) -> None:
    (root / "check").write_bytes(b"")
    with pytest.raises(ObjectsUnavailable) as caught:
        run(objects.check)
    assert str(root) in str(caught.value)
    assert "A file is where a folder has to be" in str(caught.value)


def test_a_root_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ObjectsUnavailable, match="A file is where a folder has to be"):
        FolderObjects(tmp_path / "file" / "objects")


def test_a_reopened_folder_holds_what_was_stored(objects: FolderObjects, root: Path) -> None:
    run(lambda: put(objects, KEY, MAIL))
    again = FolderObjects(root)

    async def case() -> tuple[bytes, list[str]]:
        try:
            return await again.get(KEY), await keys_of(again)
        finally:
            await again.close()

    assert run(case) == (MAIL, [KEY])


def test_two_stores_over_one_folder_do_not_disturb_each_other(objects: FolderObjects, root: Path) -> None:
    other = FolderObjects(root)

    async def churn(store: FolderObjects, name: str) -> None:
        for n in range(40):
            key = f"2026/11/20/box@example.com/{name}{n % 3}.eml"
            await put(store, key, name.encode())
            assert await store.get(key) == name.encode()
            assert await store.delete_many([key]) == [None]

    async def case() -> list[str]:
        try:
            await asyncio.gather(*(churn(store, f"{n}") for n, store in enumerate([objects, other] * 3)))
            return await keys_of(objects)
        finally:
            await other.close()

    assert run(case) == []
