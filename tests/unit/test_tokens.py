"""Scopes and secrets of API tokens."""

import re
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail.domain.accounts import MAX_TOKEN_MAILBOXES
from tempmail.domain.actor import Actor, Role, Scope
from tempmail.domain.policy import ACTIONS, Reach, grant
from tempmail.domain.tokens import (
    MAX_ACTIONS,
    MAX_NAME_CHARS,
    checked_name,
    checked_scope,
    hash_of,
    is_secret,
    new_secret,
)
from tempmail.errors import BadRequest, Forbidden

USER = Actor(Role.USER, "ann", 7)


def test_a_secret_has_256_random_bits_and_its_hash_does_not_show_it() -> None:
    secret = new_secret(secrets.token_urlsafe)

    assert re.fullmatch(r"tm_[\w-]{43}", secret)
    assert is_secret(secret)
    hashed = hash_of(secret)
    assert secret not in hashed
    assert hash_of(secret) == hashed != hash_of(new_secret(secrets.token_urlsafe))


@pytest.mark.parametrize("text", ["", "tm_", "tm_" + "a" * 42, "tm_" + "a" * 44, "xx_" + "a" * 43, "tm_" + "é" * 43])
def test_what_has_not_the_form_of_a_secret_is_none(text: str) -> None:
    assert not is_secret(text)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_pattern_matches_as_its_star_says(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None

    assert Scope((pattern,)).allows(text) is expected


def test_without_mailbox_patterns_every_mailbox_is_covered() -> None:
    assert Scope(("*",)).covers("any@example.com")
    assert not Scope(("*",), ("one@example.com",)).covers("any@example.com")


def test_a_scope_narrows_what_the_owner_may_do() -> None:
    reader = Actor(Role.USER, "ann", 7, token_id=1, scope=Scope(("mail.list",)))

    assert grant(reader, "mail.list").reach is Reach.OWN
    with pytest.raises(Forbidden, match=r"mail\.delete"):
        grant(reader, "mail.delete")


def test_a_scope_gives_nothing_that_the_owner_may_not_do() -> None:
    with pytest.raises(Forbidden):
        grant(Actor(Role.USER, "ann", 7, token_id=1, scope=Scope(("*",))), "user.delete")


@pytest.mark.parametrize("action", ["token.list", "token.create", "token.revoke"])
def test_no_token_manages_tokens_however_wide_it_is(action: str) -> None:
    everything = Actor(Role.STRICT_ADMIN, "admin", 1, token_id=1, scope=Scope(("*",)))

    with pytest.raises(Forbidden, match="log in"):
        grant(everything, action)
    assert not ACTIONS[action].by_token


@pytest.mark.parametrize("action", ["user.create", "user.update", "user.delete", "audit.read", "extraction.rules"])
def test_a_token_for_certain_mailboxes_does_nothing_beyond_mailboxes(action: str) -> None:
    admin = Actor(Role.STRICT_ADMIN, "admin", 1)
    narrow = Actor(Role.STRICT_ADMIN, "admin", 1, token_id=1, scope=Scope(("*",), ("qa-*@example.com",)))
    wide = Actor(Role.STRICT_ADMIN, "admin", 1, token_id=1, scope=Scope(("*",)))

    assert grant(wide, action).reach is Reach.ALL
    with pytest.raises(Forbidden, match="certain mailboxes"):
        grant(narrow, action)
    assert checked_scope(admin, [action], []) == Scope((action,))
    with pytest.raises(BadRequest, match="nothing that you may do"):
        checked_scope(admin, [action], ["qa-*@example.com"])


def test_a_scope_is_kept_without_repeats_and_in_lower_case() -> None:
    assert checked_scope(USER, ["mail.*", "mail.*"], [" QA-*@Example.com "]) == Scope(
        ("mail.*",), ("qa-*@example.com",)
    )


@pytest.mark.parametrize("pattern", ["", "no.such", "audit.*", "token.create", "MAIL.LIST", "mail.list ", "*" * 65])
def test_a_pattern_that_allows_its_maker_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequest, match="nothing that you may do"):
        checked_scope(USER, [pattern], [])


@pytest.mark.parametrize("pattern", ["", "a b@example.com", "a@b@c", "a'@example.com", "é@example.com", "a" * 321])
def test_a_mailbox_pattern_that_fits_no_address_is_refused(pattern: str) -> None:
    with pytest.raises(BadRequest, match="mailboxes"):
        checked_scope(USER, ["*"], [pattern])


def test_the_numbers_of_patterns_are_bounded() -> None:
    actions = ["mail" + "*" * n for n in range(1, MAX_ACTIONS + 2)]
    boxes = [f"{n}@example.com" for n in range(MAX_TOKEN_MAILBOXES + 1)]

    assert len(checked_scope(USER, actions[:-1], boxes[:-1]).actions) == MAX_ACTIONS
    for too_many in ((actions, []), ([], []), (["*"], boxes)):
        with pytest.raises(BadRequest):
            checked_scope(USER, *too_many)


def test_a_name_is_trimmed_and_bounded() -> None:
    assert checked_name(f" {'n' * MAX_NAME_CHARS} ") == "n" * MAX_NAME_CHARS
    for bad in ("", "  ", "n" * (MAX_NAME_CHARS + 1), "a\nb"):
        with pytest.raises(BadRequest):
            checked_name(bad)
