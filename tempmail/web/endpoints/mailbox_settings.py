"""One mailbox's settings: what they are, pin, forwarding, favourite. Seed 004 (邮箱); freemail contract 1.2."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct

from tempmail.domain.address import normalized_address
from tempmail.errors import BadRequest
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.fields import MALFORMED, NO_ADDRESS, NO_MAILBOX, Done, required_address
from tempmail.web.lenient import truthy

MAX_STORED_ID = 2**63 - 1
"""The largest id that the store can look for: such a mailbox is unknown, not a bad request."""

Address = Annotated[str, Meta(description="The mailbox's address", examples=["test@example.com"])]
MailboxId = Annotated[int, Meta(description="The mailbox's id", le=MAX_STORED_ID, examples=[1])]
NeededId = Annotated[
    int, Meta(description="The mailbox's id", le=MAX_STORED_ID, examples=[1], extra={"required": True})
]
ForwardTo = Annotated[
    str | None,
    Meta(
        description="Where its mail is to be forwarded to; null, empty or left out: nowhere",
        examples=["backup@gmail.com"],
    ),
]
Forwarding = Annotated[str | None, Meta(description="Where mail is forwarded to now", examples=["backup@gmail.com"])]
IsFavorite = Annotated[int, Meta(description="1: a favourite now", examples=[1])]

_BY_ID = (
    MALFORMED,
    Refusal(400, "缺少有效的邮箱 ID"),
    Refusal(403, "无权限操作此邮箱"),
    NO_MAILBOX,
)


class InfoQuery(Struct):
    address: Annotated[Address, Meta(extra={"required": True})] = ""


class MailboxInfo(Struct):
    """A mailbox's settings."""

    id: Annotated[int | None, Meta(description="Null: there is no such mailbox", examples=[1])]
    address: Annotated[str, Meta(description="As asked for, in lower case", examples=["test@example.com"])]
    is_favorite: Annotated[bool, Meta(description="Whether it is a favourite", examples=[True])]
    forward_to: Annotated[str | None, Meta(description="Where its mail is forwarded to", examples=["backup@gmail.com"])]
    can_login: Annotated[bool, Meta(description="Whether one may log in as this mailbox", examples=[False])]


class NamedMailbox(Struct):
    """A mailbox named in the query."""

    address: Address = ""


class AddressBody(Struct):
    """A mailbox named in the body, where the query does not name it."""

    address: Annotated[str | None, Meta(description="The mailbox's address", examples=["test@example.com"])] = None


class Pinned(Struct):
    """Whether it is pinned now."""

    success: Done
    pinned: Annotated[bool, Meta(description="Whether it is pinned now", examples=[True])]
    is_pinned: Annotated[int, Meta(description="The same as 0 or 1", examples=[1])]


class ForwardBody(Struct):
    """Which mailbox, and where to."""

    mailbox_id: NeededId | None = None
    forward_to: ForwardTo = None


class Forwarded(Struct):
    """Where it is forwarded to now."""

    success: Done
    mailbox_id: MailboxId
    forward_to: Forwarding


class FavoriteBody(Struct):
    """Which mailbox."""

    mailbox_id: NeededId | None = None
    is_favorite: Annotated[
        Any,
        Meta(
            description="Whether it is to be a favourite; left out: the other way round than now",
            examples=[True],
            extra_json_schema={"type": "boolean"},
        ),
    ] = UNSET


class Favorite(Struct):
    """Whether it is a favourite now."""

    success: Done
    mailbox_id: MailboxId
    is_favorite: IsFavorite


@endpoint(
    "GET /api/mailbox/info",
    action="mailbox.info",
    tag="Mailboxes",
    errors=(Refusal(400, "缺少邮箱地址"),),
)
async def mailbox_info(call: Call, query: InfoQuery) -> MailboxInfo:
    """One mailbox's settings.

    For the highest administrator an address without a mailbox has the id null; for others it is refused like one that
    is not theirs.
    """
    address = normalized_address(query.address)
    if not address:
        raise BadRequest("缺少邮箱地址")
    mailbox = await call.world.mailboxes.info(call.grant, address)
    if mailbox is None:
        return MailboxInfo(id=None, address=address, is_favorite=False, forward_to=None, can_login=False)
    return MailboxInfo(
        id=mailbox.id,
        address=mailbox.address,
        is_favorite=bool(mailbox.is_favorite),
        forward_to=mailbox.forward_to or None,
        can_login=bool(mailbox.can_login),
    )


@endpoint(
    "POST /api/mailboxes/pin",
    action="mailbox.pin",
    tag="Mailboxes",
    form=True,
    errors=(NO_ADDRESS, Refusal(401, "未登录"), NO_MAILBOX),
)
async def pin(call: Call, query: NamedMailbox, body: AddressBody) -> Pinned:
    """Pin a mailbox for oneself, or take the pin away.

    The address is taken from the query, else from the body. Pins are personal: they sort one's own list. The highest
    administrator is linked to what it pins. The root token is nobody and has no pins (401).
    """
    address = named_address(query, body)
    is_pinned = await call.world.mailboxes.toggle_pin(call.grant, address)
    return Pinned(success=True, pinned=is_pinned, is_pinned=int(is_pinned))


@endpoint(
    "POST /api/mailbox/forward",
    action="mailbox.forward",
    tag="Mailboxes",
    errors=(*_BY_ID, Refusal(400, "转发目标邮箱格式无效")),
)
async def forward(call: Call, body: ForwardBody) -> Forwarded:
    """Set where a mailbox's mail is forwarded to.

    The target is an address of at most 254 characters; its case is kept.
    """
    mailbox_id = _valid(body.mailbox_id)
    target = await call.world.mailboxes.set_forward(call.grant, mailbox_id, body.forward_to)
    return Forwarded(success=True, mailbox_id=mailbox_id, forward_to=target)


@endpoint("POST /api/mailbox/favorite", action="mailbox.favorite", tag="Mailboxes", errors=_BY_ID)
async def favorite(call: Call, body: FavoriteBody) -> Favorite:
    """Mark a mailbox as a favourite, or take the mark away.

    The mark is the mailbox's: everybody who sees the mailbox sees it.
    """
    mailbox_id, service = _valid(body.mailbox_id), call.world.mailboxes
    if body.is_favorite is UNSET:
        is_favorite = await service.toggle_favorite(call.grant, mailbox_id)
    else:
        is_favorite = truthy(body.is_favorite)
        await service.set_favorite(call.grant, mailbox_id, is_favorite=is_favorite)
    return Favorite(success=True, mailbox_id=mailbox_id, is_favorite=int(is_favorite))


def named_address(query: NamedMailbox, body: AddressBody) -> str:
    """The address in lower case. Raises `BadRequest` where there is none."""
    return required_address(query.address.strip() or body.address)


def _valid(mailbox_id: int | None) -> int:
    if mailbox_id is None or mailbox_id < 1:
        raise BadRequest("缺少有效的邮箱 ID")
    return mailbox_id


ENDPOINTS: tuple[Endpoint, ...] = (mailbox_info, pin, forward, favorite)
