"""What an operator does to the outbox by hand, through the service that HTTP uses too, beside a server that runs or
not. Each change is recorded in the audit log under the name `cli`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from enum import StrEnum
from typing import Any, TypeVar

from tempmail.clock import SystemClock
from tempmail.domain.actor import Role
from tempmail.domain.outbound import Kind, State
from tempmail.errors import BadRequest
from tempmail.ports.outbound import OutboxFilter, OutboxMail
from tempmail.runtime import sending, wiring
from tempmail.runtime.site import prepare_storage
from tempmail.services.audit import AuditTrail
from tempmail.services.outbox_admin import OutboxAdmin, ProviderStatus
from tempmail.settings import Settings

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_DONE, _REFUSED = 200, 400
_MAX_LISTED = 10_000


def list_mails(
    settings: Settings, *, state: str | None, kind: str | None, before_id: int | None, limit: int
) -> list[OutboxMail]:
    """Newest first. Raises `BadRequest`."""
    criteria = OutboxFilter(
        state=_word(State, "state", state),
        kind=_word(Kind, "kind", kind),
        before_id=before_id,
        limit=max(1, min(limit, _MAX_LISTED)),
    )
    return _run(settings, lambda admin, _: admin.page(criteria))


def show_mail(settings: Settings, name: str) -> dict[str, Any]:
    """A mail with `recipients` and `calls`, without its content. Raises `NotFound`."""

    async def work(admin: OutboxAdmin, _: AuditTrail) -> dict[str, Any]:
        detail = await admin.get(name)
        calls = [
            {
                "provider": call.provider,
                "account": call.account,
                "state": call.state,
                "attempts": call.attempts,
                "provider_id": call.provider_message_id,
                "began_at": call.began_at,
                "error": call.error,
                "recipients": ",".join(call.request.recipients),
            }
            for call in detail.calls
        ]
        return {**asdict(detail.mail), "recipients": [asdict(one) for one in detail.recipients], "calls": calls}

    return _run(settings, work)


def retry_mail(settings: Settings, name: str) -> None:
    """Raises `NotFound`, `Conflict`."""
    _change(settings, name, lambda admin: admin.retry(name))


def cancel_mail(settings: Settings, name: str) -> None:
    """Raises `NotFound`, `Conflict`."""
    _change(settings, name, lambda admin: admin.cancel(name))


def resolve_mail(settings: Settings, name: str, state: str) -> None:
    """Raises `NotFound`, `BadRequest`, `Conflict`."""
    _change(settings, name, lambda admin: admin.resolve(name, state))


def list_providers(settings: Settings, *, with_usage: bool) -> list[ProviderStatus]:
    """Every account that the settings name."""
    return _run(settings, lambda admin, _: admin.providers(with_usage=with_usage))


def unpause_account(settings: Settings, provider: str, account: str) -> None:
    """Raises `NotFound`."""
    _change(settings, f"{provider} {account}", lambda admin: admin.unpause(provider, account))


def _change(settings: Settings, target: str, change: Callable[[OutboxAdmin], Awaitable[object]]) -> None:
    async def recorded(admin: OutboxAdmin, audit: AuditTrail) -> None:
        status = _REFUSED
        try:
            await change(admin)
            status = _DONE
        finally:
            await audit.record(
                actor="cli",
                role=Role.STRICT_ADMIN,
                action="outbox.manage",
                target=target,
                address="",
                status=status,
                request_id="",
            )

    _run(settings, recorded)


@contextlib.asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[tuple[OutboxAdmin, AuditTrail]]:
    clock = SystemClock()
    store = await wiring.store(settings, clock, readers=1)
    routes = sending.routes(settings, clock)
    try:
        yield OutboxAdmin(store.outbox, routes, clock=clock), AuditTrail(store.audit, clock)
    finally:
        await routes.close()
        await store.close()


def _run(settings: Settings, work: Callable[[OutboxAdmin, AuditTrail], Awaitable[T]]) -> T:
    prepare_storage(settings, SystemClock())

    async def opened() -> T:
        async with _open(settings) as (admin, audit):
            return await work(admin, audit)

    return asyncio.run(opened())


def _word(kind: type[E], field: str, text: str | None) -> E | None:
    try:
        return None if text is None else kind(text)
    except ValueError:
        raise BadRequest(f"{field}: one of {', '.join(kind)}") from None
