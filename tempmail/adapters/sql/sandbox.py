"""The provider sandboxes in SQL: implements `ports.sandbox.Sandboxes`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tempmail.adapters.sql.mail import add_mails, own_target
from tempmail.adapters.sql.script import Database, Query, QueryMany, Row, Script, one, record
from tempmail.domain.messages import IncomingMail, StoredMail
from tempmail.domain.sandbox import (
    MAX_WAITING,
    CredentialChange,
    DueCapture,
    DueMail,
    DueReport,
    Envelope,
    Outcome,
    SandboxCredential,
    SandboxMail,
    SandboxWork,
    State,
    Submission,
    Taken,
)
from tempmail.errors import Conflict, QuotaReached

_LAST_ID = 2**63 - 1
_ERROR_LENGTH = 500


class SqlSandboxes:
    def __init__(self, database: Database, *, bucket: str) -> None:
        self._database = database
        self._bucket = bucket

    async def add_credential(self, credential: SandboxCredential, *, limit: int) -> SandboxCredential:
        return await self._database.write(_add_credential(credential, limit))

    async def find_credential(self, provider: str, lookup: str) -> SandboxCredential | None:
        rows = await self._database.read(one("sandbox.find_credential", {"provider": provider, "lookup": lookup}))
        return _credential(rows[0]) if rows else None

    async def get_credential(self, credential_id: int) -> SandboxCredential | None:
        rows = await self._database.read(one("sandbox.get_credential", {"id": credential_id}))
        return _credential(rows[0]) if rows else None

    async def credentials(self, provider: str | None, *, after_id: int, limit: int) -> list[SandboxCredential]:
        params = {"after_id": after_id, "limit": limit}
        if provider is None:
            rows = await self._database.read(one("sandbox.credentials", params))
        else:
            rows = await self._database.read(one("sandbox.credentials_of", {**params, "provider": provider}))
        return [_credential(row) for row in rows]

    async def change_credential(
        self, credential_id: int, change: CredentialChange, *, new_secret: str
    ) -> SandboxCredential | None:
        return await self._database.write(_change_credential(credential_id, change, new_secret))

    async def retire_credential(self, credential_id: int) -> bool:
        return bool(await self._database.write(one("sandbox.retire_credential", {"id": credential_id})))

    async def clear_credential(self, credential_id: int, *, limit: int) -> int:
        return await self._database.write(_clear(credential_id, limit))

    async def remove_credential(self, credential_id: int) -> bool:
        return bool(await self._database.write(one("sandbox.remove_credential", {"id": credential_id})))

    async def take(self, take: Callable[[], Sequence[SandboxWork]]) -> list[Taken]:
        return await self._database.write(_take(take, self._bucket))

    async def mail(self, credential_id: int, provider_id: str) -> SandboxMail | None:
        params = {"credential_id": credential_id, "provider_id": provider_id}
        rows = await self._database.read(one("sandbox.mail", params))
        return mail_of(rows[0]) if rows else None

    async def mails(
        self, credential_id: int, *, limit: int, after_id: int | None = None, before_id: int | None = None
    ) -> list[SandboxMail]:
        params: dict[str, object] = {"credential_id": credential_id, "limit": limit}
        if before_id is not None:
            rows = await self._database.read(one("sandbox.mails_above", {**params, "above": before_id}))
            return [mail_of(row) for row in reversed(rows)]
        below = _LAST_ID if after_id is None else after_id
        rows = await self._database.read(one("sandbox.mails_below", {**params, "below": below}))
        return [mail_of(row) for row in rows]

    async def request_of(self, mail_id: int) -> bytes:
        rows = await self._database.read(one("sandbox.request_of", {"mail_id": mail_id}))
        return bytes(rows[0]["request"]) if rows else b""

    async def raw_of(self, mail_id: int) -> bytes | None:
        rows = await self._database.read(one("sandbox.raw_of", {"mail_id": mail_id}))
        return None if not rows or rows[0]["raw"] is None else bytes(rows[0]["raw"])

    async def reschedule(self, mail_id: int, scheduled_at: str) -> bool:
        params = {"id": mail_id, "scheduled_at": scheduled_at}
        return bool(await self._database.write(one("sandbox.reschedule", params)))

    async def cancel(self, mail_id: int) -> bool:
        return await self._database.write(_cancel(mail_id))

    async def due(self, now: str, *, limit: int) -> list[DueMail]:
        return await self._database.read(_due(now, limit))

    async def used(self, credential_id: int, *, since_day: str) -> int:
        params = {"credential_id": credential_id, "since_day": since_day}
        return int((await self._database.read(one("sandbox.used", params)))[0]["mails"])

    async def claim_reports(self, *, now: str, until: str, limit: int) -> list[DueReport]:
        return await self._database.write(_claim_reports(now, until, limit))

    async def finish_report(self, report_id: int) -> None:
        await self._database.write(one("sandbox.finish_report", {"id": report_id}))

    async def retry_report(self, report_id: int, *, due: str, error: str) -> None:
        params = {"id": report_id, "due": due, "error": error[:_ERROR_LENGTH]}
        await self._database.write(one("sandbox.retry_report", params))

    async def purge(self, *, mails_before: str, answers_before: str, days_before: str, keep: int, limit: int) -> int:
        return await self._database.write(_purge(mails_before, answers_before, days_before, keep, limit))


def _add_credential(credential: SandboxCredential, limit: int) -> Script[SandboxCredential]:
    count = yield Query("sandbox.count_credentials")
    if int(count[0]["credentials"]) >= limit:
        raise QuotaReached(f"there are {limit} sandbox credentials already, which is the most: remove one first")
    rows = yield Query(
        "sandbox.insert_credential",
        {
            "provider": credential.provider,
            "name": credential.name,
            "lookup": credential.lookup,
            "fields": json.dumps(dict(credential.fields)),
            "mailbox": credential.mailbox,
            "switches": json.dumps(dict(credential.switches)),
            "webhook_url": credential.webhook_url,
            "webhook_secret": credential.webhook_secret,
            "created_at": credential.created_at,
        },
    )
    if not rows:
        raise Conflict(f"{credential.provider} has this credential already")
    return _credential((yield Query("sandbox.get_credential", {"id": rows[0]["id"]}))[0])


def _change_credential(
    credential_id: int, change: CredentialChange, new_secret: str
) -> Script[SandboxCredential | None]:
    rows = yield Query("sandbox.get_credential", {"id": credential_id})
    if not rows:
        return None
    before = _credential(rows[0])
    url = before.webhook_url if change.webhook_url is None else change.webhook_url or None
    switches = before.switches if change.switches is None else change.switches
    rows = yield Query(
        "sandbox.change_credential",
        {
            "id": credential_id,
            "name": before.name if change.name is None else change.name,
            "switches": json.dumps(dict(switches)),
            "webhook_url": url,
            "webhook_secret": (before.webhook_secret or new_secret) if url else None,
        },
    )
    return _credential(rows[0])


@dataclass(slots=True)
class _Piece:
    """A piece of work that goes through, as far as it is done. `mail_id`: of a due mail."""

    work: SandboxWork
    today: int = 0
    month: int = 0
    stored: list[StoredMail | None] = field(default_factory=list)

    @property
    def incoming(self) -> list[IncomingMail | None]:
        if isinstance(self.work, DueCapture):
            return [self.work.incoming]
        return [draft.incoming for draft in self.work.drafts]


def _take(take: Callable[[], Sequence[SandboxWork]], bucket: str) -> Script[list[Taken]]:
    """What is refused is told apart first; then every statement serves all that goes through."""
    results: list[Taken | _Piece] = []
    for work in take():
        if isinstance(work, Submission):
            results.append((yield from _admit(work)))
        else:
            results.append((yield from _release(work)))
    pieces = [piece for piece in results if isinstance(piece, _Piece)]
    mails = [mail for piece in pieces for mail in piece.incoming if mail is not None]
    stored = iter((yield from add_mails(lambda: mails, bucket, own_target)) if mails else [])
    for piece in pieces:
        piece.stored = [None if mail is None else next(stored) for mail in piece.incoming]
    yield from _record(pieces)
    return [each if isinstance(each, Taken) else _taken(each) for each in results]


def _admit(work: Submission) -> Script[Taken | _Piece]:
    if work.idempotency is not None:
        key = {"credential_id": work.credential_id, "idempotency_key": work.idempotency.key}
        rows = yield Query("sandbox.find_answer", {**key, "since": work.idempotency.since})
        if rows and rows[0]["request_hash"] == work.idempotency.request_hash:
            return Taken(Outcome.REPEATED, answer=bytes(rows[0]["answer"]))
        if rows:
            return Taken(Outcome.KEY_REUSED)
    day = work.now[:10]
    params = {"credential_id": work.credential_id, "today": day, "month_start": f"{day[:8]}01"}
    rows = yield Query("sandbox.usage", params)
    if not rows:
        return Taken(Outcome.GONE)
    today, month = int(rows[0]["today"]) + len(work.drafts), int(rows[0]["month"]) + len(work.drafts)
    if work.quota.daily and today > work.quota.daily:
        return Taken(Outcome.DAY_USED_UP, used_today=today - len(work.drafts))
    if work.quota.monthly and month > work.quota.monthly:
        return Taken(Outcome.MONTH_USED_UP, used_this_month=month - len(work.drafts))
    if work.quota.total:
        rows = yield Query("sandbox.used", {"credential_id": work.credential_id, "since_day": ""})
        if int(rows[0]["mails"]) + len(work.drafts) > work.quota.total:
            return Taken(Outcome.USED_UP)
    new = sum(draft.state is State.SCHEDULED for draft in work.drafts)
    if new:
        most = MAX_WAITING - new
        if most < 0 or (yield Query("sandbox.waiting", {"credential_id": work.credential_id, "most": most})):
            return Taken(Outcome.TOO_MANY_WAIT)
    yield Query("sandbox.count_use", {"credential_id": work.credential_id, "day": day, "mails": len(work.drafts)})
    if work.idempotency is not None:
        # Now, so that a second piece of the same batch finds it.
        answer = {"request_hash": work.idempotency.request_hash, "answer": work.idempotency.answer}
        yield Query("sandbox.insert_answer", {**key, **answer, "created_at": work.now})
    return _Piece(work, today, month)


def _release(work: DueCapture) -> Script[Taken | _Piece]:
    params = {"id": work.mail_id, "scheduled_at": work.scheduled_at, "state": work.state}
    if not (yield Query("sandbox.release", params)):
        return Taken(Outcome.GONE)
    return _Piece(work)


def _record(pieces: Sequence[_Piece]) -> Script[None]:
    drafts = [
        (piece.work, draft, stored)
        for piece in pieces
        if isinstance(piece.work, Submission)
        for draft, stored in zip(piece.work.drafts, piece.stored, strict=True)
    ]
    rows = yield QueryMany(
        "sandbox.insert_mail",
        [
            {
                "credential_id": work.credential_id,
                "provider_id": draft.provider_id,
                "state": draft.state,
                "scheduled_at": draft.scheduled_at,
                "summary": draft.summary.decode(),
                "envelope": json.dumps([draft.envelope.sender, *draft.envelope.recipients]),
                "message_ids": _ids_json(stored),
                "created_at": work.now,
            }
            for work, draft, stored in drafts
        ],
    )
    ids = {(row["credential_id"], row["provider_id"]): row["id"] for row in rows}
    yield QueryMany(
        "sandbox.insert_body",
        [
            {
                "mail_id": ids[work.credential_id, draft.provider_id],
                "request": draft.request,
                "raw": draft.raw,
            }
            for work, draft, _ in drafts
        ],
    )
    for piece in pieces:
        if isinstance(piece.work, DueCapture):
            ids_json = _ids_json(piece.stored[0])
            yield Query("sandbox.set_message_ids", {"id": piece.work.mail_id, "message_ids": ids_json})
            yield Query("sandbox.drop_raw", {"mail_id": piece.work.mail_id})
    yield QueryMany("sandbox.insert_report", [row for piece in pieces for row in _reports(piece.work)])


def _reports(work: SandboxWork) -> list[dict[str, object]]:
    if isinstance(work, Submission):
        due, reports = work.now, [report for draft in work.drafts for report in draft.reports]
    else:
        due, reports = work.scheduled_at, list(work.reports)
    return [
        {"credential_id": work.credential_id, "report_id": report.report_id, "body": report.body, "due": due}
        for report in reports
    ]


def _taken(piece: _Piece) -> Taken:
    ids = tuple(id_ for stored in piece.stored if stored is not None for id_ in stored.message_ids)
    return Taken(Outcome.TAKEN, ids, used_today=piece.today, used_this_month=piece.month)


def _ids_json(stored: StoredMail | None) -> str:
    return json.dumps(stored.message_ids if stored is not None else ())


def _cancel(mail_id: int) -> Script[bool]:
    if not (yield Query("sandbox.cancel", {"id": mail_id})):
        return False
    yield Query("sandbox.drop_raw", {"mail_id": mail_id})
    return True


def _due(now: str, limit: int) -> Script[list[DueMail]]:
    found = []
    for row in (yield Query("sandbox.due", {"now": now, "limit": limit})):
        mail = mail_of(row)
        credentials = yield Query("sandbox.get_credential", {"id": mail.credential_id})
        bodies = yield Query("sandbox.raw_of", {"mail_id": mail.id})
        found.append(DueMail(mail, _credential(credentials[0]), bytes(bodies[0]["raw"] or b"")))
    return found


def _claim_reports(now: str, until: str, limit: int) -> Script[list[DueReport]]:
    claimed = []
    for candidate in (yield Query("sandbox.due_reports", {"now": now, "limit": limit})):
        rows = yield Query("sandbox.claim_report", {"id": candidate["id"], "now": now, "until": until})
        for row in rows:
            credential = _credential((yield Query("sandbox.get_credential", {"id": row["credential_id"]}))[0])
            if credential.webhook_url is None or credential.webhook_secret is None:
                yield Query("sandbox.finish_report", {"id": row["id"]})
            else:
                target = {"url": credential.webhook_url, "secret": credential.webhook_secret}
                claimed.append(record(DueReport, row, body=bytes(row["body"]), **target))
    return claimed


def _clear(credential_id: int, limit: int) -> Script[int]:
    gone = 0
    for query in ("sandbox.clear_mails", "sandbox.clear_answers", "sandbox.clear_reports"):
        if gone < limit:
            gone += len((yield Query(query, {"credential_id": credential_id, "limit": limit - gone})))
    return gone


def _purge(mails_before: str, answers_before: str, days_before: str, keep: int, limit: int) -> Script[int]:
    gone = len((yield Query("sandbox.forget_reports", {"keep": keep, "limit": limit})))
    yield Query("sandbox.add_up_use", {"before": days_before})
    yield Query("sandbox.forget_use", {"before": days_before})
    gone += len((yield Query("sandbox.forget_mails", {"before": mails_before, "limit": limit})))
    for row in (yield Query("sandbox.newest_to_forget", {"keep": keep})):
        gone += len((yield Query("sandbox.forget_beyond", {"newest": row["id"], "limit": limit})))
    return gone + len((yield Query("sandbox.forget_answers", {"before": answers_before, "limit": limit})))


def _credential(row: Row) -> SandboxCredential:
    return record(SandboxCredential, row, fields=json.loads(row["fields"]), switches=json.loads(row["switches"]))


def mail_of(row: Row) -> SandboxMail:
    """A row of `sandbox_mails`."""
    sender, *recipients = json.loads(row["envelope"])
    return record(
        SandboxMail,
        row,
        state=State(row["state"]),
        summary=row["summary"].encode(),
        envelope=Envelope(sender, tuple(recipients)),
        message_ids=tuple(json.loads(row["message_ids"])),
    )
