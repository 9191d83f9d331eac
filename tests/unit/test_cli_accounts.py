"""`tempmail user`, `mailbox` and `token` on a real data directory."""

import io
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tempmail.adapters.sql import SqlStore
from tempmail.cli import main
from tempmail.domain.passwords import Scheme, scheme_of
from tempmail.domain.tokens import hash_of
from tests.builders import incoming
from tests.stores import use_store

T = TypeVar("T")


class Shell:
    """Runs commands against one data directory."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._env = {"DATA_DIR": str(folder), "PASSWORD_TIME_COST": "1", "PASSWORD_MEMORY_KIB": "8"}
        self._database = folder / "tempmail.db"
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *argv: str, stdin: str = "") -> str:
        """The standard output of a command that works."""
        code, out, err = self.run(*argv, stdin=stdin)
        assert code == 0, err
        return out

    def refusal(self, *argv: str, stdin: str = "") -> str:
        """The one line on standard error of a command that is refused."""
        code, out, err = self.run(*argv, stdin=stdin)
        assert (code, out) == (1, "")
        assert err.startswith("tempmail: ")
        assert err.count("\n") == 1
        assert err.isascii()
        return err.removeprefix("tempmail: ").strip()

    def run(self, *argv: str, stdin: str = "") -> tuple[int, str, str]:
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = main(argv, environ=self._env)
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def rows(self, *argv: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*argv, "--json").splitlines()]

    def use(self, work: Callable[[SqlStore], Awaitable[T]]) -> T:
        return use_store(self._database, work)


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path / "data", capsys, monkeypatch)


def test_a_user_is_added_changed_and_deleted(shell: Shell) -> None:
    shell("user", "add", "Ann", "--limit", "3", "--password-stdin", stdin="secret-1\n")
    shell("user", "add", "bob", "--admin", "--can-send")
    shell("user", "set", "ann", "--rename", "anna", "--role", "admin", "--limit", "5", "--can-send", "yes")

    users = shell.rows("user", "list")
    assert [(u["username"], u["role"], u["mailbox_limit"], u["can_send"]) for u in users] == [
        ("anna", "admin", 5, 1),
        ("bob", "admin", 10, 1),
    ]
    shell("user", "delete", "anna")
    assert shell("user", "list") == f"{users[1]['id']}\tbob\tadmin\t0\t10\t1\n"


def test_a_password_comes_from_standard_input_and_is_stored_as_a_hash(shell: Shell) -> None:
    shell("user", "add", "ann", "--password-stdin", stdin="  secret-1  \n")
    ann = shell.use(lambda store: store.users.find("ann"))
    assert ann is not None
    assert ann.password_hash is not None
    assert scheme_of(ann.password_hash) is Scheme.ARGON2ID

    shell("user", "set", "ann", "--password-stdin", stdin="secret-2\n")

    changed = shell.use(lambda store: store.users.find("ann"))
    assert changed is not None
    assert changed.password_hash != ann.password_hash
    assert changed.session_epoch > ann.session_epoch


def typing(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Let a terminal give these answers, and then nothing more."""
    given = iter(answers)

    def ask(prompt: str) -> str:
        try:
            return next(given)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("getpass.getpass", ask)


def test_a_password_is_typed_twice(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    typing(monkeypatch, "secret-1", "secret-1")

    shell("user", "add", "ann", "--password")

    ann = shell.use(lambda store: store.users.find("ann"))
    assert ann is not None
    assert ann.password_hash


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (("secret-1", "secret-2"), "the two passwords differ"),
        (("secret-1",), "no password was typed; --password-stdin reads it from a pipe"),
        ((), "no password was typed; --password-stdin reads it from a pipe"),
        ((" ", ""), "the password is empty"),
    ],
)
def test_what_is_typed_badly_makes_no_user(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, answers: tuple[str, ...], why: str
) -> None:
    typing(monkeypatch, *answers)

    assert shell.refusal("user", "add", "ann", "--password") == why
    assert shell.rows("user", "list") == []


def test_a_user_without_a_password_is_announced(shell: Shell) -> None:
    code, _, err = shell.run("user", "add", "ann")

    assert code == 0
    assert "cannot log in" in err


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("user", "add", "ann"), "not created: that name is taken"),
        (("user", "add", ""), "not created: the name is empty"),
        (("user", "set", "nobody", "--limit", "1"), "there is no user nobody"),
        (("user", "set", "ann"), "nothing to change: see tempmail user set --help"),
        (("user", "delete", "nobody"), "there is no user nobody"),
        (("user", "assign", "nobody", "a@b.example"), "a@b.example: not assigned: there is no such user"),
        (("user", "assign", "ann", "x"), "x: not assigned: that is not an address"),
        (("user", "unassign", "ann", "a@b.example"), "a@b.example: not unassigned: there is no such mailbox"),
        (("mailbox", "add", "x@nowhere.example"), "x@nowhere.example: its domain must be one of temp.example.com"),
        (("mailbox", "delete", "x@temp.example.com"), "there is no such mailbox"),
        (("mailbox", "login", "x@temp.example.com", "allow"), "there is no such mailbox"),
        (("mailbox", "password", "x@temp.example.com"), "say one of --password, --password-stdin and --reset"),
        (("mailbox", "password", "x@temp.example.com", "--reset"), "there is no such mailbox"),
        (("token", "revoke", "7"), "no such token"),
        (("token", "add", "ci", "--user", "nobody", "--action", "*"), "there is no user nobody"),
    ],
)
def test_a_refusal_is_one_line_in_english(shell: Shell, argv: tuple[str, ...], why: str) -> None:
    shell("user", "add", "ann")

    assert shell.refusal(*argv) == why


def test_an_empty_password_is_refused(shell: Shell) -> None:
    assert shell.refusal("user", "add", "ann", "--password-stdin", stdin="\n") == "the password is empty"
    assert shell.rows("user", "list") == []


def test_mailboxes_are_linked_to_users_up_to_their_limit(shell: Shell) -> None:
    shell("user", "add", "ann", "--limit", "2")
    shell("user", "assign", "ann", "one@temp.example.com")
    random = shell("mailbox", "add", "--owner", "ann").strip()

    refused = shell.refusal("mailbox", "add", "three@temp.example.com", "--owner", "ann")

    assert refused == "the user has as many mailboxes as it may have"
    assert {row["address"] for row in shell.rows("mailbox", "list")} == {"one@temp.example.com", random}
    shell("user", "unassign", "ann", "one@temp.example.com")
    assert shell.rows("user", "list")[0]["mailbox_count"] == 1


def test_mailboxes_are_listed_by_search_domain_and_number(shell: Shell) -> None:
    for n in range(3):
        shell("mailbox", "add", f"box-{n}@temp.example.com")

    assert [r["address"] for r in shell.rows("mailbox", "list", "--search", "BOX-1")] == ["box-1@temp.example.com"]
    assert [r["address"][:5] for r in shell.rows("mailbox", "list", "--limit", "2")] == ["box-2", "box-1"]
    assert shell.rows("mailbox", "list", "--domain", "other.example") == []


def test_a_mailbox_goes_with_its_mail(shell: Shell) -> None:
    shell("mailbox", "add", "box@temp.example.com")
    [stored] = shell.use(lambda store: store.mail.add([incoming("box@temp.example.com")]))

    shell("mailbox", "delete", "BOX@temp.example.com")

    assert shell.use(lambda store: store.mail.get(stored.message_ids[0])) is None


def test_a_mailbox_gets_a_login_and_a_password_and_loses_them(shell: Shell) -> None:
    shell("mailbox", "add", "box@temp.example.com")
    shell("mailbox", "login", "box@temp.example.com", "allow")
    shell("mailbox", "password", "box@temp.example.com", "--password-stdin", stdin="secret-1\n")
    login = shell.use(lambda store: store.mailbox_logins.find("box@temp.example.com"))
    assert login is not None
    assert login.can_login
    assert login.password_hash

    shell("mailbox", "password", "box@temp.example.com", "--reset")
    shell("mailbox", "login", "box@temp.example.com", "deny")

    login = shell.use(lambda store: store.mailbox_logins.find("box@temp.example.com"))
    assert login is not None
    assert not login.can_login
    assert not login.password_hash


def test_a_token_is_printed_once_and_stored_as_a_hash(shell: Shell) -> None:
    shell("user", "add", "ann")
    secret = shell(
        "token", "add", "ci", "--user", "ann", "--action", "mail.*", "--mailbox", "qa-*@temp.example.com", "--days", "3"
    ).strip()

    [listed] = shell.rows("token", "list")
    assert (listed["name"], listed["actions"], listed["mailboxes"]) == ("ci", ["mail.*"], ["qa-*@temp.example.com"])
    assert secret not in json.dumps(listed)
    found = shell.use(lambda store: store.tokens.find(hash_of(secret)))
    assert found is not None
    assert found[1].username == "ann"

    shell("token", "revoke", str(listed["id"]))
    assert shell.rows("token", "list") == []


def test_each_change_is_in_the_audit_log_as_done_by_the_command_line(shell: Shell) -> None:
    shell("user", "add", "ann")
    shell.refusal("user", "add", "ann")

    entries = shell.use(lambda store: store.audit.page(limit=9))

    assert [(e.actor, e.action, e.target, e.status) for e in entries] == [
        ("cli", "user.create", "ann", 400),
        ("cli", "user.create", "ann", 200),
    ]
