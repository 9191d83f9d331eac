"""Requests per second of the lists that pages poll, beside a constant answer of the same size, in turns in one run."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict
from statistics import median

from tests.bench import filled, filled_accounts, wrk
from tests.bench.report import Context, Goal, Row, shown, skipped
from tests.bench.targets import TOKEN, constant_server, tempmail

NAME = "api-rate"
RATE = Goal("min", 0.35)
CONNECTIONS = (16, 128)
PATHS = (f"/api/emails?mailbox={filled.LARGE}", "/api/mailboxes?page=1&size=20")


def run(context: Context) -> Iterator[Row]:
    if why := wrk.why_missing():
        yield skipped("requests/s of the API against a constant answer", why)
        return
    rounds, seconds = (1, 2) if context.is_quick else (5, 3)
    folder = context.folder / NAME
    path = folder / "data" / "tempmail.db"
    with tempmail(folder):
        pass  # the first start makes the database
    context.say(f"{NAME}: filling a database")
    filled.fill(path, 100_000)
    filled_accounts.fill(path, mailboxes=20_000, users=1_000)
    with ExitStack() as stack:
        ours = stack.enter_context(tempmail(folder, SMTP_WORKERS=1))
        with closing(ours.connect()) as http:
            sizes = [len(http.get(asked)) for asked in PATHS]
        constant = stack.enter_context(constant_server(sizes))
        for number, asked in enumerate(PATHS):
            for connections in CONNECTIONS:
                context.say(f"{NAME}: {asked}, {connections} connections")
                pairs = [
                    (
                        wrk.load(constant, f"/{number}", connections=connections, seconds=seconds),
                        wrk.load(ours.http, asked, connections=connections, seconds=seconds, token=TOKEN),
                    )
                    for _ in range(rounds)
                ]
                name = f"{asked.partition('?')[0]}, {connections} connections"
                context.raw[f"{NAME}: {name}"] = {
                    "constant": [asdict(other) for other, _ in pairs],
                    "tempmail": [asdict(mine) for _, mine in pairs],
                }
                yield Row(
                    f"rate against a constant, {name}",
                    median(mine.requests_per_s / other.requests_per_s for other, mine in pairs),
                    "ratio",
                    RATE,
                    f"{median(mine.requests_per_s for _, mine in pairs):.0f} requests/s of {sizes[number]} bytes, p99"
                    f" {shown(median(mine.p99_ms for _, mine in pairs))} ms; constant"
                    f" {median(other.requests_per_s for other, _ in pairs):.0f}, p99"
                    f" {shown(median(other.p99_ms for other, _ in pairs))} ms",
                )
