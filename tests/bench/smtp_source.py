"""Load by Postfix's smtp-source: many sessions, little CPU of its own."""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass

from tests.bench import mails
from tests.bench.http_connection import Address
from tests.bench.targets import DOMAIN, BenchError

RUN_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """`sessions` at a time, which send mail after mail (`is_reused`) or one mail each. `to_new_mailboxes`: every mail
    has a recipient of its own, else all have one."""

    sessions: int
    is_reused: bool
    to_new_mailboxes: bool = False

    @property
    def name(self) -> str:
        reuse = "reused" if self.is_reused else "one mail each"
        mailboxes = ", new mailboxes" if self.to_new_mailboxes else ""
        return f"{self.sessions} session{'s' if self.sessions > 1 else ''}, {reuse}{mailboxes}"


@dataclass(frozen=True, slots=True)
class Sent:
    """`wall_s`: to the last reply. `cpu_s`: what smtp-source itself took."""

    mails: int
    wall_s: float
    cpu_s: float

    @property
    def mails_per_s(self) -> float:
        return self.mails / self.wall_s


def why_missing() -> str | None:
    """Why smtp-source cannot be used; None where it can. Raises `BenchError` instead where the environment variable
    REQUIRE (a comma list) names it, so that a complete run cannot pass by skipping."""
    if _path():
        return None
    why = "smtp-source is not installed (Debian: postfix; it need not run)"
    if "smtp-source" in {name.strip() for name in os.environ.get("REQUIRE", "").split(",")}:
        raise BenchError(f"REQUIRE names smtp-source, but {why}")
    return why


def send(address: Address, load: Load, count: int) -> Sent:
    """Send `count` 5 KB mails. Raises `BenchError` unless every one was answered with 250."""
    command = [_path() or "smtp-source", "-s", str(load.sessions), "-m", str(count), "-M", "client.example"]
    command += ["-F", str(mails.SMALL_FILE), "-f", "sender@client.example", "-t", f"load@{DOMAIN}"]
    if load.is_reused:
        command.append("-d")
    if load.to_new_mailboxes:
        command.append("-N")
    began, before = time.perf_counter(), os.times()
    done = subprocess.run(
        [*command, f"inet:{address[0]}:{address[1]}"], capture_output=True, timeout=RUN_TIMEOUT_S, check=False
    )
    wall_s, after = time.perf_counter() - began, os.times()
    if done.returncode or done.stderr:
        raise BenchError(f"smtp-source: exit code {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-500:]}")
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return Sent(count, wall_s, cpu_s)


def _path() -> str | None:
    # sbin is not on every user's PATH.
    return shutil.which("smtp-source") or shutil.which("smtp-source", path="/usr/sbin:/usr/local/sbin")
