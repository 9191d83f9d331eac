"""Bytes per second of large mails, what they cost in memory, and how long a small mail beside them takes."""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from tests.bench import processes
from tests.bench.disk_probe import disk_probe
from tests.bench.report import Context, Goal, Row, percentile, shown
from tests.bench.sender import Seen, sender
from tests.bench.targets import Target, null_server, tempmail

NAME = "sizes"
SIZES = {"100 KB": 100_000, "5 MB": 5_000_000, "25 MB": 25_000_000}
SMALL_BYTES = 5_000
SMALL_INTERVAL_S = 0.020
MB = 1e6

RATE_MB_S = Goal("min", 40, 100)
MEMORY_COPIES = Goal("max", 4)
"""Growth of the worker's resident set in copies of the mails that it receives at a time: its buffer, the parsed form,
and what the allocator has not given back yet."""
BESIDE_MS = Goal("max", 50)


@dataclass(frozen=True, slots=True)
class Measured:
    """`growth_bytes`: by role, the peak of the resident set over what it was before."""

    mb_per_s: float
    mails: int
    growth_bytes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Beside:
    """`small`: the small mails. `disk_s`: what the disk took for a small write meanwhile."""

    small: Seen
    disk_s: list[float]


def run(context: Context) -> Iterator[Row]:
    rounds, seconds = (1, 1.0) if context.is_quick else (2, 3.0)
    folder = context.folder / NAME
    with ExitStack() as stack:
        null = stack.enter_context(null_server(1))
        ours = stack.enter_context(tempmail(folder, SMTP_WORKERS=1))
        for label, size_bytes in SIZES.items():
            for senders in (1,) if context.is_quick else (1, 2):
                where = f"{label} mails, {senders} at a time"
                context.say(f"{NAME}: {where}")
                turns = [
                    (measure(null, size_bytes, senders, seconds), measure(ours, size_bytes, senders, seconds))
                    for _ in range(rounds)
                ]
                beside_null = measure_beside(null, size_bytes, senders, seconds, folder)
                beside = measure_beside(ours, size_bytes, senders, 2 * seconds, folder)
                context.raw[f"{NAME}: {where}"] = {
                    "tempmail": [_raw(mine) for _, mine in turns],
                    "null_uvloop": [_raw(other) for other, _ in turns],
                    "beside_tempmail": _raw_beside(beside),
                    "beside_null_uvloop": _raw_beside(beside_null),
                }
                yield _rate(where, size_bytes, turns)
                if size_bytes >= MB:
                    yield _memory(where, senders * size_bytes, turns)
                yield _latency(where, beside, beside_null)


def measure(target: Target, size_bytes: int, senders: int, seconds: float) -> Measured:
    """Let `senders` send mails of `size_bytes` for `seconds`."""
    roles = target.roles()
    before = {pid: processes.rss_bytes(pid) for pid in roles}
    for pid in roles:
        processes.reset_peak(pid)
    seen = _send(target, size_bytes, senders, seconds)
    target.settle(sum(one.mails for one in seen))
    growth: dict[str, int] = {}
    for pid, role in roles.items():
        growth[role] = growth.get(role, 0) + max(0, processes.peak_rss_bytes(pid) - before[pid])
    return Measured(
        mb_per_s=sum(one.mails * one.size_bytes for one in seen) / max(one.wall_s for one in seen) / MB,
        mails=sum(one.mails for one in seen),
        growth_bytes=growth,
    )


def measure_beside(target: Target, size_bytes: int, senders: int, seconds: float, folder: Path) -> Beside:
    """The same with a small mail every 20 ms beside it."""
    with (
        sender(target.smtp, "small", SMALL_BYTES, SMALL_INTERVAL_S) as small,
        disk_probe(folder) as disk_s,
    ):
        small.begin()
        large = _send(target, size_bytes, senders, seconds)
        small.end()
        seen = small.seen()
    target.settle(seen.mails + sum(one.mails for one in large))
    return Beside(seen, disk_s)


def _send(target: Target, size_bytes: int, senders: int, seconds: float) -> list[Seen]:
    with ExitStack() as stack:
        large = [stack.enter_context(sender(target.smtp, f"large{n}", size_bytes)) for n in range(senders)]
        for one in large:
            one.begin()
        Event().wait(seconds)
        for one in large:
            one.end()
        return [one.seen() for one in large]


def _rate(where: str, size_bytes: int, turns: list[tuple[Measured, Measured]]) -> Row:
    null_rate = statistics.median(other.mb_per_s for other, _ in turns)
    rate = statistics.median(mine.mb_per_s for _, mine in turns)
    goal = RATE_MB_S if size_bytes >= MB else None
    return Row(f"rate of {where}", rate, "MB/s", goal, f"one worker; null {null_rate:.0f}")


def _memory(where: str, in_flight_bytes: int, turns: list[tuple[Measured, Measured]]) -> Row:
    growth = max(mine.growth_bytes["smtp"] for _, mine in turns)
    web = max(mine.growth_bytes["web"] for _, mine in turns)
    note = f"worker +{growth / MB:.0f} MB, web process +{web / MB:.0f} MB"
    return Row(f"memory for {where}", growth / in_flight_bytes, "copies", MEMORY_COPIES, note)


def _latency(where: str, beside: Beside, beside_null: Beside) -> Row:
    whole, reply = beside.small.whole_s, beside.small.reply_s
    note = (
        f"from MAIL to 250, p50 {_ms(whole, 50)}; from the end of DATA p50 {_ms(reply, 50)}, p99 {_ms(reply, 99)};"
        f" {len(whole)} mails; the disk itself p99 {_ms(beside.disk_s, 99)};"
        f" null p99 {_ms(beside_null.small.whole_s, 99)}"
    )
    return Row(f"5 KB mail beside {where}, p99", 1000 * percentile(whole, 99), "ms", BESIDE_MS, note)


def _ms(samples: list[float], percent: float) -> str:
    return shown(1000 * percentile(samples, percent))


def _raw(measured: Measured) -> dict[str, object]:
    return {"mb_per_s": measured.mb_per_s, "mails": measured.mails, "growth_bytes": measured.growth_bytes}


def _raw_beside(beside: Beside) -> dict[str, object]:
    return {
        "whole_ms": _rounded(beside.small.whole_s),
        "reply_ms": _rounded(beside.small.reply_s),
        "disk_ms": _rounded(beside.disk_s),
    }


def _rounded(samples: list[float]) -> list[float]:
    return [round(1000 * sample, 3) for sample in samples]
