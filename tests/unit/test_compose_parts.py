"""The bodies and files of composed mails: read back by the standard library and by this program's own reader, they are
what went in."""

import email.message
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail.domain.compose import compose
from tempmail.domain.mime import attachment_bytes, parse
from tempmail.domain.outbound import Attachment
from tests.unit.composed import DATE_S, LINE, PLAIN, read, write

ENCODINGS = ("7bit", "quoted-printable", "base64")


def with_lf(text: str) -> str:
    """The text's lines, each ended."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") else text + "\n"


def text_in(part: email.message.Message) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


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
    mail = read(replace(PLAIN, text=text))
    assert text_in(mail) == with_lf(text)
    assert mail["Content-Transfer-Encoding"] in ENCODINGS


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_any_text_comes_back_with_its_lines(text: str) -> None:
    assert text_in(read(replace(PLAIN, text=text))) == with_lf(text)


@given(st.text(st.characters(codec="utf-8"), max_size=3_000))
def test_any_text_comes_back_beside_html_and_files(text: str) -> None:
    mail = read(replace(PLAIN, text=text, html=text, attachments=(Attachment("a", b"b"),)))
    alternatives, _ = mail.iter_parts()
    assert [text_in(part) for part in alternatives.iter_parts()] == [with_lf(text)] * 2


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=3_000))
def test_this_programs_reader_reads_any_text(text: str) -> None:
    read_back = parse(write(replace(PLAIN, text=text))).text
    assert with_lf(read_back).rstrip("\n") == with_lf(text).rstrip("\n")


def test_a_half_of_a_surrogate_pair_becomes_a_question_mark() -> None:
    files = (Attachment("\ud800", b""),)
    mail = read(replace(PLAIN, subject="a\ud800b", from_name="\udfff", text="c\udc00d\n", attachments=files))
    assert (mail["Subject"], mail["From"].addresses[0].display_name) == ("a?b", "?")
    text, file = mail.iter_parts()
    assert (text_in(text), file.get_filename()) == ("c?d\n", "?")


def test_a_mail_without_any_body_is_an_empty_text() -> None:
    assert parse(write(replace(PLAIN, text=None))).text.strip() == ""


@pytest.mark.parametrize(("octets", "encoding"), [(998, "7bit"), (999, "quoted-printable")])
def test_a_line_over_998_octets_is_encoded(octets: int, encoding: str) -> None:
    raw = write(replace(PLAIN, text="short\n" + "x" * octets))
    assert f"Content-Transfer-Encoding: {encoding}\r\n".encode() in raw
    assert parse(raw).text.split() == ["short", "x" * octets]


@pytest.mark.parametrize("text", ["x" * 999, "é" + "x" * 5_000, "=" * 500 + "é" * 50, "a \n" * 400 + "é"])
def test_quoted_printable_lines_are_not_over_76(text: str) -> None:
    head, _, body = write(replace(PLAIN, text=text)).partition(b"\r\n\r\n")
    assert b"quoted-printable" in head
    assert max(map(len, body.split(b"\r\n"))) <= 76


def test_text_and_html_are_alternatives_and_the_text_comes_first() -> None:
    mail = read(replace(PLAIN, html="<p>x</p>"))
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert read(replace(PLAIN, text=None, html="<p>x</p>")).get_content_type() == "text/html"


def test_text_html_inline_and_attached_files_are_nested_as_readers_expect() -> None:
    files = (Attachment("a.pdf", b"1", "application/pdf"), Attachment("l.png", b"2", "image/png", "logo"))
    message = replace(PLAIN, html='<img src="cid:logo">', attachments=files)
    assert [part.get_content_type() for part in read(message).walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
        "application/pdf",
    ]
    mail = parse(write(message))
    assert [(file.filename, file.content_id, file.inline) for file in mail.attachments] == [
        ("l.png", "logo", True),
        ("a.pdf", None, False),
    ]
    assert (mail.text.strip(), mail.html.strip()) == ("Line one\nline two", '<img src="cid:logo">')
    assert mail.defects == ()


def test_a_picture_without_html_stands_beside_the_text_before_other_files() -> None:
    files = (Attachment("a.pdf", b"1", "application/pdf"), Attachment("l.png", b"2", "image/png", "logo"))
    kinds = [part.get_content_type() for part in read(replace(PLAIN, attachments=files)).walk()]
    assert kinds == ["multipart/mixed", "text/plain", "image/png", "application/pdf"]


def test_files_stand_beside_the_body_and_pictures_with_the_html() -> None:
    files = (
        Attachment("bericht über.pdf", bytes(range(256)) * 300, "application/pdf"),
        Attachment("pic.png", b"png", "image/png", "pic1"),
        Attachment("mail.eml", b"Subject: x\r\n\r\ny", "message/rfc822"),
        Attachment("", b"", "text/plain; charset=utf-8"),
        Attachment("长" * 80 + ".txt", b"x", "text/plain"),
        Attachment('a"b\\c;d.txt', b"x", "text/plain"),
        Attachment("my report.txt", b"x", "text/plain"),
        Attachment("=?utf-8?q?x?=", b"x", "text/plain"),
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
    others = [file for file in files if file.content_id is None]
    assert [part.get_filename() or "" for part in beside] == [file.filename for file in others]
    assert [part.get_payload(decode=True) for part in beside] == [file.content for file in others]
    assert beside[1].get_content_type() == "application/octet-stream"
    assert beside[2].get_content_charset() == "utf-8"


@given(st.binary(max_size=2_000), LINE)
def test_any_file_comes_back_with_its_name(content: bytes, name: str) -> None:
    message = replace(PLAIN, attachments=(Attachment(f"{name}.bin", content),))
    raw = write(message)
    [attachment] = parse(raw).attachments
    assert attachment_bytes(raw, attachment.part)[1] == content
    [part] = read(message).iter_attachments()
    assert part.get_content() == content
    assert (part.get_filename() or "").split() == f"{name}.bin".split()


@pytest.mark.parametrize(
    "kind", ["message/rfc822", "Multipart/mixed", "no type", "image/png\r\nX: y", "a/b; c", "a/" + "b" * 300]
)
def test_a_file_of_a_kind_that_base64_cannot_hold_is_just_bytes(kind: str) -> None:
    raw = write(replace(PLAIN, attachments=(Attachment("a", b"From: x\r\n\r\n", kind),)))
    [attachment] = parse(raw).attachments
    assert attachment.content_type == "application/octet-stream"
    assert attachment_bytes(raw, attachment.part)[1] == b"From: x\r\n\r\n"


def test_a_content_id_loses_what_its_brackets_cannot_hold() -> None:
    [_, part] = read(replace(PLAIN, attachments=(Attachment("a", b"", content_id="<lo go\r\n\u00e9>"),))).iter_parts()
    assert part["Content-ID"] == "<logo>"


def test_no_text_holds_a_boundary_of_its_mail() -> None:
    first = replace(PLAIN, html="<p>x</p>", attachments=(Attachment("a", b"b"),))
    text = "\n".join(line for line in write(first).decode().splitlines() if line.startswith("--"))
    mail = read(replace(first, text=text))
    alternatives, _ = mail.iter_parts()
    assert text_in(next(iter(alternatives.iter_parts()))) == text + "\n"


def test_a_mail_of_all_kinds_byte_by_byte() -> None:
    files = (Attachment("l.png", b"2", "image/png", "logo"), Attachment("bericht über.pdf", b"1", "application/pdf"))
    raw = compose(replace(PLAIN, text="Größe", html='<img src="cid:logo">', attachments=files), date_s=DATE_S)
    boundary = raw.partition(b'boundary="')[2][:34].decode()
    assert raw.partition(b"MIME-Version: 1.0\r\n")[2].decode().split("\r\n") == [
        f'Content-Type: multipart/mixed; boundary="{boundary}m"',
        "",
        f"--{boundary}m",
        f'Content-Type: multipart/alternative; boundary="{boundary}a"',
        "",
        f"--{boundary}a",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: base64",
        "",
        "R3LDtsOfZQ0K",
        "",
        f"--{boundary}a",
        f'Content-Type: multipart/related; boundary="{boundary}r"',
        "",
        f"--{boundary}r",
        "Content-Type: text/html; charset=utf-8",
        "Content-Transfer-Encoding: 7bit",
        "",
        '<img src="cid:logo">',
        "",
        f"--{boundary}r",
        "Content-Type: image/png",
        "Content-Transfer-Encoding: base64",
        "Content-Disposition: inline;",
        ' filename="l.png"',
        "Content-ID: <logo>",
        "",
        "Mg==",
        "",
        f"--{boundary}r--",
        "",
        f"--{boundary}a--",
        "",
        f"--{boundary}m",
        "Content-Type: application/pdf",
        "Content-Transfer-Encoding: base64",
        "Content-Disposition: attachment;",
        " filename*=utf-8''bericht%20%C3%BCber.pdf",
        "",
        "MQ==",
        "",
        f"--{boundary}m--",
        "",
    ]
