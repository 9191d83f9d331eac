"""The accounts that settings name: one per key, each for its domains, and which of them may send what."""

import asyncio
from pathlib import Path

import pytest

from tempmail.clock import FakeClock
from tempmail.runtime.sending import ProviderRoutes, routes
from tempmail.setting_sources import load
from tempmail.settings import Machine
from tests.outbound_builders import outbound_message

EVERY_ACCOUNT = {
    "SENDFLARE_API_KEY": "a.com=k1",
    "RESEND_API_KEY": '{"a.com": "k2", "b.com": "k3", "c.com": "k2", "*": "k3"}',
    "CYBERPERSONS_API_KEY": "k4",
    "MAIL_PUSH_TOKEN": "t",
    "MAIL_PUSH_FROM": "me@a.com",
    "MAIL_PUSH_TEMPLATE": "7",
    "NOBASE_APPID": "1",
    "NOBASE_SIGNATURE": "s",
    "NOBASE_USER": "123",
    "NOBASE_PASS": "p",
    "NOBASE_FROM": "me@a.com",
    "EMAILCAR_API_USER": "u",
    "EMAILCAR_API_PWD": "p",
    "EMAILCAR_DOMAINS": "d.com",
    "SMTP_RELAY_URL": "smtp://u:p@relay.example",
    "SEND_PAUSES": "resend=1.5,smtp=2",
}


def made(tmp_path: Path, given: dict[str, str]) -> ProviderRoutes:
    settings = load({"DATA_DIR": str(tmp_path), **given}, machine=Machine("host-1", 2)).settings
    return routes(settings, FakeClock())


def test_nothing_configured_is_no_account(tmp_path: Path) -> None:
    found = made(tmp_path, {})
    assert found.is_empty
    assert found.candidates(outbound_message()) == []


def test_there_is_one_account_for_each_key_with_all_that_it_is_for(tmp_path: Path) -> None:
    found = made(tmp_path, EVERY_ACCOUNT)
    assert [
        (account.provider, account.account, account.domains, account.addresses, account.for_all)
        for account, _ in found.accounts
    ] == [
        ("sendflare", "a.com", ("a.com",), (), False),
        ("resend", "a.com", ("a.com", "c.com"), (), False),
        ("resend", "b.com", ("b.com",), (), True),
        ("cyberpersons", "default", (), (), True),
        ("mail_push", "default", (), ("me@a.com",), False),
        ("nobase", "default", (), ("me@a.com",), False),
        ("emailcar", "default", ("d.com",), (), False),
        ("smtp", "default", (), (), True),
    ]
    asyncio.run(found.close())


@pytest.mark.parametrize(
    ("sender", "names"),
    [
        ("me@a.com", ["sendflare:a.com", "resend:a.com", "mail_push:default", "nobase:default", "resend:b.com"]),
        ("you@c.com", ["resend:a.com", "resend:b.com", "cyberpersons:default", "smtp:default"]),
        ("you@d.com", ["emailcar:default", "resend:b.com", "cyberpersons:default", "smtp:default"]),
        ("you@e.com", ["resend:b.com", "cyberpersons:default", "smtp:default"]),
    ],
)
def test_candidates_come_in_the_order_of_routing(tmp_path: Path, sender: str, names: list[str]) -> None:
    found = made(tmp_path, EVERY_ACCOUNT)
    candidates = found.candidates(outbound_message(from_addr=sender))
    assert [f"{each.name}:{each.account}" for each in candidates][: len(names)] == names


def test_an_account_is_found_by_its_name(tmp_path: Path) -> None:
    found = made(tmp_path, EVERY_ACCOUNT)
    provider = found.account("resend", "a.com")
    assert provider is not None
    assert (provider.name, provider.account) == ("resend", "a.com")
    assert found.account("resend", "gone.com") is None


def test_pauses_of_the_settings_hold_for_their_provider_alone(tmp_path: Path) -> None:
    pauses = {account.provider: account.capabilities.pause_s for account, _ in made(tmp_path, EVERY_ACCOUNT).accounts}
    assert (pauses["resend"], pauses["smtp"], pauses["nobase"]) == (1.5, 2.0, 60.0)
