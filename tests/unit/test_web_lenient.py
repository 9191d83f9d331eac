"""Query strings read as the original reads them."""

from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from tempmail.errors import BadRequest
from tempmail.web.lenient import Decoder, number, whole


class Query(msgspec.Struct, rename="camel"):
    text: str = "none"
    limit: Annotated[int, Meta(ge=1, le=50)] = 20
    ratio_of: Annotated[float, Meta(le=2)] = 1.0
    page: Annotated[int, Meta(ge=1, extra={"fallback": 1})] | None = None


DECODER = Decoder(Query)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", Query()),
        (b"text=a%20b+c", Query(text="a b c")),
        (b"text=%E5%90%8D", Query(text="名")),
        (b"text=%FF", Query(text="\ufffd")),
        (b"text=", Query(text="")),
        (b"text", Query(text="")),
        (b"text=1&text=2", Query(text="1")),
        (b"limit=7", Query(limit=7)),
        (b"limit=0", Query(limit=1)),
        (b"limit=51", Query(limit=50)),
        (b"limit=x", Query(limit=20)),
        (b"ratioOf=0.5", Query(ratio_of=0.5)),
        (b"ratioOf=5", Query(ratio_of=2)),
        (b"ratio_of=0.5", Query()),
        (b"page=3", Query(page=3)),
        (b"page=x", Query(page=1)),
        (b"page=", Query(page=1)),
        (b"=&&;&%", Query()),
    ],
)
def test_decoding(query: bytes, expected: Query) -> None:
    assert DECODER.decode(query) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12", 12), (" 12abc", 12), ("-3", -3), ("+3", 3), ("1e3", 1), ("0x10", 0), ("", None), ("a1", None), ("٣", None)],
)
def test_whole_is_parse_int(text: str, expected: int | None) -> None:
    assert whole(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8", 8),
        (" 8.5 ", 8.5),
        (".5", 0.5),
        ("5.", 5),
        ("1e2", 100),
        ("-1", -1),
        ("8x", None),
        ("", None),
        ("nan", None),
        ("infinity", None),
        ("1_0", None),
        ("٣", None),
    ],
)
def test_number_takes_whole_decimal_numbers(text: str, expected: float | None) -> None:
    assert number(text) == expected


@given(st.text())
def test_no_text_is_too_odd_for_a_number(text: str) -> None:
    assert whole(text) is None or isinstance(whole(text), int)
    assert number(text) is None or isinstance(number(text), float)


@given(st.binary(max_size=200))
def test_any_query_string_is_decoded_within_the_limits(query: bytes) -> None:
    decoded = DECODER.decode(query)
    assert 1 <= decoded.limit <= 50
    assert decoded.ratio_of <= 2
    assert decoded.page is None or decoded.page >= 1


def test_the_number_of_fields_is_bounded() -> None:
    DECODER.decode(b"&".join([b"a=1"] * 64))
    with pytest.raises(BadRequest):
        DECODER.decode(b"&".join([b"a=1"] * 65))


def test_a_field_that_a_query_cannot_hold_is_refused_when_declared() -> None:
    class Nested(msgspec.Struct):
        items: list[str] = []

    with pytest.raises(TypeError, match="items"):
        Decoder(Nested)


class Strict(msgspec.Struct):
    size: Annotated[int, Meta(ge=1, le=100, extra={"strict": True})] = 10
    kind: Literal["A", "B"] | None = None


STRICT = Decoder(Strict)


@pytest.mark.parametrize(
    ("query", "expected"), [(b"", Strict()), (b"size=1", Strict(1)), (b"size=100&kind=B", Strict(100, "B"))]
)
def test_strict_fields_take_what_they_name(query: bytes, expected: Strict) -> None:
    assert STRICT.decode(query) == expected


@pytest.mark.parametrize(
    "query", [b"size=0", b"size=101", b"size=", b"size=x", b"size=5x", b"size=+5", b"size=5.0", b"kind=C", b"kind="]
)
def test_strict_fields_refuse_all_else(query: bytes) -> None:
    with pytest.raises(BadRequest):
        STRICT.decode(query)
