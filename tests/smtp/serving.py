"""A running SMTP server with a receiver that remembers, and a client that says exactly what it is told to."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme

from tempmail.clock import Clock, FakeClock
from tempmail.domain.messages import Recipient, StoredMail
from tempmail.errors import BadRequest, NoRoom, NotServed, Overloaded, StoreUnavailable, TooLarge, UnknownMailbox
from tempmail.smtp.connections import ConnectionTable, shared_buffer
from tempmail.smtp.options import SmtpOptions
from tempmail.smtp.receiver import ReceivedMail
from tempmail.smtp.server import SmtpServer
from tempmail.smtp.session import SmtpSession

PATIENCE_S = 10.0
"""How long a client waits for what must come at once. Only a failing test ever waits."""

SERVED_DOMAIN = "temp.example.com"
SECRET = "secret-of-the-server"

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def run(main: Coroutine[Any, Any, None], loop_factory: LoopFactory = asyncio.new_event_loop) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main)


@dataclass
class RememberingReceiver:
    """Keeps mails in a list. The local part of a recipient or of the sender chooses a failure."""

    mails: list[ReceivedMail] = field(default_factory=list)
    admitted: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    may_commit: asyncio.Event | None = None
    is_committing: asyncio.Event = field(default_factory=asyncio.Event)

    async def rcpt(self, address: str) -> Recipient:
        self.asked.append(address)
        local, _, domain = address.rpartition("@")
        if local == "broken":
            raise RuntimeError(SECRET)
        if local == "invalid":
            raise BadRequest("Only letters are allowed before the @")
        if local == "full":
            raise NoRoom(SECRET)
        if local == "busy":
            raise Overloaded(SECRET)
        if local == "unknown":
            raise UnknownMailbox
        if domain != SERVED_DOMAIN:
            raise NotServed
        return Recipient(address, address.lower(), address.lower())

    def admit(self, size_bytes: int) -> None:
        self.admitted.append(size_bytes)
        if size_bytes == 777:
            raise NoRoom(SECRET)

    async def take(self, mail: ReceivedMail) -> StoredMail:
        self.is_committing.set()
        if self.may_commit is not None:
            await self.may_commit.wait()
        local = mail.envelope_from.rpartition("@")[0]
        if local == "crash":
            raise RuntimeError(SECRET)
        if local == "down":
            raise StoreUnavailable(SECRET)
        if local == "large":
            raise TooLarge("The mail has too many parts")
        self.mails.append(mail)
        return StoredMail("key", (len(self.mails),), (1,))


class RememberingCounters:
    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], float] = {}

    def add(self, name: str, amount: float = 1, label: str = "") -> None:
        self.counts[name, label] = self.counts.get((name, label), 0) + amount

    def set(self, name: str, number: float, label: str = "") -> None:
        self.counts[name, label] = number


class Client:
    """One connection. Sends bytes, reads whole replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *blocks: bytes) -> None:
        """Send each block by itself; the server sees them apart as far as a network allows."""
        for block in blocks:
            self.writer.write(block)
            async with asyncio.timeout(PATIENCE_S):
                await self.writer.drain()
            await asyncio.sleep(0)

    async def reply(self) -> str:
        """The next whole reply, lines joined by LF; "" when the server closed the connection."""
        lines: list[str] = []
        while True:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    line = await self.reader.readline()
            except ConnectionError:
                line = b""
            if not line:
                return "\n".join(lines)
            assert line.endswith(b"\r\n"), line
            lines.append(line[:-2].decode("ascii"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    async def ask(self, command: bytes) -> str:
        await self.send(command + b"\r\n")
        return await self.reply()

    async def replies(self) -> list[str]:
        """All replies until the server closes."""
        found = []
        while reply := await self.reply():
            found.append(reply)
        return found

    async def start_tls(self, context: ssl.SSLContext) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.writer.start_tls(context, server_hostname="mx.temp.example.com")

    async def reach_data(self, *, sender: bytes = b"a@b.example", recipient: bytes = b"box@temp.example.com") -> None:
        """Say everything up to the reply to DATA."""
        await self.send(
            b"EHLO client.example\r\nMAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\n" % (sender, recipient),
        )
        codes = [(await self.reply())[:3] for _ in range(5)]
        assert codes == ["220", "250", "250", "250", "354"], codes

    async def close(self) -> None:
        self.writer.close()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.writer.wait_closed()
        except OSError:
            pass  # the server was first


class TlsByHand:
    """A client's TLS whose records go out exactly when and with what a test says."""

    def __init__(self, client: Client, context: ssl.SSLContext) -> None:
        self._client = client
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="mx.temp.example.com")

    async def shake_hands(self, *, before: bytes = b"", after: bytes = b"") -> None:
        """`before` goes out in one piece with the first flight, in the clear; `after` with the last, protected."""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._client.send(before + self._outgoing.read())
                before = b""
                await self._receive()
        if after:
            self._tls.write(after)
        await self._client.send(self._outgoing.read())

    async def read_until(self, end: bytes) -> bytes:
        """What the server said, up to and with `end`."""
        said = b""
        while not said.endswith(end):
            try:
                said += self._tls.read(65536)
            except ssl.SSLWantReadError:
                await self._receive()
        return said

    async def _receive(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            received = await self._client.reader.read(65536)
        assert received, "the server hung up"
        self._incoming.write(received)


@dataclass
class Serving:
    """What a test needs to know of the running server."""

    server: SmtpServer
    receiver: RememberingReceiver
    counters: RememberingCounters
    connections: ConnectionTable
    clock: Clock
    port: int

    @property
    def sessions(self) -> list[SmtpSession]:
        return list(self.server.sessions)

    def new_session(self) -> SmtpSession:
        """A session without a connection, as a listener would make it."""
        return self.server.session_factory()()

    @asynccontextmanager
    async def client(self, *, tls: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> AsyncIterator[Client]:
        name = "mx.temp.example.com" if tls else None
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.port, ssl=tls, server_hostname=name, local_addr=(source, 0)
            )
        client = Client(reader, writer)
        try:
            yield client
        finally:
            await client.close()

    async def until_sessions(self, count: int) -> None:
        """Return when `count` sessions are open."""
        async with asyncio.timeout(PATIENCE_S):
            while self.server.session_count != count:  # noqa: ASYNC110 the server has no such event, only a number
                await asyncio.sleep(0)


def listener() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


@asynccontextmanager
async def serving(
    options: SmtpOptions | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    implicit_tls: bool = False,
    receiver: RememberingReceiver | None = None,
    max_connections: int = 100,
    max_connections_per_address: int = 100,
    clock: Clock | None = None,
) -> AsyncIterator[Serving]:
    receiver = receiver or RememberingReceiver()
    counters = RememberingCounters()
    clock = clock or FakeClock()
    connections = ConnectionTable(
        shared_buffer(1),
        slots=1,
        slot=0,
        seed=b"seed",
        max_total=max_connections,
        max_per_address=max_connections_per_address,
    )
    options = options or SmtpOptions(hostname="mx.temp.example.com")
    server = SmtpServer(receiver, options, tls, connections, counters, clock)
    sock = listener()
    port = sock.getsockname()[1]
    try:
        await server.start(sock, implicit_tls=implicit_tls)
    except ValueError:
        sock.close()
        raise
    try:
        yield Serving(server, receiver, counters, connections, clock, port)
    finally:
        await server.drain(PATIENCE_S)
        assert server.session_count == 0
        assert connections.total == 0


@dataclass(frozen=True)
class Certificates:
    """A server's certificate for `mx.temp.example.com`, and a client that trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    ca: trustme.CA
    leaf: trustme.LeafCert
