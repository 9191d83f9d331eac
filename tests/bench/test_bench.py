"""The arithmetic and the inputs of the benchmarks; the benchmarks themselves are run by `make bench`."""

import os
import sqlite3
from contextlib import closing
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tempmail import extract
from tempmail.adapters.sql.migrate import migrate
from tempmail.clock import FakeClock
from tests.bench import filled, filled_accounts, mails, processes, wrk
from tests.bench.lists import PAGE, QUICK_SIZES, SIZES
from tests.bench.report import Goal, Row, document, failed, percentile, skipped, table
from tests.bench.targets import BenchError


@pytest.mark.parametrize(
    ("goal", "value", "verdict"),
    [
        (Goal("min", 0.4, 0.6), 0.39, "MISSED"),
        (Goal("min", 0.4, 0.6), 0.4, "met"),
        (Goal("min", 0.4, 0.6), 0.6, "aim met"),
        (Goal("max", 1300, 700), 1301, "MISSED"),
        (Goal("max", 1300, 700), 1300, "met"),
        (Goal("max", 1300, 700), 700, "aim met"),
        (Goal("max", 150), 0, "met"),
        (None, 1e9, ""),
    ],
)
def test_verdict_is_inclusive_on_both_sides(goal: Goal | None, value: float, verdict: str) -> None:
    assert Row("a", value, "", goal).verdict == verdict


def test_percentile_is_the_nearest_rank() -> None:
    samples = [float(number) for number in range(100, 0, -1)]
    assert [percentile(samples, percent) for percent in (50, 99, 100)] == [50, 99, 100]
    assert percentile([7.0], 99) == 7


def test_table_and_document_tell_why_a_value_is_missing() -> None:
    rows = [Row("rate", 1234.5, "mails/s", Goal("min", 1000)), skipped("memory", "no tool"), failed("lists", "broke")]
    lines = table(rows).splitlines()
    assert "1 234" in lines[1]
    assert "≥ 1 000" in lines[1]
    assert lines[2].split() == ["memory", "skipped", "no", "tool"]
    assert lines[3].split() == ["lists", "FAILED", "broke"]
    entries = document({}, rows, {})["results"]
    assert isinstance(entries, list)
    assert [entry["result"] for entry in entries] == ["met", "skipped", "FAILED"]


def test_small_mail_is_5_kb_of_two_texts_with_15_headers_and_a_code() -> None:
    raw = mails.small("730164")
    parsed = message_from_bytes(raw, policy=policy.default)
    assert 5_000 <= len(raw) <= 5_120
    assert len(parsed.keys()) == 15
    assert [part.get_content_type() for part in parsed.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert extract(raw).code == "730164"


def test_newsletter_is_1_mb_of_html_without_a_code() -> None:
    raw = mails.newsletter()
    assert 1_000_000 <= len(raw) <= 1_001_000
    assert message_from_bytes(raw, policy=policy.default).get_content_type() == "text/html"
    assert extract(raw).code is None


@pytest.mark.parametrize("size_bytes", [100_000, 5_000_000])
def test_large_mail_is_one_attachment_of_nearly_the_size(size_bytes: int) -> None:
    raw = mails.large(size_bytes)
    parsed = message_from_bytes(raw, policy=policy.default)
    text, attachment = parsed.iter_parts()
    assert size_bytes - 80 < len(raw) <= size_bytes
    assert "730164" in text.get_content()
    assert len(attachment.get_content()) > size_bytes * 0.7


def test_content_on_the_wire_is_stuffed_and_ended() -> None:
    assert mails.stuffed(b".a\r\n.\r\nb\r\n") == b"..a\r\n..\r\nb\r\n.\r\n"


def test_filled_database_has_full_first_pages_and_one_large_mailbox(tmp_path: Path) -> None:
    path = tmp_path / "tempmail.db"
    migrate(path, FakeClock())
    filled.fill(path, 1_000)
    connection = sqlite3.connect(path)
    try:
        sizes = dict(
            connection.execute(
                "select address, count(*) from messages join mailboxes on mailboxes.id = mailbox_id group by address"
            ).fetchall()
        )
    finally:
        connection.close()
    assert sizes.pop(filled.LARGE) == 100
    assert sum(sizes.values()) == 900
    assert len(sizes) == filled.other_mailboxes(1_000)
    assert min(sizes.values()) >= PAGE


@pytest.mark.parametrize("messages", sorted({*SIZES, *QUICK_SIZES}))
def test_every_filled_mailbox_has_a_full_first_page(messages: int) -> None:
    assert (messages - messages // 10) // filled.other_mailboxes(messages) >= PAGE


def test_a_process_is_in_the_tree_of_its_parent() -> None:
    tree = processes.tree(os.getppid())
    assert tree[0] == os.getppid()
    assert os.getpid() in tree


def test_a_process_that_is_gone_counts_as_nothing() -> None:
    above_every_pid = 2**22 + 1
    assert processes.pss_bytes(above_every_pid) == processes.cpu_seconds(above_every_pid) == 0


def test_memory_of_a_process_is_read_in_bytes() -> None:
    pid = os.getpid()
    assert 1 << 20 < processes.pss_bytes(pid) <= processes.rss_bytes(pid) * 1.1
    assert processes.rss_bytes(pid) <= processes.peak_rss_bytes(pid) * 1.1


def test_filled_accounts_are_as_many_as_asked_for_and_one_user_owns_many(tmp_path: Path) -> None:
    path = tmp_path / "tempmail.db"
    migrate(path, FakeClock())
    filled.fill(path, 1_000)
    filled_accounts.fill(path, mailboxes=300, users=20, owned=200, audit_entries=50)
    with closing(sqlite3.connect(path)) as connection:
        [(mailboxes, domains, kinds)] = connection.execute(
            "select count(*), count(distinct domain), count(distinct flags) from mailboxes"
        )
        [(users, most)] = connection.execute("select count(*), max(mailbox_count) from users")
        [(owner,)] = connection.execute("select username from users order by mailbox_count desc limit 1")
    assert (mailboxes, domains, users, most) == (300, len(filled_accounts.DOMAINS), 20, 200)
    assert owner == filled_accounts.OWNER
    assert kinds >= 6


WRK = """Running 5s test @ http://127.0.0.1:8080/
  1 threads and 16 connections
  Latency Distribution
     50%  901.00us
     75%    1.12ms
     90%    2.40ms
     99%    {p99}
  5000 requests in 5.00s, 4.20MB read
{bad}Requests/sec:   1000.50
Transfer/sec:    860.11KB
"""


@pytest.mark.parametrize(("p99", "p99_ms"), [("950.00us", 0.95), ("12.40ms", 12.4), ("1.02s", 1020)])
def test_what_wrk_prints_is_read_in_milliseconds(p99: str, p99_ms: float) -> None:
    rate = wrk.parsed(WRK.format(p99=p99, bad=""))
    assert rate.requests_per_s == 1000.5
    assert rate.p99_ms == pytest.approx(p99_ms)


@pytest.mark.parametrize("bad", ["  Non-2xx or 3xx responses: 7\n", "  Socket errors: connect 0, read 1, write 0\n"])
def test_answers_that_fail_are_no_rate(bad: str) -> None:
    with pytest.raises(BenchError, match=bad.split(":")[0].strip()):
        wrk.parsed(WRK.format(p99="1.00ms", bad=bad))


def test_no_output_of_wrk_is_told() -> None:
    with pytest.raises(BenchError, match="no output"):
        wrk.parsed("")
