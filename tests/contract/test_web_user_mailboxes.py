"""Whose a mailbox is, over HTTP: users' mailboxes, assigning them, and everybody's quota."""

from asyncio import gather
from typing import Any

import httpx
import pytest

from tempmail.clock import stamp
from tempmail.domain.actor import Actor, Role, Scope
from tempmail.domain.policy import ACTIONS, Grant, Reach
from tempmail.errors import Forbidden
from tests.contract.web_suite import ADMIN_NAME, NOON, Client, Server, error

BAD_REQUEST = (400, "Bad Request")


def all_mailboxes(client: Client) -> int:
    """How many there are."""
    total: int = client.get("/api/user/quota").json()["used"]
    return total


def assign(client: Client, username: str, address: str) -> httpx.Response:
    return client.post("/api/users/assign", json={"username": username, "address": address})


def unassign(client: Client, username: str, address: str) -> httpx.Response:
    return client.post("/api/users/unassign", json={"username": username, "address": address})


# Mailboxes of a user


def test_a_user_sees_its_own_mailboxes_and_nobody_elses(server: Server) -> None:
    user, other = server.actor(Role.USER), server.actor(Role.ADMIN)
    address = server.own_mailbox(user)
    expected = [{"address": address, "created_at": stamp(NOON), "is_pinned": 0, "can_login": 0}]

    assert server.client(user).get(f"/api/users/{user.user_id}/mailboxes").json() == expected
    assert server.root().get(f"/api/users/{user.user_id}/mailboxes").json() == expected
    for foreign in (user.user_id, 999_999):
        assert error(server.client(other).get(f"/api/users/{foreign}/mailboxes")) == (403, "Forbidden")


@pytest.mark.parametrize(("linked", "shown"), [(100, 100), (101, 100)])
def test_at_most_a_hundred_mailboxes_of_a_user_are_shown(server: Server, linked: int, shown: int) -> None:
    user_id = server.user("ann")
    for number in range(linked):
        server.mailbox(f"{number}@temp.example.com", owner_id=user_id)
    listed = server.root().get(f"/api/users/{user_id}/mailboxes").json()
    assert len(listed) == shown
    assert listed[0]["address"] == f"{linked - 1}@temp.example.com"


# Assigning


def test_an_assigned_mailbox_is_created_and_reached_by_its_user_until_it_is_unassigned(server: Server) -> None:
    actor = server.actor(Role.USER)
    client, root = server.client(actor), server.root()
    emails = {"params": {"mailbox": "newbox@elsewhere.example"}}

    answer = assign(root, f" {actor.username.upper()} ", " NewBox@Elsewhere.example ")
    assert answer.json() == {"success": True}
    assert client.get("/api/emails", **emails).json() == []

    assert unassign(root, actor.username, "NEWBOX@elsewhere.example").json() == {"success": True}
    assert client.get("/api/emails", **emails).status_code == 403
    assert all_mailboxes(root) == 1, "the mailbox stays"


def test_assigning_stops_at_the_users_limit_and_leaves_nothing(server: Server) -> None:
    server.user("ann", mailbox_limit=2)
    client = server.root()
    for number in (1, 2, 2):
        assert assign(client, "ann", f"{number}@temp.example.com").status_code == 200
    assert error(assign(client, "ann", "3@temp.example.com")) == (400, "分配失败: 已达到邮箱上限")
    assert all_mailboxes(client) == 2


def test_assigning_at_once_stops_at_the_users_limit(server: Server) -> None:
    user_id, client = server.user("ann", mailbox_limit=2), server.root()

    async def race() -> list[httpx.Response]:
        bodies = ({"username": "ann", "address": f"{number}@temp.example.com"} for number in range(6))
        return await gather(
            *(server.http.post("/api/users/assign", json=body, headers=client.headers) for body in bodies)
        )

    assert sorted(answer.status_code for answer in server.run(race())) == [200, 200, 400, 400, 400, 400]
    assert len(client.get(f"/api/users/{user_id}/mailboxes").json()) == 2
    assert all_mailboxes(client) == 2


@pytest.mark.parametrize("has_logged_in", [True, False])
def test_the_configured_admin_is_assigned_any_number(server: Server, has_logged_in: bool) -> None:
    client = server.root()
    if has_logged_in:
        client.patch(f"/api/users/{server.admin_id()}", json={"mailboxLimit": 0})
    assert assign(client, ADMIN_NAME, "1@temp.example.com").json() == {"success": True}
    assert len(client.get(f"/api/users/{server.admin_id()}/mailboxes").json()) == 1


BAD_ADDRESSES = ["@", "a@", "@b", "a", "a@b@c", "a b@c", "a@b c", "a\r\nb@c", "<a@b>", "a@-b", "a" * 65 + "@b"]


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_a_bad_address_is_not_assigned(shared: Server, address: str) -> None:
    client = shared.root()
    before = all_mailboxes(client)
    assert error(assign(client, "nobody", address)) == (400, "分配失败: 无效的邮箱地址")
    assert error(unassign(client, "nobody", address)) == (400, "取消分配失败: 邮箱不存在")
    assert all_mailboxes(client) == before


def test_nothing_is_created_for_a_user_that_does_not_exist(server: Server) -> None:
    client = server.root()
    assert error(assign(client, "nobody", "a@temp.example.com")) == (400, "分配失败: 用户不存在")
    assert all_mailboxes(client) == 0


def test_what_is_not_there_cannot_be_unassigned(server: Server) -> None:
    client = server.root()
    server.user("ann")
    assert error(unassign(client, "ann", "a@temp.example.com")) == (400, "取消分配失败: 邮箱不存在")
    server.mailbox("a@temp.example.com")
    assert error(unassign(client, "nobody", "a@temp.example.com")) == (400, "取消分配失败: 用户不存在")
    assert error(unassign(client, "ann", "a@temp.example.com")) == (400, "取消分配失败: 该邮箱未分配给该用户")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "a"},
        {"address": "a@b"},
        {"username": " ", "address": "a@b"},
        {"username": "a", "address": None},
    ],
)
@pytest.mark.parametrize("path", ["/api/users/assign", "/api/users/unassign"])
def test_an_assignment_needs_a_name_and_an_address(shared: Server, path: str, body: Any) -> None:
    assert error(shared.root().post(path, json=body)) == (400, "参数不完整")


@pytest.mark.parametrize("body", [{"username": 1, "address": "a@b"}, {"username": "a", "address": ["a@b"]}, [], None])
@pytest.mark.parametrize("path", ["/api/users/assign", "/api/users/unassign"])
def test_an_assignment_of_wrong_types_is_a_bad_request(shared: Server, path: str, body: Any) -> None:
    assert error(shared.root().post(path, json=body)) == BAD_REQUEST


def test_a_token_for_some_mailboxes_assigns_and_shows_no_others(server: Server) -> None:
    users, actor = server.real.world.users, Actor(Role.STRICT_ADMIN, "boss", scope=Scope(("*",), ("qa-*",)))
    user_id = server.user("ann")
    grant = Grant(actor, Reach.ALL, ACTIONS["user.assign"])
    server.mailbox("other@temp.example.com", owner_id=user_id)

    server.run(users.assign(grant, "ann", "qa-1@temp.example.com"))
    for act in (users.assign, users.unassign):
        with pytest.raises(Forbidden):
            server.run(act(grant, "ann", "other@temp.example.com"))

    assert [box.address for box in server.run(users.mailboxes(grant, user_id))] == ["qa-1@temp.example.com"]
    assert len(server.root().get(f"/api/users/{user_id}/mailboxes").json()) == 2


# Quota


def test_a_users_quota_is_what_it_has_and_may_have(server: Server) -> None:
    user_id = server.user("ann", mailbox_limit=2)
    client = server.client(Actor(Role.USER, "ann", user_id))
    server.mailbox("foreign@temp.example.com")
    for used, remaining in ((0, 2), (1, 1), (2, 0), (3, 0)):
        assert client.get("/api/user/quota").json() == {"limit": 2, "used": used, "remaining": remaining}
        server.mailbox(f"{used}@temp.example.com", owner_id=user_id)


def test_an_admin_of_the_users_table_has_a_limit_too(server: Server) -> None:
    user_id = server.user("ann", role=Role.ADMIN, mailbox_limit=0)
    client = server.client(Actor(Role.ADMIN, "ann", user_id))
    assert client.get("/api/user/quota").json() == {"limit": 0, "used": 0, "remaining": 0}


def test_the_highest_administrator_has_no_limit_and_counts_all(server: Server) -> None:
    server.mailbox("a@temp.example.com", owner_id=server.user("ann"))
    server.mailbox("b@temp.example.com")
    for client in (server.root(), server.client(server.actor(Role.STRICT_ADMIN))):
        assert client.get("/api/user/quota").json() == {
            "limit": -1,
            "used": 2,
            "remaining": -1,
            "note": "管理员无邮箱数量限制",
        }
