"""What ends sessions, and that it does so at once in every process that serves the same database."""

import asyncio
from asyncio import Event, gather
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tempmail.adapters.sql import SqlStore, open_store
from tempmail.adapters.sql.data_version import DataVersion
from tempmail.clock import FakeClock
from tempmail.domain.accounts import MailboxLogin, NewUser, User, UserChange
from tempmail.domain.actor import Actor, Role
from tempmail.errors import Unauthenticated
from tempmail.ports import Sessions
from tempmail.services.fresh import Version
from tempmail.services.passwords import Checked, PasswordOptions, Passwords
from tempmail.services.sessions import SessionOptions, SessionService
from tests.builders import NOW, incoming

T = TypeVar("T")

ANN, BOX, ADMIN = "ann", "box@temp.example", "root"
SECRET = "correct horse"


class WatchedSessions:
    """The store's sessions, counting questions; the first one is answered only when `late` says so, if it is given."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.asked = 0
        self.late: Event | None = None
        self.answered = Event()

    async def revoke(self, jti: str, *, expires_at: str, now: str) -> None:
        await self._sessions.revoke(jti, expires_at=expires_at, now=now)

    async def is_revoked(self, jti: str) -> bool:
        return await self._watch(self._sessions.is_revoked(jti))

    async def user(self, jti: str, user_id: int) -> User | None:
        return await self._watch(self._sessions.user(jti, user_id))

    async def mailbox(self, jti: str, mailbox_id: int) -> MailboxLogin | None:
        return await self._watch(self._sessions.mailbox(jti, mailbox_id))

    async def _watch(self, asked: Awaitable[T]) -> T:
        self.asked += 1
        answer = await asked
        late, self.late = self.late, None
        self.answered.set()
        if late is not None:
            await late.wait()
        return answer


class InterruptedPasswords(Passwords):
    """Lets something happen while a password is checked."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(CHEAP)
        self._meanwhile = meanwhile

    async def check(self, password: str, password_hash: str | None) -> Checked:
        checked = await super().check(password, password_hash)
        await self._meanwhile()
        return checked


CHEAP = PasswordOptions(time_cost=1, memory_kib=8)


@dataclass
class Process:
    """One process that serves the database, with connections of its own."""

    store: SqlStore
    sessions: WatchedSessions
    passwords: Passwords
    version: Version

    def service(self, passwords: Passwords | None = None, /, **changes: str) -> SessionService:
        options = {"root_token": "t" * 32, "admin_name": ADMIN, "admin_password": SECRET, "guest_password": SECRET}
        return SessionService(
            SessionOptions(**{**options, **changes}, lifetime_s=3600),
            users=self.store.users,
            logins=self.store.mailbox_logins,
            sessions=self.sessions,
            passwords=passwords or self.passwords,
            version=self.version,
            clock=FakeClock(),
        )


@asynccontextmanager
async def process(path: Path) -> AsyncIterator[Process]:
    store = await open_store(path, clock=FakeClock())
    version, passwords = DataVersion(path), Passwords(CHEAP)
    try:
        yield Process(store, WatchedSessions(store.sessions), passwords, version)
    finally:
        passwords.close()
        version.close()
        await store.close()


@dataclass
class World:
    """Two processes, and one account of each kind."""

    here: Process
    there: Process
    ann_id: int
    box_id: int


@asynccontextmanager
async def world(path: Path) -> AsyncIterator[World]:
    async with process(path) as here, process(path) as there:
        password_hash = await here.passwords.hash(SECRET)
        ann = await here.store.users.add(NewUser(ANN, password_hash, "user", 10), now=NOW, limit=10)
        box = await here.store.mailboxes.create(BOX, now=NOW, owner_id=None)
        await here.store.mailbox_logins.set_password(box.id, password_hash)
        await here.store.mailbox_logins.allow([BOX], True, now=NOW)
        yield World(here, there, ann.id, box.id)


async def everywhere(services: Sequence[SessionService], token: str) -> list[Actor | None]:
    return [await service.actor_of(token) for service in services]


Act = Callable[[World], Awaitable[object]]


def change_ann(**fields: str | int) -> Act:
    return lambda world: world.here.store.users.change(world.ann_id, UserChange(**fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "act"),
    [
        pytest.param(ANN, change_ann(password_hash="x"), id="a user's password is changed"),
        pytest.param(ANN, change_ann(role="admin"), id="a user is promoted"),
        pytest.param(ANN, lambda world: world.here.store.users.delete(world.ann_id), id="a user is deleted"),
        pytest.param(
            BOX,
            lambda world: world.here.store.mailbox_logins.set_password(world.box_id, "x"),
            id="a mailbox's password is changed",
        ),
        pytest.param(
            BOX,
            lambda world: world.here.store.mailbox_logins.set_password(world.box_id, None),
            id="a mailbox's password is reset",
        ),
        pytest.param(
            BOX,
            lambda world: world.here.store.mailbox_logins.allow([BOX], False, now=NOW),
            id="a mailbox may not log in any more",
        ),
        pytest.param(
            BOX, lambda world: world.here.store.mailboxes.delete(world.box_id, now=NOW), id="a mailbox is deleted"
        ),
    ],
)
def test_all_sessions_of_the_account_end_at_once_everywhere(tmp_path: Path, name: str, act: Act) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            services = [accounts.here.service(), accounts.there.service()]
            tokens = [(await service.login(name, SECRET)).token for service in services]
            for token in tokens:
                assert None not in await everywhere(services, token)

            await act(accounts)

            for token in tokens:
                assert await everywhere(services, token) == [None, None]

    asyncio.run(live())


def test_a_demoted_admin_is_out_and_comes_back_as_a_user(tmp_path: Path) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            users = accounts.here.store.users
            await users.change(accounts.ann_id, UserChange(role="admin"))
            service = accounts.there.service()
            token = (await service.login(ANN, SECRET)).token
            assert await service.actor_of(token) == Actor(Role.ADMIN, ANN, accounts.ann_id)

            await users.change(accounts.ann_id, UserChange(role="user"))

            assert await service.actor_of(token) is None
            again = (await service.login(ANN, SECRET)).token
            assert await service.actor_of(again) == Actor(Role.USER, ANN, accounts.ann_id)

    asyncio.run(live())


def test_allowing_a_login_again_brings_no_old_session_back(tmp_path: Path) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            service, logins = accounts.there.service(), accounts.here.store.mailbox_logins
            token = (await service.login(BOX, SECRET)).token
            await logins.allow([BOX], False, now=NOW)
            await logins.allow([BOX], True, now=NOW)
            assert await service.actor_of(token) is None

    asyncio.run(live())


@pytest.mark.parametrize("name", [ANN, BOX, ADMIN, "guest"])
def test_a_log_out_ends_one_session_everywhere_and_leaves_the_others(tmp_path: Path, name: str) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            services = [accounts.here.service(), accounts.there.service()]
            ended, other = [(await services[0].login(name, SECRET)).token for _ in range(2)]
            assert None not in await everywhere(services, ended)

            await services[1].logout(ended)

            assert await everywhere(services, ended) == [None, None]
            assert None not in await everywhere(services, other)

    asyncio.run(live())


def test_what_is_no_reason_ends_no_session_and_names_are_those_of_now(tmp_path: Path) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            store, service = accounts.here.store, accounts.there.service()
            token = (await service.login(ANN, SECRET)).token

            await store.users.change(accounts.ann_id, UserChange(username="anna", can_send=1, mailbox_limit=0))
            await store.users.add(NewUser("bob", None, "user", 10), now=NOW, limit=10)
            await store.mailbox_logins.set_password(accounts.box_id, "x")
            ann = await store.users.get(accounts.ann_id)
            assert ann is not None
            await store.users.upgrade_password(ann.id, old_hash=ann.password_hash or "", new_hash="better")

            assert await service.actor_of(token) == Actor(Role.USER, "anna", accounts.ann_id)

    asyncio.run(live())


@pytest.mark.parametrize(
    ("name", "changes", "survives"),
    [
        pytest.param(ADMIN, {"guest_password": "x"}, True, id="the admin, another guest password"),
        pytest.param(ADMIN, {"admin_password": "x"}, False, id="the admin, another password"),
        pytest.param(ADMIN, {"admin_name": "x"}, False, id="the admin, another name"),
        pytest.param("guest", {"admin_password": "x"}, True, id="a guest, another admin password"),
        pytest.param("guest", {"guest_password": "x"}, False, id="a guest, another password"),
        pytest.param("guest", {"guest_password": ""}, False, id="a guest, guests switched off"),
        pytest.param(ANN, {"admin_password": "x", "guest_password": "x"}, True, id="a user, other passwords"),
        pytest.param(ANN, {"root_token": "u" * 32}, False, id="a user, another root token"),
        pytest.param(BOX, {"root_token": "u" * 32}, False, id="a mailbox, another root token"),
    ],
)
def test_sessions_end_with_the_settings_that_they_rest_on(
    tmp_path: Path, name: str, changes: dict[str, str], survives: bool
) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            token = (await accounts.here.service().login(name, SECRET)).token
            assert (await accounts.there.service(**changes).actor_of(token) is not None) is survives

    asyncio.run(live())


def test_the_configured_admin_is_out_when_its_row_goes_and_gets_a_new_one_at_login(tmp_path: Path) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            service = accounts.there.service()
            first = await service.login(ADMIN, SECRET)

            await accounts.here.store.users.delete(first.account.actor.user_id)

            assert await service.actor_of(first.token) is None
            second = await service.login(ADMIN, SECRET)
            assert second.account.actor.user_id > first.account.actor.user_id
            assert await service.actor_of(second.token) == second.account.actor

    asyncio.run(live())


def test_the_configured_admin_is_out_when_its_row_gets_another_name(tmp_path: Path) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            service = accounts.there.service()
            begun = await service.login(ADMIN, SECRET)
            await accounts.here.store.users.change(begun.account.actor.user_id, UserChange(username="was-root"))
            assert await service.actor_of(begun.token) is None

    asyncio.run(live())


@pytest.mark.parametrize("name", [ANN, BOX, ADMIN, "guest"])
def test_a_poller_costs_one_query_until_something_is_committed(tmp_path: Path, name: str) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            service = accounts.there.service()
            token = (await service.login(name, SECRET)).token
            for _ in range(10):
                assert await service.actor_of(token) is not None
            assert accounts.there.sessions.asked == 1

            await accounts.here.store.mail.add([incoming()])

            for _ in range(10):
                assert await service.actor_of(token) is not None
            assert accounts.there.sessions.asked == 2

    asyncio.run(live())


def test_without_a_version_every_request_asks(tmp_path: Path) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            accounts.there.version = lambda: None
            service = accounts.there.service()
            token = (await service.login(ANN, SECRET)).token
            for _ in range(3):
                assert await service.actor_of(token) is not None
            assert accounts.there.sessions.asked == 3
            await accounts.here.store.users.delete(accounts.ann_id)
            assert await service.actor_of(token) is None

    asyncio.run(live())


def test_an_answer_from_before_a_demotion_is_not_remembered(tmp_path: Path) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            service, watched = accounts.there.service(), accounts.there.sessions
            token = (await service.login(ANN, SECRET)).token
            watched.late = release = Event()
            early = asyncio.create_task(service.actor_of(token))
            await watched.answered.wait()

            await accounts.here.store.users.change(accounts.ann_id, UserChange(role="admin"))

            assert await service.actor_of(token) is None
            release.set()
            assert await early is not None  # It began before the demotion.
            assert await service.actor_of(token) is None

    asyncio.run(live())


def test_pollers_in_another_process_are_out_from_the_commit_on(tmp_path: Path) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            service = accounts.there.service()
            token = (await service.login(ANN, SECRET)).token
            committed = Event()
            seen: list[tuple[bool, bool]] = []

            async def poll() -> None:
                for _ in range(200):
                    began_after = committed.is_set()
                    seen.append((began_after, await service.actor_of(token) is not None))
                    await asyncio.sleep(0)
                    if began_after:
                        return

            async def demote() -> None:
                await accounts.here.store.users.change(accounts.ann_id, UserChange(role="admin"))
                committed.set()

            await gather(poll(), poll(), demote(), poll())
            await poll()

            assert {held for began_after, held in seen if began_after} == {False}

    asyncio.run(live())


@pytest.mark.parametrize(
    ("name", "act"),
    [
        pytest.param(ANN, change_ann(password_hash="x"), id="password changed"),
        pytest.param(ANN, lambda world: world.here.store.users.delete(world.ann_id), id="deleted"),
        pytest.param(BOX, lambda world: world.here.store.mailbox_logins.allow([BOX], False, now=NOW), id="denied"),
    ],
)
def test_a_login_under_way_does_not_outlive_what_ends_sessions(tmp_path: Path, name: str, act: Act) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            passwords = InterruptedPasswords(lambda: act(accounts))
            service = accounts.there.service(passwords)
            token = (await service.login(name, SECRET)).token
            assert await service.actor_of(token) is None
            passwords.close()

    asyncio.run(live())


def test_a_password_proved_before_it_was_changed_sets_no_new_one(tmp_path: Path) -> None:
    async def live() -> None:
        async with world(tmp_path / "tempmail.db") as accounts:
            logins = accounts.here.store.mailbox_logins
            passwords = InterruptedPasswords(lambda: logins.set_password(accounts.box_id, "the admin's"))
            service = accounts.there.service(passwords)

            with pytest.raises(Exception, match="当前密码错误"):
                await service.change_mailbox_password(BOX, current=SECRET, new="another")

            login = await logins.find(BOX)
            assert login is not None
            assert login.password_hash == "the admin's"
            with pytest.raises(Unauthenticated):
                await accounts.there.service().login(BOX, "another")
            passwords.close()

    asyncio.run(live())
