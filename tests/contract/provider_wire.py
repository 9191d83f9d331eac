"""The other end of the providers' connections: the real adapters over scripted answers, as the providers word them.

What a mail meets is decided by its first recipient's local part: `refused` is found wrong, `cut` is read but never
answered, `down` cannot be reached, `slow` is answered when `release` says so, `denied` may not be sent by this account.
Everything else is accepted. The shapes are those of provider facts 1, as the adapters' own tests have them.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tempmail.adapters.providers.cyberpersons import Cyberpersons
from tempmail.adapters.providers.resend import Resend
from tempmail.adapters.providers.sendflare import SendFlare
from tempmail.clock import Clock
from tempmail.domain.routing import Account
from tempmail.ports.outbound import Provider
from tempmail.runtime.sending import ProviderRoutes

KEY = "key-of-the-tests"
"""What every account's key begins with; its domain follows."""
RESEND, SENDFLARE, CYBERPERSONS = "resend.example", "sendflare.example", "cyberpersons.example"


@dataclass
class Wire:
    """`requests`: the bodies of what was sent, in order. `keys`: (method, key) of every request. `last_event`: what
    Resend says became of every mail."""

    last_event: str = "delivered"
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)
    lookups: int = 0
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        is_resend = request.url.host == RESEND
        key = request.headers["authorization"].removeprefix("Bearer ")
        self.keys.append((request.method, key))
        if request.method == "GET":
            self.lookups += 1
            return self._lookup(request)
        mail = json.loads(request.content)
        self.requests.append(mail)
        number = len(self.requests)
        to = mail["to"][0] if isinstance(mail["to"], list) else mail["to"]
        match to.rpartition("<")[2].partition("@")[0]:
            case "refused":
                return self._refused(request.url.host, 422 if is_resend else 400, f"Invalid `to` field. {key}")
            case "denied":
                return self._refused(request.url.host, 403, "The domain is not verified.")
            case "cut":
                raise httpx.ReadError("connection reset", request=request)
            case "down":
                raise httpx.ConnectError("refused", request=request)
            case "slow":
                await self.release.wait()
        return self._accepted(request.url.host, number)

    def _lookup(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/usage":
            return httpx.Response(200, json={"emails": {"daily": {"used": 1, "limit": 100}}})
        if request.url.path == "/account/stats":
            return httpx.Response(500, text="")
        return httpx.Response(200, json={"object": "email", "last_event": self.last_event})

    def _accepted(self, host: str, number: int) -> httpx.Response:
        if host == RESEND:
            return httpx.Response(200, json={"id": f"re_{number}"})
        if host == SENDFLARE:
            data = {"emailId": f"sf_{number}"}
            return httpx.Response(200, json={"requestId": "r", "code": 0, "success": True, "data": data})
        return httpx.Response(202, json={"success": True, "data": {"message_id": f"cp_{number}", "status": "sent"}})

    def _refused(self, host: str, status: int, words: str) -> httpx.Response:
        if host == RESEND:
            return httpx.Response(status, json={"statusCode": status, "name": "validation_error", "message": words})
        if host == SENDFLARE:
            return httpx.Response(status, json={"code": status, "success": False, "message": words})
        return httpx.Response(status, json={"success": False, "error": {"type": "bad", "message": words}})


def routes(wire: Wire, clock: Clock) -> ProviderRoutes:
    """Resend for `temp.example.com`, SendFlare for `mail.example.org`, Cyberpersons for `cp.example`."""

    def made(kind: Callable[..., Provider], host: str, domain: str) -> tuple[Account, Provider]:
        transport = httpx.MockTransport(wire.answer)
        provider = kind(
            f"{KEY}.{domain}", account=domain, clock=clock, base_url=f"https://{host}", pause_s=0.0, transport=transport
        )
        return Account(provider.name, domain, provider.capabilities, domains=(domain,)), provider

    return ProviderRoutes(
        [
            made(SendFlare, SENDFLARE, "mail.example.org"),
            made(Resend, RESEND, "temp.example.com"),
            made(Cyberpersons, CYBERPERSONS, "cp.example"),
        ]
    )
