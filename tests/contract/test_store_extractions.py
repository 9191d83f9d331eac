"""Which stored mails were read by an older extraction, and what becomes of them."""

import sqlite3
from asyncio import run
from contextlib import closing
from pathlib import Path

import pytest

from tempmail.domain.messages import Message, ReadAgain, StaleMail, StoredMail
from tempmail.ports import Store
from tests.builders import NOW, incoming


def add(store: Store, *addresses: str, version: int, code: str | None = "482913") -> StoredMail:
    mail = incoming(*addresses, extraction_version=version, verification_code=code)
    [stored] = run(store.mail.add([mail]))
    return stored


def get(store: Store, message_id: int) -> Message:
    found = run(store.mail.get(message_id))
    assert found is not None
    return found


def stale_ids(store: Store, *, below: int, limit: int = 100) -> list[tuple[int, ...]]:
    return [mail.message_ids for mail in run(store.extractions.stale(below=below, limit=limit))]


@pytest.mark.parametrize(("version", "is_stale"), [(4, True), (5, False), (6, False)])
def test_what_was_read_below_the_version_is_stale(store: Store, version: int, is_stale: bool) -> None:
    add(store, version=version)
    assert bool(stale_ids(store, below=5)) is is_stale
    assert run(store.extractions.count_stale(below=5)) == int(is_stale)


def test_a_stale_mail_is_all_rows_of_one_body(store: Store) -> None:
    stored = add(store, "B@t.example", "a@t.example", version=0)
    assert run(store.extractions.stale(below=1, limit=1)) == [
        StaleMail(
            stored.object_key, stored.message_ids, ("B@t.example", "a@t.example"), "bounce@shop.example", "482913"
        )
    ]
    assert run(store.extractions.count_stale(below=1)) == 2


def test_the_latest_version_comes_first_then_the_newest_mail(store: Store) -> None:
    first, second, third, fourth = (add(store, version=version).message_ids for version in (2, 1, 2, 3))
    assert stale_ids(store, below=3) == [third, first, second]
    assert stale_ids(store, below=3, limit=2) == [third, first]
    assert stale_ids(store, below=4)[0] == fourth


def test_what_was_read_again_is_stored_in_every_row(store: Store) -> None:
    stored = add(store, "a@t.example", "b@t.example", version=0)
    other = add(store, version=0)
    run(store.extractions.update([ReadAgain(stored.message_ids, 7, True, "new", '{"code":"new"}')]))
    for id_ in stored.message_ids:
        row = get(store, id_)
        assert (row.verification_code, row.extraction, row.extraction_version) == ("new", '{"code":"new"}', 7)
    assert get(store, other.message_ids[0]).verification_code == "482913"


def test_a_code_can_go(store: Store) -> None:
    stored = add(store, version=0)
    run(store.extractions.update([ReadAgain(stored.message_ids, 7, True)]))
    row = get(store, stored.message_ids[0])
    assert (row.verification_code, row.extraction) == (None, None)


def test_a_mail_without_a_body_keeps_its_code_and_is_done(store: Store) -> None:
    stored = add(store, version=0)
    run(store.extractions.update([ReadAgain(stored.message_ids, 7, False)]))
    row = get(store, stored.message_ids[0])
    assert (row.verification_code, row.extraction, row.extraction_version) == ("482913", '{"code":"482913"}', 7)
    assert stale_ids(store, below=7) == []


@pytest.mark.parametrize("has_body", [True, False])
def test_an_older_reading_never_replaces_a_newer_one(store: Store, has_body: bool) -> None:
    stored = add(store, version=8)
    run(store.extractions.update([ReadAgain(stored.message_ids, 7, has_body, "old")]))
    row = get(store, stored.message_ids[0])
    assert (row.verification_code, row.extraction_version) == ("482913", 8)


def test_a_row_that_went_meanwhile_stays_gone(store: Store) -> None:
    stored = add(store, "a@t.example", "b@t.example", version=0)
    gone, left = stored.message_ids
    run(store.mail.delete(gone, now=NOW))
    run(store.extractions.update([ReadAgain(stored.message_ids, 7, True, "new")]))
    assert run(store.mail.get(gone)) is None
    assert get(store, left).verification_code == "new"


def test_rows_without_an_object_are_mails_of_their_own(store: Store, database: Path) -> None:
    first, second = (add(store, version=0).message_ids[0] for _ in range(2))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("update messages set r2_object_key = ''")
    mails = run(store.extractions.stale(below=1, limit=9))
    assert [(mail.object_key, mail.message_ids) for mail in mails] == [("", (second,)), ("", (first,))]


def test_forgetting_goes_through_all_rows_in_chunks(store: Store) -> None:
    ids = [add(store, version=7).message_ids[0] for _ in range(5)]
    assert run(store.extractions.forget(after=0, limit=3)) == ids[2]
    assert run(store.extractions.count_stale(below=7)) == 3
    assert run(store.extractions.forget(after=ids[2], limit=3)) == ids[4]
    assert run(store.extractions.forget(after=ids[4], limit=3)) is None
    assert run(store.extractions.count_stale(below=7)) == 5
