"""kill -9 of the process that sends, at any instant: no mail is sent twice, none is lost, and what cannot be known is
said to be unknown."""

import asyncio
import contextlib
import os
import random
import secrets
import threading
from collections import Counter
from pathlib import Path

import pytest

from tempmail.adapters.sql import open_store
from tempmail.clock import SystemClock, stamp
from tests.faults.sending_sink import Sink
from tests.outbound_builders import new_outbound, outbound_message
from tests.running import Server, running, until

KILLS_PER_LIFE = 5
"""Of the web process; then the whole server is stopped and started again, since it restarts a process that keeps dying
more and more slowly."""
OPEN = "('queued', 'scheduled', 'sending')"
PATIENCE_S = 60.0

PROVIDERS = {
    "sendflare": {"SENDFLARE_API_KEY": "live_x", "SEND_PAUSES": "sendflare=0"},
    "resend": {"RESEND_API_KEY": "re_x", "SEND_PAUSES": "resend=0"},
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_five_kills_send_nothing_twice_and_lose_nothing(tmp_path: Path, provider: str) -> None:
    _send_under_kills(tmp_path, provider, mails=200, kills=5, between=25)


@pytest.mark.soak
@pytest.mark.parametrize("provider", PROVIDERS)
def test_fifty_kills_send_nothing_twice_and_lose_nothing(tmp_path: Path, provider: str) -> None:
    _send_under_kills(tmp_path, provider, mails=500, kills=50, between=2)


def _send_under_kills(folder: Path, provider: str, *, mails: int, kills: int, between: int) -> None:
    """`between`: fewer calls than that are answered from one kill to the next."""
    seed = int(os.environ.get("FAULT_SEED", secrets.randbits(32)))
    print(f"FAULT_SEED={seed}")
    choice = random.Random(seed)
    asyncio.run(_schedule(folder, mails))
    with Sink(seed) as sink:
        variables = PROVIDERS[provider] | {f"{provider.upper()}_API_URL": sink.url, "SMTP_WORKERS": "1"}
        done = 0
        while done < kills:
            with running(folder, **variables) as server:
                for _ in range(min(KILLS_PER_LIFE, kills - done)):
                    _kill_at_some_point(server, sink, choice, between)
                    done += 1
        sink.allow(10 * mails)
        with running(folder, **variables) as server:
            until(lambda: _is_done(server, provider), "every mail is done", timeout_s=PATIENCE_S)
            states = {str(subject): str(state) for subject, state in server.query("select subject, state from outbox")}
    print(f"{done} kills; {Counter(states.values())}; {sink.accepted.total()} accepted")
    assert len(states) == mails
    _check(sink, states, provider)


def _check(sink: Sink, states: dict[str, str], provider: str) -> None:
    assert [subject for subject, times in sink.accepted.items() if times > 1] == []
    assert sink.conflicts == []
    accepted = {subject for subject, state in states.items() if state == "accepted"}
    unknown = {subject for subject, state in states.items() if state == "unknown"}
    assert accepted | unknown == set(states)
    assert accepted - set(sink.accepted) == set()
    assert set(sink.accepted) - accepted <= unknown
    if provider == "resend":
        assert unknown == set()


async def _schedule(folder: Path, count: int) -> None:
    clock = SystemClock()
    store = await open_store(folder / "tempmail.db", clock=clock)
    try:
        now = clock.now()
        mails = [
            new_outbound(
                message=outbound_message(subject=f"mail {number}", from_addr="me@temp.example"),
                created_at=stamp(now),
                scheduled_at=stamp(now + 1 + number % 2),
                deadline=stamp(now + 86_400),
            )
            for number in range(count)
        ]
        await store.outbox.add(mails, [None] * len(mails))
    finally:
        await store.close()


def _kill_at_some_point(server: Server, sink: Sink, choice: random.Random, between: int) -> None:
    wanted = sink.answered + choice.randrange(between)
    sink.allow(wanted - sink.answered)
    if choice.random() < 0.8:
        # In the midst of calls; else wherever it happens to be.
        assert sink.await_that(lambda: sink.answered >= wanted, PATIENCE_S), "nothing is sent any more"
    threading.Event().wait(choice.uniform(0, 0.02))
    pid = server.worker_pid("web")
    deaths = len(server.output.events("worker.died"))
    with contextlib.suppress(ProcessLookupError):
        server.kill("web")
    server.output.await_event("worker.died", count=deaths + 1, timeout_s=PATIENCE_S)
    _end_leases(server)
    sink.release()
    until(lambda: server.worker_pid("web") != pid, "another process takes over", timeout_s=PATIENCE_S)


def _end_leases(server: Server) -> None:
    """Let the time pass for which a dead process had claimed mails."""
    server.query("update outbox set due = '2000-01-01 00:00:00' where due is not null and turn > 0")


def _is_done(server: Server, provider: str) -> bool:
    undecided = OPEN if provider == "sendflare" else OPEN.replace(")", ", 'unknown')")
    return not server.query(f"select 1 from outbox where state in {undecided} limit 1")
