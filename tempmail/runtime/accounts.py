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
from tempmail.domain.messages import MailboxFilter, MailboxListing
from tempmail.domain.policy import Grant, grant
from tempmail.errors import BadRequest, NotFound, TempmailError
from tempmail.runtime import wiring
from tempmail.runtime.site import prepare_storage
from tempmail.services.audit import AuditTrail
from tempmail.services.tokens import NewToken, TokenService
from tempmail.services.users import UserDraft, UserEdit
from tempmail.settings import Settings
from tempmail.web.call import World

T = TypeVar("T")

OPERATOR = Actor(Role.STRICT_ADMIN, "cli")

_PAGE = 100
_DONE, _REFUSED = 200, 400


@dataclass(frozen=True, slots=True)
class _Desk:
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
                actor=OPERATOR.username,
                role=OPERATOR.role,
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


def _may(action: str) -> Grant:
    return grant(OPERATOR, action)


@contextlib.asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[_Desk]:
    clock = SystemClock()
    store = await wiring.store(settings, clock, readers=1)
    objects = wiring.objects(settings)
    hasher = wiring.passwords(settings)
    try:
        yield _Desk(
            wiring.world(settings, store, objects, hasher, clock),
            TokenService(store.tokens, store.users, clock=clock, admin_name=settings.admin_name),
            AuditTrail(store.audit, clock),
        )
    finally:
        hasher.close()
        await objects.close()
        await store.close()


def _run(settings: Settings, work: Callable[[_Desk], Awaitable[T]]) -> T:
    prepare_storage(settings, SystemClock())

    async def opened() -> T:
        async with _open(settings) as desk:
            return await work(desk)

    return asyncio.run(opened())


def list_users(settings: Settings) -> list[UserListing]:
    """All of them, oldest first."""

    async def work(desk: _Desk) -> list[UserListing]:
        found: list[UserListing] = []
        while True:
            page = await desk.world.users.page(limit=_PAGE, offset=len(found), newest_first=False)
            found += page.items
            if len(page.items) < _PAGE:
                return found

    return _run(settings, work)


def add_user(settings: Settings, draft: UserDraft, *, can_send: bool) -> None:
    """Raises `BadRequest`."""

    async def work(desk: _Desk) -> None:
        made = await desk.recorded("user.create", draft.username, desk.world.users.create(draft))
        if can_send:
            await desk.recorded("user.update", made.username, desk.world.users.change(made.id, UserEdit(can_send=True)))

    _run(settings, work)


def change_user(settings: Settings, username: str, edit: UserEdit) -> None:
    """Raises `NotFound`, `BadRequest`."""

    async def work(desk: _Desk) -> None:
        user_id = await desk.user_id(username)
        await desk.recorded("user.update", username, desk.world.users.change(user_id, edit))

    _run(settings, work)


def delete_user(settings: Settings, username: str) -> None:
    """Raises `NotFound`, `BadRequest`."""

    async def work(desk: _Desk) -> None:
        user_id = await desk.user_id(username)
        await desk.recorded("user.delete", username, desk.world.users.delete(user_id))

    _run(settings, work)


def link(settings: Settings, username: str, addresses: Sequence[str], *, assign: bool) -> None:
    """Link mailboxes (created where missing) to a user, or take the links away; stops at the first that fails, which
    the error names. Raises `BadRequest`."""

    async def work(desk: _Desk) -> None:
        do = desk.world.users.assign if assign else desk.world.users.unassign
        for address in addresses:
            try:
                await desk.recorded("user.assign", f"{username} {address}", do(_may("user.assign"), username, address))
            except TempmailError as exc:
                raise BadRequest(f"{address}: {exc}") from exc

    _run(settings, work)


def list_mailboxes(settings: Settings, criteria: MailboxFilter, *, limit: int) -> list[MailboxListing]:
    """Newest first."""

    async def work(desk: _Desk) -> list[MailboxListing]:
        found: list[MailboxListing] = []
        while len(found) < limit:
            size = min(_PAGE, limit - len(found))
            page = await desk.world.mailboxes.page(_may("mailbox.list"), criteria, limit=size, offset=len(found))
            found += page.items
            if len(page.items) < size:
                break
        return found

    return _run(settings, work)


def add_mailbox(settings: Settings, address: str | None, *, owner: str | None) -> str:
    """Create a mailbox, random where no address is given, and link it to a user; returns its address. Raises
    `BadRequest`, `NotFound`."""

    async def work(desk: _Desk) -> str:
        # Under the owner's own permission, so that its limit holds.
        maker = OPERATOR if owner is None else await desk.tokens.owner(owner)
        mailboxes, may = desk.world.mailboxes, grant(maker, "mailbox.create")
        if address is None:
            making = mailboxes.generate(may, length=0, domain_index=0)
        else:
            local, _, domain = address.rpartition("@")
            served = [name.lower() for name in mailboxes.domains()]
            if domain.lower() not in served:
                raise BadRequest(f"{address}: its domain must be one of {', '.join(served)}")
            making = mailboxes.create(may, local=local, domain_index=served.index(domain.lower()))
        return (await desk.recorded("mailbox.create", address or "", making)).address

    return _run(settings, work)


def delete_mailbox(settings: Settings, address: str) -> None:
    """Raises `NotFound`."""

    async def work(desk: _Desk) -> None:
        deleting = desk.world.mailboxes.delete(_may("mailbox.delete"), address.strip().lower())
        await desk.recorded("mailbox.delete", address, deleting)

    _run(settings, work)


def allow_login(settings: Settings, address: str, *, can_login: bool) -> None:
    """Raises `NotFound`."""

    async def work(desk: _Desk) -> None:
        allowing = desk.world.mailboxes.admin.allow_login(_may("mailbox.login"), address, can_login=can_login)
        await desk.recorded("mailbox.login", address, allowing)

    _run(settings, work)


def set_mailbox_password(settings: Settings, address: str, password: str | None) -> None:
    """None: its address is its password again. Raises `NotFound`, `BadRequest`."""

    async def work(desk: _Desk) -> None:
        admin = desk.world.mailboxes.admin
        if password is None:
            resetting = admin.reset_password(_may("mailbox.reset_password"), address)
            await desk.recorded("mailbox.reset_password", address, resetting)
        else:
            changing = admin.change_password(_may("mailbox.password"), address, password)
            await desk.recorded("mailbox.password", address, changing)

    _run(settings, work)


def list_tokens(settings: Settings) -> list[ApiToken]:
    """Everybody's, by id."""

    async def work(desk: _Desk) -> list[ApiToken]:
        found: list[ApiToken] = []
        while page := await desk.tokens.page(_may("token.list"), after_id=found[-1].id if found else 0, limit=_PAGE):
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

    async def work(desk: _Desk) -> NewToken:
        owner = OPERATOR if username is None else await desk.tokens.owner(username)
        making = desk.tokens.create(
            grant(owner, "token.create"), name=name, actions=actions, mailboxes=mailboxes, days=days
        )
        return await desk.recorded("token.create", name, making)

    return _run(settings, work)


def revoke_token(settings: Settings, token_id: int) -> None:
    """Raises `NotFound`."""

    async def work(desk: _Desk) -> None:
        await desk.recorded("token.revoke", str(token_id), desk.tokens.revoke(_may("token.revoke"), token_id))

    _run(settings, work)
