"""Listening sockets, bound once by the supervisor before it gives up its privileges."""

import contextlib
import errno
import socket

from tempmail.errors import ConfigError
from tempmail.setting_values import Bind

BACKLOG = 1024


def listen(bind: Bind, variable: str, *, shared: bool = False) -> socket.socket:
    """A listening TCP socket. `shared`: others may listen on the same port, and the kernel spreads connections.

    Raises `ConfigError` that names the variable and what to do.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            bind.host or None, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with contextlib.ExitStack() as on_error:
            listener = on_error.enter_context(socket.socket(family, kind, proto))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            listener.setblocking(False)
            on_error.pop_all()
            return listener
    except OSError as exc:
        raise ConfigError([f"{variable}: cannot listen on {bind} ({exc.strerror}): {_hint(exc)}"]) from exc


def listen_per_worker(bind: Bind, variable: str, workers: int) -> list[socket.socket]:
    """One socket per worker on one port, so that a worker that dies loses its own sessions only: its socket stays
    open in the supervisor and its successor serves what waits there."""
    if workers > 1 and bind.port:
        # Sockets that may share a port would share it with another server too, and take half of its mail.
        listen(bind, variable).close()
    first = listen(bind, variable, shared=workers > 1)
    # Port 0 is chosen by the first bind; the others follow it.
    chosen = Bind(bind.host, first.getsockname()[1])
    return [first, *(listen(chosen, variable, shared=True) for _ in range(workers - 1))]


def _hint(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "ports below 1024 need root (with RUN_AS to give it up) or the capability CAP_NET_BIND_SERVICE."
    if error.errno == errno.EADDRINUSE:
        return "another program listens there; stop it or choose another port."
    return "choose an address of this machine."
