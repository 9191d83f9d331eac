"""Who may log in with what. Seed 004 (用户登录); freemail contract 2."""

import hashlib
import hmac
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

from tempmail.clock import Clock, stamp
from tempmail.domain.accounts import MailboxLogin, User
from tempmail.domain.actor import Actor, Role
from tempmail.domain.passwords import MAX_PASSWORD_CHARS, checked_mailbox_password
from tempmail.domain.usernames import normalized_username
from tempmail.errors import BadRequest, NotFound, StoreUnavailable, Unauthenticated
from tempmail.log import get_log
from tempmail.ports import MailboxLogins, Users
from tempmail.services.passwords import Passwords

_log = get_log("logins")

_GUEST_NAME = "guest"
_MAX_NAME_CHARS = 1024
_ADMIN_MAILBOX_LIMIT = 9999
_REFUSED = "用户名或密码错误"


@dataclass(frozen=True, slots=True)
class ConfiguredAccounts:
    """The two accounts of the settings, whose passwords are stored nowhere else; an empty password turns one off.

    The admin's name is compared as usernames are stored: in lower case, without white space around it.
    """

    admin_name: str
    admin_password: str = field(repr=False)
    guest_password: str = field(repr=False)

    def is_admin(self, username: str, password: str) -> bool:
        return _fits((username, password), (self.admin_name, self.admin_password.strip()))

    def is_guest(self, username: str, password: str) -> bool:
        return _fits((username, password), (_GUEST_NAME, self.guest_password.strip()))


@dataclass(frozen=True, slots=True)
class Account:
    """Whose login succeeded, and what it is told.

    `epoch`: of its row before the password was checked, so that what ends sessions meanwhile ends this one too.
    `can_send` and `mailbox_limit` are None for a guest. `password_is_default`: a mailbox whose address is its password.
    """

    actor: Actor
    epoch: int = 0
    can_send: int | None = None
    mailbox_limit: int | None = None
    password_is_default: bool = False


class Logins:
    """Finds the account of a name and a password, and lets a mailbox change its own password.

    A login that fails costs one password check whatever the name, so that neither its answer nor its time tells which
    names exist (two where a user and a mailbox share the name and both have a password).
    """

    def __init__(
        self,
        configured: ConfiguredAccounts,
        *,
        users: Users,
        mailboxes: MailboxLogins,
        passwords: Passwords,
        clock: Clock,
    ) -> None:
        self._configured = configured
        self._users = users
        self._mailboxes = mailboxes
        self._passwords = passwords
        self._clock = clock

    async def account(self, username: str, password: str) -> Account:
        """Whose name and password these are. In this order, what fails falling through to the next: the configured
        admin, the guest, a user, a mailbox.

        Raises `BadRequest` where a field is empty, `Unauthenticated`, `Overloaded`.
        """
        username, password = normalized_username(username), password.strip()
        if not username or not password:
            raise BadRequest("用户名或密码不能为空")
        if len(username) > _MAX_NAME_CHARS or len(password) > MAX_PASSWORD_CHARS:
            raise Unauthenticated(_REFUSED)
        if self._configured.is_admin(username, password):
            return await self._admin()
        if self._configured.is_guest(username, password):
            return Account(guest_actor())
        checked = False
        user = await self._user(username)
        if user is not None:
            checked = True
            if await self._is_users(user, password):
                return _user_account(user)
        mailbox = await self._mailbox(username)
        if mailbox is not None:
            checked = checked or bool(mailbox.password_hash)
            if await self._is_mailboxes(mailbox, password):
                await _if_it_can(self._mailboxes.record_login(mailbox.id, now=stamp(self._clock.now())))
                return _mailbox_account(mailbox)
        if not checked:
            await self._passwords.check(password, None)
        raise Unauthenticated(_REFUSED)

    async def change_mailbox_password(self, address: str, *, current: str, new: str) -> None:
        """Give a mailbox the password that it chose, and end all its sessions. White space around passwords is ignored,
        as it is at login.

        Raises `BadRequest` where a password is missing, too short, too long or not the current one, `NotFound`,
        `Overloaded`.
        """
        current, new = current.strip(), new.strip()
        if not current or not new:
            raise BadRequest("当前密码和新密码不能为空")
        new = checked_mailbox_password(new, called="新密码")
        mailbox = await self._mailboxes.find(address)
        if mailbox is None:
            raise NotFound("邮箱不存在")
        if len(current) > MAX_PASSWORD_CHARS or not await self._is_mailboxes(mailbox, current):
            raise BadRequest("当前密码错误")
        new_hash = await self._passwords.hash(new)
        if not await self._mailboxes.change_password(mailbox.id, epoch=mailbox.session_epoch, password_hash=new_hash):
            # Somebody else set it meanwhile.
            raise BadRequest("当前密码错误")

    async def _admin(self) -> Account:
        name = self._configured.admin_name
        user = await self._users.find(name)
        if user is None:
            user = await self._users.get(await self._users.ensure_admin(name, now=stamp(self._clock.now())))
        if user is None:
            # Deleted in this very moment; the next login makes it anew.
            raise Unauthenticated(_REFUSED)
        return Account(
            Actor(Role.STRICT_ADMIN, name, user.id),
            user.session_epoch,
            can_send=1,
            mailbox_limit=_ADMIN_MAILBOX_LIMIT,
        )

    async def _user(self, username: str) -> User | None:
        """The user of that name, if it may log in by a stored password: the configured admin may not."""
        user = await self._users.find(username)
        return user if user is not None and user.password_hash and username != self._configured.admin_name else None

    async def _mailbox(self, address: str) -> MailboxLogin | None:
        mailbox = await self._mailboxes.find(address)
        return mailbox if mailbox is not None and mailbox.can_login else None

    async def _is_users(self, user: User, password: str) -> bool:
        checked = await self._passwords.check(password, user.password_hash)
        if checked.better_hash is not None:
            await _if_it_can(
                self._users.upgrade_password(user.id, old_hash=user.password_hash or "", new_hash=checked.better_hash)
            )
        return checked.fits

    async def _is_mailboxes(self, mailbox: MailboxLogin, password: str) -> bool:
        if not mailbox.password_hash:
            return _fits((password,), (mailbox.address,))
        checked = await self._passwords.check(password, mailbox.password_hash)
        if checked.better_hash is not None:
            await _if_it_can(
                self._mailboxes.upgrade_password(
                    mailbox.id, old_hash=mailbox.password_hash, new_hash=checked.better_hash
                )
            )
        return checked.fits


async def _if_it_can(writing: Awaitable[None]) -> None:
    """What a login can do without: a full disk must keep nobody out, least of all who would make room on it."""
    try:
        await writing
    except StoreUnavailable as exc:
        _log.warning("login.unwritten", exc=exc)


def guest_actor() -> Actor:
    return Actor(Role.GUEST, _GUEST_NAME)


def user_actor(user: User) -> Actor:
    """A row's user by its stored role; never the highest administrator."""
    return Actor(Role.ADMIN if user.role == Role.ADMIN else Role.USER, user.username, user.id)


def mailbox_actor(mailbox: MailboxLogin) -> Actor:
    return Actor(Role.MAILBOX, mailbox.address, mailbox_id=mailbox.id, mailbox_address=mailbox.address)


def _user_account(user: User) -> Account:
    return Account(user_actor(user), user.session_epoch, can_send=user.can_send, mailbox_limit=user.mailbox_limit)


def _mailbox_account(mailbox: MailboxLogin) -> Account:
    return Account(
        mailbox_actor(mailbox),
        mailbox.session_epoch,
        can_send=0,
        mailbox_limit=1,
        password_is_default=not mailbox.password_hash,
    )


def _fits(given: Sequence[str], expected: Sequence[str]) -> bool:
    """Whether all are equal, and none is empty; in a time that tells neither which differs, nor where, nor how long
    the expected ones are."""
    equal = [hmac.compare_digest(_digest(a), _digest(b)) for a, b in zip(given, expected, strict=True)]
    return all(equal) and all(given)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
