"""One DATA is one mail, whatever the line ends in it pretend (CVE-2023-51764 and its kin)."""

import pytest

from tests.smtp.serving import LoopFactory, run, serving
from tests.smtp.test_data_reader import NOT_TERMINATORS, reference

SMUGGLED = b"MAIL FROM:<evil@b.example>\r\nRCPT TO:<box@temp.example.com>\r\nDATA\r\nsmuggled\r\n"


def test_no_fake_end_lets_a_second_mail_in(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reply()
            assert (await client.ask(b"HELO client.example"))[:3] == "250"
            for fake in NOT_TERMINATORS:
                await client.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<box@temp.example.com>\r\nDATA\r\n")
                assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
                await client.send(b"one" + fake + SMUGGLED + b".\r\n")
                assert (await client.reply())[:3] == "250"
                assert host.receiver.mails[-1].envelope_from == "a@b.example"
            assert len(host.receiver.mails) == len(NOT_TERMINATORS)

    run(main(), loop_factory)


def test_every_cut_of_the_end_is_the_end(loop_factory: LoopFactory) -> None:
    body = b"text\r\n..dot\r\nmore\r\n.\r\n"

    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reply()
            await client.ask(b"HELO client.example")
            for cut in range(1, len(body)):
                await client.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<box@temp.example.com>\r\nDATA\r\n")
                assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
                await client.send(body[:cut], body[cut:])
                assert (await client.reply())[:3] == "250"
                assert host.receiver.mails[-1].raw == b"text\r\n.dot\r\nmore\r\n"

    run(main(), loop_factory)


def test_a_body_byte_by_byte_is_the_same_mail(loop_factory: LoopFactory) -> None:
    body = b".\r.\n.\r\r\n..\r\n\n.\n.\r\n\r\n.\r\n"

    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reach_data()
            await client.send(*(bytes([byte]) for byte in body))
            assert (await client.reply())[:3] == "250"
            assert (host.receiver.mails[-1].raw, b"") == reference(body)

    run(main(), loop_factory)


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\r\n", b"\n\r"], ids=repr)
def test_a_command_with_another_line_end_is_not_obeyed(ending: bytes, loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reply()
            await client.ask(b"HELO client.example")
            await client.send(b"MAIL FROM:<a@b.example>" + ending + b"NOOP\r\n")
            first = await client.reply()
            assert first.startswith("500 5.5.2")
            # Whatever became of the NOOP, no transaction was opened.
            await client.send(b"RCPT TO:<box@temp.example.com>\r\n")
            last = await client.reply()
            while last[:3] != "503":
                assert last[:3] in ("250", "500")
                last = await client.reply()

    run(main(), loop_factory)
