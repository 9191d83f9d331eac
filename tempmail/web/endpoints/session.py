"""Logging in and out, and who one is. Seed 004 (认证); freemail contract 1.1, 2."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from tempmail.web.call import Call
from tempmail.web.credentials import throttle_key
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.fields import MALFORMED, Done, Success


class Credentials(Struct):
    """Who logs in."""

    username: Annotated[
        str | None,
        Meta(
            description="Name of the account, or the address of a mailbox",
            examples=["admin"],
            extra={"required": True},
        ),
    ] = None
    password: Annotated[
        str | None,
        Meta(
            description="Its password; white space around it is ignored",
            examples=["correct horse"],
            extra={"required": True},
        ),
    ] = None


class LoggedIn(Struct):
    """Who has logged in; the cookie is in `Set-Cookie`."""

    success: Done
    role: Annotated[str, Meta(description="`admin`, `user`, `mailbox` or `guest`", examples=["admin"])]
    can_send: Annotated[int, Meta(description="1: may send mail; not for guests", examples=[1])] | UnsetType = UNSET
    mailbox_limit: (
        Annotated[int, Meta(description="How many mailboxes the account may have; not for guests", examples=[9999])]
        | UnsetType
    ) = UNSET
    mailbox: (
        Annotated[str, Meta(description="For mailboxes: the address", examples=["test@example.com"])] | UnsetType
    ) = UNSET
    password_is_default: (
        Annotated[int, Meta(description="1: the mailbox's address is its password; it should be changed", examples=[1])]
        | UnsetType
    ) = UNSET


class Session(Struct, rename="camel"):
    """Who one is."""

    authenticated: Done
    role: Annotated[str, Meta(description="`admin`, `user`, `mailbox` or `guest`", examples=["admin"])]
    username: Annotated[str, Meta(description="`__root__` for the root token", examples=["admin"])]
    strict_admin: Annotated[bool, Meta(description="Whether this is the highest administrator", examples=[True])]
    mailbox_address: (
        Annotated[str, Meta(description="For the role `mailbox` only: its address", examples=["test@example.com"])]
        | UnsetType
    ) = UNSET


@endpoint(
    "POST /api/login",
    action="session.login",
    tag="Session",
    throttle="login",
    audited=True,
    answer_example={"success": True, "role": "admin", "can_send": 1, "mailbox_limit": 9999},
    errors=(
        MALFORMED,
        Refusal(400, "用户名或密码不能为空"),
        Refusal(401, "用户名或密码错误"),
    ),
)
async def login(call: Call, body: Credentials) -> LoggedIn:
    """Log in.

    As the configured administrator, as `guest`, as a user, or with the address of a mailbox that may log in. Sets the
    cookie `iding-session` (HttpOnly, SameSite=Strict). At most 10 attempts in 60 seconds from one address, and for one
    account from addresses that have not logged in to it before.
    """
    username, password = body.username or "", body.password or ""
    call.target = username.strip().lower()
    client = throttle_key(call.visit.address)
    if call.target:
        call.services.throttles.password_tried(call.target, client)
    begun = await call.services.sessions.login(username, password)
    call.services.throttles.logged_in(call.target, client)
    account = begun.account
    call.identified = account.actor
    call.set_session_cookie(begun.token, max_age_s=call.services.sessions.lifetime_s)
    return LoggedIn(
        success=True,
        role=account.actor.role.wire_name,
        can_send=UNSET if account.can_send is None else account.can_send,
        mailbox_limit=UNSET if account.mailbox_limit is None else account.mailbox_limit,
        mailbox=UNSET if account.actor.mailbox_address is None else account.actor.mailbox_address,
        password_is_default=1 if account.password_is_default else UNSET,
    )


@endpoint("POST /api/logout", action="session.logout", tag="Session", audited=True)
async def logout(call: Call) -> Success:
    """Log out.

    Ends the session of the cookie, at once and everywhere, and takes the cookie back. Without a session nothing
    happens.
    """
    if call.session_token is not None:
        call.identified = await call.services.sessions.actor_of(call.session_token)
        call.target = "" if call.identified is None else call.identified.username
        await call.services.sessions.logout(call.session_token)
    call.set_session_cookie("", max_age_s=0)
    return Success()


@endpoint(
    "GET|HEAD /api/session",
    action="session.read",
    tag="Session",
    answer_example={"authenticated": True, "role": "admin", "username": "admin", "strictAdmin": True},
)
async def session(call: Call) -> Session:
    """Who one is."""
    actor = call.grant.actor
    return Session(
        authenticated=True,
        role=actor.role.wire_name,
        username=actor.username,
        strict_admin=actor.is_strict_admin,
        mailbox_address=UNSET if actor.mailbox_address is None else actor.mailbox_address,
    )


ENDPOINTS: tuple[Endpoint, ...] = (login, logout, session)
