"""Deleting messages and mailboxes: the body follows its last row, and never before an upload in flight has landed."""

from asyncio import run

import pytest

from tempmail.adapters.sql.deleting import CHUNK
from tempmail.domain.messages import StoredMail
from tempmail.ports import Store
from tests.builders import NOW, at, incoming


def add_one(store: Store, *addresses: str, received_at: str = NOW) -> StoredMail:
    [stored] = run(store.mail.add([incoming(*addresses, received_at=received_at)]))
    return stored


def deletes_due(store: Store, second: float) -> list[str]:
    """The objects that may be removed at NOW + `second`. Claims them for an hour."""
    due = run(store.spool.claim_deletes(now=at(second), until=at(second + 3600), limit=1000))
    return [pending.object_key for pending in due]


def test_a_deleted_message_is_gone_and_its_body_queued_for_removal(store: Store) -> None:
    stored = add_one(store)
    assert run(store.mail.delete(stored.message_ids[0], now=NOW)) is True

    assert run(store.mail.get(stored.message_ids[0])) is None
    assert run(store.spool.body(stored.object_key)) is None
    assert run(store.spool.pending_deletes()) == 1
    assert deletes_due(store, 0) == [stored.object_key]


def test_deleting_an_absent_message_says_so_and_queues_nothing(store: Store) -> None:
    assert run(store.mail.delete(1, now=NOW)) is False
    assert run(store.spool.pending_deletes()) == 0


def test_a_shared_body_goes_with_its_last_row_only(store: Store) -> None:
    stored = add_one(store, "a@t.example", "b@t.example")
    run(store.mail.delete(stored.message_ids[0], now=NOW))
    assert (run(store.spool.pending_deletes()), run(store.spool.size())[0]) == (0, 1)

    run(store.mail.delete(stored.message_ids[1], now=NOW))
    assert (run(store.spool.pending_deletes()), run(store.spool.size())[0]) == (1, 0)


def test_a_message_deleted_during_its_upload_has_its_object_removed_only_when_the_lease_is_over(store: Store) -> None:
    stored = add_one(store)
    assert run(store.spool.claim(now=NOW, until=at(300), limit=1, max_bytes=1))
    run(store.mail.delete(stored.message_ids[0], now=at(10)))

    assert deletes_due(store, 299) == []
    assert deletes_due(store, 300) == [stored.object_key]


def test_an_upload_that_ends_after_its_message_was_deleted_leaves_a_queued_delete(store: Store) -> None:
    stored = add_one(store)
    run(store.spool.claim(now=NOW, until=at(300), limit=1, max_bytes=1))
    run(store.mail.delete(stored.message_ids[0], now=at(10)))
    run(store.spool.finish_deletes([stored.object_key]))  # the lease is over and the object was removed before it came

    assert run(store.spool.finish([stored.object_key], now=at(400))) == []
    assert deletes_due(store, 400) == [stored.object_key]


def test_finishing_an_upload_that_another_claimer_finished_does_not_remove_the_object(store: Store) -> None:
    stored = add_one(store)
    run(store.spool.claim(now=NOW, until=at(300), limit=1, max_bytes=1))
    run(store.spool.claim(now=at(300), until=at(600), limit=1, max_bytes=1))
    run(store.spool.finish([stored.object_key], now=at(310)))
    run(store.spool.finish([stored.object_key], now=at(320)))

    assert run(store.spool.pending_deletes()) == 0


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_a_mailbox_is_cleared_in_full_and_others_stay(store: Store, count: int) -> None:
    other = add_one(store, "b@t.example")
    box = run(store.mailboxes.create("a@t.example", now=NOW, owner_id=None))
    run(store.mail.add([incoming("a@t.example") for _ in range(count)]))

    assert run(store.mail.clear(box.id, now=NOW)) == count
    assert run(store.mail.latest(box.id, limit=1)) == []
    assert run(store.mailboxes.find("a@t.example")) == box
    assert run(store.spool.pending_deletes()) == count
    assert run(store.mail.get(other.message_ids[0])) is not None


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1])
def test_a_deleted_mailbox_takes_all_its_messages_with_it(store: Store, count: int) -> None:
    shared = add_one(store, "a@t.example", "b@t.example")
    run(store.mail.add([incoming("a@t.example") for _ in range(count)]))

    assert run(store.mailboxes.delete(shared.mailbox_ids[0], now=NOW)) is True
    assert run(store.mailboxes.find("a@t.example")) is None
    assert run(store.mail.get(shared.message_ids[0])) is None
    assert run(store.spool.pending_deletes()) == count
    assert run(store.mail.object_key_known([shared.object_key])) == {shared.object_key}
    assert run(store.mailboxes.delete(shared.mailbox_ids[0], now=NOW)) is False


def test_a_mailbox_made_again_under_the_same_address_has_a_new_id_and_no_mail(store: Store) -> None:
    stored = add_one(store, "a@t.example")
    run(store.mailboxes.delete(stored.mailbox_ids[0], now=NOW))
    again = run(store.mailboxes.create("a@t.example", now=NOW, owner_id=None))
    assert again.id > stored.mailbox_ids[0]
    assert run(store.mail.latest(again.id, limit=1)) == []


def test_expired_mailboxes_go_with_their_mail_the_longest_over_first(store: Store) -> None:
    expiries = {"now": at(100), "before": at(50), "later": at(101), "never": None}
    for name, expires_at in expiries.items():
        run(store.mailboxes.create(f"{name}@t.example", now=NOW, owner_id=None, expires_at=expires_at))
    add_one(store, *(f"{name}@t.example" for name in expiries))

    assert run(store.mailboxes.delete_expired(at(100), limit=1)) == 1
    assert run(store.mailboxes.find("before@t.example")) is None
    assert run(store.mailboxes.delete_expired(at(100), limit=10)) == 1
    left = [name for name in expiries if run(store.mailboxes.find(f"{name}@t.example"))]
    assert left == ["later", "never"]
    assert run(store.spool.pending_deletes()) == 0  # two rows still share the body


def test_old_messages_go_oldest_first_and_up_to_the_limit(store: Store) -> None:
    seconds = (3, 1, 2, 5)
    stored = {second: add_one(store, received_at=at(second)) for second in seconds}

    assert run(store.mail.delete_received_before(at(5), now=at(9), limit=2)) == 2
    left = [second for second in seconds if run(store.mail.get(stored[second].message_ids[0]))]
    assert left == [3, 5]
    assert run(store.mail.delete_received_before(at(5), now=at(9), limit=2)) == 1
    assert run(store.mail.delete_received_before(at(5), now=at(9), limit=2)) == 0
    assert run(store.spool.pending_deletes()) == 3


def test_a_queued_delete_is_not_moved_by_queueing_it_again(store: Store) -> None:
    run(store.spool.queue_delete("2023/a.eml", due=at(10)))
    run(store.spool.queue_delete("2023/a.eml", due=at(0)))
    assert run(store.spool.pending_deletes()) == 1
    assert (deletes_due(store, 9), deletes_due(store, 10)) == ([], ["2023/a.eml"])


def test_deletes_are_claimed_oldest_due_first_by_one_claimer_until_the_lease_is_over(
    store: Store, other_store: Store
) -> None:
    for second in (2, 1, 3):
        run(store.spool.queue_delete(f"{second}.eml", due=at(second)))
    claimed = run(store.spool.claim_deletes(now=at(5), until=at(65), limit=2))
    assert [(pending.object_key, pending.attempts) for pending in claimed] == [("1.eml", 1), ("2.eml", 1)]
    assert deletes_due(other_store, 5) == ["3.eml"]

    run(store.spool.finish_deletes(["1.eml"]))
    taken_over = run(other_store.spool.claim_deletes(now=at(65), until=at(125), limit=9))
    assert [(pending.object_key, pending.attempts) for pending in taken_over] == [("2.eml", 2)]


def test_a_failed_delete_is_due_again_when_told(store: Store) -> None:
    run(store.spool.queue_delete("a.eml", due=NOW))
    run(store.spool.claim_deletes(now=NOW, until=at(300), limit=1))
    run(store.spool.retry_delete("a.eml", error="x" * 10_000, due=at(4)))
    assert (deletes_due(store, 3), deletes_due(store, 4)) == ([], ["a.eml"])
