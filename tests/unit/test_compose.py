"""Mails as bytes, read back by the standard library."""

import email
import email.policy
from dataclasses import replace
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail.domain.compose import FOLD_AT, MAX_LINE_OCTETS, compose
from tempmail.domain.outbound import Attachment, OutboundMessage

DATE_S = 1_700_000_000.0
PLAIN = OutboundMessage(
    from_addr="from@a.example",
    to=("to@b.example",),
    subject="Hello",
    text="Line one\nline two",
    message_id="<m1@a.example>",
)


def read(message: OutboundMessage) -> EmailMessage:
    raw = compose(message, date_s=DATE_S)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= MAX_LINE_OCTETS
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_a_plain_mail_byte_by_byte() -> None:
    assert compose(PLAIN, date_s=DATE_S) == (
        b"From: from@a.example\r\n"
        b"To: to@b.example\r\n"
        b"Subject: Hello\r\n"
        b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
        b"Message-ID: <m1@a.example>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Line one\r\nline two\r\n"
    )


def test_the_same_message_gives_the_same_bytes() -> None:
    message = replace(PLAIN, html="<p>x</p>", attachments=(Attachment("a", b"b"),))
    assert compose(message, date_s=DATE_S) == compose(message, date_s=DATE_S)


def test_blind_copies_are_in_no_header() -> None:
    raw = compose(replace(PLAIN, bcc=("secret@b.example",)), date_s=DATE_S)
    assert b"secret" not in raw
    only_bcc = read(replace(PLAIN, to=(), bcc=("secret@b.example",)))
    assert only_bcc["To"] == "undisclosed-recipients:;"


@pytest.mark.parametrize(
    "name",
    [
        "Ann",
        "Doe, John",
        'The "Boss"',
        "back\\slash",
        "a <b@c.example>",
        "张三",
        "Ünï, cödé " * 12,
        "=?utf-8?q?x?=",
        "x" * 200,
        "O'Neil (office)",
        "@:;[]",
    ],
)
def test_a_display_name_stays_one_and_adds_no_address(name: str) -> None:
    message = replace(PLAIN, from_name=name, to=(f'"{name.translate(ESCAPES)}" <to@b.example>',))
    mail = email.message_from_bytes(compose(message, date_s=DATE_S))
    for header, expected in (("From", "from@a.example"), ("To", "to@b.example")):
        [(phrase, address)] = getaddresses([mail[header]])
        assert address == expected
        assert str(make_header(decode_header(phrase))).strip() == name.strip()
    assert [len(read(message)[header].addresses) for header in ("From", "To")] == [1, 1]


ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\"})


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "plain",
        "你好" * 100,
        "long words " * 50,
        "=?utf-8?b?aGk=?=",
        " blanks at the ends ",
        "x" * 2000,
        "é",
        "tab\there",
    ],
)
def test_a_subject_comes_back_as_it_was(subject: str) -> None:
    assert read(replace(PLAIN, subject=subject))["Subject"] == subject


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=300))
def test_any_subject_comes_back_as_it_was(subject: str) -> None:
    assert read(replace(PLAIN, subject=subject))["Subject"] == subject


def test_headers_are_folded_at_blanks() -> None:
    raw = compose(replace(PLAIN, subject="word " * 40 + "end"), date_s=DATE_S)
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert max(map(len, head)) <= FOLD_AT


@pytest.mark.parametrize(
    "text",
    [
        "plain\n",
        "é\n",
        "中文 " * 300 + "\n",
        "x" * 5000 + "\n",
        "trailing blank \nFrom here\n.\n..dots\n",
        "é trailing \t\n=3D\n.\n",
        "",
        "a\r\nb\rc\n",
        "nul\x00\n",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_a_text_comes_back_with_its_lines(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    expected = lines if lines.endswith("\n") else lines + "\n"
    mail = read(replace(PLAIN, text=text))
    payload = mail.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode().replace("\r\n", "\n") == expected
    assert mail["Content-Transfer-Encoding"] in ("7bit", "quoted-printable", "base64")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_any_text_comes_back_with_its_lines(text: str) -> None:
    payload = read(replace(PLAIN, text=text)).get_payload(decode=True)
    assert isinstance(payload, bytes)
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert payload.decode().replace("\r\n", "\n") == (expected if expected.endswith("\n") else expected + "\n")


def test_text_and_html_are_alternatives_and_the_text_comes_first() -> None:
    mail = read(replace(PLAIN, html="<p>x</p>"))
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert read(replace(PLAIN, text=None, html="<p>x</p>")).get_content_type() == "text/html"


def test_files_stand_beside_the_body_and_pictures_with_the_html() -> None:
    files = (
        Attachment("bericht über.pdf", bytes(range(256)) * 300, "application/pdf"),
        Attachment("pic.png", b"png", "image/png", "pic1"),
        Attachment("mail.eml", b"Subject: x\r\n\r\ny", "message/rfc822"),
        Attachment("", b"", "text/plain; charset=utf-8"),
        Attachment("长" * 80 + ".txt", b"x", "text/plain"),
        Attachment('a"b\\c;d.txt', b"x", "text/plain"),
    )
    mail = read(replace(PLAIN, html='<img src="cid:pic1">', attachments=files))
    assert mail.get_content_type() == "multipart/mixed"
    body, *beside = mail.iter_parts()
    assert body.get_content_type() == "multipart/alternative"
    related = list(body.iter_parts())[1]
    assert related.get_content_type() == "multipart/related"
    picture = list(related.iter_parts())[1]
    assert picture["Content-ID"] == "<pic1>"
    assert picture.get_content_disposition() == "inline"
    assert [part.get_filename() for part in beside] == [
        "bericht über.pdf",
        "mail.eml",
        None,
        "长" * 80 + ".txt",
        'a"b\\c;d.txt',
    ]
    assert [part.get_payload(decode=True) for part in beside] == [
        files[0].content,
        files[2].content,
        b"",
        b"x",
        b"x",
    ]
    assert beside[1].get_content_type() == "application/octet-stream"


def test_a_date_and_a_message_id_of_the_headers_come_before_ours() -> None:
    own = (
        ("Date", "Mon, 01 Jan 2024 00:00:00 +0000"),
        ("Message-Id", "<own@a.example>"),
        ("X-Ümlaut".encode("ascii", "ignore").decode(), "é"),
    )
    mail = read(replace(PLAIN, headers=own))
    assert mail.get_all("Date") == ["Mon, 01 Jan 2024 00:00:00 +0000"]
    assert mail.get_all("Message-ID") == ["<own@a.example>"]
    assert mail["X-mlaut"] == "é"


def test_domains_beyond_ascii_are_written_in_a_labels() -> None:
    mail = read(replace(PLAIN, to=("Bücher <a@bücher.example>",), reply_to=("r@bücher.example",)))
    assert mail["To"].addresses[0].addr_spec == "a@xn--bcher-kva.example"
    assert mail["Reply-To"].addresses[0].addr_spec == "r@xn--bcher-kva.example"
