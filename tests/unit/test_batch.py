"""Group commit: at once when idle, together under load, bounded, and no mail pays for its neighbour."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tempmail.domain.messages import StoredMail
from tempmail.errors import Conflict, Overloaded, StoreFull, StoreUnavailable
from tempmail.metrics import Board
from tempmail.services.batch import BatchLimits, GroupCommit, Take
from tests.builders import incoming


class Commits:
    """The store's `add_taken`, as a test steers it: held up before or after it takes its batch, and made to fail."""

    def __init__(self) -> None:
        self.batches: list[str] = []
        self.fails: Callable[[str], Exception | None] = lambda names: None
        self.asked, self.may_begin = asyncio.Event(), asyncio.Event()
        self.may_begin.set()
        self.cannot_begin: Exception | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.begun = asyncio.Event()

    async def __call__(self, take: Take) -> list[StoredMail]:
        self.asked.set()
        await self.may_begin.wait()
        if self.cannot_begin is not None:
            raise self.cannot_begin
        batch = take()
        names = "".join(mail.uuid for mail in batch)
        self.batches.append(names)
        self.begun.set()
        await self.go_on.wait()
        if error := self.fails(names):
            raise error
        return [StoredMail(f"key of {mail.uuid}", (1,), (1,)) for mail in batch]


@asynccontextmanager
async def flushing(commits: Commits, limits: BatchLimits | None = None) -> AsyncIterator[GroupCommit]:
    async with asyncio.TaskGroup() as tasks:
        group = GroupCommit(commits, Board(1).slot(0), limits)
        tasks.create_task(group.run())
        yield group
        group.close()


def run(case: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(5):
            await case()

    asyncio.run(bounded())


def submit(group: GroupCommit, names: str, **changes: Any) -> list["asyncio.Task[StoredMail]"]:
    return [asyncio.create_task(group.submit(incoming(uuid=name, **changes))) for name in names]


async def queued_behind(
    commits: Commits, group: GroupCommit, names: str, **changes: Any
) -> list[asyncio.Task[StoredMail]]:
    """Submit `names` while the commit of a first mail, "_", is held up."""
    commits.go_on.clear()
    first = submit(group, "_")
    await commits.begun.wait()
    rest = submit(group, names, **changes)
    await asyncio.sleep(0)  # every task runs up to its wait
    return first + rest


async def outcomes(tasks: list[asyncio.Task[StoredMail]]) -> list[str]:
    """The object key of each, or the name of its error."""
    done = await asyncio.gather(*tasks, return_exceptions=True)
    return [result.object_key if isinstance(result, StoredMail) else type(result).__name__ for result in done]


def test_an_idle_group_commits_each_mail_at_once() -> None:
    async def case() -> None:
        commits = Commits()
        async with flushing(commits) as group:
            for name in "ab":
                assert (await group.submit(incoming(uuid=name))).object_key == f"key of {name}"
            assert commits.batches == ["a", "b"]

    run(case)


def test_each_transaction_that_was_committed_is_counted_once() -> None:
    async def case() -> None:
        commits, board = Commits(), Board(1)
        commits.fails = lambda names: Conflict("bad") if "b" in names else None
        group = GroupCommit(commits, board.slot(0))
        flusher = asyncio.create_task(group.run())
        tasks = await queued_behind(commits, group, "abc")  # "_", then "abc" fails, then "a", "b" fails, "c"
        commits.go_on.set()
        group.close()
        await flusher
        await outcomes(tasks)
        assert board.total("commits_total") == 3

    run(case)


def test_what_comes_during_a_commit_forms_the_next_one_in_order() -> None:
    async def case() -> None:
        commits = Commits()
        async with flushing(commits) as group:
            tasks = await queued_behind(commits, group, "abc")
            commits.go_on.set()
            assert await outcomes(tasks) == ["key of _", "key of a", "key of b", "key of c"]
            assert commits.batches == ["_", "abc"]

    run(case)


def test_what_comes_while_a_transaction_waits_to_begin_joins_it() -> None:
    async def case() -> None:
        commits = Commits()
        commits.may_begin.clear()
        async with flushing(commits) as group:
            tasks = submit(group, "a")
            await commits.asked.wait()
            tasks += submit(group, "bc")
            await asyncio.sleep(0)  # every task runs up to its wait
            commits.may_begin.set()
            assert await outcomes(tasks) == ["key of a", "key of b", "key of c"]
            assert commits.batches == ["abc"]

    run(case)


@pytest.mark.parametrize("error", [StoreUnavailable("locked"), ZeroDivisionError()], ids=["unavailable", "unforeseen"])
def test_what_waits_for_a_transaction_that_cannot_begin_is_told_so(error: Exception) -> None:
    async def case() -> None:
        commits = Commits()
        commits.may_begin.clear()
        commits.cannot_begin = error
        async with flushing(commits) as group:
            tasks = submit(group, "ab")
            await commits.asked.wait()
            commits.may_begin.set()
            assert await outcomes(tasks) == [type(error).__name__] * 2
            commits.cannot_begin = None
            assert await outcomes(submit(group, "c")) == ["key of c"]

    run(case)


@pytest.mark.parametrize(
    ("limits", "names", "batches"),
    [
        pytest.param(BatchLimits(max_mails=3), "abc", ["abc"], id="mails-at-limit"),
        pytest.param(BatchLimits(max_mails=3), "abcd", ["abc", "d"], id="mails-over-limit"),
        pytest.param(BatchLimits(max_bytes=30), "abc", ["abc"], id="bytes-at-limit"),
        pytest.param(BatchLimits(max_bytes=29), "abc", ["ab", "c"], id="bytes-over-limit"),
        pytest.param(BatchLimits(max_bytes=1), "abc", ["a", "b", "c"], id="a-mail-over-the-limit-goes-alone"),
    ],
)
def test_a_batch_is_bounded_by_mails_and_bytes(limits: BatchLimits, names: str, batches: list[str]) -> None:
    async def case() -> None:
        commits = Commits()
        async with flushing(commits, limits) as group:
            tasks = await queued_behind(commits, group, names, body=b"0123456789")
            commits.go_on.set()
            await outcomes(tasks)
            assert commits.batches == ["_", *batches]

    run(case)


def test_a_body_in_a_spool_file_adds_no_bytes_to_a_batch(tmp_path: Path) -> None:
    body = tmp_path / "body.eml"
    body.write_bytes(b"m" * 1000)

    async def case() -> None:
        commits = Commits()
        async with flushing(commits, BatchLimits(max_bytes=1)) as group:
            tasks = await queued_behind(commits, group, "abc", body=body)
            commits.go_on.set()
            await outcomes(tasks)
            assert commits.batches == ["_", "abc"]

    run(case)


def test_a_full_queue_refuses_the_next_mail_and_takes_mail_again_when_it_has_room() -> None:
    async def case() -> None:
        commits = Commits()
        async with flushing(commits, BatchLimits(max_queue=2)) as group:
            tasks = await queued_behind(commits, group, "abc")
            commits.go_on.set()
            assert await outcomes(tasks) == ["key of _", "key of a", "key of b", "Overloaded"]
            assert await outcomes(submit(group, "d")) == ["key of d"]

    run(case)


def test_a_bad_mail_does_not_fail_its_neighbours() -> None:
    async def case() -> None:
        commits = Commits()
        commits.fails = lambda names: Conflict("bad") if "b" in names else None
        async with flushing(commits) as group:
            tasks = await queued_behind(commits, group, "abc")
            commits.go_on.set()
            assert await outcomes(tasks) == ["key of _", "key of a", "Conflict", "key of c"]
            assert commits.batches == ["_", "abc", "a", "b", "c"]

    run(case)


def test_an_unforeseen_error_reaches_its_waiter_and_the_flusher_goes_on() -> None:
    async def case() -> None:
        commits = Commits()
        commits.fails = lambda names: ZeroDivisionError() if "a" in names else None
        async with flushing(commits) as group:
            assert await outcomes(submit(group, "a")) == ["ZeroDivisionError"]
            assert await outcomes(submit(group, "b")) == ["key of b"]

    run(case)


def test_an_unavailable_store_fails_the_whole_batch_without_a_second_try_and_the_next_one_works() -> None:
    async def case() -> None:
        commits = Commits()
        commits.fails = lambda names: StoreUnavailable("locked") if "a" in names else None
        async with flushing(commits) as group:
            tasks = await queued_behind(commits, group, "abc")
            commits.go_on.set()
            assert await outcomes(tasks) == ["key of _", *["StoreUnavailable"] * 3]
            assert commits.batches == ["_", "abc"]
            assert await outcomes(submit(group, "d")) == ["key of d"]

    run(case)


def test_what_does_not_fit_together_is_tried_one_by_one() -> None:
    async def case() -> None:
        commits = Commits()
        commits.fails = lambda names: StoreFull("full") if len(names) > 1 or names == "b" else None
        async with flushing(commits) as group:
            tasks = await queued_behind(commits, group, "abc")
            commits.go_on.set()
            assert await outcomes(tasks) == ["key of _", "key of a", "StoreFull", "key of c"]

    run(case)


@pytest.mark.parametrize("fails", [False, True], ids=["stored", "failed"])
def test_a_cancelled_waiter_does_not_disturb_the_others(fails: bool) -> None:
    async def case() -> None:
        commits = Commits()
        commits.fails = lambda names: StoreUnavailable("locked") if fails and "b" in names else None
        async with flushing(commits) as group:
            tasks = await queued_behind(commits, group, "abc")
            tasks[2].cancel()
            commits.go_on.set()
            ended = "StoreUnavailable" if fails else "key of {}"
            assert await outcomes(tasks) == ["key of _", ended.format("a"), "CancelledError", ended.format("c")]

    run(case)


def test_closing_commits_what_is_queued_and_refuses_what_comes_after() -> None:
    async def case() -> None:
        commits = Commits()
        group = GroupCommit(commits, Board(1).slot(0), BatchLimits(max_mails=2))
        flusher = asyncio.create_task(group.run())
        tasks = await queued_behind(commits, group, "abc")
        group.close()
        with pytest.raises(Overloaded):
            await group.submit(incoming())
        commits.go_on.set()
        await flusher
        assert await outcomes(tasks) == ["key of _", "key of a", "key of b", "key of c"]

    run(case)


def test_closing_an_idle_group_ends_it_at_once() -> None:
    async def case() -> None:
        group = GroupCommit(Commits(), Board(1).slot(0))
        flusher = asyncio.create_task(group.run())
        group.close()
        await flusher

    run(case)
