"""A TCP proxy on a free loopback port that can misbehave: refuse, hang, or cut a connection after so many bytes.

    with TcpProxy(("127.0.0.1", 5432)) as proxy:
        connect(proxy.host, proxy.port)
        proxy.hang()

It begins by passing everything. Each change of mode ends the connections that are open, so that kept-alive ones
meet the new mode too. It blocks in threads of its own: it can stand in front of any client, blocking or not.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Literal

Upstream = tuple[str, int] | str
"""A host and port, or the path of a Unix socket."""

_BLOCK_BYTES = 65536


class TcpProxy:
    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._lock = threading.Lock()
        self._accept: Callable[[socket.socket], None] = self._relay
        self._cut: tuple[Literal["requests", "answers"], int] | None = None
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self._reserved = _bound(("127.0.0.1", 0))
        self.host, self.port = self._reserved.getsockname()
        self.accepted = 0
        self._listen()

    def pass_all(self) -> None:
        self._set(self._relay, cut=None)

    def refuse(self) -> None:
        """Connections are refused; the port stays ours."""
        self._stop_listening()
        self._end_open()

    def hang(self) -> None:
        """Connections are accepted, nothing is read and nothing answered."""
        self._set(self._hold, cut=None)

    def cut_requests_after(self, size_bytes: int) -> None:
        """Each connection is cut once so many bytes went upstream."""
        self._set(self._relay, cut=("requests", size_bytes))

    def cut_answers_after(self, size_bytes: int) -> None:
        """Each connection is cut once so many bytes came back."""
        self._set(self._relay, cut=("answers", size_bytes))

    def close(self) -> None:
        self.refuse()
        self._reserved.close()
        for thread in self._threads:
            thread.join(timeout=10)

    def __enter__(self) -> "TcpProxy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set(
        self, accept: Callable[[socket.socket], None], *, cut: tuple[Literal["requests", "answers"], int] | None
    ) -> None:
        with self._lock:
            self._accept, self._cut = accept, cut
        self._end_open()
        if self._listener is None:
            self._listen()

    def _listen(self) -> None:
        # `_reserved` holds the number while nobody listens: a bound socket that never listens refuses.
        self._listener = _bound((self.host, self.port))
        self._listener.listen(128)
        self._start(self._accept_all, self._listener)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            self._listener.close()
            self._listener = None

    def _accept_all(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self.accepted += 1
                self._open.add(client)
                accept = self._accept
            accept(client)

    def _hold(self, client: socket.socket) -> None:
        """Nothing: the connection stays open and unread until the next change of mode."""

    def _relay(self, client: socket.socket) -> None:
        self._start(self._relay_both_ways, client)

    def _relay_both_ways(self, client: socket.socket) -> None:
        try:
            server = _connected(self._upstream)
        except OSError:
            self._end(client)
            return
        with self._lock:
            self._open.add(server)
            cut = self._cut
        answers = self._start(self._pump, server, client, cut[1] if cut and cut[0] == "answers" else None)
        self._pump(client, server, cut[1] if cut and cut[0] == "requests" else None)
        answers.join()
        self._end(client)
        self._end(server)

    def _pump(self, source: socket.socket, sink: socket.socket, left_bytes: int | None) -> None:
        try:
            while block := source.recv(_BLOCK_BYTES):
                if left_bytes is not None:
                    block = block[:left_bytes]
                    left_bytes -= len(block)
                sink.sendall(block)
                if left_bytes == 0:
                    break
            else:
                sink.shutdown(socket.SHUT_WR)
                return
        except OSError:  # one of the two ends is gone: so is the connection
            pass
        self._end(source)
        self._end(sink)

    def _end_open(self) -> None:
        with self._lock:
            open_now = list(self._open)
        for connection in open_now:
            self._end(connection)

    def _end(self, connection: socket.socket) -> None:
        with self._lock:
            if connection not in self._open:
                return
            self._open.discard(connection)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
        connection.close()

    def _start(self, act: Callable[..., None], *args: object) -> threading.Thread:
        thread = threading.Thread(target=act, args=args, daemon=True, name="tcp-proxy")
        with self._lock:
            self._threads = [*(t for t in self._threads if t.is_alive()), thread]
            thread.start()
        return thread


def _bound(address: tuple[str, int]) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(address)
    return bound


def _connected(upstream: Upstream) -> socket.socket:
    if isinstance(upstream, tuple):
        return socket.create_connection(upstream, timeout=None)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(upstream)
    except OSError:
        connection.close()
        raise
    return connection
