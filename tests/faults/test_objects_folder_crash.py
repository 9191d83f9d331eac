"""The folder of objects when its writer is killed, and what it asks of the disk so that a power cut loses nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tempmail.adapters.objects.folder import FolderObjects
from tests.contract.objects_suite import MAIL, run

WRITER = """
import asyncio, sys
from pathlib import Path
from tempmail.adapters.objects.folder import FolderObjects

async def main():
    objects = FolderObjects(Path(sys.argv[1]))
    batch = 0
    while True:
        keys = [f"2026/{batch % 5}/box{n}@example.com/{batch}.eml" for n in range(16)]
        assert await objects.put_many([(key, key.encode() * 2000) for key in keys]) == [None] * 16
        print(*keys, sep="\\n", flush=True)
        batch += 1

asyncio.run(main())
"""


def test_a_killed_writer_leaves_every_acknowledged_object_and_no_half_one(tmp_path: Path) -> None:
    root = tmp_path / "objects"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(16 * 12)]
        writer.kill()
        acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]

    async def case() -> tuple[dict[str, bytes], int]:
        objects = FolderObjects(root)
        found = {info.key: await objects.get(info.key) async for info in objects.walk()}
        await objects.sweep(root.stat().st_ctime + 86_400)
        await objects.close()
        return found, len(list(os.scandir(root / ".tmp")))

    found, temporary = run(case)
    assert set(acknowledged) <= set(found)
    assert all(body == key.encode() * 2000 for key, body in found.items())
    assert temporary == 0


@pytest.fixture
def disk_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The calls that make things durable, in order, each with the path it was about."""
    calls: list[tuple[str, str]] = []
    real_fsync, real_fdatasync, real_rename = os.fsync, os.fdatasync, os.rename

    def path_of(fd: int) -> str:
        return os.readlink(f"/proc/self/fd/{fd}")

    def fsync(fd: int) -> None:
        calls.append(("fsync", path_of(fd)))
        real_fsync(fd)

    def fdatasync(fd: int) -> None:
        calls.append(("fdatasync", path_of(fd)))
        real_fdatasync(fd)

    def rename(source: str, target: str) -> None:
        calls.append(("rename", target))
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    monkeypatch.setattr(os, "rename", rename)
    return calls


def test_bodies_are_synced_before_they_appear_and_each_folder_once_per_batch(
    tmp_path: Path, disk_calls: list[tuple[str, str]]
) -> None:
    root = tmp_path / "objects"

    async def case() -> None:
        objects = FolderObjects(root)
        disk_calls.clear()
        await objects.put_many([("a/x/1.eml", MAIL), ("a/x/2.eml", MAIL), ("b/3.eml", MAIL)])
        await objects.close()

    run(case)
    bodies = disk_calls[:3]
    assert {call for call, _ in bodies} == {"fdatasync"}
    assert len({path for _, path in bodies}) == 3
    # A first rename may fail for want of its folder, and is then made again.
    tries = [path for call, path in disk_calls if call == "rename"]
    assert list(dict.fromkeys(tries)) == [str(root / key) for key in ("a/x/1.eml", "a/x/2.eml", "b/3.eml")]
    assert sorted(disk_calls[3 + len(tries) :]) == [
        ("fsync", str(root)),
        ("fsync", str(root / "a")),
        ("fsync", str(root / "a/x")),
        ("fsync", str(root / "b")),
    ]


def test_a_new_root_is_synced_into_the_folders_above_it(tmp_path: Path, disk_calls: list[tuple[str, str]]) -> None:
    root = tmp_path / "data" / "objects"

    async def case() -> None:
        await FolderObjects(root).close()

    run(case)
    assert [path for _, path in disk_calls] == [str(tmp_path), str(tmp_path / "data"), str(root)]


def test_deletes_are_synced_in_the_lowest_folder_that_remains(
    tmp_path: Path, disk_calls: list[tuple[str, str]]
) -> None:
    root = tmp_path / "objects"

    async def case() -> None:
        objects = FolderObjects(root)
        await objects.put_many([("a/x/1.eml", MAIL), ("a/y/2.eml", MAIL), ("a/y/3.eml", MAIL)])
        disk_calls.clear()
        await objects.delete_many(["a/x/1.eml", "a/y/2.eml", "never/was.eml"])
        await objects.close()

    run(case)
    assert sorted(disk_calls) == [("fsync", str(root)), ("fsync", str(root / "a")), ("fsync", str(root / "a/y"))]
