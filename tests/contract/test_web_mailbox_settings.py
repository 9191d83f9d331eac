"""One mailbox's settings over HTTP: what they are, pin, forwarding, favourite."""

from asyncio import gather
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tempmail.domain.actor import Actor, Role
from tests.contract.web_suite import ROOT_TOKEN, Client, Server, told

BOX = "box@temp.example.com"
UNKNOWN_ID = 987_654
NO_ADDRESS = (400, {"error": "缺少 address 参数"})
NO_ID = (400, {"error": "缺少有效的邮箱 ID"})
BAD_TARGET = (400, {"error": "转发目标邮箱格式无效"})
UNKNOWN = (404, {"error": "邮箱不存在"})
FOREIGN = (403, {"error": "无权限操作此邮箱"})
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def ann(server: Server) -> Actor:
    return server.actor(Role.USER)


@pytest.fixture
def box_id(server: Server, ann: Actor) -> int:
    return server.mailbox(BOX, owner_id=ann.user_id)


@pytest.fixture
def client(server: Server, ann: Actor, box_id: int) -> Client:
    """Of the user who owns the mailbox."""
    return server.client(ann)


@dataclass
class Refused:
    """The same once more, for cases that change nothing."""

    client: Client
    box_id: int


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refused]:
    with Server(tmp_path_factory.mktemp("web")) as server:
        owner = server.actor(Role.USER)
        yield Refused(server.client(owner), server.mailbox(BOX, owner_id=owner.user_id))


def listed(client: Client) -> dict[str, Any]:
    """The mailbox's line in the client's list."""
    found = {item["address"]: item for item in client.get("/api/mailboxes").json()["list"]}
    line: dict[str, Any] = found[BOX]
    return line


def info(client: Client, address: str = BOX) -> Any:
    return client.get("/api/mailbox/info", params={"address": address})


def test_info_shows_the_settings_with_real_booleans(server: Server, client: Client, box_id: int) -> None:
    fresh = {"id": box_id, "address": BOX, "is_favorite": False, "forward_to": None, "can_login": False}
    assert told(info(client)) == (200, fresh)

    client.post("/api/mailbox/favorite", json={"mailbox_id": box_id})
    client.post("/api/mailbox/forward", json={"mailbox_id": box_id, "forward_to": "Me@Else.example"})
    server.root().post("/api/mailboxes/toggle-login", json={"address": BOX, "can_login": True})

    set_now = {**fresh, "is_favorite": True, "forward_to": "Me@Else.example", "can_login": True}
    assert told(info(client, f" {BOX.upper()} ")) == (200, set_now)


def test_info_of_an_unknown_address_tells_the_highest_administrator_alone(server: Server, client: Client) -> None:
    server.mailbox("foreign@temp.example.com")
    unknown = {
        "id": None,
        "address": "no@temp.example.com",
        "is_favorite": False,
        "forward_to": None,
        "can_login": False,
    }

    assert told(info(server.root(), "No@temp.example.com")) == (200, unknown)
    assert told(info(client, "no@temp.example.com")) == (403, {"error": "Forbidden"})
    assert told(info(client, "foreign@temp.example.com")) == (403, {"error": "Forbidden"})


@pytest.mark.parametrize("query", ["", "?address=", "?address=%20", "?other=1"])
def test_info_asks_for_an_address(server: Server, query: str) -> None:
    assert told(server.root().get(f"/api/mailbox/info{query}")) == (400, {"error": "缺少邮箱地址"})


def test_a_mailbox_login_sees_its_own_settings(server: Server) -> None:
    actor = server.actor(Role.MAILBOX)
    assert info(server.client(actor), actor.username).json()["can_login"] is True


def test_a_guest_sees_the_demonstrations_settings(server: Server, box_id: int) -> None:
    guest = server.client(server.actor(Role.GUEST))
    shown = server.own_mailbox(server.actor(Role.GUEST))
    assert info(guest, shown).json()["id"] is not None
    assert info(guest, BOX).json()["id"] is None


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"params": {"address": BOX}}, id="query"),
        pytest.param({"params": {"address": f" {BOX.upper()} "}}, id="query in any case"),
        pytest.param({"json": {"address": BOX}}, id="json"),
        pytest.param({"content": b'{"address": "%s"}' % BOX.encode()}, id="json without a type"),
        pytest.param({"content": b' {"address": "%s"}' % BOX.encode(), "headers": FORM}, id="json as curl -d sends it"),
        pytest.param({"data": {"address": BOX}}, id="form"),
        pytest.param({"content": b"x=1&address=box%40temp.example.com", "headers": FORM}, id="form in escapes"),
        pytest.param(
            {"data": {"address": BOX}, "headers": {"content-type": FORM["content-type"] + "; charset=UTF-8"}},
            id="form with a charset",
        ),
        pytest.param({"params": {"address": BOX}, "json": {"address": "no@x.example"}}, id="the query comes first"),
    ],
)
def test_a_pin_takes_its_address_from_query_json_or_form(client: Client, request_: dict[str, Any]) -> None:
    assert told(client.post("/api/mailboxes/pin", **request_)) == (
        200,
        {"success": True, "pinned": True, "is_pinned": 1},
    )
    assert listed(client)["is_pinned"] == 1


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"params": {"address": " "}}, id="an empty query"),
        pytest.param({"json": {}}, id="json without it"),
        pytest.param({"json": {"address": None}}, id="null"),
        pytest.param({"json": {"address": ""}}, id="an empty text"),
        pytest.param({"data": {"other": "x"}}, id="a form without it"),
        pytest.param({"content": b"%%%&&&==\xff", "headers": FORM}, id="a broken form"),
    ],
)
def test_a_pin_asks_for_an_address(refused: Refused, request_: dict[str, Any]) -> None:
    assert told(refused.client.post("/api/mailboxes/pin", **request_)) == NO_ADDRESS


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"json": {"address": 5}}, id="a number"),
        pytest.param({"json": [BOX]}, id="a list"),
        pytest.param({"content": b'{"address": '}, id="half a json"),
        pytest.param({"content": b"\xff\xfe"}, id="no text"),
        pytest.param({"content": b"&" * 64 + b"a=1", "headers": FORM}, id="a form of 65 fields"),
    ],
)
def test_a_pin_refuses_other_bodies(refused: Refused, request_: dict[str, Any]) -> None:
    answer = refused.client.post("/api/mailboxes/pin", **request_)
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")


def test_the_document_says_that_a_pin_takes_a_form_or_no_body_at_all(refused: Refused) -> None:
    body = refused.client.server.document["paths"]["/api/mailboxes/pin"]["post"]["requestBody"]
    assert (body["required"], sorted(body["content"])) == (False, ["application/json", FORM["content-type"]])


def test_a_pin_is_toggled_and_sorts_ones_own_list_only(server: Server, client: Client, ann: Actor) -> None:
    bob = server.actor(Role.ADMIN)
    server.mailbox(BOX, owner_id=bob.user_id)

    def toggle() -> tuple[bool, int]:
        answer = client.post("/api/mailboxes/pin", params={"address": BOX}).json()
        return answer["pinned"], answer["is_pinned"]

    assert [toggle() for _ in range(3)] == [(True, 1), (False, 0), (True, 1)]
    assert (listed(client)["is_pinned"], listed(server.client(bob))["is_pinned"]) == (1, 0)


def test_the_highest_administrator_pins_what_is_not_its_own(server: Server, client: Client) -> None:
    admin = server.client(server.actor(Role.STRICT_ADMIN))
    assert admin.post("/api/mailboxes/pin", params={"address": BOX}).json()["pinned"] is True
    assert listed(admin)["is_pinned"] == 1
    assert told(admin.post("/api/mailboxes/pin", params={"address": "no@temp.example.com"})) == UNKNOWN


def test_the_root_token_has_no_pins(server: Server, client: Client) -> None:
    assert told(server.root().post("/api/mailboxes/pin", params={"address": BOX})) == (401, {"error": "未登录"})


def test_a_pin_links_no_user_to_what_is_not_its_own(server: Server, client: Client) -> None:
    stranger = server.client(server.actor(Role.USER))
    for address in (BOX, "no@temp.example.com"):
        assert told(stranger.post("/api/mailboxes/pin", params={"address": address})) == (403, {"error": "Forbidden"})
    assert stranger.get("/api/mailboxes").json()["total"] == 0


def test_a_pin_never_brings_back_a_link_that_is_being_taken_away(server: Server, ann: Actor, box_id: int) -> None:
    cookie = {"cookie": f"iding-session={server.token(ann)}"}
    root = {"authorization": f"Bearer {ROOT_TOKEN}"}
    link = {"username": ann.username, "address": BOX}

    async def race() -> None:
        assert (await server.http.post("/api/users/assign", json=link, headers=root)).status_code == 200
        pin = server.http.post("/api/mailboxes/pin", params={"address": BOX}, headers=cookie)
        unassign = server.http.post("/api/users/unassign", json=link, headers=root)
        pinned, unassigned = await gather(pin, unassign)
        assert (pinned.status_code in (200, 403, 404), unassigned.status_code) == (True, 200)

    for _ in range(20):
        server.run(race())
        assert server.client(ann).get("/api/mailboxes").json()["total"] == 0


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        pytest.param("backup@gmail.com", "backup@gmail.com", id="as documented"),
        pytest.param("  Back.Up+1@GMail.com\n", "Back.Up+1@GMail.com", id="trimmed, its case kept"),
        pytest.param("名字@例子.中国", "名字@例子.中国", id="any script"),
        pytest.param("a" * 246 + "@b.co.uk", "a" * 246 + "@b.co.uk", id="254 characters"),
        pytest.param("", None, id="empty"),
        pytest.param("  ", None, id="blank"),
        pytest.param(None, None, id="null"),
    ],
)
def test_forwarding_is_set_and_cleared(client: Client, box_id: int, target: str | None, kept: str | None) -> None:
    client.post("/api/mailbox/forward", json={"mailbox_id": box_id, "forward_to": "before@else.example"})

    answer = client.post("/api/mailbox/forward", json={"mailbox_id": box_id, "forward_to": target})

    assert told(answer) == (200, {"success": True, "mailbox_id": box_id, "forward_to": kept})
    assert listed(client)["forward_to"] == kept


@pytest.mark.parametrize(
    "target",
    [
        "nobody",
        "a@b",
        "@b.co",
        "a@.co@b.co",
        "a b@c.co",
        "a@b.co, c@d.co",
        "a@b.\r\nBcc:c@d.co",
        "a\u0000@b.co",
        "a\u007f@b.co",
        "a\u2028@b.co",
        "a@b.",
        "a" * 247 + "@b.co.uk",
    ],
)
def test_a_bad_forwarding_target_is_refused(refused: Refused, target: str) -> None:
    answer = refused.client.post("/api/mailbox/forward", json={"mailbox_id": refused.box_id, "forward_to": target})
    assert told(answer) == BAD_TARGET
    assert listed(refused.client)["forward_to"] is None


def test_a_favorite_is_set_where_the_body_says_so_and_toggled_where_not(client: Client, box_id: int) -> None:
    def favorite(**body: object) -> int:
        answer = client.post("/api/mailbox/favorite", json={"mailbox_id": box_id, **body})
        assert told(answer) == (
            200,
            {"success": True, "mailbox_id": box_id, "is_favorite": listed(client)["is_favorite"]},
        )
        flag: int = answer.json()["is_favorite"]
        return flag

    assert [favorite() for _ in range(2)] == [1, 0]
    assert [favorite(is_favorite=True) for _ in range(2)] == [1, 1]
    assert favorite() == 0
    yes: list[object] = [1, "false", [], {}, 0.5]
    assert [favorite(is_favorite=value) for value in yes] == [1] * 5
    for no in (False, 0, "", None):
        assert (favorite(is_favorite=True), favorite(is_favorite=no)) == (1, 0)


@pytest.mark.parametrize("path", ["/api/mailbox/forward", "/api/mailbox/favorite"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({}, NO_ID, id="no id"),
        pytest.param({"mailbox_id": None}, NO_ID, id="null"),
        pytest.param({"mailbox_id": 0}, NO_ID, id="0"),
        pytest.param({"mailbox_id": -1}, NO_ID, id="negative"),
        pytest.param({"mailbox_id": UNKNOWN_ID}, UNKNOWN, id="unknown"),
        pytest.param({"mailbox_id": 2**63 - 1}, UNKNOWN, id="the largest"),
    ],
)
def test_an_id_that_names_no_mailbox_is_bad_or_not_found(
    server: Server, client: Client, path: str, body: dict[str, object], expected: tuple[int, object]
) -> None:
    assert told(client.post(path, json=body)) == told(server.root().post(path, json=body)) == expected


@pytest.mark.parametrize("path", ["/api/mailbox/forward", "/api/mailbox/favorite"])
@pytest.mark.parametrize("mailbox_id", [2**63, 1.5, True, "x", [1], {}])
def test_ids_of_wrong_types_are_refused(refused: Refused, path: str, mailbox_id: object) -> None:
    answer = refused.client.post(path, json={"mailbox_id": mailbox_id})
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")


@pytest.mark.parametrize("target", [5, True, ["a@b.co"], {}])
def test_forwarding_targets_of_wrong_types_are_refused(refused: Refused, target: object) -> None:
    answer = refused.client.post("/api/mailbox/forward", json={"mailbox_id": refused.box_id, "forward_to": target})
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")


def test_id_and_target_are_looked_at_before_the_mailbox(server: Server, client: Client) -> None:
    foreign = server.mailbox("foreign@temp.example.com")
    post = client.post
    assert told(post("/api/mailbox/forward", json={"mailbox_id": 0, "forward_to": "x"})) == NO_ID
    assert told(post("/api/mailbox/forward", json={"mailbox_id": UNKNOWN_ID, "forward_to": "x"})) == BAD_TARGET
    assert told(post("/api/mailbox/forward", json={"mailbox_id": foreign, "forward_to": "x"})) == BAD_TARGET


@pytest.mark.parametrize("path", ["/api/mailbox/forward", "/api/mailbox/favorite"])
def test_a_foreign_mailbox_stays_as_it_is(server: Server, client: Client, box_id: int, path: str) -> None:
    stranger = server.client(server.actor(Role.ADMIN))
    body = {"mailbox_id": box_id, "forward_to": "me@else.example", "is_favorite": True}
    assert told(stranger.post(path, json=body)) == FOREIGN
    assert (listed(client)["forward_to"], listed(client)["is_favorite"]) == (None, 0)


@pytest.mark.parametrize("path", ["/api/mailbox/forward", "/api/mailbox/favorite"])
def test_a_token_changes_its_own_mailboxes_only(
    server: Server, ann: Actor, client: Client, box_id: int, path: str
) -> None:
    body = {"name": "ci", "actions": ["mailbox.*"], "mailboxes": ["qa-*@temp.example.com"]}
    made = client.post("/api/v1/tokens", json=body).json()
    token = Client(server, {"authorization": f"Bearer {made['token']}"})
    within = server.mailbox("qa-1@temp.example.com", owner_id=ann.user_id)

    assert token.post(path, json={"mailbox_id": within}).status_code == 200
    assert told(token.post(path, json={"mailbox_id": box_id})) == FOREIGN


@pytest.mark.parametrize("path", ["/api/mailboxes/pin", "/api/mailbox/forward", "/api/mailbox/favorite"])
def test_guests_and_mailbox_logins_change_nothing(server: Server, box_id: int, path: str) -> None:
    body = {"mailbox_id": box_id, "address": BOX}
    guest, login = (server.client(server.actor(role)) for role in (Role.GUEST, Role.MAILBOX))
    assert told(guest.post(path, json=body)) == (403, {"error": "演示模式不可操作"})
    assert told(login.post(path, json=body)) == (403, {"error": "访问被拒绝"})
