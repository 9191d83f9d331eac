"""What the kernel says of processes: who belongs together, CPU time, memory. Linux only (/proc)."""

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """`root` and all its descendants that run now, `root` first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads, and of children that have ended and were waited for. 0 once it is gone."""
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / _TICKS_PER_S if fields else 0.0


def machine_cpu_seconds() -> float:
    """What all CPUs of the machine have worked since it started, and what the hypervisor took from them."""
    fields = Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S


def pss_bytes(pid: int) -> int:
    """Proportional share of memory: pages that n processes share count as 1/n in each."""
    return _kilobytes(pid, "smaps_rollup", "Pss:")


def rss_bytes(pid: int) -> int:
    return _kilobytes(pid, "status", "VmRSS:")


def peak_rss_bytes(pid: int) -> int:
    """The greatest resident set since the process began or `reset_peak`."""
    return _kilobytes(pid, "status", "VmHWM:")


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third (state) on; empty once it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The second field is the name, which may hold blanks and parentheses.
    return text[text.rindex(")") + 2 :].split()


def _kilobytes(pid: int, file: str, label: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text("ascii", "replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(label))
