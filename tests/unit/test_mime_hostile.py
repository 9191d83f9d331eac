"""Any bytes are read: nothing raises, nothing grows faster than the mail."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tempmail.domain.mime import MimeLimits, ParsedMail, attachment_bytes, parse

SAMPLES = [path.read_bytes() for path in sorted((Path(__file__).parent.parent / "eml").glob("*.eml"))]
SURROGATES = re.compile("[\ud800-\udfff]")
PIECES = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\n",
            b"\r",
            b" ",
            b"\t",
            b"\0",
            b"\x1b$B",
            b"\x1b(B",
            b"--b",
            b"--b--",
            b"--",
            b"b",
            b":",
            b";",
            b"=",
        ),
        *(
            b'"',
            b"\\",
            b"(",
            b")",
            b"<",
            b">",
            b"@",
            b",",
            b"=?",
            b"?=",
            b"?b?",
            b"?q?",
            b"=?utf-8?b?",
            b"=?gb2312?q?=B5",
        ),
        *(b"=?utf-7?q?+2AA-?=", b"Subject: ", b"From: ", b"To: ", b"Content-Type: ", b"Content-Disposition: "),
        *(b"Content-Transfer-Encoding: ", b"Content-ID: ", b"multipart/mixed", b"multipart/digest", b"message/rfc822"),
        *(b"text/plain", b"text/html", b"; boundary=b", b"; charset=", b"gb18030", b"utf-16", b"utf-7", b"iso-2022-jp"),
        *(b"hz", b"koi8-r", b"base64", b"quoted-printable", b"x-uuencode", b"begin 644 a", b"attachment"),
        *(b"; filename=", b"; filename*=", b"; filename*0*=", b"utf-8''%E2%82", b"=E4=BD", b"YQ==", b"\xff\xfe"),
        *(b"\xef\xbb\xbf", b"\xb5\xc4", b"\xe4\xb8", b"\x80", b"a@b.example", b"482910"),
    ]
)


def strings(mail: ParsedMail) -> list[str]:
    mailboxes = mail.from_ + mail.to + mail.cc + mail.reply_to
    return [
        mail.subject,
        mail.text,
        mail.html,
        mail.message_id or "",
        mail.date or "",
        *(text for pair in mail.headers for text in pair),
        *(text for mailbox in mailboxes for text in (mailbox.name, mailbox.address)),
        *(text for attachment in mail.attachments for text in (attachment.filename, attachment.content_id or "")),
    ]


def check(raw: bytes) -> None:
    mail = parse(raw)
    assert not any(defect.startswith("parser:") for defect in mail.defects), mail.defects
    assert not any("raised" in defect for defect in mail.defects), mail.defects
    assert not any(SURROGATES.search(text) for text in strings(mail))
    one_line = [mail.subject, *(value for _, value in mail.headers)]
    assert not any(re.search("[\x00-\x1f\x7f-\x9f]", text) for text in one_line)
    assert "\r" not in mail.text + mail.html
    assert parse(raw) == mail
    for attachment in mail.attachments[:3]:
        assert attachment.filename
        assert "/" not in attachment.filename
        attachment_bytes(raw, attachment.part)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=80).map(b"".join))
@example(b"")
@example(b"\xff\xfe")
@example(b"Content-Type: text/plain; charset=\xff\r\n\r\n\xff")
@example(b"Content-Type: text/plain; charset=undefined\r\n\r\n\xff")
@example(b"Content-Type: text/plain; charset=idna\r\n\r\n\xff")
@example(b"Content-Type: text/plain; charset=utf-7\r\n\r\n+2ADYAA-")
def test_any_pieces_of_mail_are_read(raw: bytes) -> None:
    check(raw)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 40), PIECES), max_size=8))
def test_any_damage_to_a_mail_is_survived(raw: bytes, cuts: list[tuple[int, int, bytes]]) -> None:
    for at, length, piece in cuts:
        at %= len(raw) + 1
        raw = raw[:at] + piece + raw[at + length :]
    check(raw)


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from(["gbk", "utf-8", "shift_jis", "euc-kr", "", "big5", "iso-2022-jp", "cp1252"]),
)
def test_any_bytes_are_a_body_in_any_charset(body: bytes, charset: str) -> None:
    check(b"Content-Type: text/html; charset=" + charset.encode() + b"\r\n\r\n" + body)


def test_mail_is_shown_as_source_where_reading_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr("tempmail.domain.mime.split", broken)

    mail = parse(b"Subject: s\r\n\r\nYour code is 482910\r\n")

    assert mail.text == "Subject: s\n\nYour code is 482910\n"
    assert mail.defects == ("parser: RuntimeError",)


def test_mail_is_read_where_the_library_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of the library")

    monkeypatch.setattr("tempmail.domain.mime_roles._Judge", broken)
    monkeypatch.setattr("tempmail.domain.mime_addresses.get_addresses", broken)
    raw = (
        b'From: "A, \\"B" <a@b.example>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n482910\r\n'
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b\r\nContent-Type: text/plain; name=a.txt\r\n\r\nx\r\n"
        b"--b\r\nContent-Type: image/gif\r\n\r\nGIF\r\n--b--\r\n"
    )

    mail = parse(raw)

    assert (mail.text, mail.html) == ("482910", "<p>")
    assert [attachment.filename for attachment in mail.attachments] == ["a.txt", "part-4.gif"]
    assert mail.from_[0].name == '"A, \\"B" <a@b.example>'
    assert len([defect for defect in mail.defects if "mail-parser raised RuntimeError" in defect]) == 2


def filled(start: bytes, unit: bytes, end: bytes = b"\r\n\r\nbody") -> Callable[[int], bytes]:
    return lambda size_bytes: start + unit * (size_bytes // len(unit)) + end


MULTIPART = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
FLOODS = {
    "delimiters": filled(MULTIPART, b"--b\r\n"),
    "near delimiters": filled(MULTIPART + b"--b\r\n", b"--bx\r\n"),
    "closing delimiters": filled(MULTIPART + b"--b\r\n", b"--b--x\r\n"),
    "padded delimiters": filled(MULTIPART + b"--b\r\n", b"--b" + b" " * 100 + b"x\r\n"),
    "nested boundaries": lambda size: b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(size // 50)
    ),
    "nested messages": filled(b"", b"Content-Type: message/rfc822\r\n\r\n"),
    "comments in From": filled(b"From: ", b"("),
    "quotes in From": filled(b"From: ", b'"'),
    "escapes in From": filled(b"From: ", b'"\\'),
    "angles in To": filled(b"To: ", b"x <a@b "),
    "words in To": filled(b"To: ", b"=?utf-8?q?a?= <a@b>, "),
    "words in Subject": filled(b"Subject: ", b"=?utf-8?q?=C3=A9?= "),
    "starts of words": filled(b"Subject: ", b"=?a?q?"),
    "words of unknown charsets": filled(b"Subject: ", b"=?x?q?=B5=C4?= =?y?q?=B5=C4=FF?= "),
    "fields": filled(b"", b"X: y\r\n", b"\r\nbody"),
    "fields in 8 bit": filled(b"", b"X: \xb5\xc4\xff\r\n", b"\r\nbody"),
    "folds": filled(b"X: y", b"\r\n y"),
    "parameters": filled(b"Content-Type: text/plain", b";a=b"),
    "quoted parameters": filled(b"Content-Type: text/plain;", b'a="\\'),
    "blanks in the type": filled(b"Content-Type: text/plain", b" "),
    "flowed lines": filled(b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\n", b"a \r\n"),
    "charset shifts": filled(b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n", b"\x1b$B-j\x1b(B"),
    "unlabelled bytes": filled(b"\r\n", b"\xb5\xc4\xff "),
    "padded base64": filled(b"Content-Transfer-Encoding: base64\r\n\r\n", b"YQ=="),
    "uuencoded lines": filled(b"Content-Type: a/b\r\nContent-Transfer-Encoding: uuencode\r\n\r\n", b"#0V%T\n"),
    "meta tags": filled(b"Content-Type: text/html\r\n\r\n", b"<meta "),
    "one line": filled(b"", b"a", b""),
    "blank lines": filled(b"", b"\r\n", b""),
}


def steps(work: Callable[[], object]) -> int:
    """How many calls `work` makes, of Python and of C functions."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("flood", FLOODS)
def test_work_grows_no_faster_than_the_mail(flood: str) -> None:
    limits = MimeLimits(max_header_bytes=1 << 20)
    small, large = FLOODS[flood](20_000), FLOODS[flood](80_000)

    work = steps(lambda: parse(small, limits))

    assert steps(lambda: parse(large, limits)) <= 4.4 * work + 200


@pytest.mark.parametrize("flood", FLOODS)
def test_a_megabyte_of_it_is_read_within_the_limits(flood: str) -> None:
    mail = parse(FLOODS[flood](1 << 20))

    assert len(mail.attachments) <= MimeLimits().max_parts
    assert sum(len(name) + len(value) for name, value in mail.headers) <= MimeLimits().max_header_bytes + 8000
    assert not any("raised" in defect or defect.startswith("parser:") for defect in mail.defects)
