"""The proxy that other fault tests lean on does what it says."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.faults.tcp_proxy import TcpProxy


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    """A proxy in front of a server that sends back what it reads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def echo(connection: socket.socket) -> None:
            with connection:
                try:
                    while block := connection.recv(65536):
                        connection.sendall(block)
                except OSError:
                    return

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=echo, args=(connection,), daemon=True).start()

        serving = threading.Thread(target=serve, daemon=True)
        serving.start()
        with TcpProxy(listener.getsockname()[:2]) as running:
            yield running
        listener.shutdown(socket.SHUT_RDWR)
        serving.join()


def exchange(proxy: TcpProxy, sent: bytes) -> bytes:
    """What comes back for `sent`, until the end or the break of the connection."""
    back = b""
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as client:
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while block := client.recv(65536):
                back += block
        except ConnectionError:
            pass
    return back


def test_everything_passes_at_first(proxy: TcpProxy) -> None:
    assert exchange(proxy, b"m" * 300_000) == b"m" * 300_000
    assert proxy.accepted == 1


def test_refuse_closes_the_port_and_pass_all_opens_the_same_one(proxy: TcpProxy) -> None:
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        exchange(proxy, b"m")
    proxy.pass_all()
    assert proxy.port == port
    assert exchange(proxy, b"m") == b"m"


def test_hang_accepts_and_never_answers_until_the_mode_changes(proxy: TcpProxy) -> None:
    proxy.hang()
    with socket.create_connection((proxy.host, proxy.port), timeout=0.1) as client:
        client.sendall(b"m")
        with pytest.raises(TimeoutError):
            client.recv(1)
        proxy.pass_all()
        client.settimeout(5)
        assert not client.recv(1)
    assert exchange(proxy, b"m") == b"m"


@pytest.mark.parametrize("size_bytes", [1, 1000, 200_000])
def test_answers_are_cut_after_exactly_so_many_bytes(proxy: TcpProxy, size_bytes: int) -> None:
    proxy.cut_answers_after(size_bytes)
    assert exchange(proxy, b"m" * size_bytes + b"more") == b"m" * size_bytes


def test_requests_are_cut_after_at_most_so_many_bytes(proxy: TcpProxy) -> None:
    proxy.cut_requests_after(1000)
    assert len(exchange(proxy, b"m" * 2000)) <= 1000
    assert exchange(proxy, b"m" * 999) == b"m" * 999


def test_a_change_of_mode_ends_open_connections(proxy: TcpProxy) -> None:
    with socket.create_connection((proxy.host, proxy.port), timeout=5) as client:
        client.sendall(b"m")
        assert client.recv(1) == b"m"
        proxy.pass_all()
        assert not client.recv(1)
