"""Who may log in with what, and what is answered."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from tempmail.domain.accounts import User, UserChange
from tempmail.domain.actor import Role
from tempmail.errors import BadRequest, Unauthenticated
from tempmail.services.logins import ConfiguredAccounts
from tempmail.services.passwords import Checked, PasswordOptions, Passwords
from tests.contract.web_suite import ADMIN_NAME, ADMIN_PASSWORD, GUEST_PASSWORD, Client, Server

BOX = "box@temp.example.com"
SECRET = "correct horse"
WRONG = (401, {"error": "用户名或密码错误"})
EMPTY = (400, {"error": "用户名或密码不能为空"})

SALT = b"0123456789abcdef"
PBKDF2 = "pbkdf2:sha256:" + ":".join(
    base64.b64encode(part).decode() for part in (SALT, hashlib.pbkdf2_hmac("sha256", SECRET.encode(), SALT, 100_000))
)
SHA256 = hashlib.sha256(SECRET.encode()).hexdigest()
OLD_HASHES = pytest.mark.parametrize("old_hash", [PBKDF2, SHA256, SHA256.upper()], ids=["pbkdf2", "sha256", "SHA256"])


class CountingPasswords(Passwords):
    """Counts what costs time."""

    def __init__(self) -> None:
        super().__init__(PasswordOptions(time_cost=1, memory_kib=8))
        self.checks = 0
        self.hashes = 0

    async def check(self, password: str, password_hash: str | None) -> Checked:
        self.checks += 1
        return await super().check(password, password_hash)

    async def hash(self, password: str) -> str:
        self.hashes += 1
        return await super().hash(password)


@pytest.fixture
def counted() -> Iterator[CountingPasswords]:
    counted = CountingPasswords()
    yield counted
    counted.close()


def try_login(server: Server, username: str, password: str) -> tuple[int, dict[str, Any]]:
    answer = server.client().post("/api/login", json={"username": username, "password": password})
    assert ("set-cookie" in answer.headers) is (answer.status_code == 200)
    return answer.status_code, answer.json()


def log_in(server: Server, username: str, password: str) -> Client:
    answer = server.client().post("/api/login", json={"username": username, "password": password})
    assert answer.status_code == 200
    return Client(server, {"cookie": answer.headers["set-cookie"].partition(";")[0]})


def stored_user(server: Server, user_id: int) -> User:
    user = server.run(server.real.store.users.get(user_id))
    assert user is not None
    return user


def stored_hash(server: Server, address: str) -> str | None:
    login = server.run(server.real.store.mailbox_logins.find(address))
    assert login is not None
    return login.password_hash


def change(server: Server, user_id: int, **fields: Any) -> None:
    assert server.run(server.real.store.users.change(user_id, UserChange(**fields)))


@pytest.mark.parametrize(("role", "wire"), [(Role.ADMIN, "admin"), (Role.USER, "user")])
@pytest.mark.parametrize(("can_send", "limit"), [(0, 0), (1, 7)])
def test_a_user_logs_in_and_is_told_its_real_rights(
    server: Server, role: Role, wire: str, can_send: int, limit: int
) -> None:
    user_id = server.user("ann", role=role, password=SECRET, mailbox_limit=limit)
    change(server, user_id, can_send=can_send)

    assert try_login(server, " Ann ", f" {SECRET}\n") == (
        200,
        {"success": True, "role": wire, "can_send": can_send, "mailbox_limit": limit},
    )
    assert log_in(server, "ann", SECRET).get("/api/session").json() == {
        "authenticated": True,
        "role": wire,
        "username": "ann",
        "strictAdmin": False,
    }


@pytest.mark.parametrize("name", ["名字", "josé", "пользователь", "😀" * 64])
def test_names_of_any_script_log_in(server: Server, name: str) -> None:
    server.user(name, password=SECRET)
    assert log_in(server, name, SECRET).get("/api/session").json()["username"] == name


def test_the_admin_may_have_a_name_of_any_script(server: Server) -> None:
    sessions = server.new_sessions(admin_name=" Админ ")
    begun = server.run(sessions.login("АДМИН", ADMIN_PASSWORD))
    actor = server.run(sessions.actor_of(begun.token))
    assert actor is not None
    assert (actor.role, actor.username) == (Role.STRICT_ADMIN, "админ")


def test_a_guest_is_told_its_role_only(server: Server) -> None:
    assert try_login(server, "Guest", GUEST_PASSWORD) == (200, {"success": True, "role": "guest"})
    guest = log_in(server, "guest", GUEST_PASSWORD)
    assert guest.get("/api/session").json()["role"] == "guest"
    assert guest.get("/api/mailboxes").status_code == 200


def test_a_mailbox_logs_in_with_its_own_password(server: Server) -> None:
    server.login_mailbox(BOX, password=SECRET)
    assert try_login(server, BOX.upper(), SECRET) == (
        200,
        {"success": True, "role": "mailbox", "mailbox": BOX, "can_send": 0, "mailbox_limit": 1},
    )
    shown = log_in(server, BOX, SECRET).get("/api/session").json()
    assert (shown["username"], shown["mailboxAddress"]) == (BOX, BOX)
    assert try_login(server, BOX, BOX) == WRONG


def test_without_a_password_of_its_own_a_mailboxs_address_is_its_password_and_that_is_told(server: Server) -> None:
    server.login_mailbox(BOX)
    status, answer = try_login(server, BOX, BOX)
    assert (status, answer["password_is_default"]) == (200, 1)
    assert try_login(server, BOX, BOX.upper()) == WRONG


def test_a_mailbox_login_is_recorded_with_its_time(server: Server) -> None:
    server.login_mailbox(BOX)
    server.clock.advance(90)
    log_in(server, BOX, BOX)
    [(recorded,)] = server.rows("select last_accessed_at from mailboxes")
    assert recorded == "2024-01-01 12:01:30"


@OLD_HASHES
def test_a_users_old_hash_fits_once_and_is_replaced(server: Server, old_hash: str) -> None:
    user_id = server.user("ann")
    change(server, user_id, password_hash=old_hash)

    first = log_in(server, "ann", SECRET)

    assert (stored_user(server, user_id).password_hash or "").startswith("$argon2id$")
    assert first.get("/api/session").status_code == 200  # An upgrade ends no session.
    assert try_login(server, "ann", SECRET)[0] == 200
    assert try_login(server, "ann", "wrong") == WRONG


@OLD_HASHES
def test_a_mailboxs_old_hash_fits_once_and_is_replaced(server: Server, old_hash: str) -> None:
    box_id = server.login_mailbox(BOX)
    server.run(server.real.store.mailbox_logins.set_password(box_id, old_hash))

    first = log_in(server, BOX, SECRET)

    assert (stored_hash(server, BOX) or "").startswith("$argon2id$")
    assert first.get("/api/session").status_code == 200
    assert try_login(server, BOX, SECRET)[0] == 200
    assert try_login(server, BOX, "wrong") == WRONG


@OLD_HASHES
def test_a_wrong_password_replaces_no_hash(server: Server, old_hash: str) -> None:
    user_id = server.user("ann")
    change(server, user_id, password_hash=old_hash)
    assert try_login(server, "ann", "wrong") == WRONG
    assert stored_user(server, user_id).password_hash == old_hash


def test_the_configured_admins_row_never_logs_in_by_a_stored_hash(server: Server) -> None:
    change(server, server.admin_id(), password_hash=server.run(server.passwords.hash("stored secret")))
    assert try_login(server, ADMIN_NAME, "stored secret") == WRONG
    assert try_login(server, ADMIN_NAME, ADMIN_PASSWORD)[0] == 200


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param(ADMIN_NAME, "wrong", id="the admin, wrong password"),
        pytest.param("other", ADMIN_PASSWORD, id="the admin's password, wrong name"),
        pytest.param("guest", "guest", id="the guest, wrong password"),
        pytest.param("user", "wrong", id="a user, wrong password"),
        pytest.param("user", SECRET.upper(), id="a user, other case"),
        pytest.param("user", "closed@temp.example.com", id="a user, a mailbox's password"),
        pytest.param("passwordless", "passwordless", id="a user without a password"),
        pytest.param("open@temp.example.com", "wrong", id="a mailbox, wrong password"),
        pytest.param("closed@temp.example.com", "closed@temp.example.com", id="a mailbox that may not log in"),
        pytest.param("default@temp.example.com", "wrong", id="a mailbox without a password, wrong password"),
        pytest.param("nobody", "x", id="nobody"),
        pytest.param("nobody@temp.example.com", "nobody@temp.example.com", id="no such mailbox"),
        pytest.param("名字", "пароль", id="not ASCII"),
        pytest.param("x\0y", "x\0y", id="a NUL"),
        pytest.param("' or 1=1 --", "x", id="SQL"),
    ],
)
def test_failures_answer_alike_and_cost_one_password_check_each(
    server: Server, counted: CountingPasswords, name: str, password: str
) -> None:
    server.user("user", password=SECRET)
    server.user("passwordless")
    server.mailbox("closed@temp.example.com")
    server.login_mailbox("open@temp.example.com", password=SECRET)
    server.login_mailbox("default@temp.example.com")

    assert try_login(server, name, password) == WRONG

    with pytest.raises(Unauthenticated):
        server.run(server.new_sessions(counted).login(name, password))
    assert (counted.checks, counted.hashes) == (1, 0)


def test_a_user_and_a_mailbox_of_one_name_each_log_in_with_their_own_password(server: Server) -> None:
    server.user(BOX, password=SECRET)
    server.login_mailbox(BOX, password="the mailbox's")
    assert try_login(server, BOX, SECRET)[1]["role"] == "user"
    assert try_login(server, BOX, "the mailbox's")[1]["role"] == "mailbox"
    assert try_login(server, BOX, "wrong") == WRONG


def test_a_user_called_guest_logs_in_where_the_guests_password_does_not_fit(server: Server) -> None:
    server.user("guest", password=SECRET)
    assert try_login(server, "guest", SECRET)[1]["role"] == "user"
    assert try_login(server, "guest", GUEST_PASSWORD)[1]["role"] == "guest"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"username": "", "password": "x"}, id="no name"),
        pytest.param({"username": "x", "password": ""}, id="no password"),
        pytest.param({"username": "  ", "password": "  "}, id="blank"),
        pytest.param({}, id="nothing"),
    ],
)
def test_both_fields_are_needed(server: Server, body: dict[str, str]) -> None:
    answer = server.client().post("/api/login", json=body)
    assert (answer.status_code, answer.json()) == EMPTY


@pytest.mark.parametrize("long", ["username", "password"])
@pytest.mark.parametrize(("length", "checks"), [(1024, 1), (1025, 0)])
def test_longer_fields_fail_without_a_password_check(
    server: Server, counted: CountingPasswords, long: str, length: int, checks: int
) -> None:
    fields = {"username": "x", "password": "x", long: "x" * length}
    with pytest.raises(Unauthenticated, match="用户名或密码错误"):
        server.run(server.new_sessions(counted).login(**fields))
    assert counted.checks == checks


@pytest.mark.parametrize(("length", "checks"), [(1024, 1), (1025, 0)])
def test_a_longer_current_password_is_wrong_without_a_password_check(
    server: Server, counted: CountingPasswords, length: int, checks: int
) -> None:
    server.login_mailbox(BOX, password=SECRET)
    sessions = server.new_sessions(counted)
    with pytest.raises(BadRequest, match="当前密码错误"):
        server.run(sessions.change_mailbox_password(BOX, current="x" * length, new="another"))
    assert (counted.checks, counted.hashes) == (checks, 0)


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"admin_password": ""}, ADMIN_NAME), ({"guest_password": ""}, "guest")],
    ids=["admin", "guest"],
)
def test_an_empty_password_in_the_settings_switches_a_login_off(
    server: Server, changes: dict[str, str], name: str
) -> None:
    off = server.new_sessions(**changes)
    with pytest.raises(Exception, match="用户名或密码不能为空"):
        server.run(off.login(name, " "))
    for password in ("x", ADMIN_PASSWORD, GUEST_PASSWORD):
        with pytest.raises(Unauthenticated):
            server.run(off.login(name, password))


def test_no_account_of_the_settings_is_opened_by_nothing() -> None:
    off = ConfiguredAccounts("boss", admin_password=" ", guest_password="")
    assert not off.is_admin("boss", "")
    assert not off.is_guest("guest", "")


def test_blanks_around_the_configured_passwords_do_not_count(server: Server) -> None:
    padded = server.new_sessions(admin_password=" secret ", guest_password="\tsecret\n")
    for name in (ADMIN_NAME, "guest"):
        assert server.run(padded.login(name, "secret ")).token


def test_logins_and_logouts_are_recorded_with_who_it_was(server: Server) -> None:
    server.user("ann", password=SECRET)
    log_in(server, "Ann", SECRET).post("/api/logout")
    try_login(server, "Nobody", SECRET)

    entries = server.run(server.real.store.audit.page(limit=10))

    assert [(e.actor, e.role, e.action, e.target, e.status) for e in reversed(entries)] == [
        ("ann", "user", "session.login", "ann", 200),
        ("ann", "user", "session.logout", "ann", 200),
        ("nobody", "", "session.login", "nobody", 401),
    ]
