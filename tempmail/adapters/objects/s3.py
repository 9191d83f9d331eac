"""Raw mails in a bucket of Amazon S3, Cloudflare R2, MinIO or another store that speaks S3.

boto3 blocks, so each request runs in a thread of this store's own pool. The pool is as wide as the library's
connection pool: no request waits for a connection where no timeout of ours would see it.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from tempmail.adapters.objects.s3_options import S3Options
from tempmail.errors import ObjectsUnavailable
from tempmail.ports import Body, ObjectInfo

if TYPE_CHECKING:
    from tempmail.adapters.objects.s3_bucket import Bucket

MAX_DELETES = 1000
"""Keys per DeleteObjects request (Amazon S3 API reference)."""

_T = TypeVar("_T")


class S3Objects:
    """`Objects` in a bucket. Nothing is loaded or sent before the first operation.

    An operation that the store leaves unanswered fails after `max_attempts` times the timeouts, plus the library's
    pauses between attempts (seconds). Bodies are signed (SHA-256): the store refuses one that was damaged on its way.
    """

    def __init__(self, options: S3Options) -> None:
        self._options = options
        self._pool = ThreadPoolExecutor(options.max_concurrency, thread_name_prefix="objects")
        self._opening = threading.Lock()
        self._opened: Bucket | None = None

    async def put_many(self, uploads: Sequence[tuple[str, Body]]) -> list[Exception | None]:
        return await asyncio.gather(*(self._put(key, body) for key, body in uploads))

    async def get(self, key: str) -> bytes:
        return await self._run(lambda bucket: bucket.get(key))

    async def delete_many(self, keys: Sequence[str]) -> list[Exception | None]:
        outcomes: list[Exception | None] = []
        for start in range(0, len(keys), MAX_DELETES):
            outcomes += await self._delete_chunk(keys[start : start + MAX_DELETES])
        return outcomes

    async def walk(self) -> AsyncIterator[ObjectInfo]:
        """Every object under the prefix, in key order, one page in memory. Raises `ObjectsUnavailable` where the store
        lists in another order (S3 Express does): a comparison with rows would take mails for lost. Names that are no
        keys, such as the folder marks of a web console, are not ours and are left out."""
        token: str | None = None
        last = ""
        while True:
            page, next_token = await self._list(token)
            for found in page:
                if found.key <= last:
                    raise ObjectsUnavailable("The object store lists keys out of order: use another kind of bucket.")
                last = found.key
                yield found
            if next_token is None:
                return
            if next_token == token:
                raise ObjectsUnavailable("The object store repeats a page of its list of keys.")
            token = next_token

    async def sweep(self, now_epoch_s: float) -> int:  # noqa: ARG002 - S3 keeps nothing of an interrupted put
        return 0

    async def check(self) -> None:
        """Writes, reads, lists and removes one small object: four requests."""
        await self._run(lambda bucket: bucket.check())

    async def close(self) -> None:
        """Lets go of the connections. Does not wait for a request under way: it ends within its timeouts."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._opened is not None:
            self._opened.close()

    async def _delete_chunk(self, keys: Sequence[str]) -> list[Exception | None]:
        if len(keys) > 1:
            outcomes = await self._run(lambda bucket: bucket.delete_together(keys))
            if outcomes is not None:
                return outcomes
        return await asyncio.gather(*(self._delete(key) for key in keys))

    async def _list(self, token: str | None) -> tuple[list[ObjectInfo], str | None]:
        return await self._run(lambda bucket: bucket.list(token))

    async def _put(self, key: str, body: Body) -> Exception | None:
        try:
            await self._run(lambda bucket: bucket.put(key, body))
        except (ObjectsUnavailable, ValueError) as exc:
            return exc
        return None

    async def _delete(self, key: str) -> Exception | None:
        try:
            await self._run(lambda bucket: bucket.delete(key))
        except (ObjectsUnavailable, ValueError) as exc:
            return exc
        return None

    async def _run(self, act: Callable[["Bucket"], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: act(self._bucket()))

    def _bucket(self) -> "Bucket":
        """The client, made at first use and in a thread of the pool: boto3 takes a good part of a second to load."""
        with self._opening:
            if self._opened is None:
                from tempmail.adapters.objects.s3_bucket import Bucket

                self._opened = Bucket(self._options)
            return self._opened
