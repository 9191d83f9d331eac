"""Scheduled mails that fall due together, handed to a sandbox in another process; and what looking for due mails costs
beside a million that wait for later."""

import asyncio
import contextlib
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx

from tempmail.adapters.sql import SqlStore, open_store
from tempmail.adapters.sql.migrate import migrate
from tempmail.clock import SystemClock, stamp
from tempmail.domain.outbound import Kind, OutboundMessage, RecipientKind
from tempmail.ports.outbound import NewOutbound
from tempmail.services.outbound_payload import encode
from tests.bench.report import Context, Goal, Row, percentile
from tests.bench.targets import DOMAIN, TOKEN, BenchError, Tempmail, cpu_seconds, tempmail

NAME = "outbox"
MAILS, QUICK_MAILS = 10_000, 1_000
RATE = Goal("min", 300)
WAITING = (1_000, 1_000_000)
QUICK_WAITING = (1_000, 100_000)
GROWTH = Goal("max", 1.5)

_LEAD_S = 8.0
"""Until the mails are due: the server has started by then."""
_TIMEOUT_S = 120.0
_CHUNK = 500
_CLAIMS = 40
_CLAIM = 64
_YEAR_S = 365 * 86_400
_TEXT = (
    "Hello,\n\nThanks for signing up for Northwind. To finish creating your account, enter this verification code on "
    "the page that you left open: 482913\n\nIt is valid for ten minutes. If you did not ask for it, do nothing.\n\n"
    "The Northwind team\n"
)


def run(context: Context) -> Iterator[Row]:
    mails = QUICK_MAILS if context.is_quick else MAILS
    context.say(f"{NAME}: sending {mails} mails")
    with tempmail(context.folder / f"{NAME}-sandbox", SMTP_WORKERS=1) as sandbox:
        yield from _send(context, sandbox, mails)
    sizes = QUICK_WAITING if context.is_quick else WAITING
    context.say(f"{NAME}: claiming beside {sizes[-1]} mails of later")
    folders = {size: context.folder / f"{NAME}-{size}" for size in sizes}
    for folder in folders.values():
        folder.mkdir()
    taken = asyncio.run(_claims(folders))
    context.raw[f"{NAME}: claims"] = {str(size): samples for size, samples in taken.items()}
    few, many = (percentile(taken[size], 50) for size in sizes)
    yield Row(
        f"claim of {_CLAIM} mails, {sizes[-1]} to {sizes[0]} of later, p50",
        many / few,
        "ratio",
        None if context.is_quick else GROWTH,
        f"{many:.2f} ms to {few:.2f} ms",
    )


def _send(context: Context, sandbox: Tempmail, mails: int) -> Iterator[Row]:
    """The rate from the second that all are due until the last is accepted."""
    host, port = sandbox.http
    base = f"http://{host}:{port}"
    made = httpx.post(
        f"{base}/api/v1/sandboxes/resend/credentials",
        json={"name": "bench", "mailbox": f"caught@{DOMAIN}"},
        headers={"Authorization": f"Bearer {TOKEN}"},
        trust_env=False,
    )
    key = made.raise_for_status().json()["values"]["key"]
    folder = context.folder / f"{NAME}-sender"
    path = folder / "data" / "tempmail.db"
    path.parent.mkdir(parents=True)
    due_at = float(asyncio.run(_schedule(path, mails)))
    settings = {"RESEND_API_KEY": key, "RESEND_API_URL": f"{base}/sandbox/resend", "SEND_PAUSES": "resend=0"}
    with tempmail(folder, SMTP_WORKERS=1, **settings) as sender:
        if time.time() >= due_at:
            raise BenchError("the server took longer to start than the mails were put off for")
        time.sleep(max(0.0, due_at - time.time()))
        before = cpu_seconds(sender)["web"]
        with closing(sqlite3.connect(path)) as database:
            _await(lambda: _accepted(database) == mails)
            took_s = time.time() - due_at
        cpu_us = (cpu_seconds(sender)["web"] - before) / mails * 1e6
        metrics = sender.metrics()
    call_ms = metrics["tempmail_outbox_send_seconds_sum"] / metrics["tempmail_outbox_send_seconds_count"] * 1e3
    context.raw[f"{NAME}: sending"] = {"mails": mails, "took_s": took_s, "sender_cpu_us": cpu_us, "call_ms": call_ms}
    yield Row(
        f"{mails} due mails handed to the Resend sandbox",
        mails / took_s,
        "mails/s",
        RATE,
        f"{cpu_us:.0f} µs CPU of the sender for each; a call takes {call_ms:.1f} ms",
    )


def _accepted(database: sqlite3.Connection) -> int:
    row = database.execute("select sum(mails) from outbox_counts where state = 'accepted'").fetchone()
    return int(row[0] or 0)


def _await(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not is_so():
        if time.monotonic() > deadline:
            raise BenchError("not every mail was accepted in time")
        time.sleep(0.05)


async def _schedule(path: Path, mails: int) -> int:
    """Fill the outbox with mails that are all due at the same second, which is the result."""
    store = await _new_store(path)
    try:
        chunks = [[_mail(number) for number in range(start, start + _CHUNK)] for start in range(0, mails, _CHUNK)]
        due_at = int(time.time() + _LEAD_S + mails / 2_000)
        for chunk in chunks:
            await store.outbox.add([_due(mail, due_at) for mail in chunk], [None] * len(chunk))
        return due_at
    finally:
        await store.close()


async def _claims(folders: Mapping[int, Path]) -> dict[int, list[float]]:
    """Milliseconds of each of several claims, in turns, in outboxes where so many mails are of later."""
    taken: dict[int, list[float]] = {size: [] for size in folders}
    async with contextlib.AsyncExitStack() as opened:
        stores = {}
        for size, folder in folders.items():
            stores[size] = store = await _new_store(folder / "tempmail.db")
            opened.push_async_callback(store.close)
            await asyncio.to_thread(fill_with_later, folder / "tempmail.db", size)
            due_at = int(time.time()) - 1
            due = [_due(_mail(number), due_at) for number in range(_CLAIMS * _CLAIM)]
            for start in range(0, len(due), _CHUNK):
                await store.outbox.add(due[start : start + _CHUNK], [None] * len(due[start : start + _CHUNK]))
            await store.checkpoint()
        for _ in range(_CLAIMS):
            for size, store in stores.items():
                taken[size].append(await _claim(store))
    return taken


async def _claim(store: SqlStore) -> float:
    now = time.time()
    began = time.perf_counter()
    claimed = await store.outbox.claim(now=stamp(now), until=stamp(now + 3_600), limit=_CLAIM)
    took_ms = (time.perf_counter() - began) * 1e3
    if len(claimed) != _CLAIM:
        raise BenchError(f"{len(claimed)} mails were claimed, not {_CLAIM}")
    return took_ms


def fill_with_later(path: Path, waiting: int) -> None:
    """Mails of the next year, written with SQL."""
    now = time.time()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("pragma synchronous = off")
        connection.execute("begin")
        payload = encode(_message(0))
        connection.executemany(
            "insert into outbox (id, uuid, kind, state, from_addr, subject, scheduled_at, due, deadline, created_at,"
            " updated_at) values (?, ?, 'send', 'scheduled', ?, 'Later', ?, ?, ?, ?, ?)",
            (
                (number, str(uuid.uuid4()), f"me@{DOMAIN}", due, due, stamp(now + 2 * _YEAR_S), stamp(now), stamp(now))
                for number in range(1, waiting + 1)
                for due in (stamp(now + 3_600 + number * _YEAR_S / waiting),)
            ),
        )
        connection.executemany(
            "insert into outbox_payloads (outbox_id, payload) values (?, ?)",
            ((number, payload) for number in range(1, waiting + 1)),
        )
        connection.executemany(
            "insert into outbox_recipients (outbox_id, kind, address, state) values (?, 'to', ?, 'scheduled')",
            ((number, f"you{number}@{DOMAIN}") for number in range(1, waiting + 1)),
        )
        connection.execute("commit")
        connection.execute("pragma wal_checkpoint(truncate)")


async def _new_store(path: Path) -> SqlStore:
    clock = SystemClock()
    migrate(path, clock)
    return await open_store(path, clock=clock, migrated=True)


def _message(number: int) -> OutboundMessage:
    return OutboundMessage(
        from_addr=f"me@{DOMAIN}", to=(f"box{number % 100}@{DOMAIN}",), subject=f"Mail {number}", text=_TEXT
    )


def _mail(number: int) -> NewOutbound:
    message = _message(number)
    now = stamp(time.time())
    return NewOutbound(
        uuid=str(uuid.uuid4()),
        kind=Kind.SEND,
        from_addr=message.from_addr,
        subject=message.subject,
        recipients=((RecipientKind.TO, message.to[0]),),
        payload=encode(message),
        created_at=now,
        due=now,
        deadline=stamp(time.time() + 86_400),
    )


def _due(mail: NewOutbound, at: int) -> NewOutbound:
    return replace(mail, due=stamp(at), scheduled_at=stamp(at))
