"""Attachments: measured without being decoded, opened as they were sent."""

import base64
import quopri
import random
import tracemalloc

import pytest

from tempmail.domain.mime import attachment_bytes, parse

HEADER = (
    b'From: a@b.example\r\nContent-Type: multipart/mixed; boundary="=_b"\r\n\r\n--=_b\r\n\r\nYour code is 482910\r\n'
    b"--=_b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: "
)


def mail(encoding: bytes, body: bytes) -> bytes:
    return HEADER + encoding + b"\r\n\r\n" + body + b"\r\n--=_b--\r\n"


def in_lines(encoded: bytes, width: int, line_end: bytes) -> bytes:
    return line_end.join(encoded[at : at + width] for at in range(0, len(encoded), width))


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize("width", [4, 60, 76, 1000, 10**9])
@pytest.mark.parametrize("size_bytes", [0, 1, 2, 3, 50_000, 100_001, 100_002, 100_003])
def test_size_of_base64_is_exact(size_bytes: int, width: int, line_end: bytes) -> None:
    content = random.Random(size_bytes).randbytes(size_bytes)
    encoded = in_lines(base64.b64encode(content), width, line_end)

    for body in (encoded, encoded.rstrip(b"="), encoded + line_end * 3, line_end + encoded, b" " + encoded):
        raw = mail(b"base64", body)
        assert parse(raw).attachments[0].size_bytes == size_bytes
        assert attachment_bytes(raw, 2)[1] == content


def test_size_of_base64_in_irregular_lines_is_exact() -> None:
    content = random.Random(1).randbytes(200_000)
    encoded = base64.b64encode(content)
    lines = [encoded[at : at + 76] for at in range(0, len(encoded), 76)]
    lines[1000] = lines[1000][:40] + b"\r\n" + lines[1000][40:]
    lines[2000] += b" "

    raw = mail(b"base64", b"\r\n".join(lines))

    assert parse(raw).attachments[0].size_bytes == len(content)
    assert attachment_bytes(raw, 2)[1] == content


def test_size_of_base64_padded_line_by_line_is_exact() -> None:
    content = random.Random(2).randbytes(80_000)
    body = b"\r\n".join(base64.b64encode(content[at : at + 50]) for at in range(0, len(content), 50))

    raw = mail(b"base64", body)

    assert parse(raw).attachments[0].size_bytes == len(content)
    assert attachment_bytes(raw, 2)[1] == content


def test_size_of_quoted_printable_is_exact() -> None:
    content = random.Random(3).randbytes(150_000).replace(b"\r", b"").replace(b"\n", b"")
    raw = mail(b"quoted-printable", quopri.encodestring(content).replace(b"\n", b"\r\n"))

    assert parse(raw).attachments[0].size_bytes == len(content)
    assert attachment_bytes(raw, 2)[1] == content


def test_uuencoded_lines_with_a_wrong_length_are_taken_as_far_as_they_go() -> None:
    raw = mail(b"uuencode", b"begin 644 a\r\n#8V%T8V%T\r\n#8V$\r\n`\r\nend")

    assert attachment_bytes(raw, 2)[1] == b"catca\0"


@pytest.mark.parametrize("encoding", [b"8bit", b"binary", b"", b"x-unknown"])
def test_unencoded_attachment_keeps_every_byte(encoding: bytes) -> None:
    content = bytes(range(256))
    raw = mail(encoding, content)

    assert parse(raw).attachments[0].size_bytes == 256
    assert attachment_bytes(raw, 2)[1] == content


def test_parsing_a_large_attachment_copies_nothing_of_it() -> None:
    raw = mail(b"base64", base64.encodebytes(bytes(6_000_000)).replace(b"\n", b"\r\n"))

    tracemalloc.start()
    parsed = parse(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert parsed.attachments[0].size_bytes == 6_000_000
    assert parsed.text == "Your code is 482910"
    assert peak < len(raw) // 20
