"""What a client of the original does in several steps, or over a longer time."""

from typing import Any

import pytest

from tempmail.clock import stamp
from tempmail.domain.policy import ACTIONS
from tempmail.web.endpoints import ALL
from tests.contract.original.stage import Stage
from tests.contract.web_suite import RAW, ROOT_TOKEN, Client

DAY_S = 86_400

# Seed 004, 超管令牌: 生效范围 is all of /api/* that is protected.
PROTECTED = [
    route for endpoint in ALL for route in endpoint.routes if " /api/" in route and not ACTIONS[endpoint.action].public
]


def last_accessed_at(stage: Stage, address: str) -> Any:
    [(at,)] = stage.server.rows(f"select last_accessed_at from mailboxes where address = '{address}'")
    return at


@pytest.mark.parametrize("route", PROTECTED)
def test_no_protected_route_takes_the_root_token_from_the_query(stage: Stage, route: str) -> None:
    method, _, path = route.partition(" ")
    query = f"?admin_token={ROOT_TOKEN}&token={ROOT_TOKEN}&X-Admin-Token={ROOT_TOKEN}"
    answer = Client(stage.server)(method, path.replace("{id}", "1") + query)
    assert answer.status_code == 401


@pytest.mark.parametrize("who", ["R", "X"])
@pytest.mark.parametrize("route", PROTECTED)
def test_both_headers_open_every_protected_route(stage: Stage, who: str, route: str) -> None:
    method, _, path = route.partition(" ")
    answer = stage.client(who)(method, path.replace("{id}", "999999"))
    of_others_only = {"PUT /api/mailbox/password", "POST /api/v1/tokens"}
    assert answer.status_code != 401
    assert (answer.status_code == 403) <= (route in of_others_only)


def test_a_client_makes_an_address_waits_and_reads_the_code(stage: Stage) -> None:
    root = stage.client("R")
    address = root.get("/api/generate").json()["email"]
    assert root.get("/api/emails", params={"mailbox": address}).json() == []

    mail = stage.server.deliver(address)

    [item] = root.get("/api/emails", params={"mailbox": address}).json()
    assert (item["id"], item["verification_code"]) == (mail, "123456")
    assert "Your code is 123456" in root.get(f"/api/email/{mail}").json()["content"]
    assert root.delete(f"/api/email/{mail}").json()["deleted"] is True
    assert root.delete("/api/mailboxes", params={"address": address}).json() == {"success": True, "deleted": True}


def test_a_download_is_the_mail_byte_for_byte(stage: Stage) -> None:
    detail = stage.client("U").get(f"/api/email/{stage.names['mail']}").json()
    assert stage.client("U").get(detail["download"]).content == RAW


def test_a_mailbox_login_leaves_its_time(stage: Stage) -> None:
    mia, clock = stage.names["mia"], stage.server.clock
    before = last_accessed_at(stage, mia)
    clock.advance(3600)

    stage.client("-").post("/api/login", json={"username": mia, "password": "wrong"})
    assert last_accessed_at(stage, mia) == before

    stage.client("-").post("/api/login", json={"username": mia, "password": mia})
    assert last_accessed_at(stage, mia) == stamp(clock.now())


def test_a_new_mailbox_has_the_time_of_its_creation(stage: Stage) -> None:
    stage.client("U").post("/api/create", json={"local": "myname"})
    assert last_accessed_at(stage, "myname@temp.example.com") == stamp(stage.server.clock.now())


def test_a_session_lasts_as_long_as_its_cookie(stage: Stage) -> None:
    answer = stage.client("-").post("/api/login", json={"username": "ann", "password": "ann's password"})
    cookie = answer.headers["set-cookie"]
    assert cookie.endswith(f"Max-Age={7 * DAY_S}")
    ann = Client(stage.server, {"cookie": cookie.partition(";")[0]})

    stage.server.clock.advance(7 * DAY_S - 1)
    assert ann.get("/api/session").status_code == 200
    stage.server.clock.advance(1)
    assert ann.get("/api/session").status_code == 401


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        (-1, True),
        (0.0, False),
        ("", False),
        ("0", True),
        ("false", True),
        (None, False),
        ([], True),
        ({}, True),
    ],
)
def test_a_yes_or_no_is_what_javascript_takes_it_for(stage: Stage, value: object, meant: bool) -> None:
    boss, box, box_id = stage.client("S"), stage.names["box"], stage.names["box_id"]

    toggled = boss.post("/api/mailboxes/toggle-login", json={"address": box, "can_login": value}).json()
    many = boss.post("/api/mailboxes/batch-favorite", json={"mailbox_ids": [box_id], "is_favorite": value}).json()
    one = boss.post("/api/mailbox/favorite", json={"mailbox_id": box_id, "is_favorite": value}).json()
    boss.patch(f"/api/users/{stage.names['ann_id']}", json={"can_send": value})
    users = {user["username"]: user for user in boss.get("/api/users").json()["list"]}

    assert toggled["can_login"] is meant
    assert many["is_favorite"] == one["is_favorite"] == users["ann"]["can_send"] == int(meant)


def test_both_paging_styles_walk_through_all_and_repeat_none(stage: Stage) -> None:
    boss = stage.client("S")
    addresses = [f"b{number:02}@temp.example.com" for number in range(47)]
    for address in addresses:
        stage.server.mailbox(address)

    by_page = [boss.get(f"/api/mailboxes?page={page}&size=10").json() for page in range(1, 7)]
    by_offset = [boss.get(f"/api/mailboxes?limit=10&offset={offset}").json() for offset in range(0, 60, 10)]

    assert by_page == by_offset
    found = [item["address"] for page in by_page for item in page["list"]]
    assert len(found) == len(set(found)) == 53
    assert found[:47] == addresses[::-1]
    assert {page["total"] for page in by_page} == {53}


def test_a_page_has_twenty_and_a_list_a_hundred_unless_asked(stage: Stage) -> None:
    boss = stage.client("S")
    for number in range(101):
        stage.server.mailbox(f"b{number:03}@temp.example.com")
    assert len(boss.get("/api/mailboxes").json()["list"]) == 100
    assert len(boss.get("/api/mailboxes?page=1").json()["list"]) == 20
    assert len(boss.get("/api/mailboxes?limit=500").json()["list"]) == 107


def test_a_list_of_mail_has_twenty_unless_asked_and_never_more_than_fifty(stage: Stage) -> None:
    desk = stage.names["desk"]
    for _ in range(51):
        stage.server.deliver(desk)
    sizes = [
        len(stage.client("A").get(f"/api/emails?mailbox={desk}{limit}").json())
        for limit in ("", "&limit=50", "&limit=51")
    ]
    assert sizes == [20, 50, 50]


def test_a_user_list_has_fifty_unless_asked_and_never_more_than_a_hundred(stage: Stage) -> None:
    for number in range(101):
        stage.server.user(f"user{number:03}")
    sizes = [
        len(stage.client("S").get(f"/api/users{query}").json()["list"])
        for query in ("", "?page=1", "?limit=100", "?limit=101", "?size=101")
    ]
    assert sizes == [50, 50, 100, 100, 100]
