"""A provider's server on loopback that answers in one scripted way, also in ways that no HTTP server does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Seen:
    """A request: its line, its headers with names in lower case, its body."""

    line: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Scripted:
    port: int
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    sent_bytes: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


async def read_request(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return Seen(head[0], headers, await reader.readexactly(int(headers.get("content-length", "0"))))


@contextlib.asynccontextmanager
async def scripted(play: "Callable[[Scripted], Script]") -> AsyncIterator[Scripted]:
    """Play a script on every connection until the end of the block; then all of them are closed."""
    tasks: set[asyncio.Task[None]] = set()
    server_side = Scripted(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server_side.connections += 1
        try:
            await play(server_side)(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, or the test is over
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    server_side.port = server.sockets[0].getsockname()[1]
    try:
        yield server_side
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await server.wait_closed()


def answering(raw: bytes) -> Callable[[Scripted], Script]:
    """Read a request, send `raw`, and close."""

    def play(server: Scripted) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server.seen.append(await read_request(reader))
            writer.write(raw)
            await writer.drain()

        return script

    return play


def silent(server: Scripted) -> Script:
    """Read a request and never answer."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.seen.append(await read_request(reader))
        await asyncio.Event().wait()

    return script


def deaf(server: Scripted) -> Script:
    """Take the connection and read nothing."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    return script


def dripping(server: Scripted) -> Script:
    """Begin an answer and go on with it byte by byte, for ever."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.seen.append(await read_request(reader))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.005)

    return script


def endless(server: Scripted) -> Script:
    """Answer with more than anybody wants to read."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.seen.append(await read_request(reader))
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"id":"1","more":"')
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            server.sent_bytes += 65536

    return script


def resetting(is_read_first: bool) -> Callable[[Scripted], Script]:
    """Reset the connection, before or after the request is read."""

    def play(server: Scripted) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if is_read_first:
                server.seen.append(await read_request(reader))
            else:
                await reader.readexactly(1)
            writer.transport.abort()

        return script

    return play
