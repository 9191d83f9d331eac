"""`tempmail sandbox` on a real data directory."""

import json
from pathlib import Path
from typing import Any

import pytest

from tempmail.cli import main


class Shell:
    """Runs commands against one data directory."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._env = {
            "DATA_DIR": str(folder),
            "MAIL_DOMAIN": "temp.example",
            "HTTP_BIND": "127.0.0.1:9999",
            "PASSWORD_TIME_COST": "1",
            "PASSWORD_MEMORY_KIB": "8",
        }
        self._capsys = capsys

    def run(self, *argv: str) -> tuple[int, str, str]:
        code = main(("sandbox", *argv), environ=self._env)
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def __call__(self, *argv: str) -> str:
        code, out, err = self.run(*argv)
        assert code == 0, err
        return out

    def rows(self, *argv: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*argv, "--json").splitlines()]


@pytest.fixture
def sandbox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "data", capsys)


def test_a_credential_is_printed_as_the_settings_of_an_app(sandbox: Shell) -> None:
    code, out, err = sandbox.run("add", "resend", "--value", "key=re_123456789", "--mailbox", "all@temp.example")

    assert code == 0
    assert out.splitlines()[:2] == [
        "RESEND_API_KEY=re_123456789",
        "RESEND_API_URL=http://127.0.0.1:9999/sandbox/resend    # resend for Python, before it is imported",
    ]
    assert err == "tempmail: credential 1; mail for outside addresses goes to all@temp.example\n"


def test_the_url_of_a_proxy_can_be_named(sandbox: Shell) -> None:
    [made] = sandbox.rows("add", "resend", "--url", "https://mail.example.com/")
    assert made["base_url"] == "https://mail.example.com/sandbox/resend"


def test_credentials_are_listed_changed_and_removed(sandbox: Shell) -> None:
    [made] = sandbox.rows(
        "add", "resend", "--name", "shop", "--switch", "rate_per_s=5", "--switch", "sending_only=true"
    )
    sandbox("add", "resend")
    assert sandbox("set", "resend", "1", "--switch", "fault=429", "--webhook", "http://127.0.0.1:3000/").startswith(
        "RESEND_WEBHOOK_SECRET=whsec_"
    )

    first, second = sandbox.rows("list")

    assert (first["id"], first["name"], first["mailbox"]) == (1, "shop", made["mailbox"])
    assert {name: first["switches"][name] for name in ("rate_per_s", "sending_only", "fault")} == {
        "rate_per_s": 5,
        "sending_only": True,
        "fault": "429",
    }
    assert first["webhook_url"] == "http://127.0.0.1:3000/"
    assert made["values"]["key"] not in json.dumps([first, second])
    sandbox("remove", "resend", "1")
    assert sandbox("list", "resend").splitlines() == [f"2\tresend\t-\t{second['mailbox']}\t-"]


@pytest.mark.parametrize(
    "argv",
    [
        ("add", "resend", "--switch", "rate_per_s=many"),
        ("add", "resend", "--switch", "rate_per_s"),
        ("add", "resend", "--switch", "nothing=1"),
        ("add", "resend", "--value", "key=short"),
        ("add", "resend", "--webhook", "nowhere"),
        ("set", "resend", "7", "--switch", "fault=429"),
        ("set", "resend", "7"),
        ("remove", "resend", "7"),
    ],
)
def test_what_cannot_be_is_one_line_on_standard_error(sandbox: Shell, argv: tuple[str, ...]) -> None:
    code, out, err = sandbox.run(*argv)
    assert (code, out) == (1, "")
    assert err.startswith("tempmail: ")
    assert err.count("\n") == 1
