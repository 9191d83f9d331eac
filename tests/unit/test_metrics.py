"""Metrics: one table, shared by all processes, readable by Prometheus."""

import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tempmail.domain.outbound import State
from tempmail.domain.routing import LABELS
from tempmail.metrics import METRICS, OUTBOX_PROVIDERS, OUTBOX_STATES, SECONDS, Board

FORK = """
import os
from tempmail.metrics import Board

board = Board(3)
for slot in (0, 1):
    child = os.fork()
    if not child:
        board.slot(slot).add("commits_total", 20 + slot)
        os._exit(0)
    os.waitpid(child, 0)
child = os.fork()
if not child:
    board.slot(0).add("commits_total")  # the successor of a process that died
    os._exit(0)
os.waitpid(child, 0)
print(board.total("commits_total"))
"""


def samples(board: Board) -> dict[str, float]:
    """Every sample of the rendered page, as `name{label="value"}`."""
    found = {}
    for family in text_string_to_metric_families(board.render().decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_a_metric_is_the_sum_over_all_processes() -> None:
    board = Board(2)
    board.slot(0).add("smtp_bytes_total", 100)
    board.slot(1).add("smtp_bytes_total", 23)
    board.slot(0).set("smtp_sessions", 5)
    board.slot(1).set("smtp_sessions", 2)
    board.slot(0).set("smtp_sessions", 4)
    board.slot(1).add("smtp_sessions", -1)
    page = samples(board)
    assert (page["tempmail_smtp_bytes_total"], page["tempmail_smtp_sessions"]) == (123, 5)


def test_each_value_of_a_label_counts_by_itself() -> None:
    board = Board(1)
    board.slot(0).add("smtp_mails_total", label="stored")
    board.slot(0).add("smtp_mails_total", 2, label="refused")
    page = samples(board)
    assert [
        page[f'tempmail_smtp_mails_total{{result="{result}"}}'] for result in ("stored", "deferred", "refused")
    ] == [
        1,
        0,
        2,
    ]


def test_a_histogram_counts_cumulatively_and_a_bound_belongs_to_its_bucket() -> None:
    board = Board(2)
    for slot, seconds in ((0, 0.0), (0, 0.001), (1, 0.0011), (1, 10.0), (0, 99.0)):
        board.slot(slot).observe("ingest_seconds", seconds)
    page = samples(board)
    counts = {
        bound: page[f'tempmail_ingest_seconds_bucket{{le="{bound}"}}']
        for bound in ("0.001", "0.002", "5.0", "10.0", "+Inf")
    }
    assert counts == {"0.001": 2, "0.002": 3, "5.0": 3, "10.0": 4, "+Inf": 5}
    assert page["tempmail_ingest_seconds_count"] == 5
    assert page["tempmail_ingest_seconds_sum"] == pytest.approx(109.0021)


def test_every_declared_metric_is_on_the_page_before_anything_happened() -> None:
    families = {family.name for family in text_string_to_metric_families(Board(1).render().decode())}
    assert families == {f"tempmail_{metric.name}".removesuffix("_total") for metric in METRICS}
    assert set(samples(Board(1)).values()) == {0.0}


def test_metrics_do_not_overlap() -> None:
    """Each number is written alone, and only its own samples move."""
    for metric in METRICS:
        for value in metric.values:
            board = Board(2)
            if metric.kind == "histogram":
                board.slot(1).observe(metric.name, SECONDS[-1] + 1)
            else:
                board.slot(1).add(metric.name, label=value)
            moved = {name.partition("{")[0] for name, number in samples(board).items() if number}
            ends = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
            assert moved == {f"tempmail_{metric.name}{end}" for end in ends}


@pytest.mark.parametrize(
    ("name", "label"),
    [("no_such_total", ""), ("smtp_mails_total", "lost"), ("smtp_mails_total", ""), ("commits_total", "stored")],
)
def test_an_unknown_name_or_label_value_is_a_key_error(name: str, label: str) -> None:
    board = Board(1)
    with pytest.raises(KeyError):
        board.slot(0).add(name, label=label)
    with pytest.raises(KeyError):
        board.total(name, label)


@pytest.mark.parametrize("index", [-1, 2])
def test_a_slot_that_the_board_lacks_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="of 2"):
        Board(2).slot(index)


def test_numbers_of_forked_processes_arrive_and_outlive_them() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "42.0"


def test_the_outbox_has_a_gauge_for_each_provider_and_state_and_a_counter_for_each_outcome() -> None:
    board = Board(1)
    metrics = board.slot(0)
    metrics.set("outbox_mails", 3, "resend,unknown")
    metrics.add("outbox_calls_total", 2, "smtp,rate_limited")
    shown = samples(board)
    assert shown['tempmail_outbox_mails{provider="resend",state="unknown"}'] == 3
    assert shown['tempmail_outbox_calls_total{outcome="rate_limited",provider="smtp"}'] == 2
    assert sum(name.startswith("tempmail_outbox_mails{") for name in shown) == len(OUTBOX_PROVIDERS) * len(State)


def test_the_states_that_are_measured_are_those_of_mails() -> None:
    assert set(OUTBOX_STATES) == {state.value for state in State}
    assert set(OUTBOX_PROVIDERS) - {"none"} == set(LABELS)
