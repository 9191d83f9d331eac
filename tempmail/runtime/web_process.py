"""The process that answers HTTP and does the background work."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence

import uvicorn

from tempmail.errors import ObjectsUnavailable, StoreUnavailable
from tempmail.log import get_log
from tempmail.ports import Objects, Store
from tempmail.runtime import sandbox, sending, wiring
from tempmail.runtime.background import repeat
from tempmail.runtime.child import Life
from tempmail.runtime.demo import RENEW_S, Demonstration
from tempmail.runtime.http_protocol import BoundedHttp
from tempmail.runtime.site import Site
from tempmail.services.batch import GroupCommit
from tempmail.services.extraction import Extractor
from tempmail.services.forwarding import ForwardConsent
from tempmail.services.outbox_worker import OutboxWorker

_log = get_log("web")

HTTP_DRAIN_S = 5
BACKGROUND_DRAIN_S = 3.0
"""What an upload or a call to a provider under way gets to finish, after HTTP has; the supervisor's budget for the
whole stop is 10 s."""
MEASURE_S = 1.0
CHECKPOINT_S = 1.0
CAPSULES_LOOK_S = 1.0
RETENTION_LOOK_S = 60.0
LOOKUPS_LOOK_S = 5.0
REEXTRACT_LOOK_S = 60.0
RULES_LOOK_S = 2.0
STRAYS_S = 3600.0


class _Http(uvicorn.Server):
    """uvicorn's server, which leaves signals to this process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets=sockets)  # type: ignore[arg-type]
        self.listening.set()

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()


async def serve_web(site: Site, life: Life) -> None:
    """Answer HTTP and work in the background until `life.stop`; then finish what has begun, and return."""
    settings = site.settings
    store = await wiring.store(settings, site.clock, readers=2)
    objects = wiring.objects(settings)
    version = wiring.data_version(settings)
    guests = wiring.demonstration(settings, site.clock)
    routes = sending.routes(settings, site.clock)
    try:
        reader = wiring.extractor(store, site.clock)
        await reader.refresh()
        capture, commit = wiring.capture(site, store, reader)
        hasher = wiring.passwords(settings)
        credentials = wiring.sandboxes(settings, store, hasher, site.clock, version)
        sandboxes = sandbox.build(site, store, objects, credentials, hasher, capture)
        worker = wiring.outbox_worker(settings, store, objects, routes, site.clock, site.board.slot(site.web_slot))
        room = wiring.capacity(settings, site.board, site.clock)
        outbound = sending.Outbound(routes, worker, room.check)
        below = None if sandboxes is None else sandboxes.below
        capsules = wiring.capsule_worker(store, capture, site.clock)
        further = [
            sandbox.Work("capsules", capsules.run_once, CAPSULES_LOOK_S),
            *(() if sandboxes is None else sandboxes.works),
        ]
        await ask_targets(
            wiring.forward_consent(settings, store, site.clock), [rule.email for rule in settings.forward_rules]
        )
        app = wiring.web_app(site, store, objects, version, guests, outbound, below)
        config = uvicorn.Config(
            app,
            http=BoundedHttp,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=HTTP_DRAIN_S,
        )
        http = _Http(config)
        async with (
            _capturing(reader, commit, sandboxes, life.stop),
            _background(site, store, objects, guests, worker, further, life.stop),
            asyncio.TaskGroup() as tasks,
        ):
            tasks.create_task(http.serve(sockets=[site.http]))
            await http.listening.wait()
            life.ready()
            await life.stop.wait()
            http.should_exit = True
    finally:
        version.close()
        await routes.close()
        await objects.close()
        await store.close()


async def ask_targets(consent: ForwardConsent, targets: Sequence[str]) -> None:
    """Ask those that FORWARD_RULES name whether they want the mail. The server starts also where the question cannot be
    stored now: mail to them waits for their answer anyway, and the next start asks again."""
    try:
        for target in targets:
            await consent.ask(target)
    except StoreUnavailable as exc:
        _log.warning("forward.not_asked", exc=exc)


@contextlib.asynccontextmanager
async def _capturing(
    reader: Extractor, commit: GroupCommit, sandboxes: sandbox.Sandbox | None, stop: asyncio.Event
) -> AsyncIterator[None]:
    """What keeps mail that does not come by SMTP. On leaving, what is queued is committed."""

    async def refresh() -> int:
        await reader.refresh()
        return 0

    async with contextlib.AsyncExitStack() as stack:
        if sandboxes is not None:
            await stack.enter_async_context(sandboxes.running())
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(commit.run())
        stack.callback(commit.close)
        tasks.create_task(repeat("rules", refresh, idle_s=RULES_LOOK_S, stop=stop))
        yield


@contextlib.asynccontextmanager
async def _background(
    site: Site,
    store: Store,
    objects: Objects,
    guests: Demonstration | None,
    worker: OutboxWorker,
    further: Sequence[sandbox.Work],
    stop: asyncio.Event,
) -> AsyncIterator[None]:
    metrics = site.board.slot(site.web_slot)
    offloader = wiring.offloader(site.settings, store, objects, site.clock, metrics)
    retention = wiring.retention(site.settings, store, site.clock, metrics)
    reextraction = wiring.reextraction(site.settings, store, objects, site.clock, metrics)

    async def measure() -> int:
        await offloader.measure()
        await worker.measure()
        return 0

    async def checkpoint() -> int:
        await store.checkpoint()
        return 0

    async def retain() -> int:
        await retention.run_if_due()
        return 0

    works = (
        _check(objects),
        repeat("measure", measure, idle_s=MEASURE_S, stop=stop),
        repeat("checkpoint", checkpoint, idle_s=CHECKPOINT_S, stop=stop),
        repeat("offload", offloader.offload_round, idle_s=offloader.idle_s, stop=stop),
        repeat("deletes", offloader.delete_batch, idle_s=offloader.idle_s, stop=stop),
        worker.run(stop),
        repeat("lookups", worker.look_up, idle_s=LOOKUPS_LOOK_S, stop=stop),
        repeat("retention", retain, idle_s=RETENTION_LOOK_S, stop=stop),
        repeat("reextract", reextraction.run_if_due, idle_s=REEXTRACT_LOOK_S, stop=stop),
        repeat("strays", offloader.remove_strays, idle_s=STRAYS_S, stop=stop),
        *[repeat(work.name, work.do, idle_s=work.idle_s, stop=stop) for work in further],
        *([repeat("demonstration", guests.renew, idle_s=RENEW_S, stop=stop)] if guests is not None else []),
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
        yield
        _, hanging = await asyncio.wait(tasks, timeout=BACKGROUND_DRAIN_S)
        for task in hanging:
            task.cancel()


async def _check(objects: Objects) -> None:
    """Name what is wrong with the object store at once. Mail is taken all the same: it waits in the spool."""
    try:
        await objects.check()
    except ObjectsUnavailable as exc:
        _log.error("objects.unavailable", reason=str(exc), exc=exc)
    else:
        _log.info("objects.ready")
