"""Posting webhooks over HTTP: implements `services.sandbox_reports.Poster`."""

import asyncio
from collections.abc import Mapping

import httpx

from tempmail.errors import ProviderUnavailable

TIMEOUT_S = 10.0
"""For each step: connecting, sending, the next bytes of the answer."""
WHOLE_S = 20.0


class HttpPoster:
    """No redirects, no proxies of the environment; of an answer only the status is read."""

    def __init__(self, *, user_agent: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": user_agent},
            transport=transport,
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        try:
            async with (
                asyncio.timeout(WHOLE_S),
                self._client.stream("POST", url, content=body, headers=dict(headers)) as answer,
            ):
                return answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise ProviderUnavailable(f"no answer: {type(exc).__name__}") from exc

    async def close(self) -> None:
        await self._client.aclose()
