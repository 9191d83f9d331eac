"""The contract of `ports.Sessions`: the account behind a session, as long as it holds."""

import sqlite3
from asyncio import run
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tempmail.adapters.sql.sqlite import connect
from tempmail.domain.accounts import MailboxLogin, User
from tempmail.ports import Store
from tests.builders import NOW, at

BOX = "box@temp.example"


@pytest.fixture
def sql(store: Store, database: Path) -> Iterator[sqlite3.Connection]:
    """Rows as another process changes them."""
    with closing(connect(database)) as connection:
        yield connection


def test_a_session_is_shown_its_account_as_it_is_now(store: Store, sql: sqlite3.Connection) -> None:
    user_id = run(store.users.ensure_admin("root", now=NOW))
    first = User(user_id, "root", "admin", 1, 9999, NOW, None, 0)
    assert run(store.sessions.user("j1", user_id)) == first

    sql.execute(
        "update users set username = '名字', role = 'user', can_send = 0, mailbox_limit = 3, password_hash = 'h',"
        " session_epoch = 7"
    )

    assert run(store.sessions.user("j1", user_id)) == User(user_id, "名字", "user", 0, 3, NOW, "h", 7)


def test_a_mailbox_login_is_shown_its_mailbox_as_it_is_now(store: Store, sql: sqlite3.Connection) -> None:
    box_id = run(store.mailboxes.create(BOX, now=NOW, owner_id=None)).id
    assert run(store.sessions.mailbox("j1", box_id)) == MailboxLogin(box_id, BOX, 0, None, 0)

    sql.execute("update mailboxes set can_login = 1, password_hash = 'h', session_epoch = 7")

    assert run(store.sessions.mailbox("j1", box_id)) == MailboxLogin(box_id, BOX, 1, "h", 7)


def test_an_ended_session_has_no_account_in_any_process_and_others_keep_theirs(
    store: Store, other_store: Store
) -> None:
    user_id = run(store.users.ensure_admin("root", now=NOW))
    box_id = run(store.mailboxes.create(BOX, now=NOW, owner_id=None)).id

    run(store.sessions.revoke("j1", expires_at=at(60), now=NOW))

    for side in (store, other_store):
        assert run(side.sessions.user("j1", user_id)) is None
        assert run(side.sessions.mailbox("j1", box_id)) is None
        assert run(side.sessions.user("j2", user_id)) is not None
        assert run(side.sessions.mailbox("j2", box_id)) is not None


def test_an_account_that_is_gone_is_none(store: Store, sql: sqlite3.Connection) -> None:
    user_id = run(store.users.ensure_admin("root", now=NOW))
    box_id = run(store.mailboxes.create(BOX, now=NOW, owner_id=None)).id
    sql.execute("delete from users")
    run(store.mailboxes.delete(box_id, now=NOW))

    assert run(store.sessions.user("j1", user_id)) is None
    assert run(store.sessions.mailbox("j1", box_id)) is None


def test_ids_of_accounts_that_are_gone_are_not_given_again(store: Store, sql: sqlite3.Connection) -> None:
    user_id = run(store.users.ensure_admin("root", now=NOW))
    box_id = run(store.mailboxes.create(BOX, now=NOW, owner_id=None)).id
    sql.execute("delete from users")
    run(store.mailboxes.delete(box_id, now=NOW))

    assert run(store.users.ensure_admin("root", now=NOW)) > user_id
    assert run(store.mailboxes.create(BOX, now=NOW, owner_id=None)).id > box_id


def test_a_revoked_session_is_refused_by_every_process_and_others_are_not(store: Store, other_store: Store) -> None:
    run(store.sessions.revoke("j1", expires_at=at(60), now=NOW))
    run(store.sessions.revoke("j1", expires_at=at(60), now=NOW))
    assert run(other_store.sessions.is_revoked("j1")) is True
    assert run(other_store.sessions.is_revoked("j2")) is False


def test_an_entry_is_dropped_by_a_revocation_after_its_expiry_and_not_before(store: Store) -> None:
    run(store.sessions.revoke("old", expires_at=at(60), now=NOW))
    run(store.sessions.revoke("at-its-expiry", expires_at=at(999), now=at(60)))
    assert run(store.sessions.is_revoked("old")) is True
    run(store.sessions.revoke("after-it", expires_at=at(999), now=at(61)))
    assert run(store.sessions.is_revoked("old")) is False
