"""What all processes of one server share, made once before any of them starts."""

import mmap
import os
import pwd
import secrets
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tempmail.adapters.sql.migrate import migrate
from tempmail.clock import Clock
from tempmail.errors import ConfigError
from tempmail.log import get_log
from tempmail.metrics import Board
from tempmail.runtime.sockets import listen, listen_per_worker
from tempmail.settings import Settings
from tempmail.smtp.connections import ConnectionTable, shared_buffer
from tempmail.smtp.tls import server_context

_log = get_log("site")

SPOOL_FOLDER = "spool"


@dataclass(frozen=True, slots=True)
class Site:
    """`workers`: how many SMTP processes (1 where everything runs in one). Slots of `board`: one per SMTP process,
    then the web process, then the supervisor. `smtps` is empty where implicit TLS is off."""

    settings: Settings
    clock: Clock
    workers: int
    board: Board
    tls: ssl.SSLContext | None
    connections: mmap.mmap
    connection_seed: bytes
    http: socket.socket
    smtp: list[socket.socket]
    smtps: list[socket.socket]

    @property
    def web_slot(self) -> int:
        return self.workers

    @property
    def supervisor_slot(self) -> int:
        return self.workers + 1

    def close_listeners(self, *, keep: Sequence[socket.socket] = ()) -> None:
        """Let go of the listening sockets in this process. A port is closed when the last process has let go of it:
        until then the kernel takes connections that nobody will serve."""
        for listener in (self.http, *self.smtp, *self.smtps):
            if listener not in keep:
                listener.close()

    def connection_table(self, slot: int) -> ConnectionTable:
        """The connection counts as the process of `slot` writes them."""
        return ConnectionTable(
            self.connections,
            slots=self.workers,
            slot=slot,
            seed=self.connection_seed,
            max_total=self.settings.max_connections,
            max_per_address=self.settings.max_connections_per_address,
        )


def prepare(settings: Settings, clock: Clock) -> Site:
    """Read the certificate, bind the ports, make the folders, give up root, bring the database up to date.

    Raises `ConfigError`.
    """
    workers = max(1, settings.smtp_workers)
    site = Site(
        settings=settings,
        clock=clock,
        workers=workers,
        board=Board(workers + 2),
        tls=_tls(settings),
        connections=shared_buffer(workers),
        connection_seed=secrets.token_bytes(16),
        http=listen(settings.http_bind, "HTTP_BIND"),
        smtp=listen_per_worker(settings.smtp_bind, "SMTP_BIND", workers),
        smtps=listen_per_worker(settings.smtps_bind, "SMTPS_BIND", workers) if settings.smtps_bind else [],
    )
    make_data_dir(settings)
    if settings.run_as:
        _become(settings.run_as, settings.data_dir)
    prepare_storage(settings, clock)
    return site


def prepare_storage(settings: Settings, clock: Clock) -> None:
    """Folders and an up-to-date database: what commands beside `serve` need too. Raises `ConfigError`."""
    make_data_dir(settings)
    for folder in (settings.data_dir / SPOOL_FOLDER, settings.database_url.path.parent):
        _make_folder(folder)
    for migration in migrate(settings.database_url.path, clock):
        _log.info("database.migrated", version=migration.version, name=migration.name)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """The certificate that the SMTP server shows, read while this is still root; None where TLS is off."""
    if settings.smtp_tls_cert is None or settings.smtp_tls_key is None:
        return None
    return server_context(settings.smtp_tls_cert, settings.smtp_tls_key)


def make_data_dir(settings: Settings) -> None:
    _make_folder(settings.data_dir)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(
            [f"DATA_DIR: the folder {folder} cannot be made ({exc.strerror}): choose one that this user may write."]
        ) from exc
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError([f"DATA_DIR: {folder} is not writable for this user: change its owner or choose another."])


def _become(user: str, data_dir: Path) -> None:
    """Give up root for good. The data directory goes to the user, so that a first start needs no preparation."""
    if os.geteuid() != 0:
        return
    account = pwd.getpwnam(user)
    for folder, _, files in os.walk(data_dir):
        os.chown(folder, account.pw_uid, account.pw_gid)
        for name in files:
            os.lchown(os.path.join(folder, name), account.pw_uid, account.pw_gid)  # noqa: PTH118 - as os.walk gives it
    os.initgroups(user, account.pw_gid)
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
