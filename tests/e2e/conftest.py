"""One running server for tests that each use an address of their own, in both forms: one process, and several."""

from collections.abc import Iterator

import pytest

from tests.running import Server, running


@pytest.fixture(scope="module", params=[0, 2], ids=["one-process", "two-workers"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("data"), SMTP_WORKERS=request.param) as started:
        yield started
