"""Raw mails, wherever they are: in the spool at first, in the object store later."""

import asyncio

from tempmail.ports import Objects, Spool
from tempmail.services.spool_files import SpoolFiles


class Bodies:
    def __init__(self, spool: Spool, files: SpoolFiles, objects: Objects) -> None:
        self._spool = spool
        self._files = files
        self._objects = objects

    async def read(self, object_key: str) -> bytes:
        """The whole raw mail. Raises `NotFound`, `ObjectsUnavailable`, `StoreUnavailable`.

        The spool is asked first: an entry leaves it only after its object is stored, so the object is there whenever
        the spool no longer has it.
        """
        entry = await self._spool.body(object_key)
        if entry is not None and entry.body is not None:
            return entry.body
        if entry is not None and entry.file_name is not None:
            body = await asyncio.to_thread(self._files.read, entry.file_name)
            if body is not None:
                return body
        return await self._objects.get(object_key)
