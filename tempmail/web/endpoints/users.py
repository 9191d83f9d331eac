"""Users as the highest administrator manages them. Seed 004 (用户管理); freemail contract 1.5."""

import re
from math import nan
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from tempmail.domain.passwords import MAX_PASSWORD_CHARS
from tempmail.domain.usernames import DEFAULT_MAILBOX_LIMIT, MAX_MAILBOX_LIMIT, MAX_USERNAME_CHARS, normalized_username
from tempmail.errors import BadRequest
from tempmail.services.users import UserDraft, UserEdit
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.fields import MALFORMED, CreatedAt, Offset, PageNumber, Success, window
from tempmail.web.lenient import number, truthy

_MAX_PAGE_SIZE = 100
_PAGE_SIZE = 50
_ID = re.compile(r"[0-9]{1,15}")  # below 2**53: every JSON reader holds it exactly

UserId = Annotated[int, Meta(description="Id of the user", examples=[2])]
Username = Annotated[str, Meta(description="Its name, in lower case", examples=["newuser"])]
Role = Annotated[str, Meta(description="`admin` or `user`", examples=["user"])]
MailboxLimit = Annotated[int, Meta(description="How many mailboxes it may have; 0: none", examples=[10])]
CanSend = Annotated[int, Meta(description="1: may send mail", examples=[0])]
GivenLimit = Annotated[
    float | str | None,
    Meta(
        description=f"How many mailboxes it may have: a whole number from 0 (none) to {MAX_MAILBOX_LIMIT}",
        examples=[10],
    ),
]


class UsersQuery(Struct):
    page: PageNumber = None
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
    offset: Offset = 0
    sort: Annotated[str, Meta(description="By time of creation: `asc`; anything else is `desc`")] = "desc"


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


BAD_ID = Refusal(400, "无效ID")
_NO_USER = Refusal(404, "未找到用户")


def _unfit(prefix: str) -> tuple[Refusal, ...]:
    """What is said about fields that no user may have."""
    return tuple(
        Refusal(400, f"{prefix}: {why}")
        for why in (
            "用户名不能为空",
            "用户名已存在",
            f"用户名最多 {MAX_USERNAME_CHARS} 个字符",
            "用户名不能包含 @",
            "用户名不能包含控制字符",
            "用户名 guest 为系统保留",
            f"密码最多 {MAX_PASSWORD_CHARS} 个字符",
            f"mailboxLimit 必须是 0 到 {MAX_MAILBOX_LIMIT} 的整数",
        )
    )


@endpoint("GET /api/users", action="user.list", tag="Users")
async def users(call: Call, query: UsersQuery) -> UserList:
    """List users, the newest first unless `sort` is `asc`.

    The numbers beside the list are those of the whole system. With `page` or `size` paging is by page, otherwise by
    `limit` and `offset`.
    """
    limit, offset = window(query, page_size=_PAGE_SIZE)
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
    errors=(MALFORMED, *_unfit("创建失败"), Refusal(400, "创建失败: 用户数量已达到上限 100000")),
)
async def create_user(call: Call, body: UserBody) -> UserCreated:
    """Create a user.

    It may not send mail until it is changed so. The names `guest`, `cli`, `__root__` and ADMIN_NAME are taken.
    """
    call.target = normalized_username(body.username or "")
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
    errors=(
        MALFORMED,
        BAD_ID,
        _NO_USER,
        *_unfit("更新失败"),
        Refusal(400, "更新失败: 该账户由 ADMIN_NAME/ADMIN_PASSWORD 配置，不能在此修改用户名、角色或密码"),
    ),
)
async def change_user(call: Call, path: UserPath, body: UserPatch) -> Success:
    """Change the fields of a user that are given.

    A new role or password ends the user's sessions; an empty password stays what it is. Of the account that ADMIN_NAME
    and ADMIN_PASSWORD configure, name, password and role are not changed here.
    """
    user_id = user_id_of(call, path)
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
    errors=(BAD_ID, _NO_USER, Refusal(400, "删除失败: 该账户由 ADMIN_NAME/ADMIN_PASSWORD 配置，不能删除")),
)
async def delete_user(call: Call, path: UserPath) -> Success:
    """Delete a user.

    Its sessions and API tokens end. Its mailboxes stay, linked to whoever else has them.
    """
    user = await call.world.users.delete(user_id_of(call, path))
    call.target = user.username
    return Success()


def user_id_of(call: Call, path: UserPath) -> int:
    """The id in the path, which is what the call is about. Raises `BadRequest`."""
    if not _ID.fullmatch(path.id) or not int(path.id):
        raise BadRequest(BAD_ID.text)
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


ENDPOINTS: tuple[Endpoint, ...] = (users, create_user, change_user, delete_user)
