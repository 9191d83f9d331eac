"""Facts about the machine that a figure depends on."""

import os
import platform
import sqlite3
import statistics
import time
from pathlib import Path

from tempmail import __version__
from tempmail.domain import extraction


def facts(folder: Path) -> dict[str, object]:
    """`folder`: where the benchmarks keep their data."""
    return {
        "tempmail": __version__,
        "reading": "interpreted" if extraction.__file__.endswith(".py") else "compiled",
        "cpu": _cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "filesystem": filesystem(folder),
        "fdatasync_4k_us": _fdatasync_us(folder),
        "disk_write_mb_per_s": _write_mb_per_s(folder),
        "load_average": os.getloadavg()[0],
        "began_at": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
    }


def filesystem(folder: Path) -> str:
    """The type of the file system that `folder` is on."""
    path, best, kind = str(folder.resolve()), "", "unknown"
    for line in Path("/proc/mounts").read_text("utf-8", "replace").splitlines():
        _, mount, type_, *_ = line.split(" ")
        inside = path == mount or path.startswith(mount.rstrip("/") + "/")
        # Of mounts on one path the last covers the others.
        if inside and len(mount) >= len(best):
            best, kind = mount, type_
    return kind


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
        label, _, value = line.partition(":")
        if label.strip() == "model name":
            return value.strip()
    return platform.machine()


def _fdatasync_us(folder: Path) -> float:
    """Median time to append 4 KB to a file and have it on the disk."""
    path = folder / "fdatasync"
    times = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(100):
            began = time.perf_counter()
            os.write(descriptor, bytes(4096))
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return round(statistics.median(times) * 1e6, 1)


def _write_mb_per_s(folder: Path) -> float:
    """How fast a large file goes to the disk."""
    path, size_bytes = folder / "write", 128 << 20
    block = os.urandom(1 << 20)
    began = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(size_bytes // len(block)):
            file.write(block)
        os.fdatasync(file.fileno())
    taken = time.perf_counter() - began
    path.unlink()
    return round(size_bytes / taken / 1e6, 1)
