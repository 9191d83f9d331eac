"""Mailboxes as callers see them: which domains there are, creating, listing, deleting."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, isfinite

from tempmail.clock import Clock, stamp
from tempmail.domain.address import DEFAULT_LOCAL_LENGTH, MAX_LOCAL_LENGTH, ServedDomains, random_local, valid_local
from tempmail.domain.messages import MailboxFilter, MailboxPage
from tempmail.domain.policy import Grant, Reach
from tempmail.errors import BadRequest, NotFound
from tempmail.ports import Mailboxes
from tempmail.services.access import Access

_KEPT_AT_LEAST_S = 3600
_RANDOM_TRIES = 20


@dataclass(frozen=True, slots=True)
class Created:
    """A mailbox to use. `expires_ms`: epoch milliseconds until which it is kept at least (seed 004: one hour)."""

    address: str
    expires_ms: int


class MailboxService:
    """`choice` picks a random character of a string; a test gives its own."""

    def __init__(
        self,
        mailboxes: Mailboxes,
        access: Access,
        domains: ServedDomains,
        *,
        clock: Clock,
        choice: Callable[[str], str] = secrets.choice,
    ) -> None:
        self._mailboxes = mailboxes
        self._access = access
        self._domains = domains
        self._clock = clock
        self._choice = choice

    def domains(self) -> list[str]:
        """The domains that addresses can be made in, as configured."""
        return list(self._domains.concrete)

    async def generate(self, grant: Grant, *, length: float, domain_index: float) -> Created:
        """Create a mailbox with a random name of `length` characters (rounded up, at most 64) that nobody had before.

        Raises `BadRequest` for a negative length, and where names of this length are used up.
        """
        if length < 0:
            raise BadRequest("无效的邮箱地址")
        size = min(ceil(length), MAX_LOCAL_LENGTH) if isfinite(length) else MAX_LOCAL_LENGTH
        domain = self._domain(domain_index)
        for _ in range(_RANDOM_TRIES):
            local = random_local(size or DEFAULT_LOCAL_LENGTH, self._choice)
            mailbox = await self._mailboxes.create_new(
                f"{local}@{domain.lower()}", now=stamp(self._clock.now()), owner_id=grant.actor.owner_id
            )
            if mailbox is not None:
                return self._created(local, domain)
        raise BadRequest("创建失败")

    async def create(self, grant: Grant, *, local: str, domain_index: float) -> Created:
        """Create a mailbox with a chosen name, or return the caller's own of that name.

        With reach OWN, an address that exists and is not the caller's is refused (`BadRequest`): linking it would hand
        over mail that was meant for somebody else. Raises `BadRequest` for a bad name too.
        """
        local = local.strip().lower()
        if not valid_local(local):
            raise BadRequest("非法用户名")
        domain = self._domain(domain_index)
        address, now, owner_id = f"{local}@{domain.lower()}", stamp(self._clock.now()), grant.actor.owner_id
        if grant.reach is not Reach.OWN:
            await self._mailboxes.create(address, now=now, owner_id=owner_id)
        elif await self._mailboxes.create_new(address, now=now, owner_id=owner_id) is None:
            mailbox = await self._mailboxes.find(address)
            if mailbox is None or not await self._mailboxes.linked(grant.actor.user_id, [mailbox.id]):
                raise BadRequest("该邮箱地址已被使用")
        return self._created(local, domain)

    async def page(self, grant: Grant, criteria: MailboxFilter, *, limit: int, offset: int) -> MailboxPage:
        """Pinned by the caller first, then newest first; `total` counts all that match. The grant narrows
        `criteria` to what the caller may see."""
        narrowed = MailboxFilter(
            owned_by=grant.actor.user_id if grant.reach is Reach.OWN else None,
            pinned_by=grant.actor.user_id,
            search=criteria.search,
            domain=criteria.domain,
            can_login=criteria.can_login,
            is_favorite=criteria.is_favorite,
            has_forward=criteria.has_forward,
        )
        return await self._mailboxes.page(narrowed, limit=limit, offset=offset)

    async def delete(self, grant: Grant, address: str) -> bool:
        """Remove a mailbox with its mail; False where it went in the meantime. Raises `NotFound`, `Forbidden`."""
        mailbox = await self._access.mailbox(grant, address)
        if mailbox is None:
            raise NotFound("邮箱不存在")
        return await self._mailboxes.delete(mailbox.id, now=stamp(self._clock.now()))

    def _domain(self, index: float) -> str:
        """The domain that `index` names: clamped into the list; the first for a fraction (contract 3)."""
        domains = self._domains.concrete
        if not domains:
            raise BadRequest("没有可用的域名：MAIL_DOMAIN 只有通配域名")
        last = len(domains) - 1
        clamped = max(0.0, min(float(last), index))
        return domains[int(clamped) if clamped.is_integer() else 0]

    def _created(self, local: str, domain: str) -> Created:
        return Created(f"{local}@{domain}", int((self._clock.now() + _KEPT_AT_LEAST_S) * 1000))
