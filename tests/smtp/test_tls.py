"""STARTTLS, implicit TLS, and the context that both use."""

import asyncio
import smtplib
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from tempmail.clock import FakeClock
from tempmail.errors import ConfigError
from tempmail.smtp.tls import server_context
from tempmail.smtp.wire import HIGH_WATER
from tests.smtp.serving import PATIENCE_S, Certificates, LoopFactory, TlsByHand, run, serving

MESSAGE = "Subject: hello\r\n\r\nover TLS\r\n"


class ElsewhereSmtp(smtplib.SMTP):
    """Connects to 127.0.0.1 whatever name it is told, and expects that name's certificate."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), timeout)


def test_smtplib_upgrades_and_sends(certificates: Certificates, loop_factory: LoopFactory) -> None:
    def send(port: int) -> None:
        with ElsewhereSmtp("mx.temp.example.com", port, timeout=PATIENCE_S) as client:
            client.starttls(context=certificates.client)
            client.sendmail("a@b.example", ["box@temp.example.com"], MESSAGE)

    async def main() -> None:
        async with serving(tls=certificates.server) as host:
            await asyncio.to_thread(send, host.port)
            assert host.receiver.mails[0].raw == MESSAGE.encode()
            assert host.receiver.mails[0].protocol == "ESMTPS"

    run(main(), loop_factory)


def test_implicit_tls_greets_inside_tls(certificates: Certificates, loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with (
            serving(tls=certificates.server, implicit_tls=True) as host,
            host.client(tls=certificates.client) as client,
        ):
            await client.reach_data()
            assert (await client.ask(b"text\r\n."))[:3] == "250"
            assert host.receiver.mails[0].protocol == "ESMTPS"
            assert "STARTTLS" not in await client.ask(b"EHLO client.example")
            assert (await client.ask(b"QUIT"))[:3] == "221"
            assert (await client.reply()) == ""

    run(main(), loop_factory)


def test_implicit_tls_needs_a_certificate() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="certificate"):
            async with serving(implicit_tls=True):
                pass

    run(main())


def test_a_large_mail_comes_through_tls_whole(certificates: Certificates, loop_factory: LoopFactory) -> None:
    body = b"".join(b"%08d %s\r\n" % (i, b"." * 60) for i in range(30_000))

    async def main() -> None:
        async with (
            serving(tls=certificates.server, implicit_tls=True) as host,
            host.client(tls=certificates.client) as client,
        ):
            await client.reach_data()
            assert (await client.ask(body + b"."))[:3] == "250"
            assert host.receiver.mails[0].raw == body

    run(main(), loop_factory)


def test_much_may_come_together_with_the_end_of_the_handshake(
    certificates: Certificates, loop_factory: LoopFactory
) -> None:
    commands = 2 * HIGH_WATER // len(b"NOOP\r\n")

    async def main() -> None:
        async with serving(tls=certificates.server) as host, host.client() as client:
            await client.reply()
            assert (await client.ask(b"STARTTLS"))[:3] == "220"
            tls = TlsByHand(client, certificates.client)
            await tls.shake_hands(after=b"NOOP\r\n" * commands + b"QUIT\r\n")
            said = await tls.read_until(b"Bye\r\n")
            assert said.count(b"250 2.0.0 Ok\r\n") == commands

    run(main(), loop_factory)


def test_what_is_sent_after_quit_does_not_hold_the_end(certificates: Certificates, loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving(tls=certificates.server, implicit_tls=True) as host:
            async with host.client(tls=certificates.client) as client:
                await client.reply()
                client.writer.write(b"QUIT\r\n" + b"NOOP\r\n" * (10 * HIGH_WATER))
                assert (await client.reply())[:3] == "221"
            await host.until_sessions(0)

    run(main(), loop_factory)


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_what_is_no_handshake_ends_the_session(
    implicit: bool, certificates: Certificates, loop_factory: LoopFactory
) -> None:
    async def main() -> None:
        async with serving(tls=certificates.server, implicit_tls=implicit) as host, host.client() as client:
            if not implicit:
                await client.reply()
                assert (await client.ask(b"STARTTLS"))[:3] == "220"
            await client.send(b"EHLO this is not TLS\r\n")
            async with asyncio.timeout(PATIENCE_S):
                assert b"250" not in await client.reader.read()
            await host.until_sessions(0)

    run(main(), loop_factory)


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
def test_a_handshake_that_does_not_come_is_given_up(
    implicit: bool, certificates: Certificates, loop_factory: LoopFactory
) -> None:
    async def main() -> None:
        clock = FakeClock()
        tls = certificates.server
        async with serving(tls=tls, implicit_tls=implicit, clock=clock) as host, host.client() as client:
            if not implicit:
                await client.reply()
                assert (await client.ask(b"STARTTLS"))[:3] == "220"
            await host.until_sessions(1)
            clock.advance(300)
            async with asyncio.timeout(PATIENCE_S):
                while host.server.session_count:
                    host.server.sweep()
                    await asyncio.sleep(0)

    run(main(), loop_factory)


def test_a_client_that_leaves_in_the_handshake_leaves_nothing(
    certificates: Certificates, loop_factory: LoopFactory
) -> None:
    async def main() -> None:
        async with serving(tls=certificates.server, implicit_tls=True) as host:
            async with host.client() as client:
                await host.until_sessions(1)
                await client.send(b"\x16\x03\x01")
            await host.until_sessions(0)

    run(main(), loop_factory)


def test_tls_1_1_is_refused(certificates: Certificates, loop_factory: LoopFactory) -> None:
    old = ssl.create_default_context()
    certificates.ca.configure_trust(old)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1

    async def main() -> None:
        async with serving(tls=certificates.server, implicit_tls=True) as host:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                async with host.client(tls=old):
                    pass
            await host.until_sessions(0)

    run(main(), loop_factory)


def test_one_connection_too_many_is_closed_without_a_handshake(
    certificates: Certificates, loop_factory: LoopFactory
) -> None:
    async def main() -> None:
        async with (
            serving(tls=certificates.server, implicit_tls=True, max_connections=1) as host,
            host.client(tls=certificates.client) as first,
        ):
            assert (await first.reply())[:3] == "220"
            async with host.client() as second:
                assert (await second.reply()) == ""

    run(main(), loop_factory)


@pytest.mark.parametrize("missing", ["cert.pem", "key.pem"])
def test_a_missing_file_is_named(missing: str, tmp_path: Path, certificates: Certificates) -> None:
    write(certificates.leaf, tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(ConfigError, match=f"{missing} cannot be read"):
        server_context(tmp_path / "cert.pem", tmp_path / "key.pem")


def test_a_key_of_another_certificate_is_named(tmp_path: Path, certificates: Certificates) -> None:
    write(certificates.leaf, tmp_path)
    other = certificates.ca.issue_cert("other.example")
    other.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    with pytest.raises(ConfigError, match="is not the key"):
        server_context(tmp_path / "cert.pem", tmp_path / "key.pem")


def test_what_is_no_pem_is_refused(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("nothing")
    with pytest.raises(ConfigError, match="PEM"):
        server_context(tmp_path / "cert.pem", tmp_path / "key.pem")


def write(leaf: trustme.LeafCert, folder: Path) -> None:
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
