"""Mail that comes by another way than SMTP."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tempmail.adapters.sql import SqlStore
from tempmail.clock import FakeClock
from tempmail.domain.address import ServedDomains
from tempmail.domain.messages import StoredMail
from tempmail.errors import NoRoom, StoreUnavailable, UnknownMailbox
from tempmail.metrics import Board
from tempmail.services.batch import GroupCommit, Take
from tempmail.services.capacity import Capacity, CapacityLimits
from tempmail.services.capture import Capture
from tempmail.services.extraction import Extractor
from tempmail.services.incoming import Incoming
from tempmail.services.spool_files import SpoolFiles
from tests.builders import NOW, RAW

CATCH_ALL = "all@temp.example"
LARGE = RAW + b"m" * 1_000


class Stage:
    def __init__(self, folder: Path, store: SqlStore, clock: FakeClock) -> None:
        self.store = store
        self.folder = folder / "spool"
        self.fail: Exception | None = None
        self._clock = clock
        self._path = folder

    def capture(self, **options: Any) -> tuple[Capture, GroupCommit]:
        metrics = Board(1).slot(0)
        commit = GroupCommit(self._add, metrics)
        return (
            Capture(
                mailboxes=self.store.mailboxes,
                commit=commit,
                domains=ServedDomains(["temp.example"]),
                incoming=Incoming(
                    capacity=Capacity(self._path, CapacityLimits(0, 2_000), spooled_bytes=lambda: 0, clock=self._clock),
                    extractor=Extractor(self.store.rules, self._clock),
                    files=SpoolFiles(self.folder, self._clock),
                    clock=self._clock,
                    file_bytes=1_000,
                ),
                clock=self._clock,
                metrics=metrics,
                **options,
            ),
            commit,
        )

    async def _add(self, take: Take) -> list[StoredMail]:
        if self.fail is not None:
            take()
            raise self.fail
        return await self.store.mail.add_taken(take)

    def run(self, use: Callable[[Capture], Coroutine[Any, Any, StoredMail]], **options: Any) -> StoredMail:
        async def work() -> StoredMail:
            capture, commit = self.capture(**options)
            flusher = asyncio.create_task(commit.run())
            try:
                return await use(capture)
            finally:
                commit.close()
                await flusher

        return asyncio.run(work())

    def rows(self) -> list[tuple[str, str]]:
        """(mailbox, recipient) of every message."""
        found = asyncio.run(self.store.mail.get_many(range(1, 50)))
        return [(message.mailbox_address, message.to_addrs) for message in found]


@pytest.fixture
def stage(tmp_path: Path, store: SqlStore, clock: FakeClock) -> Stage:
    return Stage(tmp_path, store, clock)


def test_a_captured_mail_is_committed_with_its_code(stage: Stage) -> None:
    stored = stage.run(lambda capture: capture.capture(RAW, "shop@x.example", ["Box@temp.example"]))

    [message] = asyncio.run(stage.store.mail.get_many(stored.message_ids))
    assert (message.mailbox_address, message.verification_code, message.received_at) == (
        "box@temp.example",
        "482913",
        NOW,
    )


def test_what_is_not_served_goes_to_the_catch_all_once_and_what_is_to_its_own_mailbox(stage: Stage) -> None:
    recipients = ["a@out.example", "News+box@temp.example", "b@out.example"]
    stage.run(lambda capture: capture.capture(RAW, "", recipients, catch_all=CATCH_ALL))
    assert stage.rows() == [(CATCH_ALL, "a@out.example"), ("box@temp.example", "News+box@temp.example")]


def test_an_existing_mailbox_comes_before_the_alias_rule(stage: Stage) -> None:
    asyncio.run(stage.store.mailboxes.create("news+box@temp.example", now=NOW, owner_id=None))
    stage.run(lambda capture: capture.capture(RAW, "", ["news+box@temp.example"]))
    assert stage.rows() == [("news+box@temp.example", "news+box@temp.example")]


@pytest.mark.parametrize("recipients", [["a@out.example"], []])
def test_mail_for_nobody_here_is_refused(stage: Stage, recipients: list[str]) -> None:
    with pytest.raises(UnknownMailbox):
        stage.run(lambda capture: capture.capture(RAW, "", recipients))
    assert stage.rows() == []


def test_where_mailboxes_are_not_created_unknown_ones_mean_the_catch_all(stage: Stage) -> None:
    asyncio.run(stage.store.mailboxes.create("known@temp.example", now=NOW, owner_id=None))
    recipients = ["unknown@temp.example", "known@temp.example"]
    stage.run(lambda capture: capture.capture(RAW, "", recipients, catch_all=CATCH_ALL), create_on_receipt=False)
    assert stage.rows() == [(CATCH_ALL, "unknown@temp.example"), ("known@temp.example", "known@temp.example")]


def test_a_forwarding_mailbox_hands_nothing_captured_on(stage: Stage) -> None:
    mailbox = asyncio.run(stage.store.mailboxes.create("box@temp.example", now=NOW, owner_id=None))
    asyncio.run(stage.store.mailboxes.set_forward([mailbox.id], "me@else.example"))
    stage.run(lambda capture: capture.capture(RAW, "", ["box@temp.example"]))
    assert asyncio.run(stage.store.outbox.find("1")) is None
    assert len(stage.rows()) == 1


@pytest.mark.parametrize(("size", "files"), [(999, 0), (1_000, 1)])
def test_a_large_body_is_in_a_file_and_a_small_one_is_not(stage: Stage, size: int, files: int) -> None:
    raw = RAW + b"m" * (size - len(RAW))
    stage.run(lambda capture: capture.capture(raw, "", ["box@temp.example"]))
    assert len(list(stage.folder.iterdir())) == files


def test_without_room_nothing_is_taken(stage: Stage) -> None:
    with pytest.raises(NoRoom):
        stage.run(lambda capture: capture.capture(b"x" * 2_001, "", ["box@temp.example"]))
    stage.run(lambda capture: capture.capture(RAW + b"m" * (2_000 - len(RAW)), "", ["box@temp.example"]))
    assert len(stage.rows()) == 1


@pytest.mark.parametrize(
    ("failure", "files"), [(UnknownMailbox("none"), 0), (StoreUnavailable("perhaps committed"), 1)]
)
def test_a_file_stays_only_where_its_mail_may_be_committed(stage: Stage, failure: Exception, files: int) -> None:
    stage.fail = failure
    with pytest.raises(type(failure)):
        stage.run(lambda capture: capture.capture(LARGE, "", ["box@temp.example"]))
    assert len(list(stage.folder.iterdir())) == files
