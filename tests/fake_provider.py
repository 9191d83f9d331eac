"""A provider without a network, and routes to such. It keeps to the contract of the real ones, which a test proves."""

import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tempmail.adapters.providers.parts import split
from tempmail.domain.outbound import Capabilities, Delivery, OutboundMessage, ProviderCall, SendResult, lacking
from tempmail.errors import CannotDo
from tempmail.ports.outbound import Provider

ONE_BY_ONE = Capabilities(max_to=1, pause_s=0.0)
KNOWS_KEYS = Capabilities(max_to=50, cc=True, bcc=True, status=True, idempotency=True, pause_s=0.0)
RELAY = Capabilities(max_to=50, raw=True, pause_s=0.0)

Answer = SendResult | BaseException


async def nothing() -> None:
    """What happens before most answers."""


@dataclass(frozen=True)
class Made:
    """One call that was made."""

    key: str
    recipients: tuple[str, ...]
    body: bytes
    raw: bytes | None


@dataclass
class FakeProvider:
    """Accepts every call, unless `answers` hold something else for the next ones. `before`: run within each call."""

    name: str = "sendflare"
    account: str = "shop.example"
    capabilities: Capabilities = ONE_BY_ONE
    answers: deque[Answer] = field(default_factory=deque)
    made: list[Made] = field(default_factory=list)
    states: dict[str, Delivery | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    before: Callable[[], Awaitable[object]] = nothing

    def prepare(self, message: OutboundMessage, recipients: Sequence[str]) -> list[ProviderCall]:
        return [
            ProviderCall(
                part.recipients,
                "/send",
                "application/json",
                json.dumps({"to": [each.address for each in part.to], "subject": message.subject}).encode(),
            )
            for part in split(self.name, self.capabilities.max_to, message, recipients)
        ]

    async def send(self, call: ProviderCall, *, idempotency_key: str, raw: bytes | None = None) -> SendResult:
        self.made.append(Made(idempotency_key, call.recipients, call.body, raw))
        await self.before()
        answer = self.answers.popleft() if self.answers else SendResult(f"{self.name}-{len(self.made)}")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def status(self, message_id: str) -> Delivery:
        self.asked.append(message_id)
        if not self.capabilities.status:
            raise CannotDo("it cannot be asked")
        found = self.states.get(message_id, Delivery(None, "sent"))
        if isinstance(found, Exception):
            raise found
        return found

    async def usage(self) -> Mapping[str, object]:
        raise CannotDo("it has no such call")

    async def close(self) -> None:
        return None

    def answer(self, *answers: Answer) -> "FakeProvider":
        """These are its next answers."""
        self.answers.extend(answers)
        return self

    def with_pause(self, seconds: float) -> "FakeProvider":
        self.capabilities = replace(self.capabilities, pause_s=seconds)
        return self


class FakeRoutes:
    """Every mail may go by each of them that can carry it, in this order."""

    def __init__(self, *providers: FakeProvider) -> None:
        self.providers = list(providers)

    def candidates(self, message: OutboundMessage) -> Sequence[Provider]:
        return [each for each in self.providers if not lacking(each.capabilities, message)]

    def account(self, provider: str, account: str) -> Provider | None:
        return next((each for each in self.providers if (each.name, each.account) == (provider, account)), None)
