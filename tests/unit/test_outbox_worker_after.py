"""Received mail that is handed on, and what became of the mails that went out."""

import asyncio

import pytest

from tempmail.clock import stamp
from tempmail.domain.outbound import Delivery, Kind, OutboundMessage, State
from tempmail.domain.outbound_retry import DENIALS
from tempmail.errors import (
    InvalidOutbound,
    ObjectsUnavailable,
    OutcomeUnknown,
    ProviderDenied,
    ProviderUnavailable,
)
from tempmail.ports.outbound import OutboxDetail
from tempmail.services.outbox_followup import REFRESH_FOR_S
from tempmail.services.outbox_worker import FORWARDS_AT_ONCE
from tests.builders import at
from tests.fake_provider import KNOWS_KEYS, RELAY, FakeProvider
from tests.outbound_builders import outbound_message
from tests.unit.outbox_stage import Open

HOUR = 3600.0


# Handing received mail on


def test_a_forwarded_mail_goes_out_as_it_was_received(open_stage: Open) -> None:
    relay = FakeProvider("smtp", capabilities=RELAY)

    async def forwarded(detail: OutboxDetail) -> OutboundMessage:
        assert detail.mail.object_key == "2023/a.eml"
        return OutboundMessage("srs@temp.example", ("you@else.example",), raw=b"From: x\r\n\r\nHi")

    stage = open_stage(FakeProvider(), relay, forwarded=forwarded)
    mail = stage.add(kind="forward", object_key="2023/a.eml", payload=b"{}", at_least_once=True)
    stage.work()
    assert ([made.raw for made in relay.made], stage.now(mail).state) == ([b"From: x\r\n\r\nHi"], State.ACCEPTED)


def test_a_forwarded_mail_is_tried_for_as_long_as_the_relay_is_down_within_its_deadline(open_stage: Open) -> None:
    down = [ProviderUnavailable("no connection")] * 40
    relay = FakeProvider("smtp", capabilities=RELAY).answer(*down)

    async def forwarded(detail: OutboxDetail) -> OutboundMessage:
        return OutboundMessage("srs@temp.example", ("you@else.example",), raw=b"From: x\r\n\r\nHi")

    stage = open_stage(relay, forwarded=forwarded)
    mail = stage.add(kind="forward", object_key="2023/a.eml", payload=b"{}", at_least_once=True, deadline=at(86_400))
    for _ in down:
        assert stage.now(mail).state is not State.FAILED
        stage.work(after=400.0)
    stage.work(after=400.0)
    assert stage.now(mail).state is State.ACCEPTED


def test_a_received_mail_that_cannot_be_read_now_is_tried_later_and_one_that_is_gone_fails(open_stage: Open) -> None:
    answers = [ObjectsUnavailable("the object store is away"), InvalidOutbound("the mail was deleted")]

    async def forwarded(detail: OutboxDetail) -> OutboundMessage:
        raise answers.pop(0)

    stage = open_stage(FakeProvider("smtp", capabilities=RELAY), forwarded=forwarded)
    mail = stage.add(kind="forward", object_key="2023/a.eml", payload=b"{}")
    stage.work()
    waiting = stage.now(mail)
    assert (waiting.state, waiting.error) == (State.QUEUED, "the object store is away")
    stage.work(after=120.0)
    assert (stage.now(mail).state, stage.now(mail).error) == (State.FAILED, "the mail was deleted")


# What became of it


def test_a_provider_that_can_be_asked_is_at_growing_intervals_until_the_end(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS)
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    looked = []
    for gap in (60.0, 300.0, 1800.0, 7200.0, 28_800.0, 86_400.0):
        stage.clock.advance(gap - 1)
        before = stage.run(stage.worker.look_up())
        stage.clock.advance(1)
        looked.append((before, stage.run(stage.worker.look_up())))
    assert looked == [(0, 1)] * 6
    stage.clock.advance(100 * 86_400)
    assert stage.run(stage.worker.look_up()) == 0
    assert stage.now(mail).state is State.ACCEPTED


def test_the_end_that_a_lookup_finds_is_kept_and_not_asked_again(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS)
    provider.states["resend-1"] = Delivery(State.BOUNCED, "bounced", "no such user")
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    stage.clock.advance(60)
    stage.run(stage.worker.look_up())
    assert (stage.now(mail).state, stage.now(mail).error) == (State.BOUNCED, "no such user")
    stage.clock.advance(86_400)
    assert stage.run(stage.worker.look_up()) == 0


def test_a_lookup_that_fails_is_made_again_later(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS)
    provider.states["resend-1"] = ProviderUnavailable("away")
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    stage.clock.advance(60)
    assert stage.run(stage.worker.look_up()) == 1
    provider.states["resend-1"] = Delivery(State.DELIVERED, "delivered")
    stage.clock.advance(300)
    assert stage.run(stage.worker.look_up()) == 1
    assert stage.now(mail).state is State.DELIVERED


def test_a_provider_that_cannot_be_asked_is_not(open_stage: Open) -> None:
    provider = FakeProvider()
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    stage.clock.advance(86_400)
    assert stage.run(stage.worker.look_up()) == 0
    stage.run(stage.worker.refresh(mail.id))
    assert provider.asked == []


def test_whoever_looks_at_a_mail_has_it_asked_for_at_most_every_ten_seconds(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS)
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()
    for seconds in (0, 9, 1, 1):
        stage.clock.advance(seconds)
        stage.run(stage.worker.refresh(mail.id))
    assert len(provider.asked) == 2


def test_the_gauge_shows_each_provider_and_state(open_stage: Open) -> None:
    stage = open_stage(FakeProvider().answer(OutcomeUnknown("timeout")))
    for _ in range(2):
        stage.add()
    stage.work()
    stage.add(scheduled_at=at(HOUR))
    stage.run(stage.worker.measure())
    shown = stage.metrics.board.render().decode()
    assert 'tempmail_outbox_mails{provider="sendflare",state="unknown"} 1.0' in shown
    assert 'tempmail_outbox_mails{provider="sendflare",state="accepted"} 1.0' in shown
    assert 'tempmail_outbox_mails{provider="none",state="scheduled"} 1.0' in shown
    assert 'tempmail_outbox_calls_total{outcome="unknown",provider="sendflare"} 1.0' in shown


def test_a_mail_that_an_account_denies_again_and_again_does_not_pause_it_for_ever(open_stage: Open) -> None:
    provider = FakeProvider().answer(*[ProviderDenied("the domain is not verified")] * 10)
    stage = open_stage(provider)
    mail = stage.add()
    for _ in range(10):
        stage.work(after=1000.0)
    assert (len(provider.made), stage.now(mail).state) == (DENIALS, State.FAILED)
    assert stage.now(mail).error == "the domain is not verified"
    stage.run(stage.outbox.retry(mail.id, deadline=stamp(stage.clock.now() + HOUR), now=stamp(stage.clock.now())))
    provider.answers.clear()
    stage.work(after=1000.0)
    assert stage.now(mail).state is State.ACCEPTED


def test_a_lookup_that_somebody_waits_for_has_a_time_limit(open_stage: Open) -> None:
    provider = FakeProvider("resend", capabilities=KNOWS_KEYS)
    stage = open_stage(provider)
    mail = stage.add()
    stage.work()

    async def never(message_id: str) -> Delivery:
        await asyncio.get_running_loop().create_future()
        raise AssertionError(message_id)

    provider.status = never  # type: ignore[method-assign]

    async def seconds() -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.wait_for(stage.worker.refresh(mail.id), 1e6)
        return asyncio.get_running_loop().time() - began

    assert stage.run(seconds()) == pytest.approx(REFRESH_FOR_S)
    assert stage.now(mail).state is State.ACCEPTED


def test_few_received_mails_are_in_memory_at_once(open_stage: Open) -> None:
    provider = FakeProvider("smtp", capabilities=RELAY)
    loaded: list[int] = []

    async def load(detail: OutboxDetail) -> OutboundMessage:
        loaded.append(detail.mail.id)
        return outbound_message(raw=b"mail")

    stage = open_stage(provider, forwarded=load)
    mails = [stage.add(kind=Kind.FORWARD, object_key="k", payload=b"{}") for _ in range(FORWARDS_AT_ONCE + 2)]
    let_go = asyncio.Event()
    provider.before = let_go.wait

    async def work() -> None:
        task = asyncio.create_task(stage.worker.run_once())
        await asyncio.sleep(1.0)
        assert len(loaded) == FORWARDS_AT_ONCE
        await asyncio.sleep(10.0)
        assert len(loaded) == FORWARDS_AT_ONCE
        let_go.set()
        await task

    stage.run(work())
    assert [stage.now(mail).state for mail in mails] == [State.ACCEPTED] * FORWARDS_AT_ONCE + [State.QUEUED] * 2
    stage.work(after=60.0)
    assert [stage.now(mail).state for mail in mails] == [State.ACCEPTED] * len(mails)
