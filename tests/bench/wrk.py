"""Load by wrk: many connections that ask for one thing again and again, little CPU of its own."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from tests.bench.http_connection import Address
from tests.bench.targets import BenchError

_RATE = re.compile(r"^Requests/sec:\s+([0-9.]+)$", re.MULTILINE)
_P99 = re.compile(r"^\s+99%\s+([0-9.]+)(us|ms|s)$", re.MULTILINE)
_BAD = re.compile(r"^\s*(Non-2xx.*|Socket errors.*)$", re.MULTILINE)
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Rate:
    requests_per_s: float
    p99_ms: float


def why_missing() -> str | None:
    """Why wrk cannot be used; None where it can. Raises `BenchError` instead where the environment variable REQUIRE (a
    comma list) names it, so that a complete run cannot pass by skipping."""
    if shutil.which("wrk"):
        return None
    why = "wrk is not installed (Debian: wrk)"
    if "wrk" in {name.strip() for name in os.environ.get("REQUIRE", "").split(",")}:
        raise BenchError(f"REQUIRE names wrk, but {why}")
    return why


def load(address: Address, path: str, *, connections: int, seconds: int, token: str = "") -> Rate:
    """Ask for `path` for so long. Raises `BenchError` unless every answer was a success."""
    headers = ["-H", f"Authorization: Bearer {token}"] if token else []
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *headers]
    ended = subprocess.run(
        [*command, f"http://{address[0]}:{address[1]}{path}"],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    return parsed(ended.stdout)


def parsed(output: str) -> Rate:
    """What wrk printed. Raises `BenchError` where it tells of failures."""
    rate, p99, bad = _RATE.search(output), _P99.search(output), _BAD.search(output)
    if bad or rate is None or p99 is None:
        raise BenchError(f"wrk: {bad[1].strip() if bad else output.strip()[-300:] or 'no output'}")
    return Rate(float(rate[1]), float(p99[1]) * _MS[p99[2]])
