"""The guests' world: what it holds, that it forgets, and that it cannot grow."""

from asyncio import run

import pytest

from tempmail.adapters.sql import SqlStore
from tempmail.adapters.sql.memory import MemoryDatabase
from tempmail.clock import FakeClock
from tempmail.domain.accounts import NewUser
from tempmail.domain.messages import MailboxFilter
from tempmail.errors import NotFound, StoreFull
from tempmail.ports import Store
from tempmail.runtime.demo import Demonstration, SpoolBodies
from tempmail.services.demo import DOMAINS, seed
from tempmail.services.fresh import Version
from tempmail.web.call import World
from tests.builders import NOW, at, incoming


@pytest.fixture
def store(clock: FakeClock) -> Store:
    store = SqlStore(MemoryDatabase(clock, max_bytes=4 << 20))
    run(seed(store, clock))
    return store


def test_mailboxes_are_in_the_demonstrations_domains_and_the_first_is_a_favourite(store: Store) -> None:
    page = run(store.mailboxes.page(MailboxFilter(), limit=99, offset=0))

    assert [item.address for item in page.items[:3]] == ["demo001@exa.cc", "demo002@exr.yp", "demo003@duio.ty"]
    assert {item.address.partition("@")[2] for item in page.items} == set(DOMAINS)
    assert [item.is_favorite for item in page.items] == [1] + [0] * (page.total - 1)


def test_each_mailbox_has_six_mails_an_hour_apart_and_the_second_has_the_code(store: Store) -> None:
    for item in run(store.mailboxes.page(MailboxFilter(), limit=99, offset=0)).items:
        mails = run(store.mail.latest(item.id, limit=50))

        assert [mail.received_at for mail in mails] == [at(-3600 * n) for n in range(6)]
        assert [mail.verification_code for mail in mails] == [None, "123456", None, None, None, None]
        assert all(mail.to_addrs == item.address and mail.preview and mail.subject for mail in mails)


def test_users_of_both_roles_have_mailboxes_within_their_limits(store: Store) -> None:
    page = run(store.users.page(limit=99, offset=0, newest_first=False))

    assert [(user.username, user.role, user.mailbox_limit) for user in page.items] == [
        ("demo1", "user", 5),
        ("demo2", "user", 8),
        ("operator", "admin", 20),
    ]
    assert all(user.mailbox_count == 3 for user in page.items)
    assert (page.admin_count, page.active_count) == (1, 1)


def test_a_mail_can_be_read_whole_without_an_object_store(store: Store) -> None:
    mailbox = run(store.mailboxes.find("demo001@exa.cc"))
    assert mailbox is not None
    [_, with_code, *_] = run(store.mail.latest(mailbox.id, limit=50))
    message = run(store.mail.get(with_code.id))
    assert message is not None
    bodies = SpoolBodies(store.spool)

    raw = run(bodies.read(message.r2_object_key))

    assert raw.startswith(b"To: demo001@exa.cc\r\nFrom: Example Accounts")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    with pytest.raises(NotFound):
        run(bodies.read("2026/01/01/nobody/x.eml"))


def test_what_guests_did_is_forgotten_when_the_world_is_renewed(clock: FakeClock) -> None:
    seen: list[tuple[Store, Version]] = []

    def build(store: Store, version: Version) -> World:
        seen.append((store, version))
        return World(None, None, None, None, None)  # type: ignore[arg-type]  # only the store under it matters here

    demonstration = Demonstration(clock, build)
    [(store, version)] = seen
    run(demonstration.renew())
    run(store.users.add(NewUser("vandal", None, "user", 1), now=NOW, limit=99))
    before = version()

    run(demonstration.renew())

    assert run(store.users.find("vandal")) is None
    assert run(store.users.find("demo1")) is not None
    assert version() != before


def test_a_full_world_refuses_and_keeps_what_it_has(clock: FakeClock) -> None:
    store = SqlStore(MemoryDatabase(clock, max_bytes=1 << 20))

    async def fill() -> None:
        for _ in range(10):
            await store.mail.add([incoming(body=b"x" * 200_000)])

    with pytest.raises(StoreFull):
        run(fill())

    mailbox = run(store.mailboxes.find("box@temp.example"))
    assert mailbox is not None
    kept = run(store.mail.latest(mailbox.id, limit=50))
    assert 1 <= len(kept) < 10
    assert run(store.spool.size())[0] == len(kept)
