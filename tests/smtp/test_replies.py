"""The table from errors to replies."""

import pytest

from tempmail import errors
from tempmail.smtp import replies
from tempmail.smtp.replies import BY_ERROR, Reply, for_error
from tests.smtp.serving import SECRET, LoopFactory, run, serving


def leaves(root: type[Exception]) -> list[type[Exception]]:
    children = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    return [leaf for child in children for leaf in leaves(child)] if children else [root]


# Sending and mail to the future have no part in receiving: their errors would be answered like any other of their kind.
ELSEWHERE = (errors.ProviderError, errors.SendFailed, errors.Unprocessable)
RECEIVING = [error for error in leaves(errors.TempmailError) if not issubclass(error, ELSEWHERE)]


def make(error: type[Exception], text: str) -> Exception:
    if error is errors.ConfigError:
        return errors.ConfigError([text])
    if error is errors.Throttled:
        return errors.Throttled(text, retry_after_s=1)
    return error(text)


@pytest.mark.parametrize("error", RECEIVING)
def test_every_error_has_a_row_of_its_own(error: type[Exception]) -> None:
    assert error in BY_ERROR


@pytest.mark.parametrize("error", RECEIVING)
def test_temporary_is_4yz_and_permanent_is_5yz(error: type[Exception]) -> None:
    reply = for_error(make(error, "text"), "cid")
    family = 5 if issubclass(error, errors.Permanent) else 4
    assert reply.code // 100 == family
    assert reply.enhanced.startswith(f"{family}.")


@pytest.mark.parametrize("error", [errors.Transient, errors.StoreFull, errors.NoRoom, RuntimeError, KeyError, OSError])
def test_a_temporary_or_unexpected_error_says_its_cid_and_nothing_else(error: type[Exception]) -> None:
    reply = for_error(error(SECRET), "cid-1")
    assert "cid-1" in reply.text
    assert SECRET not in reply.text


def test_a_class_without_a_row_takes_its_ancestors() -> None:
    class Special(errors.NotServed):
        pass

    assert for_error(Special(), "cid") == BY_ERROR[errors.NotServed]


def test_the_text_of_a_permanent_error_is_passed_on() -> None:
    assert for_error(errors.UnknownMailbox("Create it first"), "cid").text == "Create it first"


@pytest.mark.parametrize("text", ["", "邮箱不存在", "a\r\n250 Ok", "tab\there", "x" * (replies.MAX_TEXT + 1)])
def test_a_text_that_fits_no_reply_is_replaced(text: str) -> None:
    assert for_error(errors.UnknownMailbox(text), "cid") == BY_ERROR[errors.UnknownMailbox]


def test_all_replies_fit_the_protocol() -> None:
    own = [value for value in vars(replies).values() if isinstance(value, Reply)] + list(BY_ERROR.values())
    for reply in own:
        assert len(reply.line) <= 512
        assert reply.line.endswith(b"\r\n")
        assert reply.enhanced == "" or reply.enhanced[0] == str(reply.code)[0]


def test_an_unexpected_error_is_451_and_its_cause_is_in_the_log_alone(
    expected_errors: pytest.LogCaptureFixture, loop_factory: LoopFactory
) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reach_data(sender=b"crash@b.example")
            reply = await client.ask(b".")
            assert reply.startswith("451 4.3.0 ")
            assert SECRET not in reply
            [record] = [record for record in expected_errors.records if record.levelname == "ERROR"]
            assert record.exc_info is not None
            assert str(record.exc_info[1]) == SECRET
            assert host.counters.counts["smtp_mails_total", "deferred"] == 1

    run(main(), loop_factory)


def test_a_stored_mail_is_described_whole(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reach_data()
            reply = await client.ask(b"Subject: x\r\n\r\n8-bit \xc3\xa9 and \xff\0\r\n.")
            [mail] = host.receiver.mails
            assert mail.raw == b"Subject: x\r\n\r\n8-bit \xc3\xa9 and \xff\0\r\n"
            assert reply == f"250 2.0.0 Ok: stored as {mail.cid}"
            assert (mail.envelope_from, mail.helo, mail.peer) == ("a@b.example", "client.example", "127.0.0.1")
            assert [recipient.address for recipient in mail.recipients] == ["box@temp.example.com"]
            assert (mail.protocol, mail.smtputf8) == ("ESMTP", False)
            assert host.counters.counts["smtp_bytes_total", ""] == len(mail.raw)

    run(main(), loop_factory)


def test_each_mail_has_its_own_cid(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        async with serving() as host, host.client() as client:
            await client.reply()
            await client.ask(b"HELO c.example")
            for _ in range(2):
                await client.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<box@temp.example.com>\r\nDATA\r\n.\r\n")
                assert [(await client.reply())[:3] for _ in range(4)] == ["250", "250", "354", "250"]
            first, second = host.receiver.mails
            assert first.cid != second.cid
            assert first.protocol == "SMTP"

    run(main(), loop_factory)
