"""Mailboxes as callers see them: which domains there are, creating, listing, settings, deleting."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite

from tempmail.clock import Clock, stamp
from tempmail.domain.address import (
    DEFAULT_LOCAL_LENGTH,
    MAX_LOCAL_LENGTH,
    RESERVED_LOCALS,
    ServedDomains,
    forward_target,
    random_local,
    split_address,
    valid_local,
)
from tempmail.domain.messages import Mailbox, MailboxFilter, MailboxPage
from tempmail.domain.policy import Grant, Reach
from tempmail.errors import BadRequest, Forbidden, NotFound, Unauthenticated
from tempmail.ports import Mailboxes
from tempmail.services.access import Access
from tempmail.services.fresh import Fresh, Version

_KEPT_AT_LEAST_S = 3600
_RANDOM_TRIES = 20
_REMEMBERED_PAGES = 32  # of up to 500 mailboxes, about 200 KB each


@dataclass(frozen=True, slots=True)
class Created:
    """A mailbox to use. `expires_ms`: epoch milliseconds until which it is kept at least (seed 004: one hour)."""

    address: str
    expires_ms: int


AskTarget = Callable[[str | None], Awaitable[None]]
"""Asks an address whether it wants the mail that is forwarded to it from now on."""


async def ask_nobody(_target: str | None) -> None:
    """Where targets need not confirm."""


class MailboxService:
    """`claim_unowned`: whether a user who creates an address that exists, but that nobody owns and nobody may log in
    to, gets it. `version` tells whether anything was committed since a list was read (see `Fresh`). `choice` picks a
    random character of a string; a test gives its own."""

    def __init__(
        self,
        mailboxes: Mailboxes,
        access: Access,
        domains: ServedDomains,
        *,
        clock: Clock,
        claim_unowned: bool = False,
        version: Version = lambda: None,
        choice: Callable[[str], str] = secrets.choice,
        ask_target: AskTarget = ask_nobody,
    ) -> None:
        self._mailboxes = mailboxes
        self._pages = Fresh[MailboxPage](version, max_entries=_REMEMBERED_PAGES)
        self._access = access
        self._domains = domains
        self._clock = clock
        self._claim_unowned = claim_unowned
        self._choice = choice
        self._ask_target = ask_target

    def domains(self) -> list[str]:
        """The domains that addresses can be made in, as configured."""
        return list(self._domains.concrete)

    async def generate(self, grant: Grant, *, length: float, domain_index: float | None) -> Created:
        """Create a mailbox with a random name of `length` characters (rounded up, at most 64) that nobody had before.

        Under a scope that names mailboxes, the name is one that fits it; without `domain_index`, in the first domain
        where there is one. Raises `BadRequest` for a negative length, and where names of this length are used up;
        `Forbidden` where no name fits the scope; `QuotaReached`.
        """
        if length < 0:
            raise BadRequest("无效的邮箱地址")
        size = min(ceil(length), MAX_LOCAL_LENGTH) if isfinite(length) else MAX_LOCAL_LENGTH
        domains = self._domains_at(domain_index)
        for _ in range(_RANDOM_TRIES):
            local, domain = self._random(grant, size or DEFAULT_LOCAL_LENGTH, domains)
            if grant.reach is Reach.DEMO or await self._store_new(grant, f"{local}@{domain.lower()}"):
                return self._created(local, domain)
        raise BadRequest("创建失败")

    async def create(self, grant: Grant, *, local: str, domain_index: float | None) -> Created:
        """Create a mailbox with a chosen name, or return the caller's own of that name.

        With reach OWN, an address that exists and is not the caller's is refused (`BadRequest`): linking it would hand
        over mail that was meant for somebody else. Only one that nobody owns is given, where the settings allow that.
        Raises `BadRequest` for a bad name too, `Forbidden` for one outside of the scope, `QuotaReached`.
        """
        local = local.strip().lower()
        if not valid_local(local):
            raise BadRequest("非法用户名")
        domain = self._domain_for(grant, local, self._domains_at(domain_index))
        address = f"{local}@{domain.lower()}"
        if grant.reach is Reach.ALL:
            await self._mailboxes.create(address, now=stamp(self._clock.now()), owner_id=grant.actor.owner_id)
        elif grant.reach is Reach.OWN and not await self._store_new(grant, address):
            await self._take_existing(grant, address)
        return self._created(local, domain)

    async def page(self, grant: Grant, criteria: MailboxFilter, *, limit: int, offset: int) -> MailboxPage:
        """Pinned by the caller first, then newest first; `total` counts all that match. The grant narrows
        `criteria` to what the caller may see."""
        actor = grant.actor

        async def read() -> MailboxPage:
            narrowed = replace(
                criteria,
                owned_by=actor.user_id if grant.reach is Reach.OWN else None,
                pinned_by=actor.user_id,
                within=() if actor.scope is None else actor.scope.mailboxes,
            )
            return await self._mailboxes.page(narrowed, limit=limit, offset=offset)

        return await self._pages.get((grant.reach, actor, criteria, limit, offset), read)

    async def info(self, grant: Grant, address: str) -> Mailbox | None:
        """The mailbox with its settings; None where there is none and the caller may know that. Raises `Forbidden`."""
        return await self._access.mailbox(grant, address)

    async def toggle_pin(self, grant: Grant, address: str) -> bool:
        """Pin a mailbox for the caller or take the pin away; whether it is pinned now. With reach ALL this links it to
        the caller. Raises `Unauthenticated` for the root token, which has no pins, `NotFound`, `Forbidden`."""
        if grant.actor.owner_id is None:
            raise Unauthenticated("未登录")
        mailbox = await self._known(grant, address)
        return await self._mailboxes.toggle_pin(
            mailbox.id,
            user_id=grant.actor.owner_id,
            now=stamp(self._clock.now()),
            may_link=grant.reach is Reach.ALL,
        )

    async def toggle_favorite(self, grant: Grant, mailbox_id: int) -> bool:
        """Whether it is a favourite now, of everybody who sees it. Raises `NotFound`, `Forbidden`."""
        mailbox = await self._access.mailbox_by_id(grant, mailbox_id)
        is_favorite = await self._mailboxes.toggle_favorite(mailbox.id)
        if is_favorite is None:
            raise NotFound("邮箱不存在")
        return is_favorite

    async def set_favorite(self, grant: Grant, mailbox_id: int, *, is_favorite: bool) -> None:
        """Raises `NotFound`, `Forbidden`."""
        mailbox = await self._access.mailbox_by_id(grant, mailbox_id)
        if not await self._mailboxes.set_favorite([mailbox.id], is_favorite):
            raise NotFound("邮箱不存在")

    async def set_forward(self, grant: Grant, mailbox_id: int, forward_to: str | None) -> str | None:
        """Forward the mailbox's mail to an address, or no more (None, empty); the address as it is stored. Raises
        `BadRequest`, `NotFound`, `Forbidden`."""
        target = forward_target(forward_to)
        mailbox = await self._access.mailbox_by_id(grant, mailbox_id)
        if not await self._mailboxes.set_forward([mailbox.id], target):
            raise NotFound("邮箱不存在")
        await self._ask_target(target)
        return target

    async def delete(self, grant: Grant, address: str) -> bool:
        """Remove a mailbox with its mail; False where it went in the meantime. Raises `NotFound`, `Forbidden`."""
        mailbox = await self._known(grant, address)
        return await self._mailboxes.delete(mailbox.id, now=stamp(self._clock.now()))

    async def _known(self, grant: Grant, address: str) -> Mailbox:
        mailbox = await self._access.mailbox(grant, address)
        if mailbox is None:
            raise NotFound("邮箱不存在")
        return mailbox

    async def _store_new(self, grant: Grant, address: str) -> bool:
        """Whether it is new, and may be had. Within reach OWN the caller's limit holds."""
        if grant.reach is Reach.OWN and _is_reserved(address):
            return False
        made = await self._mailboxes.create_new(
            address,
            now=stamp(self._clock.now()),
            owner_id=grant.actor.owner_id,
            within_limit=grant.reach is Reach.OWN,
        )
        return made is not None

    async def _take_existing(self, grant: Grant, address: str) -> None:
        """Raises `BadRequest` unless the mailbox is there and the caller's own, or can be claimed."""
        user_id = grant.actor.user_id
        mailbox = await self._mailboxes.find(address)
        if mailbox is not None and await self._mailboxes.linked(user_id, [mailbox.id]):
            return
        now = stamp(self._clock.now())
        may_claim = self._claim_unowned and not _is_reserved(address)
        if not may_claim or not await self._mailboxes.claim_unowned(address, now=now, owner_id=user_id):
            raise BadRequest("该邮箱地址已被使用")

    def _random(self, grant: Grant, size: int, domains: Sequence[str]) -> tuple[str, str]:
        """(local part, domain as configured) in the first of the domains where a name fits the scope."""
        local, scope = random_local(size, self._choice), grant.actor.scope
        if scope is None:
            return local, domains[0]
        for domain in domains:
            address = scope.address_with(local, domain.lower())
            if address is not None:
                return split_address(address)[0], domain
        raise _out_of_scope(grant)

    def _domain_for(self, grant: Grant, local: str, domains: Sequence[str]) -> str:
        """The first of the domains where the address is within the scope."""
        scope = grant.actor.scope
        for domain in domains:
            if scope is None or scope.covers(f"{local}@{domain.lower()}"):
                return domain
        raise _out_of_scope(grant)

    def _domains_at(self, index: float | None) -> Sequence[str]:
        """The one domain that `index` names: clamped into the list; the first for a fraction (contract 3). All, where
        none is named."""
        domains = self._domains.concrete
        if not domains:
            raise BadRequest("没有可用的域名：MAIL_DOMAIN 只有通配域名")
        if index is None:
            return domains
        last = len(domains) - 1
        clamped = max(0.0, min(float(last), index))
        return (domains[int(clamped) if clamped.is_integer() else 0],)

    def _created(self, local: str, domain: str) -> Created:
        return Created(f"{local}@{domain}", int((self._clock.now() + _KEPT_AT_LEAST_S) * 1000))


def _is_reserved(address: str) -> bool:
    return split_address(address)[0] in RESERVED_LOCALS


def _out_of_scope(grant: Grant) -> Forbidden:
    scope = grant.actor.scope
    return Forbidden(f"此令牌只能使用以下邮箱：{'、'.join(scope.mailboxes if scope else ())}")
