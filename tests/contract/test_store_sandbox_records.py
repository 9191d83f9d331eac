"""What single sandboxes keep in the store: templates, the log of calls, and figures of mails."""

from asyncio import gather, run
from dataclasses import replace

import pytest

from tempmail.domain.sandbox import Envelope, Quota, SandboxCredential, SandboxDraft, State, Submission
from tempmail.domain.sandbox_templates import Template
from tempmail.errors import QuotaReached
from tempmail.ports import Store
from tempmail.ports.sandbox_records import LogEntry
from tests.builders import NOW

TEMPLATE = Template(2, "welcome", "Hi {{name}} 'x'", "<p>{{name}}</p>", "", NOW)
ENTRY = LogEntry(0, None, "app", "m@x.example", "主题", 405, "请求频繁", "192.0.2.1", NOW)


def credential(store: Store, lookup: str = "one", provider: str = "mail_push") -> int:
    new = SandboxCredential(0, provider, "", lookup, {}, "box@temp.example", {}, None, None, NOW)
    return run(store.sandboxes.add_credential(new, limit=100)).id


def test_a_template_is_read_back_field_by_field_by_its_own_credential_alone(store: Store) -> None:
    own, other = credential(store), credential(store, "two")
    assert run(store.sandbox_templates.put_template(own, TEMPLATE, limit=5))
    assert run(store.sandbox_templates.template(own, 2)) == TEMPLATE
    assert run(store.sandbox_templates.templates(own)) == [TEMPLATE]
    assert run(store.sandbox_templates.template(other, 2)) is None
    assert run(store.sandbox_templates.templates(other)) == []


def test_a_new_template_gets_the_next_id_from_its_own_on(store: Store) -> None:
    own = credential(store)
    for expected in (2, 3):
        assert run(store.sandbox_templates.add_template(own, TEMPLATE, limit=5)) == replace(TEMPLATE, temp_id=expected)
    run(store.sandbox_templates.put_template(own, replace(TEMPLATE, temp_id=40), limit=5))
    added = run(store.sandbox_templates.add_template(own, TEMPLATE, limit=5))
    assert added is not None
    assert added.temp_id == 41
    assert [each.temp_id for each in run(store.sandbox_templates.templates(own))] == [2, 3, 40, 41]


def test_templates_added_at_once_get_ids_of_their_own(store: Store, other_store: Store) -> None:
    own = credential(store)

    async def both() -> list[Template | None]:
        return await gather(
            *[each.sandbox_templates.add_template(own, TEMPLATE, limit=50) for each in (store, other_store) * 5]
        )

    assert sorted(each.temp_id for each in run(both()) if each) == list(range(2, 12))


def test_a_credential_has_no_more_templates_than_allowed(store: Store) -> None:
    own = credential(store)
    for temp_id in (1, 2):
        run(store.sandbox_templates.put_template(own, replace(TEMPLATE, temp_id=temp_id), limit=2))
    with pytest.raises(QuotaReached):
        run(store.sandbox_templates.add_template(own, TEMPLATE, limit=2))
    with pytest.raises(QuotaReached):
        run(store.sandbox_templates.put_template(own, replace(TEMPLATE, temp_id=3), limit=2))
    run(store.sandbox_templates.put_template(own, replace(TEMPLATE, temp_id=1, subject="other"), limit=2))
    assert [each.subject for each in run(store.sandbox_templates.templates(own))] == ["other", TEMPLATE.subject]


def test_without_a_credential_there_is_no_template(store: Store) -> None:
    assert run(store.sandbox_templates.add_template(7, TEMPLATE, limit=5)) is None
    assert not run(store.sandbox_templates.put_template(7, TEMPLATE, limit=5))


def test_templates_go_with_their_credential_and_the_log_stays(store: Store) -> None:
    own = credential(store)
    run(store.sandbox_templates.put_template(own, TEMPLATE, limit=5))
    run(store.sandbox_log.add_entry(replace(ENTRY, credential_id=own), keep=5))

    run(store.sandboxes.remove_credential(own))

    assert run(store.sandbox_templates.templates(own)) == []
    assert run(store.sandbox_log.entries(below_id=None, limit=5)) == [replace(ENTRY, id=1)]


def test_a_removed_template_is_gone_once(store: Store) -> None:
    own = credential(store)
    run(store.sandbox_templates.put_template(own, TEMPLATE, limit=5))
    assert run(store.sandbox_templates.remove_template(own, 2))
    assert not run(store.sandbox_templates.remove_template(own, 2))


def test_the_log_is_read_newest_first_and_keeps_the_newest(store: Store) -> None:
    for code in (1, 2, 3, 4):
        run(store.sandbox_log.add_entry(replace(ENTRY, code=code), keep=3))
    assert [each.code for each in run(store.sandbox_log.entries(below_id=None, limit=10))] == [4, 3, 2]
    assert [each.code for each in run(store.sandbox_log.entries(below_id=4, limit=1))] == [3]


def test_figures_are_of_one_credential_from_a_stamp_on_before_another(store: Store) -> None:
    own, other = credential(store), credential(store, "two")
    for number, state in enumerate((State.DELIVERED, State.BOUNCED, State.DELIVERED)):
        take(store, own, f"2025-11-20 12:00:0{number}", state, f"own{number}")
    take(store, other, "2025-11-20 12:00:01", State.DELIVERED, "other")

    def counted(since: str | None, until: str | None) -> dict[State, int]:
        return dict(run(store.sandbox_totals.by_state(own, since=since, until=until)))

    assert counted(None, None) == {State.DELIVERED: 2, State.BOUNCED: 1}
    assert counted("2025-11-20 12:00:01", "2025-11-20 12:00:02") == {State.BOUNCED: 1}
    assert counted("2025-11-20 12:00:02", None) == counted(None, "2025-11-20 12:00:01") == {State.DELIVERED: 1}
    assert counted("2025-11-20 12:00:03", None) == {}


@pytest.mark.parametrize("state", State)
def test_every_state_is_counted(store: Store, state: State) -> None:
    own = credential(store)
    take(store, own, NOW, state, "one")
    assert run(store.sandbox_totals.by_state(own, since=None, until=None)) == {state: 1}


def test_mails_are_listed_newest_first_page_by_page(store: Store) -> None:
    own = credential(store)
    for number in range(5):
        take(store, own, f"2025-11-20 12:00:0{min(number, 3)}", State.DELIVERED, str(number))

    def page(offset: int, **bounds: str | None) -> list[str]:
        whole: dict[str, str | None] = {"since": None, "until": None, **bounds}
        found = run(
            store.sandbox_totals.taken_between(own, since=whole["since"], until=whole["until"], offset=offset, limit=2)
        )
        return [mail.provider_id for mail in found]

    assert [page(0), page(2), page(4), page(6)] == [["4", "3"], ["2", "1"], ["0"], []]
    assert page(0, since="2025-11-20 12:00:01", until="2025-11-20 12:00:03") == ["2", "1"]


def take(store: Store, credential_id: int, now: str, state: State, provider_id: str) -> None:
    draft = SandboxDraft(provider_id, state, b"{}", b"{}", Envelope("a@b.example", ("c@d.example",)))
    run(store.sandboxes.take(lambda: [Submission(credential_id, (draft,), now, quota=Quota())]))


@pytest.mark.parametrize(
    ("allowed", "outcomes"), [(3, ["taken", "used up"]), (4, ["taken", "taken"]), (0, ["taken"] * 2)]
)
def test_what_an_account_may_send_in_all_holds_exactly(store: Store, allowed: int, outcomes: list[str]) -> None:
    own = credential(store)
    found = []
    for day in ("2025-10-01", "2025-11-20"):
        drafts = tuple(
            SandboxDraft(f"{day}-{number}", State.DELIVERED, b"{}", b"{}", Envelope("a@b.example", ("c@d.example",)))
            for number in range(2)
        )
        submission = Submission(own, drafts, f"{day} 12:00:00", quota=Quota(total=allowed))
        [taken] = run(store.sandboxes.take(lambda submission=submission: [submission]))  # type: ignore[misc]
        found.append(str(taken.outcome))
    assert found == outcomes
