"""A worker with fake providers over a real store in memory, and a clock that stands still."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from tempmail.adapters.sql import SqlStore
from tempmail.adapters.sql.memory import MemoryDatabase
from tempmail.clock import FakeClock, parse_stamp
from tempmail.domain.outbound import OutboundMessage
from tempmail.metrics import Board
from tempmail.ports.outbound import Outbox, OutboxCall, OutboxDetail, OutboxMail
from tempmail.services.outbox_sending import Load
from tempmail.services.outbox_worker import OutboxWorker, WorkerOptions
from tests.fake_provider import FakeProvider, FakeRoutes, nothing
from tests.outbound_builders import new_outbound, sent_record
from tests.unit.test_background import JumpingLoop

T = TypeVar("T")
ROOMY_BYTES = 64 << 20


class Stage:
    """`chance` 1: every delay is as long as it can be."""

    def __init__(
        self, *providers: FakeProvider, forwarded: Load | None = None, options: WorkerOptions | None = None
    ) -> None:
        self.clock = FakeClock()
        self.store = SqlStore(MemoryDatabase(self.clock, max_bytes=ROOMY_BYTES))
        self.outbox = self.store.outbox
        self.routes = FakeRoutes(*providers)
        self.metrics = Board(1).slot(0)
        self.woken_at: list[float] = []
        self.while_asleep: Callable[[], Awaitable[object]] = nothing
        self.chance = 1.0
        self._loop = asyncio.Runner(loop_factory=JumpingLoop)
        self._forwarded, self._options = forwarded, options
        self.worker = self.new_worker()

    def new_worker(self, outbox: Outbox | None = None) -> OutboxWorker:
        """Another one on the same outbox, which remembers nothing."""
        return OutboxWorker(
            outbox=outbox or self.outbox,
            routes=self.routes,
            clock=self.clock,
            metrics=self.metrics,
            forwarded=self._forwarded,
            options=self._options,
            sleep=self._sleep,
            chance=lambda: self.chance,
        )

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run(work)

    def close(self) -> None:
        self.run(self.store.close())
        self._loop.close()

    def add(self, *to: str, message: OutboundMessage | None = None, **changes: Any) -> OutboxMail:
        new = new_outbound(*to, message=message, **changes)
        [mail] = self.run(self.outbox.add([new], [sent_record(new)]))
        return mail

    def work(self, *, after: float = 0.0) -> int:
        """Let the time pass and the worker send what is due then; how many mails it claimed."""
        self.clock.advance(after)
        return self.run(self.worker.run_once())

    def detail(self, mail: OutboxMail) -> OutboxDetail:
        found = self.run(self.outbox.get(mail.id))
        assert found is not None
        return found

    def now(self, mail: OutboxMail) -> OutboxMail:
        return self.detail(mail).mail

    def calls(self, mail: OutboxMail) -> tuple[OutboxCall, ...]:
        return self.detail(mail).calls

    def wait_of(self, mail: OutboxMail) -> float | None:
        """Seconds until the mail is looked at again; None: never."""
        due = self.now(mail).due
        return None if due is None else parse_stamp(due) - self.clock.now()

    async def _sleep(self, seconds: float) -> None:
        self.woken_at.append(self.clock.now() + seconds)
        self.clock.advance(seconds)
        await self.while_asleep()

    def counted(self, outcome: str) -> float:
        return self.metrics.board.total("outbox_calls_total", outcome)


Open = Callable[..., Stage]


def states(stage: Stage, mail: object) -> dict[str, str]:
    return {each.address: each.state.value for each in stage.detail(mail).recipients}  # type: ignore[arg-type]
