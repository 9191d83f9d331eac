"""The contract of `tempmail.ports.Objects`: the same facts for every implementation.

A test class of an implementation derives from `ObjectsSuite` and gives it a fixture `objects`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tempmail.adapters.objects.keys import MAX_SEGMENT_BYTES
from tempmail.errors import NotFound
from tempmail.ports import ObjectInfo, Objects

_T = TypeVar("_T")

KEY = "2026/11/20/box@example.com/101500-7f0c.eml"
MAIL = b"Subject: hello\r\n\r\nYour code is 123456\r\n"

BAD_KEYS = {
    "empty": "",
    "absolute": "/etc/passwd",
    "parent": "2026/../../secrets.toml",
    "parent-last": "2026/..",
    "current": "2026/./a.eml",
    "empty-segment": "2026//a.eml",
    "trailing-slash": "2026/a/",
    "nul": "2026/a\0.eml",
    "newline": "2026/a\n.eml",
    "c1-control": "2026/a\x85.eml",
    "delete": "2026/a\x7f.eml",
    "backslash": "2026\\a.eml",
    "lone-surrogate": "2026/\ud800.eml",
    "segment-over-limit": "2026/" + "a" * (MAX_SEGMENT_BYTES + 1),
    "segment-over-limit-in-bytes": "2026/" + "邮" * 86,
    "key-over-limit": "/".join(["a" * 204] * 5 + ["b"]),
}


def run(case: Callable[[], Awaitable[_T]]) -> _T:
    async def bounded() -> _T:
        async with asyncio.timeout(60):
            return await case()

    return asyncio.run(bounded())


async def put(objects: Objects, key: str, body: bytes | Path) -> None:
    [fault] = await objects.put_many([(key, body)])
    if fault:
        raise fault


async def keys_of(objects: Objects) -> list[str]:
    return [found.key async for found in objects.walk()]


class ObjectsSuite:
    folder_is_kept_by: str | None = None
    """The name of an object that keeps the churned folder from becoming empty, where the server needs one."""

    def test_what_is_put_is_got_byte_for_byte(self, objects: Objects) -> None:
        body = bytes(range(256)) * 300 + b"\r\n.\r\n"

        async def case() -> bytes:
            await put(objects, KEY, body)
            return await objects.get(KEY)

        assert run(case) == body

    def test_an_empty_body_is_kept(self, objects: Objects) -> None:
        async def case() -> tuple[bytes, list[ObjectInfo]]:
            await put(objects, KEY, b"")
            return await objects.get(KEY), [found async for found in objects.walk()]

        assert run(case) == (b"", [ObjectInfo(KEY, 0)])

    def test_a_body_of_three_megabytes_is_kept_whole(self, objects: Objects) -> None:
        body = b"0123456789abcde\n" * 196_608

        async def case() -> bytes:
            await put(objects, KEY, body)
            return await objects.get(KEY)

        assert run(case) == body

    @pytest.mark.parametrize("size_bytes", [0, 1, 3_000_000])
    def test_a_path_body_is_stored_and_stays_the_callers(
        self, objects: Objects, tmp_path: Path, size_bytes: int
    ) -> None:
        spooled = tmp_path / "spooled"
        spooled.write_bytes(b"m" * size_bytes)

        async def case() -> bytes:
            await put(objects, KEY, spooled)
            await put(objects, KEY, spooled)
            return await objects.get(KEY)

        assert run(case) == b"m" * size_bytes
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["spooled"]
        assert spooled.read_bytes() == b"m" * size_bytes

    def test_an_object_outlives_the_path_it_came_from(self, objects: Objects, tmp_path: Path) -> None:
        spooled = tmp_path / "spooled"
        spooled.write_bytes(MAIL)

        async def case() -> bytes:
            await put(objects, KEY, spooled)
            spooled.unlink()
            return await objects.get(KEY)

        assert run(case) == MAIL

    def test_a_missing_path_fails_its_own_upload_only(self, objects: Objects, tmp_path: Path) -> None:
        async def case() -> list[Exception | None]:
            return await objects.put_many([("a", MAIL), ("b", tmp_path / "gone"), ("c", MAIL)])

        first, missing, last = run(case)
        assert (first, last) == (None, None)
        assert str(missing).startswith("The file that holds the mail")

    def test_a_put_is_repeatable_and_the_last_body_wins(self, objects: Objects) -> None:
        async def case() -> tuple[bytes, list[str]]:
            await put(objects, KEY, b"first")
            await put(objects, KEY, b"first")
            await put(objects, KEY, b"second, longer")
            await put(objects, KEY, b"third")
            return await objects.get(KEY), await keys_of(objects)

        assert run(case) == (b"third", [KEY])

    def test_many_uploads_answer_in_order(self, objects: Objects) -> None:
        uploads = [(f"2026/11/20/box{n % 7}@example.com/{n:03}.eml", b"%d" % n) for n in range(150)]

        async def case() -> tuple[list[Exception | None], list[ObjectInfo], bytes]:
            outcomes = await objects.put_many(uploads)
            return outcomes, [found async for found in objects.walk()], await objects.get(uploads[149][0])

        outcomes, found, last = run(case)
        assert outcomes == [None] * 150
        assert found == sorted((ObjectInfo(key, len(body)) for key, body in uploads), key=lambda info: info.key)
        assert last == b"149"

    def test_nothing_put_or_deleted_is_nothing_done(self, objects: Objects) -> None:
        async def case() -> tuple[list[Exception | None], list[Exception | None], list[str]]:
            return await objects.put_many([]), await objects.delete_many([]), await keys_of(objects)

        assert run(case) == ([], [], [])

    def test_one_bad_key_does_not_fail_its_neighbours(self, objects: Objects) -> None:
        async def case() -> tuple[list[Exception | None], list[str], list[Exception | None], list[str]]:
            outcomes = await objects.put_many([("a.eml", MAIL), ("../a.eml", MAIL), ("b.eml", MAIL)])
            kept = await keys_of(objects)
            deleted = await objects.delete_many(["a.eml", "../b.eml", "b.eml"])
            return outcomes, kept, deleted, await keys_of(objects)

        outcomes, kept, deleted, left = run(case)
        assert [type(outcome) for outcome in outcomes] == [type(None), ValueError, type(None)]
        assert kept == ["a.eml", "b.eml"]
        assert [type(outcome) for outcome in deleted] == [type(None), ValueError, type(None)]
        assert left == []

    @pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS.keys())
    def test_a_bad_key_is_refused_by_every_operation(self, objects: Objects, key: str) -> None:
        async def case() -> tuple[list[Exception | None], list[Exception | None], list[str]]:
            with pytest.raises(ValueError, match="object key"):
                await objects.get(key)
            return await objects.put_many([(key, MAIL)]), await objects.delete_many([key]), await keys_of(objects)

        [put_fault], [delete_fault], left = run(case)
        assert isinstance(put_fault, ValueError)
        assert isinstance(delete_fault, ValueError)
        assert left == []

    @pytest.mark.parametrize(
        "key",
        [
            "a",
            ".hidden/..a/a..",
            "box+tag@例え.jp/验证码 %41 #?&=;:'\"*.eml",
            "emoji/\U0001f600/\ue000.eml",
            "2026/" + "a" * MAX_SEGMENT_BYTES,
        ],
        ids=["short", "dots", "punctuation", "beyond-the-bmp", "segment-at-limit"],
    )
    def test_an_unusual_key_is_kept_as_it_is(self, objects: Objects, key: str) -> None:
        async def case() -> tuple[bytes, list[str], list[Exception | None], list[str]]:
            await put(objects, key, MAIL)
            content, listed = await objects.get(key), await keys_of(objects)
            return content, listed, await objects.delete_many([key]), await keys_of(objects)

        assert run(case) == (MAIL, [key], [None], [])

    def test_an_absent_object_is_not_found(self, objects: Objects) -> None:
        async def case() -> None:
            await put(objects, KEY, MAIL)
            for absent in ("nothing.eml", KEY + "x", KEY.rpartition("/")[0], KEY.rpartition("/")[0] + "/other.eml"):
                with pytest.raises(NotFound):
                    await objects.get(absent)

        run(case)

    def test_a_deleted_object_is_gone_and_deleting_again_does_no_harm(self, objects: Objects) -> None:
        neighbour = KEY.rpartition("/")[0] + "/neighbour.eml"

        async def case() -> tuple[list[Exception | None], list[Exception | None], list[str]]:
            await objects.put_many([(KEY, MAIL), (neighbour, MAIL)])
            first = await objects.delete_many([KEY])
            again = await objects.delete_many([KEY, "never/was.eml"])
            with pytest.raises(NotFound):
                await objects.get(KEY)
            return first, again, await keys_of(objects)

        assert run(case) == ([None], [None, None], [neighbour])

    def test_a_key_can_be_put_again_after_its_folder_was_emptied(self, objects: Objects) -> None:
        async def case() -> bytes:
            await put(objects, KEY, b"old")
            await objects.delete_many([KEY])
            await put(objects, KEY, b"new")
            return await objects.get(KEY)

        assert run(case) == b"new"

    def test_walk_is_ordered_by_the_whole_key(self, objects: Objects) -> None:
        keys = ["A/b", "a-b", "a.eml", "a/b-c/d", "a/b.c", "a/b/c", "a/b0", "a0/b", "z", "é/b", "\ue000", "\U0001f600"]

        async def case() -> list[str]:
            await objects.put_many([(key, MAIL) for key in reversed(keys)])
            return await keys_of(objects)

        assert run(case) == sorted(keys) == keys

    def test_concurrent_puts_of_one_key_leave_one_whole_body(self, objects: Objects) -> None:
        bodies = [bytes([65 + n]) * (20_000 + n) for n in range(12)]

        async def case() -> list[bytes]:
            await put(objects, KEY, bodies[0])
            results = await asyncio.gather(
                *(objects.put_many([(KEY, body)]) for body in bodies), *(objects.get(KEY) for _ in bodies)
            )
            assert results[: len(bodies)] == [[None]] * len(bodies)
            return [*(got for got in results[len(bodies) :] if isinstance(got, bytes)), await objects.get(KEY)]

        seen = run(case)
        assert len(seen) == len(bodies) + 1
        assert set(seen) <= set(bodies)

    def test_puts_and_deletes_in_one_folder_do_not_disturb_each_other(self, objects: Objects) -> None:
        folder = KEY.rpartition("/")[0]
        kept = [f"{folder}/{self.folder_is_kept_by}"] if self.folder_is_kept_by else []

        async def churn(n: int) -> None:
            for _ in range(12):
                await put(objects, f"{folder}/{n}.eml", b"%d" % n)
                assert await objects.get(f"{folder}/{n}.eml") == b"%d" % n
                assert await objects.delete_many([f"{folder}/{n}.eml"]) == [None]

        async def case() -> list[str]:
            assert await objects.put_many([(key, MAIL) for key in kept]) == [None] * len(kept)
            await asyncio.gather(*(churn(n) for n in range(6)))
            return await keys_of(objects)

        assert run(case) == kept

    def test_check_passes_on_a_sound_store_and_leaves_nothing(self, objects: Objects) -> None:
        async def case() -> list[str]:
            await objects.check()
            return await keys_of(objects)

        assert run(case) == []
