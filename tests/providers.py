"""One account at each provider over HTTP, and a mail that it can carry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import httpx

from tempmail.adapters.providers.cyberpersons import Cyberpersons
from tempmail.adapters.providers.emailcar import EmailCar
from tempmail.adapters.providers.http import Timeouts
from tempmail.adapters.providers.mail_push import MailPush
from tempmail.adapters.providers.nobase import Nobase
from tempmail.adapters.providers.resend import Resend
from tempmail.adapters.providers.sendflare import SendFlare
from tempmail.clock import Clock
from tempmail.domain.outbound import OutboundMessage
from tempmail.ports.outbound import Provider

SECRET = "s3cret/key+of?the account"
"""In every provider's credentials; with characters that look different in JSON, in a form and in a URL."""
SENDER = "from@sender.example"
RECIPIENT = "to@recipient.example"
MESSAGE = OutboundMessage(from_addr=SENDER, to=(RECIPIENT,), subject="主题", html="<p>正文</p>")


@dataclass(frozen=True)
class Wiring:
    """How a provider is reached, and how fast."""

    url: str
    clock: Clock
    pause_s: float | None = 0.0
    timeouts: Timeouts | None = None
    transport: httpx.AsyncBaseTransport | None = None

    def options(self) -> "_Options":
        options: _Options = {
            "account": "a",
            "base_url": self.url,
            "clock": self.clock,
            "pause_s": self.pause_s,
            "transport": self.transport,
        }
        if self.timeouts is not None:
            options["timeouts"] = self.timeouts
        return options


class _Options(TypedDict):
    account: str
    base_url: str
    clock: Clock
    pause_s: float | None
    transport: httpx.AsyncBaseTransport | None
    timeouts: NotRequired[Timeouts]


@dataclass(frozen=True)
class Account:
    name: str
    build: Callable[[Wiring], Provider]

    def over(self, handler: Callable[[httpx.Request], httpx.Response], clock: Clock) -> Provider:
        """One without a network, for which `handler` answers."""
        return self.build(Wiring("http://127.0.0.1/base", clock, transport=httpx.MockTransport(handler)))


def _resend(wiring: Wiring) -> Provider:
    return Resend(SECRET, **wiring.options())


def _sendflare(wiring: Wiring) -> Provider:
    return SendFlare(SECRET, **wiring.options())


def _cyberpersons(wiring: Wiring) -> Provider:
    return Cyberpersons(SECRET, **wiring.options())


def _mail_push(wiring: Wiring) -> Provider:
    variables = {"subject": "s", "html": "h"}
    return MailPush(SECRET, from_addr=SENDER, template=7, variables=variables, **wiring.options())


def _nobase(wiring: Wiring) -> Provider:
    return Nobase("app", SECRET, from_addr=SENDER, token="user-token", **wiring.options())


def _emailcar(wiring: Wiring) -> Provider:
    return EmailCar("user", SECRET, **wiring.options())


ACCOUNTS = {
    account.name: account
    for account in (
        Account("resend", _resend),
        Account("sendflare", _sendflare),
        Account("cyberpersons", _cyberpersons),
        Account("mail_push", _mail_push),
        Account("nobase", _nobase),
        Account("emailcar", _emailcar),
    )
}
