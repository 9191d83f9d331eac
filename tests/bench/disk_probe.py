"""How long the disk itself takes for a small write, while something else uses it."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

INTERVAL_S = 0.020

_BLOCK = bytes(range(256)) * 32
_BLOCKS = 512


@contextlib.contextmanager
def disk_probe(folder: Path) -> Iterator[list[float]]:
    """Write 8 KB and fdatasync every 20 ms within the block; the list holds the seconds that each took.

    Into a file of fixed size, so that no change of metadata is waited for: no database can be faster than this.
    """
    path = folder / "probe"
    taken: list[float] = []
    ended = threading.Event()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)

    def run() -> None:
        number = 0
        while not ended.wait(INTERVAL_S):
            began = time.perf_counter()
            os.pwrite(descriptor, _BLOCK, number % _BLOCKS * len(_BLOCK))
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - began)
            number += 1

    thread = threading.Thread(target=run)
    try:
        os.write(descriptor, _BLOCK * _BLOCKS)
        os.fsync(descriptor)
        thread.start()
        yield taken
    finally:
        ended.set()
        if thread.ident is not None:
            thread.join()
        os.close(descriptor)
        path.unlink()
