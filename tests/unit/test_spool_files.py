"""Spool files: whole or not at all, for the owner's eyes, and swept only when nobody can need them."""

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tempmail.clock import FakeClock
from tempmail.domain.address import object_key
from tempmail.errors import StoreFull, StoreUnavailable
from tempmail.services.spool_files import SpoolFiles, file_name_of
from tests.builders import EPOCH_S, NOW, RAW

UUID = "7f0c1d9e-3b52-4c0e-9d0a-2f8f0c5b6a11"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "spool"


@pytest.fixture
def files(folder: Path, clock: FakeClock) -> SpoolFiles:
    return SpoolFiles(folder, clock)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("body", [b"", RAW, b"\0\xff\r\n.\r\n" * 1_300_000], ids=["empty", "small", "nine-megabytes"])
def test_a_body_is_read_back_byte_for_byte(files: SpoolFiles, body: bytes) -> None:
    path = files.write(UUID, body)
    assert path.name == f"{UUID}.eml"
    assert files.read(path.name) == path.read_bytes() == body


def test_files_and_folder_are_the_owners_alone(files: SpoolFiles, folder: Path) -> None:
    assert (mode(folder), mode(files.write(UUID, RAW))) == (0o700, 0o600)


def test_a_file_that_is_gone_reads_as_none_and_may_be_removed_again(files: SpoolFiles) -> None:
    path = files.write(UUID, RAW)
    files.remove(path.name)
    files.remove(path.name)
    assert files.read(path.name) is None


def test_a_name_that_is_taken_is_refused_and_its_file_stays(files: SpoolFiles) -> None:
    path = files.write(UUID, RAW)
    with pytest.raises(StoreUnavailable):
        files.write(UUID, b"another mail")
    assert path.read_bytes() == RAW


def test_a_folder_that_is_gone_is_told(files: SpoolFiles, folder: Path) -> None:
    folder.rmdir()
    with pytest.raises(StoreUnavailable) as caught:
        files.write(UUID, RAW)
    assert not isinstance(caught.value, StoreFull)


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """No file of this process grows past `size_bytes`: a disk that fills up in the middle of a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size_bytes", [100_000, 100_001])
def test_a_write_that_is_cut_short_is_told_and_leaves_nothing(files: SpoolFiles, folder: Path, size_bytes: int) -> None:
    with largest_file(100_000):
        if size_bytes == 100_000:
            files.write(UUID, b"m" * size_bytes)
            return
        with pytest.raises(StoreUnavailable):
            files.write(UUID, b"m" * size_bytes)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT], ids=["full", "quota"])
def test_a_full_disk_is_told_as_such_and_leaves_nothing(
    files: SpoolFiles, folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(descriptor: int, data: memoryview) -> int:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", refuse)
        with pytest.raises(StoreFull):
            files.write(UUID, RAW)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "age_s", "known", "removed"),
    [
        pytest.param("a.eml", 3601, False, True, id="old-and-unknown"),
        pytest.param("a.eml", 3600, False, False, id="at-the-age"),
        pytest.param("a.eml", 3599, False, False, id="young"),
        pytest.param("a.eml", 9999, True, False, id="known"),
    ],
)
def test_a_stray_is_swept_only_when_old_and_unknown(
    files: SpoolFiles, folder: Path, name: str, age_s: int, known: bool, removed: bool
) -> None:
    (folder / name).write_bytes(RAW)
    os.utime(folder / name, (EPOCH_S - age_s, EPOCH_S - age_s))
    assert files.remove_strays({name} if known else set(), older_than_s=3600) == int(removed)
    assert (folder / name).exists() is not removed


def test_a_sweep_leaves_folders_and_links_alone(
    files: SpoolFiles, folder: Path, tmp_path: Path, clock: FakeClock
) -> None:
    target = tmp_path / "elsewhere.eml"
    target.write_bytes(RAW)
    (folder / "lost+found").mkdir()
    (folder / "link.eml").symlink_to(target)
    clock.advance(10 * 365 * 86_400)
    assert files.remove_strays(set(), older_than_s=0) == 0
    assert target.exists()


def test_the_file_of_an_object_key_is_the_one_that_was_written(files: SpoolFiles) -> None:
    assert file_name_of(object_key(NOW, "my-box@t.example", UUID)) == files.write(UUID, RAW).name


@pytest.mark.parametrize(
    "key",
    [
        "",
        "a.eml",
        "2023/11/14/box/",
        "2023/11/14/a-b@t/101500.eml",
        "101500-",
        "101500-..",
        "101500-a.eml.exe",
        "x-a.eml",
    ],
)
def test_a_key_of_another_form_has_no_file(key: str) -> None:
    assert file_name_of(key) is None
