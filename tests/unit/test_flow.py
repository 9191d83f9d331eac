"""The life of a message through the real parts, and the page that tells where each step is."""

import ast
import asyncio
import re
from pathlib import Path

import pytest

import tempmail
from tempmail.adapters.objects.folder import FolderObjects
from tempmail.adapters.sql import open_store
from tempmail.clock import FakeClock
from tempmail.domain.address import ServedDomains
from tempmail.domain.srs import SenderRewriting
from tempmail.metrics import Board
from tempmail.services.batch import GroupCommit
from tempmail.services.bodies import Bodies
from tempmail.services.capacity import Capacity, CapacityLimits
from tempmail.services.extraction import Extractor
from tempmail.services.incoming import Incoming
from tempmail.services.ingest import Ingest, IngestOptions
from tempmail.services.offload import Offloader
from tempmail.services.spool_files import SpoolFiles
from tempmail.services.verify import Verifier
from tests.builders import NOW, RAW, received

PACKAGE = Path(tempmail.__file__).parent
FLOW = PACKAGE.parent / "docs" / "flow.md"
PLACE = re.compile(r"`([a-z_0-9/*]+(?:/|\.py|\.sql))(?::([A-Za-z_.]+))?`")


def defined(path: Path) -> set[str]:
    """Functions, classes and methods (`Class.method`) of a module."""
    names = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{part.name}" for part in node.body if hasattr(part, "name")}
    return names


@pytest.mark.parametrize(("file", "name"), sorted(set(PLACE.findall(FLOW.read_text("utf-8")))))
def test_the_page_about_the_flow_names_only_what_exists(file: str, name: str) -> None:
    found = [*PACKAGE.glob(file), *PACKAGE.parent.glob(file)]
    assert found
    assert not name or name in defined(found[0])


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_mail_is_received_offloaded_read_deleted_and_leaves_nothing(
    tmp_path: Path, clock: FakeClock, large: bool
) -> None:
    raw = RAW + b"m" * 300_000 if large else RAW

    async def life() -> None:
        store = await open_store(tmp_path / "tempmail.db", clock=clock)
        objects = FolderObjects(tmp_path / "objects")
        files = SpoolFiles(tmp_path / "spool", clock)
        metrics = Board(1).slot(0)
        commit = GroupCommit(store.mail.add_taken, metrics)
        ingest = Ingest(
            mailboxes=store.mailboxes,
            commit=commit,
            domains=ServedDomains(["t.example"]),
            incoming=Incoming(
                capacity=Capacity(tmp_path, CapacityLimits(0, 1 << 30), spooled_bytes=lambda: 0, clock=clock),
                extractor=Extractor(store.rules, clock),
                files=files,
                clock=clock,
            ),
            clock=clock,
            metrics=metrics,
            options=IngestOptions(max_message_bytes=1 << 20),
            senders=SenderRewriting("root token"),
        )
        bodies = Bodies(store.spool, files, objects)
        offloader = Offloader(spool=store.spool, files=files, objects=objects, clock=clock, metrics=metrics)
        verifier = Verifier(store, objects, files, clock)
        flusher = asyncio.create_task(commit.run())

        recipients = [await ingest.rcpt(address) for address in ("News+Box@t.example", "b@t.example")]
        stored = await ingest.take(received(*recipients, raw=raw))
        assert len(await store.spool.file_names()) == int(large)
        for _ in ("spooled", "offloaded"):
            [message, other] = await store.mail.get_many(stored.message_ids)
            assert (message.mailbox_address, message.verification_code) == ("box@t.example", "482913")
            assert await bodies.read(other.r2_object_key) == raw
            assert [fault async for fault in verifier.faults(fix=False)] == []
            await offloader.offload_batch()
        assert await store.spool.size() == (0, 0)

        for message_id in stored.message_ids:
            await store.mail.delete(message_id, now=NOW)
        await offloader.delete_batch()
        assert [found async for found in objects.walk()] == []
        assert [fault async for fault in verifier.faults(fix=False)] == []
        assert await store.spool.pending_deletes() == 0
        assert list((tmp_path / "spool").iterdir()) == []

        commit.close()
        await flusher
        await objects.close()
        await store.close()

    asyncio.run(life())
