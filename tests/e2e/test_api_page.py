"""The walk through the API in docs/api.md does what it says, to the letter, but for the ports and the folder."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.require import require
from tests.running import PATIENCE_S, running

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

_ANSWER = re.compile(r"^# (?P<answer>[\[{].*)$", re.MULTILINE)


def test_every_command_answers_as_printed(tmp_path: Path) -> None:
    require("curl", available=shutil.which("curl") is not None, why="it is not installed")
    walk = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))
    printed = [match["answer"] for match in _ANSWER.finditer(walk)]
    # Nothing configured but the domain's default and free ports: the secrets are those made at the first start.
    with running(
        tmp_path / "data", MAIL_DOMAIN="temp.example.com", JWT_TOKEN="", ADMIN_PASSWORD="", SMTP_WORKERS=0
    ) as server:
        for written, real in (
            ("127.0.0.1:8080", f"{server.http[0]}:{server.http[1]}"),
            ('"127.0.0.1", 2525', f'"{server.smtp[0]}", {server.smtp[1]}'),
        ):
            assert walk.count(written) == 1
            walk = walk.replace(written, real)
        # What curl prints ends where the next command begins.
        walk = re.sub(r"^curl ", r"echo; curl ", walk, flags=re.MULTILINE)
        done = subprocess.run(
            ["bash", "-euc", walk], capture_output=True, text=True, timeout=PATIENCE_S, check=True, cwd=tmp_path
        )
    answers = [json.loads(line) for line in done.stdout.splitlines() if line[:1] in ("{", "[")]
    for pattern in printed:
        while not _fits(pattern, answers[0]):
            assert len(answers) > 1, f"no answer like {pattern}: {done.stdout}"
            answers.pop(0)
        answers.pop(0)


def _fits(pattern: str, answer: Any) -> bool:
    """Whether an answer is as printed, where `…` stands for anything."""
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("…")), text) is not None
