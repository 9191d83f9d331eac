"""The process that takes mail."""

import asyncio

from tempmail.runtime import wiring
from tempmail.runtime.background import repeat
from tempmail.runtime.child import Life
from tempmail.runtime.site import Site

RULES_LOOK_S = 2.0
DRAIN_S = 8.0
"""What DATA in flight gets to finish; the supervisor's budget for the whole stop is 10 s."""


async def serve_smtp(site: Site, slot: int, life: Life) -> None:
    """Take mail on this slot's sockets until `life.stop`; then finish what has begun, and return."""
    store = await wiring.store(site.settings, site.clock, readers=0 if site.settings.create_on_receipt else 1)
    try:
        extractor = wiring.extractor(store, site.clock)
        await extractor.refresh()
        server, commit = wiring.smtp_server(site, slot, store, extractor)

        async def refresh() -> int:
            await extractor.refresh()
            return 0

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(commit.run())
            tasks.create_task(repeat("rules", refresh, idle_s=RULES_LOOK_S, stop=life.stop))
            try:
                await server.start(site.smtp[slot])
                if site.smtps:
                    await server.start(site.smtps[slot], implicit_tls=True)
                life.ready()
                await life.stop.wait()
                await server.drain(DRAIN_S)
            finally:
                commit.close()
    finally:
        await store.close()
