"""Cyberpersons' sandbox: what is taken, and what is answered, in Cyberpersons' order and shape."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tempmail.domain.sandbox_cyberpersons import MAX_HEADERS
from tempmail.sandbox.cyberpersons import MAX_BODY_BYTES, Cyberpersons
from tempmail.services.sandbox_totals import SandboxTotals
from tests.contract.sandbox_suite import DOMAIN, Parts, Sandbox, box, one_for_all

SEND = "/email/v1/send"
STATS = "/email/v1/account/stats"


def cyberpersons(parts: Parts) -> Cyberpersons:
    return Cyberpersons(parts.desk(), SandboxTotals(parts.store.sandbox_totals))


sandbox = one_for_all(cyberpersons)


class Caller:
    """A client with a credential of its own, which checks the shape of every answer."""

    def __init__(self, sandbox: Sandbox, **asked: Any) -> None:
        self.sandbox = sandbox
        self.made = sandbox.credential(**asked)
        self.key = self.made.values["key"]

    def __call__(self, method: str, path: str, **asked: Any) -> httpx.Response:
        answer = self.sandbox.request(method, path, **{"headers": {"authorization": f"Bearer {self.key}"}, **asked})
        body = answer.json()
        assert answer.headers["content-type"] == "application/json"
        assert body["success"] is (answer.status_code < 300)
        if not body["success"]:
            assert {"type", "message"} <= set(body["error"]) <= {"type", "message", "retry_after"}
        return answer

    def send(self, **changes: Any) -> httpx.Response:
        return self("POST", SEND, json=mail(**changes))

    def show(self, message_id: str) -> dict[str, Any]:
        answer = self("GET", f"/email/v1/messages/{quote(message_id, safe='')}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()["data"]
        return shown

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self("GET", STATS).json()["data"]
        return found


def mail(**changes: Any) -> dict[str, Any]:
    whole = {"from": "hi@acme.example", "to": f"box@{DOMAIN}", "subject": "Hello", "text": "Your code is 482913"}
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


@pytest.fixture
def caller(sandbox: Sandbox) -> Caller:
    return Caller(sandbox)


def error(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["error"]["type"], answer.json()["error"]["message"]


def test_a_sent_mail_is_in_the_mailbox_and_its_status_is_delivered(caller: Caller) -> None:
    to, copied, blind = box(), box(), box()

    answer = caller.send(
        to=to,
        cc=copied,
        bcc=blind,
        reply_to="help@acme.example",
        from_name='Acme, "Inc"',
        html="<p>Your code is 482913</p>",
        headers={"X-Campaign": "welcome", "Subject": "another"},
        tags=["a", "b"],
        metadata={"order": 1},
    )

    assert answer.status_code == 202
    data = answer.json()["data"]
    assert data == {
        "message_id": data["message_id"],
        "status": "sent",
        "from": "hi@acme.example",
        "to": to,
        "subject": "Hello",
        "sent_at": "2025-11-20T12:00:00Z",
    }
    [got] = caller.sandbox.inbox(to)
    assert (got.subject, got.from_[0].name, got.from_[0].address) == ("Hello", 'Acme, "Inc"', "hi@acme.example")
    assert (got.text.strip(), got.html.strip()) == ("Your code is 482913", "<p>Your code is 482913</p>")
    assert got.reply_to[0].address == "help@acme.example"
    assert dict(got.headers)["X-Campaign"] == "welcome"
    assert len(caller.sandbox.inbox(copied)) == len(caller.sandbox.inbox(blind)) == 1
    shown = caller.show(data["message_id"])
    assert (shown["status"], shown["delivered_at"], shown["open_count"]) == ("delivered", "2025-11-20T12:00:00Z", 0)
    assert caller.show(data["message_id"].strip("<>")) == shown


def test_the_key_may_come_in_a_header_of_its_own(caller: Caller) -> None:
    assert caller("POST", SEND, json=mail(), headers={"x-api-key": caller.key}).status_code == 202


def test_what_is_wrong_is_told_in_this_order(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"can_send": False, "rate_per_s": 1, "domains": "acme.example, b.example"})

    def said(content: bytes = b"{", headers: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        return error(caller("POST", SEND, content=content, **({} if headers is None else {"headers": headers})))

    def asked(**fields: Any) -> tuple[int, str, str]:
        return said(json.dumps(fields).encode())

    wrong: dict[str, Any] = {"from": "a@else.example", "to": ["x@y.example"]}
    assert said(headers={}) == (401, "unauthorized", "Missing API key")
    assert said(headers={"x-api-key": "sk_live_nobody"}) == (401, "unauthorized", "Invalid API key")
    assert said() == (403, "forbidden", "API key does not have the can_send permission")
    sandbox.switch(caller.made, can_send=True)
    assert asked(**wrong) == (403, "forbidden", "Domain else.example is not verified")
    assert said() == (400, "validation_error", "Invalid JSON body")
    assert said()[:2] == (429, "rate_limit_exceeded")
    sandbox.switch(caller.made, rate_per_s=0)
    assert asked(to=["x@y.example"]) == (400, "validation_error", "Missing required field: from")
    wrong = {"from": "a@b.example", "to": ["x@y.example"], "cc": ["x@y.example"], "bcc": [], "reply_to": "none"}
    assert asked(**wrong | {"to": ""}) == (400, "validation_error", "Missing required field: to")
    assert asked(**wrong) == (400, "validation_error", "Missing required field: subject")
    wrong["subject"] = "Hello"
    assert asked(**wrong) == (400, "validation_error", "Either html or text is required")
    wrong["html"] = "<p>Hi</p>"
    for field in ("to", "cc", "bcc"):
        assert asked(**wrong) == (500, "send_failed", "Failed to send email")
        wrong[field] = "nowhere"
    for field in ("to", "cc", "bcc", "reply_to"):
        assert asked(**wrong) == (400, "validation_error", f"Invalid email address: {field}")
        wrong[field] = "x@y.example"
    wrong["headers"] = ["X-A: b"]
    assert asked(**wrong) == (400, "validation_error", "headers must be an object of at most 50")
    del wrong["headers"]
    assert caller("POST", SEND, json=wrong).status_code == 202


def test_a_call_too_many_says_how_long_to_wait(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"rate_per_s": 1})
    caller.send()

    refused = caller.send()

    assert refused.headers["retry-after"] == "1"
    assert (refused.json()["retry_after"], refused.json()["error"]["retry_after"]) == (1, 1)


def test_the_quota_of_a_month_shows_in_the_statistics(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"monthly_quota": 2})
    caller.send()
    caller.send(to=f"x+fault-bounce@{DOMAIN}")

    assert error(caller.send()) == (429, "rate_limit_exceeded", "Monthly sending limit exceeded")

    stats = caller.stats()
    assert (stats["monthly_limit"], stats["emails_sent_this_month"], stats["emails_remaining"]) == (2, 2, 0)
    assert stats["this_month"] == {"delivered": 1, "bounced": 1, "opened": 0, "clicked": 0}
    caller.sandbox.clock.advance(30 * 86_400)
    assert caller.stats()["emails_remaining"] == 2


def test_the_documented_figures_are_all_there(caller: Caller) -> None:
    stats = caller.stats()
    assert set(stats) == {
        "plan", "status", "monthly_limit", "emails_sent_this_month", "emails_remaining", "reputation_score",
        "domains_verified", "rate_limits", "this_month",
    }  # fmt: skip
    assert set(stats["rate_limits"]) == {"per_minute", "per_hour", "per_day"}
    assert stats["emails_remaining"] == 15_000


def test_a_key_without_the_right_may_not_look(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"can_read_analytics": False})
    for path in (STATS, "/email/v1/messages/x"):
        assert error(caller("GET", path))[:2] == (403, "forbidden")


def test_a_message_of_another_account_is_not_found(caller: Caller, sandbox: Sandbox) -> None:
    theirs = Caller(sandbox).send().json()["data"]["message_id"]
    for unknown in (theirs, "nothing", "a/b/c", "%00"):
        answer = caller("GET", f"/email/v1/messages/{quote(unknown, safe='')}")
        assert error(answer) == (404, "not_found", "Message not found")


def test_health_needs_no_key(sandbox: Sandbox) -> None:
    assert sandbox.request("GET", "/email/v1/health").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", SEND, 405), ("POST", STATS, 405), ("GET", "/email/v1/nothing", 404)]
)
def test_even_an_unknown_route_answers_in_the_providers_shape(
    caller: Caller, method: str, path: str, status: int
) -> None:
    assert caller(method, path).status_code == status


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        ("429", 429, "rate_limit_exceeded"),
        ("quota", 429, "rate_limit_exceeded"),
        ("500", 500, "send_failed"),
        ("timeout-before", 500, "send_failed"),
    ],
)
@pytest.mark.parametrize("by_tag", [True, False], ids=["tag", "switch"])
def test_a_fault_is_worded_as_the_provider_would_and_takes_nothing(
    caller: Caller, fault: str, status: int, kind: str, by_tag: bool
) -> None:
    if not by_tag:
        caller.sandbox.switch(caller.made, fault=fault)
    before = caller.sandbox.total()

    answer = caller.send(to=f"x+fault-{fault}@{DOMAIN}" if by_tag else box())

    assert error(answer)[:2] == (status, kind)
    assert caller.sandbox.total() == before


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 400), (MAX_BODY_BYTES + 1, 413)])
def test_a_body_that_is_too_large_is_refused_in_the_providers_shape(caller: Caller, size: int, status: int) -> None:
    assert error(caller("POST", SEND, content=b" " * size))[:2] == (status, "validation_error")


@pytest.mark.parametrize(("count", "status"), [(MAX_HEADERS, 202), (MAX_HEADERS + 1, 400)])
def test_a_mail_has_fifty_headers_of_its_own_at_most(caller: Caller, count: int, status: int) -> None:
    assert caller.send(headers={f"X-{number}": "a" for number in range(count)}).status_code == status


def test_an_account_whose_quota_is_to_be_used_up_says_so_in_its_statistics(sandbox: Sandbox) -> None:
    assert Caller(sandbox, switches={"fault": "quota"}).stats()["emails_remaining"] == 0


def test_a_bounced_mail_says_so_and_reaches_nobody(caller: Caller) -> None:
    before = caller.sandbox.total()

    message_id = caller.send(to=f"x+fault-bounce@{DOMAIN}").json()["data"]["message_id"]

    shown = caller.show(message_id)
    assert (shown["status"], shown["delivered_at"]) == ("bounced", None)
    assert "bounce_reason" in shown
    assert caller.sandbox.total() == before


def test_hostile_values_are_declined_or_kept_but_never_a_fault(caller: Caller) -> None:
    for value in (None, 1, 1.5, True, {}, "\ud800", "\x00", "\r\nBcc: x@y.example", "a" * 100_000, {"a": {"b": "c"}}):
        for field in (*mail(), "html", "cc", "bcc", "reply_to", "from_name", "headers", "tags"):
            answer = caller("POST", SEND, content=json.dumps(mail() | {field: value}))
            assert answer.status_code in (202, 400), answer.text
    assert not any("x@y.example" in str(got.cc) for got in caller.sandbox.inbox(f"box@{DOMAIN}"))
