"""An object store in memory that a test can break. `contract/test_memory_objects.py` proves it against the contract."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from tempmail.adapters.objects.keys import validate_key
from tempmail.errors import NotFound, ObjectsUnavailable
from tempmail.ports import Body, ObjectInfo


class MemoryObjects:
    """Implements `ports.Objects`. `down`: nothing can be reached. `refused`: keys that can be neither put nor deleted.
    `unfinished`: how much interrupted puts have left behind."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.down = False
        self.refused: set[str] = set()
        self.unfinished = 0

    async def put_many(self, uploads: Sequence[tuple[str, Body]]) -> list[Exception | None]:
        return [self._put(key, body) for key, body in uploads]

    async def get(self, key: str) -> bytes:
        self._reach()
        validate_key(key)
        if key not in self.bodies:
            raise NotFound("There is no such object.")
        return self.bodies[key]

    async def delete_many(self, keys: Sequence[str]) -> list[Exception | None]:
        return [self._delete(key) for key in keys]

    async def walk(self) -> AsyncIterator[ObjectInfo]:
        self._reach()
        for key in sorted(self.bodies):
            yield ObjectInfo(key, len(self.bodies[key]))

    async def sweep(self, now_epoch_s: float) -> int:
        self._reach()
        swept, self.unfinished = self.unfinished, 0
        return swept

    async def check(self) -> None:
        self._reach()

    async def close(self) -> None:
        return

    def _put(self, key: str, body: Body) -> Exception | None:
        try:
            self._reach(key)
            validate_key(key)
            self.bodies[key] = body.read_bytes() if isinstance(body, Path) else bytes(body)
        except FileNotFoundError:
            return ObjectsUnavailable("The file that holds the mail is gone.")
        except (ObjectsUnavailable, ValueError) as exc:
            return exc
        return None

    def _delete(self, key: str) -> Exception | None:
        try:
            self._reach(key)
            validate_key(key)
        except (ObjectsUnavailable, ValueError) as exc:
            return exc
        self.bodies.pop(key, None)
        return None

    def _reach(self, key: str = "") -> None:
        if self.down or key in self.refused:
            raise ObjectsUnavailable("The object store is away.")
