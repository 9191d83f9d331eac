"""The stage that all cases share."""

from collections.abc import Iterator

import pytest

from tests.contract.original.stage import Stage


@pytest.fixture(scope="package")
def _stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("original")) as stage:
        yield stage


@pytest.fixture
def stage(_stage: Stage) -> Stage:
    """As if nothing had happened yet."""
    _stage.reset()
    return _stage
