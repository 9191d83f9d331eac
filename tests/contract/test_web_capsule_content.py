"""What mail to the future holds: passwords, attachments, edits."""

from typing import Any

import pytest

from tempmail.domain.actor import Role
from tempmail.domain.capsules import MAX_ATTACHMENT_BYTES, MAX_ATTACHMENTS
from tests.contract.capsule_suite import (
    DAY,
    LOCAL,
    Future,
    iso,
    refusal,
)
from tests.contract.web_suite import NOON

KIB = 1024


# Editing


def test_an_edit_changes_what_it_names(future: Future) -> None:
    mail = future.draft()
    before = future.detail(mail)
    future.server.clock.advance(5)

    edited = future.client.put(f"/api/v1/mails/{mail}", json={"content": "New"}).json()["data"]

    assert edited == {**before, "content": "New", "updatedAt": iso(NOON + 5)}
    stale = future.client.patch(f"/api/v1/mails/{mail}", json={"title": "x", "updatedAt": before["updatedAt"]})
    assert refusal(stale) == (422, "changed")
    fresh = future.client.patch(f"/api/v1/mails/{mail}", json={"title": "x", "updatedAt": edited["updatedAt"]})
    assert fresh.json()["data"]["title"] == "x"


@pytest.mark.parametrize(
    ("recipient", "error"),
    [
        ({"userId": "user_999999"}, "recipient_unknown"),
        ({"userId": 0}, "recipient_unknown"),
        ({"userId": "9" * 40}, "recipient_unknown"),
        ({"userId": "mailbox_1"}, "recipient_unknown"),
        ({"username": "nobody-has-this"}, "recipient_unknown"),
        ({"email": "no address"}, "recipient_invalid"),
        ({"email": "a@b"}, "recipient_invalid"),
        ({"email": "a@b.example\r\nBcc: c@d.example"}, "recipient_invalid"),
    ],
)
def test_a_recipient_that_cannot_be_is_refused(still: Future, recipient: dict[str, Any], error: str) -> None:
    assert refusal(still.client.post("/api/v1/mails", json={"recipient": recipient})) == (422, error)


# Encrypted mails


def test_an_encrypted_mail_shows_its_content_for_its_password_alone(future: Future) -> None:
    mail = future.draft(isEncrypted=True, password="horses")
    url = f"/api/v1/mails/{mail}"
    uploaded = future.client.post(f"{url}/attachments", files={"file": ("a.png", b"png", "image/png")}).json()["data"]

    detail = future.detail(mail)
    assert (detail["content"], detail["attachments"], detail["requiresVerification"]) == (None, [], True)
    assert refusal(future.client.get(uploaded["url"])) == (403, "forbidden")
    assert refusal(future.client.post(f"{url}/unlock", json={"password": "wrong horse"})) == (403, "forbidden")

    opened = future.client.post(f"{url}/unlock", json={"password": "horses"}).json()["data"]

    assert (opened["content"], opened["requiresVerification"]) == ("Dear future me", False)
    assert opened["attachments"] == [uploaded]
    assert future.client.get(uploaded["url"]).content == b"png"
    future.server.clock.advance(600)
    assert refusal(future.client.get(uploaded["url"])) == (403, "forbidden")


def test_the_delivered_mail_of_an_encrypted_one_holds_nothing_of_it(future: Future) -> None:
    mail = future.draft(
        isEncrypted=True, password="horses", content="Sesame", recipient={"username": future.ann.username}
    )
    future.client.post(f"/api/v1/mails/{mail}/attachments", files={"file": ("a.txt", b"Sesame")})
    future.set(mail)
    future.server.clock.advance(DAY)
    future.work()

    [message] = future.received(future.address)
    raw = future.server.root().get(f"/api/email/{message['id']}/download").content
    assert b"Sesame" not in raw
    assert b"U2VzYW1l" not in raw
    whole = future.server.root().get(f"/api/v1/messages/{message['id']}").json()
    assert f"/api/v1/mails/{mail}/unlock" in whole["text"]
    opened = future.client.post(f"/api/v1/mails/{mail}/unlock", json={"password": "horses"})
    assert opened.json()["data"]["content"] == "Sesame"


def test_passwords_are_tried_five_times_in_five_minutes(future: Future) -> None:
    mail = future.draft(isEncrypted=True, password="horses")
    url = f"/api/v1/mails/{mail}/unlock"
    for _ in range(5):
        assert refusal(future.client.post(url, json={"password": "wrong horse"})) == (403, "forbidden")
    limited = future.client.post(url, json={"password": "horses"})
    assert refusal(limited) == (429, "too_many_requests")
    assert limited.headers["retry-after"] == "300"
    future.server.clock.advance(300)
    assert future.client.post(url, json={"password": "horses"}).status_code == 200


def test_an_encrypted_draft_is_opened_by_its_password_alone(still: Future) -> None:
    mail = still.draft(isEncrypted=True, password="horses")
    url = f"/api/v1/mails/{mail}"
    for body in (
        {"isEncrypted": False},
        {"password": "my own horse"},
        {"isEncrypted": False, "currentPassword": "wrong horse"},
    ):
        assert refusal(still.client.patch(url, json=body)) == (403, "forbidden")
    assert still.client.patch(url, json={"title": "Still closed"}).json()["data"]["content"] is None
    opened = still.client.patch(url, json={"isEncrypted": False, "currentPassword": "horses"}).json()["data"]
    assert (opened["content"], opened["isEncrypted"]) == ("Dear future me", False)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"isEncrypted": True}, 400),
        ({"password": "horses"}, 400),
        ({"isEncrypted": True, "password": "12345"}, 422),
        ({"isEncrypted": True, "password": "123456"}, 200),
        ({"isEncrypted": True, "password": "x" * 1024}, 200),
        ({"isEncrypted": True, "password": "x" * 1025}, 422),
    ],
)
def test_an_encrypted_mail_has_a_password(still: Future, body: dict[str, Any], status: int) -> None:
    assert still.client.post("/api/v1/mails", json=body).status_code == status


def test_a_mail_that_is_not_encrypted_is_not_unlocked(still: Future) -> None:
    answer = still.client.post(f"/api/v1/mails/{still.draft()}/unlock", json={"password": "horses"})
    assert refusal(answer) == (422, "not_encrypted")


# Attachments


def test_an_attachment_is_uploaded_listed_fetched_delivered_and_removed(future: Future) -> None:
    mail = future.draft()
    url = f"/api/v1/mails/{mail}/attachments"
    png = future.client.post(url, files={"file": ("照片.png", b"\x89PNG\r\n--", "image/png")}).json()["data"]
    raw = future.client.post(f"{url}?filename=../notes.txt", content=b"notes", headers={"content-type": "text/plain"})
    assert (png["type"], png["name"], png["size"], png["thumbnail"]) == ("IMAGE", "照片.png", 8, png["url"])
    assert raw.json()["data"]["name"] == "notes.txt"
    assert [a["type"] for a in future.detail(mail)["attachments"]] == ["IMAGE", "FILE"]
    assert future.client.get(png["url"]).content == b"\x89PNG\r\n--"

    gone = future.client.delete(raw.json()["data"]["url"])
    assert gone.json()["data"] == {"mailId": mail, "id": raw.json()["data"]["id"]}
    assert refusal(future.client.delete(raw.json()["data"]["url"])) == (404, "not_found")

    future.set(mail)
    assert refusal(future.client.delete(png["url"])) == (422, "not_draft")
    future.server.clock.advance(DAY)
    future.work()
    [message] = future.received(LOCAL)
    whole = future.server.root().get(f"/api/v1/messages/{message['id']}").json()
    assert [a["filename"] for a in whole["attachments"]] == ["照片.png"]


def test_an_attachment_has_ten_mib_at_most_alone_and_together(future: Future) -> None:
    mail = future.draft()
    url = f"/api/v1/mails/{mail}/attachments"
    over = future.client.post(url, files={"file": ("a.bin", bytes(MAX_ATTACHMENT_BYTES + 1))})
    assert refusal(over) == (413, "too_large")
    way_over = future.client.post(url, content=bytes(MAX_ATTACHMENT_BYTES + 100 * KIB))
    assert refusal(way_over) == (413, "too_large")
    full = future.client.post(url, files={"file": ("a.bin", bytes(MAX_ATTACHMENT_BYTES))})
    assert full.json()["data"]["size"] == MAX_ATTACHMENT_BYTES
    assert refusal(future.client.post(url, files={"file": ("b.bin", b"b")})) == (422, "attachments_too_large")

    assert future.set(mail).status_code == 200
    future.server.clock.advance(DAY)
    future.work()
    assert future.received(LOCAL)[0]["subject"] == "To me"


def test_a_mail_has_twenty_attachments_at_most(still: Future) -> None:
    url = f"/api/v1/mails/{still.draft()}/attachments"
    for _ in range(MAX_ATTACHMENTS):
        assert still.client.post(url, files={"file": ("a", b"a")}).status_code == 200
    assert refusal(still.client.post(url, files={"file": ("a", b"a")})) == (422, "too_many_attachments")


def test_the_attachments_of_all_drafts_have_a_bound(future: Future) -> None:
    for _ in range(10):
        url = f"/api/v1/mails/{future.draft()}/attachments"
        assert future.client.post(url, content=bytes(MAX_ATTACHMENT_BYTES)).status_code == 200
    url = f"/api/v1/mails/{future.draft()}/attachments"
    assert refusal(future.client.post(url, content=b"a")) == (422, "no_room")


def test_a_recipient_fetches_an_attachment_once_the_mail_is_delivered(future: Future) -> None:
    bob = future.server.actor(Role.USER)
    client = future.server.client(bob)
    mail = future.draft(recipient={"username": bob.username})
    url = future.client.post(f"/api/v1/mails/{mail}/attachments", content=b"a").json()["data"]["url"]
    future.set(mail)
    assert refusal(client.get(url)) == (404, "not_found")

    future.server.clock.advance(DAY)
    future.work()

    assert client.get(url).content == b"a"
    stranger = future.server.client(future.server.actor(Role.USER))
    assert refusal(stranger.get(url)) == (403, "forbidden")
