"""What is measured: the real server and the null server, run as processes of their own and always ended."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from tests.bench import processes
from tests.bench.http_connection import Address, HttpConnection

DOMAIN = "bench.example"
TOKEN = "a-root-token-for-benchmarks-only"
ROOT = Path(__file__).parents[2]

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0
SETTLE_TIMEOUT_S = 120.0

_READY = re.compile(r"\bserver\.ready\b.*?\bhttp=(\S+) smtp=(\S+)")
_WORKER = re.compile(r"\bworker\.started\b.*?\bworker=(\S+) worker_pid=(\d+)")


class BenchError(Exception):
    """A benchmark could not be run; the text says why."""


class NullServer:
    """Worker processes of `null_server.py` that share one port."""

    def __init__(self, smtp: Address, workers: Sequence[subprocess.Popen[bytes]]) -> None:
        self.smtp = smtp
        self._workers = workers

    def roles(self) -> dict[int, str]:
        """Its processes: pid → smtp."""
        return {worker.pid: "smtp" for worker in self._workers}

    def settle(self, mails: int) -> None:
        """Nothing is left to do after a reply."""


class Tempmail:
    """A running `tempmail serve`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, http: Address, smtp: Address) -> None:
        self.http = http
        self.smtp = smtp
        self._process = process
        self._log = log
        self._mails = 0

    def roles(self) -> dict[int, str]:
        """Its processes now: pid → supervisor, smtp, web."""
        text = self._log.read_text("utf-8", "replace")
        named = {int(pid): name.partition("-")[0] for name, pid in _WORKER.findall(text)}
        return {pid: named.get(pid, "supervisor") for pid in processes.tree(self._process.pid)}

    def connect(self) -> HttpConnection:
        """A connection that has the root token."""
        return HttpConnection(self.http, TOKEN)

    def metrics(self) -> dict[str, float]:
        """`GET /metrics`: name with labels → value."""
        with contextlib.closing(self.connect()) as connection:
            lines = connection.get("/metrics").decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def settle(self, mails: int) -> None:
        """Wait until the `mails` sent since the last call are stored and all bodies are in the object store.

        Raises `BenchError` where that does not come true, or more were stored than sent.
        """
        self._mails += mails
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        while True:
            now = self.metrics()
            stored = now['tempmail_smtp_mails_total{result="stored"}']
            offloaded = now['tempmail_offload_total{result="stored"}']
            # Not by tempmail_spool_entries: it is measured once a second, so it may still show the time before.
            if stored == self._mails == offloaded:
                return
            if stored > self._mails or time.monotonic() > deadline:
                raise BenchError(f"{self._mails} mails were sent, {stored:.0f} stored, {offloaded:.0f} offloaded")
            time.sleep(0.1)


Target = NullServer | Tempmail


def cpu_seconds(target: Target) -> dict[str, float]:
    """CPU time of the target's processes so far, by role."""
    spent: dict[str, float] = {}
    for pid, role in target.roles().items():
        spent[role] = spent.get(role, 0.0) + processes.cpu_seconds(pid)
    return spent


def pss_bytes(target: Target) -> int:
    """Memory of all the target's processes, shared pages counted once."""
    return sum(map(processes.pss_bytes, target.roles()))


@contextlib.contextmanager
def null_server(workers: int, loop: Literal["uvloop", "asyncio"] = "uvloop") -> Iterator[NullServer]:
    """A null server of `workers` processes; it has ended when the block is left."""
    with contextlib.ExitStack() as stack:
        started: list[subprocess.Popen[bytes]] = []
        port = 0
        for _ in range(workers):
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(1024)
            port = listener.getsockname()[1]
            command = [sys.executable, "-m", "tests.bench.null_server", str(listener.fileno()), loop]
            worker = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[listener.fileno()])
            started.append(worker)
            stack.callback(_end, worker)
        yield NullServer(("127.0.0.1", port), started)


@contextlib.contextmanager
def constant_server(sizes_bytes: Sequence[int]) -> Iterator[Address]:
    """`constant_server.py` with answers of these sizes; it has ended when the block is left."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        command = [sys.executable, "-m", "tests.bench.constant_server", str(listener.fileno()), *map(str, sizes_bytes)]
        server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[listener.fileno()])
        stack.callback(_end, server)
        yield listener.getsockname()


@contextlib.contextmanager
def tempmail(folder: Path, **variables: object) -> Iterator[Tempmail]:
    """A real server over `folder`, ready; it has ended when the block is left. `variables`: settings beside those that
    every benchmark needs. Raises `BenchError` where it does not become ready."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "DATA_DIR": str(folder / "data"),
        "HTTP_BIND": "127.0.0.1:0",
        "SMTP_BIND": "127.0.0.1:0",
        "MAIL_DOMAIN": DOMAIN,
        "ADMIN_PASSWORD": TOKEN,
        "JWT_TOKEN": TOKEN,
    } | {name: str(value) for name, value in variables.items()}
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "tempmail", "serve"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
        )
        stack.callback(_end, process)
        http, smtp = _await_ready(process, log)
        try:
            yield Tempmail(process, log, http, smtp)
        except (BenchError, OSError, ValueError) as exc:
            if errors := _errors(log):
                raise BenchError(f"{exc}; the server's log: {errors[0][:1500]}") from exc
            raise


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> tuple[Address, Address]:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := _READY.search(log.read_text("utf-8", "replace")):
            http, smtp = (_address(text) for text in found.groups())
            _await_readyz(http, deadline)
            return http, smtp
        time.sleep(0.002)
    ending = log.read_text("utf-8", "replace")[-2000:]
    raise BenchError(f"the server did not become ready (exit code {process.poll()}):\n{ending}")


def _errors(log: Path) -> list[str]:
    return [line for line in log.read_text("utf-8", "replace").splitlines() if " level=error " in line]


def _await_readyz(http: Address, deadline: float) -> None:
    with contextlib.closing(HttpConnection(http, TOKEN)) as connection:
        while connection.ask("/readyz")[0] != 200:
            if time.monotonic() > deadline:
                raise BenchError("the server said that it is ready, but /readyz does not")
            time.sleep(0.002)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        process.stdin.close()
    else:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        # Its children end by themselves when it is gone.
        process.kill()
        process.wait()
