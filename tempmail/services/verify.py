"""Do rows and objects agree? Every message's body must be in the spool or the object store, and every object must
belong to a message."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from tempmail.clock import Clock, stamp
from tempmail.errors import NotFound
from tempmail.ports import CHECK_FOLDER, ObjectInfo, Objects, Spool, Store
from tempmail.services.spool_files import SpoolFiles

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Fault:
    """`kind`: `missing` (a message without its body), `orphan` (an object without a message) or `lost_spool_file`
    (a spool entry whose file is gone)."""

    kind: str
    object_key: str
    fixed: bool


@dataclass(slots=True)
class Checked:
    """How much was looked at so far; for progress."""

    bodies: int = 0
    objects: int = 0


class Verifier:
    """Compares in key order with constant memory, while the server may run: what changes under way is looked at twice
    before it is called a fault."""

    def __init__(self, store: Store, objects: Objects, files: SpoolFiles, clock: Clock) -> None:
        self._store = store
        self._objects = objects
        self._spool: Spool = store.spool
        self._files = files
        self._clock = clock
        self.checked = Checked()

    async def faults(self, *, fix: bool) -> AsyncIterator[Fault]:
        """Every fault, in key order. With `fix`, orphans are queued for removal; a missing body cannot be made up and
        is only told."""
        rows = self._referenced()
        objects = self._stored()
        row = await anext(rows, None)
        found = await anext(objects, None)
        while row is not None or found is not None:
            if row is not None and (found is None or row[0] < found.key):
                if fault := await self._without_object(*row):
                    yield fault
                row = await anext(rows, None)
            elif found is not None and (row is None or found.key < row[0]):
                if fault := await self._without_row(found.key, fix=fix):
                    yield fault
                found = await anext(objects, None)
            else:
                row, found = await anext(rows, None), await anext(objects, None)

    async def _referenced(self) -> AsyncIterator[tuple[str, bool]]:
        after = ""
        while page := await self._store.mail.object_keys(after=after, limit=_PAGE):
            for key, is_spooled in page:
                self.checked.bodies += 1
                yield key, is_spooled
            after = page[-1][0]

    async def _stored(self) -> AsyncIterator[ObjectInfo]:
        async for found in self._objects.walk():
            self.checked.objects += 1
            yield found

    async def _without_object(self, key: str, is_spooled: bool) -> Fault | None:
        entry = await self._spool.body(key) if is_spooled else None
        if entry is not None:
            if entry.file_name is not None and not self._files.path(entry.file_name).exists():
                still_there = await self._spool.body(key)
                return Fault("lost_spool_file", key, fixed=False) if still_there else None
            return None
        if await self._object_exists(key) or not await self._store.mail.has_object(key):
            return None
        return Fault("missing", key, fixed=False)

    async def _without_row(self, key: str, *, fix: bool) -> Fault | None:
        if key.startswith(CHECK_FOLDER) or await self._store.mail.object_key_known([key]):
            return None
        if not await self._object_exists(key):
            return None
        if fix:
            await self._spool.queue_delete(key, due=stamp(self._clock.now()))
        return Fault("orphan", key, fixed=fix)

    async def _object_exists(self, key: str) -> bool:
        try:
            await self._objects.get(key)
        except NotFound:
            return False
        return True
