"""Resend's API, for the official SDKs by their base URL alone. Source: provider facts 1.1 and 4.1."""

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from tempmail.clock import Clock, stamp
from tempmail.domain.address import split_address
from tempmail.domain.compose import compose
from tempmail.domain.outbound import Attachment, OutboundMessage
from tempmail.domain.outbound_fields import mailbox_of
from tempmail.domain.sandbox import (
    DueMail,
    Envelope,
    Fault,
    Outcome,
    SandboxCredential,
    SandboxMail,
    SandboxReport,
    State,
)
from tempmail.domain.sandbox_fields import form_fields, further_headers
from tempmail.domain.sandbox_providers import RESEND, SandboxProvider
from tempmail.ports import Mail
from tempmail.sandbox.rates import Rate, Rates
from tempmail.sandbox.resend_files import ResendFiles
from tempmail.sandbox.resend_mail import Invalid, ResendMail, read_mail, read_time, without_contents
from tempmail.sandbox.resend_views import iso, listed, reports_of, shown, summary_of
from tempmail.sandbox.router import Router
from tempmail.sandbox.surface import Exchange, Kind, Refused, Reply, json_reply, read_json, used_up
from tempmail.services.bodies import Bodies
from tempmail.services.sandbox_mails import Key, NewMail, Released, SandboxMails, UnderWay, next_resets
from tempmail.services.sandboxes import SandboxService

MAX_BODY_BYTES = 56 << 20
"""40 MB of attachments as base64, as much text as anybody writes, and JSON round it."""
MAX_BATCH = 100
MAX_KEY_CHARS = 256
MAX_SUMMARY_BYTES = 256 << 10
"""Of all that lists show of a mail: a page has a hundred."""
DEFAULT_RATE = 5
"""What is told where the credential has no limit: what Resend itself allows in a second."""

_SIMULATED: Mapping[str, State] = {
    "bounced": State.BOUNCED,
    "complained": State.COMPLAINED,
    "suppressed": State.SUPPRESSED,
}
"""Local parts at resend.dev that stand for what becomes of the mail."""

_KINDS: Mapping[Kind, tuple[int, str, str]] = {
    Kind.NO_ROUTE: (404, "not_found", "The requested endpoint does not exist."),
    Kind.NO_METHOD: (405, "method_not_allowed", "Method is not allowed for the requested path."),
    Kind.MALFORMED: (400, "validation_error", "The request body could not be parsed as JSON."),
    Kind.TOO_LARGE: (413, "validation_error", "The request is too large."),
    Kind.RATE: (429, "rate_limit_exceeded", "Too many requests. You can only make {rate} requests per second."),
    Kind.DAY_QUOTA: (429, "daily_quota_exceeded", "You have reached your daily email sending quota."),
    Kind.MONTH_QUOTA: (429, "monthly_quota_exceeded", "You have reached your monthly email sending quota."),
    Kind.BUSY: (500, "application_error", "The sandbox cannot take mail now. Try again later."),
    Kind.SERVER: (500, "internal_server_error", "Something went wrong. Try again later."),
}
_IN_THREAD_CHARS = 128 << 10
_ENCODER = msgspec.json.Encoder(order="deterministic")
_NOTHING: Mapping[str, Any] = {}
_NOT_COUNTED = Rate(0, 0, 1, is_over=False)


@dataclass(frozen=True, slots=True)
class _Read:
    """A mail of a request: as it came, and as it is."""

    given: Any
    mail: ResendMail


class Resend:
    """Implements `surface.Surface`."""

    provider: SandboxProvider = RESEND

    def __init__(
        self,
        credentials: SandboxService,
        mails: SandboxMails,
        stored: Mail,
        bodies: Bodies,
        *,
        clock: Clock,
        new_id: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        self._credentials = credentials
        self._mails = mails
        self._files = ResendFiles(credentials, mails, stored, bodies, provider=self.provider, clock=clock)
        self._clock = clock
        self._new_id = new_id
        self._rates = Rates(clock)
        self._router = Router[SandboxCredential](
            {
                "POST /emails": self._send,
                "POST /emails/batch": self._send_batch,
                "GET /emails": self._list,
                "GET /emails/{id}": self._get,
                "PATCH /emails/{id}": self._reschedule,
                "POST /emails/{id}/cancel": self._cancel,
                "GET /emails/{id}/attachments": self._list_files,
                "GET /emails/{id}/attachments/{file_id}": self._get_file,
                "GET /usage": self._usage,
                "GET /domains": self._domains,
            }
        )

    async def answer(self, exchange: Exchange) -> Reply:
        try:
            if exchange.method == "GET" and exchange.path.startswith("/downloads/"):
                return await self._files.download(exchange)
            exchange.headers = _rate_headers(_NOT_COUNTED)
            handler, params = self._router.find(exchange)
            sends = exchange.method == "POST" and exchange.path in ("/emails", "/emails/batch")
            credential = await self._admit(exchange, sends=sends)
            if not sends:
                exchange.play(credential.fault(), now=self._clock.now())
            return await handler(exchange, credential, params)
        except Invalid as invalid:
            exchange.fault = None  # nothing was taken: the refusal is answered as it is
            return _error(invalid.status, invalid.name, invalid.message)

    def refusal(self, exchange: Exchange, refused: Refused) -> Reply:
        status, name, message = _KINDS[refused.kind]
        headers = []
        if status == 429:
            headers.append((b"retry-after", str(refused.retry_after_s).encode()))
        rate = exchange.credential.number("rate_per_s") if exchange.credential else 0
        return _error(status, name, message.format(rate=rate or DEFAULT_RATE), *headers)

    def release(self, due: DueMail) -> Released:
        envelope = due.mail.envelope
        state, captured_for = _fate(envelope.recipients, due.credential.fault(envelope.recipients))
        return (
            state,
            captured_for,
            self._reports(due.credential, state, due.mail.summary, due.mail.provider_id, due.mail.created_at),
        )

    async def _admit(self, exchange: Exchange, *, sends: bool) -> SandboxCredential:
        """Who calls. Key, User-Agent, what the key may do, rate: in this order."""
        offered = exchange.bearer()
        if offered is None:
            raise Invalid("Missing API Key", name="missing_api_key", status=401)
        credential = await self._credentials.behind(self.provider, offered)
        if credential is None:
            raise Invalid("API key is invalid", name="invalid_api_key", status=403)
        exchange.credential = credential
        if refused := credential.text("refuse_key"):
            name = "invalid_api_key" if refused == "403" else "validation_error"
            raise Invalid("API key is invalid", name=name, status=int(refused))
        if credential.is_on("require_user_agent") and not exchange.header(b"user-agent"):
            raise Invalid("error code: 1010. A User-Agent header is required.", name="forbidden", status=403)
        if credential.is_on("sending_only") and not sends:
            raise Invalid("This API key is restricted to only send emails", name="restricted_api_key", status=401)
        rate = self._rates.count(credential.id, credential.number("rate_per_s"))
        exchange.headers = _rate_headers(rate)
        if rate.is_over:
            raise Refused(Kind.RATE, retry_after_s=rate.reset_s)
        return credential

    async def _send(self, exchange: Exchange, credential: SandboxCredential, _: Mapping[str, str]) -> Reply:
        given = await read_json(await exchange.body(MAX_BODY_BYTES))
        key = _key(exchange)
        now = self._clock.now()
        mail = await _in_thread_if_large(given, lambda: read_mail(given, now=now))
        _check_domain(credential, mail)
        exchange.play(credential.fault(mail.recipients), now=self._clock.now())
        new = await self._new_mail(credential, _Read(given, mail), now, exchange.fault)
        answer = msgspec.json.encode({"id": new.provider_id})
        return await self._take(exchange, credential, [new], given, key, answer)

    async def _send_batch(self, exchange: Exchange, credential: SandboxCredential, _: Mapping[str, str]) -> Reply:
        given = await read_json(await exchange.body(MAX_BODY_BYTES))
        key = _key(exchange)
        if not isinstance(given, list):
            raise Invalid("Invalid request body. An array of emails was expected.")
        if not 1 <= len(given) <= MAX_BATCH:
            raise Invalid(f"The batch must contain between 1 and {MAX_BATCH} emails.")
        mode = exchange.header(b"x-batch-validation") or "strict"
        if mode not in ("strict", "permissive"):
            raise Invalid("Invalid `x-batch-validation` header. `strict` or `permissive` was expected.")
        now = self._clock.now()
        reads, errors = [], []
        for index, item in enumerate(given):
            try:
                mail = read_mail(item, now=now, in_batch=True)
                _check_domain(credential, mail)
                reads.append(_Read(item, mail))
            except Invalid as invalid:
                if mode == "strict":
                    raise
                errors.append({"index": index, "message": invalid.message})
        fault = credential.fault(each for read in reads for each in read.mail.recipients)
        exchange.play(fault, now=self._clock.now())
        new = [await self._new_mail(credential, read, now, credential.fault(read.mail.recipients)) for read in reads]
        answer: dict[str, Any] = {"data": [{"id": each.provider_id} for each in new]}
        if mode == "permissive":
            answer["errors"] = errors
        if not new:
            return json_reply(200, answer)
        return await self._take(exchange, credential, new, given, key, msgspec.json.encode(answer))

    async def _take(
        self,
        exchange: Exchange,
        credential: SandboxCredential,
        mails: list[NewMail],
        given: Any,
        key: str | None,
        answer: bytes,
    ) -> Reply:
        """Take the mails, or give what an earlier request under the same key got."""
        repeatable = None
        if key is not None:
            asked = await _in_thread_if_large(given, lambda: _hash(exchange, given))
            repeatable = Key(key, asked, answer)
        try:
            taken = await self._mails.take(credential, mails, key=repeatable)
        except UnderWay as exc:
            raise Invalid(
                "Same idempotency key used while original request is still in progress.",
                name="concurrent_idempotent_requests",
                status=409,
            ) from exc
        if taken.outcome is Outcome.REPEATED:
            return Reply(200, taken.answer)
        if taken.outcome is Outcome.KEY_REUSED:
            raise Invalid(
                "Same idempotency key used with a different request payload.",
                name="invalid_idempotent_request",
                status=409,
            )
        if taken.outcome is Outcome.DAY_USED_UP:
            raise used_up(Kind.DAY_QUOTA, self._clock.now())
        if taken.outcome is Outcome.MONTH_USED_UP:
            raise used_up(Kind.MONTH_QUOTA, self._clock.now())
        if taken.outcome is Outcome.TOO_MANY_WAIT:
            raise Refused(Kind.BUSY)
        if taken.outcome is Outcome.GONE:
            raise Invalid("API key is invalid", name="invalid_api_key", status=403)
        exchange.headers += [
            (b"x-resend-daily-quota", str(taken.used_today).encode()),
            (b"x-resend-monthly-quota", str(taken.used_this_month).encode()),
        ]
        return Reply(200, answer)

    async def _new_mail(self, credential: SandboxCredential, read: _Read, now: float, fault: Fault | None) -> NewMail:
        mail = read.mail
        email_id = str(self._new_id())
        sender = mailbox_of(mail.sender)
        message_id = f"<{email_id}@{split_address(sender.address)[1].lower()}>"
        summary = summary_of(mail, message_id=message_id, file_ids=[str(self._new_id()) for _ in mail.files])
        if len(summary) > MAX_SUMMARY_BYTES:
            raise Invalid("The email is too large, its content and attachments aside.")
        message = OutboundMessage(
            from_addr=sender.address,
            from_name=sender.name,
            to=mail.to,
            cc=mail.cc,
            reply_to=mail.reply_to,
            subject=mail.subject.strip(),
            message_id=message_id,
            text=mail.text or None,
            html=mail.html or None,
            headers=further_headers(mail.headers),
            attachments=tuple(
                Attachment(file.filename, file.content, file.content_type, file.content_id)
                for file in mail.files
                if file.content is not None
            ),
        )
        write = partial(compose, message, date_s=now if mail.scheduled_at is None else mail.scheduled_at)
        is_large = mail.files or len(mail.html or "") + len(mail.text or "") > _IN_THREAD_CHARS
        raw = await asyncio.to_thread(write) if is_large else write()
        state, captured_for = _fate(mail.recipients, fault)
        if mail.scheduled_at is not None:
            state = State.SCHEDULED
        return NewMail(
            provider_id=email_id,
            state=state,
            summary=summary,
            request=_ENCODER.encode(without_contents(read.given)),
            envelope=Envelope(sender.address, mail.recipients),
            raw=raw,
            captured_for=captured_for,
            scheduled_at=mail.scheduled_at,
            reports=self._reports(credential, state, summary, email_id, stamp(now)),
        )

    def _reports(
        self, credential: SandboxCredential, state: State, summary: bytes, email_id: str, created_at: str
    ) -> tuple[SandboxReport, ...]:
        if credential.webhook_url is None:
            return ()
        ids = [self._new_id().hex for _ in range(3)]
        now = self._clock.now()
        return reports_of(state, summary, email_id=email_id, created_at=created_at, now=now, new_id=ids)

    async def _list(self, exchange: Exchange, credential: SandboxCredential, _: Mapping[str, str]) -> Reply:
        limit, after, before = _paging(exchange)
        found, has_more = await self._mails.page(credential, limit=limit, after=after, before=before)
        return json_reply(200, {"object": "list", "has_more": has_more, "data": [listed(mail) for mail in found]})

    async def _get(self, _: Exchange, credential: SandboxCredential, params: Mapping[str, str]) -> Reply:
        mail = await self._known(credential, params)
        request = msgspec.json.decode(await self._mails.request_of(mail) or b"{}")
        return json_reply(200, shown(mail, request if isinstance(request, dict) else _NOTHING))

    async def _reschedule(self, exchange: Exchange, credential: SandboxCredential, params: Mapping[str, str]) -> Reply:
        given = await read_json(await exchange.body())
        mail = await self._known(credential, params)
        if not isinstance(given, dict) or given.get("scheduled_at") is None:
            raise Invalid("Missing `scheduled_at` field.", name="missing_required_field")
        at = read_time(given["scheduled_at"], now=self._clock.now())
        if at is None or not await self._mails.reschedule(mail, at):
            raise Invalid("Only scheduled emails can be updated.")
        return json_reply(200, {"object": "email", "id": mail.provider_id})

    async def _cancel(self, exchange: Exchange, credential: SandboxCredential, params: Mapping[str, str]) -> Reply:
        await exchange.body()  # whatever it is: one SDK sends {}, the other nothing
        mail = await self._known(credential, params)
        if not await self._mails.cancel(mail):
            raise Invalid("Only scheduled emails can be canceled.")
        return json_reply(200, {"object": "email", "id": mail.provider_id})

    async def _list_files(self, exchange: Exchange, credential: SandboxCredential, params: Mapping[str, str]) -> Reply:
        mail = await self._known(credential, params)
        limit, after, before = _paging(exchange)
        files = self._files.of(exchange, credential, mail)
        ids = [file["id"] for file in files]
        start, end = 0, len(files)
        if after is not None:
            start = ids.index(after) + 1 if after in ids else end
        if before is not None:
            end = ids.index(before) if before in ids else start
        page = files[start:end][-limit:] if before is not None else files[start:end][:limit]
        return json_reply(200, {"object": "list", "has_more": len(page) < end - start, "data": page})

    async def _get_file(self, exchange: Exchange, credential: SandboxCredential, params: Mapping[str, str]) -> Reply:
        mail = await self._known(credential, params)
        found = [file for file in self._files.of(exchange, credential, mail) if file["id"] == params["file_id"]]
        if not found:
            raise Invalid("Attachment not found", name="not_found", status=404)
        return json_reply(200, {"object": "attachment", **found[0]})

    async def _usage(self, _: Exchange, credential: SandboxCredential, __: Mapping[str, str]) -> Reply:
        today, month = await self._mails.used(credential)
        day_ends, month_ends = next_resets(self._clock.now())
        daily, monthly = credential.number("daily_quota"), credential.number("monthly_quota")
        rate = credential.number("rate_per_s") or DEFAULT_RATE
        return json_reply(
            200,
            {
                "object": "usage",
                "emails": {
                    "daily": {
                        "used": today,
                        "limit": daily or None,
                        "sent": today,
                        "received": 0,
                        "resets_at": iso(stamp(day_ends)),
                    },
                    "monthly": {
                        "used": month,
                        "limit": monthly or None,
                        "sent": month,
                        "received": 0,
                        "resets_at": iso(stamp(month_ends)),
                    },
                },
                "rate_limit": {"requests_per_second": rate},
            },
        )

    async def _domains(self, _: Exchange, credential: SandboxCredential, __: Mapping[str, str]) -> Reply:
        data = [
            {
                "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
                "name": name,
                "status": "verified",
                "created_at": iso(credential.created_at),
                "region": "us-east-1",
                "capabilities": {"sending": "enabled", "receiving": "disabled"},
            }
            for name in _verified(credential)
        ]
        return json_reply(200, {"object": "list", "has_more": False, "data": data})

    async def _known(self, credential: SandboxCredential, params: Mapping[str, str]) -> SandboxMail:
        try:
            email_id = str(uuid.UUID(params["id"]))
        except ValueError as exc:
            raise Invalid("The `id` must be a valid UUID.", name="invalid_parameter") from exc
        mail = await self._mails.mail(credential, email_id)
        if mail is None:
            raise Invalid("Email not found", name="not_found", status=404)
        return mail


def _error(status: int, name: str, message: str, *headers: tuple[bytes, bytes]) -> Reply:
    return json_reply(status, {"statusCode": status, "message": message, "name": name}, *headers)


def _rate_headers(rate: Rate) -> list[tuple[bytes, bytes]]:
    limit = rate.limit or DEFAULT_RATE
    remaining = rate.remaining if rate.limit else DEFAULT_RATE - 1
    return [
        (b"ratelimit-limit", str(limit).encode()),
        (b"ratelimit-remaining", str(remaining).encode()),
        (b"ratelimit-reset", str(rate.reset_s).encode()),
        (b"ratelimit-policy", f"{limit};w=1".encode()),
    ]


def _key(exchange: Exchange) -> str | None:
    key = exchange.header(b"idempotency-key")
    if key is not None and not 1 <= len(key) <= MAX_KEY_CHARS:
        raise Invalid(
            f"The idempotency key must be between 1-{MAX_KEY_CHARS} characters long.",
            name="invalid_idempotency_key",
            status=400,
        )
    return key


def _hash(exchange: Exchange, given: Any) -> str:
    """Of the canonical request: the order of keys and the blanks between them do not count."""
    mode = (exchange.header(b"x-batch-validation") or "").encode()
    return hashlib.sha256(b"\x00".join((exchange.path.encode(), mode, _ENCODER.encode(given)))).hexdigest()


def _fate(recipients: tuple[str, ...], fault: Fault | None) -> tuple[State, tuple[str, ...]]:
    """(what becomes of a mail, who gets it here). What goes wrong for one recipient names the whole mail."""
    state, captured = State.DELIVERED, []
    for address in recipients:
        local, domain = split_address(address.lower())
        simulated = _SIMULATED.get(local.partition("+")[0]) if domain == "resend.dev" else None
        if simulated is not None:
            state = simulated
        if simulated in (None, State.COMPLAINED):
            captured.append(address)
    return (State.BOUNCED, ()) if fault is Fault.BOUNCE else (state, tuple(captured))


def _verified(credential: SandboxCredential) -> list[str]:
    return [name for part in credential.text("domains").lower().split(",") if (name := part.strip())]


def _check_domain(credential: SandboxCredential, mail: ResendMail) -> None:
    verified = _verified(credential)
    domain = split_address(mailbox_of(mail.sender).address.lower())[1]
    if verified and domain not in verified:
        raise Invalid(
            f"The {domain} domain is not verified. Please, add and verify your domain on https://resend.com/domains",
            status=403,
        )


def _paging(exchange: Exchange) -> tuple[int, str | None, str | None]:
    query = form_fields(exchange.query)
    text = query.get("limit") or "20"
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= 100):
        raise Invalid("The `limit` must be a number between 1 and 100.")
    after, before = (query.get(name) or None for name in ("after", "before"))
    if after is not None and before is not None:
        raise Invalid("The `after` and `before` parameters cannot be used together.")
    return int(text), after, before


async def _in_thread_if_large(given: Any, work: Callable[[], Any]) -> Any:
    """`work` beside the event loop where `given` has attachments."""
    return await asyncio.to_thread(work) if isinstance(given, dict) and given.get("attachments") else work()
