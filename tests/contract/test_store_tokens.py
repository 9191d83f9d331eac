"""The store's contract for API tokens."""

import asyncio
from asyncio import run
from dataclasses import replace

import pytest

from tempmail.domain.accounts import ApiToken, NewUser
from tempmail.errors import QuotaReached
from tempmail.ports import Store
from tests.builders import NOW, at


def owner(store: Store, name: str = "ann") -> int:
    return run(store.users.add(NewUser(name, None, "user", 10), now=NOW, limit=1000)).id


def token(user_id: int, name: str = "ci") -> ApiToken:
    return ApiToken(0, user_id, name, ("mail.*",), ("qa-*@t.example",), NOW, at(60), None)


def test_a_token_is_found_by_the_hash_of_its_secret_with_its_owner(store: Store) -> None:
    ann = owner(store)
    kept = run(store.tokens.add(token(ann), secret_hash="h1", limit=5))

    found = run(store.tokens.find("h1"))

    assert found is not None
    assert found[0] == replace(token(ann), id=kept.id)
    assert (found[1].id, found[1].username) == (ann, "ann")
    assert run(store.tokens.find("h2")) is None


def test_an_owner_has_at_most_so_many_tokens_whoever_adds_them_at_once(store: Store) -> None:
    ann, bob = owner(store), owner(store, "bob")

    async def case() -> list[object]:
        adding = [store.tokens.add(token(ann), secret_hash=f"h{n}", limit=3) for n in range(8)]
        return await asyncio.gather(*adding, return_exceptions=True)

    outcomes = run(case())

    assert sum(isinstance(outcome, ApiToken) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, QuotaReached) for outcome in outcomes) == 5
    assert run(store.tokens.add(token(bob), secret_hash="other", limit=3)).user_id == bob


def test_pages_go_by_id_and_by_owner(store: Store) -> None:
    ann, bob = owner(store), owner(store, "bob")
    ids = [run(store.tokens.add(token(user), secret_hash=str(n), limit=9)).id for n, user in enumerate([ann, bob, ann])]

    assert [t.id for t in run(store.tokens.page(user_id=None, after_id=0, limit=2))] == ids[:2]
    assert [t.id for t in run(store.tokens.page(user_id=None, after_id=ids[1], limit=2))] == ids[2:]
    assert [t.id for t in run(store.tokens.page(user_id=ann, after_id=0, limit=9))] == [ids[0], ids[2]]


def test_only_its_owner_or_everybodys_admin_revokes_a_token(store: Store) -> None:
    ann, bob = owner(store), owner(store, "bob")
    first = run(store.tokens.add(token(ann), secret_hash="h1", limit=5)).id
    second = run(store.tokens.add(token(ann), secret_hash="h2", limit=5)).id

    assert run(store.tokens.revoke(first, user_id=bob)) is False
    assert run(store.tokens.revoke(first, user_id=ann)) is True
    assert run(store.tokens.revoke(first, user_id=ann)) is False
    assert run(store.tokens.revoke(second, user_id=None)) is True
    assert run(store.tokens.find("h1")) is run(store.tokens.find("h2")) is None


def test_tokens_go_with_their_owner(store: Store) -> None:
    ann = owner(store)
    run(store.tokens.add(token(ann), secret_hash="h1", limit=5))

    assert run(store.users.delete(ann)) is True
    assert run(store.tokens.find("h1")) is None


def test_the_last_use_is_recorded(store: Store) -> None:
    kept = run(store.tokens.add(token(owner(store)), secret_hash="h1", limit=5))

    run(store.tokens.record_use(kept.id, now=at(5)))

    [listed] = run(store.tokens.page(user_id=None, after_id=0, limit=1))
    assert listed.last_used_at == at(5)


@pytest.mark.parametrize("user_id", [0, 10**9])
def test_a_token_needs_an_owner(store: Store, user_id: int) -> None:
    with pytest.raises(Exception, match="conflicts"):
        run(store.tokens.add(token(user_id), secret_hash="h1", limit=5))
