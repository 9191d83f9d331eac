"""Which mailboxes users have, and how many they may have. Seed 004 (用户管理, 邮箱配额); freemail contract 1.5, 3."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from tempmail.domain.address import normalized_address
from tempmail.domain.usernames import normalized_username
from tempmail.errors import BadRequest
from tempmail.services.users import UNLIMITED
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.endpoints.users import BAD_ID, UserPath, user_id_of
from tempmail.web.fields import MALFORMED, CreatedAt, Success

_INCOMPLETE = Refusal(400, "参数不完整")


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


@endpoint("GET /api/users/{id}/mailboxes", action="user.mailboxes", tag="Users", errors=(BAD_ID,))
async def user_mailboxes(call: Call, path: UserPath) -> list[UserMailboxItem]:
    """A user's mailboxes: pinned first, then newest first; at most 100."""
    return [
        UserMailboxItem(
            address=item.address, created_at=item.created_at, is_pinned=item.is_pinned, can_login=item.can_login
        )
        for item in await call.world.users.mailboxes(call.grant, user_id_of(call, path))
    ]


@endpoint(
    "POST /api/users/assign",
    action="user.assign",
    tag="Users",
    audited=True,
    errors=(
        MALFORMED,
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
        MALFORMED,
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


def _assignment(call: Call, body: Assignment) -> tuple[str, str]:
    """(username, address). Raises `BadRequest` where one is missing."""
    username, address = normalized_username(body.username or ""), normalized_address(body.address or "")
    if not username or not address:
        raise BadRequest(_INCOMPLETE.text)
    call.target = f"{username} {address}"
    return username, address


ENDPOINTS: tuple[Endpoint, ...] = (quota, user_mailboxes, assign_mailbox, unassign_mailbox)
