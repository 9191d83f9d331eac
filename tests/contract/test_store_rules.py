"""Extraction rules in the store: kept field by field, and a version that grows with each change."""

from asyncio import gather, run
from dataclasses import replace

import pytest

from tempmail.errors import Conflict
from tempmail.ports import Store
from tests.builders import NOW, at, rule_draft


def test_before_the_first_change_there_are_no_rules_and_the_version_is_0(store: Store) -> None:
    assert run(store.rules.version()) == 0
    assert run(store.rules.all()) == (0, [])


def test_a_rule_is_read_back_field_by_field(store: Store) -> None:
    draft = rule_draft(
        name="验证 'x'",
        kind="link",
        pattern=r"(?P<link>\S+)",
        sender="*@bank.example",
        recipient_domain="one.example",
        field="html",
        priority=-7,
        enabled=False,
    )
    added = run(store.rules.add(draft, now=NOW, limit=5))
    assert run(store.rules.all()) == (1, [added])
    assert {name: getattr(added, name) for name in draft.__dataclass_fields__} == {
        name: getattr(draft, name) for name in draft.__dataclass_fields__
    }
    assert (added.version, added.created_at, added.updated_at) == (1, NOW, NOW)


def test_rules_are_listed_in_the_order_they_were_added(store: Store) -> None:
    for priority in (1, 3, 2):
        run(store.rules.add(rule_draft(priority=priority), now=NOW, limit=5))
    _, rules = run(store.rules.all())
    assert [rule.priority for rule in rules] == [1, 3, 2]


def test_a_change_replaces_the_rule_and_grows_both_versions(store: Store) -> None:
    added = run(store.rules.add(rule_draft(), now=NOW, limit=5))
    changed = run(store.rules.change(added.id, rule_draft(name="Shop"), version=1, now=at(9)))
    assert changed == replace(added, name="Shop", version=2, updated_at=at(9))
    assert run(store.rules.all()) == (2, [changed])


def test_of_two_changes_of_one_version_one_is_made(store: Store, other_store: Store) -> None:
    added = run(store.rules.add(rule_draft(), now=NOW, limit=5))

    async def both() -> tuple[object, object]:
        return await gather(
            store.rules.change(added.id, rule_draft(name="Mine"), version=1, now=NOW),
            other_store.rules.change(added.id, rule_draft(name="Theirs"), version=1, now=NOW),
        )

    made = run(both())
    assert sum(change is not None for change in made) == 1
    assert run(store.rules.version()) == 2


def test_what_is_not_there_is_neither_changed_nor_removed_nor_counted_as_a_change(store: Store) -> None:
    assert run(store.rules.change(1, rule_draft(), version=1, now=NOW)) is None
    assert run(store.rules.remove(1)) is False
    assert run(store.rules.version()) == 0


def test_a_removed_rule_is_gone_and_its_id_is_not_given_again(store: Store) -> None:
    added = run(store.rules.add(rule_draft(), now=NOW, limit=5))
    assert run(store.rules.remove(added.id)) is True
    assert run(store.rules.all()) == (2, [])
    assert run(store.rules.add(rule_draft(), now=NOW, limit=5)).id > added.id


def test_rules_are_limited_in_number(store: Store) -> None:
    for _ in range(3):
        run(store.rules.add(rule_draft(), now=NOW, limit=3))
    with pytest.raises(Conflict, match="there are 3 rules already"):
        run(store.rules.add(rule_draft(), now=NOW, limit=3))
    assert run(store.rules.version()) == 3
