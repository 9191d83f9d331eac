"""Extraction over HTTP: single messages in full, trying a mail out, and the admin's rules."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

import tempmail
from tempmail.domain.actor import Role
from tempmail.domain.codes_weights import THRESHOLD
from tempmail.domain.rules import MAX_RULES
from tempmail.services.extraction import Extractor
from tests.contract.web_suite import MAX_JSON_BYTES, RAW, Client, Server

RULES = "/api/v1/extraction-rules"
BOX = "box@temp.example.com"
TULIP = b"From: Pay <pay@bank.example>\r\nTo: a@one.example\r\nSubject: Hi\r\n\r\nToday's pass word: tulip\r\n"
BODY = {"name": "Bank", "pattern": r"pass word: (?P<code>\w+)", "sender": "bank.example"}


@pytest.fixture
def root(server: Server) -> Client:
    return server.root()


def add(root: Client, **changes: Any) -> Any:
    answer = root.post(RULES, json={**BODY, **changes})
    assert answer.status_code == 200, answer.text
    return answer.json()


def code_of(root: Client, raw: bytes = TULIP) -> Any:
    return root.post("/api/v1/extract", content=raw).json()["code"]


def deliver_read(server: Server, raw: bytes = RAW) -> int:
    """Take a mail as ingest does: read first."""
    finding = server.run(Extractor(server.real.store.rules, server.clock).read(raw))
    return server.deliver(
        BOX,
        raw=raw,
        verification_code=finding.extraction.code,
        extraction=finding.extraction_json(),
        extraction_version=finding.extraction_version,
    )


def test_a_message_shows_everything_that_is_known_of_it(server: Server, root: Client) -> None:
    id_ = deliver_read(server)
    shown = root.get(f"/api/v1/messages/{id_}").json()
    extraction = shown.pop("extraction")
    assert shown == {
        "id": id_,
        "mailbox": BOX,
        "sender": "sender@example.com",
        "envelope_from": "sender@example.com",
        "to_addrs": BOX,
        "subject": "Hello",
        "received_at": "2024-01-01 12:00:00",
        "is_read": 0,
        "preview": "Your code is 123456",
        "verification_code": "123456",
        "extraction_version": tempmail.extract(b"").version * 1_000_000,
        "text": "Your code is 123456",
        "html": "<p>Your code is <b>123456</b></p>",
        "attachments": [
            {
                "part": 4,
                "filename": "a.pdf",
                "content_type": "application/pdf",
                "size": 5,
                "content_id": None,
                "inline": False,
            }
        ],
        "attachment_count": 1,
        "size_bytes": len(RAW),
        "r2_bucket": "mail-eml",
        "r2_object_key": shown["r2_object_key"],
        "body_available": True,
    }
    assert extraction == root.post("/api/v1/extract", content=RAW).json()
    assert extraction["code"] == "123456"
    assert extraction["codes"][0]["reasons"]


def test_looking_at_a_message_does_not_mark_it_read(server: Server, root: Client) -> None:
    id_ = deliver_read(server)
    for _ in range(2):
        assert root.get(f"/api/v1/messages/{id_}").json()["is_read"] == 0
    root.get(f"/api/email/{id_}")
    assert root.get(f"/api/v1/messages/{id_}").json()["is_read"] == 1


def test_a_message_in_which_nothing_was_found_has_an_empty_result(server: Server, root: Client) -> None:
    id_ = deliver_read(server, b"Subject: x\r\n\r\nhello\r\n")
    shown = root.get(f"/api/v1/messages/{id_}").json()
    assert shown["verification_code"] is None
    assert (shown["extraction"]["code"], shown["extraction"]["codes"], shown["extraction"]["links"]) == (None, [], [])


@pytest.mark.parametrize("stored", ['{"code":"123456"}', '{"code":["of","another","form"]}', "no JSON"])
def test_a_result_of_another_version_is_shown_as_far_as_it_can_be(server: Server, root: Client, stored: str) -> None:
    id_ = server.deliver(BOX, extraction=stored)
    extraction = root.get(f"/api/v1/messages/{id_}").json()["extraction"]
    assert (extraction["code"], extraction["codes"]) == ("123456", [])


def test_a_message_whose_body_cannot_be_had_still_shows_its_extraction(server: Server, root: Client) -> None:
    id_ = deliver_read(server)
    with closing(sqlite3.connect(server._folder / "real" / "tempmail.db")) as connection, connection:
        connection.execute("delete from spool")
    server.real.objects.down = True
    shown = root.get(f"/api/v1/messages/{id_}").json()
    assert (shown["body_available"], shown["text"], shown["attachments"]) == (False, "", [])
    assert shown["extraction"]["code"] == "123456"


@pytest.mark.parametrize("id_", ["0", "999", "x"])
def test_a_message_that_is_not_there_is_not_found(root: Client, id_: str) -> None:
    answer = root.get(f"/api/v1/messages/{id_}")
    assert (answer.status_code, answer.json()) == (404, {"error": "未找到邮件"})


def test_trying_a_mail_shows_candidates_and_thresholds_and_stores_nothing(server: Server, root: Client) -> None:
    raw = b"Subject: Order\r\n\r\nThank you for order 829104.\r\n"
    result = root.post("/api/v1/extract", content=raw, headers={"content-type": "message/rfc822"}).json()
    assert (result["code"], result["code_threshold"]) == (None, THRESHOLD)
    assert result["codes"][0]["value"] == "829104"
    assert result["codes"][0]["score"] < THRESHOLD
    assert any("labelled as another number: order" in reason for reason in result["codes"][0]["reasons"])
    assert root.get("/api/mailboxes").json()["total"] == 0


def test_an_empty_body_is_no_mail(root: Client) -> None:
    answer = root.post("/api/v1/extract", content=b"")
    assert (answer.status_code, answer.json()) == (400, {"error": "the body is empty: send the raw mail"})


@pytest.mark.parametrize(("size_bytes", "status"), [(MAX_JSON_BYTES, 200), (MAX_JSON_BYTES + 1, 413)])
def test_a_mail_to_try_has_a_largest_size(root: Client, size_bytes: int, status: int) -> None:
    raw = TULIP + b"." * (size_bytes - len(TULIP))
    assert root.post("/api/v1/extract", content=raw).status_code == status


@pytest.mark.parametrize("raw", [b"\x00\xff" * 40, b"{}", b"Content-Type: multipart/mixed\r\n\r\n--"])
def test_any_bytes_can_be_tried(root: Client, raw: bytes) -> None:
    assert root.post("/api/v1/extract", content=raw).status_code == 200


def test_a_rule_is_added_listed_changed_and_deleted_and_counts_at_once(server: Server, root: Client) -> None:
    assert code_of(root) is None
    added = add(root)
    assert added == {
        **BODY,
        "id": added["id"],
        "kind": "code",
        "recipient_domain": None,
        "field": "any",
        "priority": 0,
        "enabled": True,
        "version": 1,
        "created_at": "2024-01-01 12:00:00",
        "updated_at": "2024-01-01 12:00:00",
    }
    assert root.get(RULES).json() == {"rules": [added]}
    result = root.post("/api/v1/extract", content=TULIP).json()
    assert (result["code"], result["codes"][0]["rule"]) == ("tulip", f"rule {added['id']} 'Bank' v1")

    server.clock.advance(5)
    changed = root.patch(f"{RULES}/{added['id']}", json={"pattern": r"(?P<code>Today)", "recipient_domain": "one.*"})
    assert changed.json() == {
        **added,
        "pattern": r"(?P<code>Today)",
        "recipient_domain": "one.*",
        "version": 2,
        "updated_at": "2024-01-01 12:00:05",
    }
    assert code_of(root) == "Today"
    assert root.patch(f"{RULES}/{added['id']}", json={"recipient_domain": None}).json()["recipient_domain"] is None

    assert root.delete(f"{RULES}/{added['id']}").json() == {"success": True}
    assert root.get(RULES).json() == {"rules": []}
    assert code_of(root) is None


def test_a_rule_for_some_recipients_sees_to_and_cc_of_a_tried_mail(root: Client) -> None:
    add(root, recipient_domain="one.example")
    assert code_of(root) == "tulip"
    assert code_of(root, TULIP.replace(b"To: a@one", b"To: a@two")) is None
    assert code_of(root, TULIP.replace(b"To: ", b"Cc: ")) == "tulip"


def test_a_change_of_a_version_that_is_over_is_a_conflict(root: Client) -> None:
    path = f"{RULES}/{add(root)['id']}"
    assert root.patch(path, json={"priority": 1, "version": 1}).json()["version"] == 2
    answer = root.patch(path, json={"priority": 2, "version": 1})
    assert (answer.status_code, answer.json()) == (409, {"error": "the rule was changed meanwhile: read it again"})
    assert root.get(RULES).json()["rules"][0]["priority"] == 1


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("id_", ["999", "x"])
def test_a_rule_that_is_not_there_is_not_found(root: Client, method: str, id_: str) -> None:
    answer = root(method, f"{RULES}/{id_}", **({"json": {}} if method == "PATCH" else {}))
    assert (answer.status_code, answer.json()) == (404, {"error": "no such rule"})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"pattern": r"\d+"}, "pattern: the named group (?P<code>…) around the code is missing"),
        ({"name": ""}, "name: 1 to 100 printable characters are needed"),
        ({"priority": 1001}, "priority: a whole number from -1000 to 1000 is needed"),
    ],
)
def test_a_rule_that_could_not_work_is_refused_when_added_and_when_changed(
    root: Client, changes: dict[str, Any], text: str
) -> None:
    added = add(root)
    for answer in (root.post(RULES, json={**BODY, **changes}), root.patch(f"{RULES}/{added['id']}", json=changes)):
        assert (answer.status_code, answer.json()) == (400, {"error": text})
    assert root.get(RULES).json() == {"rules": [added]}


@pytest.mark.parametrize(
    "body", [{}, {"name": "Bank"}, {**BODY, "kind": "phone"}, {**BODY, "field": "headers"}, {**BODY, "name": 1}, []]
)
def test_a_body_of_another_form_is_refused_with_the_place_of_the_fault(root: Client, body: Any) -> None:
    answer = root.post(RULES, json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")
    assert answer.json()["detail"]


def test_rules_are_limited_in_number(server: Server, root: Client) -> None:
    for _ in range(MAX_RULES - 1):
        server.rule()
    add(root)
    answer = root.post(RULES, json=BODY)
    assert answer.status_code == 409
    assert answer.json()["error"] == f"there are {MAX_RULES} rules already, which is the most: delete one first"


def test_other_admins_neither_see_nor_change_rules(server: Server, root: Client) -> None:
    path = f"{RULES}/{add(root)['id']}"
    admin = server.client(server.actor(Role.ADMIN))
    for answer in (admin.get(RULES), admin.post(RULES, json=BODY), admin.patch(path, json={}), admin.delete(path)):
        assert answer.status_code == 403
    assert len(root.get(RULES).json()["rules"]) == 1
