"""What an operator does to users, mailboxes and tokens by hand, through the services that HTTP uses too, beside a
server that runs or not. Each change is recorded in the audit log under the name `cli`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tempmail.clock import SystemClock
from tempmail.domain.accounts import ApiToken, UserListing
from tempmail.domain.actor import Actor, Role
from tempmail.domain.address import normalized_address
from tempmail.domain.messages import MailboxFilter, MailboxListing
from tempmail.domain.policy import Grant, grant
from tempmail.errors import BadRequest, NotFound, Permanent
from tempmail.runtime import wiring
from tempmail.runtime.site import prepare_storage
from tempmail.services.audit import AuditTrail
from tempmail.services.tokens import NewToken, TokenService
from tempmail.services.users import UserDraft, UserEdit
from tempmail.settings import Settings
from tempmail.web.call import World

T = TypeVar("T")

_OPERATOR = Actor(Role.STRICT_ADMIN, "cli")

_PAGE = 100
_DONE, _REFUSED = 200, 400


@dataclass(frozen=True, slots=True)
class _Services:
    """What works on the storage, while that is open."""

    world: World
    tokens: TokenService
    audit: AuditTrail

    async def recorded(self, action: str, target: str, work: Awaitable[T]) -> T:
        status = _REFUSED
        try:
            result = await work
            status = _DONE
        finally:
            await self.audit.record(
                actor=_OPERATOR.username,
                role=_OPERATOR.role,
                action=action,
                target=target,
                address="",
                status=status,
                request_id="",
            )
        return result

    async def user_id(self, username: str) -> int:
        """Raises `NotFound`."""
        found = await self.world.users.find(username)
        if found is None:
            raise NotFound(f"there is no user {username}")
        return found.id


def _granted(action: str) -> Grant:
    return grant(_OPERATOR, action)


@contextlib.asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[_Services]:
    clock = SystemClock()
    store = await wiring.store(settings, clock, readers=1)
    objects = wiring.objects(settings)
    hasher = wiring.passwords(settings)
    try:
        yield _Services(
            wiring.world(settings, store, objects, hasher, clock),
            TokenService(store.tokens, store.users, clock=clock, admin_name=settings.admin_name),
            AuditTrail(store.audit, clock),
        )
    finally:
        hasher.close()
        await objects.close()
        await store.close()


def _run(settings: Settings, work: Callable[[_Services], Awaitable[T]]) -> T:
    prepare_storage(settings, SystemClock())

    async def opened() -> T:
        async with _open(settings) as services:
            return await work(services)

    return asyncio.run(opened())


def list_users(settings: Settings) -> list[UserListing]:
    """All of them, oldest first."""

    async def work(services: _Services) -> list[UserListing]:
        found: list[UserListing] = []
        while True:
            page = await services.world.users.page(limit=_PAGE, offset=len(found), newest_first=False)
            found += page.items
            if len(page.items) < _PAGE:
                return found

    return _run(settings, work)


def add_user(settings: Settings, draft: UserDraft, *, can_send: bool) -> None:
    """Raises `BadRequest`."""

    async def work(services: _Services) -> None:
        made = await services.recorded("user.create", draft.username, services.world.users.create(draft))
        if can_send:
            await services.recorded(
                "user.update", made.username, services.world.users.change(made.id, UserEdit(can_send=True))
            )

    _run(settings, work)


def change_user(settings: Settings, username: str, edit: UserEdit) -> None:
    """Raises `NotFound`, `BadRequest`."""

    async def work(services: _Services) -> None:
        user_id = await services.user_id(username)
        await services.recorded("user.update", username, services.world.users.change(user_id, edit))

    _run(settings, work)


def delete_user(settings: Settings, username: str) -> None:
    """Raises `NotFound`, `BadRequest`."""

    async def work(services: _Services) -> None:
        user_id = await services.user_id(username)
        await services.recorded("user.delete", username, services.world.users.delete(user_id))

    _run(settings, work)


def assign_mailboxes(settings: Settings, username: str, addresses: Sequence[str]) -> None:
    """Link mailboxes to a user; missing ones are created. Stops at the first that fails, which the error names. Raises
    `BadRequest`."""

    async def work(services: _Services) -> None:
        await _with_each(services, services.world.users.assign, username, addresses)

    _run(settings, work)


def unassign_mailboxes(settings: Settings, username: str, addresses: Sequence[str]) -> None:
    """Take a user's links to mailboxes away; otherwise as `assign_mailboxes`."""

    async def work(services: _Services) -> None:
        await _with_each(services, services.world.users.unassign, username, addresses)

    _run(settings, work)


async def _with_each(
    services: _Services, act: Callable[[Grant, str, str], Awaitable[None]], username: str, addresses: Sequence[str]
) -> None:
    for address in addresses:
        try:
            await services.recorded(
                "user.assign", f"{username} {address}", act(_granted("user.assign"), username, address)
            )
        except Permanent as exc:
            raise BadRequest(f"{address}: {exc}") from exc


def list_mailboxes(settings: Settings, criteria: MailboxFilter, *, limit: int) -> list[MailboxListing]:
    """Newest first."""

    async def work(services: _Services) -> list[MailboxListing]:
        found: list[MailboxListing] = []
        while len(found) < limit:
            size = min(_PAGE, limit - len(found))
            page = await services.world.mailboxes.page(
                _granted("mailbox.list"), criteria, limit=size, offset=len(found)
            )
            found += page.items
            if len(page.items) < size:
                break
        return found

    return _run(settings, work)


def add_mailbox(settings: Settings, address: str | None, *, owner: str | None) -> str:
    """Create a mailbox, random where no address is given, and link it to a user; returns its address. Raises
    `BadRequest`, `NotFound`."""

    async def work(services: _Services) -> str:
        # Under the owner's own permission, so that its limit holds.
        maker = _OPERATOR if owner is None else await services.tokens.owner(owner)
        mailboxes, may = services.world.mailboxes, grant(maker, "mailbox.create")
        if address is None:
            making = mailboxes.generate(may, length=0, domain_index=0)
        else:
            local, _, domain = address.rpartition("@")
            served = [name.lower() for name in mailboxes.domains()]
            if domain.lower() not in served:
                raise BadRequest(f"{address}: its domain must be one of {', '.join(served)}")
            making = mailboxes.create(may, local=local, domain_index=served.index(domain.lower()))
        return (await services.recorded("mailbox.create", address or "", making)).address

    return _run(settings, work)


def delete_mailbox(settings: Settings, address: str) -> None:
    """Raises `NotFound`."""

    async def work(services: _Services) -> None:
        deleting = services.world.mailboxes.delete(_granted("mailbox.delete"), normalized_address(address))
        await services.recorded("mailbox.delete", address, deleting)

    _run(settings, work)


def allow_login(settings: Settings, address: str, *, can_login: bool) -> None:
    """Raises `NotFound`."""

    async def work(services: _Services) -> None:
        allowing = services.world.mailbox_admin.allow_login(_granted("mailbox.login"), address, can_login=can_login)
        await services.recorded("mailbox.login", address, allowing)

    _run(settings, work)


def set_mailbox_password(settings: Settings, address: str, password: str | None) -> None:
    """None: its address is its password again. Raises `NotFound`, `BadRequest`."""

    async def work(services: _Services) -> None:
        admin = services.world.mailbox_admin
        if password is None:
            resetting = admin.reset_password(_granted("mailbox.reset_password"), address)
            await services.recorded("mailbox.reset_password", address, resetting)
        else:
            changing = admin.change_password(_granted("mailbox.password"), address, password)
            await services.recorded("mailbox.password", address, changing)

    _run(settings, work)


def list_tokens(settings: Settings) -> list[ApiToken]:
    """Everybody's, by id."""

    async def work(services: _Services) -> list[ApiToken]:
        found: list[ApiToken] = []
        while page := await services.tokens.page(
            _granted("token.list"), after_id=found[-1].id if found else 0, limit=_PAGE
        ):
            found += page
        return found

    return _run(settings, work)


def add_token(
    settings: Settings,
    *,
    username: str | None,
    name: str,
    actions: Sequence[str],
    mailboxes: Sequence[str],
    days: int | None,
) -> NewToken:
    """A token of a user, or of the configured admin. Raises `NotFound`, `BadRequest`."""

    async def work(services: _Services) -> NewToken:
        owner = _OPERATOR if username is None else await services.tokens.owner(username)
        making = services.tokens.create(
            grant(owner, "token.create"), name=name, actions=actions, mailboxes=mailboxes, days=days
        )
        return await services.recorded("token.create", name, making)

    return _run(settings, work)


def revoke_token(settings: Settings, token_id: int) -> None:
    """Raises `NotFound`."""

    async def work(services: _Services) -> None:
        await services.recorded(
            "token.revoke", str(token_id), services.tokens.revoke(_granted("token.revoke"), token_id)
        )

    _run(settings, work)
