"""What several files of unit tests set up alike."""

from collections.abc import Iterator

import pytest

from tests.fake_provider import FakeProvider
from tests.unit.outbox_stage import Open, Stage


@pytest.fixture
def open_stage() -> Iterator[Open]:
    stages = []

    def opened(*providers: FakeProvider, **options: object) -> Stage:
        stages.append(Stage(*providers, **options))  # type: ignore[arg-type]
        return stages[-1]

    yield opened
    for stage in stages:
        stage.close()
