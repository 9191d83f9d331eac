"""What an operator does to sandbox credentials by hand, beside a server that runs or not. Each change is recorded in
the audit log under the name `cli`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from tempmail.clock import SystemClock
from tempmail.domain.actor import Actor, Role
from tempmail.domain.policy import grant
from tempmail.domain.sandbox import SandboxCredential
from tempmail.runtime import wiring
from tempmail.runtime.site import prepare_storage
from tempmail.services.audit import AuditTrail
from tempmail.services.sandboxes import NewCredential, SandboxService
from tempmail.settings import Settings

T = TypeVar("T")

_ACTION = "sandbox.manage"
_OPERATOR = Actor(Role.STRICT_ADMIN, "cli")
_PAGE = 100
_DONE, _REFUSED = 200, 400


def add(
    settings: Settings,
    provider: str,
    *,
    name: str,
    mailbox: str,
    values: Mapping[str, str],
    switches: Mapping[str, object],
    webhook_url: str,
) -> NewCredential:
    """Raises `BadRequest`."""
    granted = grant(_OPERATOR, _ACTION)
    return _run(
        settings,
        f"{provider} {name}".strip(),
        lambda service: service.create(
            granted, provider, name=name, mailbox=mailbox, values=values, switches=switches, webhook_url=webhook_url
        ),
    )


def listed(settings: Settings, provider: str | None) -> list[SandboxCredential]:
    """By id; of one provider, or of all."""

    async def work(service: SandboxService) -> list[SandboxCredential]:
        found: list[SandboxCredential] = []
        while page := await service.page(provider, after_id=found[-1].id if found else 0, limit=_PAGE):
            found += page
        return found

    return _run(settings, None, work)


def change(
    settings: Settings,
    provider: str,
    credential_id: int,
    *,
    switches: Mapping[str, object] | None,
    webhook_url: str | None,
) -> SandboxCredential:
    """Raises `BadRequest`, `NotFound`."""
    return _run(
        settings,
        f"{provider} {credential_id}",
        lambda service: service.change(provider, credential_id, switches=switches, webhook_url=webhook_url),
    )


def remove(settings: Settings, provider: str, credential_id: int) -> None:
    """Raises `BadRequest`, `NotFound`."""
    _run(settings, f"{provider} {credential_id}", lambda service: service.remove(provider, credential_id))


def _run(settings: Settings, target: str | None, work: Callable[[SandboxService], Awaitable[T]]) -> T:
    """Do `work`, and record it where it has a target."""
    clock = SystemClock()
    prepare_storage(settings, clock)

    async def opened() -> T:
        store = await wiring.store(settings, clock, readers=1)
        hasher = wiring.passwords(settings)
        status = _REFUSED
        try:
            result = await work(wiring.sandboxes(settings, store, hasher, clock))
            status = _DONE
        finally:
            if target is not None:
                await AuditTrail(store.audit, clock).record(
                    actor=_OPERATOR.username,
                    role=_OPERATOR.role,
                    action=_ACTION,
                    target=target,
                    address="",
                    status=status,
                    request_id="",
                )
            hasher.close()
            await store.close()
        return result

    return asyncio.run(opened())
