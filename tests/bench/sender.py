"""Sends mails of one size for a time, in a process of its own; `sender` runs it.

`python -m tests.bench.sender HOST PORT RECIPIENT SIZE INTERVAL_S`: prints a line when it is connected, begins with the
first line on its standard input, ends with the second, then prints what it saw as JSON.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from tests.bench import mails
from tests.bench.http_connection import Address
from tests.bench.smtp_connection import SmtpConnection
from tests.bench.targets import DOMAIN, ROOT, BenchError

PACED_SESSIONS = 10
END_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a sender saw of each mail. `whole_s`: from when it was due to its 250; `reply_s`: from the end of its
    content to its 250."""

    mails: int
    size_bytes: int
    wall_s: float
    whole_s: list[float]
    reply_s: list[float]


class Sender:
    """A sender process that is connected and waits to begin."""

    def __init__(self, process: subprocess.Popen[str], input_: IO[str]) -> None:
        self._process = process
        self._input = input_

    def begin(self) -> None:
        self._tell("begin\n")

    def end(self) -> None:
        """Begin no more mails; those under way are finished."""
        self._tell("end\n")

    def seen(self) -> Seen:
        """After `end`. Raises `BenchError` where a mail was not answered with 250."""
        text, _ = self._process.communicate(timeout=END_TIMEOUT_S)
        if self._process.returncode:
            raise BenchError("a sender failed")
        return Seen(**json.loads(text))

    def _tell(self, line: str) -> None:
        self._input.write(line)
        self._input.flush()


@contextlib.contextmanager
def sender(address: Address, recipient: str, size_bytes: int, interval_s: float = 0.0) -> Iterator[Sender]:
    """A process that sends mails of `size_bytes` to `recipient` (a local part). It has ended when the block is left.

    If `interval_s` is 0: one after another over one session. Else one each `interval_s`, over so many sessions in turn
    that a mail which is answered late does not delay the next.
    """
    command = [sys.executable, "-m", "tests.bench.sender", *map(str, address), f"{recipient}@{DOMAIN}"]
    command += [str(size_bytes), str(interval_s)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdin is None or process.stdout is None or not process.stdout.readline():
                raise BenchError("a sender could not connect")
            yield Sender(process, process.stdin)
        finally:
            process.kill()


class _Sessions:
    """The sessions of this process, one thread each."""

    def __init__(self, connections: list[SmtpConnection], content: bytes, interval_s: float) -> None:
        self._connections = connections
        self._content = content
        self._interval_s = interval_s
        self._end = threading.Event()
        self._whole_s: list[float] = []
        self._reply_s: list[float] = []
        self._failures: list[Exception] = []

    def run(self) -> Seen:
        """Send until a line comes in."""
        began = time.perf_counter()
        threads = [
            threading.Thread(target=self._session, args=(connection, began + number * self._interval_s))
            for number, connection in enumerate(self._connections)
        ]
        for thread in threads:
            thread.start()
        sys.stdin.readline()
        self._end.set()
        for thread in threads:
            thread.join()
        if self._failures:
            raise self._failures[0]
        wall_s = time.perf_counter() - began
        return Seen(len(self._reply_s), len(self._content), wall_s, self._whole_s, self._reply_s)

    def _session(self, connection: SmtpConnection, due: float) -> None:
        try:
            while not self._end.wait(max(0.0, due - time.perf_counter())):
                due = self._send(connection, due) + len(self._connections) * self._interval_s
        except OSError as exc:
            self._failures.append(exc)

    def _send(self, connection: SmtpConnection, due: float) -> float:
        """Send one mail; when it was due."""
        if not self._interval_s:
            due = time.perf_counter()
        connection.announce()
        connection.send(self._content)
        sent = time.perf_counter()
        connection.await_stored()
        stored = time.perf_counter()
        self._whole_s.append(stored - due)
        self._reply_s.append(stored - sent)
        return due


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sender")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("recipient")
    parser.add_argument("size_bytes", type=int)
    parser.add_argument("interval_s", type=float)
    args = parser.parse_args()
    small = mails.small()
    content = mails.stuffed(mails.large(args.size_bytes) if args.size_bytes > len(small) else small)
    with contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(contextlib.closing(SmtpConnection((args.host, args.port), args.recipient)))
            for _ in range(PACED_SESSIONS if args.interval_s else 1)
        ]
        print("connected", flush=True)
        sys.stdin.readline()
        seen = _Sessions(connections, content, args.interval_s).run()
    print(json.dumps({name: getattr(seen, name) for name in Seen.__slots__}))


if __name__ == "__main__":
    main()
