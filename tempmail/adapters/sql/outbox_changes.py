"""What users and the operator change of mails that wait, failed or are in doubt."""

from tempmail.adapters.sql.outbox_records import mail
from tempmail.adapters.sql.outbox_states import restate
from tempmail.adapters.sql.script import Query, Script
from tempmail.domain.outbound import State
from tempmail.ports.outbound import OutboxMail

_MAY_RETRY = frozenset({State.QUEUED, State.FAILED, State.UNKNOWN})


def cancel(mail_id: int, now: str) -> Script[OutboxMail | None]:
    if not (yield Query("outbox.may_change", {"id": mail_id})):
        return None
    return (yield from _end(mail_id, State.CANCELED, None, now))


def fail(mail_id: int, turn: int, error: str, now: str) -> Script[OutboxMail | None]:
    found = yield from mail(mail_id)
    if found is None or found.turn != turn:
        return None
    return (yield from _end(mail_id, State.FAILED, error, now))


def _end(mail_id: int, state: State, error: str | None, now: str) -> Script[OutboxMail | None]:
    """What of it waits is in `state` from now on, and nothing is done any more."""
    params = {"id": mail_id, "state": state, "error": error}
    yield Query("outbox.end_calls", {**params, "now": now})
    yield Query("outbox.end_recipients", params)
    yield from restate(mail_id, error=error, now=now)
    yield Query("outbox.stop", {"id": mail_id})
    return (yield from mail(mail_id))


def reschedule(mail_id: int, scheduled_at: str, deadline: str, now: str) -> Script[OutboxMail | None]:
    if not (yield Query("outbox.may_change", {"id": mail_id})):
        return None
    params = {"id": mail_id, "scheduled_at": scheduled_at, "deadline": deadline, "now": now}
    yield Query("outbox.reschedule_recipients", {"id": mail_id})
    yield Query("outbox.reschedule", params)
    return (yield from mail(mail_id))


def retry(mail_id: int, deadline: str, now: str) -> Script[OutboxMail | None]:
    found = yield from mail(mail_id)
    if found is None or found.state not in _MAY_RETRY:
        return None
    if not (yield Query("outbox.retry_recipients", {"id": mail_id})):
        return None
    yield Query("outbox.forgive", {"id": mail_id})
    yield Query("outbox.retry", {"id": mail_id, "deadline": deadline, "now": now})
    return (yield from mail(mail_id))


def unpause(provider: str, account: str, due: str) -> Script[bool]:
    paused = yield Query("outbox.unpause", {"provider": provider, "account": account})
    for pause in paused:
        yield Query("outbox.wake", {"until": pause["until"], "due": due})
    return bool(paused)


def resolve(mail_id: int, state: State, now: str) -> Script[OutboxMail | None]:
    if not (yield Query("outbox.resolve_recipients", {"id": mail_id, "state": state})):
        return None
    yield Query("outbox.resolve_calls", {"id": mail_id, "state": state, "now": now})
    yield from restate(mail_id, error=None, now=now)
    yield Query("outbox.stop_if_done", {"id": mail_id})
    return (yield from mail(mail_id))
