"""Mails per second and CPU per stored mail, beside a null server with as many workers, in turns in one run."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from statistics import median

from tests.bench import processes, smtp_source
from tests.bench.report import Context, Goal, Row, skipped
from tests.bench.smtp_source import Load
from tests.bench.targets import Target, cpu_seconds, null_server, tempmail

NAME = "ingest"
LOADS = (
    *(Load(sessions, is_reused) for is_reused in (True, False) for sessions in (1, 16, 64)),
    Load(16, is_reused=True, to_new_mailboxes=True),
)
RATE = Goal("min", 0.40, 0.60)
CPU_US = Goal("max", 1300, 700)

_PROBE_MAILS = 100
_MIN_MAILS, _MAX_MAILS = 100, 20_000


@dataclass(frozen=True, slots=True)
class Measured:
    """`cpu_us`: CPU time per mail by role, that of the offload included, which may end after the last reply.
    The others are numbers of busy CPUs while mails were sent: of the target, of smtp-source, and of all else."""

    mails_per_s: float
    cpu_us: dict[str, float]
    target_cpus: float
    generator_cpus: float
    other_cpus: float

    @property
    def total_cpu_us(self) -> float:
        return sum(self.cpu_us.values())


def run(context: Context) -> Iterator[Row]:
    if why := smtp_source.why_missing():
        yield skipped("mails/s and CPU per 5 KB mail", why)
        return
    rounds, seconds = (2, 0.5) if context.is_quick else (5, 1.5)
    workers = len(os.sched_getaffinity(0))
    with ExitStack() as stack:
        null = stack.enter_context(null_server(workers))
        plain = stack.enter_context(null_server(workers, "asyncio"))
        ours = stack.enter_context(tempmail(context.folder / NAME, SMTP_WORKERS=workers))
        for load in LOADS:
            context.say(f"{NAME}: {load.name}")
            yield from _rows(context, load, null, plain, ours, rounds=rounds, seconds=seconds)


def _rows(
    context: Context, load: Load, null: Target, plain: Target, ours: Target, *, rounds: int, seconds: float
) -> Iterator[Row]:
    counts = {target: _count(target, load, seconds) for target in (null, plain, ours)}
    pairs = [(measure(null, load, counts[null]), measure(ours, load, counts[ours])) for _ in range(rounds)]
    stock = measure(plain, load, counts[plain])
    ratios = [mine.mails_per_s / other.mails_per_s for other, mine in pairs]
    context.raw[f"{NAME}: {load.name}"] = {
        "ratios": ratios,
        "tempmail": [asdict(mine) for _, mine in pairs],
        "null_uvloop": [asdict(other) for other, _ in pairs],
        "null_asyncio": [asdict(stock)],
    }
    rate = median(mine.mails_per_s for _, mine in pairs)
    null_rate = median(other.mails_per_s for other, _ in pairs)
    null_cpu = median(other.total_cpu_us for other, _ in pairs)
    cpu = median(mine.total_cpu_us for _, mine in pairs)
    by_role = ", ".join(f"{role} {median(mine.cpu_us[role] for _, mine in pairs):.0f}" for role in pairs[0][1].cpu_us)
    yield Row(
        f"rate against null, {load.name}",
        median(ratios),
        "ratio",
        RATE,
        f"{rate:.0f} mails/s; null {null_rate:.0f} on uvloop, {stock.mails_per_s:.0f} on asyncio;"
        f" busy CPUs: server {median(mine.target_cpus for _, mine in pairs):.1f}, smtp-source"
        f" {median(mine.generator_cpus for _, mine in pairs):.1f}, others"
        f" {median(mine.other_cpus for _, mine in pairs):.1f}",
    )
    yield Row(f"CPU per stored mail, {load.name}", cpu, "µs", CPU_US, f"{by_role}; null {null_cpu:.0f}")


def measure(target: Target, load: Load, count: int) -> Measured:
    """Send `count` mails and wait until everything that they cause is done."""
    before, machine_before = cpu_seconds(target), processes.machine_cpu_seconds()
    sent = smtp_source.send(target.smtp, load, count)
    machine_s = processes.machine_cpu_seconds() - machine_before
    target_s = sum(cpu_seconds(target).values()) - sum(before.values())
    target.settle(count)
    after = cpu_seconds(target)
    return Measured(
        mails_per_s=sent.mails_per_s,
        cpu_us={role: (after[role] - before.get(role, 0.0)) / count * 1e6 for role in after},
        target_cpus=target_s / sent.wall_s,
        generator_cpus=sent.cpu_s / sent.wall_s,
        other_cpus=max(0.0, machine_s - target_s - sent.cpu_s) / sent.wall_s,
    )


def _count(target: Target, load: Load, seconds: float) -> int:
    """How many mails take about `seconds`; also warms the target up."""
    sent = smtp_source.send(target.smtp, load, _PROBE_MAILS)
    target.settle(_PROBE_MAILS)
    return min(_MAX_MAILS, max(_MIN_MAILS, int(sent.mails_per_s * seconds)))
