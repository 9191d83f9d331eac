"""What only the highest administrator does to mailboxes: their logins and passwords, and many at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from tempmail.clock import Clock, stamp
from tempmail.domain.address import ServedDomains, forward_target, normalized_address, receivable, split_address
from tempmail.domain.passwords import checked_mailbox_password
from tempmail.domain.policy import Grant, Reach
from tempmail.errors import BadRequest, Forbidden, NotFound
from tempmail.ports import Mailboxes, MailboxLogins
from tempmail.services.access import Access
from tempmail.services.mailboxes import AskTarget, ask_nobody
from tempmail.services.passwords import Passwords

MAX_BATCH = 100
"""Mailboxes that one request may name, repeats included."""


@dataclass(frozen=True, slots=True)
class LoginChange:
    """What became of one address of a batch. `refusal`: why nothing; None: done. `is_new`: the mailbox was created."""

    address: str
    refusal: str | None = None
    is_new: bool = False


class MailboxAdmin:
    """Addresses are taken in any case, with white space around them."""

    def __init__(
        self,
        mailboxes: Mailboxes,
        logins: MailboxLogins,
        access: Access,
        domains: ServedDomains,
        passwords: Passwords,
        *,
        clock: Clock,
        ask_target: AskTarget = ask_nobody,
    ) -> None:
        self._mailboxes = mailboxes
        self._logins = logins
        self._access = access
        self._domains = domains
        self._passwords = passwords
        self._clock = clock
        self._ask_target = ask_target

    async def reset_password(self, grant: Grant, address: str) -> bool:
        """Make the address its own password again, and end the mailbox's sessions. False where it was a demonstration,
        which changes nothing. Raises `NotFound`, `Forbidden`."""
        if grant.reach is Reach.DEMO:
            return False
        await self._set_password(await self._id(grant, address), None)
        return True

    async def change_password(self, grant: Grant, address: str, password: str) -> None:
        """Set a password (trimmed; 6 to 1024 characters), and end the mailbox's sessions. Raises `BadRequest`,
        `NotFound`, `Forbidden`."""
        password = checked_mailbox_password(password)
        mailbox_id = await self._id(grant, address)
        await self._set_password(mailbox_id, await self._passwords.hash(password))

    async def allow_login(self, grant: Grant, address: str, *, can_login: bool) -> None:
        """Allow or deny logging in to a mailbox; denying ends its sessions. Raises `NotFound`, `Forbidden`."""
        if not await self._logins.allow_one(await self._id(grant, address), can_login):
            raise NotFound("邮箱不存在")

    async def allow_logins(self, grant: Grant, addresses: Sequence[str], *, can_login: bool) -> list[LoginChange]:
        """The same for many, in one transaction; unknown addresses of served domains are created. Empty addresses come
        first, as given, then every other one once, in order. Raises `BadRequest`, `Forbidden`."""
        if not addresses:
            raise BadRequest("缺少 addresses 参数或地址列表为空")
        if len(addresses) > MAX_BATCH:
            raise BadRequest(f"单次最多处理{MAX_BATCH}个邮箱")
        wanted = _distinct(addresses)
        known = await self._known(grant, wanted)
        refusals = {address: self._refusal(address) for address in wanted if address not in known}
        allowed = [address for address in wanted if refusals.get(address) is None]
        created = await self._logins.allow(allowed, can_login, now=stamp(self._clock.now())) if allowed else []
        is_new = dict(zip(allowed, created, strict=True))
        empty = [LoginChange(address, "地址为空") for address in addresses if not address.strip()]
        return empty + [LoginChange(a, refusals.get(a), is_new.get(a, False)) for a in wanted]

    async def set_favorite(self, grant: Grant, mailbox_ids: Sequence[int], *, is_favorite: bool) -> int:
        """How many of the mailboxes exist; all of them are changed. Raises `BadRequest`, `Forbidden`."""
        await self._check_ids(grant, mailbox_ids)
        return await self._mailboxes.set_favorite(mailbox_ids, is_favorite)

    async def set_forward(
        self, grant: Grant, mailbox_ids: Sequence[int], forward_to: str | None
    ) -> tuple[int, str | None]:
        """(how many of the mailboxes exist, the target as stored). Raises `BadRequest`, `Forbidden`."""
        _check_batch(mailbox_ids, "缺少邮箱 ID 列表")
        target = forward_target(forward_to)
        await self._check_ids(grant, mailbox_ids)
        return await self._set_forward(mailbox_ids, target), target

    async def set_favorite_by_address(self, grant: Grant, addresses: Sequence[str], *, is_favorite: bool) -> int:
        """As `set_favorite`."""
        _check_batch(addresses, "缺少邮箱地址列表")
        return await self._mailboxes.set_favorite(await self._ids(grant, addresses), is_favorite)

    async def set_forward_by_address(
        self, grant: Grant, addresses: Sequence[str], forward_to: str | None
    ) -> tuple[int, str | None]:
        """As `set_forward`."""
        _check_batch(addresses, "缺少邮箱地址列表")
        target = forward_target(forward_to)
        return await self._set_forward(await self._ids(grant, addresses), target), target

    async def _set_forward(self, mailbox_ids: Sequence[int], target: str | None) -> int:
        updated = await self._mailboxes.set_forward(mailbox_ids, target)
        await self._ask_target(target)
        return updated

    async def _id(self, grant: Grant, address: str) -> int:
        mailbox = await self._access.mailbox(grant, normalized_address(address))
        if mailbox is None:
            raise NotFound("邮箱不存在")
        return mailbox.id

    async def _set_password(self, mailbox_id: int, password_hash: str | None) -> None:
        if not await self._logins.set_password(mailbox_id, password_hash):
            raise NotFound("邮箱不存在")

    async def _check_ids(self, grant: Grant, mailbox_ids: Sequence[int]) -> None:
        _check_batch(mailbox_ids, "缺少邮箱 ID 列表")
        await self._access.check_mailboxes(grant, mailbox_ids)

    async def _ids(self, grant: Grant, addresses: Sequence[str]) -> list[int]:
        wanted = _distinct(addresses)
        if not wanted:
            raise BadRequest("没有有效的邮箱地址")
        return list((await self._known(grant, wanted)).values())

    async def _known(self, grant: Grant, addresses: Sequence[str]) -> dict[str, int]:
        """Those that exist, with their ids. Raises `Forbidden` if any address is out of the caller's reach."""
        scope = grant.actor.scope
        if scope is not None and not all(scope.covers(address) for address in addresses):
            raise Forbidden(grant.foreign_text)
        known = await self._mailboxes.ids_of(addresses)
        await self._access.check_mailboxes(grant, known.values())
        return known

    def _refusal(self, address: str) -> str | None:
        """Why no mailbox can be made at `address`; None where one can."""
        domain = split_address(address)[1]
        if not receivable(address):
            return "无效的邮箱地址"
        return None if self._domains.serves(domain) else f"域名 {domain} 不在本服务的收信域名中"


def _distinct(addresses: Sequence[str]) -> list[str]:
    """Each address once, in order of first appearance; empty ones left out."""
    return [address for address in dict.fromkeys(map(normalized_address, addresses)) if address]


def _check_batch(items: Sequence[object], missing: str) -> None:
    if not items:
        raise BadRequest(missing)
    if len(items) > MAX_BATCH:
        raise BadRequest(f"单次最多操作 {MAX_BATCH} 个邮箱")
