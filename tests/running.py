"""A real server in processes of its own, for tests that look at it from outside.

    with running(tmp_path) as server:
        assert server.deliver(raw, "box@temp.example").startswith("250")
        assert server.download(1) == raw

It listens on free loopback ports and has all its data under the given folder. When the block is left, none of its
processes is, and its log is on standard output, where pytest shows it for a test that failed.
"""

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.smtp_client import SmtpClient

DOMAIN = "temp.example"
TOKEN = "a-root-token-for-tests-only"
ADMIN_PASSWORD = "an-admin-password-for-tests-only"

PATIENCE_S = 20.0
"""How long anything may take that should take no time: a machine under load is no reason to fail."""

STOP_S = 10.0
"""What the server promises: it has ended so long after SIGTERM."""

_TEMPMAIL = (sys.executable, "-m", "tempmail")
_TOLD_LINES = 150
_FIELD = re.compile(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)')

Address = tuple[str, int]


@dataclass(frozen=True)
class StoredRow:
    """One row of one mailbox, as `GET /api/emails/batch` shows it."""

    id: int
    to: str
    subject: str
    object_key: str


class Output:
    """What a server writes to standard error, read by a thread while it is written."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._is_over = False
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        """All of it so far."""
        with self._changed:
            return "".join(self._lines)

    def events(self, name: str) -> list[dict[str, str]]:
        """The fields of every `event=name` so far."""
        with self._changed:
            found = [_fields(line) for line in self._lines if name in line]
        return [fields for fields in found if fields.get("event") == name]

    def await_event(self, name: str, *, count: int = 1, timeout_s: float = PATIENCE_S) -> dict[str, str]:
        """The fields of the `count`th `event=name` since the start. Raises AssertionError where it does not come."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or len(self.events(name)) >= count, timeout_s)
            found = self.events(name)
        assert len(found) >= count, f"{name} came {len(found)} times, not {count}"
        return found[count - 1]

    def await_end(self, timeout_s: float) -> bool:
        """Whether every process that writes here has ended: the last one's end is the end of the pipe."""
        self._reader.join(timeout_s)
        return not self._reader.is_alive()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            with self._changed:
                self._lines.append(line.decode("utf-8", "replace"))
                self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        process.stderr.close()


class Server:
    """A running `tempmail serve`. `folder` is its DATA_DIR."""

    def __init__(self, process: subprocess.Popen[bytes], output: Output, folder: Path) -> None:
        self.process = process
        self.output = output
        self.folder = folder
        ready = output.await_event("server.ready")
        self.http = _address(ready["http"])
        self.smtp = _address(ready["smtp"])
        self.url = f"http://{ready['http']}"

    @property
    def database(self) -> Path:
        return self.folder / "tempmail.db"

    def worker_pid(self, name: str) -> int:
        """The process that plays the role now: `smtp-0` …, `web`."""
        return [int(event["worker_pid"]) for event in self.output.events("worker.started") if event["worker"] == name][
            -1
        ]

    def kill(self, name: str) -> None:
        """SIGKILL to a worker, or to the `supervisor`."""
        if name == "supervisor":
            self.process.kill()
        else:
            os.kill(self.worker_pid(name), signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code. Raises AssertionError where not every process ends within the promised time."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.await_exit(STOP_S)
        assert self.output.await_end(began + STOP_S - time.monotonic()), "a process outlived the supervisor"
        return code

    def await_exit(self, timeout_s: float) -> int:
        """The supervisor's exit code. Raises AssertionError where it goes on."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server did not end within {timeout_s} s") from None

    def client(self) -> httpx.Client:
        """An HTTP client that has the root token."""
        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=PATIENCE_S,
            trust_env=False,  # a proxy of this machine has no business here
            verify=False,  # nor have certificates, which take their time to load
        )

    def connect(self) -> SmtpClient:
        return SmtpClient(self.smtp, timeout_s=PATIENCE_S)

    def deliver(self, raw: bytes, *recipients: str) -> str:
        """Send one mail in a session of its own; the last reply."""
        with self.connect() as client:
            return client.deliver(raw, *recipients)

    def download(self, message_id: int) -> bytes:
        with self.client() as client:
            return download(client, message_id)

    def rows(self) -> list[StoredRow]:
        """Every row of every mailbox, in order of receipt."""
        with self.client() as client:
            return rows(client)

    def metrics(self) -> dict[str, float]:
        """`GET /metrics`: name with labels → value."""
        with self.client() as client:
            lines = client.get("/metrics").raise_for_status().text.splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def spooled(self) -> int:
        """How many bodies wait for the object store."""
        return len(self.query("select 1 from spool"))

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Run one statement on the database beside the server, as an operator might."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=PATIENCE_S)) as connection, connection:
            return connection.execute(sql).fetchall()

    def end_leases(self) -> None:
        """Let the time pass for which a dead process had claimed bodies and deletes, and all backoffs with it."""
        self.query("update spool set due = '2000-01-01 00:00:00'")
        self.query("update object_deletes set due = '2000-01-01 00:00:00'")


@contextlib.contextmanager
def running(folder: Path, *, prefix: Sequence[str] = (), **variables: object) -> Iterator[Server]:
    """A server with `folder` as its DATA_DIR, ready. `variables`: further settings, or others than these tests' usual
    ones. `prefix`: a command that runs it."""
    environment = _environment(
        folder,
        HTTP_BIND="127.0.0.1:0",
        SMTP_BIND="127.0.0.1:0",
        MAIL_DOMAIN=DOMAIN,
        JWT_TOKEN=TOKEN,
        ADMIN_PASSWORD=ADMIN_PASSWORD,
        SMTP_WORKERS=2,
    ) | _environment(folder, **variables)
    process = subprocess.Popen(
        [*prefix, *_TEMPMAIL, "serve"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    output = Output(process)
    try:
        yield Server(process, output, folder)
    finally:
        _end(process, output)


def command(
    *arguments: str, folder: Path, prefix: Sequence[str] = (), **variables: object
) -> subprocess.CompletedProcess[str]:
    """Run `tempmail` with `arguments` to its end, on the data of `folder` and nothing but `variables` set."""
    return subprocess.run(
        [*prefix, *_TEMPMAIL, *arguments],
        env=_environment(folder, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def until(is_so: Callable[[], bool], what: str, *, timeout_s: float = PATIENCE_S) -> None:
    """Look again and again until `is_so`, for what no event tells. Raises AssertionError that says `what` is not."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not is_so():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        pause.wait(0.02)


def refuses(address: Address) -> bool:
    """Whether nobody listens there."""
    try:
        socket.create_connection(address, timeout=PATIENCE_S).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # the listener went in this very moment
        return False
    return False


def download(client: httpx.Client, message_id: int) -> bytes:
    return client.get(f"/api/email/{message_id}/download").raise_for_status().content


def rows(client: httpx.Client) -> list[StoredRow]:
    """Every row of every mailbox, in order of receipt. Ids have no gaps where nothing was deleted."""
    found: list[StoredRow] = []
    while True:
        ids = ",".join(str(number) for number in range(len(found) + 1, len(found) + 51))
        page = client.get("/api/emails/batch", params={"ids": ids}).raise_for_status().json()
        found += [StoredRow(row["id"], row["to_addrs"], row["subject"], row["r2_object_key"]) for row in page]
        if len(page) < 50:
            return sorted(found, key=lambda row: row.id)


def _environment(folder: Path, **variables: object) -> dict[str, str]:
    """Nothing of the environment that the tests run in but where programs are."""
    path = os.environ.get("PATH", os.defpath)
    return {name: str(value) for name, value in (variables | {"PATH": path, "DATA_DIR": folder}).items()}


def _end(process: subprocess.Popen[bytes], output: Output) -> None:
    """End whatever is left of the server, and tell what it said."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S + 2)
    # Somebody still holds the pipe, so the group has members and its number is nobody else's.
    if not output.await_end(2.0 if process.poll() is not None else 0.0):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)
    assert output.await_end(PATIENCE_S)
    print(f"exit code {process.returncode}; the last of what the server said:")
    print("".join(output.text.splitlines(keepends=True)[-_TOLD_LINES:]))


def _fields(line: str) -> dict[str, str]:
    if line.startswith("{"):
        return {name: str(value) for name, value in json.loads(line).items()}
    return {name: value[1:-1] if value.startswith('"') else value for name, value in _FIELD.findall(line)}


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)
