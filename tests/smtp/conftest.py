import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
import uvloop

from tempmail.smtp.tls import server_context
from tests.smtp.serving import Certificates, LoopFactory


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_factory(request: pytest.FixtureRequest) -> LoopFactory:
    """Both event loops that the server runs on."""
    return asyncio.new_event_loop if request.param == "asyncio" else uvloop.new_event_loop


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    leaf = ca.issue_cert("mx.temp.example.com")
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    for pem in leaf.cert_chain_pems:
        pem.write_to_path(str(folder / "cert.pem"), append=True)
    client = ssl.create_default_context()
    ca.configure_trust(client)
    return Certificates(server_context(folder / "cert.pem", folder / "key.pem"), client, ca, leaf)


@pytest.fixture(autouse=True)
def no_error_is_logged(caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest) -> Iterator[None]:
    """An error in the log fails the test, unless it is marked as expected by asking for `expected_errors`."""
    yield
    if "expected_errors" in request.fixturenames:
        return
    errors = [record for record in caplog.get_records("call") if record.levelname in ("ERROR", "CRITICAL")]
    assert not errors, [(record.name, record.getMessage(), record.exc_info) for record in errors]


@pytest.fixture
def expected_errors(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log of a test that provokes errors."""
    return caplog
