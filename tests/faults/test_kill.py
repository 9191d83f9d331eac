"""kill -9 under load, at any instant: what got 250 is kept, once for each recipient, byte for byte."""

import os
import random
import secrets
import signal
import threading
from pathlib import Path

import pytest

from tests.faults.load import Load, check_kept
from tests.running import STOP_S, Server, command, running, until

VICTIMS = ("smtp-0", "web", "supervisor", "all")
SURVIVED = VICTIMS[:2]
"""Whose death the server gets over by itself."""


@pytest.mark.parametrize("victim", VICTIMS[:3])
def test_a_kill_under_load_loses_and_doubles_nothing(tmp_path: Path, victim: str) -> None:
    _kill_once(tmp_path, victim)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(20))
def test_twenty_kills_under_load_lose_and_double_nothing(tmp_path: Path, number: int) -> None:
    _kill_once(tmp_path, VICTIMS[number % len(VICTIMS)])


def _kill_once(folder: Path, victim: str) -> None:
    seed = int(os.environ.get("FAULT_SEED", secrets.randbits(32)))
    print(f"FAULT_SEED={seed}")
    choice = random.Random(seed)
    with running(folder) as server:
        with Load(server, seed) as load:
            load.await_acknowledged(choice.randrange(20, 100))
            threading.Event().wait(choice.uniform(0, 0.02))  # so that no reply to a client marks the instant
            _kill(server, victim)
            if victim in SURVIVED:
                load.await_acknowledged(len(load.acknowledged) + 50)
            else:
                assert server.output.await_end(STOP_S), "the workers outlive the supervisor by its budget at most"
        print(f"{len(load.acknowledged)} of {len(load.attempted)} mails got 250, {load.broken} sessions broke")
        if victim in SURVIVED:
            _check(server, load)
    if victim not in SURVIVED:
        with running(folder) as again:
            _check(again, load)


def _check(server: Server, load: Load) -> None:
    """All is there while it is in the spool, and when it has moved on."""
    with server.client() as client:
        check_kept(load, client)
        server.end_leases()
        until(lambda: server.spooled() == 0, "the spool is empty")
        check_kept(load, client)
    verified = command("verify", folder=server.folder)
    assert verified.returncode == 0, verified.stdout


def _kill(server: Server, victim: str) -> None:
    if victim == "all":
        os.killpg(server.process.pid, signal.SIGKILL)
    elif victim == "supervisor":
        server.process.kill()
    else:
        os.kill(server.worker_pid(victim), signal.SIGKILL)
