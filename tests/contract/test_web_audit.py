"""The audit log over HTTP: who did what, on what, when, from where, with which result."""

from collections.abc import Iterator
from typing import Any

import pytest

from tempmail.clock import stamp
from tempmail.domain.actor import Role
from tests.contract.web_suite import ADMIN_NAME, ADMIN_PASSWORD, Server


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("web")) as server:
        yield server


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


def test_a_target_is_cut_to_a_bounded_length(server: Server) -> None:
    server.root().delete("/api/mailboxes", params={"address": "a" * 5000})

    [entry] = entries(server)

    assert len(entry["target"]) == 320
