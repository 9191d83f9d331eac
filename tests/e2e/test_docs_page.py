"""/docs in a real browser: it shows every operation, and every command that it shows does what it says."""

import html
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.example_names import real_names
from tests.e2e.filled_api import API_DOMAIN, FilledApi, filled_api
from tests.require import require
from tests.running import PATIENCE_S

_ARTICLE = re.compile(r'<article id="(\w+)">(.*?)</article>', re.DOTALL)
_COMMAND = re.compile(r'<pre[^>]*class="command"[^>]*>(.*?)</pre>', re.DOTALL)
_MAIL = b"From: shop@shop.example\r\nSubject: Hello\r\n\r\nYour verification code is 482913.\r\n"

# What takes away what others need comes last, in this order.
_LAST = ("delete_sent", "delete_mail", "clear_mail", "revoke_token", "delete_user", "delete_mailbox", "logout")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[FilledApi]:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    require("chromium", available=browser is not None, why="it is not installed")
    require("curl", available=shutil.which("curl") is not None, why="it is not installed")
    with filled_api(tmp_path / "data") as running:
        yield running


def shown(api: FilledApi) -> dict[str, str]:
    """The commands of the page as the browser shows it, by operation."""
    done = subprocess.run(
        [
            *(shutil.which("chromium") or "google-chrome", "--headless=new", "--no-sandbox", "--disable-gpu"),
            *("--virtual-time-budget=10000", "--dump-dom", f"{api.server.url}/docs"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return {name: html.unescape(_COMMAND.findall(text)[0]) for name, text in _ARTICLE.findall(done.stdout)}


def test_every_command_of_the_page_succeeds_as_printed(api: FilledApi, tmp_path: Path) -> None:
    commands = shown(api)
    with api.server.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
    assert commands.keys() == {operation["operationId"] for item in paths.values() for operation in item.values()}

    (tmp_path / "mail.eml").write_bytes(_MAIL)
    token = ""

    def run(command: str) -> str:
        """The answer's status and body."""
        done = subprocess.run(
            ["bash", "-euc", f"{command} -s -w ' %{{http_code}}'"],
            cwd=tmp_path,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "TOKEN": token},
            capture_output=True,
            timeout=PATIENCE_S,
            check=True,
        )
        body, _, status = done.stdout.decode("utf-8", "replace").rpartition(" ")
        assert status == "200", f"{command}\n{status} {body}"
        return body

    run(commands.pop("login"))
    # The token of the page's example, but for all actions and mailboxes.
    every = (
        commands["create_token"].replace('["mail.*","mailbox.create"]', '["*"]').replace('["qa-*@example.com"]', "[]")
    )
    [token] = re.findall(r'"token":"(tm_[\w-]+)"', run(every))

    own_password = commands.pop("change_own_password")
    last = [commands.pop(name) for name in _LAST]
    commands.pop("resend_hook")  # only Resend can sign
    for name, command in commands.items():
        for example, real in real_names(api.server, token, name).items():
            command = command.replace(example, real)
        run(command)

    # The mailbox's password is its address now, and it may log in.
    address = f"test@{API_DOMAIN}"
    account = f"""-d '{{"username": "{address}", "password": "{address}"}}'"""
    run(f"curl {api.server.url}/api/login -c mailbox.txt -H 'Content-Type: application/json' {account}")
    run(own_password.replace("cookies.txt", "mailbox.txt"))
    for command in last:
        run(command)
