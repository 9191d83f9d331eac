"""Every metric in one table, and the numbers behind it, shared by all processes of one server.

The supervisor makes one `Board` before it forks. Each process owns one slot of it and writes nowhere else, so nothing
is locked; `render` sums the slots. A restarted process goes on with its predecessor's slot, so that counters never
fall.
"""

import mmap
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric. `values`: every value that `label` takes (a metric without label has the value ""). Two labels are
    named together, as are their values: `provider,state` and `resend,queued`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    doc: str
    label: str = ""
    values: tuple[str, ...] = ("",)


OUTBOX_PROVIDERS = (
    "none",
    "resend",
    "sendflare",
    "cyberpersons",
    "mail_push",
    "nobase",
    "emailcar",
    "smtp",
)
"""`none`: before one is chosen."""
OUTBOX_STATES = (
    "queued",
    "scheduled",
    "sending",
    "accepted",
    "delivered",
    "bounced",
    "failed",
    "canceled",
    "unknown",
)
OUTBOX_OUTCOMES = (
    "accepted",
    "unavailable",
    "rate_limited",
    "exhausted",
    "auth_failed",
    "denied",
    "invalid",
    "refused",
    "unknown",
)


def _pairs(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{one},{other}" for one in first for other in second)


METRICS = (
    Declared("smtp_connections_total", "counter", "SMTP connections.", "result", ("accepted", "refused")),
    Declared("smtp_sessions", "gauge", "SMTP sessions open now."),
    Declared("smtp_mails_total", "counter", "Mails by the reply to DATA.", "result", ("stored", "deferred", "refused")),
    Declared("smtp_bytes_total", "counter", "Bytes of stored mails."),
    Declared("ingest_seconds", "histogram", "From the end of DATA to the commit."),
    Declared("commits_total", "counter", "Group commits."),
    Declared("spool_entries", "gauge", "Bodies that wait for the object store."),
    Declared("spool_bytes", "gauge", "Bytes that wait for the object store."),
    Declared("offload_total", "counter", "Bodies handed to the object store.", "result", ("stored", "failed")),
    Declared("object_deletes_total", "counter", "Objects removed.", "result", ("removed", "failed")),
    Declared("object_deletes_pending", "gauge", "Objects that wait to be removed."),
    Declared("retention_messages_total", "counter", "Messages removed by retention."),
    Declared("reextract_mails_total", "counter", "Stored mails read again.", "result", ("read", "gone")),
    Declared(
        "outbox_mails",
        "gauge",
        "Mails in the outbox.",
        "provider,state",
        _pairs(OUTBOX_PROVIDERS, OUTBOX_STATES),
    ),
    Declared(
        "outbox_calls_total",
        "counter",
        "Calls to providers.",
        "provider,outcome",
        _pairs(OUTBOX_PROVIDERS[1:], OUTBOX_OUTCOMES),
    ),
    Declared("outbox_send_seconds", "histogram", "From the begin of a call to a provider to its answer."),
    Declared("http_requests_total", "counter", "HTTP answers.", "status", ("1xx", "2xx", "3xx", "4xx", "5xx")),
    Declared("http_request_seconds", "histogram", "From request to the end of its answer."),
    Declared("smtp_workers_ready", "gauge", "Processes that take mail now."),
    Declared("process_restarts_total", "counter", "Worker processes that died and were started again."),
)

_CELL_BYTES = 8


def _width(metric: Declared) -> int:
    return len(SECONDS) + 2 if metric.kind == "histogram" else 1


class Board:
    """`slots` rows of cells in shared memory, one row per process."""

    def __init__(self, slots: int) -> None:
        self._offset: dict[tuple[str, str], int] = {}
        cells = 0
        for metric in METRICS:
            for value in metric.values:
                self._offset[metric.name, value] = cells
                cells += _width(metric)
        self._cells_per_slot = cells
        self.slots = slots
        self._numbers = memoryview(mmap.mmap(-1, max(1, slots * cells) * _CELL_BYTES)).cast("d")

    def slot(self, index: int) -> "Metrics":
        """The writer of one slot. One process, one thread."""
        if not 0 <= index < self.slots:
            raise ValueError(f"slot {index} of {self.slots}")
        return Metrics(self, index)

    def own(self, slot: int) -> "memoryview[float]":
        """The numbers of one slot, in the order that `offset` tells."""
        return self._numbers[slot * self._cells_per_slot :][: self._cells_per_slot]

    @property
    def offset(self) -> Mapping[tuple[str, str], int]:
        """Metric and label value → the first of its numbers within a slot."""
        return self._offset

    def total(self, name: str, label: str = "", within: int = 0) -> float:
        """The sum over all slots. Raises KeyError for a metric or label value that the table lacks."""
        return sum(self._numbers[self._offset[name, label] + within :: self._cells_per_slot])

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client's registry."""
        for metric in METRICS:
            labels = metric.label.split(",") if metric.label else []
            name = f"tempmail_{metric.name}"
            if metric.kind == "counter":
                counter = CounterMetricFamily(name, metric.doc, labels=labels)
                for value in metric.values:
                    counter.add_metric(value.split(",") if labels else [], self.total(metric.name, value))
                yield counter
            elif metric.kind == "gauge":
                gauge = GaugeMetricFamily(name, metric.doc, labels=labels)
                for value in metric.values:
                    gauge.add_metric(value.split(",") if labels else [], self.total(metric.name, value))
                yield gauge
            else:
                yield self._histogram(metric, name)

    def _histogram(self, metric: Declared, name: str) -> HistogramMetricFamily:
        family = HistogramMetricFamily(name, metric.doc)
        running, buckets = 0.0, []
        for within, bound in enumerate((*map(str, SECONDS), "+Inf")):
            running += self.total(metric.name, within=within)
            buckets.append((bound, running))
        family.add_metric([], buckets, self.total(metric.name, within=len(SECONDS) + 1))
        return family

    def render(self) -> bytes:
        """All metrics in the Prometheus text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)


class Metrics:
    """One process's own numbers. Unknown names and label values raise KeyError, so a typo cannot hide."""

    def __init__(self, board: Board, slot: int) -> None:
        self.board = board
        self._offset = board.offset
        self._numbers = board.own(slot)

    def add(self, name: str, amount: float = 1, label: str = "") -> None:
        """Count. Also moves a gauge by `amount`."""
        self._numbers[self._offset[name, label]] += amount

    def set(self, name: str, number: float, label: str = "") -> None:
        """A gauge's own share now; the metric is the sum over processes."""
        self._numbers[self._offset[name, label]] = number

    def observe(self, name: str, seconds: float) -> None:
        """Count one duration into a histogram."""
        first = self._offset[name, ""]
        self._numbers[first + bisect_left(SECONDS, seconds)] += 1
        self._numbers[first + len(SECONDS) + 1] += seconds
