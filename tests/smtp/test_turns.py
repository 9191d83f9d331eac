"""A fast client takes turns with the others: seen from a transport, since no loopback client is fast for sure."""

import asyncio

from tempmail.smtp.session import SmtpSession
from tempmail.smtp.wire import BURST_BYTES, HIGH_WATER
from tests.smtp.serving import run, serving


class RecordingTransport(asyncio.Transport):
    """The server's end of a connection that is not there."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1)})
        self.protocol: SmtpSession | None = None
        self.said = b""
        self._is_paused = False
        self._is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.said += data

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False

    def is_reading(self) -> bool:
        return not self._is_paused

    def is_closing(self) -> bool:
        return self._is_closed

    def close(self) -> None:
        self._is_closed = True
        assert self.protocol is not None
        asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def connect(session: SmtpSession) -> RecordingTransport:
    transport = RecordingTransport()
    transport.protocol = session
    session.connection_made(transport)
    return transport


TO_DATA = b"HELO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<box@temp.example.com>\r\nDATA\r\n"


def test_a_mail_is_taken_in_bursts() -> None:
    async def main() -> None:
        async with serving() as host:
            session = host.new_session()
            transport = connect(session)
            session.data_received(TO_DATA)
            await settle()
            assert b"354 " in transport.said
            session.data_received(b"x" * BURST_BYTES)
            assert transport.is_reading()
            session.data_received(b"x")
            assert not transport.is_reading()
            await settle()
            assert transport.is_reading()
            session.data_received(b"\r\n.\r\nQUIT\r\n")
            await host.until_sessions(0)
            assert len(host.receiver.mails[0].raw) == BURST_BYTES + 3
            assert transport.said.endswith(b"221 2.0.0 Bye\r\n")

    run(main())


def test_a_client_ahead_of_its_session_is_made_to_wait() -> None:
    async def main() -> None:
        async with serving() as host:
            session = host.new_session()
            transport = connect(session)
            session.data_received(b"NOOP\r\n" * (HIGH_WATER // 6))
            assert transport.is_reading()
            session.data_received(b"NOOP\r\n")
            assert not transport.is_reading()
            while not transport.is_reading():  # noqa: ASYNC110 what is awaited is the session's own progress
                await asyncio.sleep(0)
            session.data_received(b"QUIT\r\n")
            await host.until_sessions(0)
            assert transport.said.count(b"250 2.0.0 Ok\r\n") == HIGH_WATER // 6 + 1

    run(main())
