"""Mailboxes, users and what belongs to them, as a large site has them, written with SQL."""

import hashlib
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tests.bench.targets import DOMAIN

DOMAINS = (DOMAIN, *(f"d{number}.{DOMAIN}" for number in range(1, 5)))
OWNER = "owner"
"""The user with as many mailboxes as one may have."""
PASSWORD = "a-password-for-benchmarks-only"
OWNED = 9_999
PINS = 25
_OWNED_BY_OTHERS = 20
_RULES = 100
_WORDS = ("shop", "news", "bank", "game", "mail", "test", "work", "home")


def fill(path: Path, *, mailboxes: int, users: int, owned: int = OWNED, audit_entries: int = 20_000) -> None:
    """Bring the migrated database at `path` up to `mailboxes` mailboxes in `DOMAINS`, with all kinds of flags, and
    `users` users: `OWNER`, linked to `owned` of them, and others, linked to a few. No server may be running on it."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("pragma synchronous = off")
        connection.execute("begin")
        [(present,)] = connection.execute("select coalesce(max(id), 0) from mailboxes")
        connection.executemany(
            "insert into mailboxes (id, address, local_part, domain, can_login, is_favorite, forward_to)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            _mailboxes(present, mailboxes),
        )
        [(known,)] = connection.execute("select coalesce(max(id), 0) from users")
        owner_id = known + 1
        connection.executemany(
            "insert into users (id, username, password_hash, role, can_send, mailbox_limit) values (?, ?, ?, ?, ?, ?)",
            _users(owner_id, users),
        )
        connection.executemany(
            "insert into user_mailboxes (user_id, mailbox_id, is_pinned) values (?, ?, ?)",
            _links(owner_id, users, mailboxes, owned),
        )
        connection.executemany(
            "insert into api_tokens (user_id, name, secret_hash, actions, mailboxes, created_at)"
            " values (?, ?, ?, '[\"mail.*\"]', '[]', '2026-01-01 00:00:00')",
            ((owner_id + number, f"token {number}", f"{number:064x}") for number in range(users)),
        )
        connection.executemany(
            "insert into audit_log (at, actor, role, action, target, address, status, request_id)"
            " values ('2026-01-01 00:00:00', ?, 'admin', ?, 'box', '192.0.2.1', 200, ?)",
            (
                (f"user{number % 100}", "user.list" if number % 7 else "mailbox.delete", f"r{number}")
                for number in range(audit_entries)
            ),
        )
        connection.executemany(
            "insert into extraction_rules (name, kind, pattern, sender, field, priority, enabled, version, created_at,"
            " updated_at) values (?, 'code', 'pin: (?P<code>[0-9]+)', '*', 'any', 0, 0, 1, '', '')",
            ((f"rule {number}",) for number in range(_RULES)),
        )
        connection.execute("commit")
        connection.execute("pragma wal_checkpoint(truncate)")
    finally:
        connection.close()


def _mailboxes(present: int, wanted: int) -> Iterator[tuple[object, ...]]:
    chance = random.Random(7)
    for id_ in range(present + 1, wanted + 1):
        domain = DOMAINS[id_ % len(DOMAINS)]
        local = f"{_WORDS[id_ % 8]}{id_}" if id_ % 3 else f"{chance.getrandbits(48):012x}"
        forward_to = "me@else.example" if id_ % 13 == 0 else None
        yield id_, f"{local}@{domain}", local, domain, int(id_ % 7 == 0), int(id_ % 11 == 0), forward_to


def _users(first_id: int, count: int) -> Iterator[tuple[object, ...]]:
    # The original's oldest form of a hash, which is taken still.
    hashed = hashlib.sha256(PASSWORD.encode()).hexdigest()
    for number in range(count):
        name = f"user{number}" if number else OWNER
        role = "user" if number % 50 or not number else "admin"
        yield first_id + number, name, hashed, role, int(number % 4 == 0), 10 if number else OWNED


def _links(owner_id: int, users: int, mailboxes: int, owned: int) -> Iterator[tuple[int, int, int]]:
    chance = random.Random(8)
    for number, mailbox_id in enumerate(chance.sample(range(1, mailboxes + 1), min(owned, mailboxes))):
        yield owner_id, mailbox_id, int(number < PINS)
    for number in range(1, users):
        for place in range(min(_OWNED_BY_OTHERS, mailboxes)):
            yield owner_id + number, 1 + (number * _OWNED_BY_OTHERS + place) % mailboxes, int(place == 0)
