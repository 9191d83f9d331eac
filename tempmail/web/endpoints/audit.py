"""The audit log."""

from typing import Annotated

from msgspec import Meta, Struct

from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, endpoint
from tempmail.web.fields import MAX_ID, Stamp


class AuditQuery(Struct):
    before: (
        Annotated[
            int,
            Meta(
                description="Only entries with a lower id: the last one of the page before",
                ge=0,
                le=MAX_ID,
                examples=[813],
            ),
        ]
        | None
    ) = None
    limit: Annotated[int, Meta(description="How many to answer", ge=1, le=500)] = 100
    actor: Annotated[str, Meta(description="Only what this name did", examples=["admin"])] = ""
    action: Annotated[str, Meta(description="Only this action", examples=["user.delete"])] = ""


class AuditItem(Struct):
    """One call, and how it ended."""

    id: Annotated[int, Meta(description="Grows with time", examples=[812])]
    at: Stamp
    actor: Annotated[
        str,
        Meta(description="Username or address; for a failed login the name that was tried", examples=["admin"]),
    ]
    role: Annotated[
        str, Meta(description="Role of the policy table; empty for a failed login", examples=["strictAdmin"])
    ]
    action: Annotated[str, Meta(description="Of the policy table", examples=["user.delete"])]
    target: Annotated[str, Meta(description="What it was done to, as named in the request", examples=["7"])]
    address: Annotated[str, Meta(description="Where the request came from", examples=["203.0.113.9"])]
    status: Annotated[int, Meta(description="Of the answer", examples=[200])]
    request_id: Annotated[str, Meta(description="`X-Request-Id` of the answer", examples=["3q2-7wAAAAAA"])]


class AuditList(Struct):
    """A page of the audit log."""

    entries: Annotated[list[AuditItem], Meta(description="Newest first")]


@endpoint("GET /api/v1/audit", action="audit.read", tag="Server")
async def audit(call: Call, query: AuditQuery) -> AuditList:
    """Read the audit log: logins, and what admins changed.

    Entries are kept for AUDIT_DAYS days, at most the newest 100000.
    """
    entries = await call.services.audit.page(
        limit=query.limit, before_id=query.before, actor=query.actor or None, action=query.action or None
    )
    return AuditList(
        [
            AuditItem(
                id=entry.id,
                at=entry.at,
                actor=entry.actor,
                role=entry.role,
                action=entry.action,
                target=entry.target,
                address=entry.address,
                status=entry.status,
                request_id=entry.request_id,
            )
            for entry in entries
        ]
    )


ENDPOINTS: tuple[Endpoint, ...] = (audit,)
