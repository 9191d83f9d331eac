"""The first page of GET /api/emails in small and large databases, over one warm connection, in turns."""

import enum
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from tests.bench import filled
from tests.bench.http_connection import HttpConnection
from tests.bench.report import Context, Goal, Row, percentile, shown
from tests.bench.targets import BenchError, tempmail

NAME = "lists"
SIZES = (1_000, 100_000, 1_000_000)
QUICK_SIZES = (1_000, 100_000)
PAGE = 20
GROWTH = Goal("max", 1.5)

_BLOCK = 25
"""Requests to one server before it is the next one's turn."""


class Asked(enum.Enum):
    """What is asked for. A server may remember an answer until something is committed: in the first two something is,
    before each request, as on a server that receives mail."""

    LARGE = "large mailbox"
    ANY = "any mailbox"
    AGAIN = "large mailbox again, nothing new"


@dataclass(frozen=True, slots=True)
class _Site:
    """A running server over a database of a size. `others`: how many mailboxes it has beside the large one."""

    others: int
    http: HttpConnection
    database: sqlite3.Connection

    def commit_something(self) -> None:
        # Different each time: SQLite does not write a row that stays the same.
        stamp = f"{time.monotonic_ns()}"
        self.database.execute("update mailboxes set last_accessed_at = ? where id = 1", (stamp,))


def run(context: Context) -> Iterator[Row]:
    sizes = QUICK_SIZES if context.is_quick else SIZES
    with ExitStack() as stack:
        sites = {size: stack.enter_context(_site(context, size)) for size in sizes}
        context.say(f"{NAME}: asking")
        samples = _ask(sites, rounds=20 if context.is_quick else 80)
    for asked in Asked:
        taken = {size: samples[size, asked] for size in sizes}
        context.raw[f"{NAME}: {asked.value}"] = {
            str(size): {f"p{percent}_ms": percentile(taken[size], percent) for percent in (50, 90, 99)}
            for size in sizes
        }
        for size in sizes:
            note = f"p50 {shown(percentile(taken[size], 50))}; {len(taken[size])} requests of {PAGE} messages"
            yield Row(f"list, {size} messages, {asked.value}, p99", percentile(taken[size], 99), "ms", None, note)
        small, large = sizes[0], sizes[-1]
        yield Row(
            f"list p99, {large} to {small} messages, {asked.value}",
            percentile(taken[large], 99) / percentile(taken[small], 99),
            "ratio",
            None if context.is_quick else GROWTH,
            f"p50 {shown(percentile(taken[large], 50) / percentile(taken[small], 50))}"
            + ("; the bar is for 1000000 messages, which --quick leaves out" if context.is_quick else ""),
        )


@contextmanager
def _site(context: Context, size: int) -> Iterator[_Site]:
    folder = context.folder / f"{NAME}-{size}"
    path = folder / "data" / "tempmail.db"
    context.say(f"{NAME}: filling a database with {size} messages")
    with tempmail(folder):
        pass  # the first start makes the database
    filled.fill(path, size)
    with (
        tempmail(folder, SMTP_WORKERS=1) as server,
        closing(server.connect()) as http,
        closing(sqlite3.connect(path, isolation_level=None)) as database,
    ):
        database.execute("pragma synchronous = off")
        yield _Site(filled.other_mailboxes(size), http, database)


def _ask(sites: dict[int, _Site], rounds: int) -> dict[tuple[int, Asked], list[float]]:
    """Milliseconds per request, by database size and what was asked for."""
    chance = random.Random(11)
    samples: dict[tuple[int, Asked], list[float]] = {(size, asked): [] for size in sites for asked in Asked}
    for turn in range(rounds + 1):
        for size, site in sites.items():
            for asked in Asked:
                for _ in range(_BLOCK):
                    took = _one(site, asked, chance)
                    if turn > 0:  # the first warms up
                        samples[size, asked].append(took)
    return samples


def _one(site: _Site, asked: Asked, chance: random.Random) -> float:
    address = filled.address(chance.randrange(site.others)) if asked is Asked.ANY else filled.LARGE
    if asked is not Asked.AGAIN:
        site.commit_something()
    began = time.perf_counter()
    body = site.http.get(f"/api/emails?mailbox={address}")
    took = time.perf_counter() - began
    # A page that is not full would be compared with full ones.
    if body.count(b'"id":') != PAGE or body.count(address.encode()) != PAGE:
        raise BenchError(f"not a full page of {address}: {body[:300]!r}")
    return 1000 * took
