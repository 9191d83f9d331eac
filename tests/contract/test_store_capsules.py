"""Capsules in the store: the moves, and that of two at once exactly one happens."""

import asyncio
import itertools
import sqlite3
from asyncio import run
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tempmail.adapters.sql import SqlStore
from tempmail.adapters.sql.sqlite import connect
from tempmail.domain.capsules import (
    FREEZE_S,
    MAX_ATTACHMENT_BYTES,
    MOVES,
    Capsule,
    CapsuleFile,
    Recipient,
    Setting,
    Status,
    Trigger,
)
from tempmail.domain.outbound import Kind, RecipientKind
from tempmail.errors import Unprocessable
from tempmail.ports.capsules import CapsuleText, Key, NewCapsule, NewSetting, StoredFile
from tempmail.ports.outbound import NewOutbound
from tests.builders import NOW, at, incoming
from tests.contract.test_query_plans import Watched

OWNER = "user:1"
HOUR = 3600
LOCAL = Recipient(address="box@temp.example")


def text(**changes: Any) -> CapsuleText:
    fields = {
        "recipient": LOCAL,
        "title": "To me",
        "content": "Dear future me",
        "capsule_style": "default",
        "is_encrypted": False,
        "password_hash": None,
    }
    return CapsuleText(**{**fields, **changes})


async def drafted(store: SqlStore, owner: str = OWNER) -> Capsule:
    return await store.capsules.add(NewCapsule(uuid4().hex, owner, "ann", text()), limit=10_000, now=NOW)


def setting(capsule: Capsule, *, in_s: int = HOUR, **changes: Any) -> NewSetting:
    fields = {
        "capsule_id": capsule.id,
        "revision": capsule.revision,
        "capsule_uuid": uuid4().hex,
        "sender_address": "ann@temp.example",
        "trigger": Trigger.TIME,
        "trigger_condition": "{}",
        "is_outside": False,
        "send_at": at(in_s),
        "due": at(in_s - FREEZE_S),
        "now": NOW,
        "monthly_limit": None,
        "key": None,
    }
    return NewSetting(**{**fields, **changes})


async def pending(store: SqlStore, owner: str = OWNER, *, in_s: int = HOUR) -> Capsule:
    capsule = await drafted(store, owner)
    assert await store.capsules.set(setting(capsule, in_s=in_s), owner) is not None
    found = await store.capsules.find(capsule.uuid)
    assert found is not None
    return found


async def delivering(store: SqlStore, *, in_s: int = HOUR) -> Capsule:
    capsule = await pending(store, in_s=in_s)
    frozen = await store.capsules.freeze(capsule.id, named(capsule), now=at(in_s - FREEZE_S))
    assert frozen is not None
    return frozen


def named(capsule: Capsule) -> str:
    assert capsule.capsule_uuid is not None
    return capsule.capsule_uuid


def outbound(capsule: Capsule) -> NewOutbound:
    return NewOutbound(
        uuid=named(capsule),
        kind=Kind.CAPSULE,
        from_addr="ann@temp.example",
        subject="To me",
        recipients=((RecipientKind.TO, "me@elsewhere.example"),),
        payload=b"{}",
        created_at=NOW,
        due=at(HOUR),
        deadline=at(2 * HOUR),
        scheduled_at=at(HOUR),
    )


def test_the_database_has_the_moves_of_the_domain(store: SqlStore, database: Path) -> None:
    with closing(connect(database)) as connection:
        stored = {tuple(row) for row in connection.execute("select from_status, to_status from capsule_moves")}
    assert stored == {(str(one), str(other)) for one, others in MOVES.items() for other in others}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(Status, Status)))
def test_the_database_refuses_every_other_move(store: SqlStore, database: Path, old: Status, new: Status) -> None:
    run(drafted(store))
    with closing(connect(database)) as connection:
        connection.execute("drop trigger capsule_moved")
        connection.execute("update capsules set status = ?, due = 'x'", (old,))
        moved = run_trigger_again(connection, new)
    assert moved is (old is new or new in MOVES[old])


def run_trigger_again(connection: sqlite3.Connection, new: Status) -> bool:
    """Whether the row moves to `new` with the trigger in force."""
    migrations = Path(__file__).parents[2] / "tempmail" / "adapters" / "sql" / "migrations" / "0003_capsules.sql"
    whole = migrations.read_text("utf-8")
    start = whole.index("create trigger capsule_moved")
    connection.execute(whole[start : whole.index("end;", start) + 4])
    try:
        connection.execute("update capsules set status = ?", (new,))
    except sqlite3.IntegrityError:
        return False
    return True


def test_a_capsule_begins_as_a_draft(store: SqlStore, database: Path) -> None:
    run(drafted(store))
    with closing(connect(database)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(
            "insert into capsules select null, 'other', null, 'pending', revision, owner_key, sender_name, null, null,"
            " '', null, title, capsule_style, 0, null, 'time', '{}', 0, null, null, null, 'x', null, 0, 0, 1, null,"
            " null, null, created_at, updated_at from capsules"
        )


def test_a_draft_is_changed_only_as_it_was_read(store: SqlStore) -> None:
    async def check() -> None:
        capsule = await drafted(store)
        changed = await store.capsules.change(capsule.id, capsule.revision, text(title="New", content=None), now=at(1))
        assert changed is not None
        assert (changed.title, changed.revision, changed.has_content) == ("New", 2, True)
        assert await store.capsules.content(capsule.id) == "Dear future me"
        assert await store.capsules.change(capsule.id, capsule.revision, text(title="Old"), now=at(1)) is None
        assert await store.capsules.set(setting(capsule), OWNER) is None
        assert await store.capsules.set(setting(changed), OWNER) is not None
        assert await store.capsules.change(capsule.id, changed.revision, text(), now=at(1)) is None
        assert not await store.capsules.delete(capsule.id)

    run(check())


def test_an_attachment_counts_as_long_as_it_is_there(store: SqlStore) -> None:
    async def check() -> None:
        capsule = await drafted(store)
        file = StoredFile(CapsuleFile("f1", "a.txt", "text/plain", 3), b"abc")
        counted = await store.capsules.attach(capsule.id, file, now=NOW)
        assert (counted.attachment_count, counted.attachment_bytes, counted.revision) == (1, 3, 2)
        assert await store.capsules.stored_files(capsule.id) == [file]
        assert await store.capsules.file(capsule.id + 1, "f1") is None
        assert await store.capsules.detach(capsule.id, "f1", now=NOW)
        assert not await store.capsules.detach(capsule.id, "f1", now=NOW)
        left = await store.capsules.find(capsule.uuid)
        assert left is not None
        assert (left.attachment_count, left.attachment_bytes) == (0, 0)

    run(check())


def test_deleting_a_draft_leaves_nothing_of_it(store: SqlStore, database: Path) -> None:
    async def check() -> None:
        capsule = await drafted(store)
        await store.capsules.attach(capsule.id, StoredFile(CapsuleFile("f1", "a", "a/b", 1), b"a"), now=NOW)
        assert await store.capsules.delete(capsule.id)

    run(check())
    with closing(connect(database)) as connection:
        for table in ("capsules", "capsule_contents", "capsule_attachments", "capsule_files"):
            assert connection.execute(f"select count(*) from {table}").fetchone()[0] == 0, table


def test_a_capsule_is_frozen_and_delivered_at_its_time_and_not_before(store: SqlStore) -> None:
    async def check() -> None:
        capsule = await pending(store)
        assert await store.capsules.due(now=at(HOUR - FREEZE_S - 1), limit=9) == []
        assert await store.capsules.freeze(capsule.id, named(capsule), now=at(HOUR - FREEZE_S - 1)) is None
        [due] = await store.capsules.due(now=at(HOUR - FREEZE_S), limit=9)
        assert due.id == capsule.id
        frozen = await store.capsules.freeze(capsule.id, named(capsule), now=at(HOUR - FREEZE_S))
        assert frozen is not None
        assert frozen.due == at(HOUR)
        assert not await store.capsules.deliver(capsule.id, named(capsule), incoming(), now=at(HOUR - 1))
        assert await store.capsules.deliver(capsule.id, named(capsule), incoming(), now=at(HOUR))
        assert not await store.capsules.deliver(capsule.id, named(capsule), incoming(), now=at(HOUR))
        assert await store.capsules.due(now=at(10 * HOUR), limit=9) == []
        mailbox = await store.mailboxes.find("box@temp.example")
        assert mailbox is not None
        assert len(await store.mail.latest(mailbox.id, limit=9)) == 1
        inbox = await store.capsules.inbox(user_id=0, mailbox_id=mailbox.id, limit=9, offset=0)
        assert ([each.id for each in inbox.items], inbox.total) == ([capsule.id], 1)

    run(check())


async def delivered(store: SqlStore, owner: str, recipient: Recipient, mailbox: str | None) -> Capsule:
    """A capsule of `owner` that was delivered, into a mailbox or to a user that has none."""
    draft = await store.capsules.add(NewCapsule(uuid4().hex, owner, "ann", text(recipient=recipient)), limit=9, now=NOW)
    file = CapsuleFile(uuid4().hex, "a.txt", "text/plain", 1)
    draft = await store.capsules.attach(draft.id, StoredFile(file, b"a"), now=NOW)
    assert await store.capsules.set(setting(draft), owner) is not None
    capsule = await store.capsules.find(draft.uuid)
    assert capsule is not None
    assert await store.capsules.freeze(capsule.id, named(capsule), now=at(HOUR - FREEZE_S)) is not None
    mail = None if mailbox is None else incoming(mailbox)
    assert await store.capsules.deliver(capsule.id, named(capsule), mail, now=at(HOUR))
    return capsule


@pytest.mark.parametrize("order", list(itertools.permutations(["owner", "recipient", "mailbox"])), ids="-".join)
@pytest.mark.parametrize("is_user", [True, False], ids=["by-a-user", "by-a-mailbox"])
def test_a_delivered_capsule_goes_when_nobody_is_left_who_sees_it(
    store: SqlStore, database: Path, order: tuple[str, ...], is_user: bool
) -> None:
    """Neither the files of a gone account are kept for ever, nor are those that somebody else still has."""
    with closing(connect(database)) as connection:
        insert = "insert into users (username, created_at) values (?, ?) returning id"
        owner_id, recipient_id = (connection.execute(insert, (name, NOW)).fetchone()[0] for name in ("ann", "bob"))
        connection.commit()
    own_box = run(store.mailboxes.create("ann@temp.example", now=NOW, owner_id=None))
    owner = f"user:{owner_id}" if is_user else f"mailbox:{own_box.id}"
    capsule = run(delivered(store, owner, Recipient(recipient_id, "bob"), "box@temp.example"))
    box = run(store.mailboxes.find("box@temp.example"))
    assert box is not None
    steps = {
        "owner": ("users", owner_id) if is_user else ("mailboxes", own_box.id),
        "recipient": ("users", recipient_id),
        "mailbox": ("mailboxes", box.id),
    }
    there = []
    for step in order:
        table, row_id = steps[step]
        with closing(connect(database)) as connection:
            if table == "mailboxes":
                connection.execute("delete from messages where mailbox_id = ?", (row_id,))
            connection.execute(f"delete from {table} where id = ?", (row_id,))
            connection.commit()
            files = connection.execute("select count(*) from capsule_files").fetchone()[0]
        there.append((run(store.capsules.find(capsule.uuid)) is not None, files))
    assert there == [(True, 1), (True, 1), (False, 0)]


def test_what_was_delivered_before_a_time_is_forgotten_and_nothing_else(store: SqlStore) -> None:
    gone = [run(delivered(store, OWNER, LOCAL, "box@temp.example")) for _ in range(3)]
    waiting = [run(drafted(store)), run(pending(store)), run(delivering(store))]

    forgotten = [run(store.capsules.forget_delivered(before, limit=2)) for before in (at(HOUR), *[at(HOUR + 1)] * 3)]

    assert forgotten == [0, 2, 1, 0]
    assert [run(store.capsules.find(each.uuid)) for each in gone] == [None] * 3
    assert None not in [run(store.capsules.find(each.uuid)) for each in waiting]


def test_of_two_workers_one_delivers(store: SqlStore, other_store: SqlStore) -> None:
    async def check() -> None:
        for number in range(20):
            capsule = await delivering(store)
            box = f"box{number}@temp.example"
            done = await asyncio.gather(
                *(
                    each.capsules.deliver(capsule.id, named(capsule), incoming(box), now=at(HOUR))
                    for each in (store, other_store)
                )
            )
            assert sorted(done) == [False, True]
            mailbox = await store.mailboxes.find(box)
            assert mailbox is not None
            assert len(await store.mail.latest(mailbox.id, limit=9)) == 1

    run(check())


def test_a_mail_that_cannot_be_stored_leaves_its_capsule_as_it_was(store: SqlStore) -> None:
    async def check() -> None:
        capsule = await delivering(store)
        twice = incoming(uuid="the same")
        await store.mail.add([twice])
        with pytest.raises(Exception, match="conflicts"):
            await store.capsules.deliver(capsule.id, named(capsule), twice, now=at(HOUR))
        found = await store.capsules.find(capsule.uuid)
        assert found is not None
        assert (found.status, found.due) == (Status.DELIVERING, at(HOUR))
        assert await store.capsules.deliver(capsule.id, named(capsule), incoming(), now=at(HOUR))

    run(check())


def test_what_was_revoked_and_set_again_is_not_touched_for_its_earlier_setting(store: SqlStore) -> None:
    async def check() -> None:
        capsule = await pending(store)
        earlier = named(capsule)
        revoked = await store.capsules.revoke(capsule.id, now=at(1))
        assert revoked is not None
        await store.capsules.set(setting(revoked, in_s=2 * HOUR), OWNER)
        late = at(9 * HOUR)
        assert await store.capsules.freeze(capsule.id, earlier, now=late) is None
        assert not await store.capsules.hand_over(capsule.id, earlier, outbound(capsule), now=late)
        assert not await store.capsules.deliver(capsule.id, earlier, incoming(), now=late)
        assert not await store.capsules.fail(capsule.id, earlier, error="x", now=late)
        assert await store.capsules.release(capsule.id, earlier, now=late) is None
        assert await store.outbox.find(earlier) is None

    run(check())


def test_a_mail_to_an_outside_address_is_handed_over_once(store: SqlStore, other_store: SqlStore) -> None:
    async def check() -> None:
        capsule = await pending(store)
        now = at(HOUR - FREEZE_S)
        done = await asyncio.gather(
            *(
                each.capsules.hand_over(capsule.id, named(capsule), outbound(capsule), now=now)
                for each in (store, other_store)
            )
        )
        assert sorted(done) == [False, True]
        mail = await store.outbox.find(named(capsule))
        assert mail is not None
        assert await store.capsules.settled(limit=9) == []
        await store.outbox.cancel(mail.mail.id, now=now)
        [settled] = await store.capsules.settled(limit=9)
        assert (settled.id, settled.state) == (capsule.id, "canceled")

    run(check())


def test_of_two_settings_at_once_over_the_limit_one_is_refused(store: SqlStore, other_store: SqlStore) -> None:
    async def check() -> None:
        for _ in range(4):
            await store.capsules.set(setting(await drafted(store), monthly_limit=5), OWNER)
        both = [await drafted(store) for _ in range(2)]
        done = await asyncio.gather(
            *(
                each.capsules.set(setting(capsule, monthly_limit=5), OWNER)
                for each, capsule in zip((store, other_store), both, strict=True)
            ),
            return_exceptions=True,
        )
        refused = [each for each in done if isinstance(each, Unprocessable)]
        assert [each.rule for each in refused] == ["quota_reached"]
        assert sum(isinstance(each, Setting) for each in done) == 1
        assert await store.capsules.used(OWNER, NOW[:7]) == 5
        states = {(await store.capsules.find(each.uuid)).status for each in both}  # type: ignore[union-attr]
        assert states == {Status.DRAFT, Status.PENDING}

    run(check())


def test_a_capsule_that_is_set_again_stays_free_where_the_limit_was_lowered(store: SqlStore) -> None:
    async def check() -> None:
        for _ in range(2):
            capsule = await pending(store)
        revoked = await store.capsules.revoke(capsule.id, now=at(1))
        assert revoked is not None
        assert await store.capsules.set(setting(revoked, monthly_limit=1), OWNER) is not None

    run(check())


def test_of_two_attachments_at_once_that_are_too_much_together_one_is_refused(
    store: SqlStore, other_store: SqlStore
) -> None:
    async def check() -> None:
        capsule = await drafted(store)
        half = MAX_ATTACHMENT_BYTES // 2 + 1
        done = await asyncio.gather(
            *(
                each.capsules.attach(capsule.id, StoredFile(CapsuleFile(name, name, "a/b", half), bytes(half)), now=NOW)
                for each, name in ((store, "f1"), (other_store, "f2"))
            ),
            return_exceptions=True,
        )
        assert [each.rule for each in done if isinstance(each, Unprocessable)] == ["attachments_too_large"]
        assert len(await store.capsules.files(capsule.id)) == 1

    run(check())


def test_two_requests_under_one_key_set_one_capsule(store: SqlStore, other_store: SqlStore) -> None:
    async def check() -> None:
        capsule = await drafted(store)
        key = Key("k", "hash", since=at(-HOUR))
        done = await asyncio.gather(
            *(each.capsules.set(setting(capsule, key=key), OWNER) for each in (store, other_store))
        )
        assert done[0] == done[1]
        assert await store.capsules.replay(OWNER, key) == done[0]
        assert await store.capsules.replay("user:2", key) is None

    run(check())


def race(store: SqlStore, other_store: SqlStore, times: int) -> list[tuple[bool, bool]]:
    """(revoked, frozen) of `times` capsules, each revoked and frozen at the same time over connections of its own."""

    async def check() -> list[tuple[bool, bool]]:
        outcomes = []
        for number in range(times):
            capsule = await pending(store, f"user:{number}")

            async def revoke(capsule: Capsule = capsule) -> bool:
                return await store.capsules.revoke(capsule.id, now=at(HOUR - FREEZE_S)) is not None

            async def freeze(capsule: Capsule = capsule) -> bool:
                now = at(HOUR - FREEZE_S)
                return await other_store.capsules.freeze(capsule.id, named(capsule), now=now) is not None

            both = (revoke(), freeze()) if number % 2 else (freeze(), revoke())
            first, second = await asyncio.gather(*both)
            outcomes.append((first, second) if number % 2 else (second, first))
            found = await store.capsules.find(capsule.uuid)
            assert found is not None
            assert found.status is (Status.DRAFT if outcomes[-1][0] else Status.DELIVERING)
        return outcomes

    return run(check())


def test_revoking_at_ten_minutes_before_has_exactly_one_winner(store: SqlStore, other_store: SqlStore) -> None:
    outcomes = race(store, other_store, 1_000)
    assert all(revoked is not frozen for revoked, frozen in outcomes)
    assert len(set(outcomes)) == 2, "both win sometimes"


def test_a_list_shows_what_is_its_owners(store: SqlStore) -> None:
    async def check() -> None:
        mine = [await pending(store, in_s=in_s) for in_s in (3 * HOUR, HOUR, 2 * HOUR)]
        await pending(store, "user:2")
        page = await store.capsules.own(OWNER, [Status.PENDING], limit=2, offset=0)
        assert ([each.id for each in page.items], page.total) == ([mine[1].id, mine[2].id], 3)
        rest = await store.capsules.own(OWNER, [Status.PENDING], limit=2, offset=2)
        assert [each.id for each in rest.items] == [mine[0].id]
        assert (await store.capsules.own(OWNER, [Status.DRAFT], limit=2, offset=0)).total == 0

    run(check())


FEW, MANY = 200, 2_000
ASKED: dict[str, Callable[[SqlStore], Coroutine[Any, Any, object]]] = {
    "due": lambda store: store.capsules.due(now=at(HOUR), limit=9),
    "own": lambda store: store.capsules.own(OWNER, [Status.PENDING, Status.DELIVERED], limit=9, offset=0),
    "inbox": lambda store: store.capsules.inbox(user_id=1, mailbox_id=0, limit=9, offset=0),
    "inbox of a mailbox": lambda store: store.capsules.inbox(user_id=0, mailbox_id=1, limit=9, offset=0),
    "settled": lambda store: store.capsules.settled(limit=9),
    "used": lambda store: store.capsules.used(OWNER, NOW[:7]),
}


@pytest.mark.parametrize("name", ASKED)
def test_ten_times_as_many_of_others_cost_no_more_steps(store: SqlStore, database: Path, name: str) -> None:
    steps = []
    for number in (FEW, MANY):
        fill(database, number)
        watched = Watched(database)
        run(ASKED[name](SqlStore(watched)))
        run(watched.close())
        steps.append(watched.steps)
    assert steps[1] <= 1.5 * steps[0] + 20


def fill(database: Path, number: int) -> None:
    """Capsules of others until there are `number`: pending ones of later, delivered ones, and uses."""
    with closing(connect(database)) as connection:
        connection.execute("begin")
        for of in range(int(connection.execute("select count(*) from capsules").fetchone()[0]), number):
            status, due = ("pending", at(10 * HOUR)) if of % 2 else ("delivered", None)
            connection.execute(
                "insert into capsules (uuid, status, owner_key, sender_name, recipient_user_id, recipient_name, title,"
                " capsule_style, is_encrypted, trigger_type, trigger_condition, send_at, due, has_content,"
                " created_at, updated_at, mailbox_id, outbox_uuid) values (?, 'draft', ?, '', ?, '', '',"
                " '', 0, '', '', ?, ?, 1, '', '', ?, ?)",
                (f"u{of}", f"user:{of + 2}", of + 2, at(of), due or at(0), of + 2, f"o{of}"),
            )
            for step in ("pending", "delivering", "delivered"):
                if status == "delivered" or step == "pending":
                    connection.execute("update capsules set status = ? where uuid = ?", (step, f"u{of}"))
            connection.execute("update capsules set due = ? where uuid = ?", (due, f"u{of}"))
            connection.execute("insert into capsule_uses values (?, ?, ?)", (f"user:{of + 2}", NOW[:7], of))
        connection.execute("commit")
