"""What reading a mail costs: CPU time of parsing and of extraction, in this process, without a server."""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tempmail.domain.extraction import extract_mail
from tempmail.domain.mime import parse
from tempmail.domain.rule_matching import NO_RULES
from tempmail.services.extraction import read_mail
from tests.bench import mails
from tests.bench.report import Context, Goal, Row
from tests.codes.corpus import OWN

NAME = "reading"

EXTRACT_US = Goal("max", 150)
WHOLE_US = Goal("max", 300)
NEWSLETTER_MS = Goal("max", 20)


def run(context: Context) -> Iterator[Row]:
    rounds = 5 if context.is_quick else 15
    folders = [*context.mails, OWN]
    files = [path for folder in folders for path in sorted(folder.glob("**/*.eml"))]
    context.say(f"{NAME}: {len(files)} mails, {rounds} rounds")
    extract_us = _extraction_us(files, rounds)
    context.raw[NAME] = {"extract_us": extract_us}
    yield Row(
        "extraction of a labelled mail, after parsing",
        statistics.median(extract_us),
        "µs",
        EXTRACT_US,
        f"median of {len(files)} mails; mean {statistics.mean(extract_us):.0f}, worst {max(extract_us):.0f}",
    )
    small = mails.small()
    parsed = parse(small)
    repeats = 100 * rounds
    yield Row("5 KB mail: parsing", _median_us(lambda: parse(small), repeats), "µs")
    yield Row("5 KB mail: extraction", _median_us(lambda: extract_mail(parsed), repeats), "µs")
    whole_us = _median_us(lambda: read_mail(small, NO_RULES)[0].extraction_json(), repeats)
    yield Row("5 KB mail: all that is read at arrival", whole_us, "µs", WHOLE_US, "with preview and the stored JSON")
    newsletter = parse(mails.newsletter())
    newsletter_us = _median_us(lambda: extract_mail(newsletter), rounds)
    yield Row("1 MB HTML newsletter: extraction", newsletter_us / 1000, "ms", NEWSLETTER_MS)


def _extraction_us(files: list[Path], rounds: int) -> list[float]:
    """The median of each mail; its rounds lie apart, with all other mails between them."""
    parsed = [parse(path.read_bytes()) for path in files]
    taken: list[list[float]] = [[] for _ in parsed]
    for _ in range(rounds):
        for mail, times in zip(parsed, taken, strict=True):
            began = time.process_time_ns()
            extract_mail(mail)
            times.append((time.process_time_ns() - began) / 1000)
    return [statistics.median(times) for times in taken]


def _median_us(action: Callable[[], object], repeats: int) -> float:
    times: list[float] = []
    for _ in range(repeats):
        began = time.process_time_ns()
        action()
        times.append((time.process_time_ns() - began) / 1000)
    return statistics.median(times)
