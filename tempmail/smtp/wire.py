"""One SMTP connection below the level of commands: input, output, waiting, TLS."""

import asyncio
import contextlib
import ssl
from typing import cast

from aiosmtpd.smtp import SMTP

from tempmail.clock import Clock
from tempmail.smtp.data import DataReader

LINE_LIMIT = 1024
"""Octets of a command line with its CRLF. RFC 5321 4.5.3.1.4 asks for 512, extensions for some 60 more."""

HIGH_WATER = 65_536
"""Octets of unread input above which the client is made to wait."""

BURST_BYTES = 524_288
"""How much of a mail is taken before the others have a turn: 1 ms of work, 5 ms for a mail made of dots. libuv would
read up to 8 MB at a stretch from a fast client."""

TLS_HANDSHAKE_TIMEOUT_S = 30.0
LINGER_S = 2.0

NEVER = float("inf")


class Wire(SMTP):
    """The connection of one session.

    Of aiosmtpd it keeps the protocol class, `session`, `envelope` and the `smtp_*` methods as the places for commands.
    The stream reader under it is replaced: commands are cut out of one buffer, and DATA goes from the transport
    straight into a `DataReader`, so that a block costs a search or two, whatever its lines look like.

    One coroutine, the session's, waits for input, room to write, or the end. Everything that happens on the transport
    wakes it, and it looks for itself. Time is not watched here: `deadline` says until when the present wait may last,
    and whoever sweeps over the sessions calls `expire` after it.
    """

    # Deliberately not SMTP.__init__: it reflects over itself and the handler, 118 µs for every connection.
    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, idle_timeout_s: float) -> None:
        self.loop = loop
        self.clock = clock
        self.deadline = NEVER
        self.transport: asyncio.Transport | None = None
        self.is_tls = False
        self.is_eof = False
        self._idle_timeout_s = idle_timeout_s
        self._input = bytearray()
        self._output: list[bytes] = []
        self._data: DataReader | None = None
        self._data_deadline = NEVER
        self._burst_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._is_lost = False
        self._is_expired = False
        self._is_draining = False
        # A PROXY header or a TLS handshake is under way: no reply would be understood.
        self._is_mute = False
        self._is_discarding = False
        self._is_reading_paused = False
        self._is_writing_paused = False
        self._lines_in_a_row = 0

    # What happens on the transport.

    def data_received(self, data: bytes) -> None:
        if self._data is not None:
            self._feed(self._data, data)
            self._burst_bytes += len(data)
            if self._burst_bytes > BURST_BYTES and self.transport is not None:
                self.transport.pause_reading()
                self.loop.call_soon(self._end_burst)
            return
        if self._is_discarding:
            return
        received = self._input
        received += data
        if self._waiter is not None and (b"\n" in data or len(received) > LINE_LIMIT or self._is_mute):
            self._wake()
        # Not while TLS begins: its first data may come before `transport` is the protected one.
        if len(received) > HIGH_WATER and not (self._is_reading_paused or self._is_mute) and self.transport is not None:
            self._is_reading_paused = True
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        self.is_eof = True
        self._wake()
        # The other direction stays open for replies; TLS knows no half-closed connection.
        return not self.is_tls

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self.is_eof = self._is_lost = True
        self._wake()

    def pause_writing(self) -> None:
        self._is_writing_paused = True

    def resume_writing(self) -> None:
        self._is_writing_paused = False
        self._wake()

    # What others tell the session.

    def expire(self) -> None:
        """End what takes too long: an idle session is told so, one that cannot be told is cut off."""
        if self.transport is None:
            return
        if self._is_expired or self._is_writing_paused or self._is_mute or self._is_discarding:
            self.transport.abort()
            self.is_eof = self._is_lost = True
        self._is_expired = True
        self.deadline = NEVER
        self._wake()

    def drain(self) -> None:
        """Take no further command. A mail that is on its way may end and gets its reply."""
        self._is_draining = True
        self._wake()

    # What the session asks for.

    def _say(self, line: bytes) -> None:
        """Send `line` with the next flush."""
        self._output.append(line)

    async def _flush(self) -> None:
        """Hand the replies to the transport; wait while the client does not read them."""
        if self._output and self.transport is not None:
            output = self._output
            self.transport.write(output[0] if len(output) == 1 else b"".join(output))
            output.clear()
        if self._is_writing_paused:
            self.deadline = self.clock.monotonic() + self._idle_timeout_s
            while self._is_writing_paused and not self._is_lost:
                await self._wait()
            self.deadline = NEVER

    async def _read_line(self) -> bytes | None:
        """The next command line with whatever ended it, LF at least; cut to `LINE_LIMIT` + 1 octets where it is
        longer. None when there will be no more: the client is gone or silent, or the server drains."""
        received = self._input
        self._lines_in_a_row += 1
        if self._lines_in_a_row > 64:
            # A client that sends commands without pause must not keep the loop from the others.
            self._lines_in_a_row = 0
            await self._flush()
            await asyncio.sleep(0)
        too_long = b""
        deadline = 0.0
        while not (self._is_lost or self._is_draining or self._is_expired):
            end = received.find(b"\n")
            if end >= 0:
                line = too_long or bytes(received[: min(end, LINE_LIMIT) + 1])
                del received[: end + 1]
                self._resume_reading()
                self.deadline = NEVER
                return line
            if len(received) > LINE_LIMIT:
                too_long = too_long or bytes(received[: LINE_LIMIT + 1])
                received.clear()
                self._resume_reading()
            if self.is_eof:
                break
            self._lines_in_a_row = 0
            await self._flush()
            # Set once: a command that comes byte by byte gets no more time than a silent client.
            deadline = deadline or self.clock.monotonic() + self._idle_timeout_s
            self.deadline = deadline
            # The flush may have waited, and then something may have happened.
            if b"\n" not in received and not (self.is_eof or self._is_draining or self._is_expired):
                await self._wait()
        self.deadline = NEVER
        return None

    async def _read_data(self, *, max_bytes: int, timeout_s: float) -> DataReader | None:
        """One mail; None if the client went away or was too slow. Keeps what is pipelined after it."""
        await self._flush()
        now = self.clock.monotonic()
        self._data_deadline = now + timeout_s
        self.deadline = min(self._data_deadline, now + self._idle_timeout_s)
        reader = self._data = DataReader(max_bytes)
        early = bytes(self._input)
        self._input.clear()
        if early:
            self._feed(reader, early)
        self._resume_reading()
        while self._data is not None and not (self.is_eof or self._is_expired):
            await self._wait()
        is_over = self._data is None
        self._data = None
        self.deadline = NEVER
        return reader if is_over else None

    def _end_burst(self) -> None:
        self._burst_bytes = 0
        if self.transport is not None and not (self._is_reading_paused or self._is_mute or self.transport.is_closing()):
            self.transport.resume_reading()

    def _feed(self, reader: DataReader, block: bytes) -> None:
        if reader.feed(block):
            self._data = None
            self._input += reader.rest
            self._wake()
        else:
            self.deadline = min(self._data_deadline, self.clock.monotonic() + self._idle_timeout_s)

    async def _start_tls(self, context: ssl.SSLContext, received: bytes = b"") -> bool:
        """Shake hands; False if that failed, and the connection is over then.

        `received`: the beginning of the handshake, if it was read already. Input in the buffer is thrown away: it came
        unprotected (RFC 3207 6).
        """
        if self.transport is None or self._is_lost:
            return False
        plain = self.transport
        self._input.clear()
        self._is_reading_paused = False
        self._is_mute = self.is_tls = True
        self.deadline = self.clock.monotonic() + self._idle_timeout_s
        plain.pause_reading()
        upgrade = self.loop.create_task(self._wrap(plain, context))
        if received:
            # After the upgrade's first step, which starts the TLS protocol, and before its next read.
            await asyncio.sleep(0)
            self.loop.call_soon(_feed_tls, plain, received)
        try:
            protected = await upgrade
        except OSError:
            protected = None
        finally:
            self._is_mute = False
            self.deadline = NEVER
        # Some loops report a connection that was lost meanwhile as a transport of None, or as one that is closing.
        if protected is None or protected.is_closing():
            plain.abort()
            self.is_eof = self._is_lost = True
            return False
        self.transport = protected
        return True

    async def _wrap(self, plain: asyncio.Transport, context: ssl.SSLContext) -> asyncio.Transport | None:
        # On a connection that is lost already, a handshake would wait for its whole timeout.
        if plain.is_closing():
            return None
        return await self.loop.start_tls(
            plain, self, context, server_side=True, ssl_handshake_timeout=TLS_HANDSHAKE_TIMEOUT_S
        )

    async def _hang_up(self, *, linger: bool = False) -> None:
        """Send what is left. `linger`: the client is probably still sending; a close now would reset the connection
        and take the last reply with it, so wait a little for the client to read it and stop."""
        if self.transport is None or self._is_lost:
            return
        await self._flush()
        if linger and not (self.is_tls or self.is_eof):
            await self._linger(self.transport)

    async def _linger(self, transport: asyncio.Transport) -> None:
        self._discard_input()
        # A client that has reset the connection will never read the reply.
        with contextlib.suppress(OSError):
            transport.write_eof()
        self.deadline = self.clock.monotonic() + LINGER_S
        while not self.is_eof:
            await self._wait()
        self.deadline = NEVER

    async def _close(self) -> None:
        """Close, and wait until what was written is gone: till then the connection exists and counts."""
        if self.transport is None:
            return
        # The closing handshake of TLS has to be read too.
        self._discard_input()
        self.transport.close()
        self.deadline = self.clock.monotonic() + LINGER_S
        while not self._is_lost:
            await self._wait()

    def _discard_input(self) -> None:
        self._is_discarding = True
        self._input.clear()
        self._resume_reading()

    def _resume_reading(self) -> None:
        if self._is_reading_paused and self.transport is not None and len(self._input) <= HIGH_WATER // 2:
            self._is_reading_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    async def _wait(self) -> None:
        self._waiter = self.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _feed_tls(transport: asyncio.Transport, received: bytes) -> None:
    """Give bytes that were read before the upgrade to the TLS protocol that now owns `transport`."""
    if transport.is_closing():
        return
    protocol = transport.get_protocol()
    # asyncio's and uvloop's TLS are buffered protocols; uvloop's does not say so by its base class.
    buffered = cast(asyncio.BufferedProtocol, protocol)
    while received:
        buffer = memoryview(buffered.get_buffer(len(received)))
        size = min(len(buffer), len(received))
        buffer[:size] = received[:size]
        buffered.buffer_updated(size)
        received = received[size:]
