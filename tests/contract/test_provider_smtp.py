"""The SMTP relay, against a real server."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
import trustme
import uvloop
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tempmail.adapters.providers.smtp import IDLE_S, MAX_IDLE, Relay, Smtp, parse_relay
from tempmail.clock import FakeClock
from tempmail.domain.outbound import Attachment, OutboundMessage, SendResult
from tempmail.errors import (
    CannotDo,
    InvalidOutbound,
    OutcomeUnknown,
    ProviderAuthFailed,
    ProviderDenied,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from tests.contract.provider_server import Script, Scripted, scripted

MESSAGE = OutboundMessage(
    from_addr="from@a.example",
    to=("Ann <ann@b.example>",),
    subject="Hello",
    text="one\n.\n..two\nend",
    message_id="<m1@a.example>",
)
PASSWORD = "p@ss:w/ord"


@dataclass
class Sink:
    """Takes mail. The recipient's local part chooses what goes wrong."""

    mails: list[Envelope] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)
    over_tls: list[bool] = field(default_factory=list)
    servers: list[SMTP] = field(default_factory=list)
    port: int = 0

    def hang_up(self) -> None:
        for server in self.servers:
            if server.transport is not None:
                cast(asyncio.WriteTransport, server.transport).abort()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        if address.startswith("unknown"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("busy"):
            return "451 4.2.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.sessions.add(id(session))
        self.over_tls.append(session.ssl is not None)
        [recipient] = envelope.rcpt_tos
        replies = {"spam": "554 5.7.1 no", "full": "452 4.3.1 disk full", "odd": "300 what", "gone": "421 4.3.0 bye"}
        if recipient.startswith("drop"):
            self.hang_up()
        elif recipient.startswith("silent"):
            await asyncio.Event().wait()
        for name, reply in replies.items():
            if recipient.startswith(name):
                return reply
        self.mails.append(envelope)
        return "250 2.0.0 kept as 4711"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.password)
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@dataclass(frozen=True)
class Tls:
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def tls() -> Tls:
    ca = trustme.CA()
    leaf = ca.issue_cert("127.0.0.1", "localhost")
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    leaf.configure_cert(server)
    ca.configure_trust(client)
    return Tls(server, client)


@contextlib.asynccontextmanager
async def sink(*, implicit: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[Sink]:
    """A relay until the end of the block; its connections are cut then."""
    found = Sink()

    def protocol() -> SMTP:
        server = SMTP(found, authenticator=found.authenticate, hostname="relay.example", **options)
        found.servers.append(server)
        return server

    listening = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=implicit)
    found.port = listening.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        listening.close()
        found.hang_up()
        await listening.wait_closed()
        await asyncio.sleep(0)


def account(port: int, *, scheme: str = "smtp", login: str = "", **options: Any) -> Smtp:
    return Smtp(f"{scheme}://{login}127.0.0.1:{port}", account="relay", clock=FakeClock(), **options)


async def send(relay: Smtp, recipient: str = "ann@b.example", message: OutboundMessage = MESSAGE) -> SendResult:
    message = replace(message, to=(recipient,))
    [call] = relay.prepare(message, [recipient])
    return await relay.send(call, idempotency_key="k")


def test_a_composed_mail_arrives_line_for_line() -> None:
    async def main() -> None:
        async with sink() as relay:
            client = account(relay.port)
            result = await send(client)
            await client.close()
            [mail] = relay.mails
            assert (mail.mail_from, mail.rcpt_tos) == ("from@a.example", ["ann@b.example"])
            assert mail.original_content is not None
            assert mail.original_content.endswith(b"\r\n\r\none\r\n.\r\n..two\r\nend\r\n")
            assert result == SendResult(None, {}, "250 2.0.0 kept as 4711")

    asyncio.run(main())


def test_each_recipient_is_a_call_of_its_own_with_the_same_mail() -> None:
    relay = account(25)
    message = replace(MESSAGE, cc=("cc@b.example",), bcc=("Blind <bcc@b.example>",))
    calls = relay.prepare(message, ["ann@b.example", "cc@b.example", "bcc@b.example"])
    assert [call.recipients for call in calls] == [("ann@b.example",), ("cc@b.example",), ("bcc@b.example",)]
    assert {call.body for call in calls} == {calls[0].body}
    assert {call.target for call in calls} == {"from@a.example"}
    assert b"cc@b.example" in calls[0].body
    assert b"bcc" not in calls[0].body.lower()
    assert calls == relay.prepare(message, ["ann@b.example", "cc@b.example", "bcc@b.example"])


def test_a_mail_to_blind_copies_alone_goes_out() -> None:
    [call] = account(25).prepare(replace(MESSAGE, to=(), bcc=("bcc@b.example",)), ["bcc@b.example"])
    assert call.recipients == ("bcc@b.example",)
    assert b"To: undisclosed-recipients:;\r\n" in call.body


RAW = b"Received: x\r\nSubject: =?utf-8?b?w6k=?=\r\n\r\nbody\r\n.leading dot\r\n\x80\xff bytes\r\n"


@pytest.mark.parametrize("sender", ["SRS0=ab=cd=x.example=u@a.example", ""])
def test_a_whole_mail_is_handed_on_as_it_is(sender: str) -> None:
    async def main() -> None:
        async with sink() as relay:
            client = account(relay.port)
            message = OutboundMessage(from_addr=sender, to=("ann@b.example",), raw=RAW)
            [call] = client.prepare(message, ["other@c.example"])
            assert call.body == b"", "the mail lies in the object store, not in the outbox"
            await client.send(call, idempotency_key="k", raw=RAW)
            await client.close()
            [mail] = relay.mails
            assert (mail.mail_from, mail.rcpt_tos) == (sender or "<>", ["other@c.example"])
            assert mail.original_content == RAW

    asyncio.run(main())


def test_bare_line_breaks_cannot_end_a_mail_early() -> None:
    raw = b"Subject: x\n\nfirst\n.\nMAIL FROM:<evil@x.example>\r.\r\nlast"

    async def main() -> None:
        async with sink() as relay:
            client = account(relay.port)
            [call] = client.prepare(replace(MESSAGE, raw=raw), ["ann@b.example"])
            await client.send(call, idempotency_key="k", raw=raw)
            await client.close()
            [mail] = relay.mails
            assert mail.original_content == (
                b"Subject: x\r\n\r\nfirst\r\n.\r\nMAIL FROM:<evil@x.example>\r\n.\r\nlast\r\n"
            )

    asyncio.run(main())


def test_there_must_be_a_mail_to_hand_on() -> None:
    client = account(25)
    [call] = client.prepare(replace(MESSAGE, raw=b"x"), ["ann@b.example"])
    with pytest.raises(InvalidOutbound):
        asyncio.run(client.send(call, idempotency_key="k"))


def test_a_mail_of_several_megabytes_arrives_whole() -> None:
    content = bytes(range(256)) * 16_000

    async def main() -> None:
        async with sink(data_size_limit=None) as relay:
            client = account(relay.port)
            message = replace(MESSAGE, attachments=(Attachment("a.bin", content),))
            [call] = client.prepare(message, ["ann@b.example"])
            await client.send(call, idempotency_key="k")
            await client.close()
            assert relay.mails[0].original_content == call.body

    asyncio.run(main())


def test_connections_are_used_again_while_they_are_fresh() -> None:
    clock = FakeClock()

    async def main() -> None:
        async with sink() as relay:
            client = Smtp(f"smtp://127.0.0.1:{relay.port}", account="a", clock=clock)
            await send(client)
            clock.advance(IDLE_S)
            await send(client)
            assert len(relay.sessions) == 1
            clock.advance(IDLE_S + 0.1)
            await send(client)
            assert len(relay.sessions) == 2
            await client.close()
            assert len(relay.mails) == 3

    asyncio.run(main())


def test_a_connection_that_the_relay_closed_meanwhile_loses_no_mail() -> None:
    async def main() -> None:
        async with sink() as relay:
            client = account(relay.port)
            for _ in range(3):
                await send(client)
                relay.hang_up()  # the client has not heard of it when it sends the next one
            await send(client)
            await client.close()
            assert len(relay.mails) == 4

    asyncio.run(main())


def test_many_mails_go_at_once_and_few_connections_stay() -> None:
    async def main() -> None:
        async with sink() as relay:
            client = account(relay.port)
            async with asyncio.TaskGroup() as group:
                for number in range(MAX_IDLE * 3):
                    group.create_task(send(client, f"p{number}@b.example"))
            assert len(relay.mails) == MAX_IDLE * 3
            relay.sessions.clear()
            async with asyncio.TaskGroup() as group:
                for number in range(MAX_IDLE):
                    group.create_task(send(client, f"q{number}@b.example"))
            await client.close()
            assert len(relay.mails) == MAX_IDLE * 4

    asyncio.run(main())


@pytest.mark.parametrize(
    ("recipient", "error", "words"),
    [
        ("unknown@b.example", ProviderRefused, "550 5.1.1 no such mailbox"),
        ("busy@b.example", ProviderUnavailable, "451 4.2.1 come back later"),
        ("spam@b.example", ProviderRefused, "554 5.7.1 no"),
        ("full@b.example", ProviderUnavailable, "452 4.3.1 disk full"),
        ("gone@b.example", ProviderUnavailable, "421 4.3.0 bye"),
        ("drop@b.example", OutcomeUnknown, "no reply came"),
        ("silent@b.example", OutcomeUnknown, "no reply came"),
        ("odd@b.example", OutcomeUnknown, "300 what"),
    ],
)
def test_only_a_reply_to_the_final_dot_tells(recipient: str, error: type[ProviderError], words: str) -> None:
    async def main() -> None:
        async with sink() as relay:
            client = account(relay.port, reply_timeout_s=0.1 if recipient.startswith("silent") else 10.0)
            with pytest.raises(error, match=words) as caught:
                await send(client, recipient)
            assert caught.value.maybe_sent is (error is OutcomeUnknown)
            await send(client)
            await client.close()
            assert relay.mails[-1].rcpt_tos == ["ann@b.example"], "the account goes on"

    asyncio.run(main())


def lines(*replies: bytes, then_wait: bool = False) -> Any:
    """Greet, and give a reply to each line; then close, or wait."""

    def play(server: Scripted) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for number, reply in enumerate(replies):
                if number:
                    await reader.readuntil(b"\r\n")
                writer.write(reply)
                await writer.drain()
            if then_wait:
                await asyncio.Event().wait()

        return script

    return play


HELLO = (b"220 relay\r\n", b"250 relay\r\n")


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ((), ProviderUnavailable),
        ((b"554 no service\r\n",), ProviderDenied),
        ((b"421 busy\r\n",), ProviderUnavailable),
        ((b"HTTP/1.1 400 Bad Request\r\n",), ProviderUnavailable),
        ((b"220 relay\r\n",), ProviderUnavailable),
        ((b"220 relay\r\n", b"550 not you\r\n"), ProviderDenied),
        (HELLO, ProviderUnavailable),
        ((*HELLO, b"530 5.7.0 authentication required\r\n"), ProviderDenied),
        ((*HELLO, b"552 too big\r\n"), ProviderRefused),
        ((*HELLO, b"451 later\r\n"), ProviderUnavailable),
        ((*HELLO, b"250 ok\r\n"), ProviderUnavailable),
        ((*HELLO, b"250 ok\r\n", b"250 ok\r\n"), ProviderUnavailable),
        ((*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"554 no\r\n"), ProviderRefused),
        ((*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"250 not 354\r\n"), ProviderUnavailable),
        ((*HELLO, b"x" * 100_000), ProviderUnavailable),
    ],
    ids=lambda value: str(len(value)) + value[-1].decode()[:12].strip() if isinstance(value, tuple) and value else None,
)
@pytest.mark.parametrize("then_wait", [False, True])
def test_whatever_fails_before_the_final_dot_is_certainly_not_sent(
    replies: Sequence[bytes], error: type[ProviderError], then_wait: bool
) -> None:
    async def main() -> None:
        async with scripted(lines(*replies, then_wait=then_wait)) as server:
            client = account(server.port, command_timeout_s=0.1 if then_wait else 10.0)
            if then_wait and not replies:
                client = account(server.port, command_timeout_s=0.1, connect_timeout_s=0.1)
            with pytest.raises(error) as caught:
                await send(client)
            assert not caught.value.maybe_sent
            await client.close()

    asyncio.run(main())


def test_a_relay_that_hangs_up_amid_the_mail_has_not_got_it() -> None:
    def play(server: Scripted) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await lines(*HELLO, b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n")(server)(reader, writer)
            await reader.readexactly(1000)
            writer.transport.abort()

        return script

    async def main() -> None:
        async with scripted(play) as server:
            client = account(server.port)
            message = replace(MESSAGE, attachments=(Attachment("a", bytes(20_000_000)),))
            with pytest.raises(ProviderUnavailable):
                await send(client, message=message)
            await client.close()

    asyncio.run(main())


def test_a_port_that_nobody_listens_on_is_certainly_not_sent() -> None:
    async def main() -> None:
        async with sink() as relay:
            port = relay.port
        with pytest.raises(ProviderUnavailable):
            await send(account(port))

    asyncio.run(main())


def test_starttls_and_login(tls: Tls) -> None:
    async def main() -> None:
        async with sink(tls_context=tls.server, require_starttls=True, auth_required=True) as relay:
            client = account(relay.port, login="user:p%40ss%3Aw%2Ford@", tls=tls.client)
            await send(client)
            await client.close()
            assert (relay.over_tls, relay.logins) == ([True], [PASSWORD.encode()])

    asyncio.run(main())


def test_it_works_on_the_event_loop_that_the_server_runs_on(tls: Tls) -> None:
    async def main() -> None:
        async with sink(tls_context=tls.server, data_size_limit=None) as relay:
            client = account(relay.port, tls=tls.client)
            await send(client, message=replace(MESSAGE, attachments=(Attachment("a", bytes(3_000_000)),)))
            relay.hang_up()
            with pytest.raises(OutcomeUnknown):
                await send(client, "drop@b.example")
            with pytest.raises(ProviderUnavailable, match="451"):
                await send(client, "busy@b.example")
            await client.close()
            assert len(relay.mails) == 2

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_tls_from_the_first_byte_and_login(tls: Tls) -> None:
    async def main() -> None:
        async with sink(implicit=tls.server, auth_require_tls=False) as relay:
            client = account(relay.port, scheme="smtps", login="user:p%40ss%3Aw%2Ford@", tls=tls.client)
            await send(client)
            await client.close()
            assert relay.logins == [PASSWORD.encode()]

    asyncio.run(main())


def test_tls_is_used_wherever_it_is_offered(tls: Tls) -> None:
    async def main() -> None:
        async with sink(tls_context=tls.server) as relay:
            client = account(relay.port, tls=tls.client)
            await send(client)
            await client.close()
            assert relay.over_tls == [True]

    asyncio.run(main())


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_that_nobody_vouches_for_is_not_accepted(tls: Tls, scheme: str) -> None:
    async def main() -> None:
        options = {"implicit": tls.server} if scheme == "smtps" else {"tls_context": tls.server}
        async with sink(**options) as relay:
            client = account(relay.port, scheme=scheme, login="user:secret-word@")
            with pytest.raises(ProviderUnavailable, match="certificate"):
                await send(client)
            assert (relay.mails, relay.logins) == ([], [])

    asyncio.run(main())


def test_no_password_is_sent_without_tls() -> None:
    async def main() -> None:
        async with sink(auth_require_tls=False) as relay:
            with pytest.raises(ProviderDenied, match="no TLS"):
                await send(account(relay.port, login="user:secret-word@"))
            assert (relay.mails, relay.logins) == ([], [])

    asyncio.run(main())


def test_a_wrong_password_is_said_without_showing_it(tls: Tls) -> None:
    async def main() -> None:
        async with sink(tls_context=tls.server) as relay:
            with pytest.raises(ProviderAuthFailed) as caught:
                await send(account(relay.port, login="user:secret-word@", tls=tls.client))
            assert "secret-word" not in str(caught.value)
            assert relay.mails == []

    asyncio.run(main())


@pytest.mark.parametrize("takes_utf8", [True, False])
def test_addresses_beyond_ascii_need_a_relay_that_takes_them(takes_utf8: bool) -> None:
    async def main() -> None:
        async with sink(enable_SMTPUTF8=takes_utf8) as relay:
            client = account(relay.port)
            if takes_utf8:
                await send(client, "用户@bücher.example")
                assert relay.mails[0].rcpt_tos == ["用户@xn--bcher-kva.example"]
            else:
                with pytest.raises(ProviderRefused, match="ASCII"):
                    await send(client, "用户@b.example")
                await send(client, "user@bücher.example")
                assert relay.mails[0].rcpt_tos == ["user@xn--bcher-kva.example"]
            await client.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "relay"),
    [
        ("smtp://h", Relay("h", 25, False)),
        ("smtp://u:p@h", Relay("h", 587, False, "u", "p")),
        ("smtps://u%40a:p%3A@h/", Relay("h", 465, True, "u@a", "p:")),
        ("smtp://[::1]:2525", Relay("::1", 2525, False)),
    ],
)
def test_a_relay_is_named_by_a_url(url: str, relay: Relay) -> None:
    assert parse_relay(url) == relay
    assert "p:" not in repr(relay)


@pytest.mark.parametrize(
    "url", ["", "h:25", "http://h", "smtp://", "smtp://u@h", "smtp://:p@h", "smtp://h:x", "smtp://h/path", "smtp://h?a"]
)
def test_a_url_that_names_no_relay_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="relay"):
        parse_relay(url)


@pytest.mark.parametrize(
    ("sender", "recipient"),
    [
        ("a@b.example>\r\nRCPT TO:<x@y.example", "ann@b.example"),
        ("a@b.example", "ann@b.example> SIZE=1"),
        ("a@b.example", "ann@b.example\r\nDATA"),
    ],
)
def test_an_address_never_becomes_a_command(sender: str, recipient: str) -> None:
    with pytest.raises(InvalidOutbound):
        account(25).prepare(OutboundMessage(from_addr=sender, to=("ann@b.example",), raw=RAW), [recipient])


def test_a_relay_cannot_be_asked() -> None:
    for asked in (account(25).status("1"), account(25).usage()):
        with pytest.raises(CannotDo):
            asyncio.run(asked)
