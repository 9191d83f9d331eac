"""SIGTERM to the real server: what was begun is finished, nothing new is begun, and it ends in time."""

import socket
import time
from pathlib import Path

import pytest

from tests.running import DOMAIN, refuses, running, until

BOX = f"box@{DOMAIN}"
FIRST_HALF = b"From: a@b.example\r\nSubject: half\r\n\r\nthe first half, "
SECOND_HALF = b"and the second\r\n"

shapes = pytest.mark.parametrize("workers", [0, 2])


@shapes
def test_a_mail_on_its_way_at_sigterm_is_kept_and_nobody_new_is_let_in(tmp_path: Path, workers: int) -> None:
    with running(tmp_path, SMTP_WORKERS=workers) as server, server.connect() as client:
        assert client.start_data(BOX).startswith("354")
        client.send(FIRST_HALF)
        server.process.terminate()
        began = time.monotonic()
        until(lambda: refuses(server.smtp), "the SMTP port is closed", timeout_s=5)
        until(lambda: refuses(server.http), "the HTTP port is closed", timeout_s=5)
        assert server.process.poll() is None
        assert client.finish_data(SECOND_HALF + b".\r\n").startswith("250")
        assert client.reply().startswith("421")
        assert client.is_closed()
        assert server.await_exit(10 - (time.monotonic() - began)) == 0
        assert server.output.await_end(1)

    with running(tmp_path, SMTP_WORKERS=workers) as again:
        assert [row.subject for row in again.rows()] == ["half"]
        assert again.download(1) == FIRST_HALF + SECOND_HALF


@shapes
def test_an_idle_server_ends_at_once(tmp_path: Path, workers: int) -> None:
    with running(tmp_path, SMTP_WORKERS=workers) as server, server.connect() as idle:
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 3
        assert idle.reply().startswith("421")


@pytest.mark.soak
def test_a_client_that_never_ends_its_mail_does_not_delay_the_end_past_ten_seconds(tmp_path: Path) -> None:
    with running(tmp_path) as server, server.connect() as client:
        assert client.start_data(BOX).startswith("354")
        client.send(FIRST_HALF)
        assert server.stop() == 0

    with running(tmp_path) as again:
        assert again.rows() == []


def test_the_same_ports_serve_again_at_once(tmp_path: Path) -> None:
    with running(tmp_path) as server, server.connect():
        pass
    http, smtp = (f"{host}:{port}" for host, port in (server.http, server.smtp))
    with running(tmp_path, HTTP_BIND=http, SMTP_BIND=smtp) as again:
        assert again.deliver(FIRST_HALF + SECOND_HALF, BOX).startswith("250")


def test_a_connection_that_waits_in_the_backlog_at_sigterm_does_not_delay_the_end(tmp_path: Path) -> None:
    with running(tmp_path, SMTP_WORKERS=1) as server, socket.create_connection(server.smtp):
        assert server.stop() == 0
