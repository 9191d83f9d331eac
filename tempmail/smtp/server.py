"""The SMTP server: listeners, sessions, the watch over time, and a clean end."""

import asyncio
import socket
import ssl
from collections.abc import Callable

from tempmail.clock import Clock
from tempmail.log import get_log
from tempmail.smtp.connections import ConnectionTable
from tempmail.smtp.options import Counters, SmtpOptions
from tempmail.smtp.receiver import Receiver
from tempmail.smtp.session import SessionContext, SmtpSession

SWEEP_INTERVAL_S = 1.0
_BACKLOG = 1024


class SmtpServer:
    """Serves SMTP on sockets that are given to it, in the running event loop (asyncio's or uvloop).

    One sweep per second looks for sessions past their deadline, so that no session needs a timer of its own.
    """

    def __init__(
        self,
        receiver: Receiver,
        options: SmtpOptions,
        tls: ssl.SSLContext | None,
        connections: ConnectionTable,
        metrics: Counters,
        clock: Clock,
    ) -> None:
        self._receiver = receiver
        self._options = options
        self._tls = tls
        self._connections = connections
        self._metrics = metrics
        self._clock = clock
        self._log = get_log("smtp")
        self.sessions: set[SmtpSession] = set()
        """Those open in this process."""
        self._listeners: list[asyncio.Server] = []
        self._next_sweep: asyncio.TimerHandle | None = None

    @property
    def session_count(self) -> int:
        """Open sessions in this process."""
        return len(self.sessions)

    async def start(self, sock: socket.socket, *, implicit_tls: bool = False) -> None:
        """Serve on a bound `sock`, which is the server's from now on. `implicit_tls`: TLS from the first byte
        (RFC 8314 3.3). May be called for several sockets."""
        if implicit_tls and self._tls is None:
            raise ValueError("implicit TLS needs a certificate")
        loop = asyncio.get_running_loop()
        new_session = self.session_factory(implicit_tls=implicit_tls)
        listener = await loop.create_server(new_session, sock=sock, backlog=_BACKLOG)
        self._listeners.append(listener)
        if self._next_sweep is None:
            self._next_sweep = loop.call_later(SWEEP_INTERVAL_S, self._sweep_again, loop)

    def session_factory(self, *, implicit_tls: bool = False) -> Callable[[], SmtpSession]:
        """What makes the protocol of each new connection. Call it in the running event loop."""
        context = self._context(self._tls if implicit_tls else None)
        loop = asyncio.get_running_loop()
        return lambda: SmtpSession(context, loop)

    def sweep(self) -> None:
        """End every session that is past its deadline, and tell the metrics how many there are."""
        self._metrics.set("smtp_sessions", len(self.sessions))
        now = self._clock.monotonic()
        for session in [session for session in self.sessions if session.deadline <= now]:
            session.expire()

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, tell idle sessions 421, let mails that are on their way end and be answered; close.

        What is not done within `timeout_s` is cut off: those clients got no 250 and will send again.
        """
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for session in self.sessions:
            session.drain()
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=timeout_s)
        if tasks := self._tasks():
            self._log.warning("drain.incomplete", sessions=len(tasks))
            for session in self.sessions:
                if session.transport is not None:
                    session.transport.abort()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if self._next_sweep is not None:
            self._next_sweep.cancel()
            self._next_sweep = None
        self._metrics.set("smtp_sessions", len(self.sessions))

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [session.task for session in self.sessions if session.task is not None]

    def _sweep_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self.sweep()
        self._next_sweep = loop.call_later(SWEEP_INTERVAL_S, self._sweep_again, loop)

    def _context(self, implicit_tls: ssl.SSLContext | None) -> SessionContext:
        options = self._options
        name = options.hostname
        extensions = ["PIPELINING", f"SIZE {options.max_message_bytes}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        in_clear = [*extensions, "STARTTLS"] if self._tls is not None else extensions
        return SessionContext(
            receiver=self._receiver,
            options=options,
            tls=self._tls,
            implicit_tls=implicit_tls,
            connections=self._connections,
            metrics=self._metrics,
            clock=self._clock,
            log=self._log,
            greeting=f"220 {name} ESMTP tempmail\r\n".encode("ascii"),
            helo_reply=f"250 {name}\r\n".encode("ascii"),
            ehlo_reply=_ehlo_reply(name, in_clear),
            ehlo_reply_tls=_ehlo_reply(name, extensions),
            sessions=self.sessions,
        )


def _ehlo_reply(hostname: str, extensions: list[str]) -> bytes:
    lines = [hostname, *extensions, "HELP"]
    return "".join(f"250{' ' if line == 'HELP' else '-'}{line}\r\n" for line in lines).encode("ascii")
