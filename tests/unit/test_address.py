"""Addresses: what is served, which mailbox is meant, how names and keys are made."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail.domain.address import (
    ALPHABET,
    ServedDomains,
    address_in,
    alias_of,
    object_folder,
    object_key,
    random_local,
    split_address,
    valid_local,
)

ALIASES = {
    "a.b-c+d@x.example": "d@x.example",
    "x.y.z@d.example": "z@d.example",
    "my-box.one@d.example": "one@d.example",
    "Plus+TAG@D.Example": "tag@d.example",
    ".x@d.example": ".x@d.example",
    "x.@d.example": "x.@d.example",
    "a.b.@d.example": "a.b.@d.example",
    "+@d.example": "+@d.example",
    "under_score@d.example": "under_score@d.example",
    "plain@sub.d-e.example": "plain@sub.d-e.example",
    "..x@d.example": "x@d.example",
    "no-domain": "domain",
}


@pytest.mark.parametrize(("address", "mailbox"), ALIASES.items())
def test_an_alias_is_the_text_after_the_last_separator(address: str, mailbox: str) -> None:
    assert alias_of(address) == mailbox


@given(st.text(alphabet="ab.+-_@", min_size=1, max_size=30))
def test_an_alias_is_the_end_of_its_local_part_and_keeps_the_domain(local: str) -> None:
    alias, domain = split_address(alias_of(f"{local}@d-e.example"))
    assert domain == "d-e.example"
    assert alias
    assert local.endswith(alias)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("a@b.example", ("a", "b.example")),
        ("a@b@c.example", ("a@b", "c.example")),
        ('"a b"@c.example', ('"a b"', "c.example")),
        ("nothing", ("nothing", "")),
        ("@b.example", ("@b.example", "")),
        ("a@", ("a", "")),
        ("", ("", "")),
    ],
)
def test_an_address_is_split_at_its_last_at(address: str, parts: tuple[str, str]) -> None:
    assert split_address(address) == parts


SERVED = ServedDomains(["Temp.example", "*.Wild.example", "b.example"])


@pytest.mark.parametrize("domain", ["temp.example", "TEMP.EXAMPLE", "b.example", "x.wild.example", "a.b.Wild.Example"])
def test_a_configured_domain_or_a_subdomain_of_a_wildcard_is_served(domain: str) -> None:
    assert SERVED.serves(domain)


@pytest.mark.parametrize(
    "domain",
    ["", "other.example", "x.temp.example", "wild.example", ".wild.example", "xwild.example", "*.b.example", "example"],
)
def test_any_other_domain_is_not_served(domain: str) -> None:
    assert not SERVED.serves(domain)


def test_nothing_is_served_where_nothing_is_configured() -> None:
    assert not ServedDomains([]).serves("temp.example")


def test_new_addresses_are_made_in_configured_domains_without_wildcards_as_written() -> None:
    assert SERVED.concrete == ("Temp.example", "b.example")


@pytest.mark.parametrize("local", ["a", "a.b_c-1", "-", "a" * 64])
def test_a_caller_may_choose_this_name(local: str) -> None:
    assert valid_local(local)


@pytest.mark.parametrize("local", ["", "a" * 65, "A", "a b", "a@b", "a+b", "é", "a\n", "٣"])
def test_a_caller_may_not_choose_that_name(local: str) -> None:
    assert not valid_local(local)


def test_a_random_name_has_the_length_asked_for_from_the_alphabet() -> None:
    turns = itertools.cycle(range(len(ALPHABET)))
    assert random_local(40, lambda letters: letters[next(turns)]) == f"{ALPHABET}abcd"
    assert valid_local(random_local(64, lambda letters: letters[-1]))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Box <A@b.example>", "a@b.example"),
        ("<a@b.example>", "a@b.example"),
        ('"<odd>" <a@b.example>', "a@b.example"),
        (" A@b.example, c@d.example", "a@b.example"),
        (">a@b.example<", ">a@b.example<"),
        ("<>", ""),
        ("", ""),
        (" , ", ""),
    ],
)
def test_the_address_in_a_header(text: str, address: str) -> None:
    assert address_in(text) == address


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ("Box.1_a-b@T.example", "box.1_a-b@t.example"),
        ("a/../b@t.example", "a_.._b@t.example"),
        ("..", "unknown"),
        ("", "unknown"),
        ("é\0@t.example", "__@t.example"),
        ("a" * 300, "a" * 200),
    ],
)
def test_a_folder_of_object_keys_holds_safe_characters_only(address: str, folder: str) -> None:
    assert object_folder(address) == folder


@given(st.text(max_size=300))
def test_no_address_leads_out_of_its_folder(address: str) -> None:
    key = object_key("2026-11-20 10:15:00", address, "u1")
    parts = key.split("/")
    assert len(parts) == 5
    assert key.isascii()
    assert not {"", ".", ".."} & set(parts)


def test_an_object_key_has_the_originals_layout() -> None:
    assert object_key("2026-11-20 10:15:00", "Box@T.example", "u1") == "2026/11/20/box@t.example/101500-u1.eml"
