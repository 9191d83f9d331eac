"""Secrets, bodies and codes never reach a log, whatever happens."""

import tomllib
from pathlib import Path

import httpx
import pytest

from tests.faults.tcp_proxy import TcpProxy
from tests.running import ADMIN_PASSWORD, DOMAIN, TOKEN, running

BOX = f"box@{DOMAIN}"
S3_SECRET = "an-s3-secret-for-tests-only"
WRONG_PASSWORD = "a-wrong-password"
WRONG_TOKEN = "a-wrong-token"
SENT = {
    "subject": "Grüße-from-the-subject",
    "text": "words-of-the-text",
    "html": "words-of-the-html",
    "attached": "words-of-the-attachment",
    "file": "name-of-the-attachment",
    "header": "words-of-a-header",
    "code": "739204",
    "link": "token-in-the-link",
}
MAIL = """\
From: Shop <no-reply@shop.example>
Subject: {subject} {code}
X-Header: {header}
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8

{text}: your verification code is {code}, https://shop.example/verify?t={link}
--b
Content-Type: text/html; charset=utf-8

<p>{html} {code} <a href="https://shop.example/verify?t={link}">verify</a>
--b
Content-Type: application/octet-stream; name="{file}"
Content-Disposition: attachment; filename="{file}"
Content-Transfer-Encoding: x-unknown

{attached}
--b--
"""


@pytest.mark.parametrize(("workers", "form"), [(0, "json"), (2, "logfmt")])
def test_no_secret_and_nothing_of_a_mail_is_logged_even_at_debug(tmp_path: Path, workers: int, form: str) -> None:
    raw = MAIL.format(**SENT).replace("\n", "\r\n").encode()
    with (
        TcpProxy(("127.0.0.1", 9)) as nobody,
        running(
            tmp_path,
            SMTP_WORKERS=workers,
            LOG_LEVEL="debug",
            LOG_FORMAT=form,
            MAX_MESSAGE_BYTES=100_000,
            OBJECTS_URL="s3://mails/prefix",
            S3_ENDPOINT_URL=f"http://{nobody.host}:{nobody.port}",
            AWS_ACCESS_KEY_ID="key",
            AWS_SECRET_ACCESS_KEY=S3_SECRET,
        ) as server,
    ):
        with server.connect() as smtp:
            assert smtp.deliver(raw, BOX).startswith("250")
            assert smtp.deliver(raw, "x@elsewhere.example").startswith("550")
            assert smtp.deliver(raw * 200, BOX).startswith("552")
            assert smtp.command(SENT["text"]).startswith("5")
        with server.connect() as smtp:
            assert smtp.start_data(BOX).startswith("354")
            smtp.send(raw)  # and goes away before its end
        with server.client() as client:
            session = _log_in(client, ADMIN_PASSWORD)
            _log_in(client, WRONG_PASSWORD)
            for path in ("/api/emails?mailbox=" + BOX, "/api/email/1", "/api/email/1/download", "/api/nothing"):
                client.get(path)
            client.get("/api/session", headers={"Authorization": f"Bearer {WRONG_TOKEN}"})
            client.get("/api/session", headers={"X-Admin-Token": WRONG_TOKEN})
            client.post("/api/create", content=b'{"local": "' + SENT["text"].encode())
        server.output.await_event("object.put_failed")
        assert server.stop() == 0

    log = server.output.text
    assert "mail.stored" in log
    secrets = [TOKEN, ADMIN_PASSWORD, S3_SECRET, WRONG_PASSWORD, WRONG_TOKEN, session, session.split(".")[2]]
    assert [word for word in (*secrets, *SENT.values()) if word in log] == []


def test_secrets_made_at_the_first_start_are_not_logged(tmp_path: Path) -> None:
    with running(tmp_path, JWT_TOKEN="", ADMIN_PASSWORD="") as server:
        assert server.stop() == 0
    made = tomllib.loads((tmp_path / "secrets.toml").read_text())
    assert set(made) == {"JWT_TOKEN", "ADMIN_PASSWORD"}
    assert [name for name, value in made.items() if value in server.output.text] == []


def _log_in(client: httpx.Client, password: str) -> str:
    """The session's token, or the empty text where the password is wrong."""
    answer = client.post("/api/login", json={"username": "admin", "password": password})
    return answer.cookies.get("iding-session") or ""
