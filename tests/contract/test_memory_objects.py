"""The object store that unit tests use keeps the contract of the real ones."""

from asyncio import run

import pytest

from tempmail.errors import ObjectsUnavailable
from tests.contract.objects_suite import KEY, MAIL, ObjectsSuite
from tests.memory_objects import MemoryObjects


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


class TestMemory(ObjectsSuite):
    pass


def test_a_refused_key_fails_alone_and_a_store_that_is_down_fails_all(objects: MemoryObjects) -> None:
    objects.refused = {KEY}
    refused, kept = run(objects.put_many([(KEY, MAIL), ("b.eml", MAIL)]))
    assert isinstance(refused, ObjectsUnavailable)
    assert kept is None
    objects.down = True
    assert all(isinstance(outcome, ObjectsUnavailable) for outcome in run(objects.delete_many(["b.eml", "c.eml"])))
    with pytest.raises(ObjectsUnavailable):
        run(objects.get("b.eml"))
