"""SendFlare's sandbox: what is taken, and what is answered, in SendFlare's order and shape."""

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tempmail.sandbox.sendflare import MAX_BODY_BYTES, SendFlare
from tests.contract.sandbox_suite import DOMAIN, Parts, Sandbox, box, one_for_all

SEND = "/v1/send"


def sendflare(parts: Parts) -> SendFlare:
    return SendFlare(parts.desk())


sandbox = one_for_all(sendflare)


class Caller:
    """A client with a credential of its own, which checks the envelope of every answer."""

    def __init__(self, sandbox: Sandbox, **asked: Any) -> None:
        self.sandbox = sandbox
        self.made = sandbox.credential(**asked)
        self.headers = {"authorization": f"Bearer {self.made.values['key']}"}

    def __call__(self, method: str, path: str, **asked: Any) -> httpx.Response:
        answer = self.sandbox.request(method, path, **{"headers": self.headers, **asked})
        body = answer.json()
        assert answer.headers["content-type"] == "application/json"
        assert set(body) == {"requestId", "code", "success", "message", "ts", "data"}
        assert body["ts"] == int(self.sandbox.clock.now() * 1000)
        if answer.status_code == 200:
            assert (body["success"], body["code"], body["message"]) == (True, 0, "Successfully")
        else:
            assert (body["success"], body["code"], body["data"]) == (False, answer.status_code, None)
        return answer

    def send(self, **changes: Any) -> httpx.Response:
        return self("POST", SEND, json=mail(**changes))


def mail(**changes: Any) -> dict[str, Any]:
    whole = {"from": "Acme <hi@acme.example>", "to": f"box@{DOMAIN}", "subject": "Hello", "body": "<p>Code 482913</p>"}
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


@pytest.fixture
def caller(sandbox: Sandbox) -> Caller:
    return Caller(sandbox)


def test_a_sent_mail_is_in_the_mailbox_of_everybody_it_is_for(caller: Caller) -> None:
    to, copied, blind = box(), box(), box()

    answer = caller.send(to=to, cc=[copied], bcc=[f"Blind <{blind}>"], replyTo=["Help <help@acme.example>"])

    assert answer.status_code == 200
    assert answer.json()["data"]["emailId"]
    [got] = caller.sandbox.inbox(to)
    assert (got.subject, got.from_[0].name, got.from_[0].address) == ("Hello", "Acme", "hi@acme.example")
    assert got.html.strip() == "<p>Code 482913</p>"
    assert got.reply_to[0].address == "help@acme.example"
    assert [each.address for each in got.cc] == [copied]
    assert "Blind" not in str(got.headers)
    assert len(caller.sandbox.inbox(copied)) == len(caller.sandbox.inbox(blind)) == 1


def test_a_body_without_markup_is_text_and_html_may_stand_in_the_place_of_body(caller: Caller) -> None:
    plain, marked = box(), box()

    caller.send(to=plain, body="1 < 2 & 3 > 2")
    caller.send(to=marked, body=None, html="<b>bold</b>")

    [text] = caller.sandbox.inbox(plain)
    [html] = caller.sandbox.inbox(marked)
    assert (text.text.strip(), text.html) == ("1 < 2 & 3 > 2", "")
    assert html.html.strip() == "<b>bold</b>"


def test_mail_for_outside_goes_to_the_catch_all(caller: Caller) -> None:
    caller.send(to="someone@outside.example")

    [row] = caller.sandbox.messages(caller.made.credential.mailbox)
    assert row.to_addrs == "someone@outside.example"


def test_what_is_wrong_is_told_in_this_order(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"rate_per_s": 1})

    def said(**asked: Any) -> tuple[int, str]:
        answer = caller("POST", SEND, **asked)
        return answer.status_code, answer.json()["message"]

    wrong: dict[str, Any] = {"from": "", "to": [], "subject": " ", "body": ""}
    assert said(headers={}, content=b"{") == (401, "missing API token")
    assert said(headers={"authorization": "Bearer live_nobody"}, content=b"{") == (401, "invalid API token")
    assert said(content=b"{") == (400, "the request body is not a JSON object")
    assert said(content=b"{") == (429, "Too Many Requests")
    sandbox.switch(caller.made, rate_per_s=0)
    assert said(json=["a", "list"]) == (400, "the request body is not a JSON object")
    assert said(json=wrong) == (400, "from is required")
    wrong["from"] = "nobody"
    assert said(json=wrong) == (400, "to is required")
    wrong["to"] = "nowhere"
    assert said(json=wrong) == (400, "subject is required")
    wrong["subject"] = "Hello"
    assert said(json=wrong) == (400, "body is required")
    wrong["body"] = "text"
    assert said(json=wrong) == (400, "from is not a valid email address")
    wrong["from"] = "a@b.example"
    assert said(json=wrong) == (400, "to is not a valid email address")
    wrong["to"] = f"box@{DOMAIN}"
    for field in ("cc", "bcc", "replyTo"):
        wrong[field] = ["nowhere", "a@b.example"]
        assert said(json=wrong) == (400, f"{field} is not a list of valid email addresses")
        wrong[field] = [1]
        assert said(json=wrong) == (400, f"{field} is not a list of valid email addresses")
        del wrong[field]
    assert said(json=wrong) == (200, "Successfully")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", SEND, 405), ("PUT", SEND, 405), ("POST", "/v1/nothing", 404), ("POST", "/v1/send/", 404)],
)
def test_even_an_unknown_route_answers_in_the_envelope(caller: Caller, method: str, path: str, status: int) -> None:
    assert caller(method, path).status_code == status


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 400), (MAX_BODY_BYTES + 1, 413)])
def test_a_body_that_is_too_large_is_refused_in_the_envelope(caller: Caller, size: int, status: int) -> None:
    assert caller("POST", SEND, content=b" " * size).status_code == status


def test_hostile_values_are_declined_or_kept_but_never_a_fault(caller: Caller) -> None:
    to = box()
    values: tuple[Any, ...] = (
        None,
        1,
        1.5,
        True,
        [],
        {},
        [[]],
        "\ud800",
        "\x00",
        "\r\nBcc: x@y.example",
        "a" * 100_000,
    )
    for value in values:
        for field in ("from", "to", "subject", "body", "cc", "bcc", "replyTo"):
            assert caller("POST", SEND, content=json.dumps(mail(to=to) | {field: value})).status_code in (200, 400)
    assert not any("x@y.example" in str(got.headers) for got in caller.sandbox.inbox(to) if got.subject == "Hello")


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ("429", 429, "Too Many Requests"),
        ("quota", 429, "Daily sending quota exceeded"),
        ("500", 500, "Internal Server Error"),
        ("timeout-before", 500, "Internal Server Error"),
    ],
)
@pytest.mark.parametrize("by_tag", [True, False], ids=["tag", "switch"])
def test_a_fault_is_worded_as_the_provider_would_and_takes_nothing(
    caller: Caller, fault: str, status: int, text: str, by_tag: bool
) -> None:
    name = uuid4().hex[:12]
    to = f"{name}+fault-{fault}@{DOMAIN}" if by_tag else f"{name}@{DOMAIN}"
    if not by_tag:
        caller.sandbox.switch(caller.made, fault=fault)
    before, held = caller.sandbox.total(), len(caller.sandbox.held_s)

    answer = caller.send(to=to)

    assert (answer.status_code, answer.json()["message"]) == (status, text)
    assert ("retry-after" in answer.headers) == (status == 429)
    if fault == "quota":
        left_s = 86_400 - caller.sandbox.clock.now() % 86_400
        assert left_s <= int(answer.headers["retry-after"]) <= left_s + 1
    assert caller.sandbox.total() == before
    assert caller.sandbox.held_s[held:] == ([60] if fault == "timeout-before" else [])


def test_a_held_answer_comes_after_the_mail_was_taken(caller: Caller) -> None:
    before = caller.sandbox.total()

    assert caller.send(to=f"held+fault-timeout@{DOMAIN}").status_code == 200

    assert caller.sandbox.held_s[-1] == 60
    assert caller.sandbox.total() == before + 1


def test_a_web_page_comes_in_the_place_of_the_answer(sandbox: Sandbox) -> None:
    made = sandbox.credential()
    answer = sandbox.request(
        "POST",
        SEND,
        json=mail(to=f"page+fault-html@{DOMAIN}"),
        headers={"authorization": f"Bearer {made.values['key']}"},
    )
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")


def test_the_quota_of_a_day_is_told_with_when_it_ends(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"daily_quota": 1})
    assert caller.send().status_code == 200

    refused = caller.send()

    assert (refused.status_code, refused.json()["message"]) == (429, "Daily sending quota exceeded")
    assert int(refused.headers["retry-after"]) == 12 * 3600 + 1


def test_a_bounced_mail_is_taken_and_delivered_to_nobody(caller: Caller) -> None:
    to = f"{uuid4().hex[:12]}+fault-bounce@{DOMAIN}"
    before = caller.sandbox.total()

    answer = caller.send(to=to)

    mailed = caller.sandbox.run(caller.sandbox.mails.mail(caller.made.credential, answer.json()["data"]["emailId"]))
    assert mailed is not None
    assert mailed.state == "bounced"
    assert caller.sandbox.total() == before
