import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tempmail import setting_docs
from tempmail.cli import COMMANDS, Command, Needs, main
from tempmail.errors import ConfigError, NotFound, StoreUnavailable
from tempmail.settings import VARIABLES, Settings

Run = Callable[[argparse.Namespace, Settings], int]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"DATA_DIR": str(tmp_path / "data")}


def command(run: Run, needs: Needs = Needs.SETTINGS) -> tuple[Command, ...]:
    return (Command("probe", "do what the test says", run, needs=needs),)


def failing(exc: BaseException) -> tuple[Command, ...]:
    def run(_: argparse.Namespace, __: Settings) -> int:
        raise exc

    return command(run)


def process(*args: str, env: dict[str, str]) -> subprocess.Popen[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "tempmail", *args],
        env={**kept, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_config_shows_values_and_sources(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"], environ={**env, "MAX_RECIPIENTS": "9", "JWT_SECRET": "hush"}) == 0
    out, err = capsys.readouterr()
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    assert list(lines) == [row.name for row in VARIABLES]
    assert lines["MAX_RECIPIENTS"] == ["9", "environment"]
    assert lines["JWT_TOKEN"] == ["********", "environment", "(JWT_SECRET)"]
    assert "hush" not in out
    assert err == ""


def test_config_as_json(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--json"], environ={**env, "MAIL_DOMAIN": "邮箱.例子"}) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["notices"] == []
    assert made["variables"][0] == {
        "name": "MAIL_DOMAIN",
        "value": ["邮箱.例子"],
        "source": "environment",
        "secret": False,
    }


def test_config_docs_prints_the_documentation(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--docs"], environ=env) == 0
    assert capsys.readouterr().out == setting_docs.markdown()


def test_config_makes_no_file(env: dict[str, str], tmp_path: Path) -> None:
    assert main(["config"], environ=env) == 0
    assert list(tmp_path.iterdir()) == []


def test_notices_go_to_standard_error(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config"], environ={**env, "JWT_TOKEN": "你的超管令牌"}) == 0
    assert capsys.readouterr().err.startswith("tempmail: JWT_TOKEN: holds a placeholder")


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "after the command"])
def test_config_file_is_read_wherever_the_option_stands(
    env: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], before: bool
) -> None:
    path = tmp_path / "wrangler.toml"
    path.write_text('[vars]\nADMIN_NAME = "boss"\n')
    option = ["--config", str(path)]
    assert main([*option, "config"] if before else ["config", *option], environ=env) == 0
    assert "boss" in capsys.readouterr().out


def test_each_fault_is_one_line_and_the_exit_code_is_two(
    env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config"], environ={**env, "SMTP_BIND": "25\n", "LOG_LEVEL": "lo\nud"}) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(":")[:2] for line in err.splitlines()] == [
        ["tempmail", " SMTP_BIND"],
        ["tempmail", " LOG_LEVEL"],
    ]


def test_a_missing_config_file_is_a_fault(env: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--config", "/no/such.toml"], environ=env) == 2
    assert capsys.readouterr().err.startswith("tempmail: /no/such.toml: cannot be read")


@pytest.mark.parametrize(
    ("exc", "code", "err"),
    [
        (ConfigError(["one.", "two\nlines."]), 2, "tempmail: one.\ntempmail: two lines.\n"),
        (NotFound("No such mailbox."), 1, "tempmail: No such mailbox.\n"),
        (StoreUnavailable("The database is locked."), 1, "tempmail: The database is locked.\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_failing_command_ends_with_its_code_and_text(
    env: dict[str, str], capsys: pytest.CaptureFixture[str], exc: BaseException, code: int, err: str
) -> None:
    assert main(["probe"], environ=env, commands=failing(exc)) == code
    assert capsys.readouterr().err == err


def test_a_bug_is_not_hidden(env: dict[str, str]) -> None:
    with pytest.raises(ZeroDivisionError):
        main(["probe"], environ=env, commands=failing(ZeroDivisionError()))


def test_the_exit_code_is_what_the_command_returns(env: dict[str, str]) -> None:
    assert main(["probe"], environ=env, commands=command(lambda _, __: 7)) == 7


def test_a_command_that_needs_secrets_gets_those_newly_made_once(env: dict[str, str]) -> None:
    seen: list[tuple[set[str], str]] = []

    def run(args: argparse.Namespace, settings: Settings) -> int:
        seen.append((set(args.created_secrets), settings.jwt_token))
        return 0

    for _ in range(2):
        assert main(["probe"], environ=env, commands=command(run, Needs.SECRETS)) == 0
    assert [names for names, _ in seen] == [{"ADMIN_PASSWORD", "JWT_TOKEN"}, set()]
    assert len(seen[0][1]) == 64
    assert seen[0][1] == seen[1][1]


def test_a_command_that_needs_nothing_runs_in_a_faulty_environment() -> None:
    seen: list[int] = []

    def run(_: argparse.Namespace, settings: Settings) -> int:
        seen.append(settings.max_recipients)
        return 0

    environ = {"DATA_DIR": "a\0b", "MAX_RECIPIENTS": "5"}
    assert main(["probe"], environ=environ, commands=command(run, Needs.NOTHING)) == 0
    assert seen == [100]


@pytest.mark.parametrize("argv", [[], ["no-such-command"], ["config", "--jso"], ["config", "--json", "--docs"]])
def test_wrong_usage_is_exit_code_two(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv, environ={})
    assert caught.value.code == 2
    assert "usage: tempmail" in capsys.readouterr().err


def test_help_names_every_command_and_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"], environ={"SMTP_BIND": "faulty"})
    assert caught.value.code == 0
    out = capsys.readouterr().out
    for name in [command.name for command in COMMANDS] + [row.name for row in VARIABLES]:
        assert name in out


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([name, "--help"], environ={})
    assert caught.value.code == 0
    assert f"usage: tempmail {name}" in capsys.readouterr().out


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"], environ={})
    assert capsys.readouterr().out.startswith("tempmail 0.")


def test_the_module_runs_as_a_program(env: dict[str, str]) -> None:
    out, err = process("config", "--json", env=env).communicate(timeout=60)
    assert err == ""
    assert len(json.loads(out)["variables"]) == len(VARIABLES)


def test_a_reader_that_leaves_early_causes_no_traceback(env: dict[str, str]) -> None:
    running = process("config", env=env)
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.close()
    err = running.stderr.read()
    running.stderr.close()
    assert (running.wait(timeout=60), err) == (141, "")


def test_a_terminal_without_unicode_gets_escapes_and_no_crash(env: dict[str, str]) -> None:
    given = {**env, "MAIL_DOMAIN": "邮箱.例子", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    out, err = process("config", env=given).communicate(timeout=60)
    assert err == ""
    assert r"\u90ae\u7bb1.\u4f8b\u5b50" in out


def test_an_interrupt_is_exit_code_130_without_a_traceback(env: dict[str, str], tmp_path: Path) -> None:
    pipe = tmp_path / "wrangler.toml"
    os.mkfifo(pipe)
    running = process("config", "--config", str(pipe), env=env)
    # Opens as soon as the program waits in reading its file; then it is known to be inside main().
    with pipe.open("wb"):
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (130, "", "")
