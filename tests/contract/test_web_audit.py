"""The audit log over HTTP: who did what, on what, when, from where, with which result."""

from typing import Any

import pytest

from tempmail.clock import stamp
from tempmail.domain.actor import Role
from tests.contract.web_suite import ADMIN_NAME, ADMIN_PASSWORD, Server


def entries(server: Server, **query: Any) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = server.root().get("/api/v1/audit", params=query).json()["entries"]
    return listed


def test_what_an_admin_does_is_recorded_with_everything_that_matters(server: Server) -> None:
    box = server.own_mailbox(server.actor(Role.USER))
    answer = server.client(server.actor(Role.STRICT_ADMIN)).delete("/api/mailboxes", params={"address": box})

    [entry] = entries(server)

    assert entry.pop("id") > 0
    assert entry == {
        "at": stamp(server.clock.now()),
        "actor": ADMIN_NAME.lower(),
        "role": "strictAdmin",
        "action": "mailbox.delete",
        "target": box,
        "address": "198.51.100.7",
        "status": 200,
        "request_id": answer.headers["x-request-id"],
    }


def test_a_refused_attempt_is_recorded_with_its_result(server: Server) -> None:
    box = server.own_mailbox(server.actor(Role.USER))
    assert server.client(server.actor(Role.ADMIN)).delete("/api/mailboxes", params={"address": box}).status_code == 403

    [entry] = entries(server)

    assert (entry["role"], entry["target"], entry["status"]) == ("admin", box, 403)


def test_logins_are_recorded_by_the_name_that_was_tried_and_never_with_the_password(server: Server) -> None:
    for password in ("wrong-password", ADMIN_PASSWORD):
        server.client().post("/api/login", json={"username": ADMIN_NAME, "password": password})

    worked, failed = entries(server, action="session.login")

    assert (failed["actor"], failed["role"], failed["status"]) == (ADMIN_NAME.lower(), "", 401)
    assert (worked["actor"], worked["role"], worked["status"]) == (ADMIN_NAME.lower(), "strictAdmin", 200)
    assert "wrong-password" not in str(failed)
    assert ADMIN_PASSWORD not in str(worked)


def test_reading_leaves_no_entry(server: Server) -> None:
    server.root().get("/api/mailboxes")
    server.root().get("/api/v1/audit")

    assert entries(server) == []


def test_entries_are_paged_newest_first_and_found_by_actor_and_action(server: Server) -> None:
    ann = server.actor(Role.ADMIN)
    boxes = [server.own_mailbox(ann) for _ in range(3)]
    for box in boxes:
        server.client(ann).delete("/api/mailboxes", params={"address": box})
    server.client().post("/api/login", json={"username": ADMIN_NAME, "password": ADMIN_PASSWORD})

    first = entries(server, limit=2)
    rest = entries(server, before=first[-1]["id"])

    assert [e["target"] for e in (first + rest)[1:]] == boxes[::-1]
    assert [e["target"] for e in entries(server, actor=ann.username, action="mailbox.delete")] == boxes[::-1]
    assert entries(server, actor=ann.username, action="session.login") == []


def test_a_guest_world_leaves_no_entry(server: Server) -> None:
    server.client(server.actor(Role.GUEST)).get("/api/generate")

    assert entries(server) == []


def test_who_logs_out_of_no_session_leaves_no_entry(server: Server) -> None:
    assert server.client().post("/api/logout").status_code == 200
    assert server.client().post("/api/login", content=b"{").status_code == 400

    assert entries(server) == []


def test_tries_beyond_a_limit_leave_no_entry(server: Server) -> None:
    mailbox = server.client(server.actor(Role.MAILBOX))
    body = {"currentPassword": "wrong", "newPassword": "long enough"}
    assert [mailbox.put("/api/mailbox/password", json=body).status_code for _ in range(12)] == [400] * 10 + [429] * 2

    assert [entry["status"] for entry in entries(server)] == [400] * 10


@pytest.mark.parametrize("role", [Role.USER, Role.ADMIN])
def test_nobody_but_the_highest_administrator_can_fill_the_log(server: Server, role: Role) -> None:
    ann, bob, admin = (server.client(server.actor(each)) for each in (role, role, Role.STRICT_ADMIN))
    statuses = [ann.delete(f"/api/v1/tokens/{n}").status_code for n in range(1, 62)]

    assert statuses == [404] * 60 + [429]
    assert bob.delete("/api/v1/tokens/1").status_code == 404, "each has a limit of its own"
    assert {admin.delete(f"/api/v1/tokens/{n}").status_code for n in range(1, 65)} == {404}
    assert len(entries(server, limit=500)) == 60 + 1 + 64
    server.clock.advance(60)
    assert ann.delete("/api/v1/tokens/1").status_code == 404


def test_a_target_is_cut_to_a_bounded_length(server: Server) -> None:
    server.root().delete("/api/mailboxes", params={"address": "a" * 5000})

    [entry] = entries(server)

    assert len(entry["target"]) == 320
