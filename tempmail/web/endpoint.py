"""One declaration per endpoint: `@endpoint("GET /api/emails", action="mail.list", …)` over a typed handler.

A handler is `async def name(call: Call, query: …, path: …, body: …) -> …`, with those of the three that it needs, each
a msgspec Struct (or a list of them, or `body: bytes`, for what is not JSON), and returns a Struct, a list of them, or a
`Raw`. It tests no role, catches nothing and knows no status code. From the declaration come the route, the OpenAPI
entry, the policy's row of routes and the tests' list.
"""

import asyncio
import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, get_type_hints

import msgspec
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tempmail.domain.policy import ACTIONS, Reach, grant
from tempmail.errors import Forbidden, TooLarge
from tempmail.web.call import Call, Headers, Visit, WebServices
from tempmail.web.credentials import authenticate, from_another_site, session_cookie, throttle_key
from tempmail.web.lenient import Decoder
from tempmail.web.limits import Counted
from tempmail.web.problems import Malformed, problem_of

Handler = Callable[..., Awaitable[Any]]
Admit = Callable[[Call], Awaitable[None]]

_LARGE_AT_ONCE = 4
"""Requests to one endpoint with bodies over the server's own limit: what they hold in memory together is bounded."""
MAX_BRACES = 1_000_000
MAX_QUOTES = 4_000_000
"""In a body over the server's own limit, within texts too: each object and each string costs memory and time beyond
its bytes."""
_MAX_LENGTH_DIGITS = 18
_MAX_REMEMBERED_BYTES = 256
_READING = frozenset({"GET", "HEAD"})

_JSON = (b"content-type", b"application/json")
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is not JSON. `headers` override the server-wide ones of the same name."""

    body: bytes
    media_type: str
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that the endpoint answers with, for its documentation. `also`: further keys of that answer. `such_as`:
    an example of keys that the error itself carries."""

    status: int
    text: str
    also: Mapping[str, Any] | None = None
    such_as: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One declared endpoint. `media_type` is that of its success, `takes` that of its request body. `throttle`: what
    each call counts as (`limits.Limits`). `audited`: each call is recorded in the audit log, with what the handler
    names as `call.target`. `form`: the body may also be a form, or left out. `body_example`, `answer_example`: for the
    documentation, where none can be made of the fields' examples or it would not be true. `max_bytes`: of its body,
    where that is not the server's own limit. `admit`: raises before the body is read, where the caller may not call."""

    methods: tuple[str, ...]
    path: str
    action: str
    handler: Handler
    tag: str
    summary: str
    description: str
    query: type[msgspec.Struct] | None
    path_params: type[msgspec.Struct] | None
    body: Any
    returns: Any
    errors: tuple[Refusal, ...]
    media_type: str
    takes: str
    throttle: Counted | None
    audited: bool
    form: bool
    body_example: Any
    answer_example: Any
    max_bytes: int | None
    admit: Admit | None

    @property
    def name(self) -> str:
        return self.handler.__name__

    @property
    def routes(self) -> tuple[str, ...]:
        return tuple(f"{method} {self.path}" for method in self.methods)

    def also(self, status: int, text: str) -> Mapping[str, Any]:
        """The further keys of an error answer, as declared."""
        return next((r.also for r in self.errors if r.also and (r.status, r.text) == (status, text)), {})


def endpoint(
    route: str,
    *,
    action: str,
    tag: str,
    errors: tuple[Refusal, ...] = (),
    media_type: str = "application/json",
    takes: str = "application/json",
    throttle: Counted | None = None,
    audited: bool = False,
    form: bool = False,
    body_example: Any = None,
    answer_example: Any = None,
    max_bytes: int | None = None,
    admit: Admit | None = None,
) -> Callable[[Handler], Endpoint]:
    """Declare the endpoint at `route`: methods joined by `|`, a space, the path with `{name}` for its parameters.

    Raises KeyError for an action that the policy table lacks.
    """
    methods, _, path = route.partition(" ")
    _ = ACTIONS[action]

    def declare(handler: Handler) -> Endpoint:
        hints = get_type_hints(handler)
        summary, _, description = inspect.cleandoc(handler.__doc__ or "").partition("\n")
        return Endpoint(
            methods=tuple(methods.split("|")),
            path=path,
            action=action,
            handler=handler,
            tag=tag,
            summary=summary.rstrip("."),
            description=description.strip(),
            query=hints.get("query"),
            path_params=hints.get("path"),
            body=hints.get("body"),
            returns=hints["return"],
            errors=errors,
            media_type=media_type,
            takes=takes,
            throttle=throttle,
            audited=audited,
            form=form,
            body_example=body_example,
            answer_example=answer_example,
            max_bytes=max_bytes,
            admit=admit,
        )

    return declare


class Bound:
    """An endpoint joined with the services: an ASGI application for one route.

    The order: throttle by client, credential, policy, throttle by user, `admit`, input, handler, answer.
    """

    def __init__(self, declared: Endpoint, services: WebServices, *, max_json_bytes: int) -> None:
        self.endpoint = declared
        self._services = services
        self._max_bytes = declared.max_bytes or max_json_bytes
        self._small_bytes = max_json_bytes
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._public = ACTIONS[declared.action].public
        self._has_effects = not _READING.issuperset(declared.methods)
        self._query = None if declared.query is None else _remembering(Decoder(declared.query).decode)
        self._path = None if declared.path_params is None else Decoder(declared.path_params)
        self._has_body = declared.body is not None
        self._body: msgspec.json.Decoder[Any] | None = None
        self._form: Decoder[Any] | None = None
        if declared.body is not None and declared.body is not bytes:
            self._body = msgspec.json.Decoder(declared.body, strict=False)
            self._form = Decoder(declared.body) if declared.form else None
        self._encoder = msgspec.json.Encoder()

    def route(self) -> Route:
        """The Starlette route: these methods and no others (a GET here does not imply HEAD: some have effects)."""
        route = Route(self.endpoint.path, self, methods=list(self.endpoint.methods), name=self.endpoint.name)
        route.methods = set(self.endpoint.methods)
        return route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit: Visit = scope["tempmail.visit"]
        call = await self._admit(visit)
        if self.endpoint.audited and call.world is self._services.world:
            kind, body = await self._recorded(call, scope, receive)
        else:
            kind, body = await self._handle(call, scope, receive)
        await answer(scope, send, 200, body, [kind, *call.answer_headers])

    async def _handle(self, call: Call, scope: Scope, receive: Receive) -> tuple[tuple[bytes, bytes], bytes]:
        """(Content-Type, body) of the success."""
        if self.endpoint.admit is not None:
            await self.endpoint.admit(call)
        async with self._room(call.visit.headers):
            return await self._answered(call, scope, receive)

    def _room(self, headers: Headers) -> contextlib.AbstractAsyncContextManager[Any]:
        """What a request waits for that may be large, before any of its body is read."""
        announced = headers.get(b"content-length", b"")
        is_small = announced.isdigit() and len(announced) <= _MAX_LENGTH_DIGITS and int(announced) <= self._small_bytes
        if is_small or self._max_bytes <= self._small_bytes:
            return contextlib.nullcontext()
        return self._large

    async def _answered(self, call: Call, scope: Scope, receive: Receive) -> tuple[tuple[bytes, bytes], bytes]:
        inputs: dict[str, Any] = {}
        if self._query is not None:
            inputs["query"] = self._query(scope["query_string"])
        if self._path is not None:
            inputs["path"] = self._path.from_text(scope["path_params"])
        if self._has_body:
            raw = await read_body(call.visit.headers, receive, limit=self._max_bytes)
            if self._form is not None and (not raw or _is_form(call.visit.headers, raw)):
                inputs["body"] = self._form.decode(raw)
            else:
                inputs["body"] = raw if self._body is None else self._decode(self._body, raw)
        result = await self.endpoint.handler(call, **inputs)
        if isinstance(result, Raw):
            call.answer_headers.extend(result.headers)
            return (b"content-type", result.media_type.encode()), result.body
        return _JSON, self._encoder.encode(result)

    async def _recorded(self, call: Call, scope: Scope, receive: Receive) -> tuple[tuple[bytes, bytes], bytes]:
        """`_handle`, and an entry in the audit log with how it ended. A call without a caller and a target, such as a
        log-out of no session, leaves none, nor does a try beyond a limit: repeated, they would soon fill the log."""
        status = 500
        try:
            handled = await self._handle(call, scope, receive)
            status = 200
        except Exception as error:
            status = problem_of(error, request_id="").status
            raise
        finally:
            actor = call.identified if call.grant_or_none is None else call.grant_or_none.actor
            if (actor is not None or call.target) and status != HTTPStatus.TOO_MANY_REQUESTS:
                await self._services.audit.record(
                    actor=call.target if actor is None else actor.username,
                    role="" if actor is None else actor.role,
                    action=self.endpoint.action,
                    target=call.target,
                    address=call.visit.address,
                    status=status,
                    request_id=call.visit.request_id,
                )
        return handled

    async def _admit(self, visit: Visit) -> Call:
        services = self._services
        # What has effects is done for no page of another site: not with this browser's session, nor for a new one.
        is_foreign = self._has_effects and from_another_site(visit.headers)
        if is_foreign and self._public:
            raise Forbidden("Forbidden")
        client = throttle_key(visit.address)
        services.throttles.arrived(self.endpoint.throttle, client)
        token = None if is_foreign else session_cookie(visit.headers)
        if self._public:
            return Call(services, services.world, None, visit, token)
        granted = grant(
            await authenticate(visit.headers, services.sessions, services.tokens, token), self.endpoint.action
        )
        world = services.demo if granted.reach is Reach.DEMO else services.world
        if world is None:
            raise Forbidden(granted.rule.demo_refusal)
        services.throttles.granted(self.endpoint.throttle, granted, client)
        if self.endpoint.audited:
            services.throttles.audited(granted)
        return Call(services, world, granted, visit, token)

    def _decode(self, decoder: msgspec.json.Decoder[Any], raw: bytes) -> Any:
        if len(raw) > self._small_bytes and (raw.count(b"{") > MAX_BRACES or raw.count(b'"') > MAX_QUOTES):
            raise Malformed("too many values")
        try:
            return decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise Malformed(str(exc)) from exc
        except RecursionError as exc:
            raise Malformed("nested too deep") from exc


def _is_form(headers: Headers, raw: bytes) -> bool:
    """Whether a body is a form. JSON under a form's media type is still JSON: that is what `curl -d` sends."""
    return headers.get(b"content-type", b"").lower().startswith(FORM.encode()) and not raw.lstrip().startswith(b"{")


def _remembering(decode: Callable[[bytes], msgspec.Struct]) -> Callable[[bytes], msgspec.Struct]:
    """The same, with its latest results at hand: who polls asks the same again and again, and reading a query costs
    about 15 µs. Handlers share the results, so they must not change them."""
    remembered = functools.lru_cache(maxsize=128)(decode)
    return lambda query: (remembered if len(query) <= _MAX_REMEMBERED_BYTES else decode)(query)


async def read_body(headers: Headers, receive: Receive, *, limit: int) -> bytes:
    """The request's body. Raises `TooLarge` as soon as it is over `limit` bytes, read or announced."""
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and (len(announced) > _MAX_LENGTH_DIGITS or int(announced) > limit):
        raise TooLarge(f"请求体过大：最多 {limit} 字节")
    chunks, size = [], 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Malformed("the request ended early")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"请求体过大：最多 {limit} 字节")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


async def answer(scope: Scope, send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Send one whole answer; the body stays away from HEAD (RFC 9110 9.3.2)."""
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
