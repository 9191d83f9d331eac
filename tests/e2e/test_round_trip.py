"""From a client's mail to its code over HTTP, with the programs that people have, and byte for byte."""

import json
import re
import shutil
import smtplib
import subprocess
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.require import require
from tests.running import DOMAIN, PATIENCE_S, TOKEN, Server

MAILS = Path(__file__).parents[1] / "eml"
CODE_MAIL = (
    b"From: Shop <no-reply@shop.example>\r\n"
    b"To: you@temp.example\r\n"
    b"Subject: Welcome to the shop\r\n"
    b"\r\n"
    b"Your verification code is 482910. It expires in 10 minutes.\r\n"
    b".a line that begins with a dot\r\n"
)

BODIES = {
    "empty": b"",
    "dots": b".\r\n..\r\n.a\r\n ..\r\n...\r\n",
    "only-a-dot-in-the-first-line": b".\r\n",
    "bare-line-feeds": b"one\ntwo\n.\nthree\n.\r\nfour\r\n",
    "bare-carriage-returns": b"one\rtwo\r.\rthree\r\r\n.\r\r\n",
    "nul-and-controls": bytes(range(32)) + b"\x7f\r\n",
    "eight-bit": bytes(range(128, 256)) + b"\r\n",
    "utf-8": "你的验证码是 482910。Ваш код\r\n".encode(),
    "a-very-long-line": b"x" * 200_000 + b"\r\n",
    "blank-lines-at-the-end": b"text\r\n\r\n\r\n",
    "white-space-at-line-ends": b"text \t\r\n \r\n",
    "one-and-a-half-megabytes": b"0123456789abcde.\r\n" * 80_000,
}


@pytest.mark.parametrize("name", BODIES)
def test_what_was_sent_is_downloaded_byte_for_byte(server: Server, name: str) -> None:
    raw = b"From: a@b.example\r\nSubject: %s\r\n\r\n%s" % (name.encode(), BODIES[name])
    assert server.deliver(raw, _address(name)).startswith("250")
    [row] = _list(server, _address(name))
    assert row["subject"] == name
    assert server.download(row["id"]) == raw


def test_mails_without_headers_or_text_are_kept_as_they_are(server: Server) -> None:
    for raw in (b"\r\n", b"Subject: no body\r\n", b"no header\r\n", b"\r\n\r\n"):
        assert server.deliver(raw, _address("bare")).startswith("250")
        assert server.download(_list(server, _address("bare"))[0]["id"]) == raw


def test_every_encoding_and_structure_is_downloaded_byte_for_byte(server: Server) -> None:
    sent = {}
    with server.connect() as client:
        for path in sorted(MAILS.glob("*.eml")):
            raw = path.read_bytes().rstrip(b"\r\n") + b"\r\n"
            assert client.deliver(raw, _address(path.stem)).startswith("250"), path.stem
            sent[path.stem] = raw
    assert len(sent) > 100
    for stem, raw in sent.items():
        [row] = _list(server, _address(stem))
        assert server.download(row["id"]) == raw, stem


def test_smtplib_delivers_and_the_code_is_there_with_the_mail(server: Server) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = "no-reply@shop.example", f"{_address('smtplib')}, {_address('second')}"
    mail["Subject"] = "Ihr Bestätigungscode"
    mail.set_content("Ihr Bestätigungscode lautet 739-204.\n")
    mail.add_alternative("<p>Ihr Bestätigungscode lautet <b>739-204</b>.</p>", subtype="html")
    mail.add_attachment(b"\x00\xff" * 500, maintype="application", subtype="octet-stream", filename="käse.bin")
    mail.set_boundary("the-same-each-time-it-is-written")
    with smtplib.SMTP(*server.smtp, timeout=PATIENCE_S) as client:
        assert client.send_message(mail) == {}
    for name in ("smtplib", "second"):
        [row] = _list(server, _address(name))
        assert (row["subject"], row["verification_code"]) == ("Ihr Bestätigungscode", "739204")
        assert server.download(row["id"]) == mail.as_bytes().replace(b"\n", b"\r\n")


def test_swaks_delivers(server: Server, tmp_path: Path) -> None:
    require("swaks", available=shutil.which("swaks") is not None, why="the program swaks is not on PATH")
    (tmp_path / "mail.eml").write_bytes(CODE_MAIL.removesuffix(b"\r\n"))  # swaks adds one
    host, port = server.smtp
    _output_of(
        *("swaks", "--server", host, "--port", str(port), "--to", _address("swaks"), "--from", "a@b.example"),
        *("--data", f"@{tmp_path / 'mail.eml'}", "--pipeline", "--hide-all"),
    )
    [row] = _list(server, _address("swaks"))
    assert row["verification_code"] == "482910"
    assert server.download(row["id"]) == CODE_MAIL


def test_curl_delivers_reads_the_code_and_downloads(server: Server, tmp_path: Path) -> None:
    require("curl", available=shutil.which("curl") is not None, why="the program curl is not on PATH")
    (tmp_path / "mail.eml").write_bytes(CODE_MAIL)
    mailbox = _address("curl")
    authorized = ("curl", "--silent", "--fail", "--header", f"Authorization: Bearer {TOKEN}")
    _output_of(
        *("curl", "--silent", "--show-error", f"smtp://{server.smtp[0]}:{server.smtp[1]}/client.example"),
        *("--mail-from", "a@b.example", "--mail-rcpt", mailbox, "--upload-file", str(tmp_path / "mail.eml")),
    )
    [row] = json.loads(_output_of(*authorized, f"{server.url}/api/emails?mailbox={mailbox}"))
    assert (row["subject"], row["verification_code"]) == ("Welcome to the shop", "482910")
    assert _output_of(*authorized, f"{server.url}/api/email/{row['id']}/download") == CODE_MAIL


def test_a_deleted_mail_is_gone_with_its_body(server: Server) -> None:
    assert server.deliver(CODE_MAIL, _address("deleted")).startswith("250")
    [row] = _list(server, _address("deleted"))
    with server.client() as client:
        assert client.delete(f"/api/email/{row['id']}").status_code == 200
        assert client.get(f"/api/email/{row['id']}/download").status_code == 404
    assert _list(server, _address("deleted")) == []


def _address(name: str) -> str:
    """A mailbox of its own for `name`: what stands before `-`, `.` or `+` would not count."""
    return f"{re.sub('[^a-z0-9]', '_', name)}@{DOMAIN}"


def _list(server: Server, mailbox: str) -> list[dict[str, Any]]:
    """Newest first."""
    with server.client() as client:
        listed: list[dict[str, Any]] = client.get("/api/emails", params={"mailbox": mailbox}).raise_for_status().json()
    return listed


def _output_of(*command: str) -> bytes:
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
