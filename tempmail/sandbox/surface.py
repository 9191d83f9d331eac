"""What all sandboxes share: one request in, one answer out, always in the provider's own shape.

A provider is one `Surface`. It is given an `Exchange` and returns a `Reply`, or raises `Refused`; what it refuses, what
it does not know and what goes wrong is shaped by its own `refusal`, so that no client ever sees another shape. How to
write one is in docs/sandboxes.md.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import msgspec
from starlette.types import Message, Receive, Scope, Send

from tempmail.domain.sandbox import REFUSING, Fault, SandboxCredential
from tempmail.domain.sandbox_fields import has_too_many_values
from tempmail.domain.sandbox_providers import SandboxProvider
from tempmail.errors import TooLarge, Transient
from tempmail.log import get_log
from tempmail.services.sandbox_mails import next_resets
from tempmail.web.call import Headers, Visit
from tempmail.web.endpoint import answer, read_body
from tempmail.web.problems import Malformed

_log = get_log("sandbox")

SMALL_BODY_BYTES = 1 << 20
MAX_LARGE_BODIES = 2
"""How many requests with a body of over `SMALL_BODY_BYTES`, or of unknown size, are worked on at a time: a body takes
many times its size until it is a mail."""
MAX_HELD = 200
"""How many answers are held at a time (the fault `timeout`); beyond it they are given at once."""
_IN_THREAD_BYTES = 256 << 10
_HTML = (
    b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
)


class Kind(StrEnum):
    """What a request is refused for, as far as the core tells."""

    NO_ROUTE = "no route"
    NO_METHOD = "no method"
    MALFORMED = "malformed"
    """The body is not what it should be."""
    TOO_LARGE = "too large"
    RATE = "rate"
    """Too many calls in a second."""
    DAY_QUOTA = "day quota"
    MONTH_QUOTA = "month quota"
    BUSY = "busy"
    """Nothing can be taken now."""
    SERVER = "server"
    """A fault of the server."""


class Refused(Exception):
    """The request is not served. `text`: more on it, for a person; public."""

    def __init__(self, kind: Kind, text: str = "", *, retry_after_s: int = 1) -> None:
        super().__init__(text or kind)
        self.kind = kind
        self.text = text
        self.retry_after_s = retry_after_s


def used_up(kind: Kind, now: float) -> Refused:
    """The refusal for a quota, of `DAY_QUOTA` or `MONTH_QUOTA`, that holds until its next reset. `now`: epoch
    seconds."""
    day_ends, month_ends = next_resets(now)
    return Refused(kind, retry_after_s=int((day_ends if kind is Kind.DAY_QUOTA else month_ends) - now) + 1)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `headers`: further ones, names in lower case."""

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


def json_reply(status: int, body: Any, *headers: tuple[bytes, bytes]) -> Reply:
    return Reply(status, msgspec.json.encode(body), headers=headers)


@dataclass(slots=True)
class Exchange:
    """One request. `path`: below the sandbox's own URL, decoded, with its first `/`. `base`: that URL. `credential`,
    `headers` and `fault` are the surface's to set: who calls, what every answer carries, and what goes wrong with it.
    `is_held`: the answer waits, though it is a refusal.
    """

    method: str
    path: str
    query: bytes
    given: Headers
    base: str
    address: str
    _receive: Receive
    _large: asyncio.Semaphore
    credential: SandboxCredential | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    fault: Fault | None = None
    is_held: bool = False
    _holds_slot: bool = False

    def header(self, name: bytes) -> str | None:
        """A request header, by its name in lower case."""
        value = self.given.get(name)
        return None if value is None else value.decode("latin-1")

    def bearer(self) -> str | None:
        """The token in `Authorization: Bearer …`."""
        scheme, _, token = (self.header(b"authorization") or "").partition(" ")
        return (token.strip() or None) if scheme.lower() == "bearer" else None

    async def body(self, limit: int = SMALL_BODY_BYTES) -> bytes:
        """The request's body. Raises `Refused` over `limit` bytes. Read it once, and for a large limit only after the
        credential is known."""
        announced = self.given.get(b"content-length", b"")
        is_small = announced.isdigit() and len(announced) < 18 and int(announced) <= SMALL_BODY_BYTES
        try:
            if is_small or limit <= SMALL_BODY_BYTES:
                return await read_body(self.given, self._receive, limit=limit)
            await self._large.acquire()
            self._holds_slot = True
            return await read_body(self.given, self._receive, limit=limit)
        except TooLarge as exc:
            raise Refused(Kind.TOO_LARGE, f"at most {limit} bytes") from exc
        except Malformed as exc:
            raise Refused(Kind.MALFORMED, exc.detail) from exc

    def release(self) -> None:
        """The request is dealt with, and its body needed no more."""
        if self._holds_slot:
            self._holds_slot = False
            self._large.release()

    def play(self, fault: Fault | None, *, now: float) -> Fault | None:
        """Do what `fault` says, as far as it is not the surface's own to do (`BOUNCE`): refuse, or spoil the answer to
        come. `now`: epoch seconds. Raises `Refused`."""
        if fault is Fault.QUOTA:
            raise used_up(Kind.DAY_QUOTA, now)
        if fault in REFUSING:
            self.is_held = fault is Fault.TIMEOUT_BEFORE
            raise Refused(_KINDS[fault], "as asked for by a fault switch or a recipient's tag")
        self.fault = fault
        return fault


_KINDS: Mapping[Fault | None, Kind] = {
    Fault.RATE: Kind.RATE,
    Fault.SERVER: Kind.SERVER,
    Fault.TIMEOUT_BEFORE: Kind.SERVER,
}


async def read_json(raw: bytes) -> Any:
    """The value of a JSON text, nested within reason. Raises `Refused`."""
    try:
        return _read_json(raw) if len(raw) <= _IN_THREAD_BYTES else await asyncio.to_thread(_read_json, raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise Refused(Kind.MALFORMED, "the body is not JSON") from exc


def _read_json(raw: bytes) -> Any:
    if has_too_many_values(raw):
        raise Refused(Kind.TOO_LARGE, "too many values")
    return msgspec.json.decode(raw)


class Surface(Protocol):
    """One provider's API."""

    @property
    def provider(self) -> SandboxProvider: ...

    async def answer(self, exchange: Exchange) -> Reply:
        """Raises `Refused`, or any error of `errors.py`."""
        ...

    def refusal(self, exchange: Exchange, refused: Refused) -> Reply:
        """`refused` as this provider says it."""
        ...


class SurfaceApp:
    """A surface as an ASGI application, mounted at `prefix`. `hold` waits for so many seconds; a test gives its own."""

    def __init__(
        self, surface: Surface, *, prefix: str, hold: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._surface = surface
        self._prefix = prefix
        self._hold = hold
        self._held = 0
        self._large = asyncio.Semaphore(MAX_LARGE_BODIES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit: Visit = scope["tempmail.visit"]
        host = visit.headers.get(b"host", b"").decode("latin-1")
        exchange = Exchange(
            method=scope["method"],
            path=scope["path"].removeprefix(self._prefix),
            query=scope["query_string"],
            given=visit.headers,
            base=f"{'https' if visit.https else 'http'}://{host}{self._prefix}",
            address=visit.address,
            _receive=receive,
            _large=self._large,
        )
        try:
            reply = await self._reply(exchange)
        finally:
            exchange.release()
        headers = [(b"content-type", reply.media_type.encode()), *exchange.headers, *reply.headers]
        if exchange.is_held or exchange.fault is Fault.TIMEOUT:
            await self._wait(exchange, receive)
        if exchange.fault is Fault.CUT:
            await _cut(send, reply, headers)
            return
        await answer(scope, send, reply.status, reply.body, headers)

    async def _reply(self, exchange: Exchange) -> Reply:
        try:
            reply = await self._surface.answer(exchange)
        except Refused as refused:
            exchange.fault = None
            return self._surface.refusal(exchange, refused)
        except Transient as exc:
            exchange.fault = None
            _log.warning("sandbox.busy", provider=self._surface.provider.name, path=exchange.path, exc=exc)
            return self._surface.refusal(exchange, Refused(Kind.BUSY))
        except Exception as exc:  # noqa: BLE001 - whatever goes wrong, a client gets its provider's shape
            exchange.fault = None
            _log.error("sandbox.failed", provider=self._surface.provider.name, path=exchange.path, exc=exc)
            return self._surface.refusal(exchange, Refused(Kind.SERVER))
        if exchange.fault is Fault.HTML:
            return Reply(200, _HTML, "text/html")
        return reply

    async def _wait(self, exchange: Exchange, receive: Receive) -> None:
        """Hold the answer for as long as the credential says, or until the client goes."""
        if self._held >= MAX_HELD or exchange.credential is None:
            return
        self._held += 1
        waiting = [
            asyncio.ensure_future(self._hold(exchange.credential.number("timeout_s"))),
            asyncio.ensure_future(_gone(receive)),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._held -= 1
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


async def _cut(send: Send, reply: Reply, headers: list[tuple[bytes, bytes]]) -> None:
    """Half of the answer, and no end: the server closes the connection."""
    headers = [*headers, (b"content-length", str(len(reply.body)).encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})
