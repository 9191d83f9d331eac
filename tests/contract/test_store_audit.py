"""The store's contract for the audit log."""

from asyncio import run
from dataclasses import replace

from tempmail.domain.accounts import AuditEntry
from tempmail.ports import Store
from tests.builders import NOW, at

ENTRY = AuditEntry(NOW, "admin", "strictAdmin", "user.delete", "7", "203.0.113.9", 200, "req-1")


def record(store: Store, *entries: AuditEntry) -> None:
    for entry in entries:
        run(store.audit.record(entry))


def test_an_entry_comes_back_whole_and_newest_first(store: Store) -> None:
    record(store, ENTRY, replace(ENTRY, target="8"))

    newer, older = run(store.audit.page(limit=9))

    assert newer.id > older.id > 0
    assert (replace(older, id=0), replace(newer, id=0)) == (ENTRY, replace(ENTRY, target="8"))


def test_pages_follow_each_other_by_id(store: Store) -> None:
    record(store, *(replace(ENTRY, target=str(n)) for n in range(5)))

    first = run(store.audit.page(limit=2))
    second = run(store.audit.page(limit=2, before_id=first[-1].id))

    assert [e.target for e in first + second] == ["4", "3", "2", "1"]


def test_entries_are_found_by_actor_by_action_and_by_both(store: Store) -> None:
    record(
        store,
        ENTRY,
        replace(ENTRY, actor="ann", target="a"),
        replace(ENTRY, action="user.update", target="b"),
        replace(ENTRY, actor="ann", action="user.update", target="c"),
    )

    def targets(actor: str | None = None, action: str | None = None) -> list[str]:
        return [e.target for e in run(store.audit.page(limit=9, actor=actor, action=action))]

    assert targets(actor="ann") == ["c", "a"]
    assert targets(action="user.update") == ["c", "b"]
    assert targets(actor="ann", action="user.update") == ["c"]
    assert targets(actor="nobody") == []


def test_what_is_older_than_the_cutoff_goes_and_the_cutoff_itself_stays(store: Store) -> None:
    record(store, *(replace(ENTRY, at=at(n), target=str(n)) for n in range(4)))

    assert run(store.audit.delete_before(at(2), keep=100, limit=100)) == 2
    assert [e.target for e in run(store.audit.page(limit=9))] == ["3", "2"]
    assert run(store.audit.delete_before(at(2), keep=100, limit=100)) == 0


def test_all_but_the_newest_go_whatever_their_age(store: Store) -> None:
    record(store, *(replace(ENTRY, target=str(n)) for n in range(5)))

    assert run(store.audit.delete_before(NOW, keep=5, limit=100)) == 0
    assert run(store.audit.delete_before(NOW, keep=4, limit=100)) == 1
    assert [e.target for e in run(store.audit.page(limit=9))] == ["4", "3", "2", "1"]


def test_a_round_removes_at_most_its_limit_the_oldest_first(store: Store) -> None:
    record(store, *(replace(ENTRY, at=at(n), target=str(n)) for n in range(5)))

    assert run(store.audit.delete_before(at(9), keep=100, limit=3)) == 3
    assert [e.target for e in run(store.audit.page(limit=9))] == ["4", "3"]


def test_an_empty_log_has_nothing_to_remove(store: Store) -> None:
    assert run(store.audit.delete_before(at(9), keep=0, limit=3)) == 0
    assert run(store.audit.page(limit=3)) == []
