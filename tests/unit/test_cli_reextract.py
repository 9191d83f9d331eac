"""`tempmail reextract` on a real data directory."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tempmail.adapters.sql import SqlStore
from tempmail.cli import main
from tempmail.services.extraction import OLDEST_CURRENT
from tests.builders import NOW, RAW, incoming, rule_draft
from tests.stores import use_store

T = TypeVar("T")


class Installation:
    """A data directory with a store, as a server that is not running leaves it."""

    def __init__(self, folder: Path) -> None:
        self.env = {"DATA_DIR": str(folder)}
        self._database = folder / "tempmail.db"
        folder.mkdir()

    def use(self, work: Callable[[SqlStore], Awaitable[T]]) -> T:
        return use_store(self._database, work)

    def add(self, count: int, *, version: int, code: str | None = None) -> list[int]:
        mails = [incoming(extraction_version=version, verification_code=code, body=RAW) for _ in range(count)]
        stored = self.use(lambda store: store.mail.add(mails))
        return [id_ for mail in stored for id_ in mail.message_ids]

    def codes(self, ids: list[int]) -> list[str | None]:
        return [row.verification_code for row in self.use(lambda store: store.mail.get_many(ids))]


@pytest.fixture
def installed(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


def reextract(installed: Installation, capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(["reextract", *args], environ=installed.env) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_old_mail_is_read_again_and_counted(installed: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    old, current = installed.add(45, version=0), installed.add(1, version=OLDEST_CURRENT)
    out = reextract(installed, capsys, "--json")
    assert json.loads(out) == {"messages": 45, "changed": 45, "gone": 0}
    assert installed.codes(old) == ["482913"] * 45
    assert installed.codes(current) == [None]
    assert reextract(installed, capsys) == (
        "0 messages read again, 0 mails have another code, 0 have no body any more\n"
    )


def test_a_change_of_rules_reaches_stored_mail(installed: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    ids = installed.add(3, version=OLDEST_CURRENT)
    installed.use(lambda store: store.rules.add(rule_draft(pattern=r"Your (?P<code>\w+)"), now=NOW, limit=9))
    assert json.loads(reextract(installed, capsys, "--json"))["changed"] == 3
    assert installed.codes(ids) == ["code"] * 3


def test_with_all_even_what_is_up_to_date_is_read_again(
    installed: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = installed.add(3, version=OLDEST_CURRENT, code="wrong")
    assert json.loads(reextract(installed, capsys, "--json"))["messages"] == 0
    assert json.loads(reextract(installed, capsys, "--all", "--json")) == {"messages": 3, "changed": 3, "gone": 0}
    assert installed.codes(ids) == ["482913"] * 3


def test_mail_without_a_body_is_counted_and_keeps_its_code(
    installed: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = installed.add(1, version=0, code="kept")

    async def lose(store: SqlStore) -> None:
        [entry] = await store.spool.claim(now="9999", until="9999", limit=1, max_bytes=1)
        await store.spool.finish([entry.object_key], now="9999")

    installed.use(lose)
    assert json.loads(reextract(installed, capsys, "--json")) == {"messages": 1, "changed": 0, "gone": 1}
    assert installed.codes(ids) == ["kept"]
