"""Hostile input in every state of the dialogue."""

import asyncio
import gc
import logging
import os
import random
import re
import time
from pathlib import Path

import pytest

from tempmail.smtp.options import SmtpOptions
from tempmail.smtp.session import COMMANDS, HTTP_VERBS, SmtpSession
from tests.smtp.serving import PATIENCE_S, Certificates, Client, LoopFactory, Serving, run, serving

CLIENTS = 8
MEMORY_SLACK_BYTES = 30_000_000

REPLY_LINE = re.compile(rb"[2-5][0-9][0-9][ -][\x20-\x7e]*\r\n")
ENHANCED = re.compile(rb"([245])[0-9][0-9] \1\.[0-9]{1,3}\.[0-9]{1,3} ")
# A greeting, an answer to HELO or EHLO, and 354 carry no enhanced code.
PLAIN = re.compile(rb"220 mx|250[ -](mx|PIPE|SIZE|8BIT|SMTPUTF8|ENH|STARTTLS|HELP)|354 ")

TO_MAIL = b"EHLO c.example\r\nMAIL FROM:<a@b.example> SMTPUTF8\r\n"
TO_RCPT = TO_MAIL + b"RCPT TO:<box@temp.example.com>\r\n"
STATES = (b"", b"EHLO c.example\r\n", TO_MAIL, TO_RCPT, TO_RCPT + b"DATA\r\n", TO_RCPT + b"DATA\r\nx\r\n.\r\n")

WORDS = [
    *(verb.encode() for verb in COMMANDS),
    *HTTP_VERBS,
    *(b"FROM:<a@b.example>", b"TO:<box@temp.example.com>", b"FROM:<>", b"TO:<unknown@temp.example.com>"),
    *(b"TO:<full@temp.example.com>", b"FROM:<down@b.example>", b"SIZE=777", b"SIZE=99999999999", b"BODY=8BITMIME"),
    *(b"SMTPUTF8", b"<", b">", b"@", b'"', b"\\", b"[IPv6:::1]", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2"),
    *("<盒子@例え.example>".encode(), b"\xff\xfe", b"\0", b"\x16\x03\x01\x00\x05", b"x" * 1020, b"y" * 70_000),
]
ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n", b"\r\n.\r\n", b"\n.\n", b".", b"", b"\0\r\n"]


def garbage(chance: random.Random) -> bytes:
    """A few lines: whole commands, commands of wrong words, or plain noise."""
    lines = []
    for _ in range(chance.randint(1, 12)):
        kind = chance.random()
        if kind < 0.2:
            line = chance.randbytes(chance.randint(0, 200))
        elif kind < 0.4:
            line = chance.choice(STATES)
        else:
            line = b" ".join(chance.choices(WORDS, k=chance.randint(1, 4)))
        lines.append(line + chance.choice(ENDS))
    return b"".join(lines)


async def check_replies(client: Client) -> None:
    """Read to the end; every line must be a reply."""
    while True:
        try:
            line = await client.reader.readline()
        except OSError:  # reset, or TLS that ended in the middle
            return
        if not line:
            return
        assert REPLY_LINE.fullmatch(line), line
        assert ENHANCED.match(line) or PLAIN.match(line), line


async def one_session(host: Serving, certificates: Certificates, chance: random.Random) -> None:
    async with host.client() as client:
        with_tls = chance.random() < 0.1
        if with_tls:
            await client.reply()
            assert (await client.ask(b"STARTTLS"))[:3] == "220"
            if chance.random() < 0.5:
                await client.send(garbage(chance))
                client.writer.transport.abort()
                return
            await client.start_tls(certificates.client)
        reading = asyncio.create_task(check_replies(client))
        try:
            sent = chance.choice(STATES) + garbage(chance)
            cuts = sorted(chance.choices(range(len(sent) + 1), k=chance.randint(0, 5)))
            for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
                await client.send(sent[start:end])
            if chance.random() < 0.3:
                client.writer.transport.abort()
            elif with_tls:
                client.writer.close()
            else:
                client.writer.write_eof()
        except (OSError, RuntimeError):
            pass  # the server has hung up already, as it may
        async with asyncio.timeout(PATIENCE_S):
            await reading


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def sessions_in_memory() -> int:
    gc.collect()
    return sum(isinstance(thing, SmtpSession) for thing in gc.get_objects())


async def fuzz(certificates: Certificates, *, seed: int, sessions: int, seconds: float) -> None:
    options = SmtpOptions(hostname="mx.temp.example.com", max_message_bytes=50_000, max_errors=20)
    async with serving(options, tls=certificates.server) as host:
        stop_at = time.monotonic() + seconds
        memory: list[int] = []

        async def client(number: int) -> None:
            chance = random.Random(f"{seed}/{number}")
            done = 0
            while done < sessions or time.monotonic() < stop_at:
                await one_session(host, certificates, chance)
                done += 1
                host.receiver.mails.clear()
                host.receiver.asked.clear()
                host.receiver.admitted.clear()
                if done % sessions == 0:
                    memory.append(resident_bytes())

        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(client(number))
        await host.until_sessions(0)
        async with host.client() as good:
            await good.reach_data()
            assert (await good.ask(b"still here\r\n."))[:3] == "250"
            assert host.receiver.mails[0].raw == b"still here\r\n"
        assert memory[-1] - memory[0] < MEMORY_SLACK_BYTES, memory
    assert sessions_in_memory() == 0


@pytest.fixture(autouse=True)
def only_errors_are_captured(caplog: pytest.LogCaptureFixture) -> None:
    """A captured warning would keep its exception, and that its session, alive."""
    caplog.set_level(logging.ERROR, logger="tempmail.smtp")


def test_no_input_breaks_a_session(loop_factory: LoopFactory, certificates: Certificates) -> None:
    run(fuzz(certificates, seed=1, sessions=120, seconds=0), loop_factory)


@pytest.mark.soak
def test_no_input_breaks_a_session_for_long(loop_factory: LoopFactory, certificates: Certificates) -> None:
    run(fuzz(certificates, seed=int(time.time()), sessions=100, seconds=60), loop_factory)
