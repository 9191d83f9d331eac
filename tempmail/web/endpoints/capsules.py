"""Mail to the future (seed 002): writing, setting, revoking, reading."""

from tempmail.clock import parse_stamp
from tempmail.domain.capsules import (
    MAX_PASSWORD_CHARS,
    MAX_TITLE_CHARS,
    MAX_UNSENT,
    MIN_PASSWORD_CHARS,
    Folder,
    Status,
    countdown,
    iso,
)
from tempmail.services.capsule_requests import SetRequest
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.endpoints.capsule_fields import FOREIGN, MALFORMED, NO_MAIL, TAG, MailPath, rule
from tempmail.web.endpoints.capsule_views import (
    CapsuleDetail,
    CapsuleList,
    CapsuleQuotaView,
    DeletedCapsule,
    DraftBody,
    EditBody,
    ListQuery,
    Released,
    Revoked,
    Scheduled,
    SendToFutureBody,
    UnlockBody,
    condition_of,
    detail,
    edit_of,
    item,
    mail_name,
)
from tempmail.web.envelope import Enveloped

_KEY = b"idempotency-key"

_WRONG_PASSWORD = Refusal(403, "the password is wrong")
_TOO_MANY_TRIES = Refusal(429, "Too Many Requests")
_MISPLACED = Refusal(400, "password: give one where isEncrypted is true, and only there")
_NOT_DRAFT = rule("not_draft", "the mail is PENDING: only a draft can be changed")
_CHANGED = rule("changed", "the mail was changed meanwhile: read it again")
_FIELDS = (
    rule("title_too_long", f"title: at most {MAX_TITLE_CHARS} characters"),
    rule("recipient_unknown", "recipient: there is no such user"),
    rule("recipient_invalid", "recipient.email: this is no mail address"),
    rule("password_invalid", f"password: {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters"),
)


@endpoint(
    "POST /api/v1/mails",
    action="capsule.write",
    tag=TAG,
    errors=(
        MALFORMED,
        _MISPLACED,
        *_FIELDS,
        rule("too_many", f"there are {MAX_UNSENT} drafts and pending mails already: delete one first"),
    ),
)
async def create_capsule(call: Call, body: DraftBody) -> Enveloped[CapsuleDetail]:
    """Write a draft.

    An encrypted mail shows its content and attachments to whoever gives its password, and to nobody else, its writer
    included. The password guards them on their way out; in the database they lie as they are.
    """
    opened = await call.services.capsules.create(call.grant, edit_of(body))
    return Enveloped(data=detail(opened, call.services.capsules.now()))


@endpoint(
    "PUT|PATCH /api/v1/mails/{mailId}",
    action="capsule.write",
    tag=TAG,
    errors=(MALFORMED, _MISPLACED, NO_MAIL, FOREIGN, _WRONG_PASSWORD, _TOO_MANY_TRIES, _NOT_DRAFT, _CHANGED, *_FIELDS),
)
async def change_capsule(call: Call, path: MailPath, body: EditBody) -> Enveloped[CapsuleDetail]:
    """Change a draft. What failed is a draft again."""
    changed = await call.services.capsules.change(call.grant, path.mail_id, edit_of(body))
    return Enveloped(data=detail(changed, call.services.capsules.now()))


@endpoint(
    "DELETE /api/v1/mails/{mailId}", action="capsule.write", tag=TAG, errors=(NO_MAIL, FOREIGN, _NOT_DRAFT, _CHANGED)
)
async def delete_capsule(call: Call, path: MailPath) -> Enveloped[DeletedCapsule]:
    """Delete a draft, or a mail that failed."""
    deleted = await call.services.capsules.delete(call.grant, path.mail_id)
    return Enveloped(data=DeletedCapsule(mail_name(deleted)))


@endpoint(
    "POST /api/v1/mails/send-to-future",
    action="capsule.write",
    tag=TAG,
    errors=(
        MALFORMED,
        Refusal(400, "sendTime is missing"),
        Refusal(400, "sendTime: ISO 8601 with an offset is expected, such as 2025-12-31T23:59:59Z"),
        Refusal(400, "triggerType: TIME, LOCATION or EVENT"),
        NO_MAIL,
        FOREIGN,
        Refusal(403, "you may not send mail to other servers"),
        rule("not_draft", "the mail is PENDING: only a draft can be set"),
        rule("no_recipient", "the mail has no recipient"),
        rule("too_soon", "sendTime must be at least one hour from now"),
        rule("attachments_too_large", "attachments: at most 10485760 bytes, alone and together"),
        rule("trigger_invalid", "triggerCondition.event: a type, or keywords"),
        rule("no_sender", "mail to an outside address needs a mailbox to come from"),
        rule("no_provider", "no provider carries this mail from ann@example.com"),
        rule("encrypted_outside", "an encrypted mail can be unlocked here only"),
        rule("quota_reached", "5 mails may be set for the future in a calendar month (UTC)"),
        rule("key_reused", "Idempotency-Key: it was used for another request"),
    ),
)
async def send_to_future(call: Call, body: SendToFutureBody) -> Enveloped[Scheduled]:
    """Set a draft for a time.

    Ten minutes before its time it is frozen; until then it can be revoked. It is delivered at its time, never before.

    A header `Idempotency-Key` (1 to 255 characters) makes a repeat harmless for a day: the same request again is
    answered as the first was. Without it the same time again within a minute is.
    """
    key = call.visit.headers.get(_KEY)
    setting = await call.services.capsules.set(
        call.grant,
        SetRequest(body.mail_id, body.send_time, body.trigger_type, condition_of(body.trigger_condition)),
        None if key is None else key.decode("latin-1"),
    )
    return Enveloped(
        data=Scheduled(
            mail_id=f"mail_{setting.uuid}",
            capsule_id=f"capsule_{setting.capsule_uuid}",
            status=Status.PENDING.name,
            send_time=iso(setting.send_at) or "",
            countdown=countdown(parse_stamp(setting.send_at), parse_stamp(setting.set_at)),
            updated_at=iso(setting.set_at) or "",
        )
    )


@endpoint(
    "POST /api/v1/mails/{mailId}/revoke",
    action="capsule.write",
    tag=TAG,
    errors=(NO_MAIL, FOREIGN, rule("not_pending", "the mail is DELIVERING: only a pending one can be revoked")),
)
async def revoke_capsule(call: Call, path: MailPath) -> Enveloped[Revoked]:
    """Take a pending mail back. It is a draft again, and still counts in its month."""
    revoked = await call.services.capsules.revoke(call.grant, path.mail_id)
    return Enveloped(data=Revoked(mail_name(revoked), revoked.status.name, iso(revoked.updated_at) or ""))


@endpoint(
    "POST /api/v1/mails/{mailId}/trigger",
    action="capsule.write",
    tag=TAG,
    errors=(
        NO_MAIL,
        FOREIGN,
        rule("not_pending", "the mail is DELIVERED: only a pending one can be released"),
        rule("no_trigger", "the mail waits for its time alone"),
        rule("too_soon", "a mail can be released one hour after it was set at the soonest"),
        _CHANGED,
    ),
)
async def trigger_capsule(call: Call, path: MailPath) -> Enveloped[Released]:
    """Say that what a mail waits for (LOCATION, EVENT) has come: it is delivered now instead of at its time."""
    released = await call.services.capsules.release(call.grant, path.mail_id)
    return Enveloped(
        data=Released(
            mail_name(released), released.status.name, iso(released.send_at) or "", iso(released.released_at) or ""
        )
    )


@endpoint(
    "GET /api/v1/mails", action="capsule.read", tag=TAG, errors=(Refusal(400, "size: a whole number from 1 to 100"),)
)
async def capsules(call: Call, query: ListQuery) -> Enveloped[CapsuleList]:
    """List mail to the future: one's own, or what was delivered to one."""
    found = await call.services.capsules.page(
        call.grant,
        None if query.type is None else Folder[query.type],
        None if query.status is None else Status[query.status],
        limit=query.size,
        offset=(query.page - 1) * query.size,
    )
    now_epoch_s = call.services.capsules.now()
    items = [item(capsule, now_epoch_s) for capsule in found.items]
    return Enveloped(data=CapsuleList(items, found.total, query.page, query.size))


@endpoint("GET /api/v1/mails/quota", action="capsule.read", tag=TAG)
async def capsule_quota(call: Call) -> Enveloped[CapsuleQuotaView]:
    """How many mails one may set this month, and has."""
    quota = await call.services.capsules.quota(call.grant)
    return Enveloped(data=CapsuleQuotaView(quota.limit, quota.used, iso(quota.resets_at) or ""))


@endpoint("GET /api/v1/mails/{mailId}", action="capsule.read", tag=TAG, errors=(NO_MAIL, FOREIGN))
async def capsule(call: Call, path: MailPath) -> Enveloped[CapsuleDetail]:
    """One mail: for its writer, and for its recipient once it is delivered."""
    opened = await call.services.capsules.view(call.grant, path.mail_id)
    return Enveloped(data=detail(opened, call.services.capsules.now()))


@endpoint(
    "POST /api/v1/mails/{mailId}/unlock",
    action="capsule.read",
    tag=TAG,
    errors=(
        MALFORMED,
        NO_MAIL,
        FOREIGN,
        _WRONG_PASSWORD,
        rule("not_encrypted", "the mail is not encrypted"),
        _TOO_MANY_TRIES,
    ),
)
async def unlock_capsule(call: Call, path: MailPath, body: UnlockBody) -> Enveloped[CapsuleDetail]:
    """All of an encrypted mail, with its password. Its attachments may be fetched for ten minutes then.

    Five tries in five minutes.
    """
    opened = await call.services.capsules.unlock(call.grant, path.mail_id, body.password)
    return Enveloped(data=detail(opened, call.services.capsules.now()))


ENDPOINTS: tuple[Endpoint, ...] = (
    create_capsule,
    capsules,
    send_to_future,
    capsule_quota,
    capsule,
    change_capsule,
    delete_capsule,
    revoke_capsule,
    trigger_capsule,
    unlock_capsule,
)
