"""What all providers over HTTP do alike."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import httpx

from tempmail.adapters.providers.http import TIMEOUTS, Http, Timeouts
from tempmail.adapters.providers.pace import Pace
from tempmail.adapters.providers.parts import Part, split
from tempmail.clock import Clock
from tempmail.domain.outbound import Capabilities, Delivery, OutboundMessage, ProviderCall
from tempmail.domain.outbound_fields import check_message
from tempmail.errors import CannotDo

USER_AGENT = "tempmail"


def at_pace(capabilities: Capabilities, pause_s: float | None) -> Capabilities:
    """`capabilities` with the pause that settings ask for; None: none."""
    return capabilities if pause_s is None else replace(capabilities, pause_s=pause_s)


class HttpProvider:
    """Half of `ports.outbound.Provider`: the parts that need no word of a provider's language."""

    name: str
    label: str
    """What it is called in texts for people."""

    def __init__(self, http: Http, *, account: str, capabilities: Capabilities) -> None:
        self.account = account
        self.capabilities = capabilities
        self._http = http

    def prepare(self, message: OutboundMessage, recipients: Sequence[str]) -> list[ProviderCall]:
        check_message(self.name, self.capabilities, message)
        parts = split(self.label, self.capabilities.max_to, message, recipients)
        return [self._call(message, part) for part in parts]

    async def status(self, message_id: str) -> Delivery:  # noqa: ARG002 (named as in the port)
        raise CannotDo(f"{self.label} 渠道暂不支持此操作")

    async def usage(self) -> Mapping[str, object]:
        raise CannotDo(f"{self.label} 渠道暂不支持此操作")

    async def close(self) -> None:
        await self._http.close()

    def _call(self, message: OutboundMessage, part: Part) -> ProviderCall:
        """The request that brings `message` to `part`."""
        raise NotImplementedError


class BearerProvider(HttpProvider):
    """A provider that knows its account by one key, sent as a Bearer token (RFC 6750)."""

    default_url: str
    default_capabilities: Capabilities

    def __init__(
        self,
        key: str,
        *,
        account: str,
        clock: Clock,
        base_url: str | None = None,
        user_agent: str = USER_AGENT,
        pause_s: float | None = None,
        timeouts: Timeouts = TIMEOUTS,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        capabilities = at_pace(self.default_capabilities, pause_s)
        http = Http(
            self.name,
            base_url=self.default_url if base_url is None else base_url,
            account=account,
            user_agent=user_agent,
            pace=Pace(capabilities.pause_s, clock, sleep=sleep),
            clock=clock,
            headers={"Authorization": f"Bearer {key}"},
            secrets=(key,),
            timeouts=timeouts,
            transport=transport,
        )
        super().__init__(http, account=account, capabilities=capabilities)
