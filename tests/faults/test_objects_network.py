"""The bucket over a network that refuses, hangs, breaks or is somebody else's."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import trustme

from tempmail.adapters.objects.s3 import S3Objects
from tempmail.adapters.objects.s3_options import S3Options
from tempmail.errors import ObjectsUnavailable
from tests.contract import s3_servers
from tests.contract.objects_suite import KEY, MAIL, keys_of, put, run
from tests.contract.s3_servers import S3Server
from tests.faults.tcp_proxy import TcpProxy

LARGE = b"0123456789abcde\n" * 65_536


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_servers.moto() as running:
        yield running


@pytest.fixture
def proxy(server: S3Server) -> Iterator[TcpProxy]:
    with TcpProxy((server.host, server.port)) as running:
        yield running


@pytest.fixture
def options(server: S3Server, proxy: TcpProxy) -> S3Options:
    return server.options(
        endpoint_url=f"http://{proxy.host}:{proxy.port}", read_timeout_s=0.3, connect_timeout_s=0.3, max_attempts=2
    )


def test_a_refused_store_fails_and_works_again_when_it_is_back(options: S3Options, proxy: TcpProxy) -> None:
    store = S3Objects(options)

    async def case() -> None:
        await put(store, KEY, MAIL)
        proxy.refuse()
        [put_fault] = await store.put_many([("b.eml", MAIL)])
        assert isinstance(put_fault, ObjectsUnavailable)
        assert put_fault.__cause__ is not None
        assert {type(fault) for fault in await store.delete_many([KEY, "b.eml"])} == {ObjectsUnavailable}
        for operation in (store.get(KEY), keys_of(store)):
            with pytest.raises(ObjectsUnavailable):
                await operation
        with pytest.raises(ObjectsUnavailable, match=f":{proxy.port} refuses connections: check the port"):
            await store.check()
        proxy.pass_all()
        assert await store.get(KEY) == MAIL
        assert await keys_of(store) == [KEY]
        await store.check()
        await store.close()

    run(case)


def test_a_hanging_store_fails_within_its_timeouts(options: S3Options, proxy: TcpProxy) -> None:
    store = S3Objects(options)
    proxy.hang()

    async def case() -> float:
        began = time.monotonic()
        faults = await store.put_many([(f"{n}.eml", MAIL) for n in range(options.max_concurrency)])
        took_s = time.monotonic() - began
        assert {type(fault) for fault in faults} == {ObjectsUnavailable}
        with pytest.raises(ObjectsUnavailable, match=r"does not answer within 0\.3 s"):
            await store.check()
        await store.close()
        return took_s

    # Two attempts of 0.3 s, at most 2 s between them, and what it takes to load the library.
    assert run(case) < 8
    assert proxy.accepted >= options.max_concurrency


def test_a_put_that_is_cut_half_way_fails_alone_and_stores_nothing(options: S3Options, proxy: TcpProxy) -> None:
    store = S3Objects(options)
    proxy.cut_requests_after(100_000)

    async def case() -> tuple[list[Exception | None], list[str], list[Exception | None], bytes]:
        outcomes = await store.put_many([("a.eml", MAIL), ("large.eml", LARGE), ("c.eml", MAIL)])
        proxy.pass_all()
        kept = await keys_of(store)
        again = await store.put_many([("large.eml", LARGE)])
        content = await store.get("large.eml")
        await store.close()
        return outcomes, kept, again, content

    outcomes, kept, again, content = run(case)
    assert outcomes[0] is None
    assert isinstance(outcomes[1], ObjectsUnavailable)
    assert outcomes[2] is None
    assert kept == ["a.eml", "c.eml"]
    assert again == [None]
    assert content == LARGE


def test_a_get_that_is_cut_half_way_never_gives_half_a_mail(options: S3Options, proxy: TcpProxy) -> None:
    store = S3Objects(options)

    async def case() -> None:
        await put(store, KEY, LARGE)
        proxy.cut_answers_after(100_000)
        with pytest.raises(ObjectsUnavailable):
            await store.get(KEY)
        proxy.pass_all()
        assert await store.get(KEY) == LARGE
        await store.close()

    run(case)


def explained(**changes: Any) -> str:
    options = S3Options(
        bucket="mails",
        access_key_id="key",
        secret_access_key="secret",
        connect_timeout_s=0.3,
        read_timeout_s=0.3,
        max_attempts=1,
        **changes,
    )
    store = S3Objects(options)

    async def case() -> str:
        with pytest.raises(ObjectsUnavailable) as caught:
            await store.check()
        await store.close()
        return str(caught.value)

    return run(case)


def test_check_names_a_host_that_cannot_be_resolved() -> None:
    text = explained(endpoint_url="http://s3.invalid")
    assert text == "The host name of http://s3.invalid cannot be resolved: check S3_ENDPOINT_URL and the machine's DNS."


def test_check_names_an_endpoint_that_does_not_take_connections() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # the queue of a listener that never accepts is full after two
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        text = explained(endpoint_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert "does not accept a connection within 0.3 s" in text


def test_check_names_a_certificate_of_an_unknown_authority() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with tls_server(context) as port:
        text = explained(endpoint_url=f"https://localhost:{port}")
    assert text.startswith(f"The TLS handshake with https://localhost:{port} failed")
    assert "AWS_CA_BUNDLE" in text


def test_check_names_tls_towards_a_port_without_tls(server: S3Server) -> None:
    text = explained(endpoint_url=f"https://{server.host}:{server.port}")
    assert "check the scheme and port in S3_ENDPOINT_URL" in text


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    with socket.create_server(("localhost", 0)) as listener:

        def shake_hands() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    connection.close()

        serving = threading.Thread(target=shake_hands, daemon=True)
        serving.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            serving.join()
