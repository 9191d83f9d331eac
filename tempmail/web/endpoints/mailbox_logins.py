"""Mailboxes as accounts: whether they may log in, and with which password. For the highest administrator. Seed 004
(邮箱); freemail contract 1.2."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.endpoints.mailbox_settings import AddressBody, NamedMailbox, named_address
from tempmail.web.fields import MALFORMED, NO_ADDRESS, NO_MAILBOX, Done, Success, required_address
from tempmail.web.lenient import truthy

BOOLEAN = {"type": "boolean"}

CanLogin = Annotated[Any, Meta(description="Whether to allow logging in", examples=[True], extra_json_schema=BOOLEAN)]
NeededAddress = Annotated[
    str, Meta(description="The mailbox's address", examples=["test@example.com"], extra={"required": True})
]
Addresses = Annotated[
    list[str] | None,
    Meta(
        description="Addresses, 1 to 100, in any case; each counts once",
        examples=[["test1@example.com", "test2@example.com"]],
        extra={"required": True},
    ),
]
_NAMED = (MALFORMED, NO_ADDRESS, NO_MAILBOX)


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
    is_real = await call.world.mailbox_admin.reset_password(call.grant, address)
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
    call.target = address = required_address(body.address)
    can_login = truthy(body.can_login)
    await call.world.mailbox_admin.allow_login(call.grant, address, can_login=can_login)
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
    call.target = address = required_address(body.address)
    await call.world.mailbox_admin.change_password(call.grant, address, body.new_password or "")
    return Success()


@endpoint(
    "POST /api/mailboxes/batch-toggle-login",
    action="mailbox.login",
    tag="Mailbox administration",
    audited=True,
    errors=(
        MALFORMED,
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
    call.target = batch_target(addresses)
    changes = await call.world.mailbox_admin.allow_logins(call.grant, addresses, can_login=truthy(body.can_login))
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


def batch_target(items: Sequence[object]) -> str:
    """What a batch works on, for the audit log, which cuts it where it is long: so the number comes first."""
    return f"{len(items)}: {', '.join(map(str, items))}"


ENDPOINTS: tuple[Endpoint, ...] = (reset_password, toggle_login, change_password, batch_toggle_login)
