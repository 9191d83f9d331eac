"""Where mail to the future goes: mailboxes, users without one, the outbox."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from tempmail.adapters.sql.users import SqlUsers
from tempmail.domain.accounts import UserMailbox
from tempmail.domain.actor import Role
from tests.contract.capsule_suite import (
    DAY,
    LOCAL,
    OUTSIDE,
    Future,
    capsule_worker,
    refusal,
)
from tests.contract.web_suite import Server

KIB = 1024


# Where it is delivered


def test_a_users_mail_goes_to_the_first_mailbox_of_its_list(future: Future) -> None:
    bob = future.server.actor(Role.USER)
    pinned = "pinned@temp.example.com"
    future.server.mailbox(pinned, owner_id=bob.user_id)
    future.server.mailbox("newer@temp.example.com", owner_id=bob.user_id)
    future.server.client(bob).post("/api/mailboxes/pin", params={"address": pinned})
    mail = future.pending(recipient={"username": bob.username.upper()})

    future.server.clock.advance(DAY)
    future.work()

    assert [m["subject"] for m in future.received(pinned)] == ["To me"]
    assert future.received("newer@temp.example.com") == []
    inbox = future.server.client(bob).get("/api/v1/mails", params={"type": "INBOX"}).json()["data"]
    assert [item["mailId"] for item in inbox["list"]] == [mail]


def test_a_user_without_a_mailbox_finds_it_in_the_inbox_alone(future: Future) -> None:
    bob = future.server.actor(Role.USER)
    mail = future.pending(recipient={"userId": f"user_{bob.user_id}"})
    before = len(future.server.rows("select id from messages"))

    future.server.clock.advance(DAY)
    future.work()

    client = future.server.client(bob)
    assert future.detail(mail, client)["content"] == "Dear future me"
    assert client.get("/api/v1/mails?type=INBOX&status=DELIVERED").json()["data"]["total"] == 1
    assert len(future.server.rows("select id from messages")) == before


def test_a_mail_for_an_address_is_in_the_inbox_of_whoever_has_the_mailbox(future: Future) -> None:
    box = future.server.actor(Role.MAILBOX)
    owner = future.server.actor(Role.USER)
    address = box.mailbox_address or ""
    future.server.run(
        future.server.real.store.users.assign(owner.user_id, address, now="2024-01-01 12:00:00", within_limit=False)
    )
    mail = future.pending(recipient={"email": address})
    clients = [future.server.client(box), future.server.client(owner)]
    for client in clients:
        assert refusal(client.get(f"/api/v1/mails/{mail}")) == (404, "not_found")
        assert client.get("/api/v1/mails?type=INBOX").json()["data"]["list"] == []

    future.server.clock.advance(DAY)
    future.work()

    for client in clients:
        [item] = client.get("/api/v1/mails?type=INBOX").json()["data"]["list"]
        assert item["mailId"] == mail
        detail = future.detail(mail, client)
        assert (detail["canEdit"], detail["canRevoke"]) == (False, False)
        assert refusal(client.post(f"/api/v1/mails/{mail}/revoke")) == (403, "forbidden")
    assert refusal(future.server.client(future.server.actor(Role.USER)).get(f"/api/v1/mails/{mail}"))[0] == 403


def test_a_mail_whose_recipient_is_gone_fails_and_is_a_draft_again_when_it_is_edited(future: Future) -> None:
    bob = future.server.actor(Role.USER)
    mail = future.pending(recipient={"username": bob.username})
    future.server.root().delete(f"/api/users/{bob.user_id}")

    future.server.clock.advance(DAY)
    future.work()

    failed = future.detail(mail)
    assert (failed["status"], failed["error"], failed["canEdit"]) == ("FAILED", "the recipient is gone", True)
    assert refusal(future.set(mail)) == (422, "not_draft")
    listed = future.client.get("/api/v1/mails?type=DRAFT&status=FAILED").json()["data"]
    assert [item["mailId"] for item in listed["list"]] == [mail]
    edited = future.client.patch(f"/api/v1/mails/{mail}", json={"recipient": {"email": LOCAL}}).json()["data"]
    assert (edited["status"], edited["error"]) == ("DRAFT", None)
    assert future.set(mail).status_code == 200


def test_a_mail_for_a_mailbox_that_may_not_be_created_fails(future: Future, tmp_path: Path) -> None:
    mail = future.pending()
    worker = capsule_worker(future.server.real.store, future.server.clock, tmp_path, create_on_receipt=False)

    future.server.clock.advance(DAY)
    future.server.run(worker.run_once())

    assert (future.status(mail), future.detail(mail)["error"]) == ("FAILED", "no such mailbox here")
    assert future.server.run(future.server.real.store.mailboxes.find(LOCAL)) is None


def test_what_cannot_be_delivered_now_is_tried_again_a_minute_later_and_keeps_nobody_waiting(
    future: Future, tmp_path: Path
) -> None:
    bob = future.server.actor(Role.USER)
    mail = future.pending()
    without_mailbox = future.pending(recipient={"username": bob.username})
    full = capsule_worker(future.server.real.store, future.server.clock, tmp_path, spool_max_bytes=0)
    future.server.clock.advance(DAY)
    while future.server.run(full.run_once()):
        pass
    assert (future.status(mail), future.status(without_mailbox)) == ("DELIVERING", "DELIVERED")

    future.server.clock.advance(59)
    future.work()
    assert future.status(mail) == "DELIVERING"
    future.server.clock.advance(1)
    future.work()

    assert (future.status(mail), future.detail(mail)["error"]) == ("DELIVERED", None)
    assert len(future.received(LOCAL)) == 1


def test_what_a_deleted_user_had_not_delivered_goes_with_it(future: Future) -> None:
    delivered = future.pending(3600)
    future.server.clock.advance(3600)
    future.work()
    future.pending()
    future.draft()

    future.server.root().delete(f"/api/users/{future.ann.user_id}")

    assert [f"mail_{uuid}" for (uuid,) in future.server.rows("select uuid from capsules")] == [delivered]
    assert len(future.server.rows("select capsule_id from capsule_contents")) == 1


def test_a_delivered_mail_is_forwarded_as_its_mailbox_asks(future: Future) -> None:
    mailbox_id = future.server.mailbox(LOCAL)
    store = future.server.real.store
    future.server.run(store.mailboxes.set_forward([mailbox_id], "me@else.example"))
    future.pending()

    future.server.clock.advance(DAY)
    future.work()

    assert future.server.rows("select kind from outbox") == [("forward",)]


class MeanwhileUsers(SqlUsers):
    """Users as they are, where something happens between a look at their mailboxes and what follows from it."""

    def __init__(self, users: SqlUsers, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(users._database)
        self._meanwhile = meanwhile

    async def mailboxes(self, user_id: int, *, limit: int) -> list[UserMailbox]:
        listed = await super().mailboxes(user_id, limit=limit)
        await self._meanwhile()
        return listed


def test_a_mailbox_that_is_deleted_at_the_last_moment_does_not_come_back(future: Future, tmp_path: Path) -> None:
    store = future.server.real.store
    bob = future.server.actor(Role.USER)
    address = future.server.own_mailbox(bob)
    mail = future.pending(recipient={"username": bob.username})

    async def delete() -> None:
        if (found := await store.mailboxes.find(address)) is not None:
            await store.mailboxes.delete(found.id, now="2024-01-02 12:00:00")

    worker = capsule_worker(store, future.server.clock, tmp_path, users=MeanwhileUsers(store.users, delete))
    future.server.clock.advance(DAY)
    future.server.run(worker.run_once())
    assert future.status(mail) == "DELIVERING"
    assert future.server.run(store.mailboxes.find(address)) is None
    future.server.clock.advance(60)
    future.work()

    assert future.status(mail) == "DELIVERED"
    assert future.detail(mail, future.server.client(bob))["content"] == "Dear future me"


def test_the_mail_of_a_worker_that_comes_second_leaves_nothing_behind(future: Future, tmp_path: Path) -> None:
    store = future.server.real.store
    mail = future.draft(recipient={"username": future.ann.username})
    future.client.post(f"/api/v1/mails/{mail}/attachments", content=bytes(300 * KIB))
    future.set(mail)
    spool = tmp_path / "real" / "spool"
    second = capsule_worker(
        store, future.server.clock, spool, users=MeanwhileUsers(store.users, future.worker.run_once)
    )

    future.server.clock.advance(DAY)
    future.server.run(second.run_once())

    assert len(future.received(future.address)) == 1
    assert len(list(spool.iterdir())) == 1


# Outside addresses


def test_a_mail_to_an_outside_address_waits_in_the_outbox_and_follows_it(future: Future) -> None:
    future.allow_sending()
    mail = future.pending(recipient={"email": OUTSIDE})
    future.server.clock.advance(DAY - 600)
    future.work()
    assert future.status(mail) == "DELIVERING"
    [(kind, state, due)] = future.server.rows("select kind, state, due from outbox")
    assert (kind, state, due) == ("capsule", "scheduled", "2024-01-02 12:00:00")
    future.server.clock.advance(599)
    future.server.run(future.server.worker.run_once())
    assert future.server.wire.requests == []

    future.server.clock.advance(1)
    future.server.run(future.server.worker.run_once())
    future.work()

    [sent] = future.server.wire.requests
    assert (sent["to"], sent["subject"], sent["text"]) == ([OUTSIDE], "To me", "Dear future me")
    assert future.address in sent["from"]
    assert future.detail(mail)["deliveryTime"] == "2024-01-02T12:00:00Z"


def test_a_mail_that_the_provider_refuses_fails(future: Future) -> None:
    future.allow_sending()
    mail = future.pending(recipient={"email": "refused@elsewhere.example"})
    future.server.clock.advance(DAY)
    future.work()
    future.server.run(future.server.worker.run_once())
    future.work()

    assert future.status(mail) == "FAILED"
    assert future.detail(mail)["error"]


def test_a_mail_that_may_have_been_sent_stays_under_way(future: Future) -> None:
    future.allow_sending()
    mail = future.pending(recipient={"email": "cut@elsewhere.example"})
    future.server.clock.advance(DAY)
    future.work()
    future.server.run(future.server.worker.run_once())
    future.work()

    assert future.status(mail) == "DELIVERING"
    assert refusal(future.client.post(f"/api/v1/mails/{mail}/revoke")) == (422, "not_pending")


def test_who_may_not_send_sets_no_mail_for_an_outside_address(still: Future) -> None:
    assert refusal(still.set(still.draft(recipient={"email": OUTSIDE}))) == (403, "forbidden")
    box = still.server.client(still.server.actor(Role.MAILBOX))
    assert refusal(still.set(still.draft(box, recipient={"email": OUTSIDE}), client=box)) == (403, "forbidden")


def test_mail_to_an_outside_address_needs_a_sender_and_is_not_encrypted(still: Future) -> None:
    still.allow_sending()
    locked = still.draft(recipient={"email": OUTSIDE}, isEncrypted=True, password="horses")
    assert refusal(still.set(locked)) == (422, "encrypted_outside")
    admin = still.server.client(still.server.actor(Role.STRICT_ADMIN))
    assert refusal(still.set(still.draft(admin, recipient={"email": OUTSIDE}), client=admin)) == (422, "no_sender")


def test_without_a_provider_no_mail_is_set_for_an_outside_address(tmp_path: Path) -> None:
    with Server(tmp_path, with_providers=False) as server:
        future = Future.of(server, tmp_path / "real" / "spool")
        future.allow_sending()
        assert refusal(future.set(future.draft(recipient={"email": OUTSIDE}))) == (422, "no_provider")
