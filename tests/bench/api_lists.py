"""Every list of the API over a large database: as the highest administrator, and as a user with many mailboxes."""

import json
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

from tests.bench import filled, filled_accounts
from tests.bench.filled_accounts import DOMAINS, OWNER, PASSWORD
from tests.bench.http_connection import HttpConnection
from tests.bench.report import Context, Goal, Row, percentile, shown
from tests.bench.targets import BenchError, Tempmail, tempmail

NAME = "api-lists"
P99_MS = Goal("max", 25.0)

_MAILBOX_QUERIES = (
    "",
    "limit=500",
    "limit=100&offset=300",
    "page=1&size=20",
    "page=200&size=20",
    "page=2500&size=20",
    "page=5000&size=20",
    f"domain={DOMAINS[1]}",
    f"domain={DOMAINS[1]}&page=500&size=20",
    "favorite=true",
    "favorite=false&page=2000&size=20",
    "forward=true",
    "forward=false&page=2000&size=20",
    "login=true",
    "login=false&page=2000&size=20",
    "login=false&favorite=false&page=2000&size=20",
    f"login=true&favorite=false&forward=false&domain={DOMAINS[2]}",
    "q=shop",
    "q=shop&page=100&size=20",
    "q=shop12&login=false",
    f"q={DOMAINS[1]}",
    "q=bench.example&page=150&size=20",
    "q=sh",
    "q=e&favorite=true",
    "q=nobody-has-this",
    f"q=mail&domain={DOMAINS[3]}&login=false&forward=false",
)


@dataclass(frozen=True, slots=True)
class _Scale:
    messages: int
    mailboxes: int
    users: int
    rounds: int


_FULL = _Scale(messages=1_000_000, mailboxes=100_000, users=5_000, rounds=150)
_QUICK = _Scale(messages=100_000, mailboxes=20_000, users=1_000, rounds=40)


def run(context: Context) -> Iterator[Row]:
    scale = _QUICK if context.is_quick else _FULL
    folder = context.folder / NAME
    path = folder / "data" / "tempmail.db"
    with tempmail(folder):
        pass  # the first start makes the database
    context.say(f"{NAME}: filling a database with {scale.messages} messages and {scale.mailboxes} mailboxes")
    filled.fill(path, scale.messages)
    filled_accounts.fill(path, mailboxes=scale.mailboxes, users=scale.users)
    with ExitStack() as stack:
        server = stack.enter_context(tempmail(folder, SMTP_WORKERS=1))
        database = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        database.execute("pragma synchronous = off")
        [(owner_id,)] = database.execute("select id from users where username = ?", (OWNER,))
        admin = stack.enter_context(closing(server.connect()))
        owner = stack.enter_context(closing(_logged_in(server)))
        for name, http, paths in (
            *(("admin", admin, paths) for paths in _admin_paths(scale, owner_id)),
            *((OWNER, owner, paths) for paths in _owner_paths(scale, owner_id)),
        ):
            context.say(f"{NAME}: {paths[0].partition('?')[0]} as {name}")
            yield _row(context, name, database, http, paths, scale)


def _admin_paths(scale: _Scale, owner_id: int) -> Iterator[list[str]]:
    pages = scale.users // 100
    ids = random.Random(5).sample(range(1, scale.messages + 1), 50)
    yield [f"/api/mailboxes?{query}" for query in _MAILBOX_QUERIES]
    yield [
        "/api/users",
        f"/api/users?page={pages}&size=100&sort=asc",
        f"/api/users?limit=100&offset={scale.users // 2}",
    ]
    yield [f"/api/users/{owner_id}/mailboxes", f"/api/users/{owner_id + 1}/mailboxes"]
    yield [f"/api/emails?mailbox={filled.LARGE}", f"/api/emails?mailbox={filled.LARGE}&limit=50"]
    yield [f"/api/emails/batch?ids={','.join(map(str, ids))}"]
    yield ["/api/v1/audit?limit=100", "/api/v1/audit?actor=user14&action=mailbox.delete"]
    yield ["/api/v1/tokens"]
    yield ["/api/v1/extraction-rules"]


def _owner_paths(scale: _Scale, owner_id: int) -> Iterator[list[str]]:
    yield [f"/api/mailboxes?{query}" for query in _MAILBOX_QUERIES]
    yield [f"/api/users/{owner_id}/mailboxes"]


def _logged_in(server: Tempmail) -> HttpConnection:
    """A connection of the user with many mailboxes."""
    body = json.dumps({"username": OWNER, "password": PASSWORD}).encode()
    with closing(server.connect()) as connection:
        cookie = connection.post("/api/login", body).cookie
    if not cookie:
        raise BenchError(f"{OWNER} cannot log in")
    return HttpConnection(server.http, cookie=cookie)


def _row(
    context: Context, name: str, database: sqlite3.Connection, http: HttpConnection, paths: list[str], scale: _Scale
) -> Row:
    samples: dict[str, list[float]] = {path: [] for path in paths}
    for turn in range(scale.rounds + 1):
        for path, taken in samples.items():
            # A server may remember an answer until something is committed.
            database.execute("update mailboxes set last_accessed_at = ? where id = 1", (f"{time.monotonic_ns()}",))
            began = time.perf_counter()
            http.get(path)
            if turn > 0:  # the first warms up
                taken.append(1000 * (time.perf_counter() - began))
    route = paths[0].partition("?")[0]
    context.raw[f"{NAME}: {route} as {name}"] = {
        path: {f"p{percent}_ms": percentile(taken, percent) for percent in (50, 90, 99)}
        for path, taken in samples.items()
    }
    worst = max(samples, key=lambda path: percentile(samples[path], 99))
    together = [took for taken in samples.values() for took in taken]
    return Row(
        f"{route} as {name}, p99 of the slowest of {len(paths)} queries",
        percentile(samples[worst], 99),
        "ms",
        None if context.is_quick else P99_MS,
        f"p50 {shown(percentile(samples[worst], 50))} for ?{worst.partition('?')[2][:40]}; of all p50"
        f" {shown(percentile(together, 50))}, p99 {shown(percentile(together, 99))}",
    )
