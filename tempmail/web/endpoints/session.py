"""Logging in and out, and who one is. Seed 004 (认证); freemail contract 1.1, 2."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint


class Credentials(Struct):
    username: Annotated[str, Meta(description="Name of the account", examples=["admin"])] = ""
    password: Annotated[str, Meta(description="Its password; white space around it is ignored")] = ""


class LoggedIn(Struct):
    success: Annotated[bool, Meta(description="Always true", examples=[True])]
    role: Annotated[str, Meta(description="`admin`, `user`, `mailbox` or `guest`", examples=["admin"])]
    can_send: Annotated[int, Meta(description="1: may send mail", examples=[1])]
    mailbox_limit: Annotated[int, Meta(description="How many mailboxes the account may have", examples=[9999])]


class Success(Struct):
    success: Annotated[bool, Meta(description="Always true", examples=[True])] = True


class Session(Struct, rename="camel"):
    authenticated: Annotated[bool, Meta(description="Always true", examples=[True])]
    role: Annotated[str, Meta(description="`admin`, `user`, `mailbox` or `guest`", examples=["admin"])]
    username: Annotated[str, Meta(description="`__root__` for the root token", examples=["admin"])]
    strict_admin: Annotated[bool, Meta(description="Whether this is the highest administrator", examples=[True])]
    mailbox_address: Annotated[str, Meta(description="For the role `mailbox` only: its address")] | UnsetType = UNSET


@endpoint(
    "POST /api/login",
    action="session.login",
    tag="Session",
    throttled=True,
    errors=(
        Refusal(400, "Bad Request"),
        Refusal(400, "用户名或密码不能为空"),
        Refusal(401, "用户名或密码错误"),
        Refusal(429, "Too Many Requests"),
    ),
)
async def login(call: Call, body: Credentials) -> LoggedIn:
    """Log in.

    Sets the cookie `iding-session` (HttpOnly, SameSite=Strict). At most 10 attempts in 60 seconds from one address.
    """
    begun = await call.services.sessions.login(body.username, body.password)
    call.set_session_cookie(begun.token, max_age_s=call.services.sessions.lifetime_s)
    return LoggedIn(
        success=True, role=begun.actor.role.wire_name, can_send=begun.can_send, mailbox_limit=begun.mailbox_limit
    )


@endpoint("POST /api/logout", action="session.logout", tag="Session")
async def logout(call: Call) -> Success:
    """Log out.

    Ends the session of the cookie and takes the cookie back. Without a session nothing happens.
    """
    if call.session_token is not None:
        await call.services.sessions.logout(call.session_token)
    call.set_session_cookie("", max_age_s=0)
    return Success()


@endpoint("GET|HEAD /api/session", action="session.read", tag="Session")
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
