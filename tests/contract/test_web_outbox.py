"""The outbox and the providers as the operator sees them over HTTP, and the reports that providers send."""

import json
from typing import Any

import pytest

from tempmail.clock import stamp
from tempmail.domain.actor import Role
from tempmail.ports.outbound import Pause
from tempmail.web.endpoints.hooks import MAX_REPORT_BYTES
from tests.contract.provider_wire import KEY
from tests.contract.web_suite import Client, Server, error

BOX = "box@temp.example.com"
FLARE = "box@mail.example.org"


@pytest.fixture
def root(server: Server) -> Client:
    return server.root()


def mail(root: Client, name: object) -> dict[str, Any]:
    answer = root.get(f"/api/v1/outbox/{name}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_list_is_newest_first_and_can_be_filtered_and_paged(server: Server, root: Client) -> None:
    first = server.send(BOX)
    second = server.send(FLARE, "cut@else.example")
    third = server.send(BOX, scheduledAt="in 1 hour")

    def uuids(**query: Any) -> list[str]:
        return [one["uuid"] for one in root.get("/api/v1/outbox", params=query).json()["mails"]]

    assert uuids() == [third, second, first]
    assert uuids(state="unknown") == [second]
    assert uuids(state="scheduled", kind="send") == [third]
    assert uuids(kind="forward") == []
    assert uuids(user_id=7) == []
    assert uuids(limit=2) == [third, second]
    assert uuids(before=mail(root, second)["id"]) == [first]


@pytest.mark.parametrize("query", [{"state": "gone"}, {"kind": "letter"}])
def test_words_that_are_none_are_refused(root: Client, query: dict[str, str]) -> None:
    answer = root.get("/api/v1/outbox", params=query)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{next(iter(query))}: one of ")


def test_a_mail_shows_its_recipients_and_calls_by_number_uuid_or_provider_s_id(server: Server, root: Client) -> None:
    uuid = server.send(BOX, "Ann <a@else.example>", bcc="b@else.example")
    found = mail(root, uuid)
    assert [(one["kind"], one["address"], one["state"]) for one in found["recipients"]] == [
        ("to", "a@else.example", "accepted"),
        ("bcc", "b@else.example", "accepted"),
    ]
    [call] = found["calls"]
    assert (call["provider"], call["account"], call["attempts"], call["provider_id"]) == (
        "resend",
        "temp.example.com",
        1,
        "re_1",
    )
    assert mail(root, found["id"]) == mail(root, "re_1") == found


def test_what_failed_is_sent_again_when_the_operator_says_so(server: Server, root: Client) -> None:
    uuid = server.send(BOX, "refused@else.example")
    assert mail(root, uuid)["state"] == "failed"
    again = root.post(f"/api/v1/outbox/{uuid}/retry")
    assert (again.status_code, again.json()["state"]) in ((200, "queued"), (200, "sending"), (200, "failed"))
    server.await_outcome(uuid)
    assert len(server.wire.requests) == 2


def test_what_is_unknown_is_settled_without_being_sent(server: Server, root: Client) -> None:
    for state in ("accepted", "failed"):
        uuid = server.send(FLARE, "cut@else.example")
        answer = root.post(f"/api/v1/outbox/{uuid}/resolve", json={"state": state})
        assert (answer.status_code, answer.json()["state"]) == (200, state)
        assert root.get(f"/api/send/{uuid}").json()["status"] == state
    assert len(server.wire.requests) == 2


def test_what_is_unknown_is_sent_again_when_the_operator_says_so(server: Server, root: Client) -> None:
    uuid = server.send(FLARE, "cut@else.example")
    assert root.post(f"/api/v1/outbox/{uuid}/retry").status_code == 200
    server.await_outcome(uuid)
    assert len(server.wire.requests) == 2


def test_a_waiting_mail_is_taken_back(server: Server, root: Client) -> None:
    uuid = server.send(BOX, scheduledAt="in 1 hour")
    assert root.post(f"/api/v1/outbox/{uuid}/cancel").json()["state"] == "canceled"


def test_what_is_done_is_not_done_again(server: Server, root: Client) -> None:
    uuid = server.send(BOX)
    for what, request, text in (
        ("retry", {}, "nothing of this mail failed or is unknown: it is accepted"),
        ("cancel", {}, "this mail waits no more: it is accepted"),
        ("resolve", {"json": {"state": "failed"}}, "nothing of this mail is unknown: it is accepted"),
    ):
        assert error(root.post(f"/api/v1/outbox/{uuid}/{what}", **request)) == (409, text)
    assert len(server.wire.requests) == 1


@pytest.mark.parametrize("state", ["", "delivered", "queued", "unknown"])
def test_only_two_findings_settle_a_mail(server: Server, root: Client, state: str) -> None:
    uuid = server.send(FLARE, "cut@else.example")
    answer = root.post(f"/api/v1/outbox/{uuid}/resolve", json={"state": state})
    assert error(answer) == (400, "state: one of accepted, failed")


@pytest.mark.parametrize("name", ["0", "999999", "9" * 30, "nothing", "-1"])
@pytest.mark.parametrize("what", ["", "/retry", "/cancel"])
def test_a_mail_that_is_none_is_not_found(root: Client, name: str, what: str) -> None:
    answer = root("POST" if what else "GET", f"/api/v1/outbox/{name}{what}")
    assert error(answer) == (404, "no such mail in the outbox")


def test_what_the_operator_does_is_in_the_audit_log(server: Server, root: Client) -> None:
    uuid = server.send(BOX, scheduledAt="in 1 hour")
    root.post(f"/api/v1/outbox/{uuid}/cancel")
    [entry] = root.get("/api/v1/audit", params={"action": "outbox.manage"}).json()["entries"]
    assert (entry["actor"], entry["target"], entry["status"]) == ("__root__", uuid, 200)


def test_providers_show_what_they_can_and_no_key(server: Server, root: Client) -> None:
    until = stamp(server.clock.now() + 60)
    server.run(server.real.store.outbox.pause(Pause("resend", "temp.example.com", until, "quota used up")))
    answer = root.get("/api/v1/providers")
    found = {one["name"]: one for one in answer.json()["providers"]}
    assert found.keys() == {"sendflare", "resend", "cyberpersons"}
    assert found["resend"]["capabilities"]["attachments"] is True
    assert (found["resend"]["paused_until"], found["resend"]["pause_reason"]) == (until, "quota used up")
    assert (found["sendflare"]["domains"], found["sendflare"]["paused_until"]) == (["mail.example.org"], None)
    assert KEY not in answer.text
    assert server.wire.lookups == 0


def test_usage_is_asked_for_on_demand_and_a_provider_that_says_nothing_spoils_nothing(
    server: Server, root: Client
) -> None:
    found = {one["name"]: one for one in root.get("/api/v1/providers", params={"usage": "1"}).json()["providers"]}
    assert found["resend"]["usage"] == {"emails": {"daily": {"used": 1, "limit": 100}}}
    assert (found["sendflare"]["usage"], found["sendflare"]["usage_error"]) == (None, "SendFlare 渠道暂不支持此操作")
    assert found["cyberpersons"]["usage_error"]


def test_an_account_is_used_again_when_the_operator_says_so(server: Server, root: Client) -> None:
    until = stamp(server.clock.now() + 60)
    server.run(server.real.store.outbox.pause(Pause("resend", "temp.example.com", until, "quota used up")))
    path = "/api/v1/providers/resend/temp.example.com/unpause"
    assert root.post(path).json() == {"success": True}
    assert error(root.post(path)) == (404, "no such account is paused")


# Resend's webhook

HOOK = "/api/v1/hooks/resend"


def report(word: str, email_id: str = "re_1", **data: Any) -> bytes:
    return json.dumps(
        {"type": f"email.{word}", "created_at": "2024-01-01T12:00:01.123Z", "data": {"email_id": email_id, **data}}
    ).encode()


def hook(server: Server, body: bytes, **signed: Any) -> Any:
    answer = Client(server)("POST", HOOK, **server.hook(body, **signed))
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("sent", "accepted"),
        ("delivered", "delivered"),
        ("delivery_delayed", "accepted"),
        ("opened", "accepted"),
        ("clicked", "accepted"),
        ("complained", "delivered"),
        ("bounced", "bounced"),
        ("failed", "failed"),
        ("suppressed", "failed"),
    ],
)
def test_a_report_moves_the_mail_to_what_it_says(server: Server, root: Client, word: str, state: str) -> None:
    uuid = server.send(BOX)
    assert hook(server, report(word)) == {"ok": True, "new": True}
    assert mail(root, uuid)["state"] == state


def test_the_reason_of_a_bounce_is_shown(server: Server, root: Client) -> None:
    uuid = server.send(BOX)
    hook(server, report("bounced", bounce={"message": "mailbox full", "type": "Transient"}))
    assert "mailbox full" in str(mail(root, uuid))


def test_a_repeat_changes_nothing(server: Server, root: Client) -> None:
    uuid = server.send(BOX)
    assert hook(server, report("delivered"), event_id="msg_7")["new"] is True
    assert hook(server, report("delivered"), event_id="msg_7")["new"] is False
    # Reports come in any order: what is over stays over.
    assert hook(server, report("sent"), event_id="msg_8")["new"] is True
    assert mail(root, uuid)["state"] == "delivered"


def test_a_report_that_comes_before_its_mail_is_known_is_kept_for_it(server: Server, root: Client) -> None:
    assert hook(server, report("delivered"))["new"] is True
    uuid = server.send(BOX)
    assert mail(root, uuid)["state"] == "delivered"


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"type": "contact.created", "data": {"id": "c"}}).encode(),
        json.dumps({"type": "email.received", "data": {"email_id": "re_1"}}).encode(),
        json.dumps({"type": "email.invented", "data": {"email_id": "re_1"}}).encode(),
        json.dumps({"type": "email.sent", "data": None}).encode(),
    ],
)
def test_what_is_not_about_a_sent_mail_is_acknowledged_and_passed_over(
    server: Server, root: Client, body: bytes
) -> None:
    uuid = server.send(BOX)
    assert hook(server, body) == {"ok": True, "new": False}
    assert mail(root, uuid)["state"] == "accepted"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b'{"type": 1}', b'{"type": "email.sent", "data": {"email_id": 7}}', b"[" * 90000],
)
def test_a_signed_body_that_is_no_report_is_a_bad_request(server: Server, body: bytes) -> None:
    assert error(Client(server)("POST", HOOK, **server.hook(body))) == (400, "Bad Request")


def test_a_report_without_a_good_signature_changes_nothing(server: Server, root: Client) -> None:
    uuid = server.send(BOX)
    body = report("bounced")
    signed = server.hook(body)
    stale = server.hook(body)
    server.clock.advance(301)
    refused: list[dict[str, Any]] = [
        {"content": body},
        stale,
        server.hook(body, secret=b"another"),
        {**server.hook(body), "content": body + b" "},
        {"content": body, "headers": {**server.hook(body)["headers"], "svix-id": "msg_2"}},
        {"content": body, "headers": {**server.hook(body)["headers"], "svix-signature": "v1,"}},
    ]
    assert signed == stale
    for request in refused:
        assert error(Client(server)("POST", HOOK, **request)) == (401, "the signature does not hold")
    assert mail(root, uuid)["state"] == "accepted"


def test_credentials_of_ours_do_not_stand_in_for_a_signature(server: Server) -> None:
    admin = server.client(server.actor(Role.STRICT_ADMIN))
    assert admin("POST", HOOK, content=report("bounced")).status_code == 401


@pytest.mark.parametrize(("size", "status"), [(MAX_REPORT_BYTES, 400), (MAX_REPORT_BYTES + 1, 413)])
def test_a_report_has_a_limit(server: Server, size: int, status: int) -> None:
    assert Client(server)("POST", HOOK, **server.hook(b" " * size)).status_code == status


def test_without_a_secret_there_is_no_hook(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Server(tmp_path_factory.mktemp("web"), hook_secrets=()) as server:
        answer = Client(server)("POST", HOOK, **server.hook(report("sent"), secret=b""))
        assert error(answer) == (404, "RESEND_WEBHOOK_SECRET is not set")
