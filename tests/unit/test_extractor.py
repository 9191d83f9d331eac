"""The extractor: what it reads with and without rules, and how a change of the rules reaches it."""

import sqlite3
import subprocess
import sys
import threading
from asyncio import run
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tempmail
from tempmail.adapters.sql import SqlStore
from tempmail.clock import FakeClock
from tempmail.domain.extraction import VERSION
from tempmail.domain.rules import ExtractionRule, RuleDraft, extraction_version
from tempmail.errors import StoreUnavailable
from tempmail.ports import ExtractionRules
from tempmail.services.extraction import (
    MAX_SENDER_CHARS,
    MAX_SUBJECT_CHARS,
    NO_SUBJECT,
    OLDEST_CURRENT,
    RULES_S,
    Extractor,
    Finding,
)
from tests.builders import NOW, RAW, rule_draft

MAIL = b"From: Pay <pay@bank.example>\r\nTo: a@one.example\r\nSubject: Hi\r\n\r\nToday's pass word: tulip\r\n"


class NoRules:
    """Rules that nobody has."""

    async def version(self) -> int:
        return 0

    async def all(self) -> tuple[int, list[ExtractionRule]]:
        return 0, []

    async def add(self, draft: RuleDraft, *, now: str, limit: int) -> ExtractionRule:
        raise NotImplementedError

    async def change(self, rule_id: int, draft: RuleDraft, *, version: int, now: str) -> ExtractionRule | None:
        raise NotImplementedError

    async def remove(self, rule_id: int) -> bool:
        raise NotImplementedError


class LostRules(NoRules):
    async def version(self) -> int:
        raise StoreUnavailable("the database is unavailable")


def add(store: SqlStore, draft: RuleDraft) -> ExtractionRule:
    return run(store.rules.add(draft, now=NOW, limit=9))


def read(extractor: Extractor, raw: bytes = MAIL, *recipients: str) -> Finding:
    return run(extractor.read(raw, envelope_from="bounce@other.example", recipients=recipients))


@pytest.fixture
def extractor(store: SqlStore, clock: FakeClock) -> Extractor:
    return Extractor(store.rules, clock)


@given(st.binary(max_size=300))
def test_no_bytes_keep_a_mail_from_being_read(raw: bytes) -> None:
    finding = run(Extractor(NoRules(), FakeClock()).read(raw))
    assert finding.subject


def test_without_rules_a_mail_is_read_as_by_the_library(extractor: Extractor) -> None:
    finding = read(extractor, RAW)
    assert finding.extraction == tempmail.extract(RAW)
    assert finding.extraction.code == "482913"
    assert (finding.sender, finding.subject) == ("no-reply@shop.example", "Your code")
    assert finding.extraction_version == extractor.version == OLDEST_CURRENT
    stored = msgspec.json.decode(finding.extraction_json() or "")
    assert (stored["code"], stored["version"]) == ("482913", VERSION)


def test_what_shows_nothing_is_stored_as_nothing(extractor: Extractor) -> None:
    finding = read(extractor, b"\r\nhello\r\n")
    assert (finding.extraction_json(), finding.subject, finding.preview) == (None, NO_SUBJECT, "hello")


def test_a_rule_counts_from_the_next_refresh_on(store: SqlStore, extractor: Extractor) -> None:
    assert run(extractor.refresh()) is False
    assert read(extractor).extraction.code is None
    added = add(store, rule_draft())
    assert read(extractor).extraction.code is None

    assert run(extractor.refresh()) is True
    finding = read(extractor)
    assert finding.extraction.code == "tulip"
    assert finding.extraction.codes[0].rule == "rule 1 'Bank' v1"
    assert finding.extraction_version == extraction_version(VERSION, 1)

    run(store.rules.change(added.id, rule_draft(enabled=False), version=1, now=NOW))
    assert run(extractor.refresh()) is True
    assert read(extractor).extraction.code is None
    run(store.rules.remove(added.id))
    assert run(extractor.refresh()) is True
    assert run(extractor.refresh()) is False
    assert extractor.version == extraction_version(VERSION, 3)


def test_a_refresh_that_fails_leaves_the_rules_as_they_are(clock: FakeClock) -> None:
    extractor = Extractor(LostRules(), clock)
    with pytest.raises(StoreUnavailable):
        run(extractor.refresh())
    assert extractor.version == OLDEST_CURRENT


def test_a_stored_rule_that_cannot_be_used_does_not_stop_the_others(
    store: SqlStore, extractor: Extractor, database: Path
) -> None:
    add(store, rule_draft())
    broken = add(store, rule_draft(priority=9))
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("update extraction_rules set pattern = '(' where id = ?", (broken.id,))
    run(extractor.refresh())
    assert read(extractor).extraction.code == "tulip"


@pytest.mark.parametrize(
    ("draft", "applies"),
    [
        (rule_draft(sender="bank.example"), True),
        (rule_draft(sender="other.example"), False),
        (rule_draft(recipient_domain="two.example"), True),
        (rule_draft(recipient_domain="one.example"), False),
    ],
    ids=["from-header", "not-the-envelope", "envelope-recipient", "not-the-to-header"],
)
def test_rules_see_the_sender_of_the_header_and_the_recipients_of_the_envelope(
    store: SqlStore, extractor: Extractor, draft: RuleDraft, applies: bool
) -> None:
    add(store, draft)
    run(extractor.refresh())
    assert (read(extractor, MAIL, "B@two.example").extraction.code == "tulip") is applies


def test_without_an_envelope_the_header_stands_in(store: SqlStore, extractor: Extractor) -> None:
    add(store, rule_draft(recipient_domain="one.example"))
    run(extractor.refresh())
    assert run(extractor.read(MAIL)).extraction.code == "tulip"


def test_the_envelope_sender_stands_in_for_a_missing_one(store: SqlStore, extractor: Extractor) -> None:
    add(store, rule_draft(sender="bounce@other.example"))
    run(extractor.refresh())
    assert read(extractor, b"Subject: Hi\r\n\r\npass word: tulip\r\n").extraction.code == "tulip"


@pytest.mark.parametrize("html", ["<p>pass <b>word</b>: tulip</p>", "<p>pass</p>"])
def test_text_is_the_plain_text_then_what_a_page_shows(store: SqlStore, extractor: Extractor, html: str) -> None:
    add(store, rule_draft(field="text", pattern=r"(?s)^.*pass word: (?P<code>\w+)"))
    run(extractor.refresh())
    page = f"Subject: Hi\r\nContent-Type: text/html\r\n\r\n{html}\r\n"
    assert (read(extractor, page.encode()).extraction.code == "tulip") is ("tulip" in html)
    both = (
        'Subject: Hi\r\nContent-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\n\r\npass word: rose\r\n'
        f"--b\r\nContent-Type: text/html\r\n\r\n{html}\r\n--b--\r\n"
    )
    assert read(extractor, both.encode()).extraction.code == ("tulip" if "tulip" in html else "rose")


@pytest.mark.parametrize(("spent_s", "tried"), [(0.0, True), (RULES_S, False)])
def test_when_the_time_for_rules_is_over_the_mail_is_kept_as_found(
    store: SqlStore, spent_s: float, tried: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Passing(FakeClock):
        """Each look at it takes `spent_s`."""

        def monotonic(self) -> float:
            self.advance(spent_s)
            return super().monotonic()

    extractor = Extractor(store.rules, Passing())
    add(store, rule_draft())
    run(extractor.refresh())
    finding = read(extractor, MAIL)
    assert (finding.extraction.code == "tulip") is tried
    assert ("rules.late" in caplog.text) is not tried


@pytest.mark.parametrize(
    ("size_bytes", "sender", "in_thread"),
    [(199, None, False), (200, None, True), (199, "bank.example", True), (199, "shop.example", False)],
    ids=["small", "large", "small-with-a-rule", "small-with-a-rule-for-others"],
)
def test_large_mails_are_read_and_rules_search_in_a_thread(
    store: SqlStore, size_bytes: int, sender: str | None, in_thread: bool
) -> None:
    threads: list[int] = []

    class Witness(FakeClock):
        def monotonic(self) -> float:
            threads.append(threading.get_ident())
            return super().monotonic()

    extractor = Extractor(store.rules, Witness(), thread_bytes=200)
    if sender:
        add(store, rule_draft(sender=sender))
        run(extractor.refresh())
    raw = MAIL + b"." * (size_bytes - len(MAIL))

    async def count_threads() -> int:
        before = threading.active_count()
        await extractor.read(raw)
        return threading.active_count() - before

    assert (run(count_threads()) > 0) is in_thread
    assert all(thread != threading.get_ident() for thread in threads)


def test_without_rules_the_pattern_engine_is_not_loaded() -> None:
    code = "import sys, tempmail.services.ingest, tempmail.services.extraction; print('re2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_fault_in_a_search_costs_the_rules_and_not_the_mail(
    store: SqlStore, extractor: Extractor, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(store, rule_draft())
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("update extraction_rules set field = 'nowhere'")
    run(extractor.refresh())
    assert read(extractor, RAW).extraction.code == "482913"
    assert "rules.failed" in caplog.text


def test_the_fakes_here_are_what_the_port_asks_for() -> None:
    sources: list[ExtractionRules] = [NoRules(), LostRules()]
    assert [run(source.all()) for source in sources] == [(0, [])] * 2


@pytest.mark.parametrize("extra", [0, 1, 100_000])
def test_subject_and_sender_are_kept_up_to_a_bounded_length(extra: int) -> None:
    subject = "s" * (MAX_SUBJECT_CHARS + extra)
    sender = f"{'a' * (MAX_SENDER_CHARS + extra - len('@b.example'))}@b.example"

    found = run(Extractor(NoRules(), FakeClock()).read(f"From: {sender}\r\nSubject: {subject}\r\n\r\n".encode()))

    assert found.subject == subject[:MAX_SUBJECT_CHARS]
    assert found.sender == sender[:MAX_SENDER_CHARS]
