"""Where mail is handed on to, and how loops are known."""

import pytest

from tempmail.domain.forwarding import MAX_HOPS, ForwardRules, handed_on
from tempmail.errors import InvalidOutbound

RULES = ForwardRules((("*", "all@x.example"), ("vip", "vip@x.example"), ("v", "v@x.example")))
RAW = b"From: a@b.example\r\nSubject: Hello\r\n\r\nDelivered-To: box@t.example\r\n"


@pytest.mark.parametrize(
    ("mailbox", "own", "target"),
    [
        pytest.param("vip1@t.example", None, "vip@x.example", id="the-first-prefix-in-order"),
        pytest.param("v@t.example", None, "v@x.example", id="a-whole-local-part"),
        pytest.param("other@t.example", None, "all@x.example", id="star-after-all-others"),
        pytest.param("vip1@t.example", "own@x.example", "own@x.example", id="its-own-target-alone"),
        pytest.param("vip1@t.example", "", "vip@x.example", id="an-empty-target-is-none"),
    ],
)
def test_a_mailbox_is_forwarded_by_its_own_target_else_by_the_first_rule(
    mailbox: str, own: str | None, target: str
) -> None:
    assert RULES.target(mailbox, own) == target


def test_without_a_rule_that_fits_mail_stays_here() -> None:
    assert ForwardRules((("vip", "vip@x.example"),)).target("box@t.example", None) is None
    assert ForwardRules().target("box@t.example", None) is None


def test_a_mail_is_handed_on_unchanged_below_one_trace_line() -> None:
    assert handed_on(RAW, "box@t.example") == b"Delivered-To: box@t.example\r\n" + RAW


def test_a_mail_that_comes_round_again_is_a_loop() -> None:
    once = handed_on(RAW, "box@t.example")
    with pytest.raises(InvalidOutbound, match="loop"):
        handed_on(b"Received: from elsewhere\r\n" + once, "Box@T.example")
    assert handed_on(once, "second@t.example").count(b"Delivered-To") == 3


@pytest.mark.parametrize(("hops", "goes_on"), [(MAX_HOPS, True), (MAX_HOPS + 1, False)])
def test_a_mail_that_passed_too_many_servers_is_a_loop(hops: int, goes_on: bool) -> None:
    raw = b"Received: from x\r\n\tby y\r\n" * hops + RAW
    if goes_on:
        assert handed_on(raw, "box@t.example").endswith(raw)
    else:
        with pytest.raises(InvalidOutbound, match="loop"):
            handed_on(raw, "box@t.example")


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\nReceived: x", b"no headers at all", b"\xff" * 10])
def test_any_bytes_can_be_handed_on(raw: bytes) -> None:
    assert handed_on(raw, "box@t.example").endswith(raw)
