"""The policy table: what it says, that it refuses what it does not say, and that the document shows it."""

from pathlib import Path

import pytest

from tempmail.domain.actor import ROOT, Actor, Role
from tempmail.domain.policy import ACTIONS, Reach, decide, grant
from tempmail.errors import Forbidden, Unauthenticated
from tempmail.web.endpoints import ALL
from tempmail.web.policy_page import page

ROOT_FOLDER = Path(__file__).parents[2]

S, A, U, M, G = Role
ALL_, OWN, DEMO, NONE = Reach

# Seed 004 and the original's roles per endpoint (S A U M G), written down a second time so that a slip shows.
EXPECTED = {
    "server.read": (ALL_, ALL_, ALL_, ALL_, ALL_),
    "session.login": (ALL_, ALL_, ALL_, ALL_, ALL_),
    "session.logout": (ALL_, ALL_, ALL_, ALL_, ALL_),
    "session.read": (OWN, OWN, OWN, OWN, OWN),
    "domain.list": (ALL_, ALL_, ALL_, NONE, DEMO),
    "mailbox.create": (ALL_, OWN, OWN, NONE, DEMO),
    "mailbox.list": (ALL_, OWN, OWN, NONE, DEMO),
    "mailbox.delete": (ALL_, OWN, NONE, NONE, NONE),
    "mailbox.info": (ALL_, OWN, OWN, OWN, DEMO),
    "mailbox.quota": (ALL_, OWN, OWN, NONE, DEMO),
    "mailbox.pin": (ALL_, OWN, OWN, NONE, NONE),
    "mailbox.forward": (ALL_, OWN, OWN, NONE, NONE),
    "mailbox.favorite": (ALL_, OWN, OWN, NONE, NONE),
    "mailbox.batch": (ALL_, NONE, NONE, NONE, NONE),
    "mailbox.login": (ALL_, NONE, NONE, NONE, NONE),
    "mailbox.password": (ALL_, NONE, NONE, NONE, NONE),
    "mailbox.reset_password": (ALL_, NONE, NONE, NONE, DEMO),
    "mailbox.own_password": (NONE, NONE, NONE, OWN, NONE),
    "mail.list": (ALL_, OWN, OWN, OWN, DEMO),
    "mail.read": (ALL_, OWN, OWN, OWN, DEMO),
    "mail.download": (ALL_, OWN, OWN, OWN, NONE),
    "mail.delete": (ALL_, OWN, OWN, OWN, NONE),
    "mail.clear": (ALL_, OWN, OWN, OWN, NONE),
    "mail.send": (ALL_, OWN, OWN, NONE, NONE),
    "send.read": (ALL_, OWN, OWN, NONE, NONE),
    "send.change": (ALL_, OWN, OWN, NONE, NONE),
    "sent.list": (ALL_, OWN, OWN, NONE, DEMO),
    "sent.read": (ALL_, OWN, OWN, NONE, NONE),
    "sent.delete": (ALL_, OWN, OWN, NONE, NONE),
    "outbox.read": (ALL_, NONE, NONE, NONE, NONE),
    "outbox.manage": (ALL_, NONE, NONE, NONE, NONE),
    "sandbox.manage": (ALL_, NONE, NONE, NONE, NONE),
    "hook.receive": (ALL_, ALL_, ALL_, ALL_, ALL_),
    "user.list": (ALL_, NONE, NONE, NONE, DEMO),
    "user.create": (ALL_, NONE, NONE, NONE, DEMO),
    "user.update": (ALL_, NONE, NONE, NONE, DEMO),
    "user.delete": (ALL_, NONE, NONE, NONE, DEMO),
    "user.mailboxes": (ALL_, OWN, OWN, NONE, DEMO),
    "user.assign": (ALL_, NONE, NONE, NONE, DEMO),
    "token.list": (ALL_, OWN, OWN, NONE, NONE),
    "token.create": (OWN, OWN, OWN, NONE, NONE),
    "token.revoke": (ALL_, OWN, OWN, NONE, NONE),
    "audit.read": (ALL_, NONE, NONE, NONE, NONE),
    "capsule.write": (OWN, OWN, OWN, OWN, NONE),
    "capsule.read": (OWN, OWN, OWN, OWN, NONE),
    "extraction.try": (ALL_, ALL_, ALL_, NONE, NONE),
    "extraction.rules": (ALL_, NONE, NONE, NONE, NONE),
    "api.unknown": (ALL_, ALL_, ALL_, NONE, ALL_),
}


def test_the_table_says_what_the_specification_says() -> None:
    assert {action: tuple(decide(Actor(role, "x"), action) for role in Role) for action in ACTIONS} == EXPECTED


@pytest.mark.parametrize("role", Role)
def test_an_action_that_is_not_in_the_table_is_refused(role: Role) -> None:
    assert decide(Actor(role, "x"), "mail.forge") is Reach.NONE
    with pytest.raises(Forbidden):
        grant(Actor(role, "x"), "mail.forge")


@pytest.mark.parametrize("action", ACTIONS)
def test_nobody_gets_a_grant_without_a_credential(action: str) -> None:
    with pytest.raises(Unauthenticated):
        grant(None, action)


def test_a_grant_carries_the_reach() -> None:
    assert grant(ROOT, "mail.list").reach is Reach.ALL
    assert grant(Actor(Role.USER, "ann", 7), "mail.list").reach is Reach.OWN


def test_only_mailbox_logins_have_a_window() -> None:
    windows = {role: grant(Actor(role, "x"), "mail.read").window_s for role in Role}
    assert windows == {S: None, A: None, U: None, M: 86_400, G: None}


def test_the_guest_never_reaches_beyond_the_demonstration() -> None:
    open_to_all = {"api.unknown", "session.read"}
    for action, rule in ACTIONS.items():
        if not rule.public and action not in open_to_all:
            assert rule.guest in (Reach.DEMO, Reach.NONE)


def test_every_action_is_used_and_every_endpoint_has_one() -> None:
    assert {endpoint.action for endpoint in ALL} | {"api.unknown"} == set(ACTIONS)


def test_the_document_is_generated_from_the_table() -> None:
    written = (ROOT_FOLDER / "docs" / "policy.md").read_text("utf-8")
    assert written == page(), "run: python -m tempmail.web.policy_page"
