"""Mail to the future over HTTP: the endpoints of seed 002, driven by the clock through the real service and store."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tempmail.adapters.sql.sqlite import connect
from tempmail.domain.actor import Role
from tempmail.domain.capsules import MAX_UNSENT
from tempmail.web.endpoints import ALL
from tests.contract.capsule_suite import (
    CAPSULE_PASSWORD,
    DAY,
    LOCAL,
    Future,
    capsule_for,
    iso,
    refusal,
)
from tests.contract.web_suite import NOON, Server

KIB = 1024


# The life of a capsule


def test_a_mail_is_written_set_frozen_and_delivered_at_its_time(future: Future) -> None:
    mail = future.draft()
    assert future.status(mail) == "DRAFT"

    set_ = future.set(mail).json()["data"]
    assert set_ == {
        "mailId": mail,
        "capsuleId": set_["capsuleId"],
        "status": "PENDING",
        "sendTime": "2024-01-02T12:00:00Z",
        "countdown": DAY,
        "updatedAt": "2024-01-01T12:00:00Z",
    }

    future.server.clock.advance(DAY - 601)
    future.work()
    assert future.status(mail) == "PENDING"
    future.server.clock.advance(1)
    future.work()
    assert future.status(mail) == "DELIVERING"

    future.server.clock.advance(599)
    future.work()
    assert (future.status(mail), future.received(LOCAL)) == ("DELIVERING", [])
    future.server.clock.advance(1)
    future.work()
    delivered = future.detail(mail)
    assert (delivered["status"], delivered["deliveryTime"]) == ("DELIVERED", "2024-01-02T12:00:00Z")
    [message] = future.received(LOCAL)
    assert (message["subject"], message["preview"]) == ("To me", "Dear future me")
    assert future.address in message["sender"]


def test_rounds_after_the_delivery_deliver_nothing_more(future: Future) -> None:
    future.pending()
    future.server.clock.advance(DAY)
    for _ in range(3):
        future.work()
        future.server.clock.advance(DAY)

    assert len(future.received(LOCAL)) == 1


def test_after_a_downtime_all_that_is_due_is_delivered_late_and_once(future: Future) -> None:
    mails = [future.pending(in_s) for in_s in (3600, 2 * 3600, 3 * DAY)]
    later = future.pending(10 * DAY)

    future.server.clock.advance(9 * DAY)
    future.work()

    assert [future.status(mail) for mail in mails] == ["DELIVERED"] * 3
    assert future.status(later) == "PENDING"
    assert {future.detail(mail)["deliveryTime"] for mail in mails} == {iso(NOON + 9 * DAY)}
    assert len(future.received(LOCAL)) == 3


def test_a_time_with_a_fraction_is_kept_to_the_next_second(future: Future) -> None:
    mail = future.draft()
    answer = future.set(mail, sendTime="2024-01-02T12:00:00.25Z")
    assert answer.json()["data"]["sendTime"] == "2024-01-02T12:00:01Z"

    future.server.clock.advance(DAY + 0.5)
    future.work()
    assert future.received(LOCAL) == []
    future.server.clock.advance(0.5)
    future.work()
    assert future.status(mail) == "DELIVERED"


def test_a_pending_mail_can_be_revoked_and_set_again(future: Future) -> None:
    mail = future.draft()
    first = future.set(mail).json()["data"]["capsuleId"]
    future.server.clock.advance(DAY - 601)
    future.work()

    revoked = future.client.post(f"/api/v1/mails/{mail}/revoke")

    at = iso(NOON + DAY - 601)
    assert revoked.json()["data"] == {"mailId": mail, "status": "DRAFT", "revokedAt": at}
    detail = future.detail(mail)
    assert (detail["sendTime"], detail["capsuleId"], detail["countdown"]) == (None, None, None)
    assert (detail["canEdit"], detail["canRevoke"]) == (True, False)
    future.server.clock.advance(DAY)
    future.work()
    assert future.received(LOCAL) == []
    assert future.set(mail).json()["data"]["capsuleId"] != first


def test_from_ten_minutes_before_its_time_a_mail_cannot_be_revoked(future: Future) -> None:
    mail = future.pending()
    future.server.clock.advance(DAY - 600)
    future.work()

    assert refusal(future.client.post(f"/api/v1/mails/{mail}/revoke")) == (422, "not_pending")


@pytest.mark.parametrize("state", ["DRAFT", "PENDING", "DELIVERING", "DELIVERED"])
def test_only_a_draft_is_changed_deleted_and_set_and_only_a_pending_mail_revoked(future: Future, state: str) -> None:
    mail = future.draft() if state == "DRAFT" else future.pending()
    future.server.clock.advance({"DELIVERING": DAY - 600, "DELIVERED": DAY}.get(state, 120))
    future.work()
    assert future.status(mail) == state
    url, is_draft = f"/api/v1/mails/{mail}", state == "DRAFT"

    assert future.client.patch(url, json={"title": "New"}).status_code == (200 if is_draft else 422)
    uploaded = future.client.post(f"{url}/attachments", files={"file": ("a.txt", b"a")})
    assert uploaded.status_code == (200 if is_draft else 422)
    if not is_draft:
        assert refusal(future.set(mail, 2 * DAY)) == (422, "not_draft")
    assert future.client.post(f"{url}/revoke").status_code == (200 if state == "PENDING" else 422)
    assert future.client.delete(url).status_code == (200 if state in ("DRAFT", "PENDING") else 422)


# The rules of setting, at n and n + 1


@pytest.mark.parametrize(("in_s", "status"), [(3599, 422), (3599.999, 422), (3600, 200)])
def test_a_mail_is_set_an_hour_ahead_at_least(still: Future, in_s: float, status: int) -> None:
    fraction = f"{in_s % 1:.3f}"[1:] if in_s % 1 else ""
    time = iso(NOON + int(in_s)).replace("Z", f"{fraction}Z")
    assert still.set(still.draft(), sendTime=time).status_code == status


def test_the_server_clock_counts_to_the_fraction(future: Future) -> None:
    future.server.clock.advance(0.5)
    assert refusal(future.set(future.draft(), sendTime=iso(NOON + 3600))) == (422, "too_soon")


@pytest.mark.parametrize("chars", [200, 201])
def test_a_title_has_200_characters_at_most(still: Future, chars: int) -> None:
    answer = still.client.post("/api/v1/mails", json={"title": "题" * chars})
    assert answer.status_code == (200 if chars == 200 else 422)


@pytest.mark.parametrize(
    ("body", "error"), [({"title": "a\nb"}, "title_invalid"), ({"capsuleStyle": "x" * 65}, "style_invalid")]
)
def test_what_cannot_stand_in_a_field_is_refused(still: Future, body: dict[str, Any], error: str) -> None:
    assert refusal(still.client.post("/api/v1/mails", json=body)) == (422, error)


@pytest.mark.parametrize("missing", ["recipient", "title", "content"])
def test_a_mail_without_a_recipient_a_title_or_content_is_not_set(still: Future, missing: str) -> None:
    mail = still.draft(**{missing: None})
    assert refusal(still.set(mail)) == (422, f"no_{missing}")


def test_a_user_sets_five_mails_a_month(still: Future) -> None:
    for used in range(5):
        assert still.client.get("/api/v1/mails/quota").json()["data"]["used"] == used
        still.pending()

    assert refusal(still.set(still.draft())) == (422, "quota_reached")
    quota = still.client.get("/api/v1/mails/quota").json()["data"]
    assert quota == {"limit": 5, "used": 5, "resetAt": "2024-02-01T00:00:00Z"}


def test_a_month_begins_at_midnight_utc(future: Future) -> None:
    for _ in range(5):
        future.pending(60 * DAY)
    mail = future.draft()
    future.server.clock.advance(30 * DAY + DAY / 2 - 1)
    assert iso(future.now) == "2024-01-31T23:59:59Z"
    assert refusal(future.set(mail)) == (422, "quota_reached")

    future.server.clock.advance(1)

    assert future.set(mail).status_code == 200
    assert future.client.get("/api/v1/mails/quota").json()["data"]["used"] == 1


def test_setting_a_revoked_mail_again_is_free_and_revoking_refunds_nothing(still: Future) -> None:
    mails = [still.pending() for _ in range(5)]
    still.client.post(f"/api/v1/mails/{mails[0]}/revoke")
    assert refusal(still.set(still.draft())) == (422, "quota_reached")

    assert still.set(mails[0]).status_code == 200
    still.client.post(f"/api/v1/mails/{mails[1]}/revoke")
    still.client.delete(f"/api/v1/mails/{mails[1]}")
    assert refusal(still.set(still.draft())) == (422, "quota_reached")


@pytest.mark.parametrize("role", [Role.ADMIN, Role.STRICT_ADMIN])
def test_admins_set_as_many_as_they_like(still: Future, role: Role) -> None:
    client = still.server.client(still.server.actor(role))
    for _ in range(6):
        assert still.set(still.draft(client), client=client).status_code == 200
    assert client.get("/api/v1/mails/quota").json()["data"] == {
        "limit": None,
        "used": 6,
        "resetAt": "2024-02-01T00:00:00Z",
    }


def test_the_root_token_has_mails_of_its_own(still: Future) -> None:
    root = still.server.root()
    mail = still.draft(root)
    assert still.set(mail, client=root).status_code == 200
    assert still.detail(mail, root)["sender"]["userId"] is None
    assert refusal(still.client.get(f"/api/v1/mails/{mail}")) == (403, "forbidden")


def test_there_are_at_most_a_hundred_drafts(still: Future) -> None:
    mails = [still.draft() for _ in range(MAX_UNSENT)]
    assert refusal(still.client.post("/api/v1/mails", json={})) == (422, "too_many")
    still.client.delete(f"/api/v1/mails/{mails[0]}")
    assert still.client.post("/api/v1/mails", json={}).status_code == 200


@pytest.mark.parametrize(
    ("trigger", "condition", "status"),
    [
        ("TIME", {}, 200),
        ("LOCATION", {"location": {"city": "北京"}}, 200),
        ("LOCATION", {"location": {"latitude": 90, "longitude": -180}}, 200),
        ("LOCATION", {"location": {"latitude": 90.001, "longitude": 0}}, 422),
        ("LOCATION", {"location": {"latitude": 0, "longitude": 180.001}}, 422),
        ("LOCATION", {"location": {"latitude": 1}}, 422),
        ("LOCATION", {}, 422),
        ("EVENT", {"event": {"type": "birthday"}}, 200),
        ("EVENT", {"event": {"keywords": ["graduation"]}}, 200),
        ("EVENT", {"event": {"keywords": [" "]}}, 422),
        ("EVENT", {"event": {"keywords": ["w"] * 51}}, 422),
        ("EVENT", {}, 422),
        ("NEVER", {}, 400),
        ("time", {}, 400),
    ],
)
def test_a_trigger_needs_its_condition(still: Future, trigger: str, condition: dict[str, Any], status: int) -> None:
    mail = still.draft()
    answer = still.set(mail, triggerType=trigger, triggerCondition=condition)

    assert answer.status_code == status
    if status == 200:
        detail = still.detail(mail)
        assert (detail["triggerType"], detail["triggerCondition"]) == (trigger, condition)


def test_a_trigger_releases_a_mail_but_not_within_an_hour_of_its_setting(future: Future) -> None:
    mail = future.draft()
    future.set(mail, triggerType="EVENT", triggerCondition={"event": {"type": "birthday"}})
    url = f"/api/v1/mails/{mail}/trigger"
    future.server.clock.advance(3599)
    assert refusal(future.client.post(url)) == (422, "too_soon")
    future.server.clock.advance(1)
    bob = future.server.client(future.server.actor(Role.USER))
    assert refusal(bob.post(url)) == (403, "forbidden")

    released = future.client.post(url).json()["data"]

    assert released["releasedAt"] == iso(NOON + 3600)
    assert future.detail(mail)["countdown"] == 0
    future.work()
    assert future.detail(mail)["deliveryTime"] == iso(NOON + 3600)
    assert refusal(future.client.post(url)) == (422, "not_pending")
    assert len(future.received(LOCAL)) == 1


def test_a_mail_that_waits_for_its_time_has_nothing_to_trigger(future: Future) -> None:
    mail = future.pending()
    future.server.clock.advance(3600)
    assert refusal(future.client.post(f"/api/v1/mails/{mail}/trigger")) == (422, "no_trigger")


# The order of the checks


def test_of_several_faults_the_first_in_the_order_is_told(future: Future) -> None:
    """Provider facts 5: each request has one fault less than the one before."""
    foreign = future.draft(future.server.client(future.server.actor(Role.USER)))
    taken = future.pending()
    future.server.clock.advance(61)
    for _ in range(4):
        future.pending()
    empty = future.draft(recipient=None, title=None)
    full = future.draft()
    post = future.client.post
    path = "/api/v1/mails/send-to-future"
    bad = {"triggerType": "LOCATION"}
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"mailId": 7, "sendTime": "x"}, 400, "bad_request"),
        ({"sendTime": "x", "triggerType": "x"}, 400, "bad_request"),
        ({"mailId": "mail_x", "triggerType": "x"}, 400, "bad_request"),
        ({"mailId": "mail_x", "sendTime": "2025-01-01T00:00:00", "triggerType": "x"}, 400, "bad_request"),
        ({"mailId": "mail_x", "sendTime": iso(NOON), "triggerType": "x"}, 400, "bad_request"),
        ({"mailId": "mail_x", "sendTime": iso(NOON), **bad}, 404, "not_found"),
        ({"mailId": foreign, "sendTime": iso(NOON), **bad}, 403, "forbidden"),
        ({"mailId": taken, "sendTime": iso(NOON), **bad}, 422, "not_draft"),
        ({"mailId": empty, "sendTime": iso(NOON), **bad}, 422, "no_recipient"),
        ({"mailId": full, "sendTime": iso(NOON), **bad}, 422, "too_soon"),
        ({"mailId": full, "sendTime": iso(NOON + DAY), **bad}, 422, "trigger_invalid"),
        ({"mailId": full, "sendTime": iso(NOON + DAY)}, 422, "quota_reached"),
    ]
    for body, status, error in cases:
        assert refusal(post(path, json=body)) == (status, error), body
    assert refusal(future.server.client().post(path, json={"mailId": 7})) == (401, "unauthorized")


@pytest.mark.parametrize(
    "time",
    [
        "2024-06-01T12:00:00",
        "2024-06-01",
        "tomorrow",
        "2024-02-30T12:00:00Z",
        "2024-06-01T25:00:00Z",
        "10000-01-01T00:00:00Z",
    ],
)
def test_a_time_is_a_date_a_time_of_day_and_an_offset(still: Future, time: str) -> None:
    assert refusal(still.set(still.draft(), sendTime=time)) == (400, "bad_request")


def test_an_offset_is_kept_as_utc(still: Future) -> None:
    answer = still.set(still.draft(), sendTime="2024-06-01T20:00:00+08:00")
    assert answer.json()["data"]["sendTime"] == "2024-06-01T12:00:00Z"


# Repeats


def test_the_same_time_again_within_a_minute_is_the_same_setting(future: Future) -> None:
    mail = future.draft()
    time = iso(NOON + DAY)
    first = future.set(mail, sendTime=time)
    future.server.clock.advance(60)
    assert future.set(mail, sendTime=time).json() == first.json()
    assert refusal(future.set(mail, sendTime=iso(NOON + DAY + 1))) == (422, "not_draft")
    future.server.clock.advance(1)
    assert refusal(future.set(mail, sendTime=time)) == (422, "not_draft")


def test_the_same_key_is_answered_as_the_first_time_for_a_day(future: Future) -> None:
    mail, other = future.draft(), future.draft()
    time, key = iso(NOON + 10 * DAY), {"idempotency-key": "k1"}
    first = future.set(mail, sendTime=time, headers=key)
    future.server.clock.advance(DAY)

    assert future.set(mail, sendTime=time, headers=key).json() == first.json()
    assert refusal(future.set(other, sendTime=time, headers=key)) == (422, "key_reused")
    future.server.clock.advance(1)
    assert future.set(other, sendTime=time, headers=key).status_code == 200
    too_long = {"idempotency-key": "k" * 256}
    assert refusal(future.set(mail, sendTime=time, headers=too_long)) == (400, "bad_request")


def test_a_key_is_its_callers_own(still: Future) -> None:
    bob = still.server.client(still.server.actor(Role.USER))
    key = {"idempotency-key": "k1"}
    assert still.set(still.draft(), headers=key).status_code == 200
    assert still.set(still.draft(bob), client=bob, headers=key).status_code == 200


# Lists


def test_ones_own_are_listed_by_state_and_time(still: Future) -> None:
    late, soon = still.pending(3 * DAY), still.pending(2 * DAY)
    draft = still.draft()
    still.draft(still.server.client(still.server.actor(Role.USER)))

    def listed(**params: Any) -> list[str]:
        return [i["mailId"] for i in still.client.get("/api/v1/mails", params=params).json()["data"]["list"]]

    assert listed(type="SENT", status="PENDING") == [soon, late]
    assert listed(type="DRAFT") == [draft]
    assert listed(type="SENT", status="DRAFT") == []
    assert listed(type="INBOX") == []
    assert sorted(listed()) == sorted([late, soon, draft])
    page = still.client.get("/api/v1/mails", params={"type": "SENT", "page": 2, "size": 1}).json()["data"]
    assert ([i["mailId"] for i in page["list"]], page["total"], page["page"], page["size"]) == ([late], 2, 2, 1)


def test_a_list_item_has_the_fields_of_the_seed(still: Future) -> None:
    mail = still.pending(recipient={"username": still.ann.username})
    [item] = still.client.get("/api/v1/mails?type=SENT&status=PENDING&page=1&size=10").json()["data"]["list"]
    person = {"userId": f"user_{still.ann.user_id}", "username": still.ann.username, "avatar": None}
    assert item == {
        "mailId": mail,
        "title": "To me",
        "sender": person,
        "recipient": person,
        "sendTime": "2024-01-02T12:00:00Z",
        "deliveryTime": None,
        "status": "PENDING",
        "hasAttachments": False,
        "isEncrypted": False,
        "capsuleStyle": "default",
        "countdown": DAY,
    }


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("size=100", 200),
        ("size=101", 400),
        ("size=0", 400),
        ("page=0", 400),
        ("page=x", 400),
        ("page=1.5", 400),
        ("type=TRASH", 400),
        ("type=sent", 400),
        ("status=LOST", 400),
        ("page=1000000", 200),
        ("page=1000001", 400),
    ],
)
def test_a_bad_query_is_refused(still: Future, query: str, status: int) -> None:
    assert still.client.get(f"/api/v1/mails?{query}").status_code == status


# The envelope of errors, whatever layer they come from


def test_errors_stand_in_the_envelope_whatever_layer_they_come_from(still: Future) -> None:
    client, anonymous = still.client, still.server.client()
    guest = still.server.client(still.server.actor(Role.GUEST))
    assert refusal(anonymous.get("/api/v1/mails")) == (401, "unauthorized")
    assert refusal(guest.get("/api/v1/mails")) == (403, "forbidden")
    assert refusal(client.post("/api/v1/mails", content=b"{")) == (400, "bad_request")
    assert refusal(client.post("/api/v1/mails", content=b"[" * 4000)) == (400, "bad_request")
    assert refusal(client.post("/api/v1/mails", json={"title": 7})) == (400, "bad_request")
    assert refusal(client.post("/api/v1/mails", content=b" " * 5000)) == (413, "too_large")
    assert refusal(client.get("/api/v1/mails/mail_x/no/such/path")) == (404, "not_found")
    assert refusal(client("PATCH", "/api/v1/mails")) == (404, "not_found")
    assert refusal(client.get("/api/v1/mails/mail_unknown")) == (404, "not_found")
    assert set(client.get("/api/v1/mails-elsewhere").json()) == {"error"}


def test_a_fault_of_the_server_stands_in_the_envelope_too(future: Future, tmp_path: Path) -> None:
    mail = future.draft()
    with closing(connect(tmp_path / "real" / "tempmail.db")) as connection:
        connection.execute("update capsules set trigger_condition = 'no json'")

    answer = future.client.get(f"/api/v1/mails/{mail}")

    assert refusal(answer) == (500, "internal_error")
    assert set(answer.json()) == {"code", "message", "data", "error", "request_id"}


def test_a_database_that_fails_is_told_in_the_envelope(future: Future, tmp_path: Path) -> None:
    with closing(connect(tmp_path / "real" / "tempmail.db")) as connection:
        connection.execute("drop table capsule_uses")

    answer = future.client.get("/api/v1/mails/quota")

    assert refusal(answer) == (503, "unavailable")
    assert answer.headers["retry-after"]


# Whose it is


MAIL_ROUTES = [route for endpoint in ALL for route in endpoint.routes if "/mails/{mailId}" in route]


@pytest.mark.parametrize("role", [Role.STRICT_ADMIN, Role.ADMIN, Role.USER, Role.MAILBOX])
@pytest.mark.parametrize("route", MAIL_ROUTES)
def test_the_mail_of_another_is_refused_to_everybody(shared: Server, role: Role, route: str) -> None:
    owner = shared.actor(Role.USER)
    mail, attachment = capsule_for(shared, owner, route)
    method, _, path = route.partition(" ")
    before = shared.client(owner).get(f"/api/v1/mails/{mail}").json()["data"]
    body: dict[str, Any] = {"json": {"password": CAPSULE_PASSWORD}} if method in ("POST", "PUT", "PATCH") else {}

    client = shared.client(shared.actor(role))
    answer = client(method, path.replace("{mailId}", mail).replace("{id}", attachment), **body)

    assert refusal(answer) == (403, "forbidden")
    assert shared.client(owner).get(f"/api/v1/mails/{mail}").json()["data"] == before


def test_a_mailbox_writes_as_itself_within_the_quota_of_users(future: Future) -> None:
    box = future.server.actor(Role.MAILBOX)
    client = future.server.client(box)
    mails = [future.draft(client) for _ in range(6)]
    answers = [future.set(mail, client=client).status_code for mail in mails]
    assert answers == [200] * 5 + [422]

    future.server.clock.advance(DAY)
    future.work()

    detail = future.detail(mails[0], client)
    assert (detail["status"], detail["sender"]["email"]) == ("DELIVERED", box.mailbox_address)
    assert all(str(box.mailbox_address) in message["sender"] for message in future.received(LOCAL))
