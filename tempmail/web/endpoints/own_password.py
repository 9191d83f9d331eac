"""The password of one's own mailbox login. Seed 004 (修改邮箱密码); freemail contract 1.2."""

from typing import Annotated

from msgspec import Meta, Struct

from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.fields import MALFORMED, NO_MAILBOX, Done


class PasswordChange(Struct, rename="camel"):
    """The passwords, old and new."""

    current_password: Annotated[
        str | None,
        Meta(
            description="As at login; the mailbox's address where none was set. White space around it is ignored",
            examples=["test@example.com"],
            extra={"required": True},
        ),
    ] = None
    new_password: Annotated[
        str | None,
        Meta(
            description="6 to 1024 characters, white space around them ignored",
            examples=["correct horse"],
            extra={"required": True},
        ),
    ] = None


class PasswordChanged(Struct):
    """The new password is in force; the session has ended."""

    success: Done
    message: Annotated[str, Meta(description="For people", examples=["密码修改成功"])]


@endpoint(
    "PUT /api/mailbox/password",
    action="mailbox.own_password",
    tag="Mailboxes",
    audited=True,
    errors=(
        MALFORMED,
        Refusal(400, "当前密码和新密码不能为空"),
        Refusal(400, "新密码长度至少6位"),
        Refusal(400, "新密码长度最多1024位"),
        Refusal(400, "当前密码错误"),
        NO_MAILBOX,
        Refusal(429, "Too Many Requests"),
    ),
)
async def change_own_password(call: Call, body: PasswordChange) -> PasswordChanged:
    """Change the password of one's own mailbox login.

    Ends all sessions of the mailbox, this one too: its cookie is taken back, and the next login is with the new
    password. Each try counts as a login of the mailbox: at most 10 in 60 seconds.
    """
    address = call.target = call.grant.actor.mailbox_address or ""
    call.services.throttles.password_tried(address)
    current, new = body.current_password or "", body.new_password or ""
    await call.services.sessions.change_mailbox_password(address, current=current, new=new)
    call.set_session_cookie("", max_age_s=0)
    return PasswordChanged(success=True, message="密码修改成功")


ENDPOINTS: tuple[Endpoint, ...] = (change_own_password,)
