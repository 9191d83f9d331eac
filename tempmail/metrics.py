"""Every metric in one table, and the numbers behind it, shared by all processes of one server.

The supervisor makes one `Board` before it forks. Each process owns one slot of it and writes nowhere else, so nothing
is locked; `render` sums the slots. A restarted process goes on with its predecessor's slot, so that counters never
fall.
"""

import mmap
import struct
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric. `values`: every value that `label` takes (a metric without label has the value "")."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    doc: str
    label: str = ""
    values: tuple[str, ...] = ("",)


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
    Declared("http_requests_total", "counter", "HTTP answers.", "status", ("1xx", "2xx", "3xx", "4xx", "5xx")),
    Declared("http_request_seconds", "histogram", "From request to the end of its answer."),
    Declared("smtp_workers_ready", "gauge", "Processes that take mail now."),
    Declared("process_restarts_total", "counter", "Worker processes that died and were started again."),
)

_CELL = struct.Struct("=d")


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
        self._memory = mmap.mmap(-1, max(1, slots * cells * _CELL.size))

    def slot(self, index: int) -> "Metrics":
        """The writer of one slot. One process, one thread."""
        if not 0 <= index < self.slots:
            raise ValueError(f"slot {index} of {self.slots}")
        return Metrics(self, index)

    def cell(self, slot: int, name: str, label: str = "", within: int = 0) -> int:
        """Byte offset of one number. Raises KeyError for a metric or label value that the table lacks."""
        return (slot * self._cells_per_slot + self._offset[name, label] + within) * _CELL.size

    def read(self, offset: int) -> float:
        return float(_CELL.unpack_from(self._memory, offset)[0])

    def write(self, offset: int, number: float) -> None:
        _CELL.pack_into(self._memory, offset, number)

    def total(self, name: str, label: str = "", within: int = 0) -> float:
        """The sum over all slots."""
        return sum(self.read(self.cell(slot, name, label, within)) for slot in range(self.slots))

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client's registry."""
        for metric in METRICS:
            labels = [metric.label] if metric.label else []
            name = f"tempmail_{metric.name}"
            if metric.kind == "counter":
                counter = CounterMetricFamily(name, metric.doc, labels=labels)
                for value in metric.values:
                    counter.add_metric([value] if labels else [], self.total(metric.name, value))
                yield counter
            elif metric.kind == "gauge":
                gauge = GaugeMetricFamily(name, metric.doc, labels=labels)
                for value in metric.values:
                    gauge.add_metric([value] if labels else [], self.total(metric.name, value))
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
        self._slot = slot

    def add(self, name: str, amount: float = 1, label: str = "") -> None:
        """Count. Also moves a gauge by `amount`."""
        offset = self.board.cell(self._slot, name, label)
        self.board.write(offset, self.board.read(offset) + amount)

    def set(self, name: str, number: float, label: str = "") -> None:
        """A gauge's own share now; the metric is the sum over processes."""
        self.board.write(self.board.cell(self._slot, name, label), number)

    def observe(self, name: str, seconds: float) -> None:
        """Count one duration into a histogram."""
        bucket = self.board.cell(self._slot, name, within=bisect_left(SECONDS, seconds))
        self.board.write(bucket, self.board.read(bucket) + 1)
        total = self.board.cell(self._slot, name, within=len(SECONDS) + 1)
        self.board.write(total, self.board.read(total) + seconds)
