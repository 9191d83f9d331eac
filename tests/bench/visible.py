"""From the end of DATA to the mail, with its code, in GET /api/emails."""

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from tests.bench import mails, smtp_source
from tests.bench.http_connection import HttpConnection
from tests.bench.report import Context, Row, percentile, skipped
from tests.bench.smtp_connection import SmtpConnection
from tests.bench.smtp_source import Load
from tests.bench.targets import DOMAIN, BenchError, Tempmail, tempmail

NAME = "visible"
BUSY = Load(16, is_reused=True)

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds from the last byte of DATA: until the first list that shows the mail, and until the 250."""

    visible_s: list[float] = field(default_factory=list)
    reply_s: list[float] = field(default_factory=list)


def run(context: Context) -> Iterator[Row]:
    count = 60 if context.is_quick else 300
    with tempmail(context.folder / NAME, SMTP_WORKERS=len(os.sched_getaffinity(0))) as server:
        context.say(f"{NAME}: idle")
        idle = watch(server, count)
        server.settle(count)
        yield from _rows(context, "idle server", idle)
        if why := smtp_source.why_missing():
            yield skipped("visible after, busy server", why)
            return
        context.say(f"{NAME}: busy")
        yield from _rows(context, f"beside {BUSY.name}", _busy(server, count))


def watch(server: Tempmail, count: int) -> Times:
    """Send mails one by one and look for each as fast as one connection can ask."""
    times = Times()
    address = f"watched@{DOMAIN}"
    with ExitStack() as stack:
        http = stack.enter_context(closing(server.connect()))
        smtp = stack.enter_context(closing(SmtpConnection(server.smtp, address)))
        path = f"/api/emails?mailbox={address}&limit=1"
        for number in range(count):
            _one(http, smtp, path, f"{100_000 + number}", times)
    return times


def _one(http: HttpConnection, smtp: SmtpConnection, path: str, code: str, times: Times) -> None:
    content = mails.stuffed(mails.small(code))
    smtp.announce()
    smtp.send(content)
    ended = time.perf_counter()
    is_visible = is_replied = False
    while not (is_visible and is_replied):
        if not is_visible:
            newest = http.get_json(path)
            # The code shows which mail it is, and that no mail is seen before it was read.
            if newest and newest[0]["verification_code"] == code:
                times.visible_s.append(time.perf_counter() - ended)
                is_visible = True
        if not is_replied and (is_visible or select.select([smtp.socket], [], [], 0)[0]):
            smtp.await_stored()
            times.reply_s.append(time.perf_counter() - ended)
            is_replied = True
        if time.perf_counter() - ended > _TIMEOUT_S:
            raise BenchError(f"a mail with the code {code} was sent, the newest mail is {newest!r}")


def _busy(server: Tempmail, count: int) -> Times:
    """`watch` while smtp-source sends as fast as it can."""
    done = threading.Event()
    sent: list[int] = []
    failures: list[Exception] = []

    def load() -> None:
        try:
            while not done.is_set():
                smtp_source.send(server.smtp, BUSY, 500)
                sent.append(500)
        except (BenchError, OSError) as exc:
            failures.append(exc)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        times = watch(server, count)
    finally:
        done.set()
        thread.join()
    if failures:
        raise failures[0]
    server.settle(count + sum(sent))
    return times


def _rows(context: Context, where: str, times: Times) -> Iterator[Row]:
    visible_ms = [1000 * seconds for seconds in times.visible_s]
    reply_ms = [1000 * seconds for seconds in times.reply_s]
    context.raw[f"{NAME}: {where}"] = {
        "visible_ms": [round(sample, 3) for sample in visible_ms],
        "reply_ms": [round(sample, 3) for sample in reply_ms],
    }
    for percent in (50, 99):
        note = f"from the end of DATA; its 250 after {percentile(reply_ms, percent):.1f}; {len(visible_ms)} mails"
        yield Row(f"visible after, {where}, p{percent}", percentile(visible_ms, percent), "ms", None, note)
