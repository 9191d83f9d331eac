"""Whether an address wants the mail that is forwarded to it, over HTTP."""

import pytest

from tempmail.domain.actor import Role
from tests.contract.web_suite import FORWARD_CODE, Client, Server

BOX = "box@temp.example.com"
TARGET = "Me@else.example"
CONFIRM = "/api/v1/forwards/confirm"


def state(client: Client, address: str = TARGET) -> object:
    return client.get("/api/v1/forwards", params={"address": address}).json()


def test_a_target_that_entered_its_code_is_confirmed(server: Server) -> None:
    root = server.client(server.actor(Role.STRICT_ADMIN))
    box = server.mailbox(BOX)
    root.post("/api/mailbox/forward", json={"mailbox_id": box, "forward_to": TARGET})
    assert state(root) == {"address": TARGET, "required": True, "confirmed": False}

    answer = root.post(CONFIRM, json={"address": TARGET, "code": f" {FORWARD_CODE} "})
    assert answer.json() == {"address": TARGET, "required": True, "confirmed": True}
    assert state(root, TARGET.upper()) == {"address": TARGET.upper(), "required": True, "confirmed": True}


@pytest.mark.parametrize("path", ["batch-forward", "batch-forward-by-address"])
def test_targets_of_many_mailboxes_are_asked_too(server: Server, path: str) -> None:
    root = server.client(server.actor(Role.STRICT_ADMIN))
    box = server.mailbox(BOX)
    named = {"mailbox_ids": [box]} if path == "batch-forward" else {"addresses": [BOX]}
    root.post(f"/api/mailboxes/{path}", json={**named, "forward_to": TARGET})
    assert root.post(CONFIRM, json={"address": TARGET, "code": FORWARD_CODE}).status_code == 200


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"address": TARGET, "code": FORWARD_CODE}, "验证码错误或已过期"),
        ({"address": "nobody", "code": FORWARD_CODE}, "转发目标邮箱格式无效"),
        ({"address": "", "code": FORWARD_CODE}, "转发目标邮箱格式无效"),
        ({"address": TARGET}, "Bad Request"),
        ({"address": TARGET, "code": "1" * 33}, "Bad Request"),
    ],
    ids=["nobody-asked", "no-address", "empty", "no-code", "a-long-code"],
)
def test_what_cannot_be_confirmed_says_why(server: Server, body: dict[str, str], error: str) -> None:
    answer = server.client(server.actor(Role.STRICT_ADMIN)).post(CONFIRM, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
