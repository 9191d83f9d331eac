"""The store's contract for the provider sandboxes."""

import sqlite3
from asyncio import run
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tempmail.domain.sandbox import (
    MAX_WAITING,
    CredentialChange,
    DueCapture,
    Envelope,
    IdempotencyKey,
    Outcome,
    Quota,
    SandboxCredential,
    SandboxDraft,
    SandboxReport,
    State,
    Submission,
    Taken,
)
from tempmail.errors import Conflict, QuotaReached
from tempmail.ports import Store
from tests.builders import NOW, at, incoming

DAY = NOW[:10]
ENVELOPE = Envelope("a@shop.example", ("box@temp.example",))


def credential(store: Store, lookup: str = "hash", **changes: Any) -> SandboxCredential:
    asked = SandboxCredential(
        id=0,
        provider="resend",
        name="shop",
        lookup=lookup,
        fields={"key": lookup},
        mailbox="all@temp.example",
        switches={"fault": "", "rate_per_s": 5},
        webhook_url=None,
        webhook_secret=None,
        created_at=NOW,
    )
    return run(store.sandboxes.add_credential(replace(asked, **changes), limit=10))


def draft(provider_id: str = "m1", **changes: Any) -> SandboxDraft:
    plain = SandboxDraft(
        provider_id=provider_id,
        state=State.DELIVERED,
        summary=b'{"subject":"s"}',
        request=b'{"to":"box"}',
        envelope=ENVELOPE,
        incoming=incoming(),
    )
    return replace(plain, **changes)


def scheduled(provider_id: str = "m1", seconds: float = 60, **changes: Any) -> SandboxDraft:
    waiting = {"state": State.SCHEDULED, "incoming": None, "scheduled_at": at(seconds), "raw": b"raw"}
    return draft(provider_id, **{**waiting, **changes})


def submit(store: Store, credential_id: int, *drafts: SandboxDraft, now: str = NOW, **asked: Any) -> Taken:
    [taken] = run(store.sandboxes.take(lambda: [Submission(credential_id, drafts, now, **asked)]))
    return taken


def key(text: str, request_hash: str = "h", *, answer: bytes = b"{}", since: str = "") -> IdempotencyKey:
    return IdempotencyKey(text, request_hash, answer, since)


def stored(store: Store) -> int:
    return len(run(store.mail.get_many(range(1, 100))))


def test_a_credential_is_found_by_its_lookup_within_its_provider(store: Store) -> None:
    kept = credential(store)
    assert run(store.sandboxes.find_credential("resend", "hash")) == kept
    assert run(store.sandboxes.get_credential(kept.id)) == kept
    assert run(store.sandboxes.find_credential("sendflare", "hash")) is None
    assert run(store.sandboxes.find_credential("resend", "other")) is None


def test_a_lookup_is_taken_once_within_a_provider(store: Store) -> None:
    credential(store)
    with pytest.raises(Conflict):
        credential(store)
    assert credential(store, provider="sendflare").provider == "sendflare"


def test_there_are_as_many_credentials_as_may_be(store: Store) -> None:
    for number in range(10):
        credential(store, f"h{number}")
    with pytest.raises(QuotaReached):
        credential(store, "one more")


def test_credentials_are_paged_by_id(store: Store) -> None:
    first, other, third = (
        credential(store, "a"),
        credential(store, "b", provider="sendflare"),
        credential(store, "c"),
    )
    assert run(store.sandboxes.credentials(None, after_id=0, limit=2)) == [first, other]
    assert run(store.sandboxes.credentials("resend", after_id=0, limit=9)) == [first, third]
    assert run(store.sandboxes.credentials("resend", after_id=first.id, limit=9)) == [third]


def test_a_change_leaves_what_it_does_not_name(store: Store) -> None:
    kept = credential(store)
    change = CredentialChange(switches={"fault": "429"}, webhook_url="http://h.example/")
    changed = run(store.sandboxes.change_credential(kept.id, change, new_secret="s1"))
    assert changed == replace(kept, switches={"fault": "429"}, webhook_url="http://h.example/", webhook_secret="s1")
    renamed = run(store.sandboxes.change_credential(kept.id, CredentialChange(name="x"), new_secret="s2"))
    assert renamed == replace(changed, name="x")
    gone = run(store.sandboxes.change_credential(kept.id, CredentialChange(webhook_url=""), new_secret="s3"))
    assert gone == replace(renamed, webhook_url=None, webhook_secret=None)
    assert run(store.sandboxes.change_credential(999, CredentialChange(), new_secret="s")) is None


def test_a_submission_records_and_captures_in_one(store: Store) -> None:
    kept = credential(store)

    taken = submit(store, kept.id, draft("m1"), draft("m2", incoming=incoming("a@x.example", "b@x.example")))

    assert (taken.outcome, taken.used_today, taken.used_this_month) == (Outcome.TAKEN, 2, 2)
    assert taken.message_ids == (1, 2, 3)
    second = run(store.sandboxes.mail(kept.id, "m2"))
    assert second is not None
    assert (second.message_ids, second.state, second.envelope, second.created_at) == (
        (2, 3),
        State.DELIVERED,
        ENVELOPE,
        NOW,
    )
    assert second.summary == b'{"subject":"s"}'
    assert run(store.sandboxes.request_of(second.id)) == b'{"to":"box"}'
    assert run(store.sandboxes.raw_of(second.id)) is None
    assert run(store.sandboxes.mail(kept.id + 1, "m2")) is None


def test_a_submission_that_cannot_be_stored_leaves_nothing(store: Store) -> None:
    kept = credential(store)
    submit(store, kept.id, draft("m1"))
    with pytest.raises(Conflict):
        submit(store, kept.id, draft("m2"), draft("m1"), idempotency=key("k"))
    assert (stored(store), run(store.sandboxes.mail(kept.id, "m2"))) == (1, None)
    assert run(store.sandboxes.used(kept.id, since_day=NOW[:10])) == 1
    assert submit(store, kept.id, draft("m3"), idempotency=key("k", "other")).outcome is Outcome.TAKEN


def test_work_of_a_removed_credential_is_gone_and_its_mail_stays(store: Store) -> None:
    kept = credential(store, webhook_url="http://h.example/", webhook_secret="s")
    submit(store, kept.id, draft("m1", reports=(SandboxReport("r1", b"{}"),)), scheduled("m2"))

    assert run(store.sandboxes.remove_credential(kept.id))
    assert not run(store.sandboxes.remove_credential(kept.id))

    assert submit(store, kept.id, draft("m3")).outcome is Outcome.GONE
    assert stored(store) == 1
    assert run(store.sandboxes.due(at(999), limit=9)) == []
    assert run(store.sandboxes.claim_reports(now=at(999), until=at(1000), limit=9)) == []


def test_a_credential_is_cleared_piece_by_piece_and_no_others_with_it(store: Store) -> None:
    kept, other = credential(store, "a"), credential(store, "b", webhook_url="http://h.example/", webhook_secret="s")
    for each in (kept, other):
        report = SandboxReport(f"r{each.id}", b"{}")
        submit(store, each.id, draft("m1", reports=(report,)), scheduled("m2"), idempotency=key("k"))

    cleared = [run(store.sandboxes.clear_credential(kept.id, limit=3)) for _ in range(3)]

    assert cleared == [3, 1, 0]
    assert run(store.sandboxes.mails(kept.id, limit=9)) == []
    assert len(run(store.sandboxes.mails(other.id, limit=9))) == 2
    assert len(run(store.sandboxes.claim_reports(now=at(1), until=at(2), limit=9))) == 1
    assert submit(store, kept.id, draft("m1"), idempotency=key("k")).outcome is Outcome.TAKEN
    assert submit(store, other.id, draft("m3"), idempotency=key("k")).outcome is Outcome.REPEATED
    assert stored(store) == 3, "what came to mailboxes stays"


def test_a_retired_credential_is_found_by_nobody_and_its_values_are_free(store: Store) -> None:
    kept = credential(store)
    assert run(store.sandboxes.retire_credential(kept.id))
    assert not run(store.sandboxes.retire_credential(kept.id + 1))
    assert run(store.sandboxes.find_credential("resend", "hash")) is None
    assert run(store.sandboxes.get_credential(kept.id)) is not None, "so that its removal can be gone on with"
    assert credential(store).lookup == "hash"


def test_use_of_days_long_past_is_one_sum(store: Store, database: Path) -> None:
    kept, other = credential(store, "a"), credential(store, "b")
    for hours in (0, 24, 48):
        submit(store, kept.id, draft(f"m{hours}"), draft(f"n{hours}"), now=at(hours * 3_600))
    submit(store, other.id, draft("m"), now=at(48 * 3_600))

    def purge(days_before: str) -> int:
        return run(
            store.sandboxes.purge(mails_before=NOW, answers_before=NOW, days_before=days_before, keep=99, limit=9)
        )

    assert [purge(at(24 * 3_600)[:10]), purge(at(48 * 3_600)[:10])] == [0, 0]

    assert run(store.sandboxes.used(kept.id, since_day="")) == 6
    assert run(store.sandboxes.used(kept.id, since_day=at(48 * 3_600)[:10])) == 2
    assert run(store.sandboxes.used(kept.id, since_day=DAY)) == 2
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "select credential_id, mails from sandbox_usage order by credential_id, day"
        ).fetchall()
    assert rows == [(kept.id, 4), (kept.id, 2), (other.id, 1)]


def test_of_one_credential_only_so_many_mails_wait(store: Store) -> None:
    """They are kept until their time, which may be far."""
    kept, other = credential(store, "a"), credential(store, "b")
    assert submit(store, kept.id, *(scheduled(f"m{n}") for n in range(MAX_WAITING - 1))).outcome is Outcome.TAKEN

    assert submit(store, kept.id, scheduled("x"), scheduled("y")).outcome is Outcome.TOO_MANY_WAIT
    assert submit(store, kept.id, scheduled("x")).outcome is Outcome.TAKEN
    assert submit(store, kept.id, scheduled("y")).outcome is Outcome.TOO_MANY_WAIT
    assert submit(store, kept.id, draft("y")).outcome is Outcome.TAKEN
    assert submit(store, other.id, scheduled("y")).outcome is Outcome.TAKEN


def test_reports_that_never_arrive_do_not_pile_up(store: Store) -> None:
    kept = credential(store, webhook_url="http://h.example/", webhook_secret="s")
    submit(store, kept.id, draft(reports=tuple(SandboxReport(f"r{number}", b"{}") for number in range(5))))

    def purge(limit: int) -> int:
        return run(store.sandboxes.purge(mails_before=NOW, answers_before=NOW, days_before=DAY, keep=2, limit=limit))

    assert [purge(2), purge(2), purge(2)] == [2, 1, 0]
    left = run(store.sandboxes.claim_reports(now=NOW, until=at(60), limit=9))
    assert [each.report_id for each in left] == ["r3", "r4"]


def test_a_key_answers_the_same_request_and_refuses_another(store: Store) -> None:
    kept, other = credential(store, "a"), credential(store, "b")
    first = submit(store, kept.id, draft("m1"), idempotency=key("k", answer=b"first"))
    again = submit(store, kept.id, draft("m2"), idempotency=key("k", answer=b"second"))
    another = submit(store, kept.id, draft("m3"), idempotency=key("k", "other"))
    elsewhere = submit(store, other.id, draft("m4"), idempotency=key("k", "other"))

    assert [taken.outcome for taken in (first, again, another, elsewhere)] == [
        Outcome.TAKEN,
        Outcome.REPEATED,
        Outcome.KEY_REUSED,
        Outcome.TAKEN,
    ]
    assert again.answer == b"first"
    assert stored(store) == 2


def test_two_pieces_of_one_batch_with_one_key_are_one(store: Store) -> None:
    kept = credential(store)
    work = [Submission(kept.id, (draft(name),), NOW, key("k", answer=name.encode())) for name in ("m1", "m2")]

    taken = run(store.sandboxes.take(lambda: work))

    assert [each.outcome for each in taken] == [Outcome.TAKEN, Outcome.REPEATED]
    assert taken[1].answer == b"m1"
    assert stored(store) == 1


@pytest.mark.parametrize(("since", "outcome"), [(at(-1), Outcome.KEY_REUSED), (NOW, Outcome.TAKEN)])
def test_an_answer_is_forgotten_from_its_time_on(store: Store, since: str, outcome: Outcome) -> None:
    kept = credential(store)
    submit(store, kept.id, draft("m1"), idempotency=key("k"))
    taken = submit(store, kept.id, draft("m2"), idempotency=key("k", "other", since=since))
    assert taken.outcome is outcome


@pytest.mark.parametrize(
    ("quota", "outcome"), [(Quota(daily=2), Outcome.DAY_USED_UP), (Quota(monthly=2), Outcome.MONTH_USED_UP)]
)
def test_a_quota_is_held_by_the_transaction(store: Store, quota: Quota, outcome: Outcome) -> None:
    kept = credential(store)
    work = [Submission(kept.id, (draft(f"m{number}"),), NOW, quota=quota) for number in range(4)]

    taken = run(store.sandboxes.take(lambda: work))

    assert [each.outcome for each in taken] == [Outcome.TAKEN, Outcome.TAKEN, outcome, outcome]
    assert stored(store) == 2
    assert submit(store, kept.id, draft("x"), now=at(40 * 86_400), quota=quota).outcome is Outcome.TAKEN


def test_a_due_mail_is_captured_once_and_only_at_the_time_it_waits_for(store: Store) -> None:
    kept = credential(store)
    submit(store, kept.id, scheduled("m1"))
    assert run(store.sandboxes.due(at(59), limit=9)) == []
    [due] = run(store.sandboxes.due(at(60), limit=9))
    assert (due.raw, due.credential.id, due.mail.scheduled_at) == (b"raw", kept.id, at(60))
    work = DueCapture(due.mail.id, kept.id, at(60), State.DELIVERED, incoming())

    other_time = run(store.sandboxes.take(lambda: [replace(work, scheduled_at=at(61))]))
    taken = run(store.sandboxes.take(lambda: [work, work]))

    assert [each.outcome for each in (*other_time, *taken)] == [Outcome.GONE, Outcome.TAKEN, Outcome.GONE]
    mail = run(store.sandboxes.mail(kept.id, "m1"))
    assert mail is not None
    assert (mail.state, mail.message_ids, stored(store)) == (State.DELIVERED, taken[0].message_ids, 1)
    assert run(store.sandboxes.raw_of(mail.id)) is None
    assert run(store.sandboxes.due(at(99), limit=9)) == []


def test_canceling_and_rescheduling_lose_to_a_capture(store: Store) -> None:
    kept = credential(store)
    submit(store, kept.id, scheduled("m1"), scheduled("m2"))
    first, second = (run(store.sandboxes.mail(kept.id, name)) for name in ("m1", "m2"))
    assert first is not None
    assert second is not None
    assert run(store.sandboxes.reschedule(first.id, at(30)))
    assert [due.mail.provider_id for due in run(store.sandboxes.due(at(60), limit=9))] == ["m1", "m2"]
    assert run(store.sandboxes.cancel(second.id))
    assert not run(store.sandboxes.cancel(second.id))
    assert run(store.sandboxes.raw_of(second.id)) is None

    run(store.sandboxes.take(lambda: [DueCapture(first.id, kept.id, at(30), State.DELIVERED, incoming())]))

    assert not run(store.sandboxes.cancel(first.id))
    assert not run(store.sandboxes.reschedule(first.id, at(90)))
    assert run(store.sandboxes.due(at(999), limit=9)) == []


def test_mails_are_paged_both_ways_within_a_credential(store: Store) -> None:
    kept, other = credential(store, "a"), credential(store, "b")
    submit(store, kept.id, *(draft(f"m{number}") for number in range(4)))
    submit(store, other.id, draft("foreign"))
    ids = {name: mail.id for name in ("m1", "m3") if (mail := run(store.sandboxes.mail(kept.id, name)))}

    def names(**cursor: int) -> list[str]:
        return [mail.provider_id for mail in run(store.sandboxes.mails(kept.id, limit=2, **cursor))]

    assert names() == ["m3", "m2"]
    assert names(after_id=ids["m3"]) == ["m2", "m1"]
    assert names(before_id=ids["m1"]) == ["m3", "m2"]
    assert names(before_id=ids["m3"]) == []


def test_a_claimed_report_is_not_handed_out_again_before_its_lease_ends(store: Store) -> None:
    kept = credential(store, webhook_url="http://h.example/", webhook_secret="s")
    submit(store, kept.id, draft(reports=(SandboxReport("r1", b"{}"), SandboxReport("r2", b"{}"))))

    [first] = run(store.sandboxes.claim_reports(now=NOW, until=at(60), limit=1))
    [second] = run(store.sandboxes.claim_reports(now=NOW, until=at(60), limit=9))
    assert ({first.report_id, second.report_id}, first.url, first.secret) == ({"r1", "r2"}, "http://h.example/", "s")
    assert run(store.sandboxes.claim_reports(now=at(59), until=at(90), limit=9)) == []
    run(store.sandboxes.finish_report(first.id))
    run(store.sandboxes.retry_report(second.id, due=at(300), error="x" * 1_000))

    assert run(store.sandboxes.claim_reports(now=at(299), until=at(400), limit=9)) == []
    [again] = run(store.sandboxes.claim_reports(now=at(300), until=at(400), limit=9))
    assert (again.report_id, again.attempts) == (second.report_id, 1)


def test_old_mails_and_those_beyond_a_number_are_forgotten_but_not_scheduled_ones(store: Store) -> None:
    kept = credential(store)
    submit(store, kept.id, scheduled("waits"), draft("old"), idempotency=key("k"))
    submit(store, kept.id, *(draft(f"m{number}") for number in range(3)), now=at(100))

    def left() -> list[str]:
        return [mail.provider_id for mail in run(store.sandboxes.mails(kept.id, limit=99))]

    assert run(store.sandboxes.purge(mails_before=NOW, answers_before=NOW, days_before=DAY, keep=99, limit=9)) == 0
    assert run(store.sandboxes.purge(mails_before=at(1), answers_before=at(1), days_before=DAY, keep=99, limit=9)) == 2
    assert left() == ["m2", "m1", "m0", "waits"]
    assert run(store.sandboxes.purge(mails_before=NOW, answers_before=NOW, days_before=DAY, keep=2, limit=9)) == 1
    assert left() == ["m2", "m1", "waits"]
    assert stored(store) == 4
