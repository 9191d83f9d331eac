"""Raw mails as files below one local folder: the key is the path.

An object comes into being by a rename from the folder `.tmp` at the top, so a reader sees a whole body or none, and
whatever a crash leaves lies in `.tmp` alone. `.tmp` is made once, by the constructor, and must be there for every
operation: when the disk under the root is not mounted, the store says that it is unavailable, and never that mails
are gone.

A key cannot be both an object and the folder of another one here (`a` and `a/b`), unlike in a bucket; keys that end
in `.eml` never meet this.
"""
# Plain system calls on text paths: pathlib would double the CPU of an offload.
# ruff: noqa: PTH100, PTH102, PTH104, PTH106, PTH108, PTH112, PTH116, PTH120

import asyncio
import errno
import io
import itertools
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar, TypeVarTuple

from tempmail.adapters.objects.keys import validate_key
from tempmail.errors import NotFound, ObjectsUnavailable
from tempmail.ports import CHECK_FOLDER, Body, ObjectInfo

BATCH = 64
"""Uploads per thread hop, and so open files per hop: past it the shared folder syncs are already spread thin."""

STALE_AFTER_S = 3600.0
"""Age at which a temporary file is nobody's. A put of the largest mail to the slowest disk takes seconds."""

_THREADS = 4
_PAGE = 500  # objects per thread hop of a walk or a delete
_COPY_BLOCK_BYTES = 1 << 20
_LINKED = -1
_LOST_RACES = 64  # a put loses one only when a delete removes the folder between its mkdir and its rename
_TEMP = ".tmp"
_NOT_OURS = frozenset({_TEMP, "lost+found"})  # the latter where the root is a mount point
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_CANNOT_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS})

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class FolderObjects:
    """`Objects` below `root`, which is made if missing (folders 0700, files 0600). Several processes may share it.

    A Path body on the same file system is linked, not copied: its owner has fsynced it and never changes it in place.
    Raises `ObjectsUnavailable` where the root cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.path.abspath(root)
        self._base = self._root.rstrip("/") + "/"
        self._temp = self._base + _TEMP
        self._temp_prefix = f"{self._temp}/{uuid.uuid4().hex}-"
        self._temp_numbers = itertools.count()
        try:
            _make_durably(self._temp)
        except OSError as exc:
            raise self._unusable(exc) from exc
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="objects")

    async def put_many(self, uploads: Sequence[tuple[str, Body]]) -> list[Exception | None]:
        outcomes: list[Exception | None] = []
        # One hop after the other: the pool's other threads stay free for readers.
        for start in range(0, len(uploads), BATCH):
            outcomes += await self._run(self._put_batch, uploads[start : start + BATCH])
        return outcomes

    async def get(self, key: str) -> bytes:
        return await self._run(self._get, key)

    async def delete_many(self, keys: Sequence[str]) -> list[Exception | None]:
        outcomes: list[Exception | None] = []
        for start in range(0, len(keys), _PAGE):
            outcomes += await self._run(self._delete_batch, keys[start : start + _PAGE])
        return outcomes

    async def walk(self) -> AsyncIterator[ObjectInfo]:
        """Every object in key order. Holds one folder's names per level in memory, never the tree. Links inside the
        tree are not followed; files whose names are no keys are not ours and are left out."""
        objects = self._walk()
        while page := await self._run(lambda: list(itertools.islice(objects, _PAGE))):
            for found in page:
                yield found

    async def sweep(self, now_epoch_s: float) -> int:
        """Remove the temporary files that crashed writers left, unchanged for `STALE_AFTER_S` before `now_epoch_s`;
        returns how many went. Safe while other processes write."""
        return await self._run(self._sweep, now_epoch_s - STALE_AFTER_S)

    async def check(self) -> None:
        """Writes, reads, lists and removes one small object."""
        try:
            await self._run(self._check)
        except ObjectsUnavailable as exc:
            if isinstance(exc.__cause__, OSError):
                raise self._unusable(exc.__cause__) from exc.__cause__
            raise

    async def close(self) -> None:
        """Returns when the operations under way have ended."""
        await asyncio.to_thread(self._pool.shutdown)

    async def _run(self, act: Callable[[*_Ts], _T], *args: *_Ts) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, act, *args)
        except OSError as exc:
            raise _unavailable(exc) from exc

    # Everything below runs in a thread of the pool. Folders are named relative to the root, "" being the root itself.

    def _put_batch(self, uploads: Sequence[tuple[str, Body]]) -> list[Exception | None]:
        """All bodies first, then all their syncs, then all the renames, then each folder once: the file system
        commits its journal a few times per batch instead of a few times per mail."""
        outcomes: list[Exception | None] = [None] * len(uploads)
        staged: list[_Staged] = []
        for index, (key, body) in enumerate(uploads):
            try:
                _validate(key)
                temp = f"{self._temp_prefix}{next(self._temp_numbers)}"
                staged.append(_Staged(index, key, temp, self._stage(temp, body)))
            except (OSError, ValueError, ObjectsUnavailable) as exc:
                outcomes[index] = _outcome(exc)
        for step in (_sync_and_close, self._place):
            for upload in staged:
                if outcomes[upload.position] is None:
                    try:
                        step(upload)
                    except OSError as exc:
                        outcomes[upload.position] = _outcome(exc)
                        _remove(upload.temp)
        return self._commit([upload for upload in staged if outcomes[upload.position] is None], outcomes)

    def _stage(self, temp: str, body: Body) -> int:
        """Write `body` under the temporary name. Returns the file, open and not yet synced, or `_LINKED`."""
        if isinstance(body, Path):
            try:
                os.link(body, temp)
            except FileNotFoundError as exc:
                if not os.path.lexists(body):
                    raise ObjectsUnavailable("The file that holds the mail is missing from the spool.") from exc
                raise
            except OSError as exc:
                if exc.errno not in _CANNOT_LINK:
                    raise
            else:
                return _LINKED
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if isinstance(body, Path):
                with io.FileIO(body) as source:
                    while block := source.read(_COPY_BLOCK_BYTES):
                        _write(fd, block)
            else:
                _write(fd, body)
            # Has the kernel begin to write, without waiting, so that the sync finds most of it done: 31 µs CPU per
            # small body against 66, 80 µs on the clock against 177.
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except BaseException:
            os.close(fd)
            _remove(temp)
            raise
        return fd

    def _place(self, upload: "_Staged") -> None:
        target = self._base + upload.key
        for _ in range(_LOST_RACES):
            try:
                os.rename(upload.temp, target)
            except FileNotFoundError as exc:
                self._make_folders(upload.key)
                lost = exc
                continue
            if upload.fd == _LINKED:
                _remove(upload.temp)  # rename(2) keeps both names of one file: the object was this very link already
            return
        raise lost

    def _make_folders(self, key: str) -> None:
        end = key.find("/")
        while end >= 0:
            try:
                os.mkdir(self._base + key[:end], 0o700)
            except FileExistsError:
                pass
            except FileNotFoundError:
                return  # a delete has just removed the one above; the caller begins again
            end = key.find("/", end + 1)

    def _commit(self, placed: list["_Staged"], outcomes: list[Exception | None]) -> list[Exception | None]:
        """Sync every folder from the objects up to the root: one of them may be new, made by anyone."""
        folders = {""}
        for upload in placed:
            folder = _parent(upload.key)
            while folder not in folders:
                folders.add(folder)
                folder = _parent(folder)
        faults = self._sync(folders)
        if faults:
            for upload in placed:
                folder = _parent(upload.key)
                while folder and folder not in faults:
                    folder = _parent(folder)
                outcomes[upload.position] = faults.get(folder)
        return outcomes

    def _sync(self, folders: set[str]) -> dict[str, ObjectsUnavailable]:
        """Make the names in each folder durable; of one that is gone, its absence. Returns what failed, by folder."""
        faults = {}
        for folder in folders:
            existing = folder
            while True:
                try:
                    _sync_folder(self._base + existing)
                except FileNotFoundError as exc:
                    if existing:
                        existing = _parent(existing)
                        continue
                    faults[folder] = _unavailable(exc)
                except OSError as exc:
                    faults[folder] = _unavailable(exc)
                break
        return faults

    def _get(self, key: str) -> bytes:
        _validate(key)
        try:
            with io.FileIO(self._base + key) as file:
                return file.readall()
        except _ABSENT as exc:
            self._require_root()
            raise NotFound("there is no such object") from exc

    def _delete_batch(self, keys: Sequence[str]) -> list[Exception | None]:
        outcomes: list[Exception | None] = [None] * len(keys)
        self._require_root()
        folders: dict[str, list[int]] = {}
        for index, key in enumerate(keys):
            try:
                _validate(key)
                _remove(self._base + key)
            except (OSError, ValueError) as exc:
                outcomes[index] = _outcome(exc)
            else:
                folders.setdefault(_parent(key), []).append(index)
        # An absent key needs its sync too: whoever removed it may have died before theirs.
        remaining = {folder: self._prune(folder) for folder in folders}
        faults = self._sync(set(remaining.values()))
        for folder, indexes in folders.items():
            for index in indexes:
                outcomes[index] = faults.get(remaining[folder])
        return outcomes

    def _prune(self, folder: str) -> str:
        """Remove `folder` and those above it while they are empty. Returns the lowest that remains."""
        while folder:
            try:
                os.rmdir(self._base + folder)
            except (FileNotFoundError, NotADirectoryError):
                pass
            except OSError:
                # Not empty, as a rule. Were it a worse fault, an empty folder does no harm and its sync will tell.
                return folder
            folder = _parent(folder)
        return ""

    def _walk(self) -> Iterator[ObjectInfo]:
        self._require_root()
        levels = [("", self._names(""))]
        while levels:
            folder, names = levels[-1]
            name = next(names, None)
            if name is None:
                levels.pop()
                continue
            path = folder + name
            try:
                _validate(path.removesuffix("/"))
                if name.endswith("/"):
                    levels.append((path, self._names(path)))
                else:
                    yield ObjectInfo(key=path, size_bytes=os.lstat(self._base + path).st_size)
            except (ValueError, *_ABSENT):
                continue  # no key of ours, or removed since it was listed

    def _names(self, folder: str) -> Iterator[str]:
        """A folder's names in the order of the keys below them: a folder sorts with its slash (`a-b` < `a/b`)."""
        names = []
        with os.scandir(self._base + folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    names.append(entry.name + "/")
                elif entry.is_file(follow_symlinks=False):
                    names.append(entry.name)
        names.sort()
        return iter(names)

    def _sweep(self, changed_before: float) -> int:
        removed = 0
        with os.scandir(self._temp) as entries:
            for entry in entries:
                # The change time, not the modification time: a link brings the latter along from the linked file.
                if entry.is_file(follow_symlinks=False) and entry.stat().st_ctime < changed_before:
                    _remove(entry.path)
                    removed += 1
        return removed

    def _check(self) -> None:
        key, body = f"{CHECK_FOLDER}{uuid.uuid4().hex}.eml", b"check\r\n"
        try:
            for fault in self._put_batch([(key, body)]):
                if fault:
                    raise fault
            if self._get(key) != body:
                raise ObjectsUnavailable(f"The objects folder {self._root} gave back another body than was stored.")
            self._names("")
        finally:
            faults = self._delete_batch([key])
        if faults[0]:
            raise faults[0]

    def _require_root(self) -> None:
        os.stat(self._temp)

    def _unusable(self, exc: OSError) -> ObjectsUnavailable:
        reason = exc.strerror or type(exc).__name__
        return ObjectsUnavailable(f"The objects folder {self._root} cannot be used ({reason}). {_advice(exc)}")


class _Staged(NamedTuple):
    position: int
    key: str
    temp: str
    fd: int  # open, or `_LINKED`


def _validate(key: str) -> None:
    validate_key(key)
    if key.split("/", 1)[0] in _NOT_OURS:
        raise ValueError(f"an object key cannot begin with {_TEMP} or lost+found in a folder")


def _parent(key: str) -> str:
    return key.rpartition("/")[0]


def _write(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    if written < len(data):
        view = memoryview(data)
        while written < len(data):
            written += os.write(fd, view[written:])


def _sync_and_close(upload: _Staged) -> None:
    if upload.fd != _LINKED:
        try:
            os.fdatasync(upload.fd)
        finally:
            os.close(upload.fd)


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except _ABSENT:
        return


def _make_durably(path: str) -> None:
    """Make a folder and those above it, each 0700 where new and its name synced."""
    above = os.path.dirname(path)
    if not os.path.isdir(above):
        _make_durably(above)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    _sync_folder(above)


def _outcome(exc: OSError | ValueError | ObjectsUnavailable) -> Exception:
    return _unavailable(exc) if isinstance(exc, OSError) else exc


def _unavailable(exc: OSError) -> ObjectsUnavailable:
    error = ObjectsUnavailable(f"The objects folder cannot be used. {_advice(exc)}")
    error.__cause__ = exc
    return error


def _advice(exc: OSError) -> str:
    match exc.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "The disk is full: free some space, or name another folder in OBJECTS_URL."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "The server's user may not write there: give it the folder, or name another in OBJECTS_URL."
        case errno.ENOENT:
            return "It is not there: mount its disk, or restart the server to create it anew."
        case errno.ENOTDIR | errno.EISDIR | errno.EEXIST:
            return "A file is where a folder has to be, or the reverse: move it away, or change OBJECTS_URL."
        case _:
            return "The file system reports a fault: look at the system's log."
