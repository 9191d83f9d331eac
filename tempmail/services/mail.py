"""Mail as readers see it: lists, single mails with their texts, raw downloads, deletion."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from tempmail.clock import Clock, stamp
from tempmail.domain.messages import Message, MessageSummary
from tempmail.domain.mime import Attachment, MimeLimits, ParsedMail, attachment_bytes, parse
from tempmail.domain.policy import Grant
from tempmail.errors import BadRequest, NotFound, ObjectsUnavailable, StoreUnavailable
from tempmail.log import get_log
from tempmail.ports import Mail
from tempmail.services.access import Access
from tempmail.services.fresh import Fresh, Version

T = TypeVar("T")

MAX_BATCH_IDS = 50
_INLINE_PARSE_BYTES = 256 * 1024  # larger mails are parsed in a thread: above this a parse holds the loop over 1 ms

_log = get_log("mail")


class Bodies(Protocol):
    """Raw mails, from wherever they are now."""

    async def read(self, object_key: str) -> bytes:
        """The whole raw mail. Raises `NotFound`, `ObjectsUnavailable`, `StoreUnavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Detail:
    """One mail with its texts. `body_available` is False where the raw mail cannot be read (gone, or its store is
    down): then `text`, `html` and `attachments` are empty, the row itself still holds."""

    message: Message
    text: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    body_available: bool = False


@dataclass(frozen=True, slots=True)
class RawMail:
    file_name: str
    body: bytes


class MailService:
    """`version` tells whether anything was committed since a list was read (see `Fresh`)."""

    def __init__(
        self,
        mail: Mail,
        access: Access,
        bodies: Bodies,
        *,
        clock: Clock,
        version: Version = lambda: None,
        limits: MimeLimits | None = None,
    ) -> None:
        self._mail = mail
        self._access = access
        self._bodies = bodies
        self._clock = clock
        self._limits = limits or MimeLimits()
        self._lists = Fresh[Any](version)

    async def latest(
        self,
        grant: Grant,
        address: str,
        shape: Callable[[list[MessageSummary]], T],
        *,
        limit: int,
        before_id: int | None = None,
    ) -> T:
        """What `shape` makes of a mailbox's newest mail, of that with ids below `before_id`, newest first (by id); of
        nothing where the mailbox is unknown. The result is remembered, and given out again while nothing is committed:
        nobody may change it. Raises `Forbidden`.
        """
        since = self._access.since(grant)

        async def read() -> T:
            mailbox = await self._access.mailbox(grant, address)
            if mailbox is None:
                return shape([])
            return shape(await self._mail.latest(mailbox.id, limit=limit, before_id=before_id, since=since))

        result: T = await self._lists.get((shape, grant.reach, grant.actor, since, address, limit, before_id), read)
        return result

    async def batch(self, grant: Grant, ids: Sequence[int]) -> list[Message]:
        """Those of `ids` (at most 50) that exist, by id. Nothing is marked read. Raises `BadRequest`, `Forbidden`."""
        if len(ids) > MAX_BATCH_IDS:
            raise BadRequest("单次最多查询50封邮件")
        return await self._access.messages(grant, ids)

    async def detail(self, grant: Grant, message_id: int) -> Detail:
        """One mail with its texts; marks it read. Raises `NotFound`, `Forbidden`."""
        message = await self._access.message(grant, message_id)
        if not message.is_read:
            try:
                await self._mail.mark_read(message.id)
            except StoreUnavailable as exc:
                # A full disk must not keep anybody from reading; the mark is made at the next view.
                _log.warning("mail.mark_read_failed", exc=exc, message_id=message.id)
        return await self._with_texts(message)

    async def view(self, grant: Grant, message_id: int) -> Detail:
        """As `detail`, but nothing is marked read."""
        return await self._with_texts(await self._access.message(grant, message_id))

    async def raw(self, grant: Grant, message_id: int) -> RawMail:
        """One mail as it was received. Raises `NotFound`, `Forbidden`, `ObjectsUnavailable`."""
        message = await self._access.message(grant, message_id)
        if not message.r2_object_key:
            raise NotFound("未找到对象")
        try:
            body = await self._bodies.read(message.r2_object_key)
        except NotFound as exc:
            raise NotFound("对象不存在") from exc
        return RawMail(message.r2_object_key.rpartition("/")[2], body)

    async def attachment(self, grant: Grant, message_id: int, part: int) -> tuple[Attachment, bytes]:
        """One attachment of a mail, decoded. Raises as `raw`, and `NotFound` where the mail has no such part."""
        raw = await self.raw(grant, message_id)
        if len(raw.body) <= _INLINE_PARSE_BYTES:
            return attachment_bytes(raw.body, part, self._limits)
        return await asyncio.to_thread(attachment_bytes, raw.body, part, self._limits)

    async def delete(self, grant: Grant, message_id: int) -> bool:
        """Remove one mail and its raw form; False where it went in the meantime.

        Raises `BadRequest`, `NotFound`, `Forbidden`.
        """
        if message_id < 1:
            raise BadRequest("无效的邮件ID")
        message = await self._access.message(grant, message_id)
        return await self._mail.delete(message.id, now=stamp(self._clock.now()))

    async def clear(self, grant: Grant, address: str) -> int:
        """Remove all mail of a mailbox; says how many. Raises `Forbidden`."""
        mailbox = await self._access.mailbox(grant, address)
        return 0 if mailbox is None else await self._mail.clear(mailbox.id, now=stamp(self._clock.now()))

    async def _with_texts(self, message: Message) -> Detail:
        if not message.r2_object_key:
            return Detail(message)
        try:
            raw = await self._bodies.read(message.r2_object_key)
        except (NotFound, ObjectsUnavailable) as exc:
            _log.warning("mail.body_unavailable", exc=exc, message_id=message.id, object_key=message.r2_object_key)
            return Detail(message)
        parsed = await self._parse(raw)
        return Detail(message, parsed.text, parsed.html, parsed.attachments, body_available=True)

    async def _parse(self, raw: bytes) -> ParsedMail:
        if len(raw) <= _INLINE_PARSE_BYTES:
            return parse(raw, self._limits)
        return await asyncio.to_thread(parse, raw, self._limits)
