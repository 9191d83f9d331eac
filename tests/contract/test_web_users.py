"""Users over HTTP: managing them."""

from asyncio import gather
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tempmail.clock import stamp
from tempmail.domain.accounts import User
from tempmail.domain.actor import Role
from tempmail.errors import BadRequest
from tempmail.services.users import UserDraft, UserService
from tests.contract.web_suite import ADMIN_NAME, NOON, Client, Server, error

BAD_REQUEST = (400, "Bad Request")
CONFIGURED = "更新失败: 该账户由 ADMIN_NAME/ADMIN_PASSWORD 配置，不能在此修改用户名、角色或密码"


def stored(server: Server, user_id: int) -> User:
    user = server.run(server.real.store.users.get(user_id))
    assert user is not None
    return user


def created(client: Client, username: str, **fields: Any) -> int:
    answer = client.post("/api/users", json={"username": username, **fields})
    assert answer.status_code == 200, answer.text
    user_id: int = answer.json()["id"]
    return user_id


def fits(server: Server, user: User, password: str) -> bool:
    return server.run(server.passwords.check(password, user.password_hash)).fits


def assign(client: Client, username: str, address: str) -> httpx.Response:
    return client.post("/api/users/assign", json={"username": username, "address": address})


def unassign(client: Client, username: str, address: str) -> httpx.Response:
    return client.post("/api/users/unassign", json={"username": username, "address": address})


# Creating


def test_a_created_user_is_answered_as_documented(server: Server) -> None:
    body = {"username": " NewUser ", "password": "password123", "role": "user", "mailboxLimit": 10}
    answer = server.root().post("/api/users", json=body)
    user_id = answer.json()["id"]
    assert answer.json() == {
        "id": user_id,
        "username": "newuser",
        "role": "user",
        "mailbox_limit": 10,
        "can_send": 0,
        "created_at": stamp(NOON),
    }
    assert fits(server, stored(server, user_id), "password123")


def test_a_name_alone_makes_a_user_of_ten_mailboxes_who_cannot_log_in(server: Server) -> None:
    user = stored(server, created(server.root(), "张三"))
    assert (user.username, user.role, user.mailbox_limit, user.password_hash) == ("张三", "user", 10, None)


ROLES = {"admin": "admin", "user": "user", "Admin": "user", "strictAdmin": "user", "": "user", None: "user"}


@pytest.mark.parametrize(("given", "role"), ROLES.items(), ids=map(str, ROLES))
def test_a_role_is_admin_or_else_user(shared: Server, given: str | None, role: str) -> None:
    user_id = created(shared.root(), uuid4().hex, role=given)
    assert stored(shared, user_id).role == role


@pytest.mark.parametrize("password", ["  secret ", "\tsecret\n"])
def test_white_space_around_a_password_is_not_part_of_it(server: Server, password: str) -> None:
    user_id = created(server.root(), "ann", password=password)
    assert fits(server, stored(server, user_id), "secret")
    server.root().patch(f"/api/users/{user_id}", json={"password": " other "})
    assert fits(server, stored(server, user_id), "other")


@pytest.mark.parametrize("password", [None, "", "   "])
def test_an_empty_password_is_none(shared: Server, password: str | None) -> None:
    user_id = created(shared.root(), uuid4().hex, password=password)
    assert stored(shared, user_id).password_hash is None


LIMITS: dict[str, tuple[Any, int | None]] = {
    "null": (None, 10),
    "blank": (" ", 10),
    "none-at-all": (0, 0),
    "text": ("25", 25),
    "text-of-zero": ("0", 0),
    "whole-float": (7.0, 7),
    "highest": (1_000_000, 1_000_000),
    "too-high": (1_000_001, None),
    "huge": (10**30, None),
    "negative": (-1, None),
    "fraction": (1.5, None),
    "no-number": ("many", None),
    "nan": ("NaN", None),
    "infinite": ("1e999", None),
}


@pytest.mark.parametrize(("given", "limit"), LIMITS.values(), ids=LIMITS.keys())
def test_a_limit_is_a_whole_number_or_refused(shared: Server, given: Any, limit: int | None) -> None:
    client, text = shared.root(), "mailboxLimit 必须是 0 到 1000000 的整数"
    answer = client.post("/api/users", json={"username": uuid4().hex, "mailboxLimit": given})
    changed = client.patch(f"/api/users/{shared.user(uuid4().hex)}", json={"mailboxLimit": given})
    if limit is None:
        assert error(answer) == (400, f"创建失败: {text}")
        assert error(changed) == (400, f"更新失败: {text}")
    else:
        assert answer.json()["mailbox_limit"] == limit
        assert changed.json() == {"success": True}


REFUSED_BODIES: dict[str, tuple[Any, str]] = {
    "no-name": ({}, "创建失败: 用户名不能为空"),
    "null-name": ({"username": None}, "创建失败: 用户名不能为空"),
    "blank-name": ({"username": "  "}, "创建失败: 用户名不能为空"),
    "mailbox-like-name": ({"username": "a@b.example"}, "创建失败: 用户名不能包含 @"),
    "long-name": ({"username": "a" * 65}, "创建失败: 用户名最多 64 个字符"),
    "control-in-name": ({"username": "a\u0000b"}, "创建失败: 用户名不能包含控制字符"),
    "reserved-name": ({"username": "Guest"}, "创建失败: 用户名 guest 为系统保留"),
    "the-admins-name": ({"username": ADMIN_NAME.upper()}, "创建失败: 用户名已存在"),
    "long-password": ({"username": "a", "password": "p" * 1025}, "创建失败: 密码最多 1024 个字符"),
}


@pytest.mark.parametrize(("body", "text"), REFUSED_BODIES.values(), ids=REFUSED_BODIES.keys())
def test_a_refused_user_is_told_why(shared: Server, body: Any, text: str) -> None:
    assert error(shared.root().post("/api/users", json=body)) == (400, text)


def test_a_password_of_the_longest_kind_is_taken(server: Server) -> None:
    user_id = created(server.root(), "ann", password="p" * 1024)
    assert fits(server, stored(server, user_id), "p" * 1024)


def test_a_taken_name_is_refused_in_any_case(server: Server) -> None:
    created(server.root(), "ann")
    assert error(server.root().post("/api/users", json={"username": "ANN"})) == (400, "创建失败: 用户名已存在")


def test_of_many_that_create_one_name_at_once_one_succeeds(server: Server) -> None:
    client = server.root()

    async def race() -> list[httpx.Response]:
        posts = (server.http.post("/api/users", json={"username": "ann"}, headers=client.headers) for _ in range(6))
        return await gather(*posts)

    answers = server.run(race())
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400, 400]
    assert client.get("/api/users").json()["total"] == 1


def test_users_are_created_up_to_a_limit_and_none_above(server: Server) -> None:
    store = server.real.store
    service = UserService(
        store.users, store.mailboxes, server.passwords, clock=server.clock, admin_name=ADMIN_NAME, max_users=2
    )
    for name in ("a", "b"):
        server.run(service.create(UserDraft(name)))
    with pytest.raises(BadRequest, match="创建失败: 用户数量已达到上限 2"):
        server.run(service.create(UserDraft("c")))


WRONG_TYPES = [
    {"username": 5},
    {"username": ["a"]},
    {"username": "a", "password": {"a": 1}},
    {"username": "a", "password": 12345678},
    {"username": "a", "role": 1},
    {"username": "a", "mailboxLimit": [1]},
    {"username": "a", "mailboxLimit": True},
    [],
    "text",
    None,
]


@pytest.mark.parametrize("body", WRONG_TYPES, ids=map(str, WRONG_TYPES))
def test_wrong_types_are_a_bad_request(shared: Server, body: Any) -> None:
    client = shared.root()
    user_id = shared.user(uuid4().hex)
    assert error(client.post("/api/users", json=body)) == BAD_REQUEST
    assert error(client.patch(f"/api/users/{user_id}", json=body)) == BAD_REQUEST


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"username": "\\ud800"}', b"[" * 3000])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/users"), ("PATCH", "/api/users/1"), ("POST", "/api/users/assign"), ("POST", "/api/users/unassign")],
)
def test_malformed_json_is_a_bad_request(shared: Server, method: str, path: str, content: bytes) -> None:
    assert error(shared.root()(method, path, content=content)) == BAD_REQUEST


# Changing


def test_every_field_of_a_user_can_be_changed(server: Server) -> None:
    client, user_id = server.root(), server.user("ann", mailbox_limit=3)
    body = {"username": " Updated ", "password": "new", "mailboxLimit": 20, "can_send": 1, "role": "admin"}
    assert client.patch(f"/api/users/{user_id}", json=body).json() == {"success": True}
    user = stored(server, user_id)
    assert (user.username, user.role, user.can_send, user.mailbox_limit) == ("updated", "admin", 1, 20)
    assert fits(server, user, "new")


@pytest.mark.parametrize(
    "body", [{}, {"username": None, "password": None, "role": None, "mailboxLimit": None}, {"password": " "}, {"x": 1}]
)
def test_what_is_not_given_stays(shared: Server, body: Any) -> None:
    user_id = shared.user(uuid4().hex, password="secret", mailbox_limit=3)
    before = stored(shared, user_id)
    assert shared.root().patch(f"/api/users/{user_id}", json=body).json() == {"success": True}
    assert stored(shared, user_id) == before


TRUTH: list[tuple[Any, int]] = [
    (1, 1),
    (True, 1),
    ("false", 1),
    ("0", 1),
    ([], 1),
    ({}, 1),
    (-1, 1),
    (0, 0),
    (0.0, 0),
    (False, 0),
    ("", 0),
    (None, 0),
]


@pytest.mark.parametrize(("given", "can_send"), TRUTH, ids=[repr(given) for given, _ in TRUTH])
def test_may_send_is_read_as_javascript_reads_it(shared: Server, given: Any, can_send: int) -> None:
    client, user_id = shared.root(), shared.user(uuid4().hex)
    client.patch(f"/api/users/{user_id}", json={"can_send": not can_send})
    client.patch(f"/api/users/{user_id}", json={"can_send": given})
    assert stored(shared, user_id).can_send == can_send


def test_a_changed_role_or_password_ends_the_users_sessions(server: Server) -> None:
    for body, ends in (
        ({"mailboxLimit": 5, "can_send": 1}, False),
        ({"password": "x"}, True),
        ({"role": "admin"}, True),
    ):
        actor = server.actor(Role.USER)
        client = server.client(actor)
        assert client.get("/api/session").status_code == 200
        server.root().patch(f"/api/users/{actor.user_id}", json=body)
        assert (client.get("/api/session").status_code == 401) is ends, body


def test_a_rename_is_refused_as_a_new_name_is(server: Server) -> None:
    client, user_id = server.root(), server.user("ann")
    server.user("bob")
    for name, text in {
        "BOB": "用户名已存在",
        ADMIN_NAME: "用户名已存在",
        " ": "用户名不能为空",
        "guest": "用户名 guest 为系统保留",
        "a@b": "用户名不能包含 @",
    }.items():
        assert error(client.patch(f"/api/users/{user_id}", json={"username": name})) == (400, f"更新失败: {text}")
    assert client.patch(f"/api/users/{user_id}", json={"username": "ANN"}).status_code == 200
    assert stored(server, user_id).username == "ann"


BAD_IDS = ["0", "-1", "abc", "1abc", "1.5", "1e3", "9" * 16, "%20", "０１"]


@pytest.mark.parametrize("bad", BAD_IDS)
def test_a_bad_id_is_refused_before_anything_else(shared: Server, bad: str) -> None:
    client = shared.root()
    assert error(client.patch(f"/api/users/{bad}", json={"username": ""})) == (400, "无效ID")
    assert error(client.delete(f"/api/users/{bad}")) == (400, "无效ID")
    assert error(client.get(f"/api/users/{bad}/mailboxes")) == (400, "无效ID")
    assert error(shared.client(shared.actor(Role.USER)).get(f"/api/users/{bad}/mailboxes")) == (400, "无效ID")


@pytest.mark.parametrize("unknown", ["999999", "9" * 15])
def test_an_unknown_id_is_not_found(shared: Server, unknown: str) -> None:
    client = shared.root()
    assert error(client.patch(f"/api/users/{unknown}", json={"username": ""})) == (404, "未找到用户")
    assert error(client.delete(f"/api/users/{unknown}")) == (404, "未找到用户")
    assert client.get(f"/api/users/{unknown}/mailboxes").json() == []


# The configured admin


@pytest.mark.parametrize("body", [{"username": "other"}, {"role": "user"}, {"password": "x"}])
def test_the_configured_admin_keeps_name_role_and_password(shared: Server, body: Any) -> None:
    admin_id = shared.admin_id()
    before = stored(shared, admin_id)
    assert error(shared.root().patch(f"/api/users/{admin_id}", json=body)) == (400, CONFIGURED)
    assert stored(shared, admin_id) == before


def test_the_configured_admins_limit_can_be_changed_beside_its_name_and_role(server: Server) -> None:
    admin_id = server.admin_id()
    body = {"username": ADMIN_NAME, "role": "admin", "password": "", "mailboxLimit": 5}
    assert server.root().patch(f"/api/users/{admin_id}", json=body).json() == {"success": True}
    assert stored(server, admin_id).mailbox_limit == 5


def test_the_configured_admin_cannot_be_deleted(server: Server) -> None:
    admin_id = server.admin_id()
    for client in (server.root(), server.client(server.actor(Role.STRICT_ADMIN))):
        text = "删除失败: 该账户由 ADMIN_NAME/ADMIN_PASSWORD 配置，不能删除"
        assert error(client.delete(f"/api/users/{admin_id}")) == (400, text)
    assert stored(server, admin_id).username == ADMIN_NAME.lower()


# Deleting


def test_a_deleted_user_is_logged_out_and_its_mailboxes_stay(server: Server) -> None:
    actor = server.actor(Role.USER)
    address, client = server.own_mailbox(actor), server.client(actor)
    assert client.get("/api/session").status_code == 200

    assert server.root().delete(f"/api/users/{actor.user_id}").json() == {"success": True}

    assert client.get("/api/session").status_code == 401
    assert server.run(server.real.store.mailboxes.find(address)) is not None
    assert error(server.root().delete(f"/api/users/{actor.user_id}")) == (404, "未找到用户")


# Listing


def test_the_list_has_the_documented_keys_and_counts_the_whole_system(server: Server) -> None:
    user_id = server.user("testuser", mailbox_limit=10)
    server.user("admin2", role=Role.ADMIN)
    server.mailbox("a@temp.example.com", owner_id=user_id)
    server.mailbox("nobodys@temp.example.com")
    server.root().patch(f"/api/users/{user_id}", json={"can_send": 1})

    shown = server.root().get("/api/users", params={"sort": "asc", "limit": 1}).json()

    assert shown == {
        "list": [
            {
                "id": user_id,
                "username": "testuser",
                "role": "user",
                "mailbox_limit": 10,
                "can_send": 1,
                "mailbox_count": 1,
                "created_at": stamp(NOON),
            }
        ],
        "total": 2,
        "total_mailboxes": 2,
        "admin_count": 1,
        "active_count": 1,
    }


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The highest administrator of a server with the users 0 to 100."""
    with Server(tmp_path_factory.mktemp("web")) as server:
        for number in range(101):
            server.user(str(number))
        yield server.root()


PAGES: dict[str, tuple[str, list[int]]] = {
    "default": ("", list(range(100, 50, -1))),
    "oldest-first": ("sort=asc", list(range(50))),
    "oldest-first-in-any-case": ("sort=%20ASC", list(range(50))),
    "unknown-order": ("sort=up", list(range(100, 50, -1))),
    "limit": ("limit=2", [100, 99]),
    "offset": ("limit=2&offset=3&sort=asc", [3, 4]),
    "most": ("limit=100&sort=asc", list(range(100))),
    "more-than-most": ("limit=101&sort=asc", list(range(100))),
    "least": ("limit=0&sort=asc", [0]),
    "negative": ("limit=-5&offset=-5&sort=asc", [0]),
    "no-number": ("limit=x&offset=y&sort=asc", list(range(50))),
    "beyond": ("offset=101", []),
    "far-beyond": ("offset=99999999999999999999", []),
    "first-page": ("page=1&size=2&sort=asc", [0, 1]),
    "second-page": ("page=2&size=2&sort=asc", [2, 3]),
    "page-alone": ("page=3&sort=asc", [100]),
    "size-alone": ("size=1&sort=asc", [0]),
    "page-wins-over-offset": ("page=1&limit=3&offset=5&sort=asc", list(range(50))),
    "most-on-a-page": ("size=101&sort=asc", list(range(100))),
    "least-on-a-page": ("size=0&sort=asc", [0]),
    "page-zero": ("page=0&size=2&sort=asc", [0, 1]),
    "page-without-a-number": ("page=x&size=y&sort=asc", list(range(50))),
    "last-page": ("page=999999999&size=100", []),
}


@pytest.mark.parametrize(("query", "names"), PAGES.values(), ids=PAGES.keys())
def test_a_page_is_what_was_asked_for_within_limits(many: Client, query: str, names: list[int]) -> None:
    shown = many.get(f"/api/users?{query}").json()
    assert [int(item["username"]) for item in shown["list"]] == names
    assert shown["total"] == 101


# The audit log


def test_what_is_done_to_users_is_recorded_by_name_and_never_with_a_password(server: Server) -> None:
    client = server.root()
    user_id = created(client, " Ann ", password="a secret")
    client.patch(f"/api/users/{user_id}", json={"username": "bob", "password": "another secret"})
    assign(client, "Bob", "Box@temp.example.com")
    client.delete(f"/api/users/{user_id}")
    client.delete(f"/api/users/{user_id}")

    recorded = server.run(server.real.store.audit.page(limit=9))

    assert [(entry.action, entry.target, entry.status) for entry in reversed(recorded)] == [
        ("user.create", "ann", 200),
        ("user.update", "ann", 200),
        ("user.assign", "bob box@temp.example.com", 200),
        ("user.delete", "bob", 200),
        ("user.delete", str(user_id), 404),
    ]
    assert "secret" not in str(recorded)


# Guests


def test_a_guest_manages_the_users_of_the_demonstration_and_sees_none_of_the_real_ones(server: Server) -> None:
    server.user("real")
    guest = server.client(server.actor(Role.GUEST))
    user_id = created(guest, "demo1", mailboxLimit=1)

    assert [user["username"] for user in guest.get("/api/users").json()["list"]] == ["demo1"]
    assert guest.patch(f"/api/users/{user_id}", json={"can_send": 1}).json() == {"success": True}
    assert assign(guest, "demo1", "demo001@exa.cc").json() == {"success": True}
    assert [box["address"] for box in guest.get(f"/api/users/{user_id}/mailboxes").json()] == ["demo001@exa.cc"]
    assert guest.get("/api/user/quota").json() == {"limit": 999, "used": 1, "remaining": 998}
    assert unassign(guest, "demo1", "demo001@exa.cc").json() == {"success": True}
    assert guest.delete(f"/api/users/{user_id}").json() == {"success": True}
    assert [user["username"] for user in server.root().get("/api/users").json()["list"]] == ["real"]


def test_a_guest_is_told_what_is_wrong_in_the_words_of_the_original(server: Server) -> None:
    guest = server.client(server.actor(Role.GUEST))
    created(guest, "demo1", mailboxLimit=0)
    refused = {
        "用户名不能为空": guest.post("/api/users", json={"username": ""}),
        "用户名已存在": guest.post("/api/users", json={"username": "demo1"}),
        "已达到邮箱上限": assign(guest, "demo1", "a@exa.cc"),
        "用户不存在": assign(guest, "nobody", "a@exa.cc"),
        "未找到用户": guest.delete("/api/users/99"),
    }
    assert all(error(answer)[1].endswith(text) for text, answer in refused.items())
