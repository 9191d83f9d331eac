"""What all providers over HTTP share: the connection, its bounds, and what its failures mean.

The rule behind every choice: a failure that may have come after the provider read the request is `OutcomeUnknown`;
only what certainly came before is `ProviderUnavailable`. Nothing is repeated here. Source: provider facts 3, transport.
"""

import asyncio
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import quote_plus, urlsplit

import httpx

from tempmail.adapters.providers.pace import Pace
from tempmail.clock import Clock
from tempmail.errors import (
    InvalidOutbound,
    OutcomeUnknown,
    ProviderAuthFailed,
    ProviderDenied,
    ProviderError,
    ProviderRateLimited,
    ProviderRefused,
    ProviderUnavailable,
)
from tempmail.log import get_log

MAX_ANSWER_BYTES = 65536
"""Of an answer's body; the rest is not read."""
MAX_RAW_BYTES = 4096
"""Of an answer's body that are kept for the record."""
MAX_TEXT_CHARS = 300
"""Of a provider's own words in an error."""
MAX_COOKIES = 20
MAX_RETRY_AFTER_S = 86400.0
RETRY_AFTER_S = 5.0
"""After "too many requests" without a time."""

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_CONNECTIONS = 32
_KEEPALIVE_S = 2.0
"""Below what servers keep idle connections for (uvicorn, Node: 5 s): a request on one that is just being closed would
end as an unknown outcome."""
_MIN_SECRET_CHARS = 4
_MASK = "********"
_MAX_SHOWN_DEPTH = 10
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_log = get_log("providers")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait: to connect (and for a connection of the pool), and for each piece sent or read. A whole call
    takes at most twice `read_s`, after its turn has come."""

    connect_s: float = 5.0
    read_s: float = 30.0


TIMEOUTS = Timeouts()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered. `headers`: names in lower case. `body`: at most `MAX_ANSWER_BYTES`. `fields`: the body
    where it is a JSON object, else None; integers are exact. `raw`: its beginning for the record, credentials masked.
    """

    status: int
    headers: Mapping[str, str]
    body: str = field(repr=False)
    fields: Mapping[str, object] | None = field(repr=False)
    raw: str = field(repr=False)
    retry_after_s: float | None = None

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    def number(self, header: str) -> float | None:
        """A header that counts something, None where it is missing, no number, or below zero."""
        return _number(self.headers.get(header))


class Http:
    """One account at a provider over HTTP. Safe to use from several tasks at once.

    `base_url`: without what `target` adds. `headers`: sent with every request, credentials among them. `secrets`: what
    no error and no record may show. `transport`: httpx's, for tests.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        account: str,
        user_agent: str,
        pace: Pace,
        clock: Clock,
        headers: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
        timeouts: Timeouts = TIMEOUTS,
        keep_cookies: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        try:
            httpx.URL(base_url)
            parts = urlsplit(base_url)
        except httpx.InvalidURL as exc:
            raise ValueError(f"{name}: the base URL is none") from exc
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{name}: the base URL must be http:// or https:// with a host, without query")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            _log.warning("provider.clear_text", provider=name, account=account, host=parts.hostname)
        self._name = name
        self._base_url = base_url.rstrip("/")
        self._pace = pace
        self._clock = clock
        self._headers = {"User-Agent": user_agent, "Accept": JSON, "Accept-Encoding": "identity", **(headers or {})}
        self._secrets = _spellings(secrets)
        # Connecting has its own, shorter limits, so that this one only ever ends what the provider may have read.
        self._total_s = 2 * timeouts.read_s
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(timeouts.read_s, connect=timeouts.connect_s, pool=timeouts.connect_s),
            limits=httpx.Limits(
                max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS, keepalive_expiry=_KEEPALIVE_S
            ),
            follow_redirects=False,
            trust_env=False,
            cookies=None if keep_cookies else CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            transport=transport,
        )

    async def submit(
        self, target: str, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST what may send a mail. Raises `ProviderUnavailable`, `ProviderRateLimited` (own pace),
        `ProviderAuthFailed` (not a header's value): certainly not sent; `OutcomeUnknown`: no whole answer came."""
        return await self._exchange("POST", target, body, {"Content-Type": content_type, **(headers or {})})

    async def ask(self, method: str, target: str, body: bytes = b"", content_type: str = "") -> Answer:
        """A request that sends no mail. Raises as `submit`, but what is unknown there is only unavailable here."""
        try:
            return await self._exchange(method, target, body, {"Content-Type": content_type} if content_type else {})
        except OutcomeUnknown as exc:
            raise ProviderUnavailable(str(exc)) from exc

    def hold(self, seconds: float) -> None:
        """Let nothing through for the next `seconds`."""
        self._pace.hold(seconds)

    def refused(self, error: ProviderError) -> ProviderError:
        """`error`, whose break the account keeps from now on."""
        if isinstance(error, ProviderRateLimited):
            self._pace.hold(error.retry_after_s)
        return error

    def words(self, value: object) -> str:
        """A provider's own words, fit for an error: one line, cut, without credentials. "" where they are no text."""
        text = value if isinstance(value, str) else ""
        return _CONTROLS.sub(" ", self._masked(text)).strip()[:MAX_TEXT_CHARS]

    def shown(self, value: object, depth: int = _MAX_SHOWN_DEPTH) -> object:
        """A provider's own data, fit to be shown: without credentials, and without what is nested deeper than that."""
        if isinstance(value, str):
            return self._masked(value)
        if isinstance(value, dict):
            return {self._masked(key): self.shown(each, depth - 1) for key, each in value.items()} if depth else {}
        if isinstance(value, list):
            return [self.shown(each, depth - 1) for each in value] if depth else []
        return value

    async def close(self) -> None:
        await self._client.aclose()

    async def _exchange(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        all_headers = {**self._headers, **headers}
        if not all(value.isascii() and value.isprintable() for value in all_headers.values()):
            raise ProviderAuthFailed(f"{self._name}: the key holds characters that a header cannot carry")
        request = self._client.build_request(
            method, self._base_url + target, content=body if method != "GET" else None, headers=all_headers
        )
        await self._pace.turn()
        try:
            async with asyncio.timeout(self._total_s):
                return await self._answer(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
            raise ProviderUnavailable(f"{self._name} cannot be reached ({type(exc).__name__})") from exc
        except (httpx.HTTPError, httpx.StreamError, TimeoutError) as exc:
            text = f"{self._name} was reached, but no whole answer came ({type(exc).__name__})"
            raise OutcomeUnknown(text) from exc

    async def _answer(self, request: httpx.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        # Read from the raw ones: httpx guesses the encoding of all of them anew for each that it is asked for.
        headers = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in response.headers.raw}
        try:
            content = bytearray()
            # Asked not to compress: what comes compressed all the same is not unpacked, and reads as no JSON.
            if headers.get("content-encoding", "identity").lower() == "identity":
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) >= MAX_ANSWER_BYTES:
                        break
        finally:
            await response.aclose()
        if len(self._client.cookies.jar) > MAX_COOKIES:
            self._client.cookies.clear()
        text = bytes(content[:MAX_ANSWER_BYTES]).decode("utf-8", "replace")
        return Answer(
            response.status_code, headers, text, _json_object(text), self._raw(text), self._retry_after_s(headers)
        )

    def _raw(self, text: str) -> str:
        masked = self._masked(text).replace("\x00", "\ufffd")
        return masked.encode()[:MAX_RAW_BYTES].decode("utf-8", "ignore")

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return text

    def _retry_after_s(self, headers: Mapping[str, str]) -> float | None:
        """Seconds, or an HTTP date (RFC 9110 10.2.3)."""
        value = headers.get("retry-after", "")
        seconds = _number(value)
        if seconds is None and value:
            try:
                seconds = max(0.0, parsedate_to_datetime(value).timestamp() - self._clock.now())
            except (ValueError, OverflowError):
                return None
        return None if seconds is None else min(seconds, MAX_RETRY_AFTER_S)


def by_status(name: str, answer: Answer, words: str) -> ProviderError:
    """What an answer means by its HTTP status alone, where the provider says nothing else.

    `words`: the provider's own, "" where it gave none. 5xx is unknown: the mail may have been taken first.
    """
    text = words or f"{name}: HTTP {answer.status}"
    status = answer.status
    if status == 401:
        return ProviderAuthFailed(text)
    if status == 403:
        return ProviderDenied(text)
    if status == 408:
        return ProviderUnavailable(text)  # it gave up waiting for the request (RFC 9110 15.5.9)
    if status == 429:
        return ProviderRateLimited(text, retry_after_s=wait_s(answer.retry_after_s, RETRY_AFTER_S))
    if status == 451:
        return ProviderRefused(text)
    if 300 <= status < 400:
        return ProviderDenied(
            f"{name} redirects elsewhere (HTTP {status}), which is never followed: check its base URL"
        )
    if 400 <= status < 500:
        return InvalidOutbound(text)
    if status < 300:
        return OutcomeUnknown(f"{name} answered what cannot be read (HTTP {status})")
    return OutcomeUnknown(text)


def for_lookup(error: ProviderError) -> ProviderError:
    """`error` of a request that sends no mail: there is no outcome to be unknown."""
    return ProviderUnavailable(str(error)) if isinstance(error, OutcomeUnknown) else error


def wait_s(asked: float | None, otherwise: float) -> float:
    """How long to wait where the provider asks for `asked` seconds; never no time at all."""
    return otherwise if asked is None else max(asked, 0.1)


def json_bytes(value: object) -> bytes:
    """The one JSON form of `value`: the keys in their order, nothing escaped that need not be."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def mapping(value: object) -> Mapping[str, object]:
    """A JSON object, empty where it is none."""
    return value if isinstance(value, dict) else {}


def id_text(value: object) -> str | None:
    """A provider's id as text, exact; None where it is none that can be kept: floats are not exact."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and 0 < len(value) <= 998 and value.isprintable():
        return value
    return None


def _json_object(text: str) -> Mapping[str, object] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _spellings(secrets: tuple[str, ...]) -> tuple[str, ...]:
    """Each secret as it may come back: plain, in JSON, in a form; the longest first."""
    found = set()
    for secret in secrets:
        if len(secret) >= _MIN_SECRET_CHARS:
            in_json = (json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
            found |= {secret, quote_plus(secret), *in_json}
    return tuple(sorted(found, key=len, reverse=True))
