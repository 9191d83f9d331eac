"""Reading stored mail again: what is done, by whom, and what a crash or an outage leaves."""

import asyncio
import sqlite3
from asyncio import run
from contextlib import closing
from pathlib import Path

import pytest

from tempmail.adapters.sql import SqlStore
from tempmail.clock import FakeClock
from tempmail.domain.messages import Message, StoredMail
from tempmail.errors import NotFound, ObjectsUnavailable
from tempmail.metrics import Board
from tempmail.ports import Store
from tempmail.services.extraction import OLDEST_CURRENT, Extractor
from tempmail.services.reextract import Batch, Reextraction, ReextractOptions
from tests.builders import NOW, RAW, incoming, rule_draft

OPTIONS = ReextractOptions(limit=2, max_outages=2, lease_s=60, rest=4, max_rest_s=2)


class Crash(BaseException):
    """The process ends here."""


class Bodies:
    """Every body is `RAW`, except for the keys in `errors`. `clock` moves by `takes_s` with each."""

    def __init__(self, clock: FakeClock, takes_s: float = 0) -> None:
        self.errors: dict[str, BaseException] = {}
        self.read_keys: list[str] = []
        self._clock = clock
        self._takes_s = takes_s

    async def read(self, object_key: str) -> bytes:
        self.read_keys.append(object_key)
        self._clock.advance(self._takes_s)
        await asyncio.sleep(0)
        if object_key in self.errors:
            raise self.errors[object_key]
        return RAW


@pytest.fixture
def bodies(clock: FakeClock) -> Bodies:
    return Bodies(clock)


@pytest.fixture
def board() -> Board:
    return Board(1)


@pytest.fixture
def job(store: SqlStore, bodies: Bodies, clock: FakeClock, board: Board) -> Reextraction:
    return make(store, bodies, clock, board)


def make(
    store: Store,
    bodies: Bodies,
    clock: FakeClock,
    board: Board,
    rests: list[float] | None = None,
    options: ReextractOptions = OPTIONS,
) -> Reextraction:
    async def rest(seconds: float) -> None:
        if rests is not None:
            rests.append(seconds)

    return Reextraction(
        extractions=store.extractions,
        bodies=bodies,
        extractor=Extractor(store.rules, clock),
        jobs=store.jobs,
        clock=clock,
        metrics=board.slot(0),
        options=options,
        sleep=rest,
    )


def add(store: Store, *addresses: str, version: int = 0, code: str | None = None) -> StoredMail:
    mail = incoming(*addresses, extraction_version=version, verification_code=code, extraction=None)
    [stored] = run(store.mail.add([mail]))
    return stored


def rows(store: Store, *mails: StoredMail) -> list[Message]:
    return run(store.mail.get_many([id_ for mail in mails for id_ in mail.message_ids]))


def codes(store: Store, *mails: StoredMail) -> list[str | None]:
    return [row.verification_code for row in rows(store, *mails)]


def test_an_old_mail_is_read_again_in_all_its_rows_with_one_look_at_its_body(
    store: SqlStore, job: Reextraction, bodies: Bodies, board: Board
) -> None:
    stored = add(store, "a@t.example", "b@t.example")
    assert run(job.batch(below=OLDEST_CURRENT)) == Batch(messages=2, changed=1, gone=0)
    for row in rows(store, stored):
        assert row.verification_code == "482913"
        assert '"code":"482913"' in (row.extraction or "")
        assert row.extraction_version == OLDEST_CURRENT
    assert bodies.read_keys == [stored.object_key]
    assert board.total("reextract_mails_total", "read") == 1
    assert run(job.batch(below=OLDEST_CURRENT)) == Batch()


def test_batches_are_bounded_and_the_newest_mail_comes_first(store: SqlStore, job: Reextraction) -> None:
    first, second, third = (add(store) for _ in range(3))
    assert run(job.batch(below=OLDEST_CURRENT)) == Batch(messages=2, changed=2)
    assert codes(store, first, second, third) == [None, "482913", "482913"]
    assert run(job.pending(below=OLDEST_CURRENT)) == 1


def test_a_code_that_stays_the_same_is_no_change(store: SqlStore, job: Reextraction) -> None:
    add(store, code="482913")
    assert run(job.batch(below=OLDEST_CURRENT)) == Batch(messages=1, changed=0)


def test_what_is_up_to_date_is_left_alone_without_a_write(
    store: SqlStore, job: Reextraction, bodies: Bodies, database: Path
) -> None:
    add(store, version=OLDEST_CURRENT)
    assert run(job.run_if_due()) == 0
    assert bodies.read_keys == []
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("select count(*) from jobs").fetchone() == (0,)


def test_a_mail_whose_body_is_gone_keeps_its_code_and_is_not_tried_again(
    store: SqlStore, job: Reextraction, bodies: Bodies, board: Board
) -> None:
    lost, kept = add(store, code="old"), add(store)
    bodies.errors[lost.object_key] = NotFound("no such object")
    assert run(job.batch(below=OLDEST_CURRENT)) == Batch(messages=2, changed=1, gone=1)
    assert codes(store, lost, kept) == ["old", "482913"]
    assert run(job.pending(below=OLDEST_CURRENT)) == 0
    assert board.total("reextract_mails_total", "gone") == 1


def test_a_mail_that_never_had_a_body_is_done_at_once(
    store: SqlStore, job: Reextraction, bodies: Bodies, database: Path
) -> None:
    imported = add(store, code="old")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("update messages set r2_object_key = ''")
    assert run(job.batch(below=OLDEST_CURRENT)) == Batch(messages=1, changed=0, gone=1)
    assert (codes(store, imported), bodies.read_keys) == (["old"], [])


def test_an_upgrade_is_followed_by_itself_a_change_of_rules_when_asked_to(store: SqlStore, job: Reextraction) -> None:
    stored = add(store, version=OLDEST_CURRENT)
    run(store.rules.add(rule_draft(pattern=r"Your (?P<code>\w+)"), now=NOW, limit=9))
    assert run(job.run_if_due()) == 0
    assert codes(store, stored) == [None]
    below = run(job.outdated())
    assert below == OLDEST_CURRENT + 1
    assert run(job.batch(below=below)) == Batch(messages=1, changed=1)
    assert codes(store, stored) == ["code"]
    assert run(job.batch(below=below)) == Batch()


def test_the_background_reads_by_the_rules_of_now(store: SqlStore, job: Reextraction) -> None:
    stored = add(store)
    run(store.rules.add(rule_draft(pattern=r"Your (?P<code>\w+)"), now=NOW, limit=9))
    assert run(job.run_if_due()) == 1
    assert codes(store, stored) == ["code"]


def test_forgetting_has_everything_read_again(store: SqlStore, job: Reextraction) -> None:
    mails = [add(store, version=OLDEST_CURRENT + 7) for _ in range(5)]
    run(job.forget(chunk=2))
    done = 0
    while did := run(job.run_if_due()):
        done += did
    assert done == 5
    assert codes(store, *mails) == ["482913"] * 5


def test_an_outage_stops_the_work_and_changes_nothing(
    store: SqlStore, clock: FakeClock, board: Board, bodies: Bodies, database: Path
) -> None:
    job = make(store, bodies, clock, board, options=ReextractOptions(limit=4, max_outages=2))
    mails = [add(store, code="old") for _ in range(4)]
    bodies.errors = {mail.object_key: ObjectsUnavailable("no bucket") for mail in mails}
    with pytest.raises(ObjectsUnavailable):
        run(job.batch(below=OLDEST_CURRENT))
    assert len(bodies.read_keys) == 2
    assert run(job.pending(below=OLDEST_CURRENT)) == 4
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("select last_error from jobs").fetchone() == ("ObjectsUnavailable",)
    bodies.errors.clear()
    assert run(job.batch(below=OLDEST_CURRENT)) == Batch(messages=4, changed=4)


def test_one_object_that_cannot_be_had_does_not_hold_up_the_others(
    store: SqlStore, job: Reextraction, bodies: Bodies
) -> None:
    *others, stuck = (add(store) for _ in range(3))
    bodies.errors[stuck.object_key] = ObjectsUnavailable("archived")
    for _ in others:
        assert run(job.batch(below=OLDEST_CURRENT)) == Batch(messages=1, changed=1)
    assert codes(store, *others, stuck) == ["482913", "482913", None]
    with pytest.raises(ObjectsUnavailable):
        run(job.batch(below=OLDEST_CURRENT))


def test_a_crash_in_a_batch_costs_that_batch_and_another_process_goes_on_after_the_lease(
    store: SqlStore, other_store: SqlStore, bodies: Bodies, clock: FakeClock, board: Board, database: Path
) -> None:
    mails = [add(store) for _ in range(5)]
    job = make(store, bodies, clock, board)
    assert run(job.batch(below=OLDEST_CURRENT)) == Batch(messages=2, changed=2)
    # A killed process gives no lease back: its claim stays as it was made.
    assert run(store.jobs.claim("reextract", now=NOW, until="2023-11-14 22:14:20"))

    other = make(other_store, bodies, clock, board)
    clock.advance(59)
    assert run(other.batch(below=OLDEST_CURRENT)) is None
    assert run(other.run_if_due()) == 0
    clock.advance(1)
    done = 0
    while did := run(other.run_if_due()):
        done += did
    assert done == 3
    assert codes(store, *mails) == ["482913"] * 5
    assert len(bodies.read_keys) == 5


def test_a_batch_is_stored_whole_or_not_at_all(store: SqlStore, job: Reextraction, bodies: Bodies) -> None:
    first, second = add(store), add(store)
    bodies.errors[first.object_key] = Crash()
    with pytest.raises(Crash):
        run(job.batch(below=OLDEST_CURRENT))
    assert codes(store, first, second) == [None, None]
    bodies.errors.clear()
    assert run(job.batch(below=OLDEST_CURRENT)) == Batch(messages=2, changed=2)


def test_two_runners_at_once_read_each_mail_once(
    store: SqlStore, other_store: SqlStore, bodies: Bodies, clock: FakeClock, board: Board
) -> None:
    mails = [add(store) for _ in range(7)]

    async def work(job: Reextraction) -> int:
        done = 0
        while (batch := await job.batch(below=OLDEST_CURRENT)) is None or batch.messages:
            done += batch.messages if batch else 0
            await asyncio.sleep(0)
        return done

    async def both() -> list[int]:
        return await asyncio.gather(*(work(make(opened, bodies, clock, board)) for opened in (store, other_store)))

    assert sum(run(both())) == 7
    assert sorted(bodies.read_keys) == sorted(mail.object_key for mail in mails)
    assert codes(store, *mails) == ["482913"] * 7


def test_a_mail_that_is_deleted_while_it_is_read_stays_deleted(store: SqlStore, clock: FakeClock, board: Board) -> None:
    stored = add(store)

    class Deleting(Bodies):
        async def read(self, object_key: str) -> bytes:
            await store.mail.delete(stored.message_ids[0], now=NOW)
            return await super().read(object_key)

    assert run(make(store, Deleting(clock), clock, board).batch(below=OLDEST_CURRENT)) == Batch(1, 1)
    assert rows(store, stored) == []


@pytest.mark.parametrize(
    ("takes_s", "rest_s"), [(0.01, 0.04), (0.5, 2.0), (9.0, 2.0)], ids=["short", "at-the-limit", "above-it"]
)
def test_in_the_background_a_batch_is_followed_by_a_rest(
    store: SqlStore, clock: FakeClock, board: Board, takes_s: float, rest_s: float
) -> None:
    add(store)
    rests: list[float] = []
    run(make(store, Bodies(clock, takes_s), clock, board, rests).run_if_due())
    assert rests == [pytest.approx(rest_s, abs=1e-4)]
