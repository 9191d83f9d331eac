"""`tempmail outbox` on a real data directory."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tempmail.adapters.sql import SqlStore
from tempmail.cli import main
from tempmail.domain.outbound import State
from tempmail.ports.outbound import NewOutbound, Pause, Settled
from tests.outbound_builders import new_outbound, request, sent_record
from tests.stores import use_store

T = TypeVar("T")

LATER = "2999-01-01 00:00:00"
THEN = "2999-01-01 00:01:00"


class Shell:
    """Runs commands against one data directory, and puts mails into its outbox."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._env = {"DATA_DIR": str(folder), "SENDFLARE_API_KEY": "shop.example=hush-hush"}
        self._database = folder / "tempmail.db"
        self._capsys = capsys

    def __call__(self, *argv: str) -> str:
        """The standard output of a command that works."""
        code, out, err = self.run(*argv)
        assert code == 0, err
        return out

    def refusal(self, *argv: str) -> str:
        """The one line on standard error of a command that is refused."""
        code, out, err = self.run(*argv)
        assert (code, out, err.count("\n")) == (1, "", 1)
        return err.removeprefix("tempmail: ").strip()

    def run(self, *argv: str) -> tuple[int, str, str]:
        code = main(("outbox", *argv), environ=self._env)
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def use(self, work: Callable[[SqlStore], Awaitable[T]]) -> T:
        return use_store(self._database, work)

    def waiting(self) -> NewOutbound:
        """A mail for later."""
        mail = new_outbound(scheduled_at=LATER, deadline="2999-01-02 00:00:00")
        self.use(lambda store: store.outbox.add([mail], [sent_record(mail)]))
        return mail

    def tried(self, state: State) -> NewOutbound:
        """A mail whose one call ended in `state`."""
        mail = self.waiting()

        async def send(store: SqlStore) -> None:
            claimed = await store.outbox.claim(now=LATER, until=THEN, limit=10, max_bytes=1 << 20)
            detail = next(each for each in claimed if each.mail.uuid == mail.uuid)
            [call] = await store.outbox.begin(
                detail.mail.id,
                detail.mail.turn,
                "sendflare",
                "shop.example",
                [(mail.uuid, request())],
                until=THEN,
                now=LATER,
            )
            await store.outbox.settle(
                Settled(call.id, call.attempts, detail.mail.turn, state, LATER, None, error="no answer")
            )

        self.use(send)
        return mail

    def shown(self, mail: NewOutbound) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("show", "--json", mail.uuid))
        return found


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, capsys)
    shell("list")
    return shell


def test_mails_are_listed_newest_first_in_columns_or_as_json(shell: Shell) -> None:
    first, second = shell.waiting(), shell.tried(State.UNKNOWN)
    lines = [line.split("\t") for line in shell("list").splitlines()]
    assert [(line[1], line[3]) for line in lines] == [(second.uuid, "unknown"), (first.uuid, "scheduled")]
    rows = [json.loads(line) for line in shell("list", "--json", "--state", "unknown").splitlines()]
    assert [(row["uuid"], row["error"], row["provider"]) for row in rows] == [(second.uuid, "no answer", "sendflare")]
    assert shell("list", "--kind", "forward") == ""
    assert len(shell("list", "--limit", "1").splitlines()) == 1
    assert shell("list", "--before", lines[1][0]) == ""


def test_one_mail_is_shown_with_its_recipients_and_calls(shell: Shell) -> None:
    mail = shell.tried(State.UNKNOWN)
    text = shell("show", mail.uuid)
    assert "state\tunknown\n" in text
    assert "recipient\tto\tyou@else.example\tunknown" in text
    assert "call\tsendflare\tshop.example\tunknown\t1" in text
    assert shell.shown(mail)["calls"][0]["recipients"] == "you@else.example"


def test_what_is_unknown_is_sent_again_or_settled(shell: Shell) -> None:
    for verb, state in (
        (("retry",), "queued"),
        (("resolve", "accepted"), "accepted"),
        (("resolve", "failed"), "failed"),
    ):
        mail = shell.tried(State.UNKNOWN)
        shell(verb[0], mail.uuid, *verb[1:])
        assert shell.shown(mail)["state"] == state


def test_what_waits_is_taken_back(shell: Shell) -> None:
    mail = shell.waiting()
    shell("cancel", mail.uuid)
    assert shell.shown(mail)["state"] == "canceled"


def test_what_cannot_be_done_is_refused_in_a_line(shell: Shell) -> None:
    mail = shell.tried(State.ACCEPTED)
    assert shell.refusal("retry", mail.uuid) == "nothing of this mail failed or is unknown: it is accepted"
    assert shell.refusal("cancel", mail.uuid) == "this mail waits no more: it is accepted"
    assert shell.refusal("resolve", mail.uuid, "failed") == "nothing of this mail is unknown: it is accepted"
    assert shell.refusal("show", "nothing") == "no such mail in the outbox"
    assert shell.refusal("list", "--state", "gone").startswith("state: one of queued, ")
    assert shell.refusal("unpause", "resend", "default") == "no such account is paused"


def test_wrong_usage_is_exit_code_2(shell: Shell) -> None:
    with pytest.raises(SystemExit) as stopped:
        shell("resolve", "1", "delivered")
    assert stopped.value.code == 2


def test_accounts_are_listed_without_their_keys(shell: Shell) -> None:
    shell.use(lambda store: store.outbox.pause(Pause("sendflare", "shop.example", THEN, "quota used up")))
    text = shell("providers")
    assert text == f"sendflare\tshop.example\tshop.example\tpaused until {THEN}: quota used up\n"
    usage = json.loads(shell("providers", "--usage", "--json"))
    assert usage["usage_error"] == "SendFlare 渠道暂不支持此操作"
    assert shell("providers", "--usage").endswith("\tSendFlare cannot do this\n")
    assert "hush" not in text + str(usage)
    shell("unpause", "sendflare", "shop.example")
    assert shell("providers") == "sendflare\tshop.example\tshop.example\t-\n"


def test_every_change_is_in_the_audit_log(shell: Shell) -> None:
    mail = shell.waiting()
    shell("cancel", mail.uuid)
    shell.refusal("retry", mail.uuid)
    entries = shell.use(lambda store: store.audit.page(limit=10, before_id=None, actor=None, action=None))
    assert [(entry.actor, entry.action, entry.target, entry.status) for entry in entries] == [
        ("cli", "outbox.manage", mail.uuid, 400),
        ("cli", "outbox.manage", mail.uuid, 200),
    ]
