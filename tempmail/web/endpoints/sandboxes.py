"""Accounts at the provider sandboxes."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from tempmail.domain.sandbox import SandboxCredential
from tempmail.domain.sandbox_providers import MIN_VALUE_CHARS, PROVIDERS, provider_named
from tempmail.services.sandboxes import MAX_NAME_CHARS, MAX_VALUE_CHARS
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.fields import MALFORMED, MAX_ID, Stamp, Success

_NAMES = ", ".join(PROVIDERS)

Name = Annotated[str, Meta(description=f"What it is for; at most {MAX_NAME_CHARS} characters", examples=["shop"])]
Mailbox = Annotated[
    str,
    Meta(
        description="Where mail for addresses that are not served here goes; empty: a new mailbox",
        examples=["resend-k3v9qd@example.com"],
    ),
]
Switches = Annotated[
    dict[str, bool | int | str],
    Meta(
        description="Faults, limits and strictness, by name; docs/sandboxes.md lists them. Those that are not named "
        "stay as they are",
        examples=[{"rate_per_s": 5}],
    ),
]
WebhookUrl = Annotated[
    str,
    Meta(
        description="Where events are posted, signed; empty: nowhere", examples=["https://app.example.com/hooks/resend"]
    ),
]


class CredentialBody(Struct):
    """A new credential."""

    name: Name = ""
    mailbox: Mailbox = ""
    values: Annotated[
        dict[str, str],
        Meta(
            description="Parts of the credential that are to be as given, such as a `key` that an app has already; "
            f"{MIN_VALUE_CHARS} to {MAX_VALUE_CHARS} printable characters. All others are random",
            examples=[{"key": "re_123456789"}],
        ),
    ] = {}
    switches: Switches = {}
    webhook_url: WebhookUrl = ""


class CredentialChangeBody(Struct):
    """What is to change."""

    name: Name | None = None
    switches: Switches | None = None
    webhook_url: WebhookUrl | None = None


class CredentialItem(Struct):
    """A credential, without its secrets."""

    id: Annotated[int, Meta(description="Id of the credential", examples=[3])]
    provider: Annotated[str, Meta(description="Which sandbox it is for", examples=["resend"])]
    name: Name
    mailbox: Mailbox
    switches: Switches
    webhook_url: Annotated[str | None, Meta(description="Where events are posted; null: nowhere", examples=[None])]
    created_at: Stamp


class ShownCredential(CredentialItem):
    """A credential with what signs its webhooks."""

    webhook_secret: Annotated[
        str | None, Meta(description="What webhooks are signed with; null: there are none", examples=[None])
    ]


class MadeCredential(ShownCredential):
    """The new credential, with its secrets."""

    values: Annotated[
        dict[str, str],
        Meta(
            description="The credential itself. It is shown this once", examples=[{"key": "re_b3nW0a4XkQf2T7uYc9LmPz"}]
        ),
    ]
    usage: Annotated[
        list[str],
        Meta(
            description="How an app is pointed at the sandbox",
            examples=[["RESEND_API_URL=http://127.0.0.1:8080/sandbox/resend"]],
        ),
    ]


class CredentialList(Struct):
    """A page of credentials."""

    credentials: Annotated[list[CredentialItem], Meta(description="By id")]


class ProviderPath(Struct):
    provider: Annotated[str, Meta(description=f"Name of a sandbox: {_NAMES}", examples=["resend"])] = ""


class CredentialPath(Struct):
    provider: Annotated[str, Meta(description=f"Name of a sandbox: {_NAMES}", examples=["resend"])] = ""
    id: Annotated[int, Meta(description="Id of the credential", ge=0, le=MAX_ID, examples=[3])] = 0


class CredentialQuery(Struct):
    after: Annotated[
        int, Meta(description="Only those with a higher id: the last one of the page before", ge=0, le=MAX_ID)
    ] = 0
    limit: Annotated[int, Meta(description="How many to answer", ge=1, le=100)] = 100


_NO_SANDBOX = Refusal(400, f"there is no sandbox postmark; there are {_NAMES}")
_NO_CREDENTIAL = Refusal(404, "no such sandbox credential")
_BAD = (
    MALFORMED,
    _NO_SANDBOX,
    Refusal(400, f"name: at most {MAX_NAME_CHARS} printable characters"),
    Refusal(400, "fault: one of 429, 500, quota, timeout, timeout-before, cut, html, bounce, or empty"),
    Refusal(400, "webhook_url: http:// or https://, at most 2048 characters, without a password"),
)


@endpoint(
    "GET /api/v1/sandboxes/{provider}/credentials", action="sandbox.manage", tag="Sandboxes", errors=(_NO_SANDBOX,)
)
async def sandbox_credentials(call: Call, path: ProviderPath, query: CredentialQuery) -> CredentialList:
    """List the credentials of a sandbox, without their secrets."""
    found = await call.services.sandboxes.page(path.provider, after_id=query.after, limit=query.limit)
    return CredentialList([_item(each) for each in found])


@endpoint(
    "POST /api/v1/sandboxes/{provider}/credentials",
    action="sandbox.manage",
    tag="Sandboxes",
    audited=True,
    errors=(
        *_BAD,
        Refusal(400, "mailbox: an address in a domain that is served here"),
        Refusal(400, "resend has this credential already"),
    ),
)
async def add_sandbox_credential(call: Call, path: ProviderPath, body: CredentialBody) -> MadeCredential:
    """Make a credential of a sandbox.

    With it an app that sends by this provider sends to this server instead: every mail is kept in mailboxes here, and
    none ever leaves. `usage` tells how the app is pointed here.
    """
    call.target = f"{path.provider} {body.name}".strip()[:128]
    made = await call.services.sandboxes.create(
        call.grant,
        path.provider,
        name=body.name,
        mailbox=body.mailbox,
        values=body.values,
        switches=body.switches,
        webhook_url=body.webhook_url,
    )
    host = call.visit.headers.get(b"host", b"").decode("latin-1")
    base = f"{'https' if call.visit.https else 'http'}://{host}/sandbox/{path.provider}"
    return MadeCredential(
        **_fields(made.credential),
        webhook_secret=made.webhook_secret,
        values=dict(made.values),
        usage=provider_named(path.provider).usage_lines(base, made.values),
    )


@endpoint(
    "PATCH /api/v1/sandboxes/{provider}/credentials/{id}",
    action="sandbox.manage",
    tag="Sandboxes",
    audited=True,
    errors=(*_BAD, _NO_CREDENTIAL),
)
async def change_sandbox_credential(call: Call, path: CredentialPath, body: CredentialChangeBody) -> ShownCredential:
    """Change a credential's name, switches or webhook. What is not given stays."""
    call.target = f"{path.provider} {path.id}"[:128]
    changed = await call.services.sandboxes.change(
        path.provider, path.id, name=body.name, switches=body.switches, webhook_url=body.webhook_url
    )
    return ShownCredential(**_fields(changed), webhook_secret=changed.webhook_secret)


@endpoint(
    "DELETE /api/v1/sandboxes/{provider}/credentials/{id}",
    action="sandbox.manage",
    tag="Sandboxes",
    audited=True,
    errors=(_NO_SANDBOX, _NO_CREDENTIAL),
)
async def remove_sandbox_credential(call: Call, path: CredentialPath) -> Success:
    """Remove a credential. From the answer on it is refused; scheduled mails of it go with it, captured ones stay."""
    call.target = f"{path.provider} {path.id}"[:128]
    await call.services.sandboxes.remove(path.provider, path.id)
    return Success()


def _item(credential: SandboxCredential) -> CredentialItem:
    return CredentialItem(**_fields(credential))


def _fields(credential: SandboxCredential) -> dict[str, Any]:
    return {
        "id": credential.id,
        "provider": credential.provider,
        "name": credential.name,
        "mailbox": credential.mailbox,
        "switches": dict(credential.switches),
        "webhook_url": credential.webhook_url,
        "created_at": credential.created_at,
    }


ENDPOINTS: tuple[Endpoint, ...] = (
    sandbox_credentials,
    add_sandbox_credential,
    change_sandbox_credential,
    remove_sandbox_credential,
)
