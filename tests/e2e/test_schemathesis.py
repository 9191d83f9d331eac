"""Every answer of a running server is as its OpenAPI document says, whoever asks and whatever is asked: no failure of
the server, no undeclared status, media type, header or field.

The calls are made up by schemathesis from the document; `schemathesis.toml` says which of its checks are off, and why.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.filled_api import FilledApi, filled_api

CALLERS = ("anonymous", "user", "mailbox", "admin", "strictAdmin", "guest")
ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")

# A logout would end the session of the run, and logins are throttled: both are called without a session only.
ENDS_THE_RUN = "^/api/log(in|out)$"
TIMEOUT_S = 600


@pytest.mark.parametrize("caller", CALLERS)
def test_a_hundred_calls_are_answered_as_documented(caller: str, tmp_path: Path) -> None:
    with filled_api(tmp_path / "data") as api:
        report = calls(api, caller, tmp_path, "--phases=examples,fuzzing", "--max-examples=1")
    assert report["test_cases"]["generated"] >= 100


@pytest.mark.soak
@pytest.mark.parametrize("caller", CALLERS)
def test_thousands_of_calls_are_answered_as_documented(caller: str, tmp_path: Path) -> None:
    with filled_api(tmp_path / "data") as api:
        report = calls(api, caller, tmp_path, "--phases=examples,coverage,fuzzing,stateful", "--max-examples=40")
    assert report["test_cases"]["generated"] >= 2000


def calls(api: FilledApi, caller: str, folder: Path, *options: str) -> dict[str, Any]:
    """Let schemathesis call the server as `caller`, from a fixed seed. Its report, which tells of no failure and no
    error; nor do the server's own numbers tell of one."""
    headers = [f"--header={name}: {value}" for name, value in api.callers[caller].items()]
    excluded = [] if caller == "anonymous" else [f"--exclude-path-regex={ENDS_THE_RUN}"]
    told = folder / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIG}"),
            *("run", f"{api.server.url}/openapi.json", "--seed=1", "--no-color", f"--report-json-path={told}"),
            *(*headers, *excluded, *options),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(told.read_text("utf-8"))
    assert (report["failures"], report["errors"]) == ([], [])
    numbers = api.server.metrics()
    answers = {kind: numbers[f'tempmail_http_requests_total{{status="{kind}"}}'] for kind in ("2xx", "4xx", "5xx")}
    assert answers["5xx"] == 0
    print(f"{caller}: {report['test_cases']['generated']} calls; all answers: {answers}")
    return report
