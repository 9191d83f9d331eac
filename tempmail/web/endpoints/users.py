"""Users, their mailboxes and their quota. Seed 004 (用户管理, 邮箱配额); freemail contract 1.5, 3."""

import re
from math import nan
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from tempmail.domain.passwords import MAX_PASSWORD_CHARS
from tempmail.domain.usernames import DEFAULT_MAILBOX_LIMIT, MAX_MAILBOX_LIMIT, MAX_USERNAME_CHARS, normalized
from tempmail.errors import BadRequest
from tempmail.services.users import UNLIMITED, UserDraft, UserEdit
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.endpoints.session import Success
from tempmail.web.lenient import number, truthy

_MAX_PAGE = 1_000_000
_MAX_OFFSET = 1_000_000_000
_MAX_PAGE_SIZE = 100
_PAGE_SIZE = 50
_ID = re.compile(r"[0-9]{1,15}")  # below 2**53: every JSON reader holds it exactly

UserId = Annotated[int, Meta(description="Id of the user", examples=[2])]
Username = Annotated[str, Meta(description="Its name, in lower case", examples=["newuser"])]
Role = Annotated[str, Meta(description="`admin` or `user`", examples=["user"])]
MailboxLimit = Annotated[int, Meta(description="How many mailboxes it may have; 0: none", examples=[10])]
CanSend = Annotated[int, Meta(description="1: may send mail", examples=[0])]
CreatedAt = Annotated[str, Meta(description="UTC, `YYYY-MM-DD HH:MM:SS`", examples=["2024-01-01 00:00:00"])]
GivenLimit = Annotated[
    float | str | None,
    Meta(
        description=f"How many mailboxes it may have: a whole number from 0 (none) to {MAX_MAILBOX_LIMIT}",
        examples=[10],
    ),
]


class UsersQuery(Struct):
    page: (
        Annotated[
            int,
            Meta(
                description="Page number from 1; selects page/size paging",
                ge=1,
                le=_MAX_PAGE,
                examples=[1],
                extra={"fallback": 1},
            ),
        ]
        | None
    ) = None
    size: (
        Annotated[
            int,
            Meta(
                description=f"Users on a page ({_PAGE_SIZE}); selects page/size paging",
                ge=1,
                le=_MAX_PAGE_SIZE,
                examples=[_PAGE_SIZE],
                extra={"fallback": _PAGE_SIZE},
            ),
        ]
        | None
    ) = None
    limit: Annotated[int, Meta(description="How many to answer", ge=1, le=_MAX_PAGE_SIZE)] = _PAGE_SIZE
    offset: Annotated[int, Meta(description="How many to skip", ge=0, le=_MAX_OFFSET)] = 0
    sort: Annotated[str, Meta(description="By time of creation: `asc`; anything else is `desc`")] = "desc"

    @property
    def window(self) -> tuple[int, int]:
        """(limit, offset) of whichever paging style was asked for."""
        if self.page is None and self.size is None:
            return self.limit, self.offset
        size = self.size or _PAGE_SIZE
        return size, ((self.page or 1) - 1) * size


class UserItem(Struct):
    """A user."""

    id: UserId
    username: Username
    role: Role
    mailbox_limit: MailboxLimit
    can_send: CanSend
    mailbox_count: Annotated[int, Meta(description="How many mailboxes are linked to it", examples=[3])]
    created_at: CreatedAt


class UserList(Struct):
    """A page of users, and numbers of the whole system."""

    list: Annotated[list[UserItem], Meta(description="Those on this page")]
    total: Annotated[int, Meta(description="All users, on every page", examples=[100])]
    total_mailboxes: Annotated[int, Meta(description="All mailboxes, also those of nobody", examples=[530])]
    admin_count: Annotated[int, Meta(description="All users with the role `admin`", examples=[5])]
    active_count: Annotated[int, Meta(description="All users who may send mail", examples=[12])]


class UserBody(Struct, rename={"mailbox_limit": "mailboxLimit"}):
    """The new user."""

    username: Annotated[
        str | None,
        Meta(
            description=f"1 to {MAX_USERNAME_CHARS} characters of any script, no `@`; stored trimmed, in lower case",
            examples=["newuser"],
            extra={"required": True},
        ),
    ] = None
    password: Annotated[
        str | None,
        Meta(
            description=f"At most {MAX_PASSWORD_CHARS} characters; white space around it is ignored. Without one the "
            "user cannot log in",
            examples=["password123"],
        ),
    ] = None
    role: Annotated[str | None, Meta(description="`admin`; anything else is `user`", examples=["user"])] = None
    mailbox_limit: GivenLimit = DEFAULT_MAILBOX_LIMIT


class UserCreated(Struct):
    """The user, as created."""

    id: UserId
    username: Username
    role: Role
    mailbox_limit: MailboxLimit
    can_send: CanSend
    created_at: CreatedAt


class UserPatch(Struct, rename={"mailbox_limit": "mailboxLimit"}):
    """The fields to change."""

    username: Annotated[str | None, Meta(description="Its new name", examples=["updatedname"])] = None
    password: Annotated[str | None, Meta(description="Its new password", examples=["newpassword"])] = None
    mailbox_limit: GivenLimit = None
    can_send: Annotated[Any, Meta(description="Whether it may send mail; true as in JavaScript", examples=[1])] | (
        UnsetType
    ) = UNSET
    role: Annotated[str | None, Meta(description="`admin`; anything else is `user`", examples=["admin"])] = None


class UserPath(Struct):
    id: Annotated[str, Meta(description="Id of the user", pattern=f"^{_ID.pattern}$", examples=["2"])] = ""


class UserMailboxItem(Struct):
    """A user's mailbox."""

    address: Annotated[str, Meta(description="The mailbox's address", examples=["test@example.com"])]
    created_at: CreatedAt
    is_pinned: Annotated[int, Meta(description="1: pinned by this user", examples=[0])]
    can_login: Annotated[int, Meta(description="1: may log in as a mailbox", examples=[0])]


class Assignment(Struct):
    """Which mailbox, and whose."""

    username: Annotated[
        str | None, Meta(description="The user's name", examples=["testuser"], extra={"required": True})
    ] = None
    address: Annotated[
        str | None,
        Meta(description="The mailbox's address", examples=["newbox@example.com"], extra={"required": True}),
    ] = None


class Quota(Struct):
    """How many mailboxes one may have."""

    limit: Annotated[int, Meta(description=f"How many mailboxes one may have; {UNLIMITED}: any number", examples=[10])]
    used: Annotated[int, Meta(description="How many one has; without a limit: all there are", examples=[3])]
    remaining: Annotated[int, Meta(description=f"How many more one may have; {UNLIMITED}: any number", examples=[7])]
    note: Annotated[str, Meta(description="Only without a limit", examples=["管理员无邮箱数量限制"])] | UnsetType = (
        UNSET
    )


_MALFORMED = Refusal(400, "Bad Request")
_BAD_ID = Refusal(400, "无效ID")
_NO_USER = Refusal(404, "未找到用户")
_INCOMPLETE = Refusal(400, "参数不完整")


@endpoint("GET /api/users", action="user.list", tag="Users")
async def users(call: Call, query: UsersQuery) -> UserList:
    """List users, the newest first unless `sort` is `asc`.

    The numbers beside the list are those of the whole system. With `page` or `size` paging is by page, otherwise by
    `limit` and `offset`.
    """
    limit, offset = query.window
    newest_first = query.sort.strip().lower() != "asc"
    page = await call.world.users.page(limit=limit, offset=offset, newest_first=newest_first)
    return UserList(
        [
            UserItem(
                id=item.id,
                username=item.username,
                role=item.role,
                mailbox_limit=item.mailbox_limit,
                can_send=item.can_send,
                mailbox_count=item.mailbox_count,
                created_at=item.created_at,
            )
            for item in page.items
        ],
        total=page.total,
        total_mailboxes=page.total_mailboxes,
        admin_count=page.admin_count,
        active_count=page.active_count,
    )


@endpoint(
    "POST /api/users",
    action="user.create",
    tag="Users",
    audited=True,
    errors=(_MALFORMED, Refusal(400, "创建失败: 用户名不能为空"), Refusal(400, "创建失败: 用户名已存在")),
)
async def create_user(call: Call, body: UserBody) -> UserCreated:
    """Create a user.

    It may not send mail until it is changed so. The names `guest`, `cli`, `__root__` and ADMIN_NAME are taken.
    """
    call.target = normalized(body.username or "")
    draft = UserDraft(body.username or "", body.password or "", body.role or "", _limit(body.mailbox_limit))
    user = await call.world.users.create(draft)
    return UserCreated(
        id=user.id,
        username=user.username,
        role=user.role,
        mailbox_limit=user.mailbox_limit,
        can_send=user.can_send,
        created_at=user.created_at,
    )


@endpoint(
    "PATCH /api/users/{id}",
    action="user.update",
    tag="Users",
    audited=True,
    errors=(_MALFORMED, _BAD_ID, _NO_USER, Refusal(400, "更新失败: 用户名已存在")),
)
async def change_user(call: Call, path: UserPath, body: UserPatch) -> Success:
    """Change the fields of a user that are given.

    A new role or password ends the user's sessions; an empty password stays what it is. Of the account that ADMIN_NAME
    and ADMIN_PASSWORD configure, name, password and role are not changed here.
    """
    user_id = _user_id(call, path)
    edit = UserEdit(
        username=body.username,
        password=body.password,
        role=body.role,
        can_send=None if body.can_send is UNSET else truthy(body.can_send),
        mailbox_limit=_limit(body.mailbox_limit),
    )
    user = await call.world.users.change(user_id, edit)
    call.target = user.username
    return Success()


@endpoint(
    "DELETE /api/users/{id}",
    action="user.delete",
    tag="Users",
    audited=True,
    errors=(_BAD_ID, _NO_USER, Refusal(400, "删除失败: 该账户由 ADMIN_NAME/ADMIN_PASSWORD 配置，不能删除")),
)
async def delete_user(call: Call, path: UserPath) -> Success:
    """Delete a user.

    Its sessions and API tokens end. Its mailboxes stay, linked to whoever else has them.
    """
    user = await call.world.users.delete(_user_id(call, path))
    call.target = user.username
    return Success()


@endpoint("GET /api/users/{id}/mailboxes", action="user.mailboxes", tag="Users", errors=(_BAD_ID,))
async def user_mailboxes(call: Call, path: UserPath) -> list[UserMailboxItem]:
    """A user's mailboxes: pinned first, then newest first; at most 100."""
    return [
        UserMailboxItem(item.address, item.created_at, item.is_pinned, item.can_login)
        for item in await call.world.users.mailboxes(call.grant, _user_id(call, path))
    ]


@endpoint(
    "POST /api/users/assign",
    action="user.assign",
    tag="Users",
    audited=True,
    errors=(
        _MALFORMED,
        _INCOMPLETE,
        Refusal(400, "分配失败: 无效的邮箱地址"),
        Refusal(400, "分配失败: 用户不存在"),
        Refusal(400, "分配失败: 已达到邮箱上限"),
    ),
)
async def assign_mailbox(call: Call, body: Assignment) -> Success:
    """Link a mailbox to a user.

    The mailbox is created where it is missing, in whatever domain. One that is linked already is no error.
    """
    username, address = _assignment(call, body)
    await call.world.users.assign(call.grant, username, address)
    return Success()


@endpoint(
    "POST /api/users/unassign",
    action="user.assign",
    tag="Users",
    audited=True,
    errors=(
        _MALFORMED,
        _INCOMPLETE,
        Refusal(400, "取消分配失败: 邮箱不存在"),
        Refusal(400, "取消分配失败: 用户不存在"),
        Refusal(400, "取消分配失败: 该邮箱未分配给该用户"),
    ),
)
async def unassign_mailbox(call: Call, body: Assignment) -> Success:
    """Take a mailbox from a user. The mailbox and its mail stay."""
    username, address = _assignment(call, body)
    await call.world.users.unassign(call.grant, username, address)
    return Success()


@endpoint(
    "GET /api/user/quota",
    action="mailbox.quota",
    tag="Users",
    answer_example={"limit": 10, "used": 3, "remaining": 7},
)
async def quota(call: Call) -> Quota:
    """How many mailboxes one has and may have.

    The highest administrator has no limit: `limit` and `remaining` are -1, and `used` counts all mailboxes.
    """
    found = await call.world.users.quota(call.grant)
    note = "管理员无邮箱数量限制" if found.limit == UNLIMITED else UNSET
    return Quota(limit=found.limit, used=found.used, remaining=found.remaining, note=note)


def _user_id(call: Call, path: UserPath) -> int:
    """The id in the path, which is what the call is about. Raises `BadRequest`."""
    if not _ID.fullmatch(path.id) or not int(path.id):
        raise BadRequest("无效ID")
    call.target = str(int(path.id))
    return int(path.id)


def _limit(given: float | str | None) -> float | None:
    """The number that was meant: None where nothing was given, NaN where it is none."""
    if not isinstance(given, str):
        return given
    if not given.strip():
        return None
    read = number(given)
    return nan if read is None else read


def _assignment(call: Call, body: Assignment) -> tuple[str, str]:
    """(username, address). Raises `BadRequest` where one is missing."""
    username, address = normalized(body.username or ""), normalized(body.address or "")
    if not username or not address:
        raise BadRequest("参数不完整")
    call.target = f"{username} {address}"
    return username, address


ENDPOINTS: tuple[Endpoint, ...] = (
    quota,
    users,
    user_mailboxes,
    assign_mailbox,
    unassign_mailbox,
    create_user,
    change_user,
    delete_user,
)
