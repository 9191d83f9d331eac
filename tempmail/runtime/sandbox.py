"""The provider sandboxes of one server, put together: what answers, and what goes on beside it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from tempmail import __version__
from tempmail.adapters.webhooks import HttpPoster
from tempmail.domain.sandbox_providers import MAIL_PUSH
from tempmail.ports import Objects, Store
from tempmail.runtime import wiring
from tempmail.runtime.site import Site
from tempmail.sandbox.cyberpersons import Cyberpersons
from tempmail.sandbox.desk import Desk, release
from tempmail.sandbox.emailcar import EmailCar
from tempmail.sandbox.mail_push import MailPush
from tempmail.sandbox.nobase import Nobase
from tempmail.sandbox.resend import Resend
from tempmail.sandbox.sendflare import SendFlare
from tempmail.sandbox.surface import Surface, SurfaceApp
from tempmail.services.capture import Capture
from tempmail.services.passwords import Passwords
from tempmail.services.sandbox_log import SandboxLog
from tempmail.services.sandbox_mails import Release, SandboxBatches, SandboxMails
from tempmail.services.sandbox_reports import SandboxReports
from tempmail.services.sandbox_templates import SandboxTemplates
from tempmail.services.sandbox_totals import SandboxTotals
from tempmail.services.sandboxes import SandboxService

ROOT = "/sandbox"

DUE_S = 0.5
REPORTS_S = 1.0
PURGE_S = 600.0


@dataclass(frozen=True, slots=True)
class Work:
    """Something to do again and again (see `background.repeat`)."""

    name: str
    do: Callable[[], Awaitable[int]]
    idle_s: float


@dataclass(frozen=True, slots=True)
class Sandbox:
    """`below`: what answers, by the path that it answers below. `works` go on beside it."""

    below: Mapping[str, ASGIApp]
    works: tuple[Work, ...]
    batches: SandboxBatches
    poster: HttpPoster

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What takes mail while it answers; on leaving, what is queued is committed."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.batches.run())
            try:
                yield
            finally:
                self.batches.close()
                await self.poster.close()


def build(
    site: Site,
    opened: Store,
    opened_objects: Objects,
    service: SandboxService,
    hasher: Passwords,
    capture: Capture,
) -> Sandbox | None:
    """The sandboxes, unless the settings turn them off."""
    if not site.settings.sandbox:
        return None
    clock = site.clock
    batches = SandboxBatches(opened.sandboxes.take, site.board.slot(site.web_slot))
    releases: dict[str, Release] = {}
    mails = SandboxMails(opened.sandboxes, capture, batches, clock=clock, releases=releases)
    bodies = wiring.bodies(site.settings, opened, opened_objects, clock)
    resend = Resend(service, mails, opened.mail, bodies, clock=clock)
    releases[resend.provider.name] = resend.release
    desk = Desk(service, mails, hasher, clock=clock)
    totals = SandboxTotals(opened.sandbox_totals)
    log = SandboxLog(opened.sandbox_log, clock=clock)
    surfaces: tuple[Surface, ...] = (
        resend,
        SendFlare(desk),
        Cyberpersons(desk, totals),
        MailPush(desk, SandboxTemplates(opened.sandbox_templates, opened.sandboxes, clock=clock)),
        Nobase(desk, log),
        EmailCar(desk, totals),
    )
    releases[MAIL_PUSH.name] = release
    poster = HttpPoster(user_agent=f"tempmail/{__version__}")
    return Sandbox(
        below={path_of(surface): SurfaceApp(surface, prefix=path_of(surface)) for surface in surfaces},
        works=(
            Work("sandbox due", mails.release_due, DUE_S),
            Work("sandbox reports", SandboxReports(opened.sandboxes, poster, clock=clock).post_due, REPORTS_S),
            Work("sandbox purge", mails.purge, PURGE_S),
        ),
        batches=batches,
        poster=poster,
    )


def path_of(surface: Surface) -> str:
    return f"{ROOT}/{surface.provider.name}"
