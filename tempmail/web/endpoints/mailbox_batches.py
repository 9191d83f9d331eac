"""Many mailboxes at once: favourites and forwarding, by id or by address. For the highest administrator. Seed 004
(邮箱); freemail contract 1.2."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.endpoints.mailbox_logins import BOOLEAN, Addresses, batch_target
from tempmail.web.endpoints.mailbox_settings import MAX_STORED_ID, Forwarding, ForwardTo, IsFavorite
from tempmail.web.fields import MALFORMED, Done
from tempmail.web.lenient import truthy

ToFavorite = Annotated[
    Any, Meta(description="Whether they are to be favourites", examples=[True], extra_json_schema=BOOLEAN)
]
Ids = Annotated[
    list[Annotated[int, Meta(ge=1, le=MAX_STORED_ID)]] | None,
    Meta(description="Ids of mailboxes, 1 to 100; each counts once", examples=[[1, 2, 3]], extra={"required": True}),
]
Updated = Annotated[int, Meta(description="How many of them exist: all those were changed", examples=[3])]

_BY_IDS = (
    MALFORMED,
    Refusal(400, "缺少邮箱 ID 列表"),
    Refusal(400, "单次最多操作 100 个邮箱"),
)
_BY_ADDRESSES = (
    MALFORMED,
    Refusal(400, "缺少邮箱地址列表"),
    Refusal(400, "单次最多操作 100 个邮箱"),
    Refusal(400, "没有有效的邮箱地址"),
)
_BAD_TARGET = Refusal(400, "转发目标邮箱格式无效")


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
    call.target = batch_target(ids)
    count = await call.world.mailbox_admin.set_favorite(call.grant, ids, is_favorite=is_favorite)
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
    call.target = batch_target(ids)
    count, target = await call.world.mailbox_admin.set_forward(call.grant, ids, body.forward_to)
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
    call.target = batch_target(addresses)
    count = await call.world.mailbox_admin.set_favorite_by_address(call.grant, addresses, is_favorite=is_favorite)
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
    call.target = batch_target(addresses)
    count, target = await call.world.mailbox_admin.set_forward_by_address(call.grant, addresses, body.forward_to)
    return ForwardsSet(success=True, updated_count=count, forward_to=target)


ENDPOINTS: tuple[Endpoint, ...] = (
    batch_favorite,
    batch_forward,
    batch_favorite_by_address,
    batch_forward_by_address,
)
