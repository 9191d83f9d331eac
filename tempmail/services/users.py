"""Users as the highest administrator manages them, which mailboxes they have, and how many they may have."""

from dataclasses import dataclass

from tempmail.clock import Clock, stamp
from tempmail.domain.accounts import NewUser, User, UserChange, UserMailbox, UserPage
from tempmail.domain.address import normalized_address, receivable
from tempmail.domain.passwords import MAX_PASSWORD_CHARS
from tempmail.domain.policy import Grant, Reach
from tempmail.domain.usernames import DEFAULT_MAILBOX_LIMIT, checked_limit, checked_username, normalized_username
from tempmail.errors import BadRequest, Conflict, Forbidden, NotFound, QuotaReached
from tempmail.ports import Mailboxes, Users
from tempmail.services.passwords import Passwords

MAX_LISTED_MAILBOXES = 100
MAX_USERS = 100_000
UNLIMITED = -1
GUEST_LIMIT = 999
"""What a guest is shown as its limit (contract 2.1)."""

_ADMIN_ROLE, _USER_ROLE = "admin", "user"
_BY_SETTINGS = "该账户由 ADMIN_NAME/ADMIN_PASSWORD 配置"


@dataclass(frozen=True, slots=True)
class UserDraft:
    """A user to be, as asked for. `password` empty: it cannot log in. `role` other than "admin" means "user".
    `mailbox_limit` None: the default."""

    username: str
    password: str = ""
    role: str = _USER_ROLE
    mailbox_limit: float | None = None


@dataclass(frozen=True, slots=True)
class UserEdit:
    """What is asked to change; None, and for the password also nothing but white space, leaves a field as it is."""

    username: str | None = None
    password: str | None = None
    role: str | None = None
    can_send: bool | None = None
    mailbox_limit: float | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """`limit` and `remaining` are `UNLIMITED` for whoever is not limited."""

    limit: int
    used: int
    remaining: int


class UserService:
    """The configured admin's row belongs to the settings: nobody else may have its name, and only its limit and
    whether it may send can be changed here."""

    def __init__(
        self,
        users: Users,
        mailboxes: Mailboxes,
        passwords: Passwords,
        *,
        clock: Clock,
        admin_name: str,
        max_users: int = MAX_USERS,
    ) -> None:
        self._users = users
        self._mailboxes = mailboxes
        self._passwords = passwords
        self._clock = clock
        self._admin_name = normalized_username(admin_name)
        self._max_users = max_users

    async def page(self, *, limit: int, offset: int, newest_first: bool) -> UserPage:
        """By time of creation. The numbers are those of the whole system."""
        return await self._users.page(limit=limit, offset=offset, newest_first=newest_first)

    async def find(self, username: str) -> User | None:
        """By name, in any case."""
        return await self._users.find(normalized_username(username))

    async def create(self, draft: UserDraft) -> User:
        """Raises `BadRequest`, also for a name that is taken."""
        refused = "创建失败: "
        try:
            username = self._free_username(draft.username)
            limit = DEFAULT_MAILBOX_LIMIT if draft.mailbox_limit is None else checked_limit(draft.mailbox_limit)
            password_hash = await self._hash(draft.password)
            user = NewUser(username, password_hash, _role(draft.role), limit)
            return await self._users.add(user, now=stamp(self._clock.now()), limit=self._max_users)
        except BadRequest as exc:
            raise BadRequest(f"{refused}{exc}") from exc
        except Conflict as exc:
            raise BadRequest(f"{refused}用户名已存在") from exc
        except QuotaReached as exc:
            raise BadRequest(f"{refused}用户数量已达到上限 {self._max_users}") from exc

    async def change(self, user_id: int, edit: UserEdit) -> User:
        """Change what is given; a new role or password ends the user's sessions. Returns the user as it was. Raises
        `NotFound`, `BadRequest`, also for a name that is taken."""
        refused = "更新失败: "
        user = await self._get(user_id)
        try:
            change = await self._change_of(user, edit)
            changed = await self._users.change(user_id, change)
        except BadRequest as exc:
            raise BadRequest(f"{refused}{exc}") from exc
        except Conflict as exc:
            raise BadRequest(f"{refused}用户名已存在") from exc
        if not changed:
            raise _no_user()
        return user

    async def delete(self, user_id: int) -> User:
        """Remove a user with its links and tokens; its mailboxes stay. Returns it. Raises `NotFound`, and `BadRequest`
        for the configured admin."""
        user = await self._get(user_id)
        if self._is_configured(user):
            raise BadRequest(f"删除失败: {_BY_SETTINGS}，不能删除")
        if not await self._users.delete(user_id):
            raise _no_user()
        return user

    async def mailboxes(self, grant: Grant, user_id: int) -> list[UserMailbox]:
        """A user's mailboxes, its pins first, then newest first; at most 100. Nobody's are none. Raises `Forbidden`
        where reach OWN asks for another user's."""
        if grant.reach is Reach.OWN and user_id != grant.actor.user_id:
            raise Forbidden(grant.foreign_text)
        found = await self._users.mailboxes(user_id, limit=MAX_LISTED_MAILBOXES)
        scope = grant.actor.scope
        return [mailbox for mailbox in found if scope is None or scope.covers(mailbox.address)]

    async def assign(self, grant: Grant, username: str, address: str) -> None:
        """Link a mailbox to a user, within its limit; the mailbox is created where missing. Raises `BadRequest`, and
        then nothing has changed; `Forbidden` where the address is out of the caller's scope."""
        refused, address = "分配失败: ", normalized_address(address)
        if not receivable(address):
            raise BadRequest(f"{refused}无效的邮箱地址")
        _require_scope(grant, address)
        user_id, now = await self._id_of(username), stamp(self._clock.now())
        try:
            if user_id is None:
                raise NotFound("no such user")
            is_limited = normalized_username(username) != self._admin_name
            await self._users.assign(user_id, address, now=now, within_limit=is_limited)
        except NotFound as exc:
            raise BadRequest(f"{refused}用户不存在") from exc
        except QuotaReached as exc:
            raise BadRequest(f"{refused}已达到邮箱上限") from exc

    async def unassign(self, grant: Grant, username: str, address: str) -> None:
        """Take a user's link to a mailbox away; the mailbox stays. Raises `BadRequest`, `Forbidden` as `assign`."""
        refused, address = "取消分配失败: ", normalized_address(address)
        _require_scope(grant, address)
        mailbox = await self._mailboxes.find(address)
        if mailbox is None:
            raise BadRequest(f"{refused}邮箱不存在")
        user = await self._users.find(normalized_username(username))
        if user is None:
            raise BadRequest(f"{refused}用户不存在")
        if not await self._users.unassign(user.id, mailbox.id):
            raise BadRequest(f"{refused}该邮箱未分配给该用户")

    async def quota(self, grant: Grant) -> Quota:
        """How many mailboxes the caller has and may have: without a limit and of all mailboxes under reach ALL; a
        guest has those of the demonstration."""
        if grant.reach is Reach.ALL:
            return Quota(UNLIMITED, await self._mailboxes.total(), UNLIMITED)
        if grant.reach is Reach.DEMO:
            limit, used = GUEST_LIMIT, await self._mailboxes.total()
        else:
            user = await self._users.get(grant.actor.user_id)
            limit = DEFAULT_MAILBOX_LIMIT if user is None else user.mailbox_limit
            used = await self._users.mailbox_count(grant.actor.user_id)
        return Quota(limit, used, max(0, limit - used))

    async def _get(self, user_id: int) -> User:
        user = await self._users.get(user_id)
        if user is None:
            raise _no_user()
        return user

    async def _id_of(self, username: str) -> int | None:
        name = normalized_username(username)
        if name and name == self._admin_name:
            # There is no row before the configured admin's first log in.
            return await self._users.ensure_admin(name, now=stamp(self._clock.now()))
        user = await self._users.find(name)
        return None if user is None else user.id

    async def _change_of(self, user: User, edit: UserEdit) -> UserChange:
        is_renamed = edit.username is not None and normalized_username(edit.username) != user.username
        username = edit.username if is_renamed else None
        role = None if edit.role is None else _role(edit.role)
        password = (edit.password or "").strip()
        if self._is_configured(user) and (username is not None or role == _USER_ROLE or password):
            raise BadRequest(f"{_BY_SETTINGS}，不能在此修改用户名、角色或密码")
        return UserChange(
            username=None if username is None else self._free_username(username),
            mailbox_limit=None if edit.mailbox_limit is None else checked_limit(edit.mailbox_limit),
            role=role,
            can_send=None if edit.can_send is None else int(edit.can_send),
            password_hash=await self._hash(password),
        )

    def _is_configured(self, user: User) -> bool:
        return user.username == self._admin_name

    def _free_username(self, username: str) -> str:
        """A name that others than the configured admin may have; whether it is taken, the store says."""
        name = checked_username(username)
        if name == self._admin_name:
            raise BadRequest("用户名已存在")
        return name

    async def _hash(self, password: str) -> str | None:
        """None where there is no password, white space around it aside: logging in trims it too."""
        password = password.strip()
        if len(password) > MAX_PASSWORD_CHARS:
            raise BadRequest(f"密码最多 {MAX_PASSWORD_CHARS} 个字符")
        return await self._passwords.hash(password) if password else None


def _role(asked: str) -> str:
    return _ADMIN_ROLE if asked == _ADMIN_ROLE else _USER_ROLE


def _no_user() -> NotFound:
    return NotFound("未找到用户")


def _require_scope(grant: Grant, address: str) -> None:
    scope = grant.actor.scope
    if scope is not None and not scope.covers(address):
        raise Forbidden(grant.foreign_text)
