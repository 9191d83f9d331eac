"""The supervisor: what dies is started again, what cannot start ends the server, and nothing outlives it."""

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.running import DOMAIN, PATIENCE_S, Server, running, until

BOX = f"box@{DOMAIN}"
RAW = b"Subject: hello\r\n\r\nhello\r\n"


@pytest.mark.parametrize("worker", ["smtp-0", "web"])
def test_a_worker_that_dies_is_started_again_and_serves(tmp_path: Path, worker: str) -> None:
    with running(tmp_path, SMTP_WORKERS=1) as server:
        before = server.worker_pid(worker)
        os.kill(before, signal.SIGKILL)
        # Both connections wait where the dead process left them, and are served by its successor.
        assert server.deliver(RAW, BOX).startswith("250")
        assert server.download(1) == RAW
        assert server.worker_pid(worker) != before
        assert server.metrics()["tempmail_process_restarts_total"] == 1
        died = server.output.await_event("worker.died")
        assert (died["worker"], died["exit_code"]) == (worker, "-9")


def test_connections_of_a_worker_that_died_are_not_counted_for_ever(tmp_path: Path) -> None:
    with running(tmp_path, SMTP_WORKERS=1, MAX_CONNECTIONS=2) as server:
        for deaths in (1, 2):
            with server.connect(), server.connect():
                os.kill(server.worker_pid("smtp-0"), signal.SIGKILL)
                server.output.await_event("worker.died", count=deaths)
        assert server.deliver(RAW, BOX).startswith("250")


@pytest.mark.soak
def test_a_worker_that_hangs_is_ended_and_started_again(tmp_path: Path) -> None:
    with running(tmp_path, SMTP_WORKERS=1) as server:
        os.kill(server.worker_pid("smtp-0"), signal.SIGSTOP)
        server.output.await_event("worker.silent", timeout_s=60)
        assert server.deliver(RAW, BOX).startswith("250")


def test_a_worker_that_cannot_start_ends_the_server_with_exit_code_1(tmp_path: Path) -> None:
    with running(tmp_path, SMTP_WORKERS=1) as server:
        killing = threading.Thread(target=_kill_each_at_birth, args=(server, "web"))
        killing.start()
        assert server.await_exit(PATIENCE_S) == 1
        killing.join(PATIENCE_S)
        assert server.output.await_end(1), "the other worker was stopped with it"
        assert server.output.events("worker.cannot_start")


def test_workers_of_a_killed_supervisor_finish_what_they_have_begun_and_end(tmp_path: Path) -> None:
    with running(tmp_path, SMTP_WORKERS=2) as server, server.connect() as client:
        assert client.start_data(BOX).startswith("354")
        server.process.kill()
        server.output.await_event("supervisor.gone", count=3)
        assert client.finish_data(RAW + b".\r\n").startswith("250")
        assert client.reply().startswith("421")
        assert server.output.await_end(5), "no process is left"

    with running(tmp_path) as again:
        assert again.download(1) == RAW


def test_sigterm_to_all_processes_at_once_is_an_orderly_end(tmp_path: Path) -> None:
    with running(tmp_path) as server, server.connect() as client:
        assert client.start_data(BOX).startswith("354")
        os.killpg(server.process.pid, signal.SIGTERM)
        server.output.await_event("server.stopping")
        assert client.finish_data(RAW + b".\r\n").startswith("250")
        assert server.await_exit(5) == 0
        assert server.output.await_end(1)


def _kill_each_at_birth(server: Server, worker: str) -> None:
    killed = set()

    def kill_the_newest() -> bool:
        newest = server.worker_pid(worker)
        if newest not in killed and server.process.poll() is None:
            os.kill(newest, signal.SIGKILL)
            killed.add(newest)
        return server.process.poll() is not None

    until(kill_the_newest, "the server gives up")
