"""The contract of `ports.Mail`: what `add` keeps, for whom, under which ids, and how it is read back."""

from asyncio import gather, run
from pathlib import Path

import pytest

from tempmail.adapters.sql.script import STATEMENT_ROWS
from tempmail.domain.messages import IncomingMail, Message, Recipient, StoredMail
from tempmail.errors import Conflict, UnknownMailbox
from tempmail.ports import Store
from tests.builders import NOW, RAW, at, incoming, recipient

HUGE_ID = 2**63 - 1


def add(store: Store, *mails: IncomingMail) -> list[StoredMail]:
    return run(store.mail.add(mails))


def message(store: Store, message_id: int) -> Message:
    found = run(store.mail.get(message_id))
    assert found is not None
    return found


def mailbox_id(store: Store, address: str) -> int:
    found = run(store.mailboxes.find(address))
    assert found is not None
    return found.id


def addresses_of(store: Store, stored: StoredMail) -> list[str]:
    return [message(store, id_).mailbox_address for id_ in stored.message_ids]


def test_a_stored_mail_is_read_back_field_by_field(store: Store) -> None:
    [stored] = add(store, incoming("Box@Temp.example", uuid="u1", attachment_count=2, extraction_version=3))

    assert stored.object_key == "2023/11/14/box@temp.example/221320-u1.eml"
    assert message(store, stored.message_ids[0]) == Message(
        id=stored.message_ids[0],
        mailbox_id=stored.mailbox_ids[0],
        mailbox_address="box@temp.example",
        sender="no-reply@shop.example",
        to_addrs="Box@Temp.example",
        subject="Your code",
        received_at=NOW,
        is_read=0,
        preview="Your code is 482913.",
        verification_code="482913",
        extraction='{"code":"482913"}',
        r2_bucket="mail-eml",
        r2_object_key=stored.object_key,
        size_bytes=len(RAW),
        attachment_count=2,
        envelope_from="bounce@shop.example",
        extraction_version=3,
    )


def test_what_was_not_found_reads_back_as_none(store: Store) -> None:
    [stored] = add(store, incoming(preview=None, verification_code=None, extraction=None))
    found = message(store, stored.message_ids[0])
    assert (found.preview, found.verification_code, found.extraction) == (None, None, None)


@pytest.mark.parametrize("text", ["验证码 😀", "it's; drop table messages --", "a\0b", "%_\\"], ids=ascii)
def test_any_text_reads_back_unchanged(store: Store, text: str) -> None:
    [stored] = add(store, incoming(subject=text))
    assert message(store, stored.message_ids[0]).subject == text


def test_ids_grow_in_the_order_of_the_batch_and_of_the_commits(store: Store) -> None:
    first = add(store, incoming("a@t.example", "b@t.example"), incoming("c@t.example"))
    second = add(store, incoming("a@t.example"))
    ids = [id_ for stored in first + second for id_ in stored.message_ids]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("count", [STATEMENT_ROWS, STATEMENT_ROWS + 1, 2 * STATEMENT_ROWS + 1])
def test_each_mail_of_a_large_batch_keeps_its_own_mailboxes_rows_and_body(store: Store, count: int) -> None:
    batch = [
        incoming(f"Box{number}@t.example", f"other{number % 3}@t.example", subject=f"s{number}", body=b"m%d" % number)
        for number in range(count)
    ]
    stored = add(store, *batch)
    for number, mail in enumerate(stored):
        assert addresses_of(store, mail) == [f"box{number}@t.example", f"other{number % 3}@t.example"]
        rows = [message(store, id_) for id_ in mail.message_ids]
        assert tuple(row.mailbox_id for row in rows) == mail.mailbox_ids
        assert {(row.subject, row.r2_object_key) for row in rows} == {(f"s{number}", mail.object_key)}
        entry = run(store.spool.body(mail.object_key))
        assert entry is not None
        assert entry.body == b"m%d" % number
    ids = [id_ for mail in stored for id_ in mail.message_ids]
    assert ids == sorted(set(ids))


def test_a_mailbox_that_a_batch_creates_exists_for_the_mails_after_it(store: Store) -> None:
    first, second = add(store, incoming("News+Box@t.example"), incoming("box@t.example", "news+box@t.example"))
    assert first.mailbox_ids == second.mailbox_ids == (mailbox_id(store, "box@t.example"),)


def test_a_batch_may_be_decided_when_its_transaction_begins(store: Store) -> None:
    mail = incoming(body=b"taken late")
    [stored] = run(store.mail.add_taken(lambda: [mail]))
    entry = run(store.spool.body(stored.object_key))
    assert entry is not None
    assert entry.body == b"taken late"


def test_a_batch_that_cannot_be_taken_leaves_nothing_and_the_store_goes_on(store: Store) -> None:
    def fail() -> list[IncomingMail]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(store.mail.add_taken(fail))
    assert len(add(store, incoming())) == 1


def test_the_newest_id_is_not_reused_after_its_message_is_deleted(store: Store) -> None:
    [gone] = add(store, incoming())
    run(store.mail.delete(gone.message_ids[0], now=NOW))
    [stored] = add(store, incoming())
    assert stored.message_ids[0] > gone.message_ids[0]


def test_several_recipients_get_a_row_each_and_share_one_body(store: Store) -> None:
    [stored] = add(store, incoming("b@t.example", "a@t.example", body=RAW))

    assert addresses_of(store, stored) == ["b@t.example", "a@t.example"]
    assert {message(store, id_).r2_object_key for id_ in stored.message_ids} == {stored.object_key}
    assert "/b@t.example/" in stored.object_key
    assert run(store.spool.size()) == (1, len(RAW))


def test_recipients_that_mean_one_mailbox_get_one_row_named_by_the_first(store: Store) -> None:
    [stored] = add(store, incoming("News+Box@t.example", "box@t.example", "BOX@T.EXAMPLE"))
    assert addresses_of(store, stored) == ["box@t.example"]
    assert message(store, stored.message_ids[0]).to_addrs == "News+Box@t.example"


@pytest.mark.parametrize(
    ("existing", "to", "goes_to"),
    [
        pytest.param([], "my-box.one@t.example", "one@t.example", id="neither-exists-alias-is-made"),
        pytest.param(["one@t.example"], "my-box.one@t.example", "one@t.example", id="alias-exists"),
        pytest.param(["my-box.one@t.example"], "my-box.one@t.example", "my-box.one@t.example", id="exact-exists"),
        pytest.param(
            ["one@t.example", "my-box.one@t.example"], "My-Box.One@t.example", "my-box.one@t.example", id="exact-first"
        ),
    ],
)
def test_an_exact_mailbox_comes_before_the_alias_rule(store: Store, existing: list[str], to: str, goes_to: str) -> None:
    for address in existing:
        run(store.mailboxes.create(address, now=NOW, owner_id=None))
    [stored] = add(store, incoming(to))
    assert addresses_of(store, stored) == [goes_to]


def test_an_unknown_mailbox_is_created_once_and_found_again(store: Store) -> None:
    first, second = add(store, incoming("new@t.example"), incoming("new@t.example"))
    [third] = add(store, incoming("new@t.example"))
    assert first.mailbox_ids == second.mailbox_ids == third.mailbox_ids


NOT_CREATED: dict[str, tuple[list[Recipient], list[str] | None]] = {
    "none-exists": ([recipient("no@t.example", may_create=False)], None),
    "one-exists": (
        [recipient("no@t.example", may_create=False), recipient("yes@t.example", may_create=False)],
        ["yes"],
    ),
    "one-may-be-created": ([recipient("no@t.example", may_create=False), recipient("new@t.example")], ["new"]),
}


@pytest.mark.parametrize(("recipients", "kept_for"), NOT_CREATED.values(), ids=NOT_CREATED.keys())
def test_an_unknown_mailbox_is_left_out_where_it_may_not_be_created(
    store: Store, recipients: list[Recipient], kept_for: list[str] | None
) -> None:
    run(store.mailboxes.create("yes@t.example", now=NOW, owner_id=None))
    if kept_for is None:
        with pytest.raises(UnknownMailbox):
            add(store, incoming(*recipients))
        assert run(store.spool.size()) == (0, 0)
    else:
        [stored] = add(store, incoming(*recipients))
        assert addresses_of(store, stored) == [f"{name}@t.example" for name in kept_for]
    assert run(store.mailboxes.find("no@t.example")) is None


def test_one_bad_mail_fails_the_whole_add_and_nothing_is_kept(store: Store) -> None:
    good = incoming("good@t.example")
    bad = incoming(recipient("no@t.example", may_create=False))
    with pytest.raises(UnknownMailbox):
        add(store, good, bad)

    assert run(store.mailboxes.find("good@t.example")) is None
    assert run(store.spool.size()) == (0, 0)
    assert run(store.mail.object_keys(after="", limit=10)) == []
    assert len(add(store, good)) == 1


def test_a_mail_that_is_stored_already_conflicts_and_changes_nothing(store: Store) -> None:
    mail = incoming()
    add(store, mail)
    with pytest.raises(Conflict):
        add(store, mail)
    assert run(store.spool.size()) == (1, mail.size_bytes)


def test_two_stores_that_add_first_mails_for_one_new_address_lose_none(store: Store, other_store: Store) -> None:
    async def both() -> list[list[StoredMail]]:
        return await gather(*(side.mail.add([incoming("new@t.example")]) for side in (store, other_store) * 10))

    stored = [mail for batch in run(both()) for mail in batch]
    assert len({mail.mailbox_ids for mail in stored}) == 1
    assert len({mail.message_ids for mail in stored}) == 20
    assert len(run(store.mail.latest(stored[0].mailbox_ids[0], limit=100))) == 20


def test_a_body_in_a_spool_file_is_referred_to_by_its_name(store: Store, tmp_path: Path) -> None:
    body = tmp_path / "u1.eml"
    body.write_bytes(RAW)
    [stored] = add(store, incoming(uuid="u1", body=body))

    entry = run(store.spool.body(stored.object_key))
    assert entry is not None
    assert (entry.file_name, entry.body, entry.size_bytes) == ("u1.eml", None, len(RAW))
    assert run(store.spool.file_names()) == {"u1.eml"}


def test_a_list_is_newest_first_and_pages_by_id(store: Store) -> None:
    stored = add(store, *(incoming("a@t.example", subject=str(number)) for number in range(5)))
    add(store, incoming("b@t.example", subject="not mine"))
    box = stored[0].mailbox_ids[0]

    first_page = run(store.mail.latest(box, limit=2))
    second_page = run(store.mail.latest(box, limit=2, before_id=first_page[-1].id))
    rest = run(store.mail.latest(box, limit=2, before_id=second_page[-1].id))
    assert [[line.subject for line in page] for page in (first_page, second_page, rest)] == [
        ["4", "3"],
        ["2", "1"],
        ["0"],
    ]


def test_a_list_since_a_stamp_includes_that_very_second(store: Store) -> None:
    [stored, *_] = add(store, *(incoming(received_at=at(second), subject=str(second)) for second in (0, 1, 2)))
    listed = run(store.mail.latest(stored.mailbox_ids[0], limit=10, since=at(1)))
    assert [line.subject for line in listed] == ["2", "1"]


def test_get_many_gives_those_that_exist_once_each_by_id(store: Store) -> None:
    stored = add(store, incoming(), incoming(), incoming())
    first, gone, last = (mail.message_ids[0] for mail in stored)
    run(store.mail.delete(gone, now=NOW))
    found = run(store.mail.get_many([last, gone, HUGE_ID, first, last]))
    assert [row.id for row in found] == [first, last]


def test_a_read_mark_shows_in_row_and_list(store: Store) -> None:
    [stored] = add(store, incoming())
    run(store.mail.mark_read(stored.message_ids[0]))
    assert message(store, stored.message_ids[0]).is_read == 1
    assert [line.is_read for line in run(store.mail.latest(stored.mailbox_ids[0], limit=1))] == [1]


def test_an_absent_message_is_none_and_marking_it_does_nothing(store: Store) -> None:
    run(store.mail.mark_read(HUGE_ID))
    assert run(store.mail.get(HUGE_ID)) is None


def test_object_keys_are_distinct_ordered_paged_and_say_what_is_spooled(store: Store) -> None:
    stored = add(store, incoming("b@t.example", "c@t.example"), incoming("a@t.example"), incoming("d@t.example"))
    b, a, d = (mail.object_key for mail in stored)
    run(store.spool.finish([a], now=NOW))

    assert run(store.mail.object_keys(after="", limit=2)) == [(a, False), (b, True)]
    assert run(store.mail.object_keys(after=b, limit=2)) == [(d, True)]
    assert run(store.mail.object_keys(after=d, limit=2)) == []


def test_a_key_is_known_while_a_message_or_the_delete_queue_refers_to_it(store: Store) -> None:
    stored = add(store, incoming("kept@t.example"), incoming("gone@t.example"))
    kept, gone = (mail.object_key for mail in stored)
    run(store.spool.finish([kept], now=NOW))
    run(store.mail.delete(stored[1].message_ids[0], now=NOW))

    assert run(store.mail.object_key_known([kept, gone, "2023/other.eml"])) == {kept, gone}
    assert (run(store.mail.has_object(kept)), run(store.mail.has_object(gone))) == (True, False)
    run(store.spool.finish_deletes([gone]))
    assert run(store.mail.object_key_known([gone])) == set()
