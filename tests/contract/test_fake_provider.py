"""The fake provider that other tests use keeps the same promises as the real ones."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from tempmail.clock import FakeClock
from tempmail.domain.outbound import OutboundMessage, lacking
from tempmail.errors import CannotDo, InvalidOutbound
from tempmail.ports.outbound import Provider
from tests.fake_provider import KNOWS_KEYS, ONE_BY_ONE, FakeProvider
from tests.providers import ACCOUNTS, SENDER

MANY = tuple(f"to{number}@recipient.example" for number in range(53))


def unreachable(_: httpx.Request) -> httpx.Response:
    raise AssertionError("a preparation makes no call")


def provider(name: str) -> Provider:
    if name == "fake, one by one":
        return FakeProvider(capabilities=ONE_BY_ONE)
    if name == "fake, many":
        return FakeProvider("resend", capabilities=KNOWS_KEYS)
    return ACCOUNTS[name].over(unreachable, FakeClock())


every_provider = pytest.mark.parametrize("name", ["fake, one by one", "fake, many", *ACCOUNTS])


def message(of: Provider, *to: str) -> OutboundMessage:
    mail = OutboundMessage(from_addr=SENDER, to=to, subject="Hello", html="<p>Hi.</p>")
    assert lacking(of.capabilities, mail) == ()
    return mail


@every_provider
def test_each_recipient_is_reached_by_one_call_and_none_reaches_more_than_it_may(name: str) -> None:
    asked = provider(name)
    calls = asked.prepare(message(asked, *MANY), MANY)
    assert [address for call in calls for address in call.recipients] == list(MANY)
    assert max(len(call.recipients) for call in calls) <= asked.capabilities.max_to


@every_provider
def test_the_same_mail_gives_the_same_bytes(name: str) -> None:
    asked = provider(name)
    assert asked.prepare(message(asked, *MANY), MANY) == asked.prepare(message(asked, *MANY), MANY)


@every_provider
def test_only_the_recipients_that_are_still_missing_are_reached(name: str) -> None:
    asked = provider(name)
    calls = asked.prepare(message(asked, *MANY), MANY[2:4])
    assert [address for call in calls for address in call.recipients] == list(MANY[2:4])


@every_provider
def test_nobody_else_is_reached(name: str) -> None:
    asked = provider(name)
    with pytest.raises(InvalidOutbound):
        asked.prepare(message(asked, MANY[0]), ["somebody@else.example"])


@every_provider
def test_who_cannot_be_asked_says_so(name: str) -> None:
    asked = provider(name)
    if not asked.capabilities.status:
        with pytest.raises(CannotDo):
            asyncio.run(asked.status("1"))


def test_the_fake_keeps_what_it_was_asked_for() -> None:
    fake = FakeProvider(capabilities=replace(ONE_BY_ONE, pause_s=3.0))
    [call] = fake.prepare(message(fake, MANY[0]), MANY[:1])
    result = asyncio.run(fake.send(call, idempotency_key="key"))
    assert result.message_id is not None
    assert [(made.key, made.recipients, made.body) for made in fake.made] == [("key", MANY[:1], call.body)]
