"""Retention: to the second, with the bodies, by one process at a time."""

import sqlite3
from asyncio import run
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from tempmail.adapters.sql import SqlStore
from tempmail.clock import FakeClock
from tempmail.domain.capsules import Recipient
from tempmail.errors import StoreUnavailable
from tempmail.metrics import Board
from tempmail.ports import Mail, Store
from tempmail.ports.capsules import CapsuleText, NewCapsule
from tempmail.services.retention import Removed, Retention, RetentionOptions
from tests.builders import NOW, at, incoming
from tests.outbound_builders import new_outbound

DAY_S = 86_400


@pytest.fixture
def board() -> Board:
    return Board(1)


def retention(
    store: Store, clock: FakeClock, board: Board, *, days: int = 1, chunk: int = 500, mail: Mail | None = None
) -> Retention:
    return Retention(
        mail=mail or store.mail,
        mailboxes=store.mailboxes,
        audit=store.audit,
        outbox=store.outbox,
        capsules=store.capsules,
        jobs=store.jobs,
        clock=clock,
        metrics=board.slot(0),
        options=RetentionOptions(days=days, outbox_days=3, every_s=600, lease_s=3600, chunk=chunk),
    )


def last_error(database: Path) -> str | None:
    """What an admin sees of the job's last run."""
    with closing(sqlite3.connect(database)) as connection:
        error: str | None = connection.execute("select last_error from jobs where kind = 'retention'").fetchone()[0]
        return error


@pytest.mark.parametrize(("age_s", "kept"), [(3 * DAY_S, 5), (3 * DAY_S + 1, 1)], ids=["at-the-limit", "past-it"])
def test_finished_mails_leave_the_outbox_after_its_days_and_waiting_ones_never(
    store: Store, clock: FakeClock, board: Board, age_s: int, kept: int
) -> None:
    mails = run(store.outbox.add([new_outbound() for _ in range(5)], [None] * 5))
    for mail in mails[1:]:
        run(store.outbox.cancel(mail.id, now=NOW))
    clock.advance(age_s)
    run(retention(store, clock, board, chunk=2).run())
    assert sum(run(store.outbox.counts()).values()) == kept


@pytest.mark.parametrize(
    ("age_s", "kept"), [(2 * DAY_S, True), (2 * DAY_S + 1, False)], ids=["at-the-limit", "one-second-past-it"]
)
def test_a_message_is_kept_for_its_days_to_the_second(
    store: Store, clock: FakeClock, board: Board, age_s: int, kept: bool
) -> None:
    [stored] = run(store.mail.add([incoming()]))
    clock.advance(age_s)
    assert run(retention(store, clock, board, days=2).run()) == Removed(messages=int(not kept), mailboxes=0)
    assert (run(store.mail.get(stored.message_ids[0])) is not None) is kept
    assert run(store.spool.pending_deletes()) == int(not kept)
    assert board.total("retention_messages_total") == int(not kept)


def test_without_days_messages_are_kept_for_ever_and_expired_mailboxes_still_go(
    store: Store, clock: FakeClock, board: Board
) -> None:
    run(store.mail.add([incoming("kept@t.example")]))
    run(store.mailboxes.create("gone@t.example", now=NOW, owner_id=None, expires_at=at(60)))
    run(store.mail.add([incoming("gone@t.example")]))
    clock.advance(1000 * DAY_S)

    assert run(retention(store, clock, board, days=0).run()) == Removed(messages=0, mailboxes=1)
    assert run(store.mailboxes.find("kept@t.example")) is not None
    assert run(store.mailboxes.find("gone@t.example")) is None
    assert run(store.spool.pending_deletes()) == 1


@pytest.mark.parametrize(("days", "age_s", "kept"), [(2, 2 * DAY_S, 1), (2, 2 * DAY_S + 1, 0), (0, 999 * DAY_S, 1)])
def test_a_delivered_capsule_is_kept_as_long_as_its_mail(
    store: Store, clock: FakeClock, board: Board, database: Path, days: int, age_s: int, kept: int
) -> None:
    text = CapsuleText(Recipient(address="a@t.example"), "To me", "Dear me", "default", False, None)
    capsules = [
        run(store.capsules.add(NewCapsule(uuid4().hex, "user:1", "ann", text), limit=99, now=NOW)) for _ in range(21)
    ]
    with closing(sqlite3.connect(database)) as connection:
        for status in ("pending", "delivering", "delivered"):
            connection.execute("update capsules set status = ?, due = ? where id > 1", (status, NOW))
        connection.execute("update capsules set due = null, delivered_at = ? where id > 1", (NOW,))
        connection.commit()
    clock.advance(age_s)
    run(retention(store, clock, board, days=days).run())
    assert len([each for each in capsules if run(store.capsules.find(each.uuid))]) == 1 + 20 * kept


@pytest.mark.parametrize("seconds", [59, 60])
def test_a_mailbox_goes_at_the_second_of_its_expiry(store: Store, clock: FakeClock, board: Board, seconds: int) -> None:
    run(store.mailboxes.create("a@t.example", now=NOW, owner_id=None, expires_at=at(60)))
    clock.advance(seconds)
    assert run(retention(store, clock, board).run()).mailboxes == int(seconds == 60)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_a_run_goes_on_until_nothing_old_is_left(store: Store, clock: FakeClock, board: Board, count: int) -> None:
    run(store.mail.add([incoming() for _ in range(count)]))
    for number in range(count):
        run(store.mailboxes.create(f"{number}@t.example", now=NOW, owner_id=None, expires_at=NOW))
    clock.advance(2 * DAY_S)
    assert run(retention(store, clock, board, chunk=2).run()) == Removed(messages=count, mailboxes=count)


def test_of_two_processes_one_runs_and_again_only_when_it_is_due(
    store: Store, other_store: Store, clock: FakeClock, board: Board
) -> None:
    one, other = retention(store, clock, board), retention(other_store, clock, board)
    assert run(one.run_if_due()) == Removed(0, 0)
    assert run(other.run_if_due()) is None
    clock.advance(599)
    assert run(one.run_if_due()) is None
    clock.advance(1)
    assert run(other.run_if_due()) == Removed(0, 0)
    assert run(one.run_if_due()) is None


class Meanwhile:
    """While retention would delete messages, another process looks whether a run is due."""

    def __init__(self, other: Retention) -> None:
        self._other = other
        self.others_run: Removed | None = Removed(0, 0)

    async def delete_received_before(self, cutoff: str, *, now: str, limit: int) -> int:
        self.others_run = await self._other.run_if_due()
        return 0


def test_no_other_process_runs_while_one_does(store: Store, other_store: Store, clock: FakeClock, board: Board) -> None:
    mail = Meanwhile(retention(other_store, clock, board))
    run(retention(store, clock, board, mail=mail).run_if_due())  # type: ignore[arg-type]  # all that retention asks of it
    assert mail.others_run is None


class Locked:
    """A database that is locked whenever retention would delete messages."""

    async def delete_received_before(self, cutoff: str, *, now: str, limit: int) -> int:
        raise StoreUnavailable("the database is unavailable")


def test_a_failed_run_is_recorded_and_done_again_at_its_next_time(
    store: SqlStore, clock: FakeClock, board: Board, database: Path
) -> None:
    broken = retention(store, clock, board, mail=Locked())  # type: ignore[arg-type]  # all that retention asks of it
    with pytest.raises(StoreUnavailable):
        run(broken.run_if_due())
    assert last_error(database) == "StoreUnavailable"

    working = retention(store, clock, board)
    assert run(working.run_if_due()) is None
    clock.advance(600)
    assert run(working.run_if_due()) == Removed(0, 0)
    assert last_error(database) is None
