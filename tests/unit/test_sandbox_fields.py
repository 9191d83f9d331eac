"""What a request to a sandbox consists of."""

import hashlib
import time
from typing import Any

import pytest

from tempmail.domain.sandbox_emailcar import as_md5
from tempmail.domain.sandbox_fields import (
    MAX_FORM_FIELDS,
    MAX_JSON_CONTAINERS,
    MAX_JSON_VALUES,
    addresses_of,
    body_fields,
    flat_fields,
    form_fields,
    has_too_many_values,
    is_html,
    is_time_zone,
    json_fields,
    line_of,
    text_of,
)
from tempmail.domain.sandbox_ids import next_id, next_task


@pytest.mark.parametrize(
    ("raw", "content_type", "expected"),
    [
        (b"a=1&b=2", "application/x-www-form-urlencoded", {"a": "1", "b": "2"}),
        (b'{"a": 1}', "application/x-www-form-urlencoded", {"a": 1}),
        (b'{"a": 1}', "application/json", {"a": 1}),
        (b"a=1", "application/json", None),
        (b"[]", "application/json", None),
        (b"", "", {}),
        ("a=欢迎；&b=%E6%AC%A2+x".encode(), "", {"a": "欢迎；", "b": "欢 x"}),
        (b"a=1&a=2;3&c", "", {"a": "2;3", "c": ""}),
    ],
    ids=str,
)
def test_a_body_is_a_form_or_json(raw: bytes, content_type: str, expected: Any) -> None:
    assert body_fields(raw, content_type) == expected


@pytest.mark.parametrize(("count", "read"), [(MAX_FORM_FIELDS, True), (MAX_FORM_FIELDS + 1, False)])
def test_a_form_has_a_thousand_fields_at_most(count: int, read: bool) -> None:
    assert bool(form_fields(b"&".join([b"a=1"] * count))) is read


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"1", b'"a"', b'{"a": "\\ud800"}', b"[" * 100_000, b"\xff"])
def test_what_is_no_json_object_has_no_fields(raw: bytes) -> None:
    assert json_fields(raw) is None


@pytest.mark.parametrize(
    ("value", "text"), [("  a\nb ", "a\nb"), (7, "7"), (1.5, "1.5"), (True, ""), (None, ""), ([1], ""), ("\x00a", "a")]
)
def test_a_value_as_text(value: object, text: str) -> None:
    assert text_of(value) == text


def test_a_line_has_no_control_characters() -> None:
    assert line_of("a\r\nBcc: b\u2028c\x7f") == "a Bcc: b c"


@pytest.mark.parametrize(
    ("value", "found"),
    [(None, ()), ("a@b", ("a@b",)), (["a@b", " ", "c@d"], ("a@b", "c@d")), ([1], None), ({}, None)],
)
def test_addresses_are_one_or_a_list(value: object, found: object) -> None:
    assert addresses_of(value) == found


@pytest.mark.parametrize("content", ["<p>x", "a <b>c</b>", "<!-- -->", "<!DOCTYPE html>", '<a href="x">y</a>', "</p>"])
def test_a_tag_makes_html(content: str) -> None:
    assert is_html(content)


@pytest.mark.parametrize("content", ["1 < 2 > 1", "a<b", "<3 you>", "x > y", "<>", "", "me <me>"[:4]])
def test_what_has_no_tag_is_text(content: str) -> None:
    assert not is_html(content)


def test_looking_for_tags_takes_linear_time() -> None:
    began = time.process_time()
    for hostile in ("<" * 1_000_000, "<a " * 300_000, "<a" + " " * 1_000_000):
        is_html(hostile)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("name", "known"),
    [("Asia/Shanghai", True), ("UTC", True), ("", False), ("../etc/passwd", False), ("Mars", False), ("/a", False)],
)
def test_a_time_zone_is_one_of_the_database(name: str, known: bool) -> None:
    assert is_time_zone(name) is known


def test_ids_grow_though_the_clock_goes_back() -> None:
    for step in (next_id, next_task):
        first = step(0, now_s=1_763_640_000.0)
        assert step(first, now_s=1_700_000_000.0) == first + 1
        assert step(first, now_s=1_763_640_001.0) > first + 1


def test_task_ids_fit_into_a_float_and_mail_ids_into_sixty_bits_until_2049() -> None:
    end_of_2048 = 2_493_071_999.0
    assert next_task(0, now_s=end_of_2048) < 2**53
    assert 2**53 < next_id(0, now_s=1_763_640_000.0) < next_id(0, now_s=end_of_2048) < 2**60


def test_a_password_may_be_its_own_md5_or_be_one() -> None:
    plain = hashlib.md5(b"secret").hexdigest()
    assert as_md5("secret") == (plain,)
    assert as_md5(plain.upper()) == (plain, hashlib.md5(plain.upper().encode()).hexdigest())


@pytest.mark.parametrize(("value", "limit"), [(b"{}", MAX_JSON_CONTAINERS), (b"0", MAX_JSON_VALUES)], ids=str)
def test_a_json_text_has_no_more_values_than_a_mail_needs(value: bytes, limit: int) -> None:
    """56 MB of empty objects would take 1.4 GB."""
    assert not has_too_many_values(value + (b"," + value) * (limit - 1))
    assert has_too_many_values(value + (b"," + value) * (limit + 1))
    assert json_fields(b'{"a": [' + value + (b"," + value) * (limit + 1) + b"]}") is None


def test_of_what_unknown_callers_send_only_plain_values_stay() -> None:
    raw = b'{"a": "1", "b": 2, "c": 3.5, "d": [[]], "e": {}, "f": null}'
    assert flat_fields(raw, "application/json") == {"a": "1", "b": 2, "c": 3.5}
    assert flat_fields(b"a=1", "") == {"a": "1"}
    assert flat_fields(b"[]", "application/json") == {}


@pytest.mark.parametrize(("count", "read"), [(MAX_FORM_FIELDS, True), (MAX_FORM_FIELDS + 1, False)])
def test_json_of_an_unknown_caller_has_as_many_fields_as_a_form(count: int, read: bool) -> None:
    raw = b"{" + b",".join(b'"a%d":1' % number for number in range(count)) + b"}"
    assert bool(flat_fields(raw, "")) is read
