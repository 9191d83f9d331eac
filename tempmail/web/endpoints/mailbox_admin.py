"""What only the highest administrator does to mailboxes: logins, passwords, and many at once. Seed 004 (邮箱); freemail
contract 1.2."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from tempmail.errors import BadRequest
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.endpoints.mailbox_settings import (
    MAX_ID,
    AddressBody,
    Forwarding,
    ForwardTo,
    IsFavorite,
    NamedMailbox,
    named_address,
)
from tempmail.web.endpoints.session import Success
from tempmail.web.lenient import truthy

_BOOLEAN = {"type": "boolean"}

CanLogin = Annotated[Any, Meta(description="Whether to allow logging in", examples=[True], extra_json_schema=_BOOLEAN)]
ToFavorite = Annotated[
    Any, Meta(description="Whether they are to be favourites", examples=[True], extra_json_schema=_BOOLEAN)
]
NeededAddress = Annotated[
    str, Meta(description="The mailbox's address", examples=["test@example.com"], extra={"required": True})
]
Ids = Annotated[
    list[Annotated[int, Meta(ge=1, le=MAX_ID)]] | None,
    Meta(description="Ids of mailboxes, 1 to 100; each counts once", examples=[[1, 2, 3]], extra={"required": True}),
]
Addresses = Annotated[
    list[str] | None,
    Meta(
        description="Addresses, 1 to 100, in any case; each counts once",
        examples=[["test1@example.com", "test2@example.com"]],
        extra={"required": True},
    ),
]
Done = Annotated[bool, Meta(description="Always true", examples=[True])]
Updated = Annotated[int, Meta(description="How many of them exist: all those were changed", examples=[3])]

_NAMED = (Refusal(400, "Bad Request"), Refusal(400, "缺少 address 参数"), Refusal(404, "邮箱不存在"))
_BY_IDS = (
    Refusal(400, "Bad Request"),
    Refusal(400, "缺少邮箱 ID 列表"),
    Refusal(400, "单次最多操作 100 个邮箱"),
)
_BY_ADDRESSES = (
    Refusal(400, "Bad Request"),
    Refusal(400, "缺少邮箱地址列表"),
    Refusal(400, "单次最多操作 100 个邮箱"),
    Refusal(400, "没有有效的邮箱地址"),
)
_BAD_TARGET = Refusal(400, "转发目标邮箱格式无效")


class PasswordReset(Struct):
    """The address is the password again."""

    success: Done
    mock: (
        Annotated[bool, Meta(description="True in the demonstration, where nothing changes", examples=[True])]
        | UnsetType
    ) = UNSET


class LoginBody(Struct):
    """Which mailbox, and what of it."""

    address: NeededAddress | None = None
    can_login: CanLogin = False


class LoginAllowed(Struct):
    """Whether logging in is allowed now."""

    success: Done
    can_login: Annotated[bool, Meta(description="Whether logging in is allowed now", examples=[True])]


class PasswordBody(Struct):
    """Which mailbox, and its password."""

    address: NeededAddress | None = None
    new_password: Annotated[
        str | None,
        Meta(
            description="6 to 1024 characters; white space around it is ignored",
            examples=["newpassword123"],
            extra={"required": True},
        ),
    ] = None


class LoginsBody(Struct):
    """Which mailboxes, and what of them."""

    addresses: Addresses = None
    can_login: CanLogin = False


class LoginResult(Struct, omit_defaults=True):
    """What became of one address."""

    address: Annotated[str, Meta(description="In lower case; an empty one as given", examples=["test1@example.com"])]
    success: Annotated[bool, Meta(description="Whether it was changed or created", examples=[True])]
    updated: Annotated[bool, Meta(description="True: it existed", examples=[True])] | UnsetType = UNSET
    created: Annotated[bool, Meta(description="True: it was created", examples=[True])] | UnsetType = UNSET
    error: Annotated[str, Meta(description="Why nothing was done", examples=["地址为空"])] | UnsetType = UNSET


class LoginResults(Struct):
    """What became of each address."""

    success: Done
    success_count: Annotated[int, Meta(description="Addresses that were changed or created", examples=[2])]
    fail_count: Annotated[int, Meta(description="Results that are failures", examples=[0])]
    total: Annotated[int, Meta(description="Addresses in the request, repeats included", examples=[2])]
    results: Annotated[list[LoginResult], Meta(description="One for each address")]


class FavoriteByIds(Struct):
    """Which mailboxes, and what of them."""

    mailbox_ids: Ids = None
    is_favorite: ToFavorite = False


class FavoriteByAddresses(Struct):
    """Which mailboxes, and what of them."""

    addresses: Addresses = None
    is_favorite: ToFavorite = False


class FavoritesSet(Struct):
    """What they are now."""

    success: Done
    updated_count: Updated
    is_favorite: IsFavorite


class ForwardByIds(Struct):
    """Which mailboxes, and where to."""

    mailbox_ids: Ids = None
    forward_to: ForwardTo = None


class ForwardByAddresses(Struct):
    """Which mailboxes, and where to."""

    addresses: Addresses = None
    forward_to: ForwardTo = None


class ForwardsSet(Struct):
    """Where they are forwarded to now."""

    success: Done
    updated_count: Updated
    forward_to: Forwarding


@endpoint(
    "POST /api/mailboxes/reset-password",
    action="mailbox.reset_password",
    tag="Mailbox administration",
    audited=True,
    form=True,
    answer_example={"success": True},
    errors=_NAMED,
)
async def reset_password(call: Call, query: NamedMailbox, body: AddressBody) -> PasswordReset:
    """Make a mailbox's address its password again.

    Ends the mailbox's sessions. The address is taken from the query, else from the body.
    """
    call.target = address = named_address(query, body)
    is_real = await call.world.mailboxes.admin.reset_password(call.grant, address)
    return PasswordReset(success=True, mock=UNSET if is_real else True)


@endpoint(
    "POST /api/mailboxes/toggle-login",
    action="mailbox.login",
    tag="Mailbox administration",
    audited=True,
    errors=_NAMED,
)
async def toggle_login(call: Call, body: LoginBody) -> LoginAllowed:
    """Allow or deny logging in as a mailbox.

    Denying ends the mailbox's sessions.
    """
    call.target = address = _given(body.address)
    can_login = truthy(body.can_login)
    await call.world.mailboxes.admin.allow_login(call.grant, address, can_login=can_login)
    return LoginAllowed(success=True, can_login=can_login)


@endpoint(
    "POST /api/mailboxes/change-password",
    action="mailbox.password",
    tag="Mailbox administration",
    audited=True,
    errors=(*_NAMED, Refusal(400, "密码长度至少6位"), Refusal(400, "密码长度最多1024位")),
)
async def change_password(call: Call, body: PasswordBody) -> Success:
    """Set a mailbox's password.

    Ends the mailbox's sessions.
    """
    call.target = address = _given(body.address)
    await call.world.mailboxes.admin.change_password(call.grant, address, body.new_password or "")
    return Success()


@endpoint(
    "POST /api/mailboxes/batch-toggle-login",
    action="mailbox.login",
    tag="Mailbox administration",
    audited=True,
    errors=(
        Refusal(400, "Bad Request"),
        Refusal(400, "缺少 addresses 参数或地址列表为空"),
        Refusal(400, "单次最多处理100个邮箱"),
    ),
    answer_example={
        "success": True,
        "success_count": 2,
        "fail_count": 1,
        "total": 3,
        "results": [
            {"address": "", "success": False, "error": "地址为空"},
            {"address": "test1@example.com", "success": True, "updated": True},
            {"address": "test2@example.com", "success": True, "created": True},
        ],
    },
)
async def batch_toggle_login(call: Call, body: LoginsBody) -> LoginResults:
    """Allow or deny logging in as each of many mailboxes.

    Addresses without a mailbox get one, if their domain is served here. Results: first the empty addresses, then every
    other one once, in the order of the request. All changes are made together or, if the server fails, none.
    """
    addresses = body.addresses or []
    call.target = _target(addresses)
    changes = await call.world.mailboxes.admin.allow_logins(call.grant, addresses, can_login=truthy(body.can_login))
    done = sum(change.refusal is None for change in changes)
    return LoginResults(
        success=True,
        success_count=done,
        fail_count=len(changes) - done,
        total=len(addresses),
        results=[
            LoginResult(
                address=change.address,
                success=change.refusal is None,
                updated=True if change.refusal is None and not change.is_new else UNSET,
                created=True if change.is_new else UNSET,
                error=UNSET if change.refusal is None else change.refusal,
            )
            for change in changes
        ],
    )


@endpoint(
    "POST /api/mailboxes/batch-favorite",
    action="mailbox.batch",
    tag="Mailbox administration",
    audited=True,
    errors=_BY_IDS,
)
async def batch_favorite(call: Call, body: FavoriteByIds) -> FavoritesSet:
    """Mark many mailboxes as favourites, or take the marks away.

    `updated_count` is how many of them exist.
    """
    ids, is_favorite = body.mailbox_ids or [], truthy(body.is_favorite)
    call.target = _target(ids)
    count = await call.world.mailboxes.admin.set_favorite(call.grant, ids, is_favorite=is_favorite)
    return FavoritesSet(success=True, updated_count=count, is_favorite=int(is_favorite))


@endpoint(
    "POST /api/mailboxes/batch-forward",
    action="mailbox.batch",
    tag="Mailbox administration",
    audited=True,
    errors=(*_BY_IDS, _BAD_TARGET),
)
async def batch_forward(call: Call, body: ForwardByIds) -> ForwardsSet:
    """Set where the mail of many mailboxes is forwarded to.

    `updated_count` is how many of them exist.
    """
    ids = body.mailbox_ids or []
    call.target = _target(ids)
    count, target = await call.world.mailboxes.admin.set_forward(call.grant, ids, body.forward_to)
    return ForwardsSet(success=True, updated_count=count, forward_to=target)


@endpoint(
    "POST /api/mailboxes/batch-favorite-by-address",
    action="mailbox.batch",
    tag="Mailbox administration",
    audited=True,
    errors=_BY_ADDRESSES,
)
async def batch_favorite_by_address(call: Call, body: FavoriteByAddresses) -> FavoritesSet:
    """Mark the mailboxes at many addresses as favourites, or take the marks away.

    `updated_count` is how many of them exist.
    """
    addresses, is_favorite = body.addresses or [], truthy(body.is_favorite)
    call.target = _target(addresses)
    count = await call.world.mailboxes.admin.set_favorite_by_address(call.grant, addresses, is_favorite=is_favorite)
    return FavoritesSet(success=True, updated_count=count, is_favorite=int(is_favorite))


@endpoint(
    "POST /api/mailboxes/batch-forward-by-address",
    action="mailbox.batch",
    tag="Mailbox administration",
    audited=True,
    errors=(*_BY_ADDRESSES, _BAD_TARGET),
)
async def batch_forward_by_address(call: Call, body: ForwardByAddresses) -> ForwardsSet:
    """Set where the mail of the mailboxes at many addresses is forwarded to.

    `updated_count` is how many of them exist.
    """
    addresses = body.addresses or []
    call.target = _target(addresses)
    count, target = await call.world.mailboxes.admin.set_forward_by_address(call.grant, addresses, body.forward_to)
    return ForwardsSet(success=True, updated_count=count, forward_to=target)


def _given(address: str | None) -> str:
    """The address in lower case. Raises `BadRequest` where there is none."""
    given = (address or "").strip().lower()
    if not given:
        raise BadRequest("缺少 address 参数")
    return given


def _target(items: Sequence[object]) -> str:
    """What a batch works on, for the audit log, which cuts it where it is long: so the number comes first."""
    return f"{len(items)}: {', '.join(map(str, items))}"


ENDPOINTS: tuple[Endpoint, ...] = (
    reset_password,
    toggle_login,
    change_password,
    batch_toggle_login,
    batch_favorite,
    batch_forward,
    batch_favorite_by_address,
    batch_forward_by_address,
)
