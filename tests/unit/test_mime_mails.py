"""Every mail in tests/eml reads as the .json beside it says (keys that a file leaves out are not compared)."""

import json
from pathlib import Path
from typing import Any

import pytest

from tempmail.domain.mime import MailAddress, ParsedMail, attachment_bytes, parse

MAILS = sorted((Path(__file__).parent.parent / "eml").glob("*.eml"))


def as_json(mail: ParsedMail) -> dict[str, Any]:
    def pairs(mailboxes: tuple[MailAddress, ...]) -> list[list[str]]:
        return [[mailbox.name, mailbox.address] for mailbox in mailboxes]

    return {
        "subject": mail.subject,
        "from": pairs(mail.from_),
        "to": pairs(mail.to),
        "cc": pairs(mail.cc),
        "reply_to": pairs(mail.reply_to),
        "sender": mail.sender,
        "message_id": mail.message_id,
        "date": mail.date,
        "text": mail.text,
        "html": mail.html,
        "attachments": [
            {
                "part": attachment.part,
                "filename": attachment.filename,
                "content_type": attachment.content_type,
                "size_bytes": attachment.size_bytes,
                "content_id": attachment.content_id,
                "inline": attachment.inline,
            }
            for attachment in mail.attachments
        ],
        "defects": list(mail.defects),
    }


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_mail_reads_as_expected(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))

    found = as_json(parse(path.read_bytes()))

    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("path", MAILS, ids=lambda path: path.stem)
def test_listed_attachments_open_with_the_listed_size(path: Path) -> None:
    raw = path.read_bytes()
    for attachment in parse(raw).attachments:
        same, content = attachment_bytes(raw, attachment.part)
        assert same == attachment
        assert len(content) == attachment.size_bytes


def test_every_mail_has_its_expectation() -> None:
    assert len(MAILS) >= 40
    assert {path.stem for path in MAILS} == {path.stem for path in MAILS[0].parent.glob("*.json")}


def test_mails_are_equal_where_all_that_they_say_is() -> None:
    raw = b"Subject: a\r\nX-Note: =?utf-8?q?=C3=BC?=\r\n\r\ntext\r\n"

    assert parse(raw) == parse(raw)
    assert hash(parse(raw)) == hash(parse(raw))
    assert parse(raw).headers == (("Subject", "a"), ("X-Note", "ü"))
    assert parse(raw) != parse(raw.replace(b"X-Note", b"X-Other"))
