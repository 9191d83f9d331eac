"""From exec to /readyz 200, and from SIGTERM to the end."""

import statistics
import time
from collections.abc import Iterator

from tests.bench.report import Context, Goal, Row
from tests.bench.targets import tempmail

NAME = "start"
START_S = Goal("max", 1.5)


def run(context: Context) -> Iterator[Row]:
    runs = 3 if context.is_quick else 5
    context.say(f"{NAME}: {runs} new and {runs} used data folders")
    first: list[float] = []
    again: list[float] = []
    stop: list[float] = []
    for number in range(runs):
        folder = context.folder / f"{NAME}-{number}"
        for taken in (first, again):
            began = time.perf_counter()
            with tempmail(folder):
                taken.append(time.perf_counter() - began)
                ending = time.perf_counter()
            # Between the two lies nothing but the end of the block.
            stop.append(time.perf_counter() - ending)
    context.raw[NAME] = {"first_s": first, "again_s": again, "stop_s": stop}
    for label, taken in (("a new data folder", first), ("a used data folder", again)):
        note = f"exec to /readyz 200; worst of {runs}: {max(taken):.2f}"
        yield Row(f"start with {label}", statistics.median(taken), "s", START_S, note)
    yield Row("stop of an idle server", statistics.median(stop), "s", None, f"SIGTERM to exit; worst {max(stop):.2f}")
