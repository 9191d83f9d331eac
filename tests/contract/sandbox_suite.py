"""A provider's sandbox over a real store, driven without a socket."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from tempmail.adapters.objects.folder import FolderObjects
from tempmail.adapters.sql.store import SqlStore, open_store
from tempmail.clock import FakeClock, stamp
from tempmail.domain.actor import Actor, Role
from tempmail.domain.address import ServedDomains
from tempmail.domain.messages import Message
from tempmail.domain.mime import ParsedMail, parse
from tempmail.domain.policy import grant
from tempmail.domain.sandbox import SandboxWork, Taken
from tempmail.errors import ProviderUnavailable
from tempmail.metrics import Board
from tempmail.sandbox.desk import Desk
from tempmail.sandbox.surface import Surface, SurfaceApp
from tempmail.services.batch import GroupCommit
from tempmail.services.bodies import Bodies
from tempmail.services.capacity import Capacity, CapacityLimits
from tempmail.services.capture import Capture
from tempmail.services.extraction import Extractor
from tempmail.services.incoming import Incoming
from tempmail.services.passwords import PasswordOptions, Passwords
from tempmail.services.sandbox_mails import Release, SandboxBatches, SandboxMails
from tempmail.services.sandbox_reports import SandboxReports
from tempmail.services.sandboxes import NewCredential, SandboxService
from tempmail.services.spool_files import SpoolFiles
from tempmail.web.context import Context
from tempmail.web.credentials import Proxies
from tempmail.web.routes import Below

T = TypeVar("T")

NOON = 1_763_640_000.0  # 2025-11-20 12:00:00
DOMAIN = "temp.example"
OPERATOR = Actor(Role.STRICT_ADMIN, "boss")


@dataclass
class Posts:
    """Where webhooks arrive. `statuses`: of the next answers; 200 when they are used up; 0: no answer."""

    taken: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.taken.append((url, body, headers))
        status = self.statuses.pop(0) if self.statuses else 200
        if not status:
            raise ProviderUnavailable("no answer")
        return status


@dataclass(frozen=True)
class Parts:
    """What a surface is made of."""

    service: SandboxService
    mails: SandboxMails
    store: SqlStore
    bodies: Bodies
    clock: FakeClock
    releases: dict[str, Release]
    hasher: Passwords

    def desk(self) -> Desk:
        return Desk(self.service, self.mails, self.hasher, clock=self.clock)


class Sandbox:
    """The sandbox that `make` gives, in this process. Use as a context manager; `run` is its event loop."""

    def __init__(
        self,
        folder: Path,
        make: Callable[[Parts], Surface],
        *,
        create_on_receipt: bool = True,
        spool_max_bytes: int = 1 << 30,
    ) -> None:
        self.clock = FakeClock(NOON)
        self.held_s: list[float] = []
        self.spooled_bytes = 0
        self.committing = asyncio.Event()
        self.may_commit = asyncio.Event()
        self.may_commit.set()
        self.releases: dict[str, Release] = {}
        self.posts = Posts()
        self._folder = folder
        self._make = make
        self._create_on_receipt = create_on_receipt
        self._spool_max_bytes = spool_max_bytes
        self._runner = asyncio.Runner()

    def __enter__(self) -> "Sandbox":
        with ExitStack() as stack:
            stack.enter_context(self._runner)
            self.database = self._folder / "tempmail.db"
            self.store = self.run(open_store(self.database, clock=self.clock))
            stack.callback(lambda: self.run(self.store.close()))
            objects = FolderObjects(self._folder / "objects")
            stack.callback(lambda: self.run(objects.close()))
            hasher = Passwords(PasswordOptions(time_cost=1, memory_kib=8))
            stack.callback(hasher.close)
            self.board = Board(1)
            metrics = self.board.slot(0)
            files = SpoolFiles(self._folder / "spool", self.clock)
            self.spool_folder = self._folder / "spool"
            self.bodies = Bodies(self.store.spool, files, objects)
            self.domains = ServedDomains([DOMAIN])
            commit = GroupCommit(self.store.mail.add_taken, metrics)
            self.batches = SandboxBatches(self._take, metrics)
            self.capture = Capture(
                mailboxes=self.store.mailboxes,
                commit=commit,
                domains=self.domains,
                incoming=Incoming(
                    capacity=Capacity(
                        self._folder,
                        CapacityLimits(0, self._spool_max_bytes),
                        spooled_bytes=lambda: self.spooled_bytes,
                        clock=self.clock,
                    ),
                    extractor=Extractor(self.store.rules, self.clock),
                    files=files,
                    clock=self.clock,
                ),
                clock=self.clock,
                metrics=metrics,
                create_on_receipt=self._create_on_receipt,
            )
            self.service = SandboxService(
                self.store.sandboxes, self.store.mailboxes, self.domains, hasher, clock=self.clock
            )
            self.mails = SandboxMails(
                self.store.sandboxes, self.capture, self.batches, clock=self.clock, releases=self.releases
            )
            self.reports = SandboxReports(self.store.sandboxes, self.posts, clock=self.clock)
            self.surface = self._make(
                Parts(self.service, self.mails, self.store, self.bodies, self.clock, self.releases, hasher)
            )
            self.provider = self.surface.provider
            prefix = f"/sandbox/{self.provider.name}"
            self.app = Starlette(
                routes=[Below(prefix, SurfaceApp(self.surface, prefix=prefix, hold=self._hold))],
                middleware=[Middleware(Context, proxies=Proxies(()), metrics=metrics)],
            )
            self.app.router.redirect_slashes = False
            self.http = httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
                base_url=f"http://server.example{prefix}",
            )
            stack.callback(lambda: self.run(self.http.aclose()))
            flushers = [self._runner.get_loop().create_task(each.run()) for each in (commit, self.batches)]

            async def stop() -> None:
                commit.close()
                self.batches.close()
                await asyncio.gather(*flushers)

            stack.callback(lambda: self.run(stop()))
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def _take(self, take: Callable[[], Sequence[SandboxWork]]) -> list[Taken]:
        """The store's, once it may be: a test can look at what waits."""
        self.committing.set()
        await self.may_commit.wait()
        return await self.store.sandboxes.take(take)

    async def _hold(self, seconds: float) -> None:
        self.held_s.append(seconds)

    def credential(self, **asked: Any) -> NewCredential:
        """A new credential; `asked`: as `SandboxService.create`."""
        granted = grant(OPERATOR, "sandbox.manage")
        return self.run(self.service.create(granted, self.provider.name, **asked))

    def switch(self, made: NewCredential, **switches: object) -> None:
        self.run(self.service.change(self.provider.name, made.credential.id, switches=switches))

    def request(self, method: str, path: str, **asked: Any) -> httpx.Response:
        return self.run(self.http.request(method, path, **asked))

    def raws(self, address: str) -> list[bytes]:
        """The raw mails of a mailbox, oldest first; none where there is no such mailbox."""
        return [self.run(self.bodies.read(message.r2_object_key)) for message in self.messages(address)]

    def messages(self, address: str) -> list[Message]:
        """The rows of a mailbox, oldest first."""
        mailbox = self.run(self.store.mailboxes.find(address))
        if mailbox is None:
            return []
        listed = self.run(self.store.mail.latest(mailbox.id, limit=100))
        return self.run(self.store.mail.get_many([each.id for each in listed]))

    def inbox(self, address: str) -> list[ParsedMail]:
        """What is in a mailbox, oldest first."""
        return [parse(raw) for raw in self.raws(address)]

    def total(self) -> int:
        """How many messages there are in all mailboxes."""
        return len(self.run(self.store.mail.get_many(range(1, 1_000))))

    def release_due(self) -> int:
        return self.run(self.mails.release_due())

    def stamp_in(self, seconds: float) -> str:
        return stamp(self.clock.now() + seconds)


def box() -> str:
    """An address here that nobody has used."""
    return f"{uuid4().hex[:12]}@{DOMAIN}"


def one_for_all(make: Callable[[Parts], Surface]) -> Any:
    """A fixture: one sandbox for those cases of a module that name all they touch and do not move its clock."""

    @pytest.fixture(scope="module")
    def fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
        with Sandbox(tmp_path_factory.mktemp("sandbox"), make) as opened:
            yield opened

    return fixture


def one_for_each(make: Callable[[Parts], Surface]) -> Any:
    """A fixture: a sandbox for every case."""

    @pytest.fixture
    def fixture(tmp_path: Path) -> Iterator[Sandbox]:
        with Sandbox(tmp_path, make) as opened:
            yield opened

    return fixture
