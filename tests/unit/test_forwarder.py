"""Handing mail on: what goes out when a forwarding is due, and how a target says that it wants it."""

import asyncio
from dataclasses import dataclass, field

import pytest

from tempmail.adapters.sql.memory import MemoryDatabase
from tempmail.adapters.sql.store import SqlStore
from tempmail.clock import FakeClock, stamp
from tempmail.domain.outbound import OutboundMessage
from tempmail.domain.srs import SenderRewriting
from tempmail.errors import BadRequest, InvalidOutbound, NotFound
from tempmail.ports.outbound import OutboxDetail, OutboxFilter
from tempmail.runtime.web_process import ask_targets
from tempmail.services.forwarding import (
    ASK_AGAIN_AFTER_S,
    CODE_VALID_S,
    FORGOTTEN_AFTER_S,
    MAX_TRIES,
    ConsentOptions,
    ForwardConsent,
    Forwarder,
)
from tempmail.services.outbound_payload import decode
from tests.builders import RAW, incoming

CODE = "12345678"
TARGET = "home@x.example"


@dataclass
class Bodies:
    raw: bytes | None = RAW
    asked: list[str] = field(default_factory=list)

    async def read(self, object_key: str) -> bytes:
        self.asked.append(object_key)
        if self.raw is None:
            raise NotFound("no such object")
        return self.raw


class Site:
    """A store in memory with one mailbox whose mail is forwarded to `TARGET`."""

    def __init__(self, *, verify: bool = False) -> None:
        self.clock = FakeClock()
        self.store = SqlStore(MemoryDatabase(self.clock, max_bytes=8 << 20))
        self.bodies = Bodies()
        self.senders = SenderRewriting("root token")
        self.forwarder = Forwarder(
            self.bodies, self.store.forward_targets, self.senders, clock=self.clock, verify=verify
        )
        self.consent = ForwardConsent(
            self.store.forward_targets,
            self.store.outbox,
            clock=self.clock,
            options=ConsentOptions(required=verify, domain="t.example"),
            new_code=lambda: CODE,
        )

    async def __aenter__(self) -> "Site":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()

    async def due(self) -> list[OutboxDetail]:
        now = self.clock.now()
        return await self.store.outbox.claim(now=stamp(now), until=stamp(now + 60), limit=10)

    async def forwarding(self, envelope_from: str = "alice@sender.example") -> OutboxDetail:
        box = await self.store.mailboxes.create("box@t.example", now=stamp(self.clock.now()), owner_id=None)
        await self.store.mailboxes.set_forward([box.id], TARGET)
        await self.store.mail.add([incoming("box@t.example", envelope_from=envelope_from)])
        [detail] = await self.due()
        return detail

    async def questions(self) -> list[OutboundMessage]:
        return [decode(detail.payload) for detail in await self.due()]


def test_a_forwarded_mail_has_a_sender_of_ours_and_its_own_text() -> None:
    async def case() -> None:
        async with Site() as site:
            detail = await site.forwarding()
            message = await site.forwarder.message(detail)
            assert message.to == (TARGET,)
            assert message.raw == b"Delivered-To: box@t.example\r\n" + RAW
            local, _, domain = message.from_addr.partition("@")
            assert domain == "t.example"
            assert site.senders.restore(local, now=site.clock.now()) == "alice@sender.example"
            assert site.bodies.asked == [detail.mail.object_key]

    asyncio.run(case())


def test_a_bounce_is_forwarded_with_the_null_sender() -> None:
    async def case() -> None:
        async with Site() as site:
            assert (await site.forwarder.message(await site.forwarding(envelope_from=""))).from_addr == ""

    asyncio.run(case())


@pytest.mark.parametrize(
    ("raw", "why"), [(None, "deleted"), (b"Delivered-To: box@t.example\r\n" + RAW, "loop")], ids=["deleted", "loop"]
)
def test_what_cannot_be_handed_on_says_why(raw: bytes | None, why: str) -> None:
    async def case() -> None:
        async with Site() as site:
            site.bodies.raw = raw
            with pytest.raises(InvalidOutbound, match=why):
                await site.forwarder.message(await site.forwarding())

    asyncio.run(case())


def test_where_targets_must_confirm_nothing_goes_out_before() -> None:
    async def case() -> None:
        async with Site(verify=True) as site:
            detail = await site.forwarding()
            with pytest.raises(InvalidOutbound, match="has not confirmed"):
                await site.forwarder.message(detail)
            await site.consent.ask(TARGET)
            with pytest.raises(InvalidOutbound, match="has not confirmed"):
                await site.forwarder.message(detail)
            await site.consent.confirm(TARGET, f" {CODE[:4]} {CODE[4:]} ")
            assert (await site.forwarder.message(detail)).to == (TARGET,)

    asyncio.run(case())


def test_a_target_is_mailed_its_code_once_in_ten_minutes() -> None:
    async def case() -> None:
        async with Site(verify=True) as site:
            await site.consent.ask(TARGET)
            [question] = await site.questions()
            assert question.to == (TARGET,)
            assert question.from_addr == "bounces@t.example"
            assert CODE in (question.text or "")

            site.clock.advance(ASK_AGAIN_AFTER_S)
            await site.consent.ask(TARGET)
            await site.consent.ask(None)
            assert len(await site.store.outbox.page(OutboxFilter())) == 1
            site.clock.advance(1)
            await site.consent.ask(TARGET)
            assert len(await site.store.outbox.page(OutboxFilter())) == 2

    asyncio.run(case())


def test_nobody_is_asked_where_targets_need_not_confirm() -> None:
    async def case() -> None:
        async with Site() as site:
            await site.consent.ask(TARGET)
            assert await site.due() == []
            assert await site.consent.is_confirmed(TARGET)

    asyncio.run(case())


def test_a_code_is_good_for_five_tries() -> None:
    async def case() -> None:
        async with Site(verify=True) as site:
            await site.consent.ask(TARGET)
            for _ in range(MAX_TRIES):
                with pytest.raises(BadRequest, match="验证码错误或已过期"):
                    await site.consent.confirm(TARGET, "00000000")
            with pytest.raises(BadRequest):
                await site.consent.confirm(TARGET, CODE)
            assert not await site.consent.is_confirmed(TARGET)

    asyncio.run(case())


def test_the_fifth_try_may_be_right() -> None:
    async def case() -> None:
        async with Site(verify=True) as site:
            await site.consent.ask(TARGET)
            for _ in range(MAX_TRIES - 1):
                with pytest.raises(BadRequest):
                    await site.consent.confirm(TARGET, "")
            await site.consent.confirm(TARGET, CODE)
            assert await site.consent.is_confirmed(TARGET.upper())

    asyncio.run(case())


@pytest.mark.parametrize(("late_s", "holds"), [(0, True), (1, False)])
def test_a_code_holds_for_a_day(late_s: int, holds: bool) -> None:
    async def case() -> None:
        async with Site(verify=True) as site:
            await site.consent.ask(TARGET)
            site.clock.advance(CODE_VALID_S + late_s)
            if holds:
                await site.consent.confirm(TARGET, CODE)
            else:
                with pytest.raises(BadRequest):
                    await site.consent.confirm(TARGET, CODE)

    asyncio.run(case())


def test_a_code_that_nobody_asked_for_is_wrong() -> None:
    async def case() -> None:
        async with Site(verify=True) as site:
            with pytest.raises(BadRequest):
                await site.consent.confirm(TARGET, CODE)

    asyncio.run(case())


def test_targets_that_never_answer_are_forgotten() -> None:
    async def case() -> None:
        async with Site(verify=True) as site:
            await site.consent.ask(TARGET)
            site.clock.advance(FORGOTTEN_AFTER_S + 1)
            await site.consent.ask("other@x.example")
            assert await site.store.forward_targets.find(TARGET) is None

    asyncio.run(case())


def test_a_server_starts_though_the_question_to_a_target_cannot_be_stored() -> None:
    async def case() -> None:
        async with Site(verify=True) as site:
            await ask_targets(site.consent, ["one@x.example", "two@x.example"])
            assert sorted(question.to[0] for question in await site.questions()) == ["one@x.example", "two@x.example"]
        # The store is closed now.
        await ask_targets(site.consent, ["three@x.example"])

    asyncio.run(case())
