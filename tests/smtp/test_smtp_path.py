"""The arguments of MAIL and RCPT."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail.domain.smtp_path import (
    MailParameters,
    ParameterError,
    PathError,
    UnknownParameter,
    parse_forward_path,
    parse_mail_parameters,
    parse_reverse_path,
)


def forward(text: str) -> tuple[str, str]:
    return parse_forward_path(text, postmaster_domain="mx.example")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("<a@b.example>", "a@b.example"),
        (" <a@b.example>", "a@b.example"),
        ("<News+Tag@B.Example>", "News+Tag@B.Example"),
        ("<o'hara.x_y@b-c.example>", "o'hara.x_y@b-c.example"),
        ("<@one.example,@two.example:a@b.example>", "a@b.example"),
        ('<"a b"@c.example>', '"a b"@c.example'),
        ('<"joe"@c.example>', "joe@c.example"),
        (r'<"j\oe"@c.example>', "joe@c.example"),
        (r'<"a\"b"@c.example>', r'"a\"b"@c.example'),
        ('<"a@b"@c.example>', '"a@b"@c.example'),
        ('<"<>"@c.example>', '"<>"@c.example'),
        ("<a@[127.0.0.1]>", "a@[127.0.0.1]"),
        ("<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]"),
        ("<a@_dmarc.example>", "a@_dmarc.example"),
        ("<盒子@例え.example>", "盒子@例え.example"),
    ],
)
def test_a_path_gives_its_address(text: str, address: str) -> None:
    assert parse_reverse_path(text) == (address, "")
    assert forward(text + " X=1") == (address, "X=1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@b.example",
        "<a@b.example",
        "a@b.example>",
        "<a>",
        "<@b.example>",
        "<a@>",
        "<a b@c.example>",
        "<a@b c.example>",
        "<a..b@c.example>",
        "<.a@c.example>",
        "<a.@c.example>",
        "<a@b@c.example>",
        "<a@.example>",
        "<a@example.>",
        "<a@b..example>",
        "<a@-b.example>",
        "<a@b-.example>",
        "<a@[1.2.3]>",
        "<a@[IPv6:1:2]>",
        "<a@[x]>",
        '<""@c.example>',
        '<"a@c.example>',
        r'<"a\"@c.example>',
        "<a@b.example>X",
        "<a@b.example>>",
        "<<a@b.example>>",
        "<:a@b.example>",
        "<@a:>",
        "<a(comment)@b.example>",
        "Name <a@b.example>",
    ],
)
def test_what_is_no_path_is_refused_with_a_reason(text: str) -> None:
    for parse in (parse_reverse_path, forward):
        with pytest.raises(PathError) as caught:
            parse(text)
        assert str(caught.value).isascii()


def test_only_a_sender_may_be_null() -> None:
    assert parse_reverse_path("<> SIZE=1") == ("", "SIZE=1")
    with pytest.raises(PathError):
        forward("<>")


def test_postmaster_needs_no_domain() -> None:
    assert forward("<PostMaster>") == ("postmaster@mx.example", "")
    with pytest.raises(PathError):
        parse_reverse_path("<postmaster>")


def test_a_recipients_local_part_has_64_octets_at_most() -> None:
    assert forward(f"<{'a' * 64}@b.example>")[0].startswith("a" * 64 + "@")
    assert forward(f"<{'ü' * 32}@b.example>")
    for local in ("a" * 65, "ü" * 33):
        with pytest.raises(PathError, match="64 octets"):
            forward(f"<{local}@b.example>")


def test_a_senders_local_part_may_fill_the_path() -> None:
    assert parse_reverse_path(f"<{'a' * 200}@b.example>")


def test_a_path_has_256_octets_at_most() -> None:
    local = "a" * (254 - len("@b.example"))
    assert len(parse_reverse_path(f"<{local}@b.example>")[0]) == 254
    with pytest.raises(PathError, match="254 octets"):
        parse_reverse_path(f"<{local}a@b.example>")


def test_a_label_has_63_octets_at_most() -> None:
    assert forward(f"<a@{'b' * 63}.example>")
    with pytest.raises(PathError, match="63 octets"):
        forward(f"<a@{'b' * 64}.example>")


@pytest.mark.parametrize(
    ("rest", "parameters"),
    [
        ("", MailParameters()),
        ("SIZE=0", MailParameters(0)),
        ("size=12 BODY=8BITMIME smtputf8", MailParameters(12, smtputf8=True)),
        ("BODY=7bit  SIZE=99999999999999999999", MailParameters(10**20 - 1)),
    ],
)
def test_known_parameters_are_understood(rest: str, parameters: MailParameters) -> None:
    assert parse_mail_parameters(rest) == parameters


@pytest.mark.parametrize(
    "rest",
    [
        "SIZE",
        "SIZE=",
        "SIZE=-1",
        "SIZE=1e3",
        "SIZE=٣",
        "SIZE=" + "9" * 21,
        "BODY",
        "BODY=X",
        "SMTPUTF8=",
        "SIZE=1 size=2",
    ],
)
def test_bad_values_are_refused(rest: str) -> None:
    with pytest.raises(ParameterError):
        parse_mail_parameters(rest)


@pytest.mark.parametrize("rest", ["RET=FULL", "X", "=1", "AUTH=<>", "SIZE=1 MT-PRIORITY=3"])
def test_unknown_parameters_are_refused(rest: str) -> None:
    with pytest.raises(UnknownParameter):
        parse_mail_parameters(rest)


@given(st.text(alphabet='<>@:,."\\[] a-b', max_size=60))
def test_any_text_is_a_path_or_a_path_error(text: str) -> None:
    for parse in (parse_reverse_path, forward):
        try:
            address, _ = parse(text)
        except PathError:
            continue
        assert address == "" or address.rpartition("@")[2]


@pytest.mark.parametrize("pattern", ["a.", "@a,", "a", '"', "\\", '"a', "<", "a-", "a@", ":@a", "[", "\\ "])
def test_long_hostile_paths_cost_little(pattern: str) -> None:
    started = time.process_time()
    for head in ("<", '<"', "<@", "<a@"):
        for tail in ("", ">", "@", '"', "!", "@b.example>x"):
            with pytest.raises(PathError):
                forward(head + pattern * 20_000 + tail)
    assert time.process_time() - started < 2.0
