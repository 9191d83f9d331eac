"""kill -9 of whoever delivers mail to the future, at any instant: each is delivered, once."""

import asyncio
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

from tempmail.adapters.sql import SqlStore, open_store
from tempmail.clock import FakeClock
from tempmail.domain.capsules import CapsuleFile, Recipient, Status, Trigger
from tempmail.ports.capsules import CapsuleText, NewCapsule, NewSetting, StoredFile
from tests.builders import EPOCH_S, NOW, at

HERE, OUTSIDE = 60, 20
KILLS = 4
LARGE = bytes(300 << 10)
"""Its mail is in a spool file."""

DELIVER = f"""
import asyncio, sys
from pathlib import Path
from tempmail import extract
from tempmail.adapters.sql import open_store
from tempmail.clock import FakeClock
from tests.builders import RAW
from tests.contract.capsule_suite import capsule_worker

async def main():
    clock = FakeClock({EPOCH_S + 7200})
    folder = Path(sys.argv[1])
    store = await open_store(folder / "tempmail.db", clock=clock)
    worker = capsule_worker(store, clock, folder / "spool")
    extract(RAW)  # what it loads at its first mail would take longer than it lives
    print("begun", flush=True)
    while await worker.run_once():
        pass
    await store.close()

asyncio.run(main())
"""


def test_a_kill_while_delivering_loses_and_doubles_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("FAULT_SEED", secrets.randbits(32)))
    print(f"FAULT_SEED={seed}")
    choice = random.Random(seed)
    asyncio.run(_set_all(tmp_path))

    for _ in range(KILLS):
        process = _deliver(tmp_path)
        threading.Event().wait(choice.uniform(0, 0.15))  # so that nothing it says marks the instant
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert _deliver(tmp_path).wait(60) == 0

    asyncio.run(_check(tmp_path))


def _deliver(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", DELIVER, str(folder)], stdout=subprocess.PIPE, text=True)
    with process.stdout or sys.stdin as told:
        assert told.readline() == "begun\n"
    return process


async def _set_all(folder: Path) -> None:
    store = await open_store(folder / "tempmail.db", clock=FakeClock())
    for number in range(HERE + OUTSIDE):
        await _set(store, number)
    await store.close()


async def _set(store: SqlStore, number: int) -> None:
    is_outside = number >= HERE
    recipient = Recipient(address=f"box{number}@{'elsewhere.example' if is_outside else 'temp.example.com'}")
    text = CapsuleText(recipient, f"No. {number}", "Dear future me", "default", is_encrypted=False, password_hash=None)
    capsule = await store.capsules.add(NewCapsule(uuid4().hex, "user:1", "ann", text), limit=1000, now=NOW)
    if number % 4 == 0:
        file = CapsuleFile(uuid4().hex, "large.bin", "application/octet-stream", len(LARGE))
        capsule = await store.capsules.attach(capsule.id, StoredFile(file, LARGE), now=NOW)
    setting = NewSetting(
        capsule_id=capsule.id,
        revision=capsule.revision,
        capsule_uuid=uuid4().hex,
        sender_address="ann@temp.example.com",
        trigger=Trigger.TIME,
        trigger_condition="{}",
        is_outside=is_outside,
        send_at=at(3600),
        due=at(3000),
        now=NOW,
        monthly_limit=None,
        key=None,
    )
    assert await store.capsules.set(setting, "user:1") is not None


async def _check(folder: Path) -> None:
    store = await open_store(folder / "tempmail.db", clock=FakeClock())
    delivered = await store.capsules.own("user:1", [Status.DELIVERED], limit=1000, offset=0)
    under_way = await store.capsules.own("user:1", [Status.DELIVERING], limit=1000, offset=0)
    assert (delivered.total, under_way.total) == (HERE, OUTSIDE)
    for capsule in delivered.items:
        assert capsule.mailbox_id is not None
        assert [m.subject for m in await store.mail.latest(capsule.mailbox_id, limit=9)] == [capsule.title]
    assert sum((await store.outbox.counts()).values()) == OUTSIDE
    assert {c.capsule_uuid for c in under_way.items} == {c.outbox_uuid for c in under_way.items}
    for name in await store.spool.file_names():
        assert (folder / "spool" / name).stat().st_size > len(LARGE)
    await store.close()
