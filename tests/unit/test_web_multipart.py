"""Upload forms."""

import contextlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail.web.multipart import MAX_PARTS, Part, is_multipart, parts
from tempmail.web.problems import Malformed

TYPE = "multipart/form-data; boundary=b"


def form(*bodies: bytes, head: bytes = b'Content-Disposition: form-data; name="file"; filename="a"') -> bytes:
    return b"".join(b"--b\r\n" + head + b"\r\n\r\n" + body + b"\r\n" for body in bodies) + b"--b--\r\n"


@given(st.binary(max_size=200), st.text('ab"\\%é照 .', min_size=1, max_size=20))
def test_what_a_client_sends_is_read_as_it_was(body: bytes, filename: str) -> None:
    request = httpx.Request("POST", "http://x/", files={"file": (filename, body, "image/png")}, data={"note": "n"})
    request.read()
    found = parts(request.headers["content-type"], request.content)
    assert [part.name for part in found] == ["note", "file"]
    assert (found[1].body, found[1].content_type) == (body, "image/png")
    assert found[1].filename == filename.replace("%22", '"')


@pytest.mark.parametrize(
    "body",
    [b"", b"\r\n", b"--b", b"\r\n--b", b"--bb\r\n", b"--b--", b"a\r\n--c\r\n", b"-" * 70],
)
def test_bytes_that_look_like_a_boundary_stay_in_the_file(body: bytes) -> None:
    inner = b"x" + body.replace(b"\r\n--b", b"\r\n-b")
    assert [part.body for part in parts(TYPE, form(inner))] == [inner]


def test_a_preamble_and_an_epilogue_are_no_parts() -> None:
    assert [part.body for part in parts(TYPE, b"preamble\r\n" + form(b"a", b"b") + b"epilogue")] == [b"a", b"b"]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'Content-Disposition: form-data; name="f"; filename="a%22b.txt"', 'a"b.txt'),
        (b'Content-Disposition: form-data; name="f"; filename="a\\"b.txt"', 'a"b.txt'),
        (b"content-disposition: form-data; filename=a.txt; name=f", "a.txt"),
        (b'Content-Disposition: form-data; name="f"', None),
        (b"X-Other: 1", None),
    ],
)
def test_the_name_of_the_file_is_read_in_every_form(head: bytes, expected: str | None) -> None:
    assert [part.filename for part in parts(TYPE, form(b"a", head=head))] == [expected]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", form(b"a")),
        ("multipart/form-data; boundary=" + "b" * 71, form(b"a")),
        (TYPE, b""),
        (TYPE, b"--b"),
        (TYPE, b"--b\r\n"),
        (TYPE, b"--b\r\nContent-Disposition: form-data\r\n\r\nno end"),
        (TYPE, b"--b\r\nX: " + b"x" * 9000 + b"\r\n\r\na\r\n--b--"),
        (TYPE, b"--c\r\n\r\n\r\n--c--"),
        (TYPE, form(*[b"a"] * (MAX_PARTS + 1))),
    ],
    ids=["no boundary", "a long boundary", "empty", "cut", "cut later", "no end", "a long head", "another", "many"],
)
def test_what_is_no_form_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(Malformed):
        parts(content_type, body)


def test_as_many_parts_as_may_be_are_read() -> None:
    assert len(parts(TYPE, form(*[b"a"] * MAX_PARTS))) == MAX_PARTS


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert all(isinstance(part, Part) for part in parts(TYPE, b"--b" + body))


def test_the_type_is_told_in_any_case() -> None:
    assert is_multipart("Multipart/Form-Data; boundary=x")
    assert not is_multipart("application/octet-stream")
