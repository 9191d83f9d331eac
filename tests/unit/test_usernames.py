"""Which usernames and limits are taken, and what the others are told."""

from math import inf, nan

import pytest

from tempmail.domain.address import receivable
from tempmail.domain.usernames import MAX_MAILBOX_LIMIT, MAX_USERNAME_CHARS, checked_limit, checked_username
from tempmail.errors import BadRequest

GOOD = {
    "plain": ("ann", "ann"),
    "trimmed-in-lower-case": (" \tAnn\n", "ann"),
    "chinese": ("张三", "张三"),
    "accents-in-lower-case": ("ÉMILE", "émile"),
    "right-to-left": ("דוד", "דוד"),
    "emoji": ("🐈", "🐈"),
    "blank-within": ("ann lee", "ann lee"),
    "one-character": ("a", "a"),
    "longest": ("张" * MAX_USERNAME_CHARS, "张" * MAX_USERNAME_CHARS),
    "longest-once-trimmed": (" " + "a" * MAX_USERNAME_CHARS + " ", "a" * MAX_USERNAME_CHARS),
    "part-of-a-reserved-name": ("guest1", "guest1"),
    "quotes": ("o'neil\"; --", "o'neil\"; --"),
}


@pytest.mark.parametrize(("given", "stored"), GOOD.values(), ids=GOOD.keys())
def test_a_name_of_any_script_is_kept_trimmed_and_in_lower_case(given: str, stored: str) -> None:
    assert checked_username(given) == stored


BAD = {
    "empty": ("", "用户名不能为空"),
    "blank": (" \t\n\u3000", "用户名不能为空"),
    "too-long": ("a" * (MAX_USERNAME_CHARS + 1), "用户名最多 64 个字符"),
    "too-long-once-in-lower-case": ("İ" * 33, "用户名最多 64 个字符"),
    "mailbox-like": ("ann@example.com", "用户名不能包含 @"),
    "nul": ("a\0b", "用户名不能包含控制字符"),
    "line-break": ("a\nb", "用户名不能包含控制字符"),
    "line-separator": ("a\u2028b", "用户名不能包含控制字符"),
    "c1-control": ("a\x85b", "用户名不能包含控制字符"),
    "invisible": ("a\u200bb", "用户名不能包含控制字符"),
    "direction-override": ("\u202eadmin", "用户名不能包含控制字符"),
    "half-a-pair": ("a\ud800", "用户名不能包含控制字符"),
    "root": ("__ROOT__", "用户名 __root__ 为系统保留"),
    "guest": (" Guest ", "用户名 guest 为系统保留"),
    "cli": ("cli", "用户名 cli 为系统保留"),
}


@pytest.mark.parametrize(("given", "text"), BAD.values(), ids=BAD.keys())
def test_a_name_that_nobody_may_have_is_refused_and_says_why(given: str, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        checked_username(given)
    assert str(refused.value) == text


@pytest.mark.parametrize("limit", [0, 1, 10.0, MAX_MAILBOX_LIMIT])
def test_a_limit_is_a_whole_number_from_none_at_all(limit: float) -> None:
    assert checked_limit(limit) == limit
    assert isinstance(checked_limit(limit), int)


@pytest.mark.parametrize("limit", [-1, -0.5, 0.5, MAX_MAILBOX_LIMIT + 1, 1e300, inf, -inf, nan])
def test_any_other_limit_is_refused_and_says_what_is_allowed(limit: float) -> None:
    with pytest.raises(BadRequest, match="mailboxLimit 必须是 0 到 1000000 的整数"):
        checked_limit(limit)


RECEIVABLE = {
    "plain": ("box@example.com", True),
    "tag": ("a.b+c-d_e@sub.example.com", True),
    "host-alone": ("box@localhost", True),
    "any-script": ("张三@例子.example", True),
    "literal": ("box@[192.0.2.1]", True),
    "quoted": ('"a b"@example.com', True),
    "longest-local-part": ("a" * 64 + "@example.com", True),
    "local-part-too-long": ("a" * 65 + "@example.com", False),
    "too-long": ("a@" + ".".join(["b" * 60] * 5), False),
    "empty": ("", False),
    "no-at": ("example.com", False),
    "no-local-part": ("@example.com", False),
    "no-domain": ("box@", False),
    "two-ats": ("a@b@example.com", False),
    "blank": ("a b@example.com", False),
    "line-break": ("a@example.com\r\nRCPT TO:<b@example.com>", False),
    "angle-brackets": ("a@example.com> SIZE=1", False),
    "name": ("Ann <a@example.com>", False),
    "dots": ("a..b@example.com", False),
    "empty-label": ("a@example..com", False),
    "hyphen": ("a@-example.com", False),
    "comma": ("a,b@example.com", False),
    "nul": ("a\0@example.com", False),
    "postmaster-alone": ("postmaster", False),
}


@pytest.mark.parametrize(("address", "expected"), RECEIVABLE.values(), ids=RECEIVABLE.keys())
def test_an_address_is_receivable_where_rcpt_would_take_it(address: str, expected: bool) -> None:
    assert receivable(address) is expected
