"""The disk is full or nearly so: mail is deferred with 452, nothing is lost, and it goes on when there is room."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.load import Load, check_kept
from tests.faults.tmpfs import Tmpfs, tmpfs
from tests.running import ADMIN_PASSWORD, DOMAIN, Server, command, running, until
from tests.smtp_client import SmtpClient, stuffed

BOX = f"box@{DOMAIN}"
DISK_BYTES = 48 << 20
NO_ROOM = "452 4.3.1"

SMALL = b"Subject: small\r\n\r\n" + b"0123456789abcde\r\n" * 250
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 40_000
"""Kept in a spool file."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Tmpfs]:
    with tmpfs(tmp_path / "disk", size_bytes=DISK_BYTES) as mounted:
        yield mounted


def test_mail_is_deferred_before_its_content_while_little_room_is_left(disk: Tmpfs) -> None:
    with running(disk.inside, prefix=disk.prefix, DISK_MIN_FREE_BYTES=16 << 20) as server, server.connect() as client:
        assert client.deliver(SMALL, BOX).startswith("250")
        assert client.command("MAIL FROM:<a@b.example>").startswith("250")

        disk.fill(leave_bytes=8 << 20)

        until(lambda: client.command(f"RCPT TO:<{BOX}>").startswith(NO_ROOM), "RCPT is deferred")
        client.command("RSET")
        assert client.command("MAIL FROM:<a@b.example>").startswith(NO_ROOM)
        with server.client() as http:
            assert http.get("/readyz").status_code == 503
            assert http.get("/healthz").status_code == 200
        assert server.download(1) == SMALL

        disk.free()

        until(lambda: client.deliver(SMALL, BOX).startswith("250"), "mail is taken again")
        _check_kept(server, disk, [SMALL, SMALL])


def test_a_mail_that_would_leave_too_little_room_is_deferred_by_its_announced_size(disk: Tmpfs) -> None:
    with running(disk.inside, prefix=disk.prefix, DISK_MIN_FREE_BYTES=16 << 20) as server, server.connect() as client:
        assert client.command(f"MAIL FROM:<a@b.example> SIZE={DISK_BYTES // 4}").startswith(NO_ROOM)
        assert client.command("MAIL FROM:<a@b.example> SIZE=1000").startswith("250")


@pytest.mark.parametrize("raw", [SMALL, LARGE], ids=["in-the-database", "in-a-spool-file"])
def test_a_disk_that_is_full_defers_mail_after_its_content_and_loses_none(disk: Tmpfs, raw: bytes) -> None:
    with running(disk.inside, prefix=disk.prefix, DISK_MIN_FREE_BYTES=0) as server, server.connect() as client:
        kept = []
        assert client.deliver(raw, BOX).startswith("250")
        kept.append(raw)
        disk.fill()
        # Some still find room in pages that the database has already.
        while (reply := _whole_dialogue(client, raw)).startswith("250"):
            kept.append(raw)
            assert len(kept) < 5_000
        assert reply.startswith(NO_ROOM)
        assert [server.download(row.id) for row in server.rows()] == kept

        disk.free()

        until(lambda: client.deliver(raw, BOX).startswith("250"), "mail is taken again")
        _check_kept(server, disk, [*kept, raw])


def test_accounts_still_log_in_on_a_full_disk(disk: Tmpfs) -> None:
    admin, box = {"username": "admin", "password": ADMIN_PASSWORD}, {"username": BOX, "password": BOX}
    with running(disk.inside, prefix=disk.prefix, DISK_MIN_FREE_BYTES=0) as server, server.connect() as client:
        assert client.deliver(SMALL, BOX).startswith("250")
        with server.client() as http:
            assert http.post("/api/mailboxes/toggle-login", json={"address": BOX, "can_login": True}).status_code == 200
            assert http.post("/api/login", json=admin).status_code == 200

            disk.fill()
            while _whole_dialogue(client, SMALL).startswith("250"):
                pass

            assert http.post("/api/login", json=admin).status_code == 200
            assert http.post("/api/login", json=box).status_code == 200


def test_a_disk_that_fills_up_again_and_again_under_load_loses_nothing_acknowledged(disk: Tmpfs) -> None:
    with running(disk.inside, prefix=disk.prefix, DISK_MIN_FREE_BYTES=0) as server, server.client() as http:
        with Load(server, seed=1) as load:
            for _ in range(3):
                load.await_acknowledged(len(load.acknowledged) + 20)
                deferred = _deferred(server)
                disk.fill()
                until(lambda: _deferred(server) > deferred + 10, "mail is deferred")  # noqa: B023 - asked at once
                disk.free()
            load.await_acknowledged(len(load.acknowledged) + 20)
        assert load.broken == 0, "every mail gets an answer"
        assert not server.output.events("worker.died")
        check_kept(load, http)
        server.end_leases()
        until(lambda: _offloaded(server) >= len(load.acknowledged), "everything has moved on")
        check_kept(load, http)
        verified = command("verify", folder=disk.inside, prefix=disk.prefix)
        assert verified.returncode == 0, verified.stdout


def _whole_dialogue(client: SmtpClient, raw: bytes) -> str:
    """The reply to the content: nothing before it is deferred."""
    assert client.start_data(BOX).startswith("354")
    return client.finish_data(stuffed(raw))


def _check_kept(server: Server, disk: Tmpfs, mails: list[bytes]) -> None:
    """Exactly `mails` are there, in the object store at last, and no process died on the way."""
    assert [server.download(row.id) for row in server.rows()] == mails
    assert not server.output.events("worker.died")
    spool = disk.outside / "spool"
    until(lambda: _offloaded(server) == len(mails) and not list(spool.iterdir()), "everything has moved on")
    assert [server.download(row.id) for row in server.rows()] == mails
    verified = command("verify", folder=disk.inside, prefix=disk.prefix)
    assert verified.returncode == 0, verified.stdout


def _deferred(server: Server) -> int:
    return int(server.metrics()['tempmail_smtp_mails_total{result="deferred"}'])


def _offloaded(server: Server) -> int:
    return int(server.metrics()['tempmail_offload_total{result="stored"}'])
