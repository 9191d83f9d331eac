"""Whether a caller may touch one mailbox or one mail: the only place that decides between "no such thing" and
"not yours".

Addresses can be guessed, so under reach OWN an unknown address and a foreign one answer alike (`Forbidden`): nobody
learns from here which mailboxes exist. Ids are consecutive and tell nothing, so there a missing mail or mailbox is
`NotFound` and a foreign one `Forbidden`, as in the original.
"""

from collections.abc import Collection, Sequence

from tempmail.clock import Clock, stamp
from tempmail.domain.actor import Role
from tempmail.domain.messages import Mailbox, Message
from tempmail.domain.policy import Grant, Reach
from tempmail.errors import Forbidden, NotFound
from tempmail.ports import Mail, Mailboxes

_NO_MAIL = "未找到邮件"
_NO_MAIL_BY_ROLE = {Role.MAILBOX: "邮件不存在"}


class Access:
    """Resolves what a request names, within the reach of its grant."""

    def __init__(self, mail: Mail, mailboxes: Mailboxes, *, clock: Clock) -> None:
        self._mail = mail
        self._mailboxes = mailboxes
        self._clock = clock

    async def mailbox(self, grant: Grant, address: str) -> Mailbox | None:
        """The mailbox at `address` (lower case). None where there is none and the caller may know that.

        Raises `Forbidden`.
        """
        own, scope = grant.actor.mailbox_address, grant.actor.scope
        if scope is not None and not scope.covers(address):
            raise Forbidden(grant.foreign_text)
        if grant.reach is Reach.OWN and own is not None and address != own:
            raise Forbidden(grant.foreign_text)
        mailbox = await self._mailboxes.find(address)
        if grant.reach is not Reach.OWN:
            return mailbox
        if mailbox is None or not await self._owns(grant, {mailbox.id}):
            raise Forbidden(grant.foreign_text)
        return mailbox

    async def mailbox_by_id(self, grant: Grant, mailbox_id: int) -> Mailbox:
        """Raises `NotFound`, `Forbidden`: ids are consecutive, so which of them exist is no secret."""
        mailbox = await self._mailboxes.get(mailbox_id)
        if mailbox is None:
            raise NotFound("邮箱不存在")
        scope = grant.actor.scope
        if (scope is not None and not scope.covers(mailbox.address)) or not await self._owns(grant, {mailbox_id}):
            raise Forbidden("无权限操作此邮箱")
        return mailbox

    async def check_mailboxes(self, grant: Grant, mailbox_ids: Collection[int]) -> None:
        """Raises `Forbidden` if any of them is out of the caller's reach. Those that do not exist are within a reach of
        ALL."""
        scope = grant.actor.scope
        if scope is not None and scope.mailboxes:
            for mailbox_id in mailbox_ids:
                mailbox = await self._mailboxes.get(mailbox_id)
                if mailbox is not None and not scope.covers(mailbox.address):
                    raise Forbidden(grant.foreign_text)
        if not await self._owns(grant, set(mailbox_ids)):
            raise Forbidden(grant.foreign_text)

    async def message(self, grant: Grant, message_id: int) -> Message:
        """One mail. Raises `NotFound` (also where it is older than the caller's window), `Forbidden`."""
        message = await self._mail.get(message_id) if message_id > 0 else None
        if message is None:
            raise NotFound(_missing(grant))
        if not _in_scope(grant, message) or not await self._owns(grant, {message.mailbox_id}):
            raise Forbidden(grant.foreign_text)
        if not self._within_window(grant, message):
            raise NotFound(_missing(grant))
        return message

    async def messages(self, grant: Grant, ids: Sequence[int]) -> list[Message]:
        """Those of `ids` that exist, by id. Raises `Forbidden` if any of them is foreign, with the same text
        for everybody (contract 1.0: `/api/emails/batch` is no single mail)."""
        found = await self._mail.get_many(ids) if ids else []
        in_scope = all(_in_scope(grant, message) for message in found)
        if not in_scope or not await self._owns(grant, {message.mailbox_id for message in found}):
            raise Forbidden("Forbidden")
        return [message for message in found if self._within_window(grant, message)]

    def since(self, grant: Grant) -> str | None:
        """The stamp before which the caller sees no mail; None: no such limit."""
        return None if grant.window_s is None else stamp(self._clock.now() - grant.window_s)

    def _within_window(self, grant: Grant, message: Message) -> bool:
        since = self.since(grant)
        return since is None or message.received_at >= since

    async def _owns(self, grant: Grant, mailbox_ids: set[int]) -> bool:
        """Whether all of them are within the grant's reach."""
        if grant.reach is not Reach.OWN or not mailbox_ids:
            return True
        if grant.actor.mailbox_address is not None:
            return mailbox_ids == {grant.actor.mailbox_id}
        linked = await self._mailboxes.linked(grant.actor.user_id, sorted(mailbox_ids))
        return mailbox_ids <= linked


def _in_scope(grant: Grant, message: Message) -> bool:
    scope = grant.actor.scope
    return scope is None or scope.covers(message.mailbox_address)


def _missing(grant: Grant) -> str:
    return _NO_MAIL_BY_ROLE.get(grant.actor.role, _NO_MAIL)
