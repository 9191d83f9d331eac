"""uvicorn's HTTP protocol with bounds on what comes before a handler: uvicorn has none of its own, so that anybody who
connects could fill the memory with one endless header, or hold connections that never ask for anything.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_REFUSAL = b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LARGE = _REFUSAL % b"431 Request Header Fields Too Large"
_TOO_LATE = _REFUSAL % b"408 Request Timeout"
_CHUNK_FRAMING_BYTES = 24
"""Around each chunk of a chunked body (RFC 9112 7.1): its size, two line ends, and room for a short extension."""


class BoundedHttp(HttpToolsProtocol):
    """Refuses a request whose first line and headers, or whose trailers, are over `max_head_bytes` before they end
    (431), and one that is not complete after `request_timeout_s` (408). What comes in one read of the socket (256 KB)
    is looked at together, so that a head may be larger by that much. A connection that asks for nothing at all is
    closed after the same time."""

    max_head_bytes = 64 << 10
    request_timeout_s = 60.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unread_bytes = 0
        self._waiting_since: float | None = None
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waiting_since = self.loop.time()
        self._watch_for(self.request_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unread_bytes += len(data)
        super().data_received(data)
        if self._unread_bytes > self.max_head_bytes:
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        self._waiting_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._unread_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unread_bytes = max(0, self._unread_bytes - len(body) - _CHUNK_FRAMING_BYTES)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unread_bytes = 0
        self._waiting_since = None
        super().on_message_complete()

    def _watch_for(self, seconds: float) -> None:
        """One timer for a connection, whatever comes on it: a timer for each request costs more than the parser."""
        self._watch = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        now = self.loop.time()
        if self._waiting_since is None:
            self._watch_for(self.request_timeout_s)
        elif self.flow.read_paused:
            # It is us who do not read on.
            self._waiting_since = now
            self._watch_for(self.request_timeout_s)
        elif (left_s := self._waiting_since + self.request_timeout_s - now) > 0:
            self._watch_for(left_s)
        else:
            self._refuse(_TOO_LATE)

    def _rest(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _refuse(self, answer: bytes) -> None:
        self._rest()
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(answer)
        self.transport.close()
