"""Every limit at n and at n + 1."""

import asyncio

import pytest

from tempmail.clock import FakeClock
from tempmail.smtp.data import DISCARD_FACTOR
from tempmail.smtp.options import SmtpOptions
from tempmail.smtp.wire import HIGH_WATER, LINE_LIMIT, LINGER_S
from tests.smtp.serving import PATIENCE_S, LoopFactory, RememberingReceiver, run, serving


def test_one_connection_too_many_in_all_is_told_so(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving(max_connections=2) as host:
            async with host.client() as first, host.client() as second, host.client() as third:
                assert (await first.reply())[:3] == "220"
                assert (await second.reply())[:3] == "220"
                assert (await third.replies()) == ["421 4.3.2 Too many connections, try again later"]
            await host.until_sessions(0)
            async with host.client() as again:
                assert (await again.reply())[:3] == "220"
            assert host.counters.counts["smtp_connections_total", "accepted"] == 3
            assert host.counters.counts["smtp_connections_total", "refused"] == 1

    run(main(), loop_factory)


def test_one_connection_too_many_from_an_address_is_told_so(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving(max_connections_per_address=2) as host, host.client() as first, host.client() as second:
            assert (await first.reply())[:3] == "220"
            assert (await second.reply())[:3] == "220"
            async with host.client() as third, host.client(source="127.0.0.2") as neighbour:
                assert (await third.replies()) == ["421 4.7.0 Too many connections from your address"]
                assert (await neighbour.reply())[:3] == "220"

    run(main(), loop_factory)


def test_a_command_line_of_the_limit_is_obeyed_and_one_octet_more_is_not(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reply()
            fits = b"NOOP " + b"x" * (LINE_LIMIT - len(b"NOOP \r\n"))
            assert (await client.ask(fits)) == "250 2.0.0 Ok"
            assert (await client.ask(fits + b"x")) == "500 5.5.2 Command line too long"
            assert (await client.ask(b"NOOP")) == "250 2.0.0 Ok"

    run(main(), loop_factory)


@pytest.mark.parametrize("size", [LINE_LIMIT * 3, HIGH_WATER, HIGH_WATER * 5])
def test_a_line_too_long_is_one_error_however_it_comes(size: int, loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reply()
            line = b"NOOP " + b"x" * size
            await client.send(line[:700], line[700:2000], line[2000:] + b"\r\nNOOP\r\n")
            assert (await client.reply()) == "500 5.5.2 Command line too long"
            assert (await client.reply()) == "250 2.0.0 Ok"

    run(main(), loop_factory)


@pytest.mark.parametrize("dots", [b"", b"..\r\n"], ids=["plain", "stuffed"])
def test_a_mail_of_the_limit_is_kept_and_one_octet_more_is_refused(dots: bytes, loop_factory: LoopFactory) -> None:
    async def main() -> None:
        options = SmtpOptions(hostname="mx.temp.example.com", max_message_bytes=1000)
        async with serving(options) as host, host.client() as client:
            await client.reach_data()
            stored_dots = dots.replace(b"..", b".")
            fits = b"x" * (1000 - len(stored_dots) - 2)
            assert (await client.ask(dots + fits + b"\r\n."))[:9] == "250 2.0.0"
            assert host.receiver.mails[-1].raw == stored_dots + fits + b"\r\n"
            await client.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<box@temp.example.com>\r\nDATA\r\n")
            assert [(await client.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
            assert (await client.ask(dots + fits + b"x\r\n."))[:9] == "552 5.3.4"
            assert len(host.receiver.mails) == 1
            assert (await client.ask(b"NOOP")) == "250 2.0.0 Ok"
            assert host.counters.counts["smtp_mails_total", "refused"] == 1

    run(main(), loop_factory)


def test_a_mail_that_does_not_end_is_cut_off(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        options = SmtpOptions(hostname="mx.temp.example.com", max_message_bytes=1000)
        async with serving(options) as host, host.client() as client:
            await client.reach_data()
            await client.send(b"x" * (1 + DISCARD_FACTOR * 1000), b"still talking\r\n")
            assert (await client.reply()) == "552 5.3.4 The mail is far larger than this server takes, closing"
            assert (await client.reply()) == ""
            assert host.receiver.mails == []

    run(main(), loop_factory)


def test_the_announced_size_is_passed_on(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reply()
            await client.ask(b"EHLO client.example")
            await client.ask(b"MAIL FROM:<a@b.example> SIZE=12345")
            await client.ask(b"RSET")
            await client.ask(b"MAIL FROM:<a@b.example>")
            assert host.receiver.admitted == [12345, 0]

    run(main(), loop_factory)


def test_an_idle_session_is_told_so_after_the_timeout_and_not_before(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        clock = FakeClock()
        async with serving(clock=clock) as host, host.client() as client:
            await client.reply()
            clock.advance(299)
            host.server.sweep()
            assert (await client.ask(b"NOOP")) == "250 2.0.0 Ok"
            clock.advance(299)
            host.server.sweep()
            assert (await client.ask(b"NOOP")) == "250 2.0.0 Ok"
            clock.advance(300)
            host.server.sweep()
            assert (await client.replies()) == ["421 4.4.2 Timeout: nothing came for too long, closing"]

    run(main(), loop_factory)


@pytest.mark.parametrize("piece", [b"N", b"x" * (LINE_LIMIT + 1)], ids=["octet", "too-long"])
def test_a_command_piece_by_piece_gets_no_more_time(piece: bytes, loop_factory: LoopFactory) -> None:
    async def main() -> None:
        clock = FakeClock()
        async with serving(clock=clock) as host, host.client() as client, host.client() as witness:
            await client.reply()
            await witness.reply()
            assert (await client.ask(b"NOOP")) == "250 2.0.0 Ok"
            for _ in range(4):
                await client.send(piece)
                # By the time of this reply the piece has arrived too.
                assert (await witness.ask(b"NOOP")) == "250 2.0.0 Ok"
                clock.advance(80)
                host.server.sweep()
            assert (await client.replies()) == ["421 4.4.2 Timeout: nothing came for too long, closing"]

    run(main(), loop_factory)


def test_a_mail_that_stops_coming_is_given_up(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        clock = FakeClock()
        async with serving(clock=clock) as host, host.client() as client:
            await client.reach_data()
            clock.advance(300)
            host.server.sweep()
            assert (await client.replies()) == ["421 4.4.2 Timeout: the mail took too long and was not kept, closing"]
            assert host.receiver.mails == []

    run(main(), loop_factory)


def test_a_mail_that_trickles_is_given_up_after_the_whole_time(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        clock = FakeClock()
        options = SmtpOptions(hostname="mx.temp.example.com", data_timeout_s=600)
        async with serving(options, clock=clock) as host, host.client() as client:
            await client.reach_data()
            [session] = host.sessions
            for _ in range(2):
                clock.advance(290)
                host.server.sweep()
                before = session.deadline
                await client.send(b"x")
                async with asyncio.timeout(PATIENCE_S):
                    while session.deadline == before:  # noqa: ASYNC110 the byte has no other visible effect
                        await asyncio.sleep(0)
            clock.advance(20)
            host.server.sweep()
            assert (await client.reply())[:9] == "421 4.4.2"

    run(main(), loop_factory)


def test_a_client_that_reads_no_replies_is_made_to_wait_then_cut_off(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        clock = FakeClock()
        async with serving(clock=clock) as host, host.client() as client:
            [session] = host.sessions
            assert session.transport is not None
            async with asyncio.timeout(PATIENCE_S):
                while session.transport.is_reading() or session.deadline == float("inf"):
                    if client.writer.transport.get_write_buffer_size() == 0:
                        client.writer.write(b"HELP\r\n" * 1000)
                    await asyncio.sleep(0)
            assert host.server.session_count == 1
            clock.advance(300)
            host.server.sweep()
            await host.until_sessions(0)
            client.writer.transport.abort()

    run(main(), loop_factory)


def test_who_keeps_sending_after_the_end_is_not_listened_to_for_long(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        clock = FakeClock()
        options = SmtpOptions(hostname="mx.temp.example.com", max_errors=0)
        async with serving(options, clock=clock) as host, host.client() as client:
            await client.reply()
            await client.send(b"WHAT\r\n" * 1000)
            assert (await client.replies()) == ["421 4.7.0 Too many errors, closing"]
            assert host.server.session_count == 1
            await client.send(b"WHAT\r\n" * 1000)
            clock.advance(LINGER_S)
            host.server.sweep()
            await host.until_sessions(0)

    run(main(), loop_factory)


def test_a_session_under_way_is_not_timed_out_by_a_slow_commit(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        clock = FakeClock()
        receiver = RememberingReceiver(may_commit=asyncio.Event())
        async with serving(clock=clock, receiver=receiver) as host, host.client() as client:
            await client.reach_data()
            await client.send(b".\r\n")
            await receiver.is_committing.wait()
            clock.advance(10_000)
            host.server.sweep()
            assert receiver.may_commit is not None
            receiver.may_commit.set()
            assert (await client.reply())[:3] == "250"

    run(main(), loop_factory)


def test_a_flood_of_commands_does_not_starve_a_neighbour(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as flood, host.client() as neighbour:
            await flood.reply()
            await neighbour.reply()
            commands = HIGH_WATER // len(b"NOOP\r\n")
            flood.writer.write(b"NOOP\r\n" * commands)
            answers = asyncio.create_task(flood.reader.readexactly(commands * len(b"250 2.0.0 Ok\r\n")))
            for _ in range(5):
                assert (await neighbour.ask(b"NOOP")) == "250 2.0.0 Ok"
            assert not answers.done()
            async with asyncio.timeout(PATIENCE_S):
                await answers

    run(main(), loop_factory)
