"""Rules and reading again on a running server, in whichever process a mail arrives."""

import json
from pathlib import Path
from typing import Any

from tests.running import DOMAIN, Server, command, running, until

RAW = b"From: Pay <pay@bank.example>\r\nSubject: Hello\r\n\r\nToday's pass word: tulip\r\n"
RULE = {"name": "Bank", "sender": "bank.example", "pattern": r"pass word: (?P<code>\w+)"}
WORKERS = 2


def test_a_rule_counts_in_every_worker_within_seconds_and_for_stored_mail_when_asked(tmp_path: Path) -> None:
    with running(tmp_path, SMTP_WORKERS=WORKERS) as server, server.client() as client:
        assert server.deliver(RAW, f"before@{DOMAIN}").startswith("250")
        assert client.post("/api/v1/extraction-rules", json=RULE).status_code == 200
        server.output.await_event("rules.loaded", count=WORKERS, timeout_s=10)
        names = [f"after{number}@{DOMAIN}" for number in range(8)]
        for name in names:
            assert server.deliver(RAW, name).startswith("250")
        for name in names:
            [row] = client.get("/api/emails", params={"mailbox": name}).json()
            assert row["verification_code"] == "tulip"
            extraction = client.get(f"/api/v1/messages/{row['id']}").json()["extraction"]
            assert extraction["codes"][0]["reasons"] == ["rule 1 'Bank' v1 +100.00"]

        assert _codes(server) == [None, *["tulip"] * 8]
        done = command("reextract", "--json", folder=tmp_path)
        assert json.loads(done.stdout) == {"messages": 1, "changed": 1, "gone": 0}, done.stderr
        assert _codes(server) == ["tulip"] * 9
        assert client.post("/api/v1/extract", content=RAW).json()["code"] == "tulip"


def test_mail_of_an_older_version_is_read_again_without_being_asked(tmp_path: Path) -> None:
    raw = RAW.replace(b"pass word: tulip", b"verification code: 482913")
    with running(tmp_path) as server:
        for number in range(30):
            assert server.deliver(raw, f"box{number}@{DOMAIN}").startswith("250")
        server.query("update messages set verification_code = null, extraction = null, extraction_version = 0")
        assert server.stop() == 0
    with running(tmp_path) as server:
        until(lambda: _codes(server) == ["482913"] * 30, "all mail is read again")
        assert server.metrics()['tempmail_reextract_mails_total{result="read"}'] == 30


def _codes(server: Server) -> list[Any]:
    return [code for (code,) in server.query("select verification_code from messages order by id")]
