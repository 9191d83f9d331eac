"""Handing received mail on: what goes out for each copy, and whether its target wants it."""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from tempmail.clock import Clock, stamp
from tempmail.domain.address import BOUNCES, split_address
from tempmail.domain.forwarding import handed_on
from tempmail.domain.outbound import Kind, OutboundMessage, RecipientKind
from tempmail.domain.srs import SenderRewriting
from tempmail.errors import BadRequest, InvalidOutbound, NotFound
from tempmail.log import get_log
from tempmail.ports.outbound import ForwardTargets, NewOutbound, Outbox, OutboxDetail
from tempmail.services.outbound_payload import encode

_log = get_log("forward")

ASK_AGAIN_AFTER_S = 600.0
CODE_VALID_S = 86_400.0
FORGOTTEN_AFTER_S = 7 * 86_400.0
MAX_TRIES = 5
_CODE_DIGITS = 8
_MAX_CODE_CHARS = 32

_SUBJECT = "Confirm mail forwarding / 确认邮件转发"
_TEXT = """Somebody asked to have the mail of a mailbox here forwarded to this address.

If that was you, enter this code there: {code}
It is valid for 24 hours. If it was not you, do nothing: no mail will come.

有人希望将此处邮箱的邮件转发到本地址。如果是您本人操作，请输入验证码：{code}（24 小时内有效）。否则请忽略本邮件。
"""


class Bodies(Protocol):
    async def read(self, object_key: str) -> bytes:
        """The raw mail. Raises `NotFound`, `ObjectsUnavailable`, `StoreUnavailable`."""
        ...


class _Copy(msgspec.Struct):
    """The payload of a forwarding in the outbox: which mailbox the mail came to."""

    mailbox: str


class Forwarder:
    """Makes the message of a forwarding when it is due. `verify`: only to targets that have said that they want it."""

    def __init__(
        self, bodies: Bodies, targets: ForwardTargets, senders: SenderRewriting, *, clock: Clock, verify: bool
    ) -> None:
        self._bodies = bodies
        self._targets = targets
        self._senders = senders
        self._clock = clock
        self._verify = verify

    async def message(self, detail: OutboxDetail) -> OutboundMessage:
        """The received mail with a trace line above it and a sender of our own round it.

        Raises `InvalidOutbound` where it must not be handed on (a loop, an unconfirmed target, a mail that is deleted
        by now), `Transient` where it cannot be read now.
        """
        mailbox = msgspec.json.decode(detail.payload, type=_Copy).mailbox
        to = tuple(recipient.address for recipient in detail.recipients)
        for address in to:
            await self._check_wanted(address)
        try:
            raw = await self._bodies.read(detail.mail.object_key)
        except NotFound as exc:
            raise InvalidOutbound("the mail was deleted before it was forwarded") from exc
        return OutboundMessage(
            from_addr=self._senders.rewrite(detail.mail.from_addr, split_address(mailbox)[1], now=self._clock.now()),
            to=to,
            subject=detail.mail.subject,
            raw=handed_on(raw, mailbox),
        )

    async def _check_wanted(self, address: str) -> None:
        if not self._verify:
            return
        target = await self._targets.find(address)
        if target is None or target.verified_at is None:
            raise InvalidOutbound(f"{address} has not confirmed that it wants this mail")


@dataclass(frozen=True, slots=True)
class ConsentOptions:
    """`required`: targets must confirm; else nothing is asked. `domain`: what the question is sent from."""

    required: bool
    domain: str


class ForwardConsent:
    """Asks targets whether they want the mail, with a code that is mailed there."""

    def __init__(
        self,
        targets: ForwardTargets,
        outbox: Outbox,
        *,
        clock: Clock,
        options: ConsentOptions,
        new_code: Callable[[], str] | None = None,
    ) -> None:
        self._targets = targets
        self._outbox = outbox
        self._clock = clock
        self._options = options
        self._new_code = new_code or _random_code

    @property
    def is_required(self) -> bool:
        return self._options.required

    async def ask(self, target: str | None) -> None:
        """Mail a code to a target that has not confirmed yet, at most one in ten minutes. Without effect where no
        confirmation is required."""
        if not self._options.required or not target:
            return
        now, code = self._clock.now(), self._new_code()
        await self._targets.forget_unanswered(stamp(now - FORGOTTEN_AFTER_S))
        asked = await self._targets.ask(
            target,
            code_hash=_hash(code),
            code_expires_at=stamp(now + CODE_VALID_S),
            tries=MAX_TRIES,
            now=stamp(now),
            not_since=stamp(now - ASK_AGAIN_AFTER_S),
        )
        if asked:
            await self._outbox.add([self._question(target, code, now)], [None])
            _log.info("forward.asked")

    async def is_confirmed(self, target: str) -> bool:
        """Whether mail may be handed on to `target`."""
        found = await self._targets.find(target)
        return not self._options.required or (found is not None and found.verified_at is not None)

    async def confirm(self, target: str, code: str) -> None:
        """From now on `target` gets its mail. Raises `BadRequest` for a wrong or expired code; each is good for five
        tries."""
        now = stamp(self._clock.now())
        given = "".join(code.split())[:_MAX_CODE_CHARS]
        expected = await self._targets.spend_try(target, now=now)
        if expected is None or not hmac.compare_digest(expected, _hash(given)):
            raise BadRequest("验证码错误或已过期")
        await self._targets.verify(target, now=now)

    def _question(self, target: str, code: str, now: float) -> NewOutbound:
        name = str(uuid.uuid4())
        message = OutboundMessage(
            from_addr=f"{BOUNCES}@{self._options.domain}",
            to=(target,),
            subject=_SUBJECT,
            text=_TEXT.format(code=code),
            message_id=f"<{name}@{self._options.domain}>",
        )
        return NewOutbound(
            uuid=name,
            kind=Kind.SEND,
            from_addr=message.from_addr,
            subject=message.subject,
            recipients=((RecipientKind.TO, target),),
            payload=encode(message),
            created_at=stamp(now),
            due=stamp(now),
            deadline=stamp(now + CODE_VALID_S),
        )


def _random_code() -> str:
    return f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}d}"


def _hash(code: str) -> str:
    """Of a code that is short, but good for a few tries only."""
    return hashlib.sha256(code.encode()).hexdigest()
