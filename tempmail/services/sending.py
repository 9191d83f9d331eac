"""Mail that users send: checked, routed, put into the outbox, and followed from there. Freemail contract 6."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import uuid4

from tempmail.clock import Clock, stamp
from tempmail.domain.address import address_in
from tempmail.domain.drafts import Draft, compose, recipients_of, send_time, sender_of
from tempmail.domain.outbound import Kind, OutboundMessage, State
from tempmail.domain.policy import Grant, Reach
from tempmail.domain.routing import LABELS, sender_domain
from tempmail.errors import BadRequest, Conflict, Forbidden, NotFound, QuotaReached, SendFailed, Throttled
from tempmail.ports import Users
from tempmail.ports.outbound import (
    NewOutbound,
    Outbox,
    OutboxDetail,
    OutboxMail,
    OutboxRecipient,
    Provider,
    Room,
    SendKeys,
    SentMails,
    SentRecord,
)
from tempmail.services import outbound_payload
from tempmail.services.access import Access

MAX_BATCH = 100
MAX_KEY_CHARS = 256
KEY_LIFETIME_S = 24 * 3600
"""How long a request with an Idempotency-Key is known again."""
WAIT_S = 10.0
"""How long a sender waits for the provider's word."""
GIVE_UP_S = 24 * 3600
"""How long after its time a mail is tried."""
ROOM = Room(mails=1_000, payload_bytes=256 << 20)
"""For one user's mails that wait, for their time or their provider. Reach ALL has no such limit."""
AGAIN_AFTER_S = 60

TOO_MANY_WAIT = "待发送的邮件过多，请等待发送完成或取消部分定时邮件"

NO_PROVIDER = "未配置发件 API Key（Resend / SendFlare / Cyberpersons 均未配置）"
NO_MAIL = "未找到发件"

_LARGE_BYTES = 65536
"""From here on, encoding and decoding leave the event loop."""


class Routes(Protocol):
    """The accounts that mail can be sent with."""

    @property
    def is_empty(self) -> bool: ...

    def choose(self, message: OutboundMessage) -> Sequence[Provider]:
        """Those that can carry `message`, best first, at least one. Raises `BadRequest`."""
        ...


class Worker(Protocol):
    """Whoever empties the outbox."""

    def nudge(self) -> None:
        """Something is due now."""
        ...

    async def outcome(self, uuid: str, timeout_s: float) -> OutboxMail | None:
        """The mail as soon as nothing more happens to it by itself; after `timeout_s`, as it is then."""
        ...

    async def refresh(self, mail_id: int) -> None:
        """Ask the providers what became of a mail, where that is due and they can tell."""
        ...


class NobodySends:
    """Routes and worker of a world that no mail leaves."""

    is_empty = True

    def choose(self, message: OutboundMessage) -> Sequence[Provider]:  # noqa: ARG002 (named as in the port)
        raise BadRequest(NO_PROVIDER)

    def nudge(self) -> None:
        pass

    async def outcome(self, uuid: str, timeout_s: float) -> OutboxMail | None:  # noqa: ARG002
        return None

    async def refresh(self, mail_id: int) -> None:
        pass


def room_for_all(_size_bytes: int) -> None:
    """Where nothing is kept, there is room for everything."""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What the caller calls a request, so that it can be repeated, and a hash of what is asked."""

    name: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail that was taken. `provider`: who sends it. `error`: why it is not sent, or not known to be."""

    uuid: str
    provider: str
    state: State
    error: str | None
    scheduled_at: str | None

    @property
    def is_good(self) -> bool:
        return self.state not in (State.FAILED, State.UNKNOWN, State.BOUNCED, State.CANCELED)


@dataclass(frozen=True, slots=True)
class SentMail:
    """What is known of a sent mail. `message`: its whole content; None where only its record is left. `recipients`:
    how each of them fares, none where only the record is left."""

    uuid: str
    state: str
    provider: str
    created_at: str
    scheduled_at: str | None
    error: str | None
    from_addr: str
    subject: str
    message: OutboundMessage | None
    record: SentRecord | None
    recipients: tuple[OutboxRecipient, ...]


class SendService:
    """`wait_s`: how long a sender waits for the provider's word. `room`: for the mails of one user that wait.
    `check_room` raises `NoRoom` where so many bytes more could not be kept safely. `new_uuid` names mails."""

    def __init__(
        self,
        outbox: Outbox,
        sent: SentMails,
        keys: SendKeys,
        users: Users,
        access: Access,
        routes: Routes,
        worker: Worker,
        *,
        clock: Clock,
        wait_s: float = WAIT_S,
        room: Room = ROOM,
        check_room: Callable[[int], None] = room_for_all,
        new_uuid: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self._outbox = outbox
        self._sent = sent
        self._keys = keys
        self._users = users
        self._access = access
        self._routes = routes
        self._worker = worker
        self._clock = clock
        self._wait_s = wait_s
        self._room = room
        self._check_room = check_room
        self._new_uuid = new_uuid

    async def admit(self, grant: Grant) -> None:
        """Whether the caller may send at all, before it says what. Raises `SendFailed` where no provider is set up,
        `Forbidden` for users who may not send."""
        if self._routes.is_empty:
            raise SendFailed(NO_PROVIDER)
        if grant.reach is not Reach.ALL:
            user = await self._users.get(grant.actor.user_id)
            if user is None or not user.can_send:
                raise Forbidden("Forbidden")

    async def send(self, grant: Grant, draft: Draft, *, key: RequestKey | None = None) -> Sent:
        """Send one mail, or hold it until its time. Returns when the provider has answered, at most `wait_s` later.

        `key`: the same request again is the same mail. Raises `BadRequest`, `Forbidden` for a foreign
        sender, `Conflict` for a key of another request, `Throttled` where too many of the caller's mails wait,
        `SendFailed` where the provider refused.
        """
        [sent] = await self._send(grant, [draft], key, failed="发送失败", numbered=False)
        if sent.state is State.FAILED:
            raise SendFailed(f"发送失败: {sent.error}", mail_uuid=sent.uuid)
        return sent

    async def send_batch(self, grant: Grant, drafts: Sequence[Draft], *, key: RequestKey | None = None) -> list[Sent]:
        """Send many mails; what became of each, in their order. All are taken, in one transaction, or none. Raises as
        `send`, but that a mail that is refused by its provider is a result."""
        if len(drafts) > MAX_BATCH:
            raise BadRequest(f"批量发送失败: 单次最多发送 {MAX_BATCH} 封邮件")
        if not drafts:
            return []
        return await self._send(grant, drafts, key, failed="批量发送失败", numbered=True)

    async def get(self, grant: Grant, name: str) -> SentMail:
        """By our id or the provider's, with the provider's latest word. Raises `NotFound`, `Forbidden`."""
        detail = await self._detail(grant, name)
        if detail is None:
            return await self._from_record(grant, name)
        await self._worker.refresh(detail.mail.id)
        return await self._shown(await self._outbox.get(detail.mail.id) or detail)

    async def reschedule(self, grant: Grant, name: str, asked: str | float) -> SentMail:
        """Change the time of a mail that waits; a time of now sends it at once. Raises `NotFound`, `Forbidden`,
        `BadRequest` for a bad time and where it is too late."""
        detail = await self._waiting(grant, name)
        now = self._clock.now()
        at = math.ceil(send_time(asked, now=now) or now)
        changed = await self._outbox.reschedule(
            detail.mail.id, scheduled_at=stamp(at), deadline=stamp(at + GIVE_UP_S), now=stamp(now)
        )
        if changed is None:
            raise await self._too_late(detail.mail)
        self._worker.nudge()
        return await self._shown(await self._outbox.get(detail.mail.id) or detail)

    async def cancel(self, grant: Grant, name: str) -> SentMail:
        """Take a mail back that waits; one that was is no error. Raises as `reschedule`."""
        detail = await self._waiting(grant, name)
        canceled = await self._outbox.cancel(detail.mail.id, now=stamp(self._clock.now()))
        after = await self._outbox.get(detail.mail.id) or detail
        if canceled is None and after.mail.state is not State.CANCELED:
            raise await self._too_late(after.mail)
        return await self._shown(after)

    async def page(self, grant: Grant, address: str, *, limit: int) -> list[SentRecord]:
        """What was sent from `address` (lower case), newest first, without content. Raises `Forbidden`."""
        mailbox = await self._access.mailbox(grant, address)
        records = await self._sent.page(address, limit=limit)
        if grant.reach is not Reach.OWN or mailbox is None:
            return records
        return [record for record in records if record.created_at >= mailbox.created_at]

    async def record(self, grant: Grant, sent_id: int) -> SentRecord:
        """One record with its content. Raises `NotFound`, `Forbidden`."""
        record = await self._sent.get(sent_id) if sent_id > 0 else None
        if record is None:
            raise NotFound(NO_MAIL)
        await self._check_sender(grant, address_in(record.from_addr), record.created_at)
        return record

    async def delete_record(self, grant: Grant, sent_id: int) -> None:
        """Forget that it was sent. A mail that waits still goes out. Raises `NotFound`, `Forbidden`."""
        record = await self.record(grant, sent_id)
        if not await self._sent.delete(record.id):
            raise NotFound(NO_MAIL)

    async def _send(
        self, grant: Grant, drafts: Sequence[Draft], key: RequestKey | None, *, failed: str, numbered: bool
    ) -> list[Sent]:
        with _telling(failed):
            await self._check_senders(grant, drafts)
        owner = f"user {grant.actor.user_id}"
        if key is not None and (known := await self._known_request(owner, key)) is not None:
            return await self._outcomes(known)

        async def planned(uuids: Sequence[str]) -> list[tuple[NewOutbound, SentRecord]]:
            plans = []
            for number, (draft, uuid) in enumerate(zip(drafts, uuids, strict=True), start=1):
                with _telling(f"{failed}: 第 {number} 封" if numbered else failed):
                    plans.append(await self._plan(draft, uuid, grant.actor.owner_id))
            return plans

        uuids = [self._new_uuid() for _ in drafts]
        plans = await planned(uuids)
        if key is not None and (first := await self._taken(owner, key, uuids)) != uuids:
            # The same request came at the same time, or was cut off before: its mails have their names already.
            plans = await planned(first)
        mails = await self._added(grant, plans)
        self._worker.nudge()
        return await self._outcomes(mails, [record.provider for _, record in plans])

    async def _added(self, grant: Grant, plans: Sequence[tuple[NewOutbound, SentRecord]]) -> list[OutboxMail]:
        """The mails as they are in the outbox from now on. Raises `Throttled`, `NoRoom`."""
        self._check_room(sum(len(mail.payload) for mail, _ in plans))
        room = None if grant.reach is Reach.ALL else self._room
        try:
            return await self._outbox.add([mail for mail, _ in plans], [record for _, record in plans], room=room)
        except QuotaReached as exc:
            raise Throttled(TOO_MANY_WAIT, retry_after_s=AGAIN_AFTER_S) from exc

    async def _known_request(self, owner: str, key: RequestKey) -> list[OutboxMail] | None:
        """The mails of the same request, where all of them are in the outbox. Raises `BadRequest`, `Conflict`."""
        if len(key.name) > MAX_KEY_CHARS or not key.name.isprintable():
            raise BadRequest(f"Idempotency-Key 无效：最多 {MAX_KEY_CHARS} 个可见字符")
        known = await self._keys.find(owner, key.name)
        if known is None:
            return None
        if known[0] != key.request_hash:
            raise Conflict("Idempotency-Key 已用于另一个请求")
        details = [await self._outbox.find(uuid) for uuid in known[1]]
        found = [detail.mail for detail in details if detail is not None]
        return found if len(found) == len(details) else None

    async def _taken(self, owner: str, key: RequestKey, uuids: Sequence[str]) -> list[str]:
        """What the mails of the request are called from now on: `uuids`, unless it has come before. Raises
        `Conflict`."""
        now = self._clock.now()
        return await self._keys.take(
            owner,
            key.name,
            request_hash=key.request_hash,
            uuids=uuids,
            now=stamp(now),
            forget_before=stamp(now - KEY_LIFETIME_S),
        )

    async def _check_senders(self, grant: Grant, drafts: Sequence[Draft]) -> None:
        """Raises `Forbidden` for a sender out of the caller's reach, `BadRequest` for none."""
        senders = [sender_of(draft.sender)[1] for draft in drafts]
        for sender in dict.fromkeys(senders):
            if not sender:
                raise BadRequest("发件人地址为空")
            await self._access.mailbox(grant, sender)

    async def _plan(self, draft: Draft, uuid: str, user_id: int | None) -> tuple[NewOutbound, SentRecord]:
        message_id = f"<{uuid}@{sender_domain(draft.sender)}>"
        size = len(draft.html) + len(draft.text) + sum(len(item.content or "") for item in draft.attachments)
        if size < _LARGE_BYTES:
            message, payload = _encoded(draft, message_id)
        else:
            message, payload = await asyncio.to_thread(_encoded, draft, message_id)
        provider = self._routes.choose(message)[0]
        now = self._clock.now()
        at = send_time(draft.scheduled_at, now=now)
        scheduled_at = None if at is None else stamp(math.ceil(at))
        mail = NewOutbound(
            uuid=uuid,
            kind=Kind.SEND,
            from_addr=message.from_addr,
            subject=message.subject,
            recipients=recipients_of(message),
            payload=payload,
            created_at=stamp(now),
            due=scheduled_at or stamp(now),
            deadline=stamp((at or now) + GIVE_UP_S),
            scheduled_at=scheduled_at,
            user_id=user_id,
        )
        record = SentRecord(
            from_addr=message.from_addr,
            to_addrs=",".join(message.to),
            subject=message.subject,
            from_name=message.from_name or None,
            html_content=message.html,
            text_content=message.text,
            scheduled_at=scheduled_at,
            provider=provider.name,
            created_at=stamp(now),
            uuid=uuid,
        )
        return mail, record

    async def _outcomes(self, mails: Sequence[OutboxMail], providers: Sequence[str] = ()) -> list[Sent]:
        """What became of `mails` until the wait is over. Those that are held for later are not waited for."""
        until = self._clock.monotonic() + self._wait_s

        async def outcome(mail: OutboxMail, provider: str) -> Sent:
            if mail.state in (State.QUEUED, State.SENDING):
                mail = await self._worker.outcome(mail.uuid, max(0.0, until - self._clock.monotonic())) or mail
            return Sent(mail.uuid, mail.provider or provider, mail.state, mail.error, mail.scheduled_at)

        planned = providers or [await self._recorded_provider(mail) for mail in mails]
        return await asyncio.gather(*map(outcome, mails, planned))

    async def _recorded_provider(self, mail: OutboxMail) -> str:
        if mail.provider:
            return mail.provider
        record = await self._sent.find(mail.uuid)
        return record.provider if record is not None else ""

    async def _shown(self, detail: OutboxDetail) -> SentMail:
        mail = detail.mail
        return SentMail(
            uuid=mail.uuid,
            state=mail.state,
            provider=await self._recorded_provider(mail),
            created_at=mail.created_at,
            scheduled_at=mail.scheduled_at,
            error=mail.error,
            from_addr=mail.from_addr,
            subject=mail.subject,
            message=await _decoded(detail.payload),
            record=None,
            recipients=_with_ids(detail),
        )

    async def _too_late(self, mail: OutboxMail) -> BadRequest:
        return BadRequest(_too_late_text(await self._recorded_provider(mail)))

    async def _detail(self, grant: Grant, name: str) -> OutboxDetail | None:
        """A mail of the outbox that somebody sent. Raises `Forbidden`."""
        detail = await self._outbox.find(name)
        if detail is None or detail.mail.kind is not Kind.SEND:
            return None
        await self._check_sender(grant, detail.mail.from_addr, detail.mail.created_at)
        return detail

    async def _waiting(self, grant: Grant, name: str) -> OutboxDetail:
        """A mail that may still be changed, as far as is known. Raises as `reschedule`."""
        detail = await self._detail(grant, name)
        if detail is None:
            known = await self._from_record(grant, name)
            raise BadRequest(_too_late_text(known.provider))
        return detail

    async def _from_record(self, grant: Grant, name: str) -> SentMail:
        """What is left of a mail that the outbox has forgotten. Raises `NotFound`, `Forbidden`."""
        record = await self._sent.find(name)
        if record is None:
            raise NotFound(NO_MAIL)
        await self._check_sender(grant, address_in(record.from_addr), record.created_at)
        return SentMail(
            uuid=record.uuid or name,
            state=record.status,
            provider=record.provider,
            created_at=record.created_at,
            scheduled_at=record.scheduled_at,
            error=None,
            from_addr=record.from_addr,
            subject=record.subject,
            message=None,
            record=record,
            recipients=(),
        )

    async def _check_sender(self, grant: Grant, address: str, created_at: str) -> None:
        """Raises `Forbidden` for a mail of a foreign mailbox, and for one that was sent before the mailbox was made:
        from another of the same address, whose owner was another."""
        mailbox = await self._access.mailbox(grant, address)
        if grant.reach is Reach.OWN and (mailbox is None or created_at < mailbox.created_at):
            raise Forbidden("Forbidden")


@contextlib.contextmanager
def _telling(what: str) -> Iterator[None]:
    """Have refusals begin with what was refused, as the original's do."""
    try:
        yield
    except BadRequest as exc:
        raise BadRequest(f"{what}: {exc}") from exc


def _encoded(draft: Draft, message_id: str) -> tuple[OutboundMessage, bytes]:
    message = compose(draft, message_id=message_id)
    return message, outbound_payload.encode(message)


async def _decoded(payload: bytes) -> OutboundMessage:
    if len(payload) < _LARGE_BYTES:
        return outbound_payload.decode(payload)
    return await asyncio.to_thread(outbound_payload.decode, payload)


def _with_ids(detail: OutboxDetail) -> tuple[OutboxRecipient, ...]:
    """The recipients, each with the id that its call has where it has none of its own."""
    ids = {address: call.provider_message_id for call in detail.calls for address in call.request.recipients}
    return tuple(
        replace(one, provider_message_id=one.provider_message_id or ids.get(one.address)) for one in detail.recipients
    )


def _too_late_text(provider: str) -> str:
    """The original's words for what cannot be done at a provider any more."""
    return f"{LABELS.get(provider, provider) or '该'} 渠道暂不支持此操作"
