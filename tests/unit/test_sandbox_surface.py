"""What all sandboxes share: routes, bodies, held and broken answers, rates; and posting webhooks."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tempmail.adapters.webhooks import HttpPoster
from tempmail.clock import FakeClock
from tempmail.domain.sandbox import Fault, SandboxCredential
from tempmail.domain.sandbox_fields import MAX_JSON_CONTAINERS
from tempmail.domain.sandbox_providers import RESEND, SandboxProvider
from tempmail.errors import NoRoom, ProviderUnavailable
from tempmail.sandbox.rates import Rates
from tempmail.sandbox.router import Router
from tempmail.sandbox.surface import (
    MAX_LARGE_BODIES,
    SMALL_BODY_BYTES,
    Exchange,
    Kind,
    Refused,
    Reply,
    SurfaceApp,
    json_reply,
    read_json,
)
from tempmail.web.call import Visit

CREDENTIAL = SandboxCredential(
    id=1,
    provider="resend",
    name="",
    lookup="h",
    fields={},
    mailbox="all@temp.example",
    switches={"fault": "", "timeout_s": 30},
    webhook_url=None,
    webhook_secret=None,
    created_at="2025-11-20 12:00:00",
)


class Echo:
    """A surface that answers with the length of the body, or does as it is told."""

    provider: SandboxProvider = RESEND

    def __init__(self, limit: int = SMALL_BODY_BYTES) -> None:
        self.limit = limit
        self.failure: Exception | None = None
        self.fault: Fault | None = None
        self.gate: asyncio.Event | None = None
        self.working = 0

    async def answer(self, exchange: Exchange) -> Reply:
        exchange.credential = CREDENTIAL
        raw = await exchange.body(self.limit)
        self.working += 1
        if self.gate is not None:
            await self.gate.wait()
        self.working -= 1
        exchange.play(self.fault, now=0.0)
        if self.failure is not None:
            raise self.failure
        return json_reply(200, {"path": exchange.path, "base": exchange.base, "length": len(raw)})

    def refusal(self, exchange: Exchange, refused: Refused) -> Reply:
        return json_reply(400, {"refused": refused.kind})


class Call:
    """One request to an application; what was sent is in `sent`."""

    def __init__(self, body: bytes = b"", *, length: int | None = None, leaves: bool = False) -> None:
        self.sent: list[dict[str, Any]] = []
        self._messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
        self._leaves = leaves
        self._length = length

    async def __call__(self, app: SurfaceApp, path: str = "/sandbox/x/emails") -> "Call":
        headers = {b"host": b"server.example"}
        if self._length is not None:
            headers[b"content-length"] = str(self._length).encode()
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "tempmail.visit": Visit("id", headers, "192.0.2.1", https=True),
        }
        await app(scope, self._receive, self._send)
        return self

    async def _receive(self) -> dict[str, Any]:
        if self._messages:
            return self._messages.pop(0)
        if not self._leaves:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def app(surface: Echo, **options: Any) -> SurfaceApp:
    return SurfaceApp(surface, prefix="/sandbox/x", **options)


def test_a_surface_sees_its_own_path_and_its_own_url() -> None:
    call = asyncio.run(Call(b"abc")(app(Echo())))
    assert call.body == b'{"path":"/emails","base":"https://server.example/sandbox/x","length":3}'


@pytest.mark.parametrize(("extra", "taken"), [(0, True), (1, False)])
@pytest.mark.parametrize("is_announced", [True, False])
@pytest.mark.parametrize("limit", [10, SMALL_BODY_BYTES + 10])
def test_a_body_is_read_up_to_the_limit(extra: int, taken: bool, is_announced: bool, limit: int) -> None:
    body = b"x" * (limit + extra)
    call = asyncio.run(Call(body, length=len(body) if is_announced else None)(app(Echo(limit))))
    assert (b"length" in call.body) is taken
    assert (b"too large" in call.body) is not taken


def test_only_so_many_large_bodies_are_worked_on_at_a_time() -> None:
    async def case() -> tuple[int, int]:
        surface = Echo(SMALL_BODY_BYTES * 2)
        surface.gate = asyncio.Event()
        mounted = app(surface)
        large = [asyncio.create_task(Call(b"x", length=SMALL_BODY_BYTES + 1)(mounted)) for _ in range(5)]
        small = [asyncio.create_task(Call(b"x", length=1)(mounted)) for _ in range(5)]
        for _ in range(20):
            await asyncio.sleep(0)
        working = surface.working
        surface.gate.set()
        done = await asyncio.gather(*large, *small)
        return working, sum(b"length" in call.body for call in done)

    assert asyncio.run(case()) == (MAX_LARGE_BODIES + 5, 10)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Refused(Kind.RATE), Kind.RATE),
        (NoRoom("the disk is nearly full"), Kind.BUSY),
        (RuntimeError("a secret"), Kind.SERVER),
        (RecursionError(), Kind.SERVER),
    ],
)
def test_whatever_goes_wrong_has_the_surfaces_shape(failure: Exception, kind: Kind) -> None:
    surface = Echo()
    surface.failure, surface.fault = failure, Fault.CUT
    call = asyncio.run(Call()(app(surface)))
    assert call.body == b'{"refused":"%s"}' % kind.encode()


def test_a_held_answer_waits_for_its_time_or_for_its_client() -> None:
    async def case(*, leaves: bool) -> Call:
        surface = Echo()
        surface.fault = Fault.TIMEOUT
        released = asyncio.Event()
        held: list[float] = []

        async def hold(seconds: float) -> None:
            held.append(seconds)
            await released.wait()

        call = Call(leaves=leaves)
        task = asyncio.create_task(call(app(surface, hold=hold)))
        for _ in range(10):
            await asyncio.sleep(0)
        assert held == [30]
        assert bool(call.sent) is leaves, "a client that has gone holds nothing"
        released.set()
        return await task

    for leaves in (False, True):
        assert b"length" in asyncio.run(case(leaves=leaves)).body


def test_a_cut_answer_ends_in_its_middle() -> None:
    surface = Echo()
    surface.fault = Fault.CUT
    start, half = asyncio.run(Call()(app(surface))).sent
    assert half["more_body"] is True
    assert len(half["body"]) < int(dict(start["headers"])[b"content-length"])


async def _handler(exchange: Exchange, given: str, params: Mapping[str, str]) -> Reply:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/emails", {}),
        ("GET", "/emails/7", {"id": "7"}),
        ("GET", "/emails/batch", {}),
        ("POST", "/emails/7/cancel", {"id": "7"}),
        ("GET", "/messages/a/b@c", {"id": "a/b@c"}),
        ("GET", "/a.b", {}),
        ("GET", "/aXb", Kind.NO_ROUTE),
        ("GET", "/emails/", Kind.NO_ROUTE),
        ("GET", "/emails/7/8", Kind.NO_ROUTE),
        ("GET", "/messages/", Kind.NO_ROUTE),
        ("DELETE", "/emails", Kind.NO_METHOD),
        ("GET", "/emails/7/cancel", Kind.NO_METHOD),
    ],
)
def test_a_router_finds_what_a_request_is_for(method: str, path: str, found: Any) -> None:
    router = Router[str](
        {
            "GET /emails": _handler,
            "GET /emails/batch": _handler,
            "GET /emails/{id}": _handler,
            "POST /emails/{id}/cancel": _handler,
            "GET /messages/{id*}": _handler,
            "GET /a.b": _handler,
        }
    )
    exchange = Exchange(method, path, b"", {}, "", "", None, None)  # type: ignore[arg-type]
    if isinstance(found, Kind):
        with pytest.raises(Refused) as refused:
            router.find(exchange)
        assert refused.value.kind is found
    else:
        assert router.find(exchange)[1] == found


@pytest.mark.parametrize("raw", [b"", b"{", b"[" * 100_000, b"\xff", b'"\\ud800"', b"NaN"])
def test_what_is_no_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(Refused) as refused:
        asyncio.run(read_json(raw))
    assert refused.value.kind is Kind.MALFORMED


def test_a_json_text_of_too_many_values_is_not_read() -> None:
    raw = b"[" + b"{}," * MAX_JSON_CONTAINERS + b"{}]"
    with pytest.raises(Refused) as refused:
        asyncio.run(read_json(raw))
    assert refused.value.kind is Kind.TOO_LARGE


def test_any_second_has_as_many_calls_as_may_be() -> None:
    clock = FakeClock()
    rates = Rates(clock)

    assert [rates.count(1, 2).is_over for _ in range(3)] == [False, False, True]
    assert rates.count(2, 2).remaining == 1, "another credential has its own"
    clock.advance(0.999)
    assert rates.count(1, 2).is_over
    clock.advance(0.001)
    assert not rates.count(1, 2).is_over
    assert not any(rates.count(3, 0).is_over for _ in range(100))


def test_a_webhook_is_posted_as_it_is_and_its_status_told() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(302, headers={"location": "http://elsewhere.example/"})

    async def case() -> int:
        poster = HttpPoster(user_agent="tempmail/1", transport=httpx.MockTransport(answer))
        try:
            return await poster.post("http://app.example/hook", b"{}", {"svix-id": "m1"})
        finally:
            await poster.close()

    assert asyncio.run(case()) == 302
    [request] = asked
    assert (request.content, request.headers["svix-id"], request.headers["user-agent"]) == (b"{}", "m1", "tempmail/1")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1", "http://" + "a" * 300 + ".example/"])
def test_a_webhook_that_cannot_be_posted_says_so_without_its_url(url: str) -> None:
    async def case() -> None:
        poster = HttpPoster(user_agent="tempmail/1")
        try:
            await poster.post(url, b"{}", {})
        finally:
            await poster.close()

    with pytest.raises(ProviderUnavailable) as failed:
        asyncio.run(case())
    assert url not in str(failed.value)
