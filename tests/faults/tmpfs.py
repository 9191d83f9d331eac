"""A small disk for tests that fill it: a tmpfs, in our own mount namespace or, without root, in one made for it."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.require import require

_FILLER = "filler"
_PAGE = os.sysconf("SC_PAGESIZE")


@dataclass(frozen=True)
class Tmpfs:
    """`inside`: where a command that `prefix` runs finds it. `outside`: where this process does."""

    inside: Path
    outside: Path
    prefix: tuple[str, ...] = ()

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Take all its room but `leave_bytes`, while others may be writing."""
        with (self.outside / _FILLER).open("ab", buffering=0) as filler:
            for block in (bytes(1 << 20), bytes(_PAGE)):
                with contextlib.suppress(OSError):  # no room for another one
                    while self._free_bytes() - len(block) >= leave_bytes:
                        filler.write(block)

    def free(self) -> None:
        """Give back what `fill` took."""
        (self.outside / _FILLER).unlink()

    def _free_bytes(self) -> int:
        disk = os.statvfs(self.outside)
        return disk.f_bavail * disk.f_frsize


@contextlib.contextmanager
def tmpfs(folder: Path, *, size_bytes: int) -> Iterator[Tmpfs]:
    """A disk of `size_bytes` at `folder`, gone when the block is left."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size_bytes},mode=700", "tmpfs", str(folder)]
    if os.geteuid() == 0 and subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0:
        try:
            yield Tmpfs(folder, folder)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
    else:
        with _in_namespace(folder, options) as disk:
            yield disk


@contextlib.contextmanager
def _in_namespace(folder: Path, options: list[str]) -> Iterator[Tmpfs]:
    has_tools = shutil.which("unshare") is not None and shutil.which("nsenter") is not None
    require("tmpfs", available=has_tools, why="mount needs root, and unshare and nsenter are not there to do without")
    script = 'mount "$@" && echo mounted && exec cat'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            mounted = holder.stdout.readline() == b"mounted\n"
            require("tmpfs", available=mounted, why="neither mount nor a user namespace with mount is allowed")
            prefix = ("nsenter", f"--target={holder.pid}", "--user", "--mount", "--preserve-credentials")
            outside = Path(f"/proc/{holder.pid}/root{folder}")
            yield Tmpfs(folder, outside, prefix)
        finally:
            holder.stdin.close()  # ends it, and with the last process in it the namespace
