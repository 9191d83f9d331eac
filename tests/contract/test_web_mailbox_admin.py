"""What the highest administrator does to mailboxes over HTTP: logins, passwords, and many at once."""

from collections.abc import Iterator
from typing import Any

import pytest

from tempmail.domain.actor import Actor, Role
from tests.contract.web_suite import Client, Server, error, told

BOX = "box@temp.example.com"
OTHER = "other@temp.example.com"
UNKNOWN = (404, {"error": "邮箱不存在"})
NO_ADDRESS = (400, {"error": "缺少 address 参数"})

ONE: dict[str, tuple[str, dict[str, object]]] = {
    "reset": ("/api/mailboxes/reset-password", {}),
    "login": ("/api/mailboxes/toggle-login", {"can_login": True}),
    "password": ("/api/mailboxes/change-password", {"new_password": "a new secret"}),
}
LOGINS = "/api/mailboxes/batch-toggle-login"
BY_ID = {"favorite": "/api/mailboxes/batch-favorite", "forward": "/api/mailboxes/batch-forward"}
BY_ADDRESS = {
    "favorite": "/api/mailboxes/batch-favorite-by-address",
    "forward": "/api/mailboxes/batch-forward-by-address",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With one mailbox, for cases that change nothing."""
    with Server(tmp_path_factory.mktemp("web")) as server:
        server.mailbox(BOX)
        yield server


def login(server: Server, address: str, password: str) -> int:
    return server.client().post("/api/login", json={"username": address, "password": password}).status_code


def is_in(client: Client) -> bool:
    return client.get("/api/session").status_code == 200


def mailbox_client(server: Server, address: str = BOX) -> Client:
    """With a session of a mailbox that may log in, begun now."""
    found = server.run(server.real.store.mailboxes.find(address))
    box_id = server.login_mailbox(address) if found is None else found.id
    return server.client(Actor(Role.MAILBOX, address, mailbox_id=box_id, mailbox_address=address))


def shown(server: Server, address: str = BOX) -> tuple[int, bool, str | None, bool]:
    """(is there, favourite, forwarded to, may log in)"""
    info = server.root().get("/api/mailbox/info", params={"address": address}).json()
    return int(info["id"] is not None), info["is_favorite"], info["forward_to"], info["can_login"]


# One mailbox


def test_a_changed_password_is_the_one_to_log_in_with_and_ends_sessions(server: Server) -> None:
    session = mailbox_client(server)
    assert is_in(session)

    answer = server.root().post(
        "/api/mailboxes/change-password", json={"address": f" {BOX.upper()} ", "new_password": "  a new secret\n"}
    )

    assert told(answer) == (200, {"success": True})
    assert not is_in(session)
    assert (login(server, BOX, BOX), login(server, BOX, "a new secret")) == (401, 200)


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        pytest.param("12345", "密码长度至少6位", id="5 characters"),
        pytest.param("  12345   ", "密码长度至少6位", id="5 characters and blanks"),
        pytest.param("", "密码长度至少6位", id="empty"),
        pytest.param(None, "密码长度至少6位", id="null"),
        pytest.param("x" * 1025, "密码长度最多1024位", id="1025 characters"),
        pytest.param(123456, "Bad Request", id="a number"),
    ],
)
def test_bad_passwords_are_refused(shared: Server, password: object, expected: str) -> None:
    answer = shared.root().post("/api/mailboxes/change-password", json={"address": BOX, "new_password": password})
    assert error(answer) == (400, expected)


@pytest.mark.parametrize("password", ["123456", "密码密码密码", "x" * 1024])
def test_passwords_of_6_to_1024_characters_work(server: Server, password: str) -> None:
    mailbox_client(server)
    answer = server.root().post("/api/mailboxes/change-password", json={"address": BOX, "new_password": password})
    assert answer.status_code == 200
    assert login(server, BOX, password) == 200


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"params": {"address": BOX}}, id="query"),
        pytest.param({"json": {"address": BOX.upper()}}, id="json"),
        pytest.param({"data": {"address": BOX}}, id="form"),
    ],
)
def test_a_reset_password_is_the_address_again_and_ends_sessions(server: Server, request_: dict[str, Any]) -> None:
    mailbox_client(server)
    server.root().post("/api/mailboxes/change-password", json={"address": BOX, "new_password": "a new secret"})
    session = mailbox_client(server)
    assert is_in(session)

    assert told(server.root().post("/api/mailboxes/reset-password", **request_)) == (200, {"success": True})

    assert not is_in(session)
    assert (login(server, BOX, "a new secret"), login(server, BOX, BOX)) == (401, 200)


def test_a_guest_resets_nothing(server: Server) -> None:
    mailbox_client(server)
    server.root().post("/api/mailboxes/change-password", json={"address": BOX, "new_password": "a new secret"})
    guest = server.client(server.actor(Role.GUEST))

    answer = guest.post("/api/mailboxes/reset-password", params={"address": BOX})

    assert told(answer) == (200, {"success": True, "mock": True})
    assert login(server, BOX, "a new secret") == 200


def test_a_login_is_allowed_and_denied_and_denying_ends_sessions(server: Server) -> None:
    server.mailbox(BOX)
    root = server.root()
    assert login(server, BOX, BOX) == 401

    assert told(root.post("/api/mailboxes/toggle-login", json={"address": BOX.upper(), "can_login": True})) == (
        200,
        {"success": True, "can_login": True},
    )
    session = mailbox_client(server)
    assert (login(server, BOX, BOX), is_in(session)) == (200, True)

    for _ in range(2):
        denied = root.post("/api/mailboxes/toggle-login", json={"address": BOX, "can_login": False})
        assert told(denied) == (200, {"success": True, "can_login": False})
    root.post("/api/mailboxes/toggle-login", json={"address": BOX, "can_login": True})
    assert not is_in(session)


def test_a_login_is_denied_where_the_body_does_not_say(server: Server) -> None:
    session = mailbox_client(server)
    answer = server.root().post("/api/mailboxes/toggle-login", json={"address": BOX})
    assert answer.json()["can_login"] is False
    assert not is_in(session)


def test_any_text_for_a_yes_is_a_yes_as_in_javascript(server: Server) -> None:
    server.mailbox(BOX)
    for value, meant in (("false", True), (1, True), ("", False), (0, False), (None, False)):
        answer = server.root().post("/api/mailboxes/toggle-login", json={"address": BOX, "can_login": value})
        assert answer.json()["can_login"] is meant


@pytest.mark.parametrize("name", ONE)
def test_an_unknown_address_is_not_found_and_not_created(shared: Server, name: str) -> None:
    path, body = ONE[name]
    assert told(shared.root().post(path, json={**body, "address": "no@temp.example.com"})) == UNKNOWN
    assert shown(shared, "no@temp.example.com")[0] == 0


@pytest.mark.parametrize("name", ONE)
@pytest.mark.parametrize("address", [None, "", "  "])
def test_an_address_is_asked_for(shared: Server, name: str, address: str | None) -> None:
    path, body = ONE[name]
    assert told(shared.root().post(path, json={**body, "address": address})) == NO_ADDRESS
    assert told(shared.root().post(path, json=body)) == NO_ADDRESS


EVERY = [*(path for path, _ in ONE.values()), LOGINS, *BY_ID.values(), *BY_ADDRESS.values()]


@pytest.mark.parametrize("path", EVERY)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"text"', id="a text"),
        pytest.param(b'{"address": ["a@b.co"], "addresses": "a@b.co", "mailbox_ids": 1}', id="wrong types"),
        pytest.param(b'{"address": 1, "addresses": [1], "mailbox_ids": ["x"]}', id="wrong items"),
        pytest.param(b'{"address": {}, "addresses": [null], "mailbox_ids": [null]}', id="null items"),
        pytest.param(b'{"address": true, "addresses": [true], "mailbox_ids": [1.5]}', id="fractions"),
        pytest.param(b'{"address": [], "addresses": [[]], "mailbox_ids": [9223372036854775808]}', id="a huge id"),
        pytest.param(b'{"address": [], "addresses": [{}], "mailbox_ids": [0]}', id="id 0"),
        pytest.param(b'{"addresses": [', id="half a json"),
        pytest.param(b"[" * 4000, id="deep"),
        pytest.param(b"\xff", id="no text"),
    ],
)
def test_bodies_of_other_kinds_are_refused(shared: Server, path: str, body: bytes) -> None:
    assert error(shared.root().post(path, content=body)) == (400, "Bad Request")


@pytest.mark.parametrize("path", EVERY)
@pytest.mark.parametrize("role", [Role.ADMIN, Role.USER, Role.MAILBOX, Role.GUEST])
def test_nobody_but_the_highest_administrator_may(shared: Server, path: str, role: Role) -> None:
    if role is Role.GUEST and path.endswith("reset-password"):
        return  # a guest is told yes, and nothing happens
    texts = {Role.MAILBOX: "访问被拒绝", Role.GUEST: "演示模式不可操作"}
    body = {"address": BOX, "addresses": [BOX], "mailbox_ids": [1], "can_login": True, "new_password": "a new secret"}
    answer = shared.client(shared.actor(role)).post(path, json=body)
    assert told(answer) == (403, {"error": texts.get(role, "Forbidden")})


# Many logins


def test_a_batch_of_logins_updates_what_exists_and_creates_what_does_not(server: Server) -> None:
    server.mailbox(BOX)
    given = [" ", BOX.upper(), "new@temp.example.com", f" {BOX} ", "", "a@Sub.Wild.example", "bad", "a@else.example"]

    answer = server.root().post(LOGINS, json={"addresses": given, "can_login": True})

    assert told(answer) == (
        200,
        {
            "success": True,
            "success_count": 3,
            "fail_count": 4,
            "total": 8,
            "results": [
                {"address": " ", "success": False, "error": "地址为空"},
                {"address": "", "success": False, "error": "地址为空"},
                {"address": BOX, "success": True, "updated": True},
                {"address": "new@temp.example.com", "success": True, "created": True},
                {"address": "a@sub.wild.example", "success": True, "created": True},
                {"address": "bad", "success": False, "error": "无效的邮箱地址"},
                {
                    "address": "a@else.example",
                    "success": False,
                    "error": "域名 else.example 不在本服务的收信域名中",
                },
            ],
        },
    )
    for address in (BOX, "new@temp.example.com", "a@sub.wild.example"):
        assert shown(server, address) == (1, False, None, True)
        assert login(server, address, address) == 200
    assert server.root().get("/api/mailboxes").json()["total"] == 3


@pytest.mark.parametrize(
    "address",
    ["a b@temp.example.com", "a@b@temp.example.com", "a\n@temp.example.com", "a\u0000@temp.example.com",
     "@temp.example.com", "temp.example.com", "a@", "x" * 65 + "@temp.example.com", "<a@temp.example.com>"],
)  # fmt: skip
def test_no_mailbox_is_made_at_an_invalid_address(shared: Server, address: str) -> None:
    before = shared.root().get("/api/mailboxes").json()["total"]
    answer = shared.root().post(LOGINS, json={"addresses": [address], "can_login": True})
    [result] = answer.json()["results"]
    assert (result["success"], result["error"]) == (False, "无效的邮箱地址")
    assert shared.root().get("/api/mailboxes").json()["total"] == before


def test_a_mailbox_that_exists_is_updated_whatever_its_domain(server: Server) -> None:
    server.mailbox("old@else.example")
    answer = server.root().post(LOGINS, json={"addresses": ["old@else.example"], "can_login": True})
    assert answer.json()["results"] == [{"address": "old@else.example", "success": True, "updated": True}]


def test_denying_a_batch_ends_the_sessions(server: Server) -> None:
    sessions = [mailbox_client(server, address) for address in (BOX, OTHER)]
    answer = server.root().post(LOGINS, json={"addresses": [BOX], "can_login": False})
    assert answer.json()["results"] == [{"address": BOX, "success": True, "updated": True}]
    assert [is_in(session) for session in sessions] == [False, True]


def test_a_batch_of_nothing_but_empty_addresses_changes_nothing(server: Server) -> None:
    answer = server.root().post(LOGINS, json={"addresses": ["", " "], "can_login": True})
    assert (answer.json()["success_count"], answer.json()["fail_count"], answer.json()["total"]) == (0, 2, 2)


# Many favourites and targets


@pytest.mark.parametrize(("value", "flag"), [(True, 1), ("false", 1), (False, 0), (0, 0), (None, 0)])
def test_a_batch_sets_favorites_by_id_and_by_address_and_counts_what_exists(
    server: Server, value: object, flag: int
) -> None:
    ids = [server.mailbox(address) for address in (BOX, OTHER)]
    server.root().post(BY_ID["favorite"], json={"mailbox_ids": ids[1:], "is_favorite": True})
    expected = (200, {"success": True, "updated_count": 1, "is_favorite": flag})

    by_id = server.root().post(BY_ID["favorite"], json={"mailbox_ids": [ids[0]] * 2 + [999], "is_favorite": value})
    assert told(by_id) == expected
    assert (shown(server)[1], shown(server, OTHER)[1]) == (bool(flag), True)

    given = [BOX, BOX.upper(), "", "no@temp.example.com"]
    by_address = server.root().post(BY_ADDRESS["favorite"], json={"addresses": given, "is_favorite": value})
    assert told(by_address) == expected
    assert (shown(server)[1], shown(server, OTHER)[1]) == (bool(flag), True)


@pytest.mark.parametrize(("target", "kept"), [(" Me@Else.example ", "Me@Else.example"), ("", None), (None, None)])
def test_a_batch_sets_targets_by_id_and_by_address_and_counts_what_exists(
    server: Server, target: str | None, kept: str | None
) -> None:
    ids = [server.mailbox(address) for address in (BOX, OTHER)]
    server.root().post(BY_ID["forward"], json={"mailbox_ids": ids, "forward_to": "before@else.example"})
    expected = (200, {"success": True, "updated_count": 1, "forward_to": kept})

    by_id = server.root().post(BY_ID["forward"], json={"mailbox_ids": [ids[0]] * 2 + [999], "forward_to": target})
    assert told(by_id) == expected
    assert (shown(server)[2], shown(server, OTHER)[2]) == (kept, "before@else.example")

    given = [BOX, BOX.upper(), "", "no@temp.example.com"]
    by_address = server.root().post(BY_ADDRESS["forward"], json={"addresses": given, "forward_to": target})
    assert told(by_address) == expected
    assert (shown(server)[2], shown(server, OTHER)[2]) == (kept, "before@else.example")


@pytest.mark.parametrize("path", [BY_ID["forward"], BY_ADDRESS["forward"]])
def test_a_batch_with_a_bad_target_is_refused(shared: Server, path: str) -> None:
    body = {"mailbox_ids": [1], "addresses": [BOX], "forward_to": "nobody"}
    assert error(shared.root().post(path, json=body)) == (400, "转发目标邮箱格式无效")
    assert shown(shared) == (1, False, None, False)


def test_a_batch_of_100_works_and_101_are_too_many(server: Server) -> None:
    addresses = [f"b{number}@temp.example.com" for number in range(101)]
    root = server.root()

    logins = root.post(LOGINS, json={"addresses": addresses[:100], "can_login": True})
    assert (logins.json()["success_count"], logins.json()["total"]) == (100, 100)
    assert all(result["created"] for result in logins.json()["results"])
    ids = list(server.run(server.real.store.mailboxes.ids_of(addresses[:100])).values())
    for path in (*BY_ID.values(), *BY_ADDRESS.values()):
        body = {"mailbox_ids": ids, "addresses": addresses[:100], "is_favorite": True, "forward_to": "me@else.example"}
        assert root.post(path, json=body).json()["updated_count"] == 100, path

    assert error(root.post(LOGINS, json={"addresses": addresses})) == (400, "单次最多处理100个邮箱")
    assert error(root.post(LOGINS, json={"addresses": [BOX] * 101})) == (400, "单次最多处理100个邮箱")
    for path in (*BY_ID.values(), *BY_ADDRESS.values()):
        body = {"mailbox_ids": [*ids, 999], "addresses": addresses}
        assert error(root.post(path, json=body)) == (400, "单次最多操作 100 个邮箱"), path
    assert shown(server, addresses[100])[0] == 0
    assert shown(server, addresses[99]) == (1, True, "me@else.example", True)


@pytest.mark.parametrize(
    ("paths", "text"),
    [
        pytest.param([LOGINS], "缺少 addresses 参数或地址列表为空", id="logins"),
        pytest.param(BY_ID.values(), "缺少邮箱 ID 列表", id="by id"),
        pytest.param(BY_ADDRESS.values(), "缺少邮箱地址列表", id="by address"),
    ],
)
def test_a_batch_of_nothing_is_refused(shared: Server, paths: list[str], text: str) -> None:
    for path in paths:
        nothing: list[object] = [[], None]
        for none in nothing:
            body = {"addresses": none, "mailbox_ids": none}
            assert error(shared.root().post(path, json=body)) == (400, text)
        assert error(shared.root().post(path, json={})) == (400, text)


@pytest.mark.parametrize("path", BY_ADDRESS.values())
def test_a_batch_of_empty_addresses_is_refused(shared: Server, path: str) -> None:
    assert error(shared.root().post(path, json={"addresses": ["", " "]})) == (400, "没有有效的邮箱地址")


# Tokens and the audit log


@pytest.mark.parametrize("path", EVERY)
def test_a_token_for_some_mailboxes_does_nothing_to_others(server: Server, path: str) -> None:
    foreign, own = server.mailbox(BOX), server.mailbox("qa-1@temp.example.com")
    body = {"name": "ci", "actions": ["mailbox.*"], "mailboxes": ["qa-*@temp.example.com"]}
    made = server.client(server.actor(Role.STRICT_ADMIN)).post("/api/v1/tokens", json=body).json()
    token = Client(server, {"authorization": f"Bearer {made['token']}"})
    wanted = {"can_login": True, "new_password": "a new secret", "is_favorite": True, "forward_to": "me@else.example"}

    refused = token.post(
        path,
        json={**wanted, "address": BOX, "addresses": ["qa-1@temp.example.com", BOX], "mailbox_ids": [own, foreign]},
    )
    within = token.post(
        path,
        json={
            **wanted,
            "address": "qa-1@temp.example.com",
            "addresses": ["qa-1@temp.example.com"],
            "mailbox_ids": [own, 999],
        },
    )

    assert told(refused) == (403, {"error": "Forbidden"})
    assert within.status_code == 200
    assert shown(server) == (1, False, None, False)


def test_a_token_for_some_mailboxes_creates_no_others(server: Server) -> None:
    body = {"name": "ci", "actions": ["mailbox.*"], "mailboxes": ["qa-*@temp.example.com"]}
    made = server.client(server.actor(Role.STRICT_ADMIN)).post("/api/v1/tokens", json=body).json()
    token = Client(server, {"authorization": f"Bearer {made['token']}"})

    answer = token.post(LOGINS, json={"addresses": ["qa-1@temp.example.com", OTHER], "can_login": True})

    assert told(answer) == (403, {"error": "Forbidden"})
    assert server.root().get("/api/mailboxes").json()["total"] == 0


@pytest.mark.parametrize("path", EVERY)
def test_each_change_is_recorded_with_what_it_was_done_to_and_no_secret(server: Server, path: str) -> None:
    box_id = server.mailbox(BOX)
    body = {"address": BOX, "addresses": [BOX], "mailbox_ids": [box_id], "new_password": "a new secret"}

    assert server.root().post(path, json=body).status_code == 200

    [entry] = server.root().get("/api/v1/audit").json()["entries"]
    assert entry["target"] in (BOX, f"1: {BOX}", f"1: {box_id}")
    assert "secret" not in str(entry)
