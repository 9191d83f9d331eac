"""Whether addresses want the mail that is forwarded to them."""

from typing import Annotated

from msgspec import Meta, Struct

from tempmail.domain.address import forward_target
from tempmail.errors import BadRequest
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.fields import MALFORMED

Target = Annotated[
    str, Meta(description="The address that mail is forwarded to", max_length=254, examples=["backup@example.net"])
]

_NO_TARGET = Refusal(400, "转发目标邮箱格式无效")


class TargetQuery(Struct):
    address: Annotated[Target, Meta(extra={"required": True})] = ""


class Confirmation(Struct):
    """The code that was mailed to the address."""

    address: Target
    code: Annotated[str, Meta(description="As in the mail; blanks do not matter", max_length=32, examples=["40917263"])]


class TargetState(Struct):
    """Whether mail is forwarded there."""

    address: Target
    required: Annotated[bool, Meta(description="Whether addresses must confirm (FORWARD_VERIFY)", examples=[True])]
    confirmed: Annotated[bool, Meta(description="Whether mail goes there", examples=[True])]


@endpoint("GET /api/v1/forwards", action="mailbox.forward", tag="Mailboxes", errors=(_NO_TARGET,))
async def forward_state(call: Call, query: TargetQuery) -> TargetState:
    """Whether an address has confirmed that it wants forwarded mail."""
    address = _named(query.address)
    consent = call.services.forward_consent
    return TargetState(address, consent.is_required, await consent.is_confirmed(address))


@endpoint(
    "POST /api/v1/forwards/confirm",
    action="mailbox.forward",
    tag="Mailboxes",
    errors=(MALFORMED, _NO_TARGET, Refusal(400, "验证码错误或已过期")),
)
async def confirm_forward(call: Call, body: Confirmation) -> TargetState:
    """Confirm that an address wants forwarded mail, with the code that was mailed there.

    A code comes when the address is set as a mailbox's target, at most every ten minutes, and is good for a day and
    five tries.
    """
    address = _named(body.address)
    consent = call.services.forward_consent
    await consent.confirm(address, body.code)
    return TargetState(address, consent.is_required, confirmed=True)


def _named(text: str) -> str:
    address = forward_target(text)
    if address is None:
        raise BadRequest(_NO_TARGET.text)
    return address


ENDPOINTS: tuple[Endpoint, ...] = (forward_state, confirm_forward)
