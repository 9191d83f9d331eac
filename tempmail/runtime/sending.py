"""The accounts that settings name, as providers, and which of them may send what."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tempmail import __version__
from tempmail.adapters.providers.cyberpersons import Cyberpersons
from tempmail.adapters.providers.emailcar import EmailCar
from tempmail.adapters.providers.mail_push import MailPush
from tempmail.adapters.providers.nobase import Nobase
from tempmail.adapters.providers.resend import Resend
from tempmail.adapters.providers.sendflare import SendFlare
from tempmail.adapters.providers.smtp import Smtp
from tempmail.clock import Clock
from tempmail.domain.outbound import OutboundMessage
from tempmail.domain.routing import Account, choose
from tempmail.errors import BadRequest
from tempmail.ports.outbound import Provider
from tempmail.services.outbox_worker import OutboxWorker
from tempmail.setting_sending import ProviderKeys
from tempmail.settings import Settings

ONLY_ACCOUNT = "default"
"""What an account is called that is for no domain of its own."""
USER_AGENT = f"tempmail/{__version__}"


class ProviderRoutes:
    """The providers, each with what it is for. Implements `ports.outbound.Routes`."""

    def __init__(self, providers: Iterable[tuple[Account, Provider]]) -> None:
        providers = tuple(providers)
        self._providers = {(account.provider, account.account): provider for account, provider in providers}
        self._accounts = tuple(account for account, _ in providers)

    @property
    def is_empty(self) -> bool:
        return not self._providers

    @property
    def accounts(self) -> Sequence[tuple[Account, Provider]]:
        return [(account, self._of(account)) for account in self._accounts]

    def choose(self, message: OutboundMessage) -> list[Provider]:
        """Those that can carry `message`, best first, at least one. Raises `BadRequest`."""
        return [self._of(account) for account in choose(self._accounts, message)]

    def candidates(self, message: OutboundMessage) -> list[Provider]:
        try:
            return self.choose(message)
        except BadRequest:
            return []

    def account(self, provider: str, account: str) -> Provider | None:
        return self._providers.get((provider, account))

    async def close(self) -> None:
        await asyncio.gather(*(provider.close() for provider in self._providers.values()))

    def _of(self, account: Account) -> Provider:
        return self._providers[account.provider, account.account]


@dataclass(frozen=True, slots=True)
class Outbound:
    """What mail leaves this process by. `check_room`: see `SendService`."""

    routes: ProviderRoutes
    worker: OutboxWorker
    check_room: Callable[[int], None]


def routes(settings: Settings, clock: Clock) -> ProviderRoutes:
    """A provider for each account that the settings name. Opens no connection yet."""
    return ProviderRoutes(_Accounts(settings, clock).all())


class _Accounts:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._pauses = {pause.provider: pause.seconds for pause in settings.send_pauses}

    def all(self) -> list[tuple[Account, Provider]]:
        given = self._settings
        return [
            *self._keyed(SendFlare, given.sendflare_api_key, given.sendflare_api_url),
            *self._keyed(Resend, given.resend_api_key, given.resend_api_url),
            *self._keyed(Cyberpersons, given.cyberpersons_api_key, given.cyberpersons_api_url),
            *self._mail_push(),
            *self._nobase(),
            *self._emailcar(),
            *self._smtp(),
        ]

    def _keyed(
        self, kind: Callable[..., Provider], keys: ProviderKeys, base_url: str
    ) -> Iterable[tuple[Account, Provider]]:
        for key, domains in keys.domains_by_key().items():
            name = domains[0] if domains else ONLY_ACCOUNT
            provider = kind(key, account=name, base_url=base_url, **self._common(kind))
            yield _account(provider, domains=domains, for_all=key == keys.otherwise), provider

    def _mail_push(self) -> Iterable[tuple[Account, Provider]]:
        given = self._settings
        if given.mail_push_token:
            provider = MailPush(
                given.mail_push_token,
                account=ONLY_ACCOUNT,
                from_addr=given.mail_push_from,
                template=given.mail_push_template,
                variables=given.mail_push_variables.by_part(),
                base_url=given.mail_push_api_url,
                **self._common(MailPush),
            )
            yield _account(provider, addresses=(given.mail_push_from,)), provider

    def _nobase(self) -> Iterable[tuple[Account, Provider]]:
        given = self._settings
        if given.nobase_appid:
            provider = Nobase(
                given.nobase_appid,
                given.nobase_signature,
                account=ONLY_ACCOUNT,
                from_addr=given.nobase_from,
                token=given.nobase_token,
                user=given.nobase_user,
                password=given.nobase_pass,
                base_url=given.nobase_api_url,
                **self._common(Nobase),
            )
            yield _account(provider, addresses=(given.nobase_from,)), provider

    def _emailcar(self) -> Iterable[tuple[Account, Provider]]:
        given = self._settings
        if given.emailcar_api_user:
            provider = EmailCar(
                given.emailcar_api_user,
                given.emailcar_api_pwd,
                account=ONLY_ACCOUNT,
                base_url=given.emailcar_api_url,
                **self._common(EmailCar),
            )
            domains = given.emailcar_domains
            yield _account(provider, domains=domains, for_all=not domains), provider

    def _smtp(self) -> Iterable[tuple[Account, Provider]]:
        given = self._settings
        if given.smtp_relay_url is not None:
            provider = Smtp(
                given.smtp_relay_url.url,
                account=ONLY_ACCOUNT,
                clock=self._clock,
                pause_s=self._pauses.get(Smtp.name),
                helo_name=given.smtp_hostname,
            )
            domains = given.smtp_relay_domains
            yield _account(provider, domains=domains, for_all=not domains), provider

    def _common(self, kind: Callable[..., Provider]) -> dict[str, Any]:
        name: str = kind.name  # type: ignore[attr-defined]
        return {"clock": self._clock, "user_agent": USER_AGENT, "pause_s": self._pauses.get(name)}


def _account(
    provider: Provider, *, domains: tuple[str, ...] = (), addresses: tuple[str, ...] = (), for_all: bool = False
) -> Account:
    return Account(provider.name, provider.account, provider.capabilities, domains, addresses, for_all)
