"""The outbox and the providers, for whoever runs the server."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct

from tempmail.domain.outbound import Kind, State
from tempmail.errors import BadRequest
from tempmail.ports.outbound import OutboxDetail, OutboxFilter, OutboxMail
from tempmail.services.outbox_admin import RESOLUTIONS, ProviderStatus
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.endpoints.send import MAX_NAME_CHARS
from tempmail.web.fields import MALFORMED, MAX_ID, Stamp, Success
from tempmail.web.lenient import truthy

E = TypeVar("E", bound=StrEnum)

_STATES = ", ".join(f"`{state}`" for state in State)
_KINDS = ", ".join(f"`{kind}`" for kind in Kind)

StateWord = Annotated[str, Meta(description=f"One of {_STATES}", examples=["unknown"])]
MaybeText = Annotated[str | None, Meta(description="What went wrong last", examples=["SendFlare: HTTP 502"])]
ProviderName = Annotated[str, Meta(description="The provider", examples=["resend"])]
AccountName = Annotated[
    str, Meta(description="The account: the first sender domain it is for, else `default`", examples=["default"])
]
ProviderId = Annotated[str | None, Meta(description="The provider's id", examples=["re_1"])]


class OutboxQuery(Struct):
    state: Annotated[str, Meta(description=f"Only those in this state: {_STATES}", examples=["unknown"])] = ""
    kind: Annotated[str, Meta(description=f"Only those of this kind: {_KINDS}", examples=["send"])] = ""
    user_id: (
        Annotated[
            int,
            Meta(description="Only what this user sent", ge=0, le=MAX_ID, examples=[2]),
        ]
        | None
    ) = None
    before: (
        Annotated[
            int,
            Meta(
                description="Only mails with a lower id: that of the last one before", ge=0, le=MAX_ID, examples=[813]
            ),
        ]
        | None
    ) = None
    limit: Annotated[int, Meta(description="How many to answer", ge=1, le=500)] = 50


class OutboxItem(Struct):
    """A mail that goes out."""

    id: Annotated[int, Meta(description="Grows with time", examples=[812])]
    uuid: Annotated[str, Meta(description="Its name in `/api/send`", examples=["5f0c7d62-5a6f-4a3b-9b1e-0e5d8c1a2b3c"])]
    kind: Annotated[str, Meta(description=f"One of {_KINDS}", examples=["send"])]
    state: StateWord
    from_addr: Annotated[str, Meta(description="Its sender", examples=["sender@example.com"])]
    subject: Annotated[str, Meta(description="Its subject", examples=["邮件主题"])]
    provider: Annotated[str | None, Meta(description="Who sends it; null before the first try", examples=["sendflare"])]
    error: MaybeText
    attempts: Annotated[int, Meta(description="Calls made in all", examples=[1])]
    scheduled_at: Annotated[
        str | None, Meta(description="When it was to go, UTC, `YYYY-MM-DD HH:MM:SS`", examples=[None])
    ]
    due: Annotated[str | None, Meta(description="When it is looked at next; null: never", examples=[None])]
    deadline: Annotated[str, Meta(description="When it is given up, UTC", examples=["2024-01-02 12:00:00"])]
    created_at: Stamp
    updated_at: Stamp
    user_id: Annotated[int | None, Meta(description="Who sent it; null: nobody's", examples=[2])]


class OutboxList(Struct):
    """A page of the outbox."""

    mails: Annotated[list[OutboxItem], Meta(description="Newest first")]


class OutboxRecipientItem(Struct):
    """A recipient."""

    kind: Annotated[str, Meta(description="`to`, `cc` or `bcc`", examples=["to"])]
    address: Annotated[str, Meta(description="The address", examples=["recipient@example.com"])]
    state: StateWord
    provider_id: ProviderId
    error: MaybeText


class OutboxCallItem(Struct):
    """A request to a provider."""

    id: Annotated[int, Meta(description="Its id", examples=[12])]
    provider: ProviderName
    account: AccountName
    state: StateWord
    attempts: Annotated[int, Meta(description="How often it was made", examples=[1])]
    provider_id: ProviderId
    error: MaybeText
    began_at: Annotated[str | None, Meta(description="When it was made first, UTC", examples=["2024-01-01 12:00:00"])]
    recipients: Annotated[list[str], Meta(description="Whom it reaches", examples=[["recipient@example.com"]])]


class OutboxMailDetail(OutboxItem):
    """A mail that goes out, with what was done for it. Its content is at `/api/send/{uuid}`."""

    recipients: Annotated[list[OutboxRecipientItem], Meta(description="Everybody it goes to")]
    calls: Annotated[list[OutboxCallItem], Meta(description="Every request to a provider, oldest first")]


class OutboxPath(Struct):
    id: Annotated[str, Meta(description="Its id, or its uuid", examples=["812"])] = ""


class Resolution(Struct):
    """What somebody found out."""

    state: Annotated[
        str | None,
        Meta(
            description="`accepted`: the provider has sent it; `failed`: it has not",
            examples=["accepted"],
            extra={"required": True},
        ),
    ] = None


class ProvidersQuery(Struct):
    usage: Annotated[
        str, Meta(description="`1`: ask each of them for its quota or balance, which takes up to 10 s", examples=["1"])
    ] = ""


class ProviderItem(Struct):
    """An account."""

    name: ProviderName
    account: AccountName
    domains: Annotated[list[str], Meta(description="Sender domains it is for", examples=[["example.com"]])]
    addresses: Annotated[list[str], Meta(description="Senders it is for", examples=[[]])]
    for_all: Annotated[bool, Meta(description="True: for all senders that nobody else is for", examples=[True])]
    capabilities: Annotated[
        dict[str, Any],
        Meta(description="What it can carry and do", examples=[{"max_to": 50, "attachments": True, "status": True}]),
    ]
    paused_until: Annotated[
        str | None, Meta(description="Not used before this time, UTC; null: in use", examples=[None])
    ]
    pause_reason: Annotated[str | None, Meta(description="Why not", examples=[None])]
    usage: Annotated[
        dict[str, Any] | None, Meta(description="Where asked for: what the provider says", examples=[{"balance": 120}])
    ]
    usage_error: Annotated[str | None, Meta(description="Where asked for: why it says nothing", examples=[None])]


class ProviderList(Struct):
    """Every account that the settings name."""

    providers: Annotated[list[ProviderItem], Meta(description="In the order in which they are tried")]


class AccountPath(Struct):
    provider: Annotated[str, Meta(description="The provider", examples=["resend"])] = ""
    account: Annotated[str, Meta(description="The account", examples=["default"])] = ""


_NO_MAIL = Refusal(404, "no such mail in the outbox")


@endpoint(
    "GET /api/v1/outbox",
    action="outbox.read",
    tag="Outbox",
    errors=(Refusal(400, f"state: one of {', '.join(State)}"), Refusal(400, f"kind: one of {', '.join(Kind)}")),
)
async def outbox(call: Call, query: OutboxQuery) -> OutboxList:
    """List mail that goes out, newest first: what users send, what is forwarded, capsules for outside addresses.

    Mails are kept for OUTBOX_DAYS days once they are done; what is `unknown` stays until somebody decides.
    """
    criteria = OutboxFilter(
        state=_word(State, "state", query.state),
        kind=_word(Kind, "kind", query.kind),
        user_id=query.user_id,
        before_id=query.before,
        limit=query.limit,
    )
    return OutboxList([OutboxItem(**_fields(mail)) for mail in await call.services.outbox.page(criteria)])


@endpoint("GET /api/v1/outbox/{id}", action="outbox.read", tag="Outbox", errors=(_NO_MAIL,))
async def outbox_mail(call: Call, path: OutboxPath) -> OutboxMailDetail:
    """One mail with its recipients, and every request to a provider."""
    return _detail(await call.services.outbox.get(_name(path)))


@endpoint(
    "POST /api/v1/outbox/{id}/retry",
    action="outbox.manage",
    tag="Outbox",
    audited=True,
    errors=(_NO_MAIL, Refusal(409, "nothing of this mail failed or is unknown: it is accepted")),
)
async def retry_outbox_mail(call: Call, path: OutboxPath) -> OutboxMailDetail:
    """Send again, at once, what failed or is unknown.

    Recipients whose outcome was unknown may get the mail twice: that is what this decides.
    """
    call.target = path.id
    return _detail(await call.services.outbox.retry(_name(path)))


@endpoint(
    "POST /api/v1/outbox/{id}/cancel",
    action="outbox.manage",
    tag="Outbox",
    audited=True,
    errors=(_NO_MAIL, Refusal(409, "this mail waits no more: it is accepted")),
)
async def cancel_outbox_mail(call: Call, path: OutboxPath) -> OutboxMailDetail:
    """Take back a mail that waits."""
    call.target = path.id
    return _detail(await call.services.outbox.cancel(_name(path)))


@endpoint(
    "POST /api/v1/outbox/{id}/resolve",
    action="outbox.manage",
    tag="Outbox",
    audited=True,
    errors=(
        _NO_MAIL,
        MALFORMED,
        Refusal(400, f"state: one of {', '.join(RESOLUTIONS)}"),
        Refusal(409, "nothing of this mail is unknown: it is accepted"),
    ),
)
async def resolve_outbox_mail(call: Call, path: OutboxPath, body: Resolution) -> OutboxMailDetail:
    """Settle what is unknown, as somebody found it out: nothing is sent."""
    call.target = path.id
    return _detail(await call.services.outbox.resolve(_name(path), body.state or ""))


@endpoint("GET /api/v1/providers", action="outbox.read", tag="Outbox")
async def providers(call: Call, query: ProvidersQuery) -> ProviderList:
    """The accounts that mail is sent with, what they can carry, and which of them rest."""
    found = await call.services.outbox.providers(with_usage=truthy(query.usage) and query.usage != "0")
    return ProviderList([_provider(status) for status in found])


@endpoint(
    "POST /api/v1/providers/{provider}/{account}/unpause",
    action="outbox.manage",
    tag="Outbox",
    audited=True,
    errors=(Refusal(404, "no such account is paused"),),
)
async def unpause_provider(call: Call, path: AccountPath) -> Success:
    """Use an account again at once, such as after its key or its balance was mended."""
    call.target = f"{path.provider} {path.account}"
    await call.services.outbox.unpause(path.provider, path.account)
    return Success()


def _name(path: OutboxPath) -> str:
    return path.id[:MAX_NAME_CHARS]


def _word(kind: type[E], field: str, text: str) -> E | None:
    """The word that `text` is; None for an empty text. Raises `BadRequest`."""
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise BadRequest(f"{field}: one of {', '.join(kind)}") from None


def _fields(mail: OutboxMail) -> dict[str, Any]:
    return {name: getattr(mail, name) for name in OutboxItem.__struct_fields__}


def _detail(detail: OutboxDetail) -> OutboxMailDetail:
    return OutboxMailDetail(
        **_fields(detail.mail),
        recipients=[
            OutboxRecipientItem(
                kind=one.kind,
                address=one.address,
                state=one.state,
                provider_id=one.provider_message_id,
                error=one.error,
            )
            for one in detail.recipients
        ],
        calls=[
            OutboxCallItem(
                id=one.id,
                provider=one.provider,
                account=one.account,
                state=one.state,
                attempts=one.attempts,
                provider_id=one.provider_message_id,
                error=one.error,
                began_at=one.began_at,
                recipients=list(one.request.recipients),
            )
            for one in detail.calls
        ],
    )


def _provider(status: ProviderStatus) -> ProviderItem:
    account = status.account
    return ProviderItem(
        name=account.provider,
        account=account.account,
        domains=list(account.domains),
        addresses=list(account.addresses),
        for_all=account.for_all,
        capabilities=asdict(account.capabilities),
        paused_until=None if status.pause is None else status.pause.until,
        pause_reason=None if status.pause is None else status.pause.reason,
        usage=None if status.usage is None else dict(status.usage),
        usage_error=status.usage_error,
    )


ENDPOINTS: tuple[Endpoint, ...] = (
    outbox,
    outbox_mail,
    retry_outbox_mail,
    cancel_outbox_mail,
    resolve_outbox_mail,
    providers,
    unpause_provider,
)
