"""What goes wrong on the way to a provider, over real HTTP: certainly not sent, or unknown; never in between."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from tempmail.adapters.providers.http import MAX_ANSWER_BYTES, Timeouts
from tempmail.clock import SystemClock
from tempmail.errors import (
    OutcomeUnknown,
    ProviderDenied,
    ProviderError,
    ProviderRateLimited,
    ProviderUnavailable,
)
from tempmail.ports.outbound import Provider
from tests.contract.provider_server import (
    Script,
    Scripted,
    answering,
    deaf,
    dripping,
    endless,
    resetting,
    scripted,
    silent,
)
from tests.providers import ACCOUNTS, MESSAGE, RECIPIENT, SECRET, Wiring

PATIENT = Timeouts()
IMPATIENT = Timeouts(connect_s=0.1, read_s=0.1)
TAKEN = {
    "resend": '{"id":"1"}',
    "sendflare": '{"success":true,"code":0,"data":{"id":"1"}}',
    "cyberpersons": '{"success":true,"data":{"message_id":"1"}}',
    "mail_push": '{"status":1,"data":{"task_id":1}}',
    "nobase": '{"code":200,"msg":"success","data":"邮件发送成功"}',
    "emailcar": '{"status":"success","data":{"return":{"id":1}}}',
}
ASKED = ["resend", "cyberpersons", "emailcar"]
providers = pytest.mark.parametrize("provider", ACCOUNTS)


def answer(status: str, body: str, *headers: str) -> bytes:
    data = body.encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(data)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


async def send(account: Provider) -> object:
    [call] = account.prepare(MESSAGE, [RECIPIENT])
    return await account.send(call, idempotency_key="k")


def failure(
    provider: str, play: Callable[[Scripted], Script], *, timeouts: Timeouts = PATIENT, tls: bool = False
) -> tuple[ProviderError, Scripted]:
    """The error of a mail sent to a server that plays `play`, and what the server saw."""

    async def main() -> tuple[ProviderError, Scripted]:
        async with scripted(play) as server:
            url = server.url.replace("http:", "https:") if tls else server.url
            account = ACCOUNTS[provider].build(Wiring(url, SystemClock(), timeouts=timeouts))
            try:
                with pytest.raises(ProviderError) as caught:
                    await send(account)
            finally:
                await account.close()
            return caught.value, server

    error, server = asyncio.run(main())
    assert SECRET not in str(error)
    return error, server


@providers
def test_a_mail_is_taken_in_one_request_that_names_us(provider: str) -> None:
    async def main() -> None:
        async with scripted(answering(answer("200 OK", TAKEN[provider]))) as server:
            account = ACCOUNTS[provider].build(Wiring(server.url + "/", SystemClock()))
            await send(account)
            await account.close()
            [request] = server.seen
            assert request.line.startswith("POST /")
            assert not request.line.startswith("POST //")
            assert request.headers["user-agent"] == "tempmail"
            assert request.headers["accept-encoding"] == "identity"

    asyncio.run(main())


@providers
def test_too_many_requests_says_how_long_to_wait(provider: str) -> None:
    error, _ = failure(provider, answering(answer("429 Too Many Requests", "", "Retry-After: 4")))
    assert isinstance(error, ProviderRateLimited)
    assert error.retry_after_s == 4.0 or provider == "cyberpersons"
    assert not error.maybe_sent


@providers
def test_a_port_that_nobody_listens_on_is_certainly_not_sent(provider: str) -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, but not listening: nobody else gets the port meanwhile
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
            account = ACCOUNTS[provider].build(Wiring(url, SystemClock()))
            with pytest.raises(ProviderUnavailable) as caught:
                await send(account)
            assert not caught.value.maybe_sent
            await account.close()

    asyncio.run(main())


@providers
def test_a_timeout_before_the_connection_stands_is_certainly_not_sent(provider: str) -> None:
    error, server = failure(provider, deaf, timeouts=Timeouts(connect_s=0.05, read_s=5.0), tls=True)
    assert isinstance(error, ProviderUnavailable)
    assert server.connections == 1


@providers
def test_an_answer_that_is_not_tls_is_certainly_not_sent(provider: str) -> None:
    def play(server: Scripted) -> Script:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(1)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()

        return script

    error, _ = failure(provider, play, tls=True)
    assert isinstance(error, ProviderUnavailable)


@providers
@pytest.mark.parametrize(
    "play",
    [
        silent,
        dripping,
        resetting(is_read_first=True),
        resetting(is_read_first=False),
        answering(b""),
        answering(b"HTTP/1.1 200"),
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b'{"id":"1"}'),
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
        answering(b"220 mail.example ESMTP\r\n"),
    ],
    ids=[
        "no answer in time",
        "an answer that never ends",
        "reset after the request",
        "reset within the request",
        "closed before the answer",
        "closed within the head",
        "closed within the body",
        "closed within a chunk",
        "another protocol",
    ],
)
def test_what_fails_after_the_request_left_is_unknown(provider: str, play: Callable[[Scripted], Script]) -> None:
    timeouts = IMPATIENT if play in (silent, dripping) else PATIENT
    error, server = failure(provider, play, timeouts=timeouts)
    assert isinstance(error, OutcomeUnknown)
    assert error.maybe_sent
    assert server.connections == 1, "nothing is repeated"


@providers
def test_a_page_instead_of_json_is_unknown(provider: str) -> None:
    error, _ = failure(provider, answering(answer("200 OK", "<html>Welcome</html>", "Content-Type: text/html")))
    assert isinstance(error, OutcomeUnknown)


@providers
@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
def test_credentials_do_not_follow_a_redirect(provider: str, status: str) -> None:
    async def main() -> None:
        async with scripted(answering(answer("200 OK", TAKEN[provider]))) as elsewhere:
            redirect = answering(answer(status, "", f"Location: {elsewhere.url}/x"))
            async with scripted(redirect) as server:
                account = ACCOUNTS[provider].build(Wiring(server.url, SystemClock()))
                with pytest.raises(ProviderDenied, match="redirect"):
                    await send(account)
                await account.close()
                assert (len(server.seen), elsewhere.connections) == (1, 0)

    asyncio.run(main())


@providers
def test_an_answer_without_an_end_is_read_to_64_kb_and_unknown(provider: str) -> None:
    error, server = failure(provider, endless)
    assert isinstance(error, OutcomeUnknown)
    # What the kernel holds of both sides comes on top of what is read.
    assert server.sent_bytes < MAX_ANSWER_BYTES + 16 * 1024 * 1024


@pytest.mark.parametrize("provider", ASKED)
@pytest.mark.parametrize("play", [resetting(is_read_first=True), answering(b""), endless])
def test_a_lookup_that_breaks_leaves_nothing_unknown(provider: str, play: Callable[[Scripted], Script]) -> None:
    async def main() -> None:
        async with scripted(play) as server:
            account = ACCOUNTS[provider].build(Wiring(server.url, SystemClock()))
            with pytest.raises(ProviderUnavailable):
                await account.status("1")
            with pytest.raises(ProviderUnavailable):
                await account.usage()
            await account.close()

    asyncio.run(main())


@providers
def test_many_at_once_share_one_account(provider: str) -> None:
    body = TAKEN[provider].encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    async def main() -> None:
        async with scripted(answering(head + body)) as server:
            account = ACCOUNTS[provider].build(Wiring(server.url, SystemClock()))
            async with asyncio.TaskGroup() as group:
                for _ in range(20):
                    group.create_task(send(account))
            await account.close()
            assert len(server.seen) == 20

    asyncio.run(main())


def test_the_environments_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with (
            scripted(answering(answer("200 OK", TAKEN["resend"]))) as server,
            scripted(answering(answer("200 OK", TAKEN["resend"]))) as proxy,
        ):
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            account = ACCOUNTS["resend"].build(Wiring(server.url, SystemClock()))
            await send(account)
            await account.close()
            assert (len(server.seen), proxy.connections) == (1, 0)

    asyncio.run(main())


@pytest.mark.parametrize("provider", ACCOUNTS)
def test_no_log_line_holds_a_credential(provider: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    failure(provider, answering(answer("401 Unauthorized", f'{{"message":"{SECRET}","msg":"{SECRET}"}}')))
    assert SECRET not in caplog.text
