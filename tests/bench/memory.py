"""Memory of all processes together, shared pages counted once (PSS)."""

import threading
from collections.abc import Iterator

from tests.bench import processes, smtp_source
from tests.bench.report import Context, Goal, Row, skipped
from tests.bench.smtp_source import Load
from tests.bench.targets import BenchError, Target, pss_bytes, tempmail

NAME = "memory"
IDLE_MB = Goal("max", 150)
LOAD = Load(64, is_reused=True)
MB = 1e6

_REST_S = 3.0
_SAMPLE_S = 0.2


def run(context: Context) -> Iterator[Row]:
    mails = 1_000 if context.is_quick else 6_000
    context.say(f"{NAME}: idle")
    with tempmail(context.folder / NAME) as server:
        threading.Event().wait(_REST_S)
        roles = server.roles()
        shares = {f"{role} {pid}": processes.pss_bytes(pid) for pid, role in roles.items()}
        context.raw[NAME] = {"idle_pss_bytes": shares}
        note = ", ".join(f"{name.split()[0]} {share / MB:.0f}" for name, share in shares.items())
        yield Row("memory idle", sum(shares.values()) / MB, "MB", IDLE_MB, f"PSS of {len(shares)} processes: {note}")
        if why := smtp_source.why_missing():
            yield skipped("memory under load", why)
            return
        context.say(f"{NAME}: under load")
        peak = under_load(server, mails)
        server.settle(mails)
        after = pss_bytes(server)
        context.raw[NAME] |= {"load_pss_bytes": peak, "after_pss_bytes": after}
        note = f"{LOAD.name}, {mails} mails; {after / MB:.0f} when all is done"
        yield Row("memory under load", peak / MB, "MB", None, note)


def under_load(target: Target, mails: int) -> int:
    """The greatest PSS seen while smtp-source sends `mails`."""
    failures: list[Exception] = []
    done = threading.Event()

    def load() -> None:
        try:
            smtp_source.send(target.smtp, LOAD, mails)
        except (BenchError, OSError) as exc:
            failures.append(exc)
        finally:
            done.set()

    thread = threading.Thread(target=load)
    thread.start()
    peak = pss_bytes(target)
    while not done.wait(_SAMPLE_S):
        peak = max(peak, pss_bytes(target))
    thread.join()
    if failures:
        raise failures[0]
    return peak
