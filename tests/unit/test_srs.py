"""Rewritten senders: what they say, and that nobody else can make one."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail.domain.srs import VALID_DAYS, SenderRewriting, is_rewritten
from tempmail.errors import BadRequest

NOW = 1_704_110_400.0  # 2024-01-01 12:00:00
DAY_S = 86_400.0
OURS = SenderRewriting("root token")

atoms = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-+", min_size=1, max_size=6)
local_parts = st.lists(atoms, min_size=1, max_size=3).map(".".join)
hosts = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12).map("{}.example".format)


@given(local_parts, hosts)
def test_a_rewritten_sender_is_restored_by_who_made_it(local: str, host: str) -> None:
    made = OURS.rewrite(f"{local}@{host}", "t.example", now=NOW)
    ours, _, domain = made.rpartition("@")
    assert domain == "t.example"
    assert is_rewritten(ours)
    assert OURS.restore(ours, now=NOW) == f"{local}@{host}"


def test_a_change_of_case_on_the_way_does_no_harm() -> None:
    made = OURS.rewrite("alice@sender.example", "t.example", now=NOW).partition("@")[0]
    assert OURS.restore(made.lower(), now=NOW) == "alice@sender.example"
    assert OURS.restore(made.upper(), now=NOW).lower() == "alice@sender.example"


def test_the_null_sender_stays_null() -> None:
    assert OURS.rewrite("", "t.example", now=NOW) == ""


def test_a_sender_that_another_server_rewrote_leads_back_to_that_server() -> None:
    made = OURS.rewrite("SRS0=HHHH=TT=first.example=alice@second.example", "t.example", now=NOW)
    assert made.startswith("SRS1=")
    assert OURS.restore(made.partition("@")[0], now=NOW) == "SRS0=HHHH=TT=first.example=alice@second.example"


def test_a_sender_that_was_rewritten_twice_does_not_grow() -> None:
    once = "SRS1=HHHH=second.example==HHHH=TT=first.example=a@third.example"
    made = OURS.rewrite(once, "t.example", now=NOW)
    assert made.startswith("SRS1=")
    assert OURS.restore(made.partition("@")[0], now=NOW) == "SRS0=HHHH=TT=first.example=a@second.example"


@pytest.mark.parametrize(
    "sender", ['"a b"@x.example', "a@[192.0.2.1]", "a..b@x.example", "a@x..example", "ü@x.example", "a@bücher.example"]
)
def test_a_sender_that_no_plain_address_can_hold_gives_way_to_the_mailbox_for_bounces(sender: str) -> None:
    assert OURS.rewrite(sender, "t.example", now=NOW) == "bounces@t.example"


@pytest.mark.parametrize(("length", "fits"), [(64, True), (65, False)])
def test_a_local_part_over_64_octets_gives_way_to_the_mailbox_for_bounces(length: int, fits: bool) -> None:
    room = length - len(OURS.rewrite("x@a.example", "t.example", now=NOW).partition("@")[0])
    local = "x" * (room + 1)
    made = OURS.rewrite(f"{local}@a.example", "t.example", now=NOW)
    assert made.startswith("SRS0=") is fits
    assert fits or made == "bounces@t.example"


@pytest.mark.parametrize(("days", "holds"), [(0, True), (VALID_DAYS, True), (VALID_DAYS + 1, False), (1023, False)])
def test_a_return_address_expires(days: int, holds: bool) -> None:
    made = OURS.rewrite("alice@sender.example", "t.example", now=NOW).partition("@")[0]
    later = NOW + days * DAY_S
    if holds:
        assert OURS.restore(made, now=later) == "alice@sender.example"
    else:
        with pytest.raises(BadRequest):
            OURS.restore(made, now=later)


@pytest.mark.parametrize(
    "local",
    ["SRS0=", "SRS0=aaaaaaaa=AA=evil.example=x", "srs0+", "SRS1=aaaaaaaa=evil.example==x", "alice", "SRS0", "srs2=a=b"],
)
def test_an_invented_return_address_is_refused(local: str) -> None:
    with pytest.raises(BadRequest):
        OURS.restore(local, now=NOW)


def test_a_return_address_of_another_secret_is_refused() -> None:
    made = SenderRewriting("other").rewrite("alice@sender.example", "t.example", now=NOW).partition("@")[0]
    with pytest.raises(BadRequest):
        OURS.restore(made, now=NOW)


@given(st.text(max_size=80))
def test_any_text_is_judged_without_an_error(text: str) -> None:
    OURS.rewrite(f"{text}@h.example", "t.example", now=NOW)
    with contextlib.suppress(BadRequest):
        OURS.restore(text, now=NOW)
