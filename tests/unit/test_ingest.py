"""Ingest: who is served, what is refused before it is taken, and what a taken mail becomes."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from tempmail.adapters.sql import SqlStore
from tempmail.clock import FakeClock
from tempmail.domain.address import ServedDomains
from tempmail.domain.messages import Message, ReceivedMail, Recipient, StoredMail
from tempmail.domain.srs import SenderRewriting
from tempmail.errors import BadRequest, NoRoom, NotServed, Overloaded, TempmailError, TooLarge, UnknownMailbox
from tempmail.metrics import Board
from tempmail.services.batch import BatchLimits, GroupCommit, Take
from tempmail.services.capacity import Capacity, CapacityLimits
from tempmail.services.extraction import NO_SUBJECT, OLDEST_CURRENT, Extractor
from tempmail.services.incoming import Incoming
from tempmail.services.ingest import Ingest, IngestOptions
from tempmail.services.spool_files import SpoolFiles
from tests.builders import NOW, RAW, received, recipient, rule_draft

T = TypeVar("T")

OPTIONS = IngestOptions(max_message_bytes=1000)
FILE_BYTES = 600


class Site:
    """A receiving side over the real store. `free_bytes` is what its disk has left; `go_on` holds commits up."""

    def __init__(self, store: SqlStore, folder: Path, clock: FakeClock, options: IngestOptions, max_queue: int) -> None:
        self.store = store
        self.spool = folder / "spool"
        self.free_bytes = 1 << 30
        self.board = Board(1)
        self.committing, self.go_on = asyncio.Event(), asyncio.Event()
        self.go_on.set()
        self.commit = GroupCommit(self._add, self.board.slot(0), BatchLimits(max_queue=max_queue))
        self.extractor = Extractor(store.rules, clock, thread_bytes=400)
        self.ingest = Ingest(
            mailboxes=store.mailboxes,
            commit=self.commit,
            domains=ServedDomains(["t.example", "*.wild.example"]),
            incoming=Incoming(
                capacity=Capacity(
                    folder,
                    CapacityLimits(disk_min_free_bytes=1000, spool_max_bytes=1 << 20, recheck_s=0),
                    spooled_bytes=lambda: 0,
                    clock=clock,
                    disk_free=lambda _: self.free_bytes,
                ),
                extractor=self.extractor,
                files=SpoolFiles(self.spool, clock),
                clock=clock,
                file_bytes=FILE_BYTES,
            ),
            clock=clock,
            metrics=self.board.slot(0),
            options=options,
            senders=SenderRewriting("root token"),
        )

    def run(self, case: Callable[[Ingest], Awaitable[T]]) -> T:
        """Run `case` beside the flusher, and commit what it leaves queued."""

        async def both() -> T:
            async with asyncio.timeout(5):
                flusher = asyncio.create_task(self.commit.run())
                try:
                    return await case(self.ingest)
                finally:
                    self.commit.close()
                    await flusher

        return asyncio.run(both())

    async def _add(self, take: Take) -> list[StoredMail]:
        batch = take()
        self.committing.set()
        await self.go_on.wait()
        return await self.store.mail.add(batch)

    def rcpt(self, address: str) -> Recipient:
        return self.run(lambda ingest: ingest.rcpt(address))

    def take(self, mail: ReceivedMail) -> list[Message]:
        """The rows that `mail` becomes."""
        stored = self.run(lambda ingest: ingest.take(mail))
        return asyncio.run(self.store.mail.get_many(stored.message_ids))


MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(store: SqlStore, tmp_path: Path, clock: FakeClock) -> MakeSite:
    def make(options: IngestOptions = OPTIONS, max_queue: int = 100) -> Site:
        return Site(store, tmp_path, clock, options, max_queue)

    return make


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site()


def padded(size_bytes: int) -> bytes:
    return RAW + b"." * (size_bytes - len(RAW))


def test_a_recipient_of_a_served_domain_keeps_its_case_and_names_its_mailbox(site: Site) -> None:
    assert site.rcpt("News+Box@T.Example") == Recipient(
        "News+Box@T.Example", "news+box@t.example", "box@t.example", may_create=True
    )
    assert site.rcpt("a@x.Wild.example").exact == "a@x.wild.example"


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("a@other.example", NotServed),
        ("a@t.example.evil.example", NotServed),
        ("a@wild.example", NotServed),
        ("a@b@other.example", NotServed),
        ("nothing", BadRequest),
        ("a@", BadRequest),
        ("@t.example", BadRequest),
        ("", BadRequest),
    ],
)
def test_any_other_recipient_is_refused(site: Site, address: str, error: type[TempmailError]) -> None:
    with pytest.raises(error):
        site.rcpt(address)


def test_capturing_takes_any_domain(make_site: MakeSite) -> None:
    site = make_site(IngestOptions(max_message_bytes=1000, capture_all=True))
    assert site.rcpt("a@anywhere.example").exact == "a@anywhere.example"


@pytest.mark.parametrize(
    ("existing", "to", "known"),
    [
        pytest.param("box@t.example", "box@t.example", True, id="itself"),
        pytest.param("box@t.example", "news.box@t.example", True, id="its-alias"),
        pytest.param("box@t.example", "boxes@t.example", False, id="neither"),
    ],
)
def test_without_creation_on_receipt_only_known_mailboxes_are_served(
    make_site: MakeSite, store: SqlStore, existing: str, to: str, known: bool
) -> None:
    asyncio.run(store.mailboxes.create(existing, now=NOW, owner_id=None))
    site = make_site(IngestOptions(max_message_bytes=1000, create_on_receipt=False))
    if known:
        assert site.rcpt(to).may_create is False
    else:
        with pytest.raises(UnknownMailbox):
            site.rcpt(to)


def test_no_recipient_is_taken_when_the_disk_is_nearly_full(site: Site) -> None:
    site.free_bytes = 999
    with pytest.raises(NoRoom):
        site.rcpt("a@t.example")
    site.free_bytes = 1000
    site.rcpt("a@t.example")


@pytest.mark.parametrize("size_bytes", [0, 1000])
def test_an_announced_size_up_to_the_limit_is_admitted(site: Site, size_bytes: int) -> None:
    site.ingest.admit(size_bytes)


def test_an_announced_size_past_the_limit_or_the_disk_is_refused(site: Site) -> None:
    with pytest.raises(TooLarge, match="1000"):
        site.ingest.admit(1001)
    site.free_bytes = 1000 + 3 * 100 - 1
    with pytest.raises(NoRoom):
        site.ingest.admit(100)


def test_a_taken_mail_is_a_finished_mail(site: Site) -> None:
    [message] = site.take(received("Box@t.example"))
    assert (message.sender, message.to_addrs, message.subject) == (
        "no-reply@shop.example",
        "Box@t.example",
        "Your code",
    )
    assert (message.received_at, message.is_read, message.size_bytes) == (NOW, 0, len(RAW))
    assert (message.verification_code, (message.preview or "").strip()) == ("482913", "Your code is 482913.")
    assert message.extraction is not None
    assert msgspec.json.decode(message.extraction)["code"] == "482913"
    entry = asyncio.run(site.store.spool.body(message.r2_object_key))
    assert entry is not None
    assert entry.body == RAW


def test_each_mailbox_gets_its_row_and_one_duration_is_counted(site: Site) -> None:
    rows = site.take(received("a@t.example", "b@t.example", "A@T.EXAMPLE"))
    assert [row.mailbox_address for row in rows] == ["a@t.example", "b@t.example"]
    assert b"tempmail_ingest_seconds_count 1.0" in site.board.render()


def test_a_mail_without_subject_sender_and_code_says_so(site: Site) -> None:
    [message] = site.take(received(raw=b"X-Nothing: here\r\n\r\n"))
    assert (message.subject, message.sender) == (NO_SUBJECT, "bounce@shop.example")
    assert (message.verification_code, message.extraction, message.preview) == (None, None, None)


def test_attachments_are_counted(site: Site) -> None:
    raw = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\n\r\nhello\r\n"
        b'--b\r\nContent-Disposition: attachment; filename="a.txt"\r\n\r\nx\r\n--b--\r\n'
    )
    assert site.take(received(raw=raw))[0].attachment_count == 1


@pytest.mark.parametrize("size_bytes", [399, 400, 599, 600, 1000])
def test_a_body_is_kept_whole_whichever_way_it_is_stored(site: Site, size_bytes: int) -> None:
    raw = padded(size_bytes)
    [message] = site.take(received(raw=raw))
    assert message.verification_code == "482913"
    entry = asyncio.run(site.store.spool.body(message.r2_object_key))
    assert entry is not None
    if size_bytes < FILE_BYTES:
        assert entry.body == raw
    else:
        assert entry.body is None
        assert [path.read_bytes() for path in site.spool.iterdir()] == [raw]
        assert [path.name for path in site.spool.iterdir()] == [entry.file_name]


def test_a_mail_that_no_longer_fits_is_refused_and_nothing_is_kept(site: Site) -> None:
    site.free_bytes = 1000 + 3 * len(RAW) - 1
    with pytest.raises(NoRoom):
        site.take(received())
    assert asyncio.run(site.store.spool.size()) == (0, 0)


REFUSED: dict[str, tuple[int, Recipient, type[TempmailError]]] = {
    "by-the-queue": (0, recipient("a@t.example"), Overloaded),
    "by-the-store": (100, recipient("unknown@t.example", may_create=False), UnknownMailbox),
}


@pytest.mark.parametrize(("max_queue", "to", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_a_large_mail_that_is_refused_leaves_no_spool_file(
    make_site: MakeSite, max_queue: int, to: Recipient, error: type[TempmailError]
) -> None:
    site = make_site(max_queue=max_queue)
    with pytest.raises(error):
        site.take(received(to, raw=padded(600)))
    assert list(site.spool.iterdir()) == []
    assert asyncio.run(site.store.spool.size()) == (0, 0)


def test_a_large_mail_whose_client_hung_up_during_the_commit_keeps_its_file(site: Site) -> None:
    async def hang_up(ingest: Ingest) -> None:
        site.go_on.clear()
        taking = asyncio.create_task(ingest.take(received(raw=padded(600))))
        await site.committing.wait()
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        site.go_on.set()

    site.run(hang_up)
    assert asyncio.run(site.store.spool.file_names()) == {path.name for path in site.spool.iterdir()}
    assert asyncio.run(site.store.spool.size()) == (1, 600)


@pytest.mark.parametrize(
    ("changes", "applies"),
    [
        ({"recipient_domain": "one.example"}, True),
        ({"recipient_domain": "shop.example"}, False),
        ({"sender": "bounce@shop.example"}, True),
    ],
    ids=["for-a-recipient", "for-others", "for-the-envelope-sender"],
)
def test_a_mail_is_read_by_the_rules_for_its_envelope_and_marked_with_their_version(
    site: Site, changes: dict[str, str], applies: bool
) -> None:
    asyncio.run(site.store.rules.add(rule_draft(**changes), now=NOW, limit=9))
    asyncio.run(site.extractor.refresh())
    mail = received("a@one.example", "b@two.example", raw=b"Subject: Hi\r\n\r\npass word: tulip\r\n")
    for row in site.take(mail):
        assert row.verification_code == ("tulip" if applies else None)
        assert ("rule 1 'Bank' v1" in (row.extraction or "")) is applies
        assert row.extraction_version == site.extractor.version == OLDEST_CURRENT + 1
