"""Personal API tokens."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from tempmail.domain.accounts import MAX_TOKEN_MAILBOXES, ApiToken
from tempmail.domain.tokens import MAX_ACTIONS, MAX_DAYS, MAX_NAME_CHARS, MAX_TOKENS
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.fields import MALFORMED, MAX_ID, Stamp, Success

Name = Annotated[
    str, Meta(description=f"What it is for; 1 to {MAX_NAME_CHARS} printable characters", examples=["nightly QA"])
]
Actions = Annotated[
    list[str],
    Meta(
        description="What it may do: actions, which each operation names as its own; `*` in them stands for any "
        f"characters; 1 to {MAX_ACTIONS}. Never more than its owner may, and never make or revoke tokens",
        examples=[["mail.*", "mailbox.create"]],
    ),
]
Mailboxes = Annotated[
    list[str],
    Meta(
        description="On which of its owner's mailboxes: addresses, in which `*` stands for any characters; at most "
        f"{MAX_TOKEN_MAILBOXES}; none: all of them. A token for certain mailboxes changes no users and no rules, and "
        "does not read the audit log",
        examples=[["qa-*@example.com"]],
    ),
]


class TokenBody(Struct):
    """What the token is to be."""

    name: Name
    actions: Actions
    mailboxes: Mailboxes = []
    expires_in_days: Annotated[
        int | None, Meta(description=f"Days until it expires, 1 to {MAX_DAYS}; null: never", examples=[30])
    ] = None


class TokenItem(Struct):
    """A token, without its secret."""

    id: Annotated[int, Meta(description="Id of the token", examples=[5])]
    user_id: Annotated[int, Meta(description="Its owner", examples=[2])]
    name: Name
    actions: Actions
    mailboxes: Mailboxes
    created_at: Stamp
    expires_at: Annotated[str | None, Meta(description="UTC; null: never", examples=["2024-01-31 12:00:00"])]
    last_used_at: Annotated[str | None, Meta(description="UTC, to the minute; null: not yet", examples=[None])]


class MadeToken(TokenItem):
    """The new token, with its secret."""

    token: Annotated[
        str,
        Meta(
            description="The token itself, for `Authorization: Bearer …`. It is shown this once and kept nowhere",
            examples=["tm_3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
        ),
    ]


class TokenList(Struct):
    """A page of tokens."""

    tokens: Annotated[list[TokenItem], Meta(description="By id")]


class TokenQuery(Struct):
    after: Annotated[
        int, Meta(description="Only those with a higher id: the last one of the page before", ge=0, le=MAX_ID)
    ] = 0
    limit: Annotated[int, Meta(description="How many to answer", ge=1, le=100)] = 100


class TokenPath(Struct):
    id: Annotated[int, Meta(description="Id of the token", ge=0, le=MAX_ID, examples=[5])] = 0


@endpoint("GET /api/v1/tokens", action="token.list", tag="Tokens")
async def tokens(call: Call, query: TokenQuery) -> TokenList:
    """List API tokens: one's own; the highest administrator sees everybody's."""
    listed = await call.services.tokens.page(call.grant, after_id=query.after, limit=query.limit)
    return TokenList([TokenItem(**_fields(token)) for token in listed])


@endpoint(
    "POST /api/v1/tokens",
    action="token.create",
    tag="Tokens",
    audited=True,
    errors=(
        MALFORMED,
        Refusal(400, f"name: 1 to {MAX_NAME_CHARS} printable characters"),
        Refusal(400, f'actions: 1 to {MAX_ACTIONS} of them; ["*"] for all that you may do'),
        Refusal(400, "actions: user.list is nothing that you may do; see docs/policy.md for their names"),
        Refusal(400, f"mailboxes: at most {MAX_TOKEN_MAILBOXES} patterns"),
        Refusal(400, "mailboxes: addresses, in which * stands for any characters, such as qa-*@example.com"),
        Refusal(400, f"expires_in_days: 1 to {MAX_DAYS}, or null for never"),
        Refusal(400, f"there are {MAX_TOKENS} tokens already, which is the most: revoke one first"),
    ),
)
async def create_token(call: Call, body: TokenBody) -> MadeToken:
    """Make an API token.

    It acts as its owner, narrowed to the actions and mailboxes given, until it expires, is revoked or its owner goes.
    The root token's own tokens belong to the configured admin.
    """
    call.target = body.name
    made = await call.services.tokens.create(
        call.grant, name=body.name, actions=body.actions, mailboxes=body.mailboxes, days=body.expires_in_days
    )
    return MadeToken(**_fields(made.token), token=made.secret)


@endpoint(
    "DELETE /api/v1/tokens/{id}",
    action="token.revoke",
    tag="Tokens",
    audited=True,
    errors=(Refusal(404, "no such token"),),
)
async def revoke_token(call: Call, path: TokenPath) -> Success:
    """Revoke an API token. From the answer on it is refused everywhere."""
    call.target = str(path.id)
    await call.services.tokens.revoke(call.grant, path.id)
    return Success()


def _fields(token: ApiToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "user_id": token.user_id,
        "name": token.name,
        "actions": list(token.actions),
        "mailboxes": list(token.mailboxes),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
    }


ENDPOINTS: tuple[Endpoint, ...] = (tokens, create_token, revoke_token)
