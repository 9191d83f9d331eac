"""Webhooks of the sandboxes: what is reported, how it is signed, and how often it is tried."""

import base64
import json
from typing import Any

import pytest

from tempmail.domain.svix import is_genuine
from tempmail.services.sandbox_reports import PAUSES_S
from tests.contract.sandbox_resend import MAIL, Caller, resend
from tests.contract.sandbox_suite import Sandbox, one_for_each

HOOK = "http://app.example/hooks"


sandbox = one_for_each(resend)


@pytest.fixture
def caller(sandbox: Sandbox) -> Caller:
    return Caller(sandbox, webhook_url=HOOK)


def post_due(sandbox: Sandbox) -> int:
    return sandbox.run(sandbox.reports.post_due())


def posted(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body, _ in sandbox.posts.taken]


@pytest.mark.parametrize(
    ("to", "types"),
    [
        ("a@outside.example", ["email.sent", "email.delivered"]),
        ("bounced@resend.dev", ["email.sent", "email.bounced"]),
        ("complained@resend.dev", ["email.sent", "email.delivered", "email.complained"]),
        ("suppressed@resend.dev", ["email.suppressed"]),
        ("x+fault-bounce@outside.example", ["email.sent", "email.bounced"]),
    ],
)
def test_what_becomes_of_a_mail_is_reported(sandbox: Sandbox, caller: Caller, to: str, types: list[str]) -> None:
    email_id = caller.sent(to=to, tags=[{"name": "kind", "value": "welcome"}])

    assert post_due(sandbox) == len(types)

    events = sorted(posted(sandbox), key=lambda event: types.index(event["type"]))
    assert [event["type"] for event in events] == types
    data = events[-1]["data"]
    assert (data["email_id"], data["to"], data["subject"], data["tags"]) == (
        email_id,
        [to],
        "Hello",
        {"kind": "welcome"},
    )
    assert events[0]["created_at"] == "2025-11-20T12:00:00.000Z"
    assert ("bounce" in data) == ("bounce" in types[-1])
    assert ("suppressed" in data) == (types[-1] == "email.suppressed")
    assert {url for url, _, _ in sandbox.posts.taken} == {HOOK}
    assert post_due(sandbox) == 0


def test_a_scheduled_mail_is_reported_at_both_times_and_a_canceled_one_once(sandbox: Sandbox, caller: Caller) -> None:
    caller.sent(scheduled_at="in 1 hour")
    canceled = caller.sent(scheduled_at="in 1 hour")
    caller("POST", f"/emails/{canceled}/cancel")
    post_due(sandbox)
    assert [event["type"] for event in posted(sandbox)] == ["email.scheduled"] * 2

    sandbox.clock.advance(3_600)
    sandbox.release_due()
    post_due(sandbox)

    assert sorted(event["type"] for event in posted(sandbox)[2:]) == ["email.delivered", "email.sent"]


def test_a_batch_reports_each_of_its_mails(sandbox: Sandbox, caller: Caller) -> None:
    caller("POST", "/emails/batch", json=[MAIL] * 3)
    post_due(sandbox)
    assert len({event["data"]["email_id"] for event in posted(sandbox)}) == 3


def test_a_report_is_signed_as_svix_does(sandbox: Sandbox, caller: Caller) -> None:
    caller.sent()
    post_due(sandbox)
    secret = caller.made.webhook_secret
    assert secret is not None
    key = base64.b64decode(secret.removeprefix("whsec_"))

    for _, body, headers in sandbox.posts.taken:
        signature = {
            "message_id": headers["svix-id"],
            "timestamp": headers["svix-timestamp"],
            "signatures": headers["svix-signature"],
        }
        assert is_genuine([key], **signature, body=body, now=sandbox.clock.now())
        assert not is_genuine([key], **signature, body=body + b" ", now=sandbox.clock.now())
        assert not is_genuine([b"other"], **signature, body=body, now=sandbox.clock.now())


@pytest.mark.parametrize("failure", [0, 302, 404, 500])
def test_a_report_is_tried_again_after_growing_pauses_and_then_given_up(
    sandbox: Sandbox, caller: Caller, failure: int
) -> None:
    caller.sent(to="suppressed@resend.dev")
    sandbox.posts.statuses = [failure] * 20

    assert post_due(sandbox) == 1
    for pause in PAUSES_S:
        sandbox.clock.advance(pause - 1)
        assert post_due(sandbox) == 0
        sandbox.clock.advance(1)
        assert post_due(sandbox) == 1
    sandbox.clock.advance(86_400)

    assert post_due(sandbox) == 0
    assert len(sandbox.posts.taken) == 8
    assert len({headers["svix-id"] for _, _, headers in sandbox.posts.taken}) == 1, "one id over all tries"
    assert len({headers["svix-timestamp"] for _, _, headers in sandbox.posts.taken}) == 8


def test_a_report_that_arrives_is_not_tried_again(sandbox: Sandbox, caller: Caller) -> None:
    caller.sent(to="suppressed@resend.dev")
    sandbox.posts.statuses = [503, 204]
    post_due(sandbox)
    sandbox.clock.advance(5)
    assert post_due(sandbox) == 1
    sandbox.clock.advance(86_400)
    assert post_due(sandbox) == 0


def test_a_report_whose_claimer_died_is_posted_after_its_lease(sandbox: Sandbox, caller: Caller) -> None:
    caller.sent(to="suppressed@resend.dev")
    now, until = sandbox.stamp_in(0), sandbox.stamp_in(60)
    claimed = sandbox.run(sandbox.store.sandboxes.claim_reports(now=now, until=until, limit=10))
    assert [report.attempts for report in claimed] == [0]

    assert post_due(sandbox) == 0
    sandbox.clock.advance(60)
    assert post_due(sandbox) == 1


def test_without_a_webhook_nothing_is_reported_and_taking_it_away_ends_it(sandbox: Sandbox, caller: Caller) -> None:
    Caller(sandbox).sent()
    assert post_due(sandbox) == 0
    caller.sent()
    changed = sandbox.run(sandbox.service.change("resend", caller.made.credential.id, webhook_url=""))
    assert (changed.webhook_url, changed.webhook_secret) == (None, None)
    assert (post_due(sandbox), sandbox.posts.taken) == (0, [])


def test_another_url_keeps_the_secret(sandbox: Sandbox, caller: Caller) -> None:
    changed = sandbox.run(sandbox.service.change("resend", caller.made.credential.id, webhook_url="https://b.example/"))
    assert (changed.webhook_url, changed.webhook_secret) == ("https://b.example/", caller.made.webhook_secret)
