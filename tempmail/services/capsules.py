"""Mail to the future, as its writers and readers use it. What the clock does is in `capsule_worker.py`."""

import hashlib
import uuid
from dataclasses import replace

import msgspec

from tempmail.clock import Clock, parse_stamp, stamp
from tempmail.domain import policy
from tempmail.domain.address import ServedDomains, alias_of, receivable, split_address
from tempmail.domain.capsules import (
    DEFAULT_STYLE,
    FOLDERS,
    FREEZE_S,
    MAX_UNSENT,
    Capsule,
    CapsuleFile,
    Folder,
    Recipient,
    Setting,
    Status,
    Trigger,
    When,
    changed_meanwhile,
    check_content,
    check_editable,
    check_release,
    check_room,
    check_settable,
    check_style,
    check_title,
    check_trigger,
    is_repeat,
    iso,
    month_of,
    monthly_limit,
    next_month,
    not_pending,
    owner_key,
    parse_time,
    safe_filename,
)
from tempmail.domain.policy import Grant, Reach
from tempmail.domain.usernames import normalized_username
from tempmail.errors import BadRequest, Forbidden, NotFound, Unprocessable
from tempmail.ports import Mailboxes, Users
from tempmail.ports.capsules import CapsulePage, Capsules, CapsuleText, Key, NewCapsule, NewSetting, StoredFile
from tempmail.ports.outbound import Routes
from tempmail.services.capsule_mail import Letter, outbound_message
from tempmail.services.capsule_requests import (
    Asked,
    CapsuleOptions,
    Condition,
    Edit,
    Opened,
    Quota,
    SetRequest,
)
from tempmail.services.capsule_secrets import CapsuleSecrets
from tempmail.services.passwords import Passwords

KEY_LIFETIME_S = 86_400.0
"""How long an Idempotency-Key is remembered."""
MAX_KEY_CHARS = 255
SENDER_LOCAL = "capsules"
"""Who capsules come from whose writer has no mailbox."""

_TRIES = 3
_NO_SUCH_MAIL = "no such mail"
_USER_PREFIX, _MAX_ID_DIGITS = "user_", 15
_CONTENT_TYPE_CHARS = 127


class CapsuleService:
    """Every method raises `NotFound` for a capsule that does not exist, and for one that was not delivered to its
    caller yet; `Forbidden` for one of somebody else's; `Unprocessable` where a rule of seed 002 says no."""

    def __init__(
        self,
        capsules: Capsules,
        users: Users,
        mailboxes: Mailboxes,
        passwords: Passwords,
        *,
        clock: Clock,
        domains: ServedDomains,
        options: CapsuleOptions,
        routes: Routes | None = None,
    ) -> None:
        """`routes`: who sends to outside addresses; None: nobody."""
        self._capsules = capsules
        self._users = users
        self._mailboxes = mailboxes
        self._secrets = CapsuleSecrets(passwords, clock=clock)
        self._clock = clock
        self._domains = domains
        self._options = options
        self._routes = routes

    async def create(self, grant: Grant, edit: Edit) -> Opened:
        """Write a draft."""
        is_encrypted, password_hash = await self._secrets.of_new(edit)
        text = CapsuleText(
            recipient=await self._recipient(edit.recipient),
            title=check_title(edit.title or ""),
            content=check_content(edit.content or ""),
            capsule_style=check_style(edit.capsule_style or DEFAULT_STYLE),
            is_encrypted=is_encrypted,
            password_hash=password_hash,
        )
        actor = grant.actor
        name = actor.username if actor.user_id or actor.mailbox_id else actor.role.wire_name
        new = NewCapsule(uuid.uuid4().hex, owner_key(actor), name, text)
        return await self._open(await self._capsules.add(new, limit=MAX_UNSENT, now=self._now()), is_own=True)

    async def change(self, grant: Grant, mail: str, edit: Edit) -> Opened:
        """Change a draft; a failed one is a draft again."""
        capsule = await self._own(grant, mail)
        check_editable(capsule)
        if edit.updated_at is not None and edit.updated_at != iso(capsule.updated_at):
            raise changed_meanwhile()
        is_encrypted, password_hash = await self._secrets.after(grant, capsule, edit)
        text = CapsuleText(
            recipient=capsule.recipient if edit.recipient is None else await self._recipient(edit.recipient),
            title=capsule.title if edit.title is None else check_title(edit.title),
            content=None if edit.content is None else check_content(edit.content),
            capsule_style=capsule.capsule_style if edit.capsule_style is None else check_style(edit.capsule_style),
            is_encrypted=is_encrypted,
            password_hash=password_hash,
        )
        changed = await self._capsules.change(capsule.id, capsule.revision, text, now=self._now())
        if changed is None:
            raise changed_meanwhile()
        return await self._open(changed, is_own=True)

    async def delete(self, grant: Grant, mail: str) -> Capsule:
        """Delete a draft, or a failed one."""
        capsule = await self._own(grant, mail)
        check_editable(capsule)
        if not await self._capsules.delete(capsule.id):
            raise changed_meanwhile()
        return capsule

    async def view(self, grant: Grant, mail: str) -> Opened:
        """A capsule, for its owner, or for its recipient once it is delivered."""
        capsule, is_own = await self._reachable(grant, mail)
        return await self._open(capsule, is_own=is_own)

    async def page(
        self, grant: Grant, folder: Folder | None, status: Status | None, *, limit: int, offset: int
    ) -> CapsulePage:
        """What `Folder` says, or all of one's own; of one state where that is given."""
        statuses = set(Status) if folder is None else set(FOLDERS[folder])
        if status is not None:
            statuses &= {status}
        if not statuses:
            return CapsulePage((), 0)
        actor = grant.actor
        if folder is Folder.INBOX:
            return await self._capsules.inbox(
                user_id=actor.user_id, mailbox_id=actor.mailbox_id, limit=limit, offset=offset
            )
        return await self._capsules.own(owner_key(actor), sorted(statuses), limit=limit, offset=offset)

    async def set(self, grant: Grant, asked: SetRequest, key: str | None) -> Setting:
        """Set a draft for a time. The checks come in the order of provider facts 5.

        The same again under the same `key`, or within a minute, is answered as the first was, and sets nothing.
        """
        if not asked.mail or not asked.send_time:
            raise BadRequest(f"{'sendTime' if asked.mail else 'mailId'} is missing")
        when = parse_time(asked.send_time)
        trigger = _trigger(asked.trigger)
        named = _key(key, asked, trigger, since=stamp(self._clock.now() - KEY_LIFETIME_S))
        for _ in range(_TRIES):
            capsule = await self._own(grant, asked.mail)
            setting = await self._try_to_set(grant, capsule, when, trigger, asked.condition, named)
            if setting is not None:
                return setting
        raise changed_meanwhile()

    async def revoke(self, grant: Grant, mail: str) -> Capsule:
        """A draft again. Raises `Unprocessable` where it is frozen by now: of a revocation and the clock exactly one
        wins."""
        capsule = await self._own(grant, mail)
        revoked = await self._capsules.revoke(capsule.id, now=self._now())
        if revoked is None:
            raise not_pending(await self._own(grant, mail), "revoked")
        return revoked

    async def release(self, grant: Grant, mail: str) -> Capsule:
        """What a capsule with a trigger waits for has come: it is delivered now."""
        capsule = await self._own(grant, mail)
        check_release(capsule, _set_epoch_s(capsule), self._clock.now())
        released = await self._capsules.release(capsule.id, capsule.capsule_uuid or "", now=self._now())
        if released is None:
            raise changed_meanwhile()
        return released

    async def attach(self, grant: Grant, mail: str, *, filename: str, content_type: str, body: bytes) -> CapsuleFile:
        """Add a file to a draft. Raises `TooLarge` for one that has room in no capsule."""
        capsule = await self._own(grant, mail)
        check_editable(capsule)
        check_room(capsule, len(body))
        kind = content_type.partition(";")[0].strip().lower()[:_CONTENT_TYPE_CHARS]
        file = CapsuleFile(
            uuid.uuid4().hex,
            safe_filename(filename),
            kind if kind.isascii() and "/" in kind else "application/octet-stream",
            len(body),
        )
        await self._capsules.attach(capsule.id, StoredFile(file, body), now=self._now())
        return file

    async def detach(self, grant: Grant, mail: str, attachment: str) -> None:
        """Take a file out of a draft."""
        capsule = await self._own(grant, mail)
        if not await self._capsules.detach(capsule.id, _bare(attachment, "attach_"), now=self._now()):
            raise NotFound("no such attachment")

    async def attachment(self, grant: Grant, mail: str, attachment: str) -> StoredFile:
        """A file, for whoever sees the capsule; of an encrypted one for whoever has just unlocked it."""
        capsule, _ = await self._reachable(grant, mail)
        if capsule.is_encrypted and not self._secrets.has_unlocked(grant, capsule):
            raise Forbidden("the mail is encrypted: unlock it first")
        found = await self._capsules.file(capsule.id, _bare(attachment, "attach_"))
        if found is None:
            raise NotFound("no such attachment")
        return found

    async def unlock(self, grant: Grant, mail: str, password: str) -> Opened:
        """All of an encrypted capsule. Raises `Forbidden` for another password, `Throttled` after too many tries."""
        capsule, is_own = await self._reachable(grant, mail)
        if not capsule.is_encrypted:
            raise Unprocessable("the mail is not encrypted", rule="not_encrypted")
        await self._secrets.unlock(grant, capsule, password)
        return await self._open(capsule, is_own=is_own, unlocked=True)

    def now(self) -> float:
        """Seconds since the epoch: what countdowns count from."""
        return self._clock.now()

    async def quota(self, grant: Grant) -> Quota:
        """How many capsules the caller may set this month, and has."""
        now = self._now()
        used = await self._capsules.used(owner_key(grant.actor), month_of(now))
        return Quota(monthly_limit(grant.actor, self._options.per_month), used, next_month(now))

    async def _try_to_set(
        self, grant: Grant, capsule: Capsule, when: When, trigger: Trigger, condition: Condition, key: Key | None
    ) -> Setting | None:
        """None: somebody else changed the capsule meanwhile."""
        owner, now_epoch_s = owner_key(grant.actor), self._clock.now()
        send_at, now = stamp(when.epoch_s), stamp(now_epoch_s)
        if key is not None and (earlier := await self._capsules.replay(owner, key)) is not None:
            return earlier
        if is_repeat(capsule, send_at, _set_epoch_s(capsule), now_epoch_s):
            return Setting(capsule.uuid, capsule.capsule_uuid or "", send_at, capsule.set_at or now)
        check_settable(capsule, when, now_epoch_s)
        check_trigger(
            trigger,
            latitude=condition.latitude,
            longitude=condition.longitude,
            city=condition.city,
            keywords=condition.keywords,
            event=condition.event,
        )
        sender, is_outside = await self._sender(grant, capsule)
        new = NewSetting(
            capsule_id=capsule.id,
            revision=capsule.revision,
            capsule_uuid=uuid.uuid4().hex,
            sender_address=sender,
            trigger=trigger,
            trigger_condition=condition.json,
            is_outside=is_outside,
            send_at=send_at,
            due=stamp(when.epoch_s - FREEZE_S),
            now=now,
            monthly_limit=monthly_limit(grant.actor, self._options.per_month),
            key=key,
        )
        return await self._capsules.set(new, owner)

    async def _sender(self, grant: Grant, capsule: Capsule) -> tuple[str, bool]:
        """(what the mail is from, whether it goes to an outside address). Raises `Forbidden`, `Unprocessable`."""
        own = await self._own_address(grant)
        address = capsule.recipient.address
        if address is None or self._domains.serves(split_address(address)[1]):
            concrete = self._domains.concrete
            return own or f"{SENDER_LOCAL}@{concrete[0].lower() if concrete else 'localhost'}", False
        await self._check_sending(grant)
        if capsule.is_encrypted:
            raise Unprocessable(
                "an encrypted mail can be unlocked here only: its recipient must be a user or a mailbox of this server",
                rule="encrypted_outside",
            )
        if own is None:
            raise Unprocessable("mail to an outside address needs a mailbox to come from", rule="no_sender")
        files = [StoredFile(each, b"") for each in await self._capsules.files(capsule.id)]
        mail = outbound_message(Letter(replace(capsule, sender_address=own), "", files))
        if self._routes is None or not self._routes.candidates(replace(mail, text="-")):
            raise Unprocessable(f"no provider carries this mail from {own}", rule="no_provider")
        return own, True

    async def _check_sending(self, grant: Grant) -> None:
        """As for any mail that leaves the server. Raises `Forbidden`."""
        sending = policy.grant(grant.actor, "mail.send")
        if sending.reach is Reach.ALL:
            return
        user = await self._users.get(grant.actor.user_id)
        if user is None or not user.can_send:
            raise Forbidden("you may not send mail to other servers")

    async def _own_address(self, grant: Grant) -> str | None:
        """The mailbox that the caller writes from: its own, or the first of its list."""
        if grant.actor.mailbox_address is not None:
            return grant.actor.mailbox_address
        listed = await self._users.mailboxes(grant.actor.user_id, limit=1) if grant.actor.user_id else []
        return listed[0].address if listed else None

    async def _recipient(self, asked: Asked | None) -> Recipient:
        if asked is None:
            return Recipient()
        if asked.user_id or asked.username:
            digits = asked.user_id.strip().removeprefix(_USER_PREFIX)
            if asked.user_id and digits.isascii() and digits.isdigit() and len(digits) <= _MAX_ID_DIGITS:
                user = await self._users.get(int(digits))
            else:
                user = None if asked.user_id else await self._users.find(normalized_username(asked.username))
            if user is None:
                raise Unprocessable("recipient: there is no such user", rule="recipient_unknown")
            return Recipient(user.id, user.username)
        address = asked.email.strip()
        if not address:
            return Recipient()
        domain = split_address(address)[1]
        if not receivable(address) or not ("." in domain or self._domains.serves(domain)):
            raise Unprocessable("recipient.email: this is no mail address", rule="recipient_invalid")
        return Recipient(address=address)

    async def _open(self, capsule: Capsule, *, is_own: bool, unlocked: bool = False) -> Opened:
        if capsule.is_encrypted and not unlocked:
            return Opened(capsule, None, (), is_own)
        files = await self._capsules.files(capsule.id)
        return Opened(capsule, await self._capsules.content(capsule.id), files, is_own)

    async def _own(self, grant: Grant, mail: str) -> Capsule:
        capsule = await self._capsules.find(_bare(mail, "mail_"))
        if capsule is None:
            raise NotFound(_NO_SUCH_MAIL)
        if capsule.owner_key != owner_key(grant.actor):
            if capsule.status is not Status.DELIVERED and await self._is_for(grant, capsule):
                raise NotFound(_NO_SUCH_MAIL)
            raise Forbidden(grant.foreign_text)
        return capsule

    async def _reachable(self, grant: Grant, mail: str) -> tuple[Capsule, bool]:
        """(the capsule, whether it is the caller's own)."""
        capsule = await self._capsules.find(_bare(mail, "mail_"))
        if capsule is None:
            raise NotFound(_NO_SUCH_MAIL)
        if capsule.owner_key == owner_key(grant.actor):
            return capsule, True
        if not await self._is_for(grant, capsule):
            raise Forbidden(grant.foreign_text)
        if capsule.status is not Status.DELIVERED:
            raise NotFound(_NO_SUCH_MAIL)
        return capsule, False

    async def _is_for(self, grant: Grant, capsule: Capsule) -> bool:
        """Whether the caller is whom it is for: the user, or one that has the mailbox."""
        actor, recipient = grant.actor, capsule.recipient
        if actor.user_id and recipient.user_id == actor.user_id:
            return True
        mailbox_id = capsule.mailbox_id
        if mailbox_id is None and recipient.address is not None and not capsule.is_outside:
            exact = recipient.address.lower()
            found = await self._mailboxes.resolve(exact, alias_of(exact))
            mailbox_id = None if found is None else found.id
        if mailbox_id is None:
            return False
        if actor.mailbox_id:
            return mailbox_id == actor.mailbox_id
        return bool(actor.user_id) and bool(await self._mailboxes.linked(actor.user_id, [mailbox_id]))

    def _now(self) -> str:
        return stamp(self._clock.now())


def _trigger(text: str | None) -> Trigger:
    if text is None:
        return Trigger.TIME
    try:
        return Trigger[text]
    except KeyError as exc:
        raise BadRequest("triggerType: TIME, LOCATION or EVENT") from exc


def _key(name: str | None, asked: SetRequest, trigger: Trigger, *, since: str) -> Key | None:
    if name is None:
        return None
    if not 0 < len(name) <= MAX_KEY_CHARS or not name.isprintable():
        raise BadRequest(f"Idempotency-Key: 1 to {MAX_KEY_CHARS} printable characters")
    request = msgspec.json.encode([asked.mail, asked.send_time, trigger, asked.condition.json])
    return Key(name, hashlib.sha256(request).hexdigest(), since)


def _set_epoch_s(capsule: Capsule) -> float:
    return 0.0 if capsule.set_at is None else parse_stamp(capsule.set_at)


def _bare(name: str, prefix: str) -> str:
    """The uuid in a public name; "" for what is none."""
    return name.removeprefix(prefix) if name.startswith(prefix) else ""
