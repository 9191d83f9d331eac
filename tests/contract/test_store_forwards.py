"""Forwarding in the store: its intents are committed with the mail, and targets say that they want it."""

from asyncio import gather, run
from collections.abc import Iterator
from pathlib import Path

import pytest

from tempmail.adapters.sql.store import SqlStore, open_store
from tempmail.clock import FakeClock
from tempmail.domain.forwarding import ForwardRules
from tempmail.domain.outbound import Kind, State
from tempmail.ports.outbound import OutboxDetail
from tests.builders import NOW, at, incoming, recipient

LATER = at(60)


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[SqlStore]:
    rules = ForwardRules((("vip", "vip@x.example"),))
    store = run(open_store(tmp_path / "ruled.db", clock=FakeClock(), forward_to=rules.target))
    yield store
    run(store.close())


def waiting(store: SqlStore) -> list[OutboxDetail]:
    return run(store.outbox.claim(now=LATER, until=at(120), limit=100))


def forward(store: SqlStore, address: str, target: str) -> None:
    mailbox = run(store.mailboxes.create(address, now=NOW, owner_id=None))
    run(store.mailboxes.set_forward([mailbox.id], target))


def test_mail_to_a_forwarding_mailbox_leaves_an_intent_that_names_its_body(ruled: SqlStore) -> None:
    forward(ruled, "box@t.example", "Home@x.example")
    [stored] = run(ruled.mail.add([incoming("box@t.example", uuid="u1")]))

    [detail] = waiting(ruled)
    assert detail.mail.kind is Kind.FORWARD
    assert detail.mail.object_key == stored.object_key
    assert detail.mail.from_addr == "bounce@shop.example"
    assert detail.mail.at_least_once
    assert detail.payload == b'{"mailbox":"box@t.example"}'
    assert [(each.address, each.state) for each in detail.recipients] == [("Home@x.example", State.QUEUED)]


def test_a_new_mailbox_is_forwarded_by_rule_from_its_first_mail_on(ruled: SqlStore) -> None:
    run(ruled.mail.add([incoming("vip7@t.example", uuid="u1")]))
    [detail] = waiting(ruled)
    assert [each.address for each in detail.recipients] == ["vip@x.example"]


def test_mail_that_nobody_wants_forwarded_leaves_no_intent(ruled: SqlStore) -> None:
    run(ruled.mail.add([incoming("box@t.example", uuid="u1")]))
    assert waiting(ruled) == []


def test_a_batch_leaves_one_intent_for_each_forwarding_mailbox(ruled: SqlStore) -> None:
    forward(ruled, "a@t.example", "home@x.example")
    mails = [
        incoming("a@t.example", "vip1@t.example", "b@t.example", uuid="u1"),
        incoming("vip1@t.example", uuid="u2"),
        incoming("b@t.example", uuid="u3"),
    ]
    stored = run(ruled.mail.add(mails))
    found = sorted((detail.mail.object_key, detail.recipients[0].address) for detail in waiting(ruled))
    assert found == sorted(
        [
            (stored[0].object_key, "home@x.example"),
            (stored[0].object_key, "vip@x.example"),
            (stored[1].object_key, "vip@x.example"),
        ]
    )


def test_captured_mail_stays_here(ruled: SqlStore) -> None:
    run(ruled.mail.add([incoming("vip@t.example", uuid="u1", may_forward=False)]))
    assert waiting(ruled) == []


def test_a_mail_for_two_names_of_one_mailbox_is_forwarded_once(ruled: SqlStore) -> None:
    forward(ruled, "box@t.example", "home@x.example")
    mail = incoming(recipient("news+box@t.example"), recipient("box@t.example"), uuid="u1")
    run(ruled.mail.add([mail]))
    assert len(waiting(ruled)) == 1


def ask(store: SqlStore, address: str, *, now: str = NOW, not_since: str = NOW) -> bool:
    return run(
        store.forward_targets.ask(
            address, code_hash="hash", code_expires_at=at(600), tries=2, now=now, not_since=not_since
        )
    )


def test_a_target_is_asked_once_until_the_pause_is_over(ruled: SqlStore) -> None:
    assert ask(ruled, "Home@x.example")
    assert not ask(ruled, "home@x.example")
    assert ask(ruled, "home@x.example", now=at(700), not_since=at(1))


def test_a_code_is_good_for_its_tries_even_at_once(ruled: SqlStore) -> None:
    ask(ruled, "home@x.example")

    async def tries() -> list[str | None]:
        return await gather(*(ruled.forward_targets.spend_try("home@x.example", now=NOW) for _ in range(6)))

    assert sorted(map(str, run(tries()))) == ["None"] * 4 + ["hash"] * 2


def test_a_code_expires(ruled: SqlStore) -> None:
    ask(ruled, "home@x.example")
    assert run(ruled.forward_targets.spend_try("home@x.example", now=at(601))) is None
    assert run(ruled.forward_targets.spend_try("home@x.example", now=at(600))) == "hash"


def test_a_verified_target_is_not_asked_again_nor_forgotten(ruled: SqlStore) -> None:
    ask(ruled, "home@x.example")
    run(ruled.forward_targets.verify("HOME@x.example", now=LATER))
    assert not ask(ruled, "home@x.example", now=at(10_000), not_since=at(9_000))
    run(ruled.forward_targets.forget_unanswered(at(20_000)))
    found = run(ruled.forward_targets.find("Home@X.example"))
    assert found is not None
    assert found.verified_at == LATER


def test_targets_that_never_answer_are_forgotten(ruled: SqlStore) -> None:
    ask(ruled, "home@x.example")
    run(ruled.forward_targets.forget_unanswered(NOW))
    assert run(ruled.forward_targets.find("home@x.example")) is not None
    run(ruled.forward_targets.forget_unanswered(at(1)))
    assert run(ruled.forward_targets.find("home@x.example")) is None
