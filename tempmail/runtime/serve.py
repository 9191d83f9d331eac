"""`tempmail serve`: from settings to running processes."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

import uvloop

from tempmail import extract
from tempmail.clock import SystemClock
from tempmail.errors import ConfigError, ObjectsUnavailable
from tempmail.log import configure_logging, get_log
from tempmail.runtime import wiring
from tempmail.runtime.child import Control, Life, live, run_alone
from tempmail.runtime.site import Site, prepare
from tempmail.runtime.smtp_process import serve_smtp
from tempmail.runtime.supervisor import Role, Supervisor
from tempmail.runtime.web_process import serve_web
from tempmail.settings import Settings

_log = get_log("server")

WEB = "web"

_FIRST_MAIL = b"Subject: code 123456\r\nContent-Type: text/html\r\n\r\n<p>Your code is <b>123456</b></p>"
"""Read before the processes start, so that they share its tables and no real mail waits for them."""


def serve(settings: Settings, created_secrets: Mapping[str, str]) -> int:
    """Run the server until it is told to stop; returns the exit code. Raises `ConfigError` before anything serves."""
    alone = settings.smtp_workers == 0
    configure_logging(settings.log_level, settings.log_format, "server" if alone else "supervisor", sys.stderr)
    os.umask(0o077)  # mails and secrets are nobody else's to read
    site = prepare(settings, SystemClock())
    _check_objects(settings)
    _show_secrets(settings, created_secrets)
    extract(_FIRST_MAIL)
    return _serve_alone(site) if alone else _serve_supervised(site)


def _check_objects(settings: Settings) -> None:
    """A fault that no later moment would mend stops the start, instead of each process in turn."""
    try:
        wiring.objects(settings)
    except ObjectsUnavailable as exc:
        raise ConfigError([f"OBJECTS_URL: {exc}"]) from exc


def _serve_supervised(site: Site) -> int:
    metrics = site.board.slot(site.supervisor_slot)
    supervisor = Supervisor(
        [*(_smtp_role(site, slot) for slot in range(site.workers)), _web_role(site)],
        on_change=lambda ready: metrics.set("smtp_workers_ready", sum(name != WEB for name in ready)),
        on_restart=lambda: metrics.add("process_restarts_total"),
        on_ready=lambda: _announce(site),
        on_stop=site.close_listeners,
    )
    return supervisor.run()


def _serve_alone(site: Site) -> int:
    ready: list[str] = []

    def one_more(name: str) -> None:
        ready.append(name)
        if len(ready) == 2:
            _announce(site)

    def smtp_ready() -> None:
        site.board.slot(site.supervisor_slot).set("smtp_workers_ready", 1)
        one_more("smtp")

    async def both(life: Life) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve_smtp(site, 0, Life(life.stop, smtp_ready)))
            tasks.create_task(serve_web(site, Life(life.stop, lambda: one_more(WEB))))

    uvloop.run(run_alone(both))
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by returning: the interpreter would wait for threads whose request to the object store hangs.
    os._exit(0)


def _smtp_role(site: Site, slot: int) -> Role:
    name = f"smtp-{slot}"

    def run(control: Control) -> None:
        _configure_child(site, name)
        site.close_listeners(keep=[site.smtp[slot], *site.smtps[slot : slot + 1]])
        uvloop.run(live(lambda life: serve_smtp(site, slot, life), control))

    def died() -> None:
        site.connection_table(slot).clear(slot)
        site.board.slot(slot).set("smtp_sessions", 0)

    return Role(name, run, died)


def _web_role(site: Site) -> Role:
    def run(control: Control) -> None:
        _configure_child(site, WEB)
        site.close_listeners(keep=[site.http])
        uvloop.run(live(lambda life: serve_web(site, life), control))

    return Role(WEB, run, lambda: None)


def _configure_child(site: Site, role: str) -> None:
    configure_logging(site.settings.log_level, site.settings.log_format, role, sys.stderr)


def _announce(site: Site) -> None:
    _log.info(
        "server.ready",
        http=_where(site.http.getsockname()),
        smtp=_where(site.smtp[0].getsockname()),
        smtps=_where(site.smtps[0].getsockname()) if site.smtps else "off",
        domains=",".join(site.settings.mail_domain),
        workers=site.settings.smtp_workers,
    )


def _where(address: Sequence[object]) -> str:
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def _show_secrets(settings: Settings, created: Mapping[str, str]) -> None:
    """Once, on the console and never in the log: it may be collected by others."""
    if not created:
        return
    lines = ["", f"First start: these were made for you, and are kept in {settings.data_dir / 'secrets.toml'}."]
    if "ADMIN_PASSWORD" in created:
        lines.append(f"  log in as    {settings.admin_name} / {created['ADMIN_PASSWORD']}")
    if "JWT_TOKEN" in created:
        lines.append(f"  root token   {created['JWT_TOKEN']}")
    print("\n".join([*lines, ""]), flush=True)  # noqa: T201 - the console is where it belongs
