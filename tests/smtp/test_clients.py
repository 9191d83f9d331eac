"""Real clients, and mails of real size."""

import asyncio
import shutil
import smtplib
from email.message import EmailMessage

import pytest

from tempmail.metrics import Board
from tempmail.smtp.options import SmtpOptions
from tests.require import require
from tests.smtp.serving import PATIENCE_S, LoopFactory, RememberingCounters, RememberingReceiver, run, serving

LARGE = b"".join(b"%07d %s\r\n" % (number, b"x" * 66) for number in range(100_000)) + b".dot\r\n"


async def output_of(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(3 * PATIENCE_S):
        output, _ = await process.communicate()
    assert process.returncode == 0, output
    return output.decode()


def test_smtplib_sends_several_mails_in_one_session(loop_factory: LoopFactory) -> None:
    message = EmailMessage()
    message["Subject"] = "Your code"
    message["From"] = "shop@b.example"
    message["To"] = "box@temp.example.com, Other <other@temp.example.com>"
    message.set_content("482910\n.\n..\n.end\n")

    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE_S) as client:
            for _ in range(3):
                assert client.send_message(message) == {}
            refused = client.sendmail("a@b.example", ["box@temp.example.com", "x@elsewhere.example"], "text\r\n")
            assert list(refused) == ["x@elsewhere.example"]

    async def main() -> None:
        async with serving() as host:
            await asyncio.to_thread(send, host.port)
            assert len(host.receiver.mails) == 4
            first = host.receiver.mails[0]
            assert first.raw.endswith(b"\r\n\r\n482910\r\n.\r\n..\r\n.end\r\n")
            assert [recipient.exact for recipient in first.recipients] == [
                "box@temp.example.com",
                "other@temp.example.com",
            ]

    run(main(), loop_factory)


def test_smtplib_sends_non_ascii_addresses(loop_factory: LoopFactory) -> None:
    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE_S) as client:
            client.ehlo()
            client.sendmail("käse@b.example", ["盒子@temp.example.com"], "text\r\n", mail_options=["SMTPUTF8"])

    async def main() -> None:
        async with serving() as host:
            await asyncio.to_thread(send, host.port)
            [mail] = host.receiver.mails
            assert (mail.envelope_from, mail.recipients[0].address) == ("käse@b.example", "盒子@temp.example.com")
            assert (mail.smtputf8, mail.protocol) == (True, "UTF8SMTP")

    run(main(), loop_factory)


def test_a_large_mail_is_kept_whole_and_the_others_have_their_turns(loop_factory: LoopFactory) -> None:
    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE_S) as client:
            client.sendmail("a@b.example", ["box@temp.example.com"], LARGE)

    async def main() -> None:
        async with serving() as host, host.client() as neighbour:
            await neighbour.reply()
            sending = asyncio.create_task(asyncio.to_thread(send, host.port))
            turns = 0
            while not sending.done():
                assert (await neighbour.ask(b"NOOP"))[:3] == "250"
                turns += 1
            await sending
            assert host.receiver.mails[0].raw == LARGE
            assert turns >= len(LARGE) // 1_000_000

    run(main(), loop_factory)


def test_a_client_that_has_closed_its_side_still_gets_its_reply(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        receiver = RememberingReceiver(may_commit=asyncio.Event())
        async with serving(receiver=receiver) as host, host.client() as client:
            await client.reach_data()
            await client.send(b"text\r\n.\r\n")
            client.writer.write_eof()
            [session] = host.sessions
            async with asyncio.timeout(PATIENCE_S):
                await receiver.is_committing.wait()
                while not session.is_eof:  # noqa: ASYNC110 nothing else shows that the end has arrived
                    await asyncio.sleep(0)
            assert receiver.may_commit is not None
            receiver.may_commit.set()
            assert [reply[:3] for reply in await client.replies()] == ["250"]

    run(main(), loop_factory)


def test_what_a_session_counts_are_declared_metrics(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        options = SmtpOptions(hostname="mx.temp.example.com", max_message_bytes=10)
        async with serving(options) as host, host.client() as client:
            await client.reach_data()
            await client.ask(b".")
            await client.send(
                b"MAIL FROM:<a@b.example>\r\nRCPT TO:<box@temp.example.com>\r\nDATA\r\n12345678901\r\n.\r\n"
            )
            host.server.sweep()
            assert host.counters.counts["smtp_sessions", ""] == 1
            await client.ask(b"QUIT")
            counters: RememberingCounters = host.counters
        assert counters.counts["smtp_sessions", ""] == 0
        metrics = Board(1).slot(0)
        for (name, label), number in counters.counts.items():
            metrics.add(name, number, label)

    run(main(), loop_factory)


def test_swaks_is_served(loop_factory: LoopFactory) -> None:
    require("swaks", available=shutil.which("swaks") is not None, why="it is not installed")

    async def main() -> None:
        async with serving() as host:
            arguments = ["--server", f"127.0.0.1:{host.port}", "--from", "a@b.example", "--to", "box@temp.example.com"]
            for more in ([], ["--pipeline"], ["--protocol", "SMTP"]):
                assert "250 2.0.0 Ok: stored" in await output_of("swaks", *arguments, *more)
            assert len(host.receiver.mails) == 3

    run(main(), loop_factory)


@pytest.mark.parametrize("reuse", [[], ["-d"]], ids=["new-connections", "reused-connections"])
def test_smtp_source_is_served(reuse: list[str], loop_factory: LoopFactory) -> None:
    tool = shutil.which("smtp-source") or shutil.which("smtp-source", path="/usr/sbin")
    require("smtp-source", available=tool is not None, why="postfix's test tools are not installed")

    async def main() -> None:
        async with serving() as host:
            counts = ["-s", "8", "-m", "200", "-l", "5000"]
            addresses = ["-f", "a@b.example", "-t", "box@temp.example.com"]
            await output_of(str(tool), *reuse, *counts, *addresses, f"127.0.0.1:{host.port}")
            assert len(host.receiver.mails) == 200

    run(main(), loop_factory)
