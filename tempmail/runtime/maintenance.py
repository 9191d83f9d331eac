"""What an operator runs by hand beside a server, running or not: `tempmail verify`, `retention`, `reextract`."""

import asyncio
import json
import sys

from tempmail.clock import SystemClock
from tempmail.errors import TempmailError
from tempmail.metrics import Board
from tempmail.runtime import wiring
from tempmail.runtime.site import prepare_storage
from tempmail.services.verify import Checked, Fault
from tempmail.settings import Settings

_PROGRESS_S = 1.0
_WAIT_S = 0.2


def verify(settings: Settings, *, fix: bool, as_json: bool) -> bool:
    """Print every fault and the totals; whether none is left. Progress goes to a terminal on standard error."""
    prepare_storage(settings, SystemClock())
    return asyncio.run(_verify(settings, fix=fix, as_json=as_json))


async def _verify(settings: Settings, *, fix: bool, as_json: bool) -> bool:
    clock = SystemClock()
    store = await wiring.store(settings, clock, readers=1)
    objects = wiring.objects(settings)
    try:
        verifier = wiring.verifier(settings, store, objects, clock)
        progress = asyncio.create_task(_tell(verifier.checked))
        found = left = 0
        async for fault in verifier.faults(fix=fix):
            found += 1
            left += not fault.fixed
            _print_fault(fault, as_json=as_json)
        progress.cancel()
        totals = {"bodies": verifier.checked.bodies, "faults": found, "fixed": found - left}
        print(json.dumps(totals) if as_json else f"{totals['bodies']} bodies, {found} faults, {found - left} fixed")
        return left == 0
    finally:
        await objects.close()
        await store.close()


async def _tell(checked: Checked) -> None:
    """How far it is, on a terminal, until cancelled."""
    while sys.stderr.isatty():
        await asyncio.sleep(_PROGRESS_S)
        print(f"\r{checked.bodies} bodies checked", end="", file=sys.stderr, flush=True)


def _print_fault(fault: Fault, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"kind": fault.kind, "object_key": fault.object_key, "fixed": fault.fixed}))
    else:
        print(f"{fault.kind}\t{fault.object_key}{'  (queued for removal)' if fault.fixed else ''}")


def retain(settings: Settings, *, as_json: bool) -> None:
    """One retention run now, whether one is due or not. Bodies are removed by the server, or now if none runs."""
    prepare_storage(settings, SystemClock())
    asyncio.run(_retain(settings, as_json=as_json))


async def _retain(settings: Settings, *, as_json: bool) -> None:
    clock = SystemClock()
    store = await wiring.store(settings, clock, readers=1)
    objects = wiring.objects(settings)
    metrics = Board(1).slot(0)
    try:
        removed = await wiring.retention(settings, store, clock, metrics).run()
        offloader = wiring.offloader(settings, store, objects, clock, metrics)
        try:
            while await offloader.delete_batch():
                pass
        except TempmailError as exc:
            print(f"tempmail: bodies stay queued for removal: {exc}", file=sys.stderr)
        if as_json:
            print(json.dumps({"messages": removed.messages, "mailboxes": removed.mailboxes}))
        else:
            print(f"{removed.messages} messages and {removed.mailboxes} mailboxes removed")
    finally:
        await objects.close()
        await store.close()


def reextract(settings: Settings, *, everything: bool, as_json: bool) -> None:
    """Read stored mail again that was read by an older extraction or other rules; all of it with `everything`.

    What is left when this ends early is done by the next run, or, after an upgrade or with `everything`, by the server.
    """
    prepare_storage(settings, SystemClock())
    asyncio.run(_reextract(settings, everything=everything, as_json=as_json))


async def _reextract(settings: Settings, *, everything: bool, as_json: bool) -> None:
    clock = SystemClock()
    store = await wiring.store(settings, clock, readers=1)
    objects = wiring.objects(settings)
    try:
        reextraction = wiring.reextraction(settings, store, objects, clock, Board(1).slot(0))
        if everything:
            await reextraction.forget()
        below = await reextraction.outdated()
        total = await reextraction.pending(below=below)
        messages = changed = gone = 0
        while (batch := await reextraction.batch(below=below)) is None or batch.messages:
            if batch is None:
                await asyncio.sleep(_WAIT_S)
                continue
            messages, changed, gone = messages + batch.messages, changed + batch.changed, gone + batch.gone
            if sys.stderr.isatty():
                print(f"\r{messages} of {total} messages read again", end="", file=sys.stderr, flush=True)
        if sys.stderr.isatty() and messages:
            print(file=sys.stderr)
        if as_json:
            print(json.dumps({"messages": messages, "changed": changed, "gone": gone}))
        else:
            print(f"{messages} messages read again, {changed} mails have another code, {gone} have no body any more")
    finally:
        await objects.close()
        await store.close()
