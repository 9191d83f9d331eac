"""What an operator does beside a running server: retention, verification, settings that do not fit."""

import socket
from pathlib import Path

import pytest

from tests.running import DOMAIN, Server, command, running, until

BOX = f"box@{DOMAIN}"
OTHER_BOX = f"other@{DOMAIN}"
SMALL = b"Subject: small\r\n\r\nhello\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 30_000
"""Kept in a spool file."""

LONG_AGO = "2001-01-01 00:00:00"


def test_old_mail_goes_at_the_start_with_its_bodies_and_new_mail_stays(tmp_path: Path) -> None:
    with running(tmp_path, RETENTION_DAYS=1) as server:
        _deliver(server, LARGE, SMALL, SMALL)
        server.query(f"update messages set received_at = '{LONG_AGO}' where id < 3")
        server.query(f"update jobs set due = '{LONG_AGO}'")

    with running(tmp_path, RETENTION_DAYS=1) as again, again.client() as client:
        until(lambda: len(_objects(tmp_path)) == 1, "the bodies are gone")
        listed = client.get("/api/emails", params={"mailbox": BOX}).json()
        assert [row["id"] for row in listed] == [3]
        assert again.download(3) == SMALL
        _check_verified(tmp_path)


def test_a_mailbox_past_its_time_goes_with_all_its_mail_beside_a_running_server(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        _deliver(server, LARGE, SMALL)
        assert server.deliver(SMALL, BOX, OTHER_BOX).startswith("250")
        server.query(f"update mailboxes set expires_at = '{LONG_AGO}' where address = '{BOX}'")

        done = command("retention", folder=tmp_path)

        assert (done.returncode, done.stdout) == (0, "0 messages and 1 mailboxes removed\n")
        until(lambda: len(_objects(tmp_path)) == 1 and server.spooled() == 0, "bodies of its own are gone")
        with server.client() as client:
            assert [box["address"] for box in client.get("/api/mailboxes").json()["list"]] == [OTHER_BOX]
            [row] = client.get("/api/emails", params={"mailbox": OTHER_BOX}).json()
        assert server.download(row["id"]) == SMALL, "the body that two mailboxes shared stays for the other"
        _check_verified(tmp_path)


def test_verify_finds_an_orphan_and_fix_removes_it_while_the_server_runs(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        _deliver(server, SMALL)
        orphan = tmp_path / "objects" / "2020" / "01" / "01" / BOX / "000000-orphan.eml"
        orphan.parent.mkdir(parents=True)
        orphan.write_bytes(SMALL)

        found = command("verify", folder=tmp_path)
        assert (found.returncode, found.stdout.splitlines()[0].split("\t")[0]) == (1, "orphan")
        assert command("verify", "--fix", folder=tmp_path).returncode == 0

        until(lambda: not orphan.exists(), "the server has removed it")
        _check_verified(tmp_path)
        assert server.download(1) == SMALL


def test_verify_finds_a_body_that_is_lost(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        _deliver(server, SMALL)
        [body] = _objects(tmp_path)
        body.unlink()

        found = command("verify", "--fix", folder=tmp_path)

        assert found.returncode == 1, "a lost body cannot be made up"
        assert found.stdout.startswith(f"missing\t{body.relative_to(tmp_path / 'objects')}")
        with server.client() as client:
            assert client.get("/api/email/1/download").status_code == 404
            assert client.get("/api/email/1").json()["body_available"] is False


def test_unusable_settings_are_told_one_line_each_and_the_exit_code_is_2(tmp_path: Path) -> None:
    done = command("serve", folder=tmp_path, SMTP_WORKERS="many", HTTP_BIND="nowhere", RETENTION_DAYS="-1")
    assert done.returncode == 2
    assert done.stdout == ""
    faults = done.stderr.splitlines()
    assert [fault.split(":")[:2] for fault in faults] == [
        ["tempmail", f" {name}"] for name in ("HTTP_BIND", "RETENTION_DAYS", "SMTP_WORKERS")
    ]


@pytest.mark.parametrize("variable", ["HTTP_BIND", "SMTP_BIND"])
def test_a_port_that_is_taken_is_told_with_its_variable_and_the_exit_code_is_2(tmp_path: Path, variable: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        binds = {"HTTP_BIND": "127.0.0.1:0", "SMTP_BIND": "127.0.0.1:0", variable: taken}
        done = command("serve", folder=tmp_path, **binds)
    assert done.returncode == 2
    [fault] = [line for line in done.stderr.splitlines() if line.startswith("tempmail:")]
    assert fault.startswith(f"tempmail: {variable}: cannot listen on {taken} (Address already in use)")


def test_a_second_server_on_the_same_ports_is_refused_and_does_not_disturb_the_first(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        http, smtp = (f"{host}:{port}" for host, port in (server.http, server.smtp))
        for http_bind, smtp_bind in ((http, "127.0.0.1:0"), ("127.0.0.1:0", smtp)):
            second = command("serve", folder=tmp_path, HTTP_BIND=http_bind, SMTP_BIND=smtp_bind, SMTP_WORKERS=2)
            assert second.returncode == 2
        _deliver(server, SMALL)


def test_a_data_folder_that_cannot_be_made_is_told_and_the_exit_code_is_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = command("serve", folder=tmp_path / "file" / "data", HTTP_BIND="127.0.0.1:0", SMTP_BIND="127.0.0.1:0")
    assert done.returncode == 2
    assert "DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr


def _deliver(server: Server, *mails: bytes) -> None:
    """Each to `BOX`; returns when all are in the object store."""
    for raw in mails:
        assert server.deliver(raw, BOX).startswith("250")
    until(lambda: server.spooled() == 0, "the bodies have moved on")


def _objects(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "objects").glob("2*/**/*.eml"))


def _check_verified(folder: Path) -> None:
    done = command("verify", folder=folder)
    assert done.returncode == 0, done.stdout
