"""Resend's sandbox: what is taken, what becomes of it, and what is answered."""

import asyncio
import base64
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tempmail.domain.sandbox import DueMail
from tempmail.errors import NoRoom
from tempmail.services.sandbox_mails import Released
from tests.contract.sandbox_resend import MAIL, Caller, error, resend
from tests.contract.sandbox_suite import DOMAIN, Sandbox, box, one_for_all, one_for_each

shared = one_for_all(resend)
sandbox = one_for_each(resend)


@pytest.fixture
def caller(shared: Sandbox) -> Caller:
    return Caller(shared)


def test_a_sent_mail_is_in_the_recipients_mailbox_as_a_real_mail(caller: Caller) -> None:
    to = box()

    email_id = caller.sent(
        to=[to],
        cc=f"Copy <{box()}>",
        bcc=[f"blind@{DOMAIN}"],
        reply_to="help@acme.example",
        html="<p>Your code is <b>482913</b></p>",
        headers={"X-Entity-Ref-ID": "42"},
    )

    [mail] = caller.sandbox.inbox(to)
    assert (mail.subject, mail.from_[0].name, mail.from_[0].address) == ("Hello", "Acme", "hi@acme.example")
    assert (mail.text.strip(), mail.html.strip()) == ("Your code is 482913", "<p>Your code is <b>482913</b></p>")
    assert mail.reply_to[0].address == "help@acme.example"
    assert dict(mail.headers)["X-Entity-Ref-ID"] == "42"
    assert mail.message_id == caller.show(email_id)["message_id"]
    assert "blind" not in str(mail.headers)
    assert mail.defects == ()
    [row] = caller.sandbox.messages(to)
    assert (row.verification_code, row.envelope_from) == ("482913", "hi@acme.example")
    assert len(caller.sandbox.inbox(f"blind@{DOMAIN}")) == 1


def test_mail_for_outside_goes_to_the_catch_all_alone_once(caller: Caller) -> None:
    before = caller.sandbox.total()

    caller.sent(to=["one@outside.example", "two@outside.example"], cc=["three@else.example"])

    [row] = caller.sandbox.messages(caller.catch_all)
    assert row.to_addrs == "one@outside.example"
    assert caller.sandbox.total() == before + 1


def test_where_mailboxes_are_not_created_on_receipt_unknown_ones_mean_the_catch_all(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Sandbox(tmp_path_factory.mktemp("resend"), resend, create_on_receipt=False) as sandbox:
        caller = Caller(sandbox)
        caller.sent(to=[f"nobody@{DOMAIN}", caller.catch_all])
        assert sandbox.messages(f"nobody@{DOMAIN}") == []
        assert len(sandbox.messages(caller.catch_all)) == 1


@pytest.mark.parametrize(
    ("content", "plain"),
    [
        pytest.param(base64.b64encode(b"hello").decode(), b"hello", id="base64"),
        pytest.param("aGVs\nbG8=", b"hello", id="base64 in lines"),
        pytest.param(list(b"\x00\xff"), b"\x00\xff", id="numbers"),
        pytest.param({"type": "Buffer", "data": [104, 105]}, b"hi", id="Buffer"),
        pytest.param("", b"", id="empty"),
    ],
)
def test_an_attachment_arrives_and_can_be_downloaded(caller: Caller, content: Any, plain: bytes) -> None:
    to = box()
    files = [
        {"filename": "plain.txt", "content": content},
        {"filename": "图.png", "content": "aQ==", "content_id": "logo"},
        {"path": "https://files.example/remote.pdf"},
    ]

    email_id = caller.sent(to=to, attachments=files)

    [mail] = caller.sandbox.inbox(to)
    assert sorted((file.filename, file.size_bytes) for file in mail.attachments) == [
        ("plain.txt", len(plain)),
        ("图.png", 1),
    ]
    listed = caller("GET", f"/emails/{email_id}/attachments").json()
    assert [(file["filename"], file["size"]) for file in listed["data"]] == [
        ("plain.txt", len(plain)),
        ("图.png", 1),
        ("remote.pdf", 0),
    ]
    assert [file["content_disposition"] for file in listed["data"]] == ["attachment", "inline", "attachment"]
    contents = [caller.sandbox.request("GET", file["download_url"]) for file in listed["data"]]
    assert [(each.status_code, each.content) for each in contents[:2]] == [(200, plain), (200, b"i")]
    assert contents[2].status_code == 404
    one = caller("GET", f"/emails/{email_id}/attachments/{listed['data'][1]['id']}").json()
    assert one == {"object": "attachment", **listed["data"][1]}


def test_a_link_to_an_attachment_holds_for_an_hour_and_for_nothing_else(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    email_id = caller.sent(attachments=[{"filename": "a.txt", "content": "aQ=="}])
    url = caller("GET", f"/emails/{email_id}/attachments").json()["data"][0]["download_url"]

    forged = (url[:-1] + ("0" if url[-1] != "0" else "1"), url.replace("expires=1", "expires=2"))
    statuses = [sandbox.request("GET", each).status_code for each in (url, *forged)]
    sandbox.clock.advance(3_600)
    statuses.append(sandbox.request("GET", url).status_code)
    sandbox.clock.advance(1)
    statuses.append(sandbox.request("GET", url).status_code)

    assert statuses == [200, 404, 404, 200, 404]


def test_what_was_sent_is_shown_in_full(caller: Caller) -> None:
    email_id = caller.sent(to=["a@outside.example"], tags=[{"name": "kind", "value": "welcome"}])

    shown = caller.show(email_id)

    assert shown == {
        "object": "email",
        "id": email_id,
        "message_id": f"<{email_id}@acme.example>",
        "to": ["a@outside.example"],
        "from": "Acme <hi@acme.example>",
        "created_at": "2025-11-20T12:00:00.000000+00:00",
        "subject": "Hello",
        "html": None,
        "text": "Your code is 482913",
        "bcc": None,
        "cc": None,
        "reply_to": None,
        "last_event": "delivered",
        "scheduled_at": None,
        "tags": [{"name": "kind", "value": "welcome"}],
    }


def test_a_list_is_paged_both_ways_newest_first(sandbox: Sandbox) -> None:
    caller, other = Caller(sandbox), Caller(sandbox)
    ids = [caller.sent(subject=f"n{number}") for number in range(5)][::-1]
    other.sent()

    def page(query: str) -> tuple[list[str], bool]:
        answer = caller("GET", f"/emails?{query}").json()
        assert answer["object"] == "list"
        return [each["id"] for each in answer["data"]], answer["has_more"]

    assert page("") == (ids, False)
    assert page("limit=2") == (ids[:2], True)
    assert page("limit=2" + "&x=1" * 20) == (ids[:2], True)
    assert page(f"limit=2&after={ids[1]}") == (ids[2:4], True)
    assert page(f"limit=2&after={ids[3]}") == (ids[4:], False)
    assert page(f"limit=2&before={ids[4]}") == (ids[2:4], True)
    assert page(f"limit=4&before={ids[4]}") == (ids[:4], False)
    assert page(f"after={other.sent()}") == ([], False)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "after=a&before=b"])
def test_a_page_that_cannot_be_is_refused(caller: Caller, query: str) -> None:
    assert error(caller("GET", f"/emails?{query}"))[:2] == (422, "validation_error")


def test_a_scheduled_mail_comes_at_its_time_and_not_before(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    email_id = caller.sent(scheduled_at="in 1 hour")
    assert (caller.show(email_id)["last_event"], caller.show(email_id)["scheduled_at"]) == (
        "scheduled",
        "2025-11-20T13:00:00.000000+00:00",
    )

    sandbox.clock.advance(3_599)
    assert (sandbox.release_due(), sandbox.total()) == (0, 0)
    sandbox.clock.advance(1)
    assert (sandbox.release_due(), sandbox.release_due()) == (1, 0)

    assert caller.show(email_id)["last_event"] == "delivered"
    [mail] = sandbox.inbox(f"box@{DOMAIN}")
    assert mail.date == "Thu, 20 Nov 2025 13:00:00 +0000"


def test_a_mail_that_was_due_while_the_server_was_down_comes_late_and_once(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    for _ in range(3):
        caller.sent(scheduled_at="in 1 minute")
    sandbox.clock.advance(86_400)

    async def two_rounds_at_once() -> None:
        await asyncio.gather(sandbox.mails.release_due(), sandbox.mails.release_due())

    sandbox.run(two_rounds_at_once())

    assert len(sandbox.messages(f"box@{DOMAIN}")) == 3


def test_a_mail_that_cannot_be_released_is_given_up_and_the_others_come(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    broken = caller.sent(scheduled_at="in 1 minute")
    caller.sent(scheduled_at="in 2 minutes")
    release = sandbox.releases["resend"]

    def failing(due: DueMail) -> Released:
        if due.mail.provider_id == broken:
            raise RuntimeError("a bug")
        return release(due)

    sandbox.releases["resend"] = failing
    sandbox.clock.advance(120)

    assert (sandbox.release_due(), sandbox.release_due(), sandbox.total()) == (2, 0, 1)
    assert caller.show(broken)["last_event"] == "failed"


def test_a_scheduled_mail_waits_while_there_is_no_room(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    caller.sent(scheduled_at="in 1 minute")
    sandbox.clock.advance(60)

    sandbox.spooled_bytes = 1 << 30
    with pytest.raises(NoRoom):
        sandbox.release_due()
    sandbox.spooled_bytes = 0

    assert (sandbox.release_due(), sandbox.total()) == (1, 1)


def test_a_scheduled_mail_can_be_moved_and_canceled_and_then_no_more(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    moved, canceled = caller.sent(scheduled_at="in 1 hour"), caller.sent(scheduled_at="in 1 hour")

    assert caller(
        "PATCH", f"/emails/{moved}", json={"id": moved, "scheduled_at": "2025-11-22T10:00:00+02:00"}
    ).json() == {
        "object": "email",
        "id": moved,
    }
    assert caller("POST", f"/emails/{canceled}/cancel", json={}).json() == {"object": "email", "id": canceled}
    sandbox.clock.advance(3_600)
    sandbox.release_due()
    assert sandbox.total() == 0
    assert caller.show(moved)["scheduled_at"] == "2025-11-22T08:00:00.000000+00:00"
    assert caller.show(canceled)["last_event"] == "canceled"
    late = {"json": {"scheduled_at": "in 1 hour"}}
    assert error(caller("PATCH", f"/emails/{canceled}", **late))[:2] == (422, "validation_error")
    assert error(caller("POST", f"/emails/{canceled}/cancel"))[:2] == (422, "validation_error")
    sandbox.clock.advance(2 * 86_400)
    sandbox.release_due()
    assert sandbox.total() == 1
    assert error(caller("POST", f"/emails/{moved}/cancel", content=b"", headers={"content-type": "application/json"}))[
        :2
    ] == (422, "validation_error")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2025-11-20T12:00:00Z", "2025-11-20T12:00:00"),
        ("2025-11-20T12:00:00.5+00:00", "2025-11-20T12:00:01"),
        ("2025-12-20T12:00:00Z", "2025-12-20T12:00:00"),
        ("in 1 min", "2025-11-20T12:01:00"),
        ("In 90 Minutes", "2025-11-20T13:30:00"),
        ("in an hour", "2025-11-20T13:00:00"),
        ("in 2 days", "2025-11-22T12:00:00"),
        ("tomorrow", "2025-11-21T12:00:00"),
        ("tomorrow at 9am", "2025-11-21T09:00:00"),
        ("tomorrow at 12:30 AM", "2025-11-21T00:30:00"),
        ("tomorrow at 23:59", "2025-11-21T23:59:00"),
    ],
)
def test_times_are_read_as_resend_reads_them(caller: Caller, text: str, shown: str) -> None:
    assert caller.show(caller.sent(scheduled_at=text))["scheduled_at"] == f"{shown}.000000+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "2025-11-20T11:59:59Z",
        "2025-12-20T12:00:01Z",
        "2025-11-21T12:00:00",
        "in 31 days",
        "in 5",
        "tomorrow at 25:00",
        "tomorrow at 13pm",
        "yesterday",
        "9" * 200,
        "",
        7,
        {},
    ],
)
def test_other_times_are_refused(caller: Caller, text: Any) -> None:
    assert error(caller.send(scheduled_at=text))[:2] == (422, "validation_error")


def test_a_batch_is_taken_as_a_whole(caller: Caller) -> None:
    to = box()
    answer = caller("POST", "/emails/batch", json=[{**MAIL, "to": to, "subject": f"n{n}"} for n in range(3)])

    assert answer.status_code == 200
    assert [caller.show(each["id"])["subject"] for each in answer.json()["data"]] == ["n0", "n1", "n2"]
    assert [mail.subject for mail in caller.sandbox.inbox(to)] == ["n0", "n1", "n2"]
    assert "errors" not in answer.json()


def test_a_strict_batch_with_a_fault_takes_nothing(caller: Caller) -> None:
    to = box()
    batch = [{**MAIL, "to": to}, {**MAIL, "to": to, "subject": None}]

    for headers in ({}, {"x-batch-validation": "strict"}):
        answer = caller("POST", "/emails/batch", json=batch, headers=headers)
        assert error(answer) == (422, "missing_required_field", "Missing `subject` field.")

    assert caller.sandbox.messages(to) == []


def test_a_permissive_batch_takes_what_is_right_and_names_what_is_not(caller: Caller) -> None:
    to = box()
    batch = [{**MAIL, "to": "nobody"}, {**MAIL, "to": to}, 7, {**MAIL, "attachments": [{"content": "aQ=="}]}]

    answer = caller("POST", "/emails/batch", json=batch, headers={"x-batch-validation": "permissive"}).json()

    assert len(answer["data"]) == 1
    assert [each["index"] for each in answer["errors"]] == [0, 2, 3]
    assert all(each["message"] for each in answer["errors"])
    assert len(caller.sandbox.messages(to)) == 1


@pytest.mark.parametrize(("size", "status"), [(0, 422), (1, 200), (100, 200), (101, 422)])
def test_a_batch_holds_one_to_a_hundred_mails(caller: Caller, size: int, status: int) -> None:
    answer = caller("POST", "/emails/batch", json=[{**MAIL, "to": "a@outside.example"}] * size)
    assert answer.status_code == status


@pytest.mark.parametrize("body", [{}, "text", 7])
def test_a_batch_that_is_no_array_is_refused(caller: Caller, body: Any) -> None:
    assert error(caller("POST", "/emails/batch", json=body))[:2] == (422, "validation_error")


def test_the_same_key_and_request_give_the_same_answer_and_one_mail(caller: Caller) -> None:
    to, key = box(), {"idempotency-key": uuid4().hex}
    reordered = json.dumps({**MAIL, "to": to}, indent=2, sort_keys=True).encode()

    first = caller.send(to=to, http=key)
    again = caller("POST", "/emails", content=reordered, headers=key)

    assert (again.status_code, again.content) == (200, first.content)
    assert len(caller.sandbox.messages(to)) == 1


def test_a_key_is_not_for_another_request(caller: Caller) -> None:
    to, key = box(), {"idempotency-key": "order-7"}
    caller.send(to=to, http=key)

    answers = [
        caller.send(to=to, subject="Other", http=key),
        caller("POST", "/emails/batch", json=[MAIL], headers=key),
    ]

    assert [error(answer) for answer in answers] == [
        (
            409,
            "invalid_idempotent_request",
            "Same idempotency key used with a different request payload.",
        )
    ] * 2
    assert len(caller.sandbox.messages(to)) == 1
    assert Caller(caller.sandbox).send(to=to, subject="Other", http=key).status_code == 200


def test_a_key_is_forgotten_after_a_day(sandbox: Sandbox) -> None:
    caller, key = Caller(sandbox), {"idempotency-key": "k"}
    caller.send(http=key)
    sandbox.clock.advance(86_399)
    assert caller.send(subject="Other", http=key).status_code == 409
    sandbox.clock.advance(1)
    assert caller.send(subject="Other", http=key).status_code == 200


def test_a_refused_request_leaves_its_key_free(caller: Caller) -> None:
    key = {"idempotency-key": uuid4().hex}
    assert caller.send(subject=None, http=key).status_code == 422
    assert caller.send(to="x+fault-500@outside.example", http=key).status_code == 500
    assert caller.send(http=key).status_code == 200


def test_of_many_at_once_with_one_key_one_is_taken(caller: Caller) -> None:
    to = box()
    headers = {**caller.headers, "idempotency-key": uuid4().hex}

    async def at_once() -> list[httpx.Response]:
        sandbox = caller.sandbox
        sending = [sandbox.http.post("/emails", json={**MAIL, "to": to}, headers=headers) for _ in range(20)]
        return await asyncio.gather(*sending)

    answers = caller.sandbox.run(at_once())

    taken = [answer.content for answer in answers if answer.status_code == 200]
    refused = [answer.json()["name"] for answer in answers if answer.status_code != 200]
    assert len(set(taken)) == 1
    assert set(refused) <= {"concurrent_idempotent_requests"}
    assert refused
    assert len(caller.sandbox.messages(to)) == 1


@pytest.mark.parametrize(("length", "status"), [(0, 400), (1, 200), (256, 200), (257, 400)])
def test_a_key_has_1_to_256_characters(caller: Caller, length: int, status: int) -> None:
    answer = caller.send(http={"idempotency-key": "k" * length})
    assert answer.status_code == status
    assert status == 200 or answer.json()["name"] == "invalid_idempotency_key"


def test_usage_counts_mails_of_the_day_and_the_month(sandbox: Sandbox) -> None:
    caller = Caller(sandbox, switches={"daily_quota": 10})
    caller("POST", "/emails/batch", json=[MAIL] * 3)
    sandbox.clock.advance(86_400)
    answer = caller.send()
    assert (answer.headers["x-resend-daily-quota"], answer.headers["x-resend-monthly-quota"]) == ("1", "4")

    usage = caller("GET", "/usage").json()["emails"]

    assert usage == {
        "daily": {
            "used": 1,
            "limit": 10,
            "sent": 1,
            "received": 0,
            "resets_at": "2025-11-22T00:00:00.000000+00:00",
        },
        "monthly": {
            "used": 4,
            "limit": None,
            "sent": 4,
            "received": 0,
            "resets_at": "2025-12-01T00:00:00.000000+00:00",
        },
    }


def test_domains_are_those_that_are_switched_on(shared: Sandbox) -> None:
    caller = Caller(shared, switches={"domains": "acme.example, Other.example"})

    assert [each["name"] for each in caller("GET", "/domains").json()["data"]] == ["acme.example", "other.example"]
    assert caller.send().status_code == 200
    assert error(caller("POST", "/emails", json={**MAIL, "from": "x@third.example"})) == (
        403,
        "validation_error",
        "The third.example domain is not verified. Please, add and verify your domain on https://resend.com/domains",
    )


def test_a_template_takes_the_place_of_a_text(caller: Caller) -> None:
    to = box()
    caller.sent(to=to, text=None, subject=None, template={"id": "welcome", "variables": {"NAME": "Ann", "N": 7}})
    [mail] = caller.sandbox.inbox(to)
    assert mail.text.splitlines()[:3] == ["Template: welcome", "NAME: Ann", "N: 7"]


def test_another_credential_does_not_see_a_mail(caller: Caller) -> None:
    email_id = caller.sent()
    other = Caller(caller.sandbox)
    for method, path in (
        ("GET", f"/emails/{email_id}"),
        ("POST", f"/emails/{email_id}/cancel"),
        ("GET", f"/emails/{email_id}/attachments"),
    ):
        assert error(other(method, path)) == (404, "not_found", "Email not found")


def test_a_large_mail_is_taken_and_its_spool_file_named_by_the_store(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    content = base64.b64encode(b"x" * 600_000).decode()

    caller.sent(attachments=[{"filename": "big.bin", "content": content}])

    [raw] = sandbox.raws(f"box@{DOMAIN}")
    assert len(raw) > 800_000
    assert len(list(sandbox.spool_folder.iterdir())) == 1
    caller.send(attachments=[{"filename": "big.bin", "content": content}], http={"idempotency-key": "k"})
    caller.send(attachments=[{"filename": "big.bin", "content": content}], http={"idempotency-key": "k"})
    assert len(list(sandbox.spool_folder.iterdir())) == 2, "a repeat leaves no file behind"


def test_a_large_mail_whose_request_was_cut_off_during_the_commit_is_kept_whole(sandbox: Sandbox) -> None:
    caller = Caller(sandbox)
    mail = {**MAIL, "attachments": [{"filename": "big.bin", "content": base64.b64encode(b"x" * 600_000).decode()}]}

    async def case() -> None:
        sandbox.committing.clear()
        sandbox.may_commit.clear()
        request = asyncio.create_task(sandbox.http.post("/emails", json=mail, headers=caller.headers))
        await sandbox.committing.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        sandbox.may_commit.set()

    sandbox.run(case())
    caller.sent(to=caller.catch_all)  # comes after it

    [raw] = sandbox.raws(f"box@{DOMAIN}")
    assert len(raw) > 800_000
