"""The contract of `ports.Jobs`: recurring work under a lease."""

from asyncio import gather, run

from tempmail.ports import Store
from tests.builders import NOW, at


def claim(store: Store, second: float, *, kind: str = "retention", lease: float = 60) -> bool:
    return run(store.jobs.claim(kind, now=at(second), until=at(second + lease)))


def test_a_job_is_due_from_its_first_claim_on_and_one_claimer_has_it(store: Store, other_store: Store) -> None:
    assert claim(store, 0) is True
    assert claim(other_store, 0) is False


def test_of_many_claimers_at_once_one_gets_the_job(store: Store, other_store: Store) -> None:
    async def race() -> list[bool]:
        return await gather(*(side.jobs.claim("retention", now=NOW, until=at(60)) for side in (store, other_store) * 4))

    assert sum(run(race())) == 1


def test_a_dead_claimers_job_is_taken_over_when_its_lease_is_over(store: Store, other_store: Store) -> None:
    claim(store, 0, lease=60)
    assert (claim(other_store, 59), claim(other_store, 60)) == (False, True)


def test_a_finished_job_is_due_again_when_told(store: Store) -> None:
    claim(store, 0)
    run(store.jobs.finish("retention", now=at(5), next_due=at(600), error=None))
    assert (claim(store, 599), claim(store, 600)) == (False, True)


def test_jobs_of_different_kinds_do_not_wait_for_each_other(store: Store) -> None:
    assert claim(store, 0, kind="retention")
    assert claim(store, 0, kind="other")
