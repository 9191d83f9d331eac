"""Resend's sandbox: everything that it refuses, in Resend's order and words, and the faults that it plays."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tempmail.sandbox import resend as resend_module
from tempmail.sandbox import resend_mail
from tempmail.sandbox.resend import MAX_SUMMARY_BYTES
from tests.contract.sandbox_resend import MAIL, Caller, checked, error, resend
from tests.contract.sandbox_suite import DOMAIN, Sandbox, box, one_for_all, one_for_each

UNKNOWN = "00000000-0000-4000-8000-000000000000"
JSON = {"content-type": "application/json"}


shared = one_for_all(resend)
sandbox = one_for_each(resend)


@pytest.fixture
def caller(shared: Sandbox) -> Caller:
    return Caller(shared)


def files(count: int, size: int) -> list[dict[str, Any]]:
    return [{"filename": f"{number}.txt", "content": "AAAA" * (size // 4)} for number in range(count)]


MISSING = "missing_required_field"
INVALID = "validation_error"
FORMAT = (
    "Invalid `{}` field. The email address needs to follow the `email@example.com` or "
    "`Name <email@example.com>` format."
)


@pytest.mark.parametrize(
    ("changes", "name", "message"),
    [
        pytest.param(
            {"to": None, "subject": None, "from": None, "text": None}, MISSING, "Missing `to` field.", id="to"
        ),
        pytest.param({"to": []}, MISSING, "Missing `to` field.", id="to-empty"),
        pytest.param(
            {"subject": None, "from": None, "text": None}, INVALID, "Missing `html` or `text` field.", id="body"
        ),
        pytest.param({"text": ""}, INVALID, "Missing `html` or `text` field.", id="body-empty"),
        pytest.param({"subject": None, "from": None}, MISSING, "Missing `subject` field.", id="subject"),
        pytest.param({"from": None}, MISSING, "Missing `from` field.", id="from"),
        pytest.param({"from": "nobody"}, "invalid_from_address", FORMAT.format("from"), id="from-format"),
        pytest.param({"from": "a@b.example\r\nBcc: x@y.example"}, "invalid_from_address", None, id="from-injection"),
        pytest.param({"from": ["a@b.example", "c@d.example"]}, "invalid_from_address", None, id="from-two"),
        pytest.param({"to": "nobody"}, INVALID, FORMAT.format("to"), id="to-format"),
        pytest.param({"to": ["a@b.example", "nobody"]}, INVALID, FORMAT.format("to"), id="one-of-to"),
        pytest.param({"to": "a@b.example, c@d.example"}, INVALID, FORMAT.format("to"), id="to-list-in-text"),
        pytest.param({"to": {"a": "b"}}, INVALID, FORMAT.format("to"), id="to-object"),
        pytest.param({"to": [7]}, INVALID, FORMAT.format("to"), id="to-number"),
        pytest.param({"cc": "nobody"}, INVALID, FORMAT.format("cc"), id="cc"),
        pytest.param({"bcc": "nobody"}, INVALID, FORMAT.format("bcc"), id="bcc"),
        pytest.param({"reply_to": "nobody"}, INVALID, FORMAT.format("reply_to"), id="reply-to"),
        pytest.param({"subject": 7}, INVALID, None, id="subject-number"),
        pytest.param({"html": {"a": 1}}, INVALID, None, id="html-object"),
        pytest.param({"headers": ["x"]}, INVALID, None, id="headers-list"),
        pytest.param({"headers": {"x": 1}}, INVALID, None, id="header-number"),
        pytest.param({"attachments": "x"}, "invalid_attachment", None, id="attachments-text"),
        pytest.param({"attachments": [7]}, "invalid_attachment", None, id="attachment-number"),
        pytest.param({"attachments": [{"filename": "a.txt"}]}, "invalid_attachment", None, id="attachment-empty"),
        pytest.param({"attachments": [{"content": "!"}]}, "invalid_attachment", None, id="attachment-base64"),
        pytest.param({"attachments": [{"content": [256]}]}, "invalid_attachment", None, id="attachment-byte"),
        pytest.param({"attachments": [{"content": [True]}]}, "invalid_attachment", None, id="attachment-bool"),
        pytest.param({"attachments": [{"content": 7}]}, "invalid_attachment", None, id="attachment-content-number"),
        pytest.param(
            {"attachments": [{"content": "aQ==", "filename": "a.EXE"}]}, "invalid_attachment", None, id="blocked"
        ),
        pytest.param(
            {"attachments": [{"content": "aQ==", "filename": "a" * 256}]}, "invalid_attachment", None, id="long-name"
        ),
        pytest.param(
            {"attachments": [{"content": "aQ==", "content_type": 7}]}, "invalid_attachment", None, id="type-number"
        ),
        pytest.param({"tags": "x"}, INVALID, None, id="tags-text"),
        pytest.param({"tags": [{"name": "a b"}]}, INVALID, None, id="tag-name"),
        pytest.param({"tags": [{"name": "a", "value": "ü"}]}, INVALID, None, id="tag-value"),
        pytest.param({"tags": [{}]}, INVALID, None, id="tag-empty"),
        pytest.param({"template": {"id": "x"}}, INVALID, None, id="template-and-text"),
        pytest.param({"template": {}, "text": None}, INVALID, None, id="template-without-id"),
        pytest.param({"template": {"id": "x", "variables": []}, "text": None}, INVALID, None, id="variables-list"),
        pytest.param({"scheduled_at": "soon"}, INVALID, None, id="time"),
    ],
)
def test_a_mail_that_resend_would_not_take_is_refused(
    caller: Caller, changes: dict[str, Any], name: str, message: str | None
) -> None:
    answer = caller.send(**changes)
    assert error(answer)[:2] == (422, name)
    assert message is None or answer.json()["message"] == message
    assert caller("GET", "/emails").json()["data"] == []


@pytest.mark.parametrize("field", ["to", "cc", "bcc"])
def test_a_field_holds_fifty_recipients_and_no_more(caller: Caller, field: str) -> None:
    addresses = [f"{number}@outside.example" for number in range(51)]
    assert caller.send(**{field: addresses[:50]}).status_code == 200
    assert error(caller.send(**{field: addresses}))[:2] == (422, INVALID)


def test_a_tag_has_256_characters_and_no_more(caller: Caller) -> None:
    assert caller.send(tags=[{"name": "n" * 256, "value": "v" * 256}]).status_code == 200
    for tag in ({"name": "n" * 257}, {"name": "n", "value": "v" * 257}):
        assert error(caller.send(tags=[tag]))[:2] == (422, INVALID)


def test_attachments_have_40_mb_as_base64_and_no_more(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resend_mail.MAX_ATTACHMENTS_BYTES == 40 << 20
    monkeypatch.setattr(resend_mail, "MAX_ATTACHMENTS_BYTES", 4_000)
    assert caller.send(attachments=files(2, 2_000)).status_code == 200
    assert error(caller.send(attachments=[*files(2, 2_000), *files(1, 4)]))[:2] == (422, "invalid_attachment")


def test_40_mb_of_attachments_pass_the_body_limit(caller: Caller) -> None:
    answer = caller.send(to=caller.catch_all, attachments=files(1, 40 << 20))
    assert answer.status_code == 200, answer.text
    [row] = caller.sandbox.messages(caller.catch_all)
    assert row.size_bytes > 40 << 20


def test_a_body_is_read_up_to_its_limit(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resend_module.MAX_BODY_BYTES == 56 << 20
    body = json.dumps({**MAIL, "to": box()}).encode()
    monkeypatch.setattr(resend_module, "MAX_BODY_BYTES", len(body))

    assert caller("POST", "/emails", content=body).status_code == 200
    assert error(caller("POST", "/emails", content=body + b" "))[:2] == (413, INVALID)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"nul", b'{"to": "\\ud800"}'],
    ids=["empty", "cut", "no UTF-8", "deep lists", "deep objects", "word", "half a character"],
)
@pytest.mark.parametrize("path", ["/emails", "/emails/batch"])
def test_what_is_not_json_is_refused(caller: Caller, path: str, body: bytes) -> None:
    answer = caller("POST", path, content=body, headers=JSON)
    assert answer.status_code in (400, 422)
    assert answer.json()["name"] in (INVALID, MISSING)


@pytest.mark.parametrize("body", [[], "text", 7, None, True])
def test_a_mail_that_is_no_object_is_refused(caller: Caller, body: Any) -> None:
    assert error(caller("POST", "/emails", content=json.dumps(body).encode()))[:2] == (422, INVALID)


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "", 404, "not_found"),
        ("POST", "/emails/", 404, "not_found"),
        ("GET", "//emails", 404, "not_found"),
        ("POST", "/no/such", 404, "not_found"),
        ("DELETE", "/emails", 405, "method_not_allowed"),
        ("PUT", f"/emails/{UNKNOWN}", 405, "method_not_allowed"),
        ("GET", f"/emails/{UNKNOWN}/cancel", 405, "method_not_allowed"),
        ("OPTIONS", "/emails", 405, "method_not_allowed"),
        ("GET", f"/emails/{UNKNOWN}", 404, "not_found"),
        ("PATCH", f"/emails/{UNKNOWN}", 404, "not_found"),
        ("POST", f"/emails/{UNKNOWN}/cancel", 404, "not_found"),
        ("GET", f"/emails/{UNKNOWN}/attachments", 404, "not_found"),
        ("GET", "/emails/seven", 422, "invalid_parameter"),
        ("POST", "/emails/seven/cancel", 422, "invalid_parameter"),
        ("GET", "/downloads/1/2/3", 404, "not_found"),
        ("GET", "/downloads/", 404, "not_found"),
        ("GET", f"/downloads/{'9' * 30}/2/3?expires=1&signature=1", 404, "not_found"),
    ],
)
def test_other_paths_and_methods_are_refused(caller: Caller, method: str, path: str, status: int, name: str) -> None:
    asked = {"json": {"scheduled_at": "in 1 hour"}} if method == "PATCH" else {}
    assert error(caller(method, path, **asked))[:2] == (status, name)


def test_an_update_needs_a_time(caller: Caller) -> None:
    email_id = caller.sent(scheduled_at="in 1 hour")
    for body, name in (({}, MISSING), ({"scheduled_at": None}, MISSING), ([], MISSING), ({"scheduled_at": 7}, INVALID)):
        assert error(caller("PATCH", f"/emails/{email_id}", json=body))[:2] == (422, name)
    assert error(caller("PATCH", f"/emails/{email_id}", content=b"{"))[:2] == (400, INVALID)


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": ""}, {"authorization": "Bearer "}, {"authorization": "Basic YTpi"}]
)
def test_a_call_without_a_key_is_refused(shared: Sandbox, headers: dict[str, str]) -> None:
    answer = checked(shared.request("POST", "/emails", json=MAIL, headers=headers))
    assert error(answer) == (401, "missing_api_key", "Missing API Key")


@pytest.mark.parametrize("key", ["re_wrong", "x" * 257, "é"])
def test_a_wrong_key_is_refused_before_the_body_is_read(shared: Sandbox, key: str) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"{}")
        yield b"{}"

    headers = {"authorization": f"Bearer {key}".encode()}
    answer = checked(shared.request("POST", "/emails", content=body(), headers=headers))
    assert read == []
    assert error(answer) == (403, "invalid_api_key", "API key is invalid")


def test_a_removed_credential_is_refused(shared: Sandbox) -> None:
    caller = Caller(shared)
    caller.sent()
    shared.run(shared.service.remove("resend", caller.made.credential.id))
    assert error(caller.send())[:2] == (403, "invalid_api_key")


def test_the_key_of_an_app_can_be_kept(shared: Sandbox) -> None:
    caller = Caller(shared, values={"key": "re_chosen_by_hand"})
    assert caller.headers == {"authorization": "Bearer re_chosen_by_hand"}
    caller.sent()


def test_a_call_without_a_user_agent_is_refused_unless_that_is_switched_off(shared: Sandbox) -> None:
    caller = Caller(shared)
    assert error(caller.send(http={"user-agent": ""}))[:2] == (403, "forbidden")
    shared.switch(caller.made, require_user_agent=False)
    assert caller.send(http={"user-agent": ""}).status_code == 200


def test_a_sending_key_does_nothing_else(shared: Sandbox) -> None:
    caller = Caller(shared, switches={"sending_only": True})
    email_id = caller.sent(scheduled_at="in 1 hour")
    assert caller("POST", "/emails/batch", json=[MAIL]).status_code == 200
    for method, path in (
        ("GET", f"/emails/{email_id}"),
        ("GET", "/emails"),
        ("PATCH", f"/emails/{email_id}"),
        ("POST", f"/emails/{email_id}/cancel"),
        ("GET", "/usage"),
    ):
        assert error(caller(method, path)) == (
            401,
            "restricted_api_key",
            "This API key is restricted to only send emails",
        )


@pytest.mark.parametrize(("refused", "name"), [("403", "invalid_api_key"), ("401", INVALID), ("400", INVALID)])
def test_a_key_can_be_refused_as_documented_and_as_the_live_api_does(shared: Sandbox, refused: str, name: str) -> None:
    caller = Caller(shared, switches={"refuse_key": refused})
    assert error(caller.send()) == (int(refused), name, "API key is invalid")


def test_five_calls_in_a_second_are_taken_and_the_sixth_is_not(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"rate_per_s": 5})

    answers = [caller("GET", "/emails") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1", "0", "0"]
    last = answers[-1]
    assert error(last) == (
        429,
        "rate_limit_exceeded",
        "Too many requests. You can only make 5 requests per second.",
    )
    assert {name: last.headers[name] for name in ("retry-after", "ratelimit-limit", "ratelimit-reset")} == {
        "retry-after": "1",
        "ratelimit-limit": "5",
        "ratelimit-reset": "1",
    }
    assert last.headers["ratelimit-policy"] == "5;w=1"
    sandbox.clock.advance(0.999)
    assert caller("GET", "/emails").status_code == 429
    sandbox.clock.advance(0.001)
    assert caller("GET", "/emails").status_code == 200


def test_every_answer_tells_of_the_rate_also_to_whom_has_no_key(shared: Sandbox) -> None:
    key = {"authorization": "Bearer re_nobodys"}
    answers = [
        shared.request("POST", "/emails"),
        shared.request("POST", "/emails", headers=key),
        shared.request("GET", "/nowhere"),
        shared.request("DELETE", "/emails"),
    ]
    assert [answer.status_code for answer in answers] == [401, 403, 404, 405]
    assert {(answer.headers["ratelimit-limit"], answer.headers["ratelimit-policy"]) for answer in answers} == {
        ("5", "5;w=1")
    }


def test_what_a_key_may_not_do_is_refused_before_calls_are_counted(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"sending_only": True, "rate_per_s": 1})
    assert [caller("GET", "/emails").status_code for _ in range(3)] == [401] * 3
    assert [caller.send().status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("fault", ["html", "cut", "timeout"])
def test_a_refusal_is_answered_as_it_is_whatever_was_to_go_wrong(sandbox: Sandbox, fault: str) -> None:
    """A web page with status 200 says that the mail was taken: here none was."""
    caller = Caller(sandbox)
    key = {"idempotency-key": "k"}
    caller.send(http=key)
    conflict = caller.send(http=key, to=f"x+fault-{fault}@{DOMAIN}")
    assert error(conflict)[:2] == (409, "invalid_idempotent_request")
    assert sandbox.held_s == []


@pytest.mark.parametrize(
    "field",
    [
        {"subject": "s" * MAX_SUMMARY_BYTES},
        {"reply_to": ["somebody@acme.example"] * 20_000},
        {"tags": [{"name": "n", "value": "v" * 256}] * 2_000},
        {"from": f"{'n' * MAX_SUMMARY_BYTES} <hi@acme.example>"},
    ],
    ids=lambda field: next(iter(field)),
)
def test_what_lists_show_of_a_mail_is_bounded(caller: Caller, field: dict[str, Any]) -> None:
    """A page of a hundred mails with 50 MB of subject each would not fit into memory."""
    assert error(caller.send(**field))[:2] == (422, "validation_error")


def test_without_the_switch_there_is_no_limit_and_the_headers_are_there(caller: Caller) -> None:
    answers = [caller("GET", "/emails") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"5"}


@pytest.mark.parametrize(
    ("switch", "name"), [("daily_quota", "daily_quota_exceeded"), ("monthly_quota", "monthly_quota_exceeded")]
)
def test_a_quota_holds_to_the_mail_also_for_a_batch(sandbox: Sandbox, switch: str, name: str) -> None:
    caller = Caller(sandbox, switches={switch: 3})
    assert caller("POST", "/emails/batch", json=[MAIL] * 2).status_code == 200

    assert error(caller("POST", "/emails/batch", json=[MAIL] * 2))[:2] == (429, name)
    caller.sent()
    refused = caller.send()

    assert error(refused)[:2] == (429, name)
    assert int(refused.headers["retry-after"]) > 3_600
    assert sandbox.total() == 3
    sandbox.clock.advance(86_400 if switch == "daily_quota" else 30 * 86_400)
    caller.sent()


def test_of_many_at_once_a_quota_lets_through_as_many_as_it_says(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"daily_quota": 7})

    async def at_once() -> list[httpx.Response]:
        sending = [sandbox.http.post("/emails", json=MAIL, headers=caller.headers) for _ in range(20)]
        return await asyncio.gather(*sending)

    statuses = [answer.status_code for answer in sandbox.run(at_once())]
    assert (statuses.count(200), statuses.count(429)) == (7, 13)
    assert sandbox.total() == 7


@pytest.mark.parametrize(
    ("fault", "status", "name"),
    [
        ("429", 429, "rate_limit_exceeded"),
        ("500", 500, "internal_server_error"),
        ("quota", 429, "daily_quota_exceeded"),
    ],
)
def test_a_refusing_fault_takes_nothing_by_tag_and_by_switch(
    shared: Sandbox, fault: str, status: int, name: str
) -> None:
    to = box()
    caller, faulty = Caller(shared), Caller(shared, switches={"fault": fault})

    by_tag = [
        caller.send(to=[to, f"x+fault-{fault}@outside.example"]),
        caller.send(to=to, cc=f"Name <X+Fault-{fault}@outside.example>"),
        caller("POST", "/emails/batch", json=[{**MAIL, "to": to}, {**MAIL, "to": f"x+fault-{fault}@outside.example"}]),
    ]
    by_switch = [faulty.send(to=to), faulty("GET", "/emails"), faulty("POST", "/emails/batch", json=[MAIL])]

    assert {error(answer)[:2] for answer in by_tag + by_switch} == {(status, name)}
    assert shared.messages(to) == []
    if status == 429:
        left_s = 86_400 - shared.clock.now() % 86_400 if fault == "quota" else 1
        for answer in by_tag + by_switch:
            assert left_s <= int(answer.headers["retry-after"]) <= left_s + 1


def test_the_fault_timeout_takes_the_mail_and_holds_the_answer(shared: Sandbox) -> None:
    caller = Caller(shared, switches={"timeout_s": 17})
    shared.held_s.clear()
    answer = caller.send(to=["x+fault-timeout@outside.example"])
    assert answer.status_code == 200
    assert shared.held_s == [17]
    assert len(shared.messages(caller.catch_all)) == 1


def test_the_fault_timeout_before_takes_nothing_and_holds_the_answer(shared: Sandbox) -> None:
    caller = Caller(shared, switches={"timeout_s": 17})
    shared.held_s.clear()
    answer = caller.send(to=["x+fault-timeout-before@outside.example"])
    assert error(answer)[:2] == (500, "internal_server_error")
    assert shared.held_s == [17]
    assert shared.messages(caller.catch_all) == []


def test_the_fault_html_takes_the_mail_and_answers_with_a_page(shared: Sandbox) -> None:
    caller = Caller(shared, switches={"fault": "html"})
    answer = shared.request("POST", "/emails", json={**MAIL, "to": "a@outside.example"}, headers=caller.headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert len(shared.messages(caller.catch_all)) == 1


def test_the_fault_cut_takes_the_mail_and_sends_half_an_answer(shared: Sandbox) -> None:
    caller = Caller(shared)
    sent: list[dict[str, Any]] = []
    body = json.dumps({**MAIL, "to": "x+fault-cut@outside.example"}).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/sandbox/resend/emails",
        "query_string": b"",
        "scheme": "http",
        "client": ("192.0.2.1", 1),
        "headers": [
            (b"authorization", caller.headers["authorization"].encode()),
            (b"user-agent", b"test"),
            (b"content-length", str(len(body)).encode()),
        ],
    }
    shared.run(shared.app(scope, receive, send))

    start, half = sent
    announced = int(dict(start["headers"])[b"content-length"])
    assert (start["status"], half["more_body"]) == (200, True)
    assert 0 < len(half["body"]) < announced
    assert len(shared.messages(caller.catch_all)) == 1


@pytest.mark.parametrize(
    ("to", "last_event", "captured"),
    [
        ("x+fault-bounce@outside.example", "bounced", 0),
        ("bounced@resend.dev", "bounced", 0),
        ("Bounced+label@Resend.dev", "bounced", 0),
        ("complained@resend.dev", "complained", 1),
        ("suppressed@resend.dev", "suppressed", 0),
        ("delivered@resend.dev", "delivered", 1),
        ("other@resend.dev", "delivered", 1),
    ],
)
@pytest.mark.parametrize("when", [None, "in 1 hour"])
def test_addresses_stand_for_what_becomes_of_a_mail(
    sandbox: Sandbox, to: str, last_event: str, captured: int, when: str | None
) -> None:
    caller = Caller(sandbox)

    email_id = caller.sent(to=to, scheduled_at=when)
    if when:
        assert caller.show(email_id)["last_event"] == "scheduled"
        sandbox.clock.advance(3_600)
        sandbox.release_due()

    assert caller.show(email_id)["last_event"] == last_event
    assert len(sandbox.messages(caller.catch_all)) == captured


def test_of_a_bounced_mail_the_others_get_theirs(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    email_id = caller.sent(to=["bounced@resend.dev", f"box@{DOMAIN}"])
    assert caller.show(email_id)["last_event"] == "bounced"
    assert len(sandbox.messages(f"box@{DOMAIN}")) == 1


def test_without_room_nothing_is_taken(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Sandbox(tmp_path_factory.mktemp("resend"), resend, spool_max_bytes=10) as sandbox:
        caller = Caller(sandbox)
        answers = [caller.send(), caller.send(scheduled_at="in 1 hour"), caller("POST", "/emails/batch", json=[MAIL])]
        assert [error(answer)[:2] for answer in answers] == [(500, "application_error")] * 3
        assert (sandbox.total(), caller("GET", "/emails").json()["data"]) == (0, [])
