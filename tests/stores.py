"""A data directory's store, for tests that are not inside an event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from tempmail.adapters.sql import SqlStore, open_store
from tempmail.clock import SystemClock

T = TypeVar("T")


def use_store(database: Path, work: Callable[[SqlStore], Awaitable[T]]) -> T:
    """What `work` gives with the store, which is opened for it alone."""

    async def opened() -> T:
        store = await open_store(database, clock=SystemClock())
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(opened())
