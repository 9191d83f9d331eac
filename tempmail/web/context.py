"""Round every request: its id, the headers that every answer carries, error answers, the access log, the metrics."""

import base64
import os
import time
from collections.abc import Iterator, Mapping

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tempmail.errors import SendFailed, Unprocessable
from tempmail.log import bind_cid, get_log
from tempmail.web.call import Metrics, Visit
from tempmail.web.credentials import Proxies
from tempmail.web.endpoint import Bound, answer
from tempmail.web.problems import enveloped, is_enveloped, problem_of, row_of

_log = get_log("web")

API_CSP = "default-src 'none'; frame-ancestors 'none'"
PAGE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# Freemail contract 1.0, meant to be on every answer; CSP and Cache-Control are ours.
_ALWAYS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
_DEFAULTS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", API_CSP.encode()),
    (b"cache-control", b"no-store"),
)
_OVERRIDABLE = frozenset(name for name, _ in _DEFAULTS)
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_CLASSES: Mapping[int, str] = {1: "1xx", 2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}

# Clients poll and probes probe: a read that succeeds says nothing new, and a line costs as much as the answer.
_READING = frozenset({"GET", "HEAD"})

_ID_BYTES = 9
_IDS_PER_DRAW = 256


class Context:
    """Pure ASGI middleware. The request's id is bound to every log line of the request and answered as
    `X-Request-Id`."""

    def __init__(self, app: ASGIApp, *, proxies: Proxies, metrics: Metrics) -> None:
        self._app = app
        self._proxies = proxies
        self._metrics = metrics
        self._request_ids = _request_ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = next(self._request_ids)
        headers = dict(scope["headers"])
        address, https = self._proxies.client(scope, headers)
        scope["tempmail.visit"] = Visit(request_id, headers, address, https)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _complete(message["headers"], request_id, https=https)
            await send(message)

        with bind_cid(request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            except Exception as error:
                if status:
                    # Half an answer is out: only a broken connection tells the client.
                    _log.error("http.answer_broken", exc=error, path=scope["path"])
                    raise
                await _answer_problem(error, scope, send_with_headers, request_id)
            finally:
                seconds = time.perf_counter() - started
                self._metrics.add("http_requests_total", label=_CLASSES.get(status // 100, "5xx"))
                self._metrics.observe("http_request_seconds", seconds)
                write = _log.debug if status < 400 and scope["method"] in _READING else _log.info
                write(
                    "http.request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    ms=round(seconds * 1000, 2),
                )


def _request_ids() -> Iterator[str]:
    """12 URL-safe characters each, 72 random bits. Drawn in bulk: a system call for each costs 60 µs in some
    sandboxes, more than the rest of this module."""
    while True:
        drawn = os.urandom(_ID_BYTES * _IDS_PER_DRAW)
        for start in range(0, len(drawn), _ID_BYTES):
            yield base64.urlsafe_b64encode(drawn[start : start + _ID_BYTES]).decode()


def _complete(given: list[tuple[bytes, bytes]], request_id: str, *, https: bool) -> list[tuple[bytes, bytes]]:
    headers = [*given, *_ALWAYS, (b"x-request-id", request_id.encode())]
    overridden = {name for name, _ in given if name in _OVERRIDABLE}
    headers += [header for header in _DEFAULTS if header[0] not in overridden]
    if https:
        headers.append(_HSTS)
    return headers


async def _answer_problem(error: Exception, scope: Scope, send: Send, request_id: str) -> None:
    """Answer with the error's row of the table; log what somebody must look at."""
    problem = problem_of(error, request_id=request_id)
    if isinstance(error, SendFailed):
        _log.warning("http.not_sent", mail=error.mail_uuid or "", path=scope["path"])
    elif problem.status == 500:
        _log.error("http.failed", exc=error, method=scope["method"], path=scope["path"])
    elif problem.status == 503:
        _log.warning("http.unavailable", exc=error, cause=type(error.__cause__).__name__, path=scope["path"])
    bound = scope.get("endpoint")
    if isinstance(bound, Bound) and row_of(error):
        problem.body.update(bound.endpoint.also(problem.status, problem.body["error"]))
    told = problem.body
    if is_enveloped(scope["path"]):
        told = enveloped(told, problem.status, error.rule if isinstance(error, Unprocessable) else None)
    body = msgspec.json.encode(told)
    headers = [(b"content-type", b"application/json"), *problem.headers]
    await answer(scope, send, problem.status, body, headers)
