"""What the clock does to capsules: freeze them ten minutes before their time, deliver them at it, see what became of
those that went out.

Every step is one compare-and-set transaction of the store, together with the mail that comes of it: whatever dies in
between, a capsule is delivered once. After a downtime everything that is due is done, late and never early. Several
workers may run at once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from tempmail.clock import Clock, stamp
from tempmail.domain.capsules import Capsule, Status
from tempmail.domain.messages import IncomingMail, Recipient
from tempmail.domain.outbound import State
from tempmail.errors import StoreUnavailable, TempmailError, UnknownMailbox
from tempmail.log import get_log
from tempmail.ports import Users
from tempmail.ports.capsules import Capsules
from tempmail.services.capsule_mail import Letter, local_mail, outbound
from tempmail.services.capture import Capture

T = TypeVar("T")

_log = get_log("capsules")

BATCH = 50
"""Capsules of one round."""
PUT_OFF_S = 60.0
"""When one that could not be delivered now is tried again."""

_LARGE_BYTES = 64 << 10

_WENT_OUT = frozenset({State.ACCEPTED, State.DELIVERED})


class CapsuleWorker:
    """`capture` reads the mails for mailboxes here; they are stored by the transactions of `capsules`."""

    def __init__(self, capsules: Capsules, users: Users, capture: Capture, *, clock: Clock) -> None:
        self._capsules = capsules
        self._users = users
        self._capture = capture
        self._clock = clock

    async def run_once(self) -> int:
        """Do what is due now; how many capsules were looked at, 0: nothing is left to be done. Raises
        `StoreUnavailable`."""
        due = await self._capsules.due(now=self._now(), limit=BATCH)
        for capsule in due:
            await self._step(capsule)
        return len(due) + await self._settle()

    async def _step(self, capsule: Capsule) -> None:
        """One capsule that cannot be helped now keeps no other from being delivered."""
        try:
            if capsule.status is Status.PENDING:
                await self._freeze(capsule)
            else:
                await self._deliver(capsule)
        except StoreUnavailable:
            raise
        except Exception as exc:  # noqa: BLE001 - as above
            write = _log.warning if isinstance(exc, TempmailError) else _log.error
            write("capsule.put_off", capsule=capsule.id, status=capsule.status, exc=exc, retry_in_s=PUT_OFF_S)
            later = stamp(self._clock.now() + PUT_OFF_S)
            await self._capsules.put_off(capsule.id, _setting(capsule), due=later, error=type(exc).__name__)

    async def _freeze(self, capsule: Capsule) -> None:
        if capsule.is_outside:
            letter = await self._letter(capsule)
            mail = await _built(letter, partial(outbound, letter, now_epoch_s=self._clock.now()))
            if await self._capsules.hand_over(capsule.id, _setting(capsule), mail, now=self._now()):
                _log.info("capsule.handed_over", capsule=capsule.id, outbox=mail.uuid)
            return
        frozen = await self._capsules.freeze(capsule.id, _setting(capsule), now=self._now())
        if frozen is not None:
            _log.info("capsule.frozen", capsule=capsule.id)
            if frozen.due is not None and frozen.due <= self._now():
                await self._deliver(frozen)

    async def _deliver(self, capsule: Capsule) -> None:
        try:
            mail = await self._mail(capsule)
        except UnknownMailbox as exc:
            await self._fail(capsule, str(exc))
            return
        try:
            delivered = await self._capsules.deliver(capsule.id, _setting(capsule), mail, now=self._now())
        except Exception as exc:
            if mail is not None:
                self._capture.discard(mail, exc)
            raise
        if delivered:
            _log.info("capsule.delivered", capsule=capsule.id, has_mail=mail is not None)
        elif mail is not None:
            self._capture.discard(mail)

    async def _mail(self, capsule: Capsule) -> IncomingMail | None:
        """The mail, ready to be stored; None where its recipient has no mailbox, and sees it here only. Raises
        `UnknownMailbox`."""
        recipient = capsule.recipient
        if recipient.user_id is not None:
            listed = await self._users.mailboxes(recipient.user_id, limit=1)
            if not listed:
                return None
            address = listed[0].address
            mail = await self._captured(capsule, address, catch_all=address)
            # Not created: deleted since, it would come back as nobody's.
            return replace(mail, recipients=(Recipient(address, address, address, may_create=False),))
        if recipient.address is None:
            raise UnknownMailbox("the recipient is gone")
        return await self._captured(capsule, recipient.address, catch_all=None)

    async def _captured(self, capsule: Capsule, address: str, *, catch_all: str | None) -> IncomingMail:
        letter = await self._letter(capsule)
        raw = await _built(letter, partial(local_mail, letter, address, now_epoch_s=self._clock.now()))
        mail = await self._capture.prepare(raw, capsule.sender_address or "", [address], catch_all=catch_all)
        return replace(mail, may_forward=True)

    async def _letter(self, capsule: Capsule) -> Letter:
        if capsule.is_encrypted:
            return Letter(capsule, "", ())
        content = await self._capsules.content(capsule.id)
        return Letter(capsule, content, await self._capsules.stored_files(capsule.id))

    async def _settle(self) -> int:
        """Take over what became of the mails to outside addresses. What is unknown stays under way."""
        settled = await self._capsules.settled(limit=BATCH)
        for each in settled:
            if each.state in _WENT_OUT:
                await self._capsules.sent(each.id, each.capsule_uuid, now=self._now())
                _log.info("capsule.sent", capsule=each.id)
            else:
                error = each.error or f"the mail was {each.state}"
                await self._capsules.fail(each.id, each.capsule_uuid, error=error, now=self._now())
                _log.warning("capsule.undelivered", capsule=each.id, state=each.state)
        return len(settled)

    async def _fail(self, capsule: Capsule, error: str) -> None:
        await self._capsules.fail(capsule.id, _setting(capsule), error=error, now=self._now())
        _log.warning("capsule.undelivered", capsule=capsule.id, error=error)

    def _now(self) -> str:
        return stamp(self._clock.now())


async def _built(letter: Letter, build: Callable[[], T]) -> T:
    """What `build` makes of a letter; of a large one not on the event loop."""
    if sum(each.file.size_bytes for each in letter.files) < _LARGE_BYTES:
        return build()
    return await asyncio.to_thread(build)


def _setting(capsule: Capsule) -> str:
    return capsule.capsule_uuid or ""
