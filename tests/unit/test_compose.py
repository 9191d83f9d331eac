"""The headers of composed mails: read back by the standard library and by this program's own reader, they say what
went in."""

import email
import re
import time
from dataclasses import replace
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail.domain.compose import FOLD_AT, LEFT_OUT, compose
from tempmail.domain.mime import parse
from tempmail.domain.outbound import Attachment
from tempmail.domain.outbound_fields import Mailbox, mailbox_of, read_mailbox
from tempmail.errors import InvalidOutbound
from tests.unit.composed import DATE_S, LINE, PLAIN, read, write

ENCODED_WORD = re.compile(rb"=\?utf-8\?b\?[A-Za-z0-9+/=]+\?=")


def head_of(raw: bytes) -> list[bytes]:
    """The lines of the header, as they stand."""
    return raw.partition(b"\r\n\r\n")[0].split(b"\r\n")


def names_in(raw: bytes) -> list[bytes]:
    """The names of the headers, in order."""
    return [line.partition(b":")[0] for line in head_of(raw) if line[:1] not in (b" ", b"\t")]


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


def test_a_name_stands_before_its_address() -> None:
    raw = write(replace(PLAIN, from_name="Acme", to=("Box <box@temp.example>", "other@temp.example")))
    assert head_of(raw)[:3] == [b"From: Acme <from@a.example>", b"To: Box <box@temp.example>,", b" other@temp.example"]


def test_the_same_message_gives_the_same_bytes() -> None:
    message = replace(PLAIN, html="<p>x</p>", attachments=(Attachment("a", b"b"),))
    assert compose(message, date_s=DATE_S) == compose(message, date_s=DATE_S)


def test_blind_copies_are_in_no_header() -> None:
    raw = write(replace(PLAIN, bcc=("secret@b.example",)))
    assert b"secret" not in raw
    only_bcc = read(replace(PLAIN, to=(), bcc=("secret@b.example",)))
    assert only_bcc["To"] == "undisclosed-recipients:;"


ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\"})


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
    mail = email.message_from_bytes(write(message))
    for header, expected in (("From", "from@a.example"), ("To", "to@b.example")):
        [(phrase, address)] = getaddresses([mail[header]])
        assert address == expected
        assert str(make_header(decode_header(phrase))).strip() == name.strip()
    assert [len(read(message)[header].addresses) for header in ("From", "To")] == [1, 1]


@given(LINE)
def test_any_display_name_comes_back_beside_its_address(name: str) -> None:
    raw = write(replace(PLAIN, from_name=name, to=(f'"{name.translate(ESCAPES)}" <to@b.example>',)))
    mail = parse(raw)
    for mailboxes, address in ((mail.from_, "from@a.example"), (mail.to, "to@b.example")):
        [found] = mailboxes
        assert found.address == address
        assert found.name.split() == name.split()


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
        "far" + " " * 2000 + "apart",
    ],
)
def test_a_subject_comes_back_as_it_was(subject: str) -> None:
    assert read(replace(PLAIN, subject=subject))["Subject"] == subject
    assert parse(write(replace(PLAIN, subject=subject))).subject.split() == subject.split()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=300))
def test_any_subject_comes_back_as_it_was(subject: str) -> None:
    assert read(replace(PLAIN, subject=subject))["Subject"] == subject


@given(LINE)
def test_this_programs_reader_reads_any_subject(subject: str) -> None:
    assert parse(write(replace(PLAIN, subject=subject))).subject.split() == subject.split()


@given(LINE, LINE)
def test_an_encoded_word_has_whole_characters_and_is_not_over_75(subject: str, name: str) -> None:
    message = replace(PLAIN, subject=f"é{subject}", from_name=f"é{name}", headers=(("X-" + "n" * 60, f"é{subject}"),))
    for line in head_of(write(message)):
        for word in ENCODED_WORD.findall(line):
            assert len(word) <= 75
            assert len(line) <= 76  # RFC 2047 2
            [(octets, charset)] = decode_header(word.decode())
            octets.decode(charset or "")


def test_headers_are_folded_at_blanks() -> None:
    raw = write(replace(PLAIN, subject="word " * 40 + "end"))
    assert max(map(len, head_of(raw))) <= FOLD_AT


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


def test_a_further_header_never_replaces_one_of_the_mails_own() -> None:
    further = [(name.title(), "other") for name in sorted(LEFT_OUT)]
    raw = write(replace(PLAIN, headers=(*further, ("X-Ref", "7"), ("bad name", "x"), ("", "x"), ("a" * 77, "x"))))
    assert names_in(raw)[:5] == [b"From", b"To", b"Subject", b"Date", b"Message-ID"]
    assert names_in(raw)[5:] == [b"X-Ref", b"MIME-Version", b"Content-Type", b"Content-Transfer-Encoding"]
    assert b"other" not in raw


def test_domains_beyond_ascii_are_written_in_a_labels() -> None:
    mail = read(replace(PLAIN, to=("Bücher <a@bücher.example>",), reply_to=("r@bücher.example",)))
    assert mail["To"].addresses[0].addr_spec == "a@xn--bcher-kva.example"
    assert mail["Reply-To"].addresses[0].addr_spec == "r@xn--bcher-kva.example"


def test_what_has_no_a_labels_is_written_as_it_is() -> None:
    assert f"To: a@{'ü' * 64}.example".encode() in head_of(write(replace(PLAIN, to=(f"a@{'ü' * 64}.example",))))


HOSTILE = st.text(max_size=100)


@given(HOSTILE, HOSTILE)
def test_no_field_can_start_another_header(one: str, other: str) -> None:
    hostile = f"{one}\r\nX-Evil: {other}\n\nbody\r\rX-Evil: y"
    raw = compose(
        replace(
            PLAIN,
            from_addr=hostile,
            from_name=hostile,
            to=(hostile,),
            cc=(f"{hostile} <a@b.example>",),
            reply_to=(hostile,),
            subject=hostile,
            message_id=hostile,
            headers=(("X-Note", hostile), (hostile, "x"), ("Bcc", "blind@x.example"), ("Content-Type", "x/y")),
            attachments=(Attachment(hostile, b"", hostile, hostile),),
        ),
        date_s=DATE_S,
    )
    expected = [b"From", b"To", b"Cc", b"Reply-To", b"Subject", b"Date", b"Message-ID", b"X-Note", b"MIME-Version"]
    assert names_in(raw) == [*expected, b"Content-Type"]
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert re.findall(rb"(?m)^(?:X-Evil|body)", raw) == []


@pytest.mark.parametrize(
    "text", [" " * 50_000 + "<", "<" * 50_000, "a " * 50_000, ("x" * 998 + "\n") * 200, "\\" * 50_000]
)
def test_hostile_texts_take_no_longer_than_their_length(text: str) -> None:
    began = time.process_time()
    compose(
        replace(
            PLAIN,
            from_addr=text,
            from_name=text,
            to=(text, f'"{text}" <a@b.example>', f'"{text}'),
            subject=text,
            text=text,
            headers=(("X", text),),
            attachments=(Attachment(text, b"", text, text),),
        ),
        date_s=DATE_S,
    )
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@b.example", ("", "a@b.example")),
        ("Ann <a@b.example>", ("Ann", "a@b.example")),
        ('"Doe, \\"A\\"" <a@b.example>', ('Doe, "A"', "a@b.example")),
        ("<a@b.example>", ("", "a@b.example")),
        ("Ann <a@b.example> x", ("", "Ann <a@b.example> x")),
        ("a@b.example>", ("", "a@b.example>")),
    ],
)
def test_a_mailbox_is_a_name_and_an_address(text: str, expected: tuple[str, str]) -> None:
    assert mailbox_of(text) == Mailbox(*expected)


@pytest.mark.parametrize("text", ["Ann <a@b.example> x", "a@b.example>", "a@b.example, c@d.example", "", "Ann <>", "a"])
def test_what_names_no_single_mailbox_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidOutbound, match="reply_to"):
        read_mailbox(text, "reply_to")
