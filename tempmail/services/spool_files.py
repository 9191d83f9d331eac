"""Spool files: large bodies are fsynced to a file of their own before the transaction that refers to them.

A body of many megabytes inside the transaction would hold the write lock, and with it every small mail, for as long
as its fsync takes; it would also be written three times (log, database, object store) instead of once.
"""

import errno
import os
import re
from collections.abc import Collection
from pathlib import Path

from tempmail.clock import Clock
from tempmail.errors import StoreFull, StoreUnavailable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_SYNC_BYTES = 4 << 20
"""Synced at a time: the commit of a small mail never waits for more of a large one than this. 25 MB take 40 ms instead
of 32; smaller steps take much longer."""
_KEY_END = re.compile(r"[0-9]{6}-([A-Za-z0-9-]{1,64}\.eml)")


class SpoolFiles:
    """A folder of bodies, named by the mail's uuid."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, file_name: str) -> Path:
        return self._folder / file_name

    def write(self, uuid: str, body: bytes) -> Path:
        """Write and fsync `body` and its folder; blocking, for a thread. Raises `StoreFull`, `StoreUnavailable`;
        nothing stays behind then."""
        path = self._folder / f"{uuid}.eml"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as exc:
            raise _unwritable(exc) from exc
        try:
            try:
                view = memoryview(body)
                while True:
                    view = view[os.write(descriptor, view[:_SYNC_BYTES]) :]
                    os.fdatasync(descriptor)
                    if not view:
                        break
            finally:
                os.close(descriptor)
            self._fsync_folder()
        except OSError as exc:
            path.unlink(missing_ok=True)
            raise _unwritable(exc) from exc
        return path

    def read(self, file_name: str) -> bytes | None:
        """The body, or None where it has moved on to the object store."""
        try:
            return self.path(file_name).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, file_name: str) -> None:
        self.path(file_name).unlink(missing_ok=True)

    def remove_strays(self, known: Collection[str], *, older_than_s: float) -> int:
        """Remove files that no spool entry refers to (left by a crash between file and commit); returns how many.
        `older_than_s` spares those whose transaction is still to come."""
        removed = 0
        before = self._clock.now() - older_than_s
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name not in known and _is_file_older_than(entry, before):
                    self.remove(entry.name)
                    removed += 1
        return removed

    def _fsync_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def file_name_of(object_key: str) -> str | None:
    """The spool file that the body of `object_key` would have: keys end in `HHMMSS-<uuid>.eml`. None for a key of
    another form, which is not of this program's making (an orphan in a shared bucket)."""
    match = _KEY_END.fullmatch(object_key.rpartition("/")[2])
    return match[1] if match else None


def _is_file_older_than(entry: os.DirEntry[str], before: float) -> bool:
    try:
        return entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < before
    except FileNotFoundError:  # offloaded in this very moment
        return False


def _unwritable(cause: OSError) -> StoreUnavailable:
    if cause.errno in _FULL:
        return StoreFull("the disk under the spool is full")
    return StoreUnavailable("the spool folder cannot be written")
