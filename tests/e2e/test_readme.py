"""The README's session does what it says, to the letter, but for the ports and the folder."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.require import require
from tests.resend_stub import resend_stub
from tests.running import PATIENCE_S, TOKEN, running

README = Path(__file__).parents[2] / "README.md"


def shell_blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_session_of_sending_answers_as_printed(tmp_path: Path) -> None:
    require("curl", available=shutil.which("curl") is not None, why="it is not installed")
    session = next(block for block in shell_blocks() if "/api/send" in block)
    printed = re.findall(r"^# (\{.*\})$", session, re.MULTILINE)
    assert len(printed) == 3
    with (
        resend_stub() as url,
        running(
            tmp_path / "data", MAIL_DOMAIN="temp.example.com", RESEND_API_KEY="re_key", RESEND_API_URL=url
        ) as server,
    ):
        session = session.replace("127.0.0.1:8080", f"{server.http[0]}:{server.http[1]}")
        done = subprocess.run(
            ["bash", "-euc", session],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "TOKEN": TOKEN},
        )
    expected = "".join(".*".join(re.escape(part) for part in answer.split("…")) for answer in printed)
    assert re.fullmatch(expected, done.stdout), done.stdout


def test_the_session_of_the_sandbox_ends_with_the_code(tmp_path: Path) -> None:
    require("curl", available=shutil.which("curl") is not None, why="it is not installed")
    folder = tmp_path / "data"
    with running(folder, MAIL_DOMAIN="temp.example.com") as server:
        session = next(block for block in shell_blocks() if "sandbox add" in block)
        bound = f"{server.http[0]}:{server.http[1]}"
        done = subprocess.run(
            ["bash", "-euc", session.replace("127.0.0.1:8080", bound)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
            cwd=tmp_path,
            env={
                "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
                "TOKEN": TOKEN,
                "JWT_TOKEN": TOKEN,
                "DATA_DIR": str(server.folder),
                "MAIL_DOMAIN": "temp.example.com",
                "HTTP_BIND": bound,
            },
        )
    taken, listed = re.fullmatch(r"(\{.*?\})(\[.*\])\s*", done.stdout, re.DOTALL).groups()  # type: ignore[union-attr]
    assert list(json.loads(taken)) == ["id"]
    [mail] = json.loads(listed)
    assert (mail["sender"], mail["verification_code"]) == ("no-reply@shop.example", "739204")


def test_it_starts_with_the_two_commands() -> None:
    assert [line.split("#")[0].strip() for line in shell_blocks()[0].splitlines()] == ["make serve", "make test"]


def test_the_session_ends_with_the_code(tmp_path: Path) -> None:
    require("curl", available=shutil.which("curl") is not None, why="it is not installed")
    folder = tmp_path / "data"
    # Nothing configured but the domain's default and free ports: the token is the one made at the first start.
    with running(folder, MAIL_DOMAIN="temp.example.com", JWT_TOKEN="") as server:
        session = shell_blocks()[1]
        for written, real in (
            ("data/secrets.toml", str(next(tmp_path.rglob("secrets.toml")))),
            ("127.0.0.1:8080", f"{server.http[0]}:{server.http[1]}"),
            ('"127.0.0.1", 2525', f'"{server.smtp[0]}", {server.smtp[1]}'),
        ):
            assert written in session
            session = session.replace(written, real)
        done = subprocess.run(
            ["bash", "-euc", session], capture_output=True, text=True, timeout=PATIENCE_S, check=True, cwd=tmp_path
        )
    generated, listed = re.fullmatch(r"(\{.*?\})(\[.*\])\s*", done.stdout, re.DOTALL).groups()  # type: ignore[union-attr]
    assert json.loads(generated)["email"].endswith("@temp.example.com")
    [mail] = json.loads(listed)
    assert (mail["subject"], mail["verification_code"]) == ("Welcome to the shop", "482910")
