"""Domains and mailboxes. Seed 004 (邮箱); freemail contract 1.2."""

from typing import Annotated

from msgspec import Meta, Struct

from tempmail.domain.messages import MailboxFilter
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.fields import (
    MALFORMED,
    NO_ADDRESS,
    CreatedAt,
    Offset,
    PageNumber,
    required_address,
    window,
)
from tempmail.web.lenient import number

_PAGE_SIZE = 20
_MAX_PAGE_SIZE = 500

_NO_ROOM = (
    Refusal(400, "没有可用的域名：MAIL_DOMAIN 只有通配域名"),
    Refusal(400, "已达到邮箱上限"),
    Refusal(404, "用户不存在"),
)
_OUT_OF_SCOPE = Refusal(403, "此令牌只能使用以下邮箱：qa-*@example.com")
_WHICH_DOMAIN = (
    "Which of `GET /api/domains`, from 0; clamped into the list. Without it the first, for an API token the first that "
    "it may be used in"
)


class GenerateQuery(Struct, rename={"domain_index": "domainIndex"}):
    length: Annotated[float, Meta(description="Length of the random name, 1 to 64", examples=[8])] = 8
    domain_index: Annotated[float, Meta(description=_WHICH_DOMAIN, examples=[0])] | None = None


class CreateBody(Struct, rename={"domain_index": "domainIndex"}):
    """The address to create."""

    local: Annotated[
        str | None,
        Meta(
            description="The name: letters, digits, `.`, `_`, `-`; 1 to 64",
            examples=["myname"],
            extra={"required": True},
        ),
    ] = None
    domain_index: Annotated[float | str | None, Meta(description=_WHICH_DOMAIN, examples=[0])] = None


class NewMailbox(Struct):
    """The mailbox."""

    email: Annotated[str, Meta(description="The address", examples=["abc123@example.com"])]
    expires: Annotated[
        int,
        Meta(description="Epoch milliseconds until which it is kept at least", examples=[1704067200000]),
    ]


class MailboxQuery(Struct):
    page: PageNumber = None
    size: (
        Annotated[
            int,
            Meta(
                description=f"Mailboxes on a page ({_PAGE_SIZE}); selects page/size paging",
                ge=1,
                le=_MAX_PAGE_SIZE,
                examples=[_PAGE_SIZE],
                extra={"fallback": _PAGE_SIZE},
            ),
        ]
        | None
    ) = None
    limit: Annotated[int, Meta(description="How many to answer", ge=1, le=_MAX_PAGE_SIZE)] = 100
    offset: Offset = 0
    q: Annotated[str, Meta(description="A part of the address, taken literally", examples=["test"])] = ""
    domain: Annotated[str, Meta(description="Only this domain", examples=["example.com"])] = ""
    favorite: Annotated[
        str,
        Meta(
            description="Favourites: `true`, `1`, `favorite`; all others: `false`, `0`, `not-favorite`",
            examples=["true"],
        ),
    ] = ""
    forward: Annotated[
        str,
        Meta(
            description="Forwarded ones: `true`, `1`, `has-forward`; all others: `false`, `0`, `no-forward`",
            examples=["false"],
        ),
    ] = ""
    login: Annotated[
        str,
        Meta(
            description="Those that may log in: `true`, `1`, `allowed`; all others: `false`, `0`, `denied`",
            examples=["allowed"],
        ),
    ] = ""


class MailboxItem(Struct):
    """A mailbox, as lists show it."""

    id: Annotated[int, Meta(description="Id of the mailbox", examples=[1])]
    address: Annotated[str, Meta(description="In lower case", examples=["test@example.com"])]
    created_at: CreatedAt
    is_pinned: Annotated[int, Meta(description="1: pinned by the caller", examples=[0])]
    password_is_default: Annotated[int, Meta(description="1: no password of its own was set", examples=[1])]
    can_login: Annotated[int, Meta(description="1: may log in as a mailbox", examples=[0])]
    forward_to: Annotated[str | None, Meta(description="Where its mail is forwarded to", examples=[None])]
    is_favorite: Annotated[int, Meta(description="1: a favourite", examples=[0])]


class MailboxList(Struct):
    """A page of mailboxes."""

    list: Annotated[list[MailboxItem], Meta(description="Those on this page")]
    total: Annotated[int, Meta(description="All that match, on every page", examples=[42])]


class AddressQuery(Struct):
    address: Annotated[
        str, Meta(description="The mailbox's address", examples=["test@example.com"], extra={"required": True})
    ] = ""


class Deleted(Struct):
    """The mailbox is gone."""

    success: Annotated[bool, Meta(description="The same as `deleted`", examples=[True])]
    deleted: Annotated[bool, Meta(description="False: it went in the meantime", examples=[True])]


@endpoint("GET /api/domains", action="domain.list", tag="Mailboxes", answer_example=["example.com", "mail.example.org"])
async def domains(call: Call) -> list[str]:
    """The domains that addresses can be made in, as configured."""
    return call.world.mailboxes.domains()


@endpoint(
    "GET|POST /api/generate",
    action="mailbox.create",
    throttle="mailbox.create",
    tag="Mailboxes",
    errors=(Refusal(400, "无效的邮箱地址"), Refusal(400, "创建失败"), *_NO_ROOM, _OUT_OF_SCOPE),
)
async def generate(call: Call, query: GenerateQuery) -> NewMailbox:
    """Create a mailbox with a random name.

    The name is new: nobody has it. The mailbox belongs to the caller, and counts against the caller's limit; the
    highest administrator has none. For an API token that is for certain mailboxes, the name is one of them.
    """
    created = await call.world.mailboxes.generate(call.grant, length=query.length, domain_index=query.domain_index)
    return NewMailbox(created.address, created.expires_ms)


@endpoint(
    "POST /api/create",
    action="mailbox.create",
    throttle="mailbox.create",
    tag="Mailboxes",
    errors=(
        MALFORMED,
        Refusal(400, "非法用户名"),
        Refusal(400, "该邮箱地址已被使用"),
        *_NO_ROOM,
        _OUT_OF_SCOPE,
    ),
)
async def create(call: Call, body: CreateBody) -> NewMailbox:
    """Create a mailbox with a chosen name.

    A mailbox that exists is no conflict for the highest administrator and for its owner; others are refused. Only one
    that nobody owns or may log in to goes to who asks for it, where `CLAIM_UNOWNED_MAILBOXES` is on. `admin`,
    `administrator`, `hostmaster`, `postmaster` and `webmaster`, who can have certificates issued for the domain, and
    `bounces`, where forwarded mail comes back to, are the highest administrator's to give.
    """
    index = body.domain_index
    if isinstance(index, str):
        index = number(index)
    created = await call.world.mailboxes.create(call.grant, local=body.local or "", domain_index=index)
    return NewMailbox(created.address, created.expires_ms)


@endpoint("GET /api/mailboxes", action="mailbox.list", tag="Mailboxes")
async def mailboxes(call: Call, query: MailboxQuery) -> MailboxList:
    """List mailboxes: pinned first, then newest first.

    The highest administrator sees all, others those that are linked to them. Filter words that are not known are
    ignored. With `page` or `size` paging is by page, otherwise by `limit` and `offset`.

    Lists and their totals are exact, but for two bounds on searches. `q` of three or more characters looks at the
    newest 3000 mailboxes that have it in their address, a shorter one at the newest 3000 that fit the other filters;
    where fewer than 3000 fit those, at all of them. Pinned mailboxes are found in any case, and of a user's own the
    first 10000 are always looked at.
    """
    criteria = MailboxFilter(
        search=query.q.strip().lower() or None,
        domain=query.domain.strip().lower() or None,
        is_favorite=_flag(query.favorite, "favorite", "not-favorite"),
        has_forward=_flag(query.forward, "has-forward", "no-forward"),
        can_login=_flag(query.login, "allowed", "denied"),
    )
    limit, offset = window(query, page_size=_PAGE_SIZE)
    page = await call.world.mailboxes.page(call.grant, criteria, limit=limit, offset=offset)
    return MailboxList(
        [
            MailboxItem(
                id=item.id,
                address=item.address,
                created_at=item.created_at,
                is_pinned=item.is_pinned,
                password_is_default=item.password_is_default,
                can_login=item.can_login,
                forward_to=item.forward_to,
                is_favorite=item.is_favorite,
            )
            for item in page.items
        ],
        page.total,
    )


@endpoint(
    "DELETE /api/mailboxes",
    action="mailbox.delete",
    tag="Mailboxes",
    audited=True,
    errors=(
        NO_ADDRESS,
        Refusal(404, "邮箱不存在", also={"success": False, "message": "邮箱不存在"}),
    ),
)
async def delete_mailbox(call: Call, query: AddressQuery) -> Deleted:
    """Delete a mailbox with all its mail, raw forms included."""
    call.target = address = required_address(query.address)
    deleted = await call.world.mailboxes.delete(call.grant, address)
    return Deleted(success=deleted, deleted=deleted)


def _flag(word: str, yes: str, no: str) -> bool | None:
    """A filter word's meaning; None for words that are not known, which filter nothing."""
    return {"true": True, "1": True, yes: True, "false": False, "0": False, no: False}.get(word.strip().lower())


ENDPOINTS: tuple[Endpoint, ...] = (mailboxes, generate, create, domains, delete_mailbox)
