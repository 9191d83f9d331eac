"""A database as years of mail leave it, written with SQL."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from tempmail.services.extraction import OLDEST_CURRENT
from tests.bench.targets import DOMAIN, BenchError

LARGE = f"large@{DOMAIN}"
"""The mailbox that holds a tenth of all messages."""

_SMALL_MAILBOX = 90
_PAGES_FULL = 20
_SPAN_S = 365 * 86_400

_INSERT = """
insert into messages (
    mailbox_id, sender, to_addrs, subject, verification_code, preview, r2_object_key, received_at, is_read,
    envelope_from, size_bytes, attachment_count, extraction, extraction_version
)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_PREVIEW = (
    "Thanks for signing up for Northwind. To finish creating your account, enter this verification code on the page "
    "that you left open: "
)


def other_mailboxes(messages: int) -> int:
    """How many mailboxes share nine tenths of `messages`: 90 messages each, fewer in a small database, yet enough for a
    full first page."""
    others = messages - messages // 10
    return max(1, others // _SMALL_MAILBOX if others >= 100 * _SMALL_MAILBOX else others // _PAGES_FULL)


def address(number: int) -> str:
    """The address of one of the other mailboxes, from 0 on."""
    return f"box{number}@{DOMAIN}"


def fill(path: Path, messages: int) -> None:
    """Put `messages` messages into the migrated, empty database at `path`; no server may be running on it."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        if connection.execute("select count(*) from messages").fetchone()[0]:
            raise BenchError(f"{path} holds messages already")
        connection.execute("pragma synchronous = off")
        connection.execute("begin")
        connection.executemany(
            "insert into mailboxes (id, address, local_part, domain) values (?, ?, ?, ?)", _mailboxes(messages)
        )
        connection.executemany(_INSERT, _messages(messages))
        connection.execute("commit")
        connection.execute("pragma wal_checkpoint(truncate)")
    finally:
        connection.close()


def _mailboxes(messages: int) -> Iterator[tuple[int, str, str, str]]:
    for id_, name in enumerate((LARGE, *map(address, range(other_mailboxes(messages)))), start=1):
        yield id_, name, name.partition("@")[0], DOMAIN


def _messages(messages: int) -> Iterator[tuple[object, ...]]:
    others = other_mailboxes(messages)
    began = time.time() - _SPAN_S
    for number in range(messages):
        is_large = number % 10 == 0
        other = (number - number // 10 - 1) % others
        name = LARGE if is_large else address(other)
        received = time.gmtime(began + _SPAN_S * number / messages)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", received)
        code = f"{number * 7919 % 1_000_000:06d}"
        key = f"{time.strftime('%Y/%m/%d', received)}/{name}/{time.strftime('%H%M%S', received)}-{number:032x}.eml"
        yield (
            1 if is_large else other + 2,
            "Northwind <no-reply@northwind.example>",
            name,
            "Confirm your address – Northwind",
            code,
            _PREVIEW + code,
            key,
            stamp,
            number % 3 == 0,
            "bounce@mail.northwind.example",
            5_015,
            0,
            f'{{"code":"{code}","codes":[{{"code":"{code}","score":0.98}}],"links":[]}}',
            # Read by today's rules: otherwise the server reads it all again while it is measured.
            OLDEST_CURRENT,
        )
