"""The contract of `ports.MailboxLogins`: mailboxes as accounts."""

import sqlite3
from asyncio import gather, run
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tempmail.adapters.sql.sqlite import connect
from tempmail.domain.accounts import MailboxLogin
from tempmail.errors import Conflict
from tempmail.ports import Store
from tests.builders import NOW, at

BOX = "box@temp.example"


@pytest.fixture
def box_id(store: Store) -> int:
    return run(store.mailboxes.create(BOX, now=NOW, owner_id=None)).id


@pytest.fixture
def sql(store: Store, database: Path) -> Iterator[sqlite3.Connection]:
    """For columns that the port only writes, and rows as an import leaves them."""
    with closing(connect(database)) as connection:
        yield connection


def found(store: Store, address: str = BOX) -> MailboxLogin:
    login = run(store.mailbox_logins.find(address))
    assert login is not None
    return login


def test_a_new_mailbox_is_an_account_that_may_not_log_in(store: Store, box_id: int) -> None:
    assert found(store, "BOX@temp.example") == MailboxLogin(box_id, BOX, 0, None, 0)
    assert run(store.mailbox_logins.find("no@temp.example")) is None


def test_an_imported_row_without_the_flag_may_not_log_in(store: Store, box_id: int, sql: sqlite3.Connection) -> None:
    sql.execute("update mailboxes set can_login = null")
    assert found(store).can_login == 0


def test_setting_and_taking_away_a_password_each_end_sessions(store: Store, box_id: int) -> None:
    assert run(store.mailbox_logins.set_password(box_id, "hash")) is True
    assert found(store) == MailboxLogin(box_id, BOX, 0, "hash", 1)
    assert run(store.mailbox_logins.set_password(box_id, None)) is True
    assert found(store) == MailboxLogin(box_id, BOX, 0, None, 2)
    assert run(store.mailbox_logins.set_password(box_id + 1, "hash")) is False


def test_a_password_is_changed_only_while_the_epoch_lasts(store: Store, box_id: int) -> None:
    assert run(store.mailbox_logins.change_password(box_id, epoch=0, password_hash="new")) is True
    assert run(store.mailbox_logins.change_password(box_id, epoch=0, password_hash="late")) is False
    assert found(store) == MailboxLogin(box_id, BOX, 0, "new", 1)
    assert run(store.mailbox_logins.change_password(box_id + 1, epoch=0, password_hash="x")) is False


def test_of_two_changes_at_once_that_proved_the_same_password_one_wins(
    store: Store, other_store: Store, box_id: int
) -> None:
    async def race() -> list[bool]:
        return await gather(
            *(
                side.mailbox_logins.change_password(box_id, epoch=0, password_hash=f"hash-{number}")
                for number, side in enumerate((store, other_store) * 3)
            )
        )

    won = run(race())
    assert sum(won) == 1
    assert found(store).password_hash == f"hash-{won.index(True)}"


def test_an_upgraded_hash_keeps_sessions_and_never_overwrites_a_newer_password(store: Store, box_id: int) -> None:
    run(store.mailbox_logins.set_password(box_id, "old"))
    run(store.mailbox_logins.upgrade_password(box_id, old_hash="old", new_hash="better"))
    assert found(store) == MailboxLogin(box_id, BOX, 0, "better", 1)
    run(store.mailbox_logins.upgrade_password(box_id, old_hash="old", new_hash="late"))
    assert found(store).password_hash == "better"


def test_a_login_is_recorded_with_its_time(store: Store, box_id: int, sql: sqlite3.Connection) -> None:
    run(store.mailbox_logins.record_login(box_id, now=at(60)))
    assert sql.execute("select last_accessed_at, created_at from mailboxes").fetchone()[:] == (at(60), NOW)


def test_allowing_creates_what_is_missing_and_says_so(store: Store, box_id: int) -> None:
    addresses = ["New@temp.example", BOX, "new@temp.example"]
    assert run(store.mailbox_logins.allow(addresses, True, now=NOW)) == [True, False, False]
    assert found(store, "new@temp.example").can_login == 1
    assert found(store) == MailboxLogin(box_id, BOX, 1, None, 0)
    assert run(store.mailbox_logins.allow([], True, now=NOW)) == []


def test_denying_ends_sessions_and_allowing_does_not(store: Store, box_id: int) -> None:
    for can_login, epoch in ((True, 0), (True, 0), (False, 1), (True, 1)):
        run(store.mailbox_logins.allow([BOX], can_login, now=NOW))
        assert found(store) == MailboxLogin(box_id, BOX, int(can_login), None, epoch)


def test_allowing_many_is_all_or_nothing(store: Store, sql: sqlite3.Connection) -> None:
    sql.execute(
        "create trigger refuse before insert on mailboxes when new.local_part = 'second'"
        " begin select raise(abort, 'no'); end"
    )
    with pytest.raises(Conflict):
        run(store.mailbox_logins.allow(["first@temp.example", "second@temp.example"], True, now=NOW))
    assert run(store.mailbox_logins.find("first@temp.example")) is None


def test_of_many_creators_at_once_one_has_created(store: Store, other_store: Store) -> None:
    async def race() -> list[list[bool]]:
        sides = (store, other_store) * 3
        return await gather(*(side.mailbox_logins.allow(["new@temp.example"], True, now=NOW) for side in sides))

    assert sorted(created for [created] in run(race())) == [False] * 5 + [True]


def test_one_mailbox_is_allowed_and_denied_as_many_are(store: Store, box_id: int) -> None:
    assert run(store.mailbox_logins.allow_one(box_id, True)) is True
    assert found(store) == MailboxLogin(box_id, BOX, 1, None, 0)
    assert run(store.mailbox_logins.allow_one(box_id, False)) is True
    assert found(store) == MailboxLogin(box_id, BOX, 0, None, 1)


def test_one_mailbox_that_was_deleted_meanwhile_is_not_created_again(store: Store, box_id: int) -> None:
    run(store.mailboxes.delete(box_id, now=NOW))
    for can_login in (True, False):
        assert run(store.mailbox_logins.allow_one(box_id, can_login)) is False
    assert run(store.mailbox_logins.find(BOX)) is None
