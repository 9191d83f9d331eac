"""The limits of MIME parsing, each at n and n + 1: what is beyond is left out of the reading and named."""

import base64

import pytest

from tempmail.domain.mime import MimeLimits, attachment_bytes, parse
from tempmail.domain.mime_addresses import MAX_ADDRESS_FIELD_CHARS
from tempmail.domain.mime_params import MAX_FILENAME_CHARS, MAX_PARAMETERS
from tempmail.domain.mime_transfer import MAX_PADDED_RUNS
from tempmail.domain.mime_tree import MAX_ENCODED_MESSAGE_BYTES, MAX_SEARCHES
from tempmail.errors import NotFound

DEFAULTS = MimeLimits()


def nested(levels: int, leaf: bytes = b"Content-Type: text/plain\r\n\r\n482910") -> bytes:
    """`leaf` inside `levels` multiparts."""
    mail = leaf
    for level in range(levels):
        mark = b"b%d" % level
        mail = (
            b"Content-Type: multipart/mixed; boundary=" + mark + b"\r\n\r\n--" + mark + b"\r\n" + mail
            + b"\r\n--" + mark + b"--\r\n"
        )  # fmt: skip
    return mail


def with_parts(count: int) -> bytes:
    """A mail of `count` parts, itself included."""
    parts = b"".join(b"--b\r\n\r\n%d\r\n" % number for number in range(1, count))
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts + b"--b--\r\n"


def test_depth_at_the_limit_is_read() -> None:
    mail = parse(nested(DEFAULTS.max_depth))

    assert mail.text == "482910"
    assert mail.defects == ()


def test_depth_over_the_limit_is_one_opaque_leaf() -> None:
    mail = parse(nested(DEFAULTS.max_depth + 1))

    assert mail.text == ""
    assert [a.content_type for a in mail.attachments] == ["multipart/mixed"]
    assert mail.defects == ("parts: nested deeper than the limit",)


def test_enclosed_messages_count_as_depth() -> None:
    limits = MimeLimits(max_depth=2)
    message = b"Content-Type: message/rfc822\r\n\r\n"

    assert parse(message * 2 + b"\r\n482910", limits).text == "482910"
    assert parse(message * 3 + b"\r\n482910", limits).text == ""


def test_parts_at_the_limit_are_read() -> None:
    mail = parse(with_parts(DEFAULTS.max_parts))

    assert mail.text.split("\n")[-1] == str(DEFAULTS.max_parts - 1)
    assert mail.defects == ()


def test_parts_over_the_limit_are_left() -> None:
    mail = parse(with_parts(DEFAULTS.max_parts + 1))

    assert mail.text.split("\n")[-1] == str(DEFAULTS.max_parts - 1)
    assert mail.defects == ("parts: more than the limit",)


def header_of(size_bytes: int) -> bytes:
    """A header block of exactly that size, then a body."""
    start = b"Subject: s\r\nX-Filler: "
    return start + b"x" * (size_bytes - len(start) - 10) + b"\r\nX-A: 1\r\n\r\nbody"


def test_header_at_the_limit_is_read_whole() -> None:
    mail = parse(header_of(DEFAULTS.max_header_bytes))

    assert mail.headers[-1] == ("X-A", "1")
    assert mail.text == "body"
    assert mail.defects == ()


def test_header_over_the_limit_is_cut_and_the_body_still_found() -> None:
    mail = parse(header_of(DEFAULTS.max_header_bytes + 1))

    assert [name for name, _ in mail.headers] == ["Subject", "X-Filler", "X-A"]
    assert sum(len(name) + len(value) for name, value in mail.headers) < DEFAULTS.max_header_bytes
    assert mail.subject == "s"
    assert mail.text == "body"
    assert mail.defects == ("header: over the limit of bytes",)


def test_one_field_over_the_limit_is_kept_up_to_it() -> None:
    mail = parse(b"Subject: " + b"x" * 100 + b"\r\nFrom: a@b.example\r\n\r\nbody", MimeLimits(max_header_bytes=50))

    assert mail.subject == "x" * 41
    assert mail.from_ == ()
    assert mail.text == "body"


def test_type_of_the_body_is_found_behind_a_header_over_the_limit() -> None:
    recipients = b"To: " + b"box@temp.example.com,\r\n " * 40 + b"x@y.example\r\n"
    mail = parse(
        recipients + b"Content-Type: text/html;\r\n charset=koi8-r\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.b64encode("<p>Код</p>".encode("koi8-r")),
        MimeLimits(max_header_bytes=500),
    )  # fmt: skip

    assert mail.html == "<p>Код</p>"
    assert mail.text == ""


@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
def test_text_at_the_limit_is_whole_and_over_it_is_cut(encoding: str) -> None:
    def mail(body: bytes) -> bytes:
        if encoding == "base64":
            body = base64.encodebytes(body)
        if encoding == "quoted-printable":
            body = b"".join(b"=%02X" % byte for byte in body)
        return b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + body

    limits = MimeLimits(max_text_bytes=1000)
    body = b"word " * 200

    assert parse(mail(body), limits).text == body.decode()
    cut = parse(mail(body + b"x"), limits)
    assert cut.text == body.decode()
    assert cut.defects == ("text/plain: cut at the limit",)


def test_text_is_not_cut_within_a_character() -> None:
    for body, charset in (("验证码".encode() * 100, b"utf-8"), ("验证 码\n".encode("gbk") * 100, b"gbk")):
        raw = b"Content-Type: text/plain; charset=" + charset + b"\r\n\r\n" + body
        for limit in range(90, 100):
            text = parse(raw, MimeLimits(max_text_bytes=limit)).text
            assert "\ufffd" not in text
            assert text == body.decode(charset.decode())[: len(text)] != ""


def test_text_behind_more_line_breaks_than_are_read_is_named_as_cut() -> None:
    raw = b"Content-Transfer-Encoding: base64\r\n\r\n" + b"\r\n" * 5000 + base64.b64encode(b"482910")

    assert parse(raw, MimeLimits(max_text_bytes=10)).defects == ("text/plain: cut at the limit",)
    assert parse(raw).text == "482910"


def test_text_limit_holds_for_all_bodies_of_a_kind_together() -> None:
    raw = with_parts(10)

    mail = parse(raw, MimeLimits(max_text_bytes=3))

    assert mail.text == "1\n2\n3"
    assert mail.defects == ("text/plain: cut at the limit",)


def test_without_a_text_limit_everything_is_read() -> None:
    body = b"x" * (1 << 21)

    assert len(parse(b"\r\n" + body, MimeLimits(max_text_bytes=None)).text) == len(body)
    assert len(parse(b"\r\n" + body).text) == 1 << 20


@pytest.mark.parametrize("extra", [0, 1])
def test_encoded_message_is_opened_up_to_its_limit(extra: int) -> None:
    start = b"Subject: inner\r\n\r\n482910 "
    encoded = base64.b64encode(start + b"x" * (MAX_ENCODED_MESSAGE_BYTES // 4 * 3 - len(start)))
    assert len(encoded) == MAX_ENCODED_MESSAGE_BYTES
    raw = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded + b"=" * extra

    mail = parse(raw)

    assert mail.text.startswith("482910" if extra == 0 else "") is True
    assert bool(mail.text) is (extra == 0)


def test_repeated_search_of_one_body_is_bounded() -> None:
    filler = b"x" * (1 << 20)
    leaf = b"Content-Type: text/plain\r\n\r\n482910 " + filler

    assert parse(nested(MAX_SEARCHES, leaf)).text.startswith("482910")
    beyond = parse(nested(MAX_SEARCHES + 2, leaf))
    assert beyond.text == ""
    assert beyond.defects == ("parts: too much nested in too much",)


@pytest.mark.parametrize(("runs", "end"), [(MAX_PADDED_RUNS, b"aa"), (MAX_PADDED_RUNS + 1, base64.b64decode(b"YQYQ"))])
def test_padded_runs_of_base64_are_read_up_to_the_limit(runs: int, end: bytes) -> None:
    header = b"Content-Type: application/octet-stream; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    raw = header + b"YQ==" * runs

    attachment, content = attachment_bytes(raw, 0)

    assert content.endswith(end)
    assert content.startswith(b"a" * (MAX_PADDED_RUNS - 1))
    assert attachment.size_bytes == parse(raw).attachments[0].size_bytes


def test_parameters_are_read_up_to_the_limit() -> None:
    def mail(before: int) -> bytes:
        fillers = b"".join(b"; p%d=x" % number for number in range(before))
        return b"Content-Disposition: attachment" + fillers + b"; filename=a.pdf\r\n\r\nx"

    assert parse(mail(MAX_PARAMETERS - 1)).attachments[0].filename == "a.pdf"
    assert parse(mail(MAX_PARAMETERS)).attachments[0].filename == "part-0.txt"


@pytest.mark.parametrize("length", [MAX_FILENAME_CHARS, MAX_FILENAME_CHARS + 1])
def test_long_file_name_keeps_its_extension(length: int) -> None:
    raw = b"Content-Disposition: attachment; filename=" + b"x" * (length - 4) + b".pdf\r\n\r\nx"

    assert parse(raw).attachments[0].filename == "x" * (MAX_FILENAME_CHARS - 4) + ".pdf"


def test_address_list_is_read_up_to_its_limit() -> None:
    one = b"box@temp.example.com,"
    fit = MAX_ADDRESS_FIELD_CHARS // len(one)

    assert len(parse(b"To: " + one * fit + b"\r\n\r\nx").to) == fit
    assert len(parse(b"To: " + one * (fit + 50) + b"\r\n\r\nx").to) == fit


@pytest.mark.parametrize("part", [-1, 0, 1, 3, 10**9])
def test_a_part_that_is_no_attachment_is_not_found(part: int) -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: image/gif\r\n\r\n"
        b"GIF\r\n--b--\r\n"
    )
    assert attachment_bytes(raw, 2)[1] == b"GIF"

    with pytest.raises(NotFound):
        attachment_bytes(raw, part)
