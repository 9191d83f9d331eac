"""The outbox as its operator sees it: every mail that goes out, what may be done to it, and the providers."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tempmail.clock import Clock, stamp
from tempmail.domain.outbound import State
from tempmail.domain.routing import Account
from tempmail.errors import BadRequest, Conflict, NotFound, ProviderError
from tempmail.ports.outbound import Outbox, OutboxDetail, OutboxFilter, OutboxMail, Pause, Provider
from tempmail.services.outbox_accounts import PAUSES_KNOWN_AFTER_S
from tempmail.services.sending import GIVE_UP_S

USAGE_TIMEOUT_S = 10.0
RESOLUTIONS = (State.ACCEPTED, State.FAILED)

_NO_MAIL = "no such mail in the outbox"
_MAX_NUMBER_DIGITS = 18


class Accounts(Protocol):
    """Every account that settings name."""

    @property
    def accounts(self) -> Sequence[tuple[Account, Provider]]: ...


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """An account. `pause`: while it is not used. `usage`: the provider's own words about quota or balance, where they
    were asked for; `usage_error`: why there are none."""

    account: Account
    pause: Pause | None
    usage: Mapping[str, object] | None = None
    usage_error: str | None = None


class OutboxAdmin:
    """`nudge` wakes whoever empties the outbox, where that is in this process."""

    def __init__(
        self, outbox: Outbox, accounts: Accounts, *, clock: Clock, nudge: Callable[[], None] = lambda: None
    ) -> None:
        self._outbox = outbox
        self._accounts = accounts
        self._clock = clock
        self._nudge = nudge

    async def page(self, criteria: OutboxFilter) -> list[OutboxMail]:
        """Newest first."""
        return await self._outbox.page(criteria)

    async def get(self, name: str) -> OutboxDetail:
        """By number, by our uuid, or by a provider's id. Raises `NotFound`."""
        detail = None
        if name.isascii() and name.isdigit() and len(name) <= _MAX_NUMBER_DIGITS:
            detail = await self._outbox.get(int(name))
        detail = detail or await self._outbox.find(name)
        if detail is None:
            raise NotFound(_NO_MAIL)
        return detail

    async def retry(self, name: str) -> OutboxDetail:
        """Send again what failed or is unknown, at once, with a new key: where the outcome was unknown, recipients may
        get it twice. Raises `NotFound`, `Conflict`."""
        mail, now = (await self.get(name)).mail, self._clock.now()
        again = await self._outbox.retry(mail.id, deadline=stamp(now + GIVE_UP_S), now=stamp(now))
        if again is None:
            raise Conflict(f"nothing of this mail failed or is unknown: it is {await self._state(mail)}")
        self._nudge()
        return await self.get(str(mail.id))

    async def cancel(self, name: str) -> OutboxDetail:
        """Take back a mail that waits. Raises `NotFound`, `Conflict` where it is too late."""
        mail = (await self.get(name)).mail
        if await self._outbox.cancel(mail.id, now=stamp(self._clock.now())) is None:
            raise Conflict(f"this mail waits no more: it is {await self._state(mail)}")
        return await self.get(str(mail.id))

    async def resolve(self, name: str, state: str) -> OutboxDetail:
        """Record what somebody found out of what is unknown: `accepted` or `failed`. Raises `NotFound`, `BadRequest`,
        `Conflict`."""
        if state not in RESOLUTIONS:
            raise BadRequest(f"state: one of {', '.join(RESOLUTIONS)}")
        mail = (await self.get(name)).mail
        if await self._outbox.resolve(mail.id, State(state), now=stamp(self._clock.now())) is None:
            raise Conflict(f"nothing of this mail is unknown: it is {await self._state(mail)}")
        return await self.get(str(mail.id))

    async def providers(self, *, with_usage: bool) -> list[ProviderStatus]:
        """Every account, in the order of the settings. `with_usage` asks all of them at once, for `USAGE_TIMEOUT_S`."""
        held = {(p.provider, p.account): p for p in await self._outbox.pauses(now=stamp(self._clock.now()))}

        async def status(account: Account, provider: Provider) -> ProviderStatus:
            pause = held.get((account.provider, account.account))
            if not with_usage:
                return ProviderStatus(account, pause)
            try:
                async with asyncio.timeout(USAGE_TIMEOUT_S):
                    return ProviderStatus(account, pause, usage=await provider.usage())
            except ProviderError as exc:
                return ProviderStatus(account, pause, usage_error=str(exc))
            except TimeoutError:
                return ProviderStatus(account, pause, usage_error=f"no answer within {USAGE_TIMEOUT_S:g} s")

        return await asyncio.gather(*(status(*one) for one in self._accounts.accounts))

    async def unpause(self, provider: str, account: str) -> None:
        """Use an account again, within seconds, also for what waits for it. Raises `NotFound` where it is not
        paused."""
        due = stamp(self._clock.now() + PAUSES_KNOWN_AFTER_S)
        if not await self._outbox.unpause(provider, account, due=due):
            raise NotFound("no such account is paused")
        self._nudge()

    async def _state(self, mail: OutboxMail) -> State:
        return (await self.get(str(mail.id))).mail.state
