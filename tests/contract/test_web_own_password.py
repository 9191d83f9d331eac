"""A mailbox changes its own password."""

import hashlib
from typing import Any

import pytest

from tempmail.domain.actor import Actor, Role
from tempmail.errors import NotFound
from tests.contract.web_suite import Client, Server

BOX = "box@temp.example.com"
SECRET = "correct horse"


def box(server: Server, *, password: str | None = SECRET) -> Actor:
    box_id = server.login_mailbox(BOX, password=password)
    return Actor(Role.MAILBOX, BOX, mailbox_id=box_id, mailbox_address=BOX)


def put(client: Client, current: str, new: str) -> tuple[int, dict[str, Any]]:
    answer = client.put("/api/mailbox/password", json={"currentPassword": current, "newPassword": new})
    return answer.status_code, answer.json()


def login_status(server: Server, password: str) -> int:
    return server.client().post("/api/login", json={"username": BOX, "password": password}).status_code


def test_the_new_password_is_the_one_that_logs_in(server: Server) -> None:
    assert put(server.client(box(server)), SECRET, "пароль 密码") == (200, {"success": True, "message": "密码修改成功"})
    assert (login_status(server, "пароль 密码"), login_status(server, SECRET)) == (200, 401)


def test_white_space_around_passwords_locks_nobody_out(server: Server) -> None:
    assert put(server.client(box(server)), f" {SECRET} ", " another \n")[0] == 200
    assert login_status(server, "another") == 200
    assert login_status(server, " another \n") == 200


def test_the_first_change_proves_the_address(server: Server) -> None:
    client = server.client(box(server, password=None))
    assert put(client, BOX.upper(), "another") == (400, {"error": "当前密码错误"})
    assert put(client, BOX, "another")[0] == 200
    assert login_status(server, BOX) == 401


def test_all_sessions_of_the_mailbox_end_and_the_cookie_is_taken_back(server: Server) -> None:
    actor = box(server)
    here, there, other = server.client(actor), server.client(actor), server.client(server.actor(Role.MAILBOX))

    answer = here.put("/api/mailbox/password", json={"currentPassword": SECRET, "newPassword": "another"})

    assert answer.headers["set-cookie"] == "iding-session=; HttpOnly; Path=/; SameSite=Strict; Max-Age=0"
    assert [client.get("/api/session").status_code for client in (here, there, other)] == [401, 401, 200]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param({}, "当前密码和新密码不能为空", id="nothing"),
        pytest.param({"currentPassword": SECRET}, "当前密码和新密码不能为空", id="no new one"),
        pytest.param({"newPassword": "another"}, "当前密码和新密码不能为空", id="no current one"),
        pytest.param({"currentPassword": SECRET, "newPassword": "     "}, "当前密码和新密码不能为空", id="blank"),
        pytest.param({"currentPassword": SECRET, "newPassword": " 12345 "}, "新密码长度至少6位", id="5 characters"),
        pytest.param({"currentPassword": SECRET, "newPassword": "x" * 1025}, "新密码长度最多1024位", id="1025"),
        pytest.param({"currentPassword": "wrong", "newPassword": "another"}, "当前密码错误", id="wrong"),
        pytest.param({"currentPassword": BOX, "newPassword": "another"}, "当前密码错误", id="the address"),
        pytest.param({"currentPassword": "x" * 1025, "newPassword": "another"}, "当前密码错误", id="too long"),
        pytest.param({"currentPassword": None, "newPassword": "another"}, "当前密码和新密码不能为空", id="null"),
        pytest.param([], "Bad Request", id="a list"),
    ],
)
def test_refusals_change_nothing(server: Server, body: object, text: str) -> None:
    client = server.client(box(server))
    answer = client.put("/api/mailbox/password", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, text)
    assert client.get("/api/session").status_code == 200
    assert login_status(server, SECRET) == 200


@pytest.mark.parametrize("new", ["123456", "x" * 1024], ids=["6 characters", "1024 characters"])
def test_the_shortest_and_the_longest_password_log_in(server: Server, new: str) -> None:
    assert put(server.client(box(server)), SECRET, new)[0] == 200
    assert login_status(server, new) == 200


def test_an_old_hash_proves_the_current_password(server: Server) -> None:
    actor = box(server)
    old_hash = hashlib.sha256(SECRET.encode()).hexdigest()
    server.run(server.real.store.mailbox_logins.set_password(actor.mailbox_id, old_hash))
    assert put(server.client(actor), SECRET, "another")[0] == 200
    assert login_status(server, "another") == 200


def test_a_mailbox_that_is_gone_is_not_found(server: Server) -> None:
    with pytest.raises(NotFound, match="邮箱不存在"):
        server.run(server.sessions.change_mailbox_password(BOX, current=SECRET, new="another"))


@pytest.mark.parametrize("role", [Role.STRICT_ADMIN, Role.ADMIN, Role.USER])
def test_only_mailboxes_have_one(server: Server, role: Role) -> None:
    assert put(server.client(server.actor(role)), SECRET, "another") == (403, {"error": "Forbidden"})


def test_guesses_are_counted_with_the_logins_of_the_mailbox(server: Server) -> None:
    client = server.client(box(server))
    for _ in range(9):
        assert put(client, "guess", "another")[0] == 400
    assert login_status(server, SECRET) == 200

    refused = client.put("/api/mailbox/password", json={"currentPassword": SECRET, "newPassword": "another"})

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    elsewhere = server.connect("203.0.113.9").post("/api/login", json={"username": BOX, "password": SECRET})
    assert server.run(elsewhere).status_code == 429


def test_it_is_recorded_without_a_secret(server: Server) -> None:
    client = server.client(box(server))
    put(client, "guess", "another")
    put(client, SECRET, "another")

    entries = server.run(server.real.store.audit.page(limit=10))

    assert [(e.actor, e.role, e.action, e.target, e.status) for e in entries] == [
        (BOX, "mailbox", "mailbox.own_password", BOX, 200),
        (BOX, "mailbox", "mailbox.own_password", BOX, 400),
    ]
    assert not any(secret in repr(entries) for secret in (SECRET, "another", "guess"))
