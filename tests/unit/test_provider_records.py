"""What is kept and shown of answers: ids, records without credentials, lookups, usage, pace."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, quote_plus

import httpx
import pytest

from tempmail.adapters.providers.mail_push import MailPush
from tempmail.adapters.providers.nobase import Nobase
from tempmail.adapters.providers.resend import Resend
from tempmail.clock import FakeClock
from tempmail.domain.outbound import Delivery, SendResult, State
from tempmail.domain.routing import LABELS
from tempmail.errors import (
    CannotDo,
    InvalidOutbound,
    OutcomeUnknown,
    ProviderAuthFailed,
    ProviderError,
    ProviderRateLimited,
    ProviderUnavailable,
)
from tempmail.ports.outbound import Provider
from tests.providers import ACCOUNTS, MESSAGE, RECIPIENT, SECRET, SENDER, Wiring

DATA = Path(__file__).parent / "data"
Handler = Callable[[httpx.Request], httpx.Response]


def send(account: Provider, message_to: tuple[str, ...] = (RECIPIENT,)) -> SendResult:
    async def main() -> SendResult:
        [call] = account.prepare(replace(MESSAGE, to=message_to), message_to)
        return await account.send(call, idempotency_key="k")

    return asyncio.run(main())


def always(status: int, body: object, headers: Mapping[str, str] | None = None) -> Handler:
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return lambda request: httpx.Response(status, content=content, headers=headers)


def status(provider: str, handler: Handler, message_id: str = "1") -> Delivery:
    return asyncio.run(ACCOUNTS[provider].over(handler, FakeClock()).status(message_id))


def usage(provider: str, handler: Handler) -> Mapping[str, object]:
    return asyncio.run(
        ACCOUNTS[provider]
        .over(
            handler,
            FakeClock(),
        )
        .usage()
    )


# Ids


@pytest.mark.parametrize(
    "returned",
    [
        {"id": 873216184254383362, "ids": [873216184254383362, 873216184254383363]},
        {"ids": ["873216184254383362", "873216184254383363"]},
        {"id": [873216184254383362, 873216184254383363]},
        [873216184254383362, 873216184254383363],
        [{"id": 873216184254383362}, {"id": 873216184254383363}],
        {"0": {"id": 873216184254383362}, "1": {"id": 873216184254383363}},
    ],
    ids=str,
)
def test_emailcar_gives_each_recipient_its_own_exact_id(returned: object) -> None:
    answer = {"data": {"return": returned}, "msg": "邮件发送成功", "status": "success"}
    result = send(ACCOUNTS["emailcar"].over(always(200, answer), FakeClock()), ("a@b.example", "c@b.example"))
    assert result.message_id == "873216184254383362"
    assert result.by_recipient == {"a@b.example": "873216184254383362", "c@b.example": "873216184254383363"}


@pytest.mark.parametrize("returned", [{"id": 873216184254383362}, [873216184254383362], 873216184254383362])
def test_one_id_for_two_recipients_is_nobodys_own(returned: object) -> None:
    answer = {"data": {"return": returned}, "status": "success"}
    result = send(ACCOUNTS["emailcar"].over(always(200, answer), FakeClock()), ("a@b.example", "c@b.example"))
    assert (result.message_id, result.by_recipient) == ("873216184254383362", {})


# Records


@pytest.mark.parametrize("provider", ACCOUNTS)
@pytest.mark.parametrize("spelling", [SECRET, quote_plus(SECRET), json.dumps(SECRET)[1:-1]])
def test_an_answer_that_repeats_the_credential_is_recorded_without_it(provider: str, spelling: str) -> None:
    words = f"no such key: {spelling}"
    body = {
        "message": words,
        "msg": words,
        "data": words,
        "error": {"type": "t", "message": words},
        "status": "error",
        "code": 204,
        "success": False,
    }
    with pytest.raises(ProviderError) as caught:
        send(ACCOUNTS[provider].over(always(200, body), FakeClock()))
    assert spelling not in str(caught.value)


def test_a_taken_mails_record_is_masked_and_cut_to_4_kb() -> None:
    body = {"id": "1", "echo": SECRET, "more": "é" * 5000}
    result = send(ACCOUNTS["resend"].over(always(200, body), FakeClock()))
    assert SECRET not in result.raw
    assert "********" in result.raw
    assert 4094 <= len(result.raw.encode()) <= 4096


def test_words_of_a_provider_are_one_bounded_line() -> None:
    body = {"name": "validation_error", "message": "a\r\nb\u2028c\x1b[31m" + "d" * 1000 + "\ud800"}
    with pytest.raises(InvalidOutbound) as caught:
        send(ACCOUNTS["resend"].over(always(422, json.dumps(body).encode()), FakeClock()))
    assert str(caught.value).startswith("a b c [31mddd")
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("provider", ["resend", "sendflare", "cyberpersons", "mail_push"])
def test_what_is_compressed_unasked_is_not_unpacked(provider: str) -> None:
    handler = always(200, b"\x1f\x8b\x08\x00", {"content-encoding": "gzip"})
    with pytest.raises(OutcomeUnknown):
        send(ACCOUNTS[provider].over(handler, FakeClock()))


def test_a_key_that_no_header_can_hold_is_said_to_be_wrong() -> None:
    account = Resend(
        "key\r\nX-Other: 1", account="a", clock=FakeClock(), transport=httpx.MockTransport(always(200, {}))
    )
    with pytest.raises(ProviderAuthFailed):
        send(account)


@pytest.mark.parametrize("url", ["ftp://host", "host", "https://", "https://host/?a=b", "http://[::1"])
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Resend("k", account="a", base_url=url, clock=FakeClock())


def test_credentials_that_go_in_clear_text_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    for url, warnings in (("http://api.example", 1), ("https://api.example", 0), ("http://127.0.0.1:8080", 0)):
        caplog.clear()
        Resend(SECRET, account="a", base_url=url, clock=FakeClock())
        assert [record.msg for record in caplog.records] == ["provider.clear_text"] * warnings


def test_mail_push_needs_a_variable_for_subject_and_body() -> None:
    for variables in ({}, {"subject": "s"}, {"html": "h", "text": "t"}, {"subject": "s", "html": "h", "cc": "c"}):
        with pytest.raises(ValueError, match="variables"):
            MailPush("t", account="a", from_addr=SENDER, template=1, variables=variables, clock=FakeClock())


def test_nobase_needs_one_kind_of_login() -> None:
    for login in ({}, {"token": "t", "user": "1"}, {"user": "1"}, {"token": "t", "user": "1", "password": "p"}):
        with pytest.raises(ValueError, match="token"):
            Nobase("a", "s", account="a", from_addr=SENDER, clock=FakeClock(), **login)  # type: ignore[arg-type]


# Lookups


@pytest.mark.parametrize(
    ("event", "state"),
    [
        ("queued", State.ACCEPTED),
        ("scheduled", State.ACCEPTED),
        ("sent", State.ACCEPTED),
        ("delivered", State.DELIVERED),
        ("delivery_delayed", None),
        ("bounced", State.BOUNCED),
        ("complained", State.DELIVERED),
        ("failed", State.FAILED),
        ("suppressed", State.FAILED),
        ("canceled", State.FAILED),
        ("opened", None),
        ("clicked", None),
        ("a_word_of_tomorrow", None),
    ],
)
def test_resend_says_where_a_mail_is(event: str, state: State | None) -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.raw_path.decode()}")
        return httpx.Response(200, json={"object": "email", "id": "a/b", "last_event": event})

    assert status("resend", handler, "a/b?c") == Delivery(state, event)
    assert seen == ["GET /base/emails/a%2Fb%3Fc"]


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("sent", State.ACCEPTED),
        ("queued", State.ACCEPTED),
        ("delivered", State.DELIVERED),
        ("bounced", State.BOUNCED),
        ("undeliverable", State.BOUNCED),
        ("failed", State.FAILED),
        ("rejected", State.FAILED),
        ("complaint", State.DELIVERED),
        ("new", None),
    ],
)
@pytest.mark.parametrize("is_wrapped", [True, False])
def test_cyberpersons_says_where_a_mail_is(word: str, state: State | None, is_wrapped: bool) -> None:
    seen: list[str] = []
    mail = {"status": word, "bounce_reason": "mailbox full"}

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path.decode())
        return httpx.Response(200, json={"success": True, "data": mail} if is_wrapped else mail)

    assert status("cyberpersons", handler, "<1@mail.example>") == Delivery(state, word, "mailbox full")
    assert seen == ["/base/messages/%3C1%40mail.example%3E"]


@pytest.mark.parametrize("provider", ["resend", "cyberpersons"])
def test_a_mail_that_the_provider_does_not_know_is_no_news(provider: str) -> None:
    body = {"statusCode": 404, "message": "Email not found", "name": "not_found"}
    assert status(provider, always(404, body)) == Delivery(None, "not_found", "Email not found")


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["2"], Delivery(State.ACCEPTED, "2")),
        (["1"], Delivery(None, "1")),
        (["3"], Delivery(State.FAILED, "3", "no such user")),
        (["2", "1"], Delivery(None, "1")),
        (["2", "3"], Delivery(None, "3", "1 of 2 failed")),
        (["3", "3"], Delivery(State.FAILED, "3", "no such user")),
        (["9"], Delivery(None, "9")),
        ([], Delivery(None, "")),
    ],
)
@pytest.mark.parametrize("shape", ["object", "array", "with a stray return"])
def test_emailcar_lists_what_became_of_an_id(states: list[str], expected: Delivery, shape: str) -> None:
    mails = [{"status": state, "failure_msg": "no such user"} for state in states]
    numbered: dict[str, object] = {str(i): mail for i, mail in enumerate(mails)}
    if shape == "with a stray return":
        numbered["return"] = {"id": 873216184254383362}
    seen: list[list[tuple[str, str]]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/base/v1/mail/lists"
        seen.append(parse_qsl(request.content.decode()))
        return httpx.Response(200, json={"data": mails if shape == "array" else numbered, "status": "success"})

    assert status("emailcar", handler, "873216184254383362") == expected
    assert seen == [[("send_id", "873216184254383362"), ("page_size", "40"), ("api_user", "user"), ("api_pwd", SECRET)]]


def test_emailcars_printed_list_is_read_though_it_is_no_json() -> None:
    printed = (DATA / "emailcar_printed_list.txt").read_bytes()
    with pytest.raises(ValueError, match="Extra data"):
        json.loads(printed)
    assert status("emailcar", always(200, printed)) == Delivery(State.ACCEPTED, "2")


def test_emailcar_finds_nothing() -> None:
    answer = {"msg": "没有找到数据", "status": "error"}
    assert status("emailcar", always(200, answer)) == Delivery(None, "not_found", "EmailCar: 没有找到数据")


def test_emailcar_ids_are_digits() -> None:
    with pytest.raises(InvalidOutbound):
        status("emailcar", always(200, {}), "1&api_user=x")


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("resend", {"emails": [{"key": SECRET}], "used": 3}),
        ("cyberpersons", {"success": True, "data": {SECRET: 1, "emails_remaining": 3, "owner": {"key": SECRET}}}),
        ("emailcar", {"status": "success", "data": {"points": {"email": 3, "key": SECRET}, "total": {"key": SECRET}}}),
    ],
)
def test_usage_shows_no_credential(provider: str, body: object) -> None:
    shown = str(usage(provider, always(200, body)))
    assert repr(SECRET)[1:-1] not in shown
    assert ": 3" in shown


@pytest.mark.parametrize("provider", ["resend", "cyberpersons", "emailcar"])
@pytest.mark.parametrize("answer", [(500, b"oops"), (200, b"<html>"), (200, b"{}"), (502, b"")], ids=str)
def test_a_lookup_that_fails_leaves_nothing_unknown(provider: str, answer: tuple[int, bytes]) -> None:
    with pytest.raises(ProviderUnavailable):
        status(provider, always(*answer))
    if answer != (200, b"{}") or provider == "emailcar":
        with pytest.raises(ProviderUnavailable):
            usage(provider, always(*answer))


@pytest.mark.parametrize("provider", ["resend", "cyberpersons"])
def test_a_lookup_with_a_wrong_key_says_so(provider: str) -> None:
    with pytest.raises(ProviderAuthFailed):
        status(provider, always(401, {}))
    with pytest.raises(ProviderAuthFailed):
        usage(provider, always(401, {}))


@pytest.mark.parametrize("provider", ["sendflare", "mail_push", "nobase"])
def test_who_cannot_be_asked_says_so(provider: str) -> None:
    with pytest.raises(CannotDo, match=f"{LABELS[provider]} 渠道暂不支持此操作"):
        status(provider, always(500, b""))
    with pytest.raises(CannotDo):
        usage(provider, always(500, b""))


def test_usage_is_as_the_provider_words_it() -> None:
    plan = {"emails": {"daily": {"used": 1, "limit": 100}}}
    assert usage("resend", always(200, plan)) == plan
    assert usage("cyberpersons", always(200, {"success": True, "data": {"emails_remaining": 5}})) == {
        "emails_remaining": 5
    }


def test_emailcar_tells_balance_and_totals() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        data: dict[str, object] = {"points": {"ad": 0, "email": "12", "sms": 3}}
        if request.url.path.endswith("/stats"):
            data = {"total": {"failure": 84, "request": 436, "success": 352}}
        return httpx.Response(200, json={"data": data, "msg": "数据成功获取", "status": "success"})

    assert usage("emailcar", handler) == {
        "points": {"ad": 0, "email": "12", "sms": 3},
        "total": {"failure": 84, "request": 436, "success": 352},
    }


# Pace


@pytest.mark.parametrize(
    ("provider", "pause_s"),
    [
        ("resend", 0.2),
        ("sendflare", 0.2),
        ("cyberpersons", 0.2),
        ("mail_push", 1.0),
        ("nobase", 60.0),
        ("emailcar", 1.0),
    ],
)
def test_each_provider_has_its_pace_unless_settings_say_otherwise(provider: str, pause_s: float) -> None:
    for asked, expected in ((None, pause_s), (0.0, 0.0), (3.5, 3.5)):
        account = ACCOUNTS[provider].build(Wiring("http://127.0.0.1", FakeClock(), asked))
        assert account.capabilities.pause_s == expected


def test_a_second_mail_within_nobases_minute_is_not_sent_and_told_how_long_to_wait() -> None:
    clock = FakeClock()
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"code": 200, "msg": "success", "data": "邮件发送成功"})

    account = ACCOUNTS["nobase"].build(Wiring("http://127.0.0.1", clock, None, transport=httpx.MockTransport(handler)))
    send(account)
    clock.advance(20)
    with pytest.raises(ProviderRateLimited) as caught:
        send(account)
    assert caught.value.retry_after_s == 40.0
    assert not caught.value.maybe_sent
    clock.advance(40)
    send(account)
    assert len(seen) == 2


def test_nobase_keeps_its_session_and_the_others_keep_none() -> None:
    for provider, cookies in (("nobase", [None, "PHPSESSID=1"]), ("emailcar", [None, None])):
        seen: list[str | None] = []

        def handler(request: httpx.Request, seen: list[str | None] = seen) -> httpx.Response:
            seen.append(request.headers.get("cookie"))
            body = {"code": 200, "msg": "success", "data": {}, "status": "success"}
            return httpx.Response(200, json=body, headers={"set-cookie": "PHPSESSID=1; path=/"})

        account = ACCOUNTS[provider].over(handler, FakeClock())
        send(account)
        send(account)
        assert seen == cookies


def test_resend_keeps_to_the_rate_that_its_headers_tell() -> None:
    clock = FakeClock()
    headers = {"ratelimit-limit": "5", "ratelimit-remaining": "0", "ratelimit-reset": "60"}
    account = ACCOUNTS["resend"].over(always(200, {"id": "1"}, headers), clock)
    send(account)
    clock.advance(50)
    with pytest.raises(ProviderRateLimited) as caught:
        send(account)
    assert caught.value.retry_after_s == 10.0
    clock.advance(10)
    send(account)


@pytest.mark.parametrize("reset", ["nan", "inf", "-1", "soon", "", "0", "60.1", "1795195426"])
def test_rate_headers_that_make_no_sense_are_not_kept_to(reset: str) -> None:
    headers = {"ratelimit-remaining": "0", "ratelimit-reset": reset}
    account = ACCOUNTS["resend"].over(always(200, {"id": "1"}, headers), FakeClock())
    send(account)
    send(account)


@pytest.mark.parametrize("provider", ["resend", "sendflare", "mail_push"])
def test_a_break_that_the_provider_asks_for_holds_for_the_whole_account(provider: str) -> None:
    clock = FakeClock(1_700_000_000)
    account = ACCOUNTS[provider].over(always(429, {}, {"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}), clock)
    for waited_s in (0, 4):
        clock.advance(waited_s)
        with pytest.raises(ProviderRateLimited) as caught:
            send(account)
        assert caught.value.retry_after_s == 30.0 - waited_s
