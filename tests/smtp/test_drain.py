"""A clean end: nothing that was promised is lost, nobody is kept waiting."""

import asyncio

import pytest

from tests.smtp.serving import PATIENCE_S, SERVED_DOMAIN, LoopFactory, RememberingReceiver, run, serving

GOODBYE = "421 4.3.2 Server is shutting down, try again soon"


def test_an_idle_session_is_told_at_once(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reply()
            await client.ask(b"HELO c.example")
            await host.server.drain(PATIENCE_S)
            assert (await client.replies()) == [GOODBYE]

    run(main(), loop_factory)


def test_nobody_is_let_in_any_more(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host:
            await host.server.drain(PATIENCE_S)
            with pytest.raises(ConnectionRefusedError):
                async with host.client():
                    pass

    run(main(), loop_factory)


def test_a_mail_on_its_way_is_taken_and_answered(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reach_data()
            await client.send(b"half ")
            drained = asyncio.create_task(host.server.drain(PATIENCE_S))
            await asyncio.sleep(0)
            await client.send(b"a mail\r\n.\r\n")
            assert (await client.reply())[:3] == "250"
            assert (await client.replies()) == [GOODBYE]
            await drained
            assert host.receiver.mails[0].raw == b"half a mail\r\n"

    run(main(), loop_factory)


def test_a_commit_under_way_is_answered(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        receiver = RememberingReceiver(may_commit=asyncio.Event())
        async with serving(receiver=receiver) as host, host.client() as client:
            await client.reach_data()
            await client.send(b".\r\n")
            await receiver.is_committing.wait()
            drained = asyncio.create_task(host.server.drain(PATIENCE_S))
            await asyncio.sleep(0)
            assert receiver.may_commit is not None
            receiver.may_commit.set()
            assert (await client.reply())[:3] == "250"
            assert (await client.replies()) == [GOODBYE]
            await drained

    run(main(), loop_factory)


def test_what_does_not_end_in_time_is_cut_off_and_not_kept(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reach_data()
            await client.send(b"half a mail")
            await host.server.drain(0)
            assert (await client.reply()) == ""
            assert host.receiver.mails == []

    run(main(), loop_factory)


def test_pipelined_commands_are_left_undone(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        receiver = RememberingReceiver(may_commit=asyncio.Event())
        async with serving(receiver=receiver) as host, host.client() as client:
            await client.reach_data()
            await client.send(b".\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<box@temp.example.com>\r\n")
            await receiver.is_committing.wait()
            drained = asyncio.create_task(host.server.drain(PATIENCE_S))
            await asyncio.sleep(0)
            assert receiver.may_commit is not None
            receiver.may_commit.set()
            assert (await client.reply())[:3] == "250"
            assert (await client.replies()) == [GOODBYE]
            client.writer.close()
            await drained
            assert receiver.asked == [f"box@{SERVED_DOMAIN}"]

    run(main(), loop_factory)


def test_a_client_that_left_while_its_mail_was_committed_harms_nothing(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        receiver = RememberingReceiver(may_commit=asyncio.Event())
        async with serving(receiver=receiver) as host:
            async with host.client() as client:
                await client.reach_data()
                await client.send(b"text\r\n.\r\nQUIT\r\n")
                await receiver.is_committing.wait()
                client.writer.transport.abort()
            assert host.server.session_count == 1
            assert receiver.may_commit is not None
            receiver.may_commit.set()
            await host.until_sessions(0)
            assert len(receiver.mails) == 1

    run(main(), loop_factory)


def test_a_client_that_left_within_data_leaves_nothing(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host:
            async with host.client() as client:
                await client.reach_data()
                await client.send(b"text\r\n.")
                client.writer.transport.abort()
            await host.until_sessions(0)
            assert host.receiver.mails == []

    run(main(), loop_factory)
