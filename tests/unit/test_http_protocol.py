"""Bounds on HTTP requests before a handler sees them, over real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from tempmail.runtime.http_protocol import BoundedHttp

HEAD_BYTES = 65_536
READ_BYTES = 256 << 10
ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n"

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes]]


class Hasty(BoundedHttp):
    request_timeout_s = 0.05


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"7")]})
    await send({"type": "http.response.body", "body": b"%07d" % size})


@contextlib.asynccontextmanager
async def serving(protocol: type[BoundedHttp]) -> AsyncIterator[tuple[str, int]]:
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None, access_log=False)
    config.load()
    state = uvicorn.server.ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(config, state, {}), "127.0.0.1", 0, family=socket.AF_INET)
    async with server:
        yield server.sockets[0].getsockname()[:2]
        for connection in list(state.connections):
            connection.transport.abort()


def talk(what: Talk, protocol: type[BoundedHttp] = BoundedHttp) -> bytes:
    async def run() -> bytes:
        async with serving(protocol) as (host, port), asyncio.timeout(20):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                return await what(reader, writer)
            finally:
                writer.close()

    return asyncio.run(run())


def status(answer: bytes) -> bytes:
    return answer.split(b" ", 2)[1] if answer else b""


@pytest.mark.parametrize(
    ("begin", "endless"),
    [
        (b"GET /", b"a" * 8192),
        (ASKED + b"x: ", b"a" * 8192),
        (ASKED, b"x: y\r\n" * 1024),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", b"x: y\r\n" * 1024),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: ", b"a" * 8192),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a" * 8192),
    ],
    ids=["path", "one header", "many headers", "many trailers", "one trailer", "chunk extension"],
)
def test_an_endless_head_ends_the_connection(begin: bytes, endless: bytes) -> None:
    sent = 0

    async def what(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        nonlocal sent
        writer.write(begin)
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                assert sent < HEAD_BYTES + 64 * READ_BYTES, "it goes on taking"
                writer.write(endless)
                sent += len(endless)
                await writer.drain()
                await asyncio.sleep(0)
        return b""

    talk(what)


def test_a_head_of_exactly_the_limit_is_served_and_one_byte_more_that_does_not_end_is_refused() -> None:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        filler = HEAD_BYTES - len(ASKED) - len(b"x: \r\n\r\n")
        writer.write(ASKED + b"x: " + b"a" * filler + b"\r\n\r\n")
        return await reader.readline()

    async def refused(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write((ASKED + b"x: ").ljust(HEAD_BYTES + 1, b"a"))
        return await reader.readline()

    assert status(talk(served)) == b"200"
    assert status(talk(refused)) == b"431"


def test_bodies_are_no_part_of_the_head_however_they_are_cut() -> None:
    async def in_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(200):
            writer.write(b"1\r\na\r\n" * 1000)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        return (await reader.readuntil(b"0200000"))[:15]

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"a" * 2_000_000)
        return (await reader.readuntil(b"2000000"))[:15]

    assert status(talk(in_chunks)) == b"200"
    assert status(talk(whole)) == b"200"


@pytest.mark.parametrize(
    ("begun", "answer"),
    [
        (b"", b"408"),
        (b"GET / HTTP/1.1\r\nHost", b"408"),
        # An answer of the handler may be under way: only the end of the connection tells.
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc", b""),
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_request_that_does_not_get_done_is_ended(begun: bytes, answer: bytes) -> None:
    async def what(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(begun)
        return await reader.read()

    assert status(talk(what, Hasty)) == answer


def test_each_request_of_a_connection_has_the_whole_time_and_no_more() -> None:
    waited_s = 0.0

    async def what(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        nonlocal waited_s
        loop = asyncio.get_running_loop()
        connected = loop.time()
        while loop.time() < connected + Hasty.request_timeout_s / 2:
            writer.write(ASKED + b"\r\n")
            await reader.readuntil(b"0000000")
        began = loop.time()
        writer.write(b"GET / HTTP/1.1\r\nHost")
        answer = await reader.read()
        waited_s = loop.time() - began
        return answer

    assert status(talk(what, Hasty)) == b"408"
    assert waited_s >= Hasty.request_timeout_s


def test_a_connection_that_waits_between_requests_is_ended_by_keep_alive_alone() -> None:
    async def what(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        answers = b""
        for _ in range(2):
            writer.write(ASKED + b"\r\n")
            answers += await reader.readuntil(b"0000000")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(4 * Hasty.request_timeout_s):
                    answers += await reader.read(1)
        return answers

    assert talk(what, Hasty).count(b"200 OK") == 2
