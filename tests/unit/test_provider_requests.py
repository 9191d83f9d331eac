"""The requests that mails become: exact bytes, without credentials, and nothing dropped."""

import asyncio
import json
from dataclasses import replace
from urllib.parse import parse_qsl

import httpx
import pytest

from tempmail.clock import FakeClock
from tempmail.domain.outbound import Attachment, OutboundMessage, ProviderCall
from tempmail.errors import InvalidOutbound, ProviderAuthFailed
from tests.providers import ACCOUNTS, MESSAGE, RECIPIENT, SECRET, SENDER

RICH = OutboundMessage(
    from_addr="from@a.example",
    from_name='Doe, "J"',
    to=("Ann <ann@b.example>", "ben@b.example"),
    cc=("cc@b.example",),
    bcc=("bcc@b.example",),
    reply_to=("reply@a.example",),
    subject="你好",
    html="<b>é</b>",
    text="é",
    headers=(("X-One", "1"),),
    tags=(("kind", "code"),),
    attachments=(Attachment("a.txt", b"abc", "text/plain", "cid1"),),
    message_id="<m1@a.example>",
)
FOR_ONE = replace(RICH, to=("Ann <ann@b.example>",), tags=(), attachments=(), headers=())


def never(request: httpx.Request) -> httpx.Response:
    raise AssertionError("nothing is sent while a request is prepared")


def prepare(provider: str, message: OutboundMessage, *recipients: str) -> list[ProviderCall]:
    account = ACCOUNTS[provider].over(never, FakeClock())
    calls = account.prepare(message, recipients)
    assert account.prepare(message, recipients) == calls, "the same message gives the same bytes"
    asyncio.run(account.close())
    return calls


def sent_by(provider: str, message: OutboundMessage = MESSAGE, recipient: str = RECIPIENT) -> httpx.Request:
    """The request as the provider gets it."""
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(401)

    async def main() -> None:
        account = ACCOUNTS[provider].over(handler, FakeClock())
        [call] = account.prepare(message, [recipient])
        with pytest.raises(ProviderAuthFailed):
            await account.send(call, idempotency_key="key-1")
        await account.close()

    asyncio.run(main())
    return seen[0]


def test_resend_carries_everything() -> None:
    [call] = prepare("resend", RICH, "ann@b.example", "ben@b.example", "cc@b.example", "bcc@b.example")
    assert (call.target, call.content_type) == ("/emails", "application/json")
    assert call.recipients == ("ann@b.example", "ben@b.example", "cc@b.example", "bcc@b.example")
    assert call.body.decode() == (
        r'{"from":"\"Doe, \\\"J\\\"\" <from@a.example>","to":["Ann <ann@b.example>","ben@b.example"],"subject":"你好",'
        '"html":"<b>é</b>","text":"é","cc":["cc@b.example"],"bcc":["bcc@b.example"],"reply_to":["reply@a.example"],'
        '"headers":{"X-One":"1","Message-ID":"<m1@a.example>"},"tags":[{"name":"kind","value":"code"}],'
        '"attachments":[{"filename":"a.txt","content":"YWJj","content_type":"text/plain","content_id":"cid1"}]}'
    )


def test_resend_is_told_key_and_idempotency_key_by_headers() -> None:
    request = sent_by("resend")
    assert (request.method, str(request.url)) == ("POST", "http://127.0.0.1/base/emails")
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.headers["idempotency-key"] == "key-1"
    assert request.headers["user-agent"].startswith("tempmail")


@pytest.mark.parametrize(("length", "is_fine"), [(0, False), (1, True), (256, True), (257, False)])
def test_resend_takes_idempotency_keys_of_1_to_256_characters(length: int, is_fine: bool) -> None:
    async def main() -> None:
        account = ACCOUNTS["resend"].over(lambda request: httpx.Response(200, json={"id": "1"}), FakeClock())
        [call] = account.prepare(MESSAGE, [RECIPIENT])
        if is_fine:
            await account.send(call, idempotency_key="k" * length)
        else:
            with pytest.raises(InvalidOutbound):
                await account.send(call, idempotency_key="k" * length)
        await account.close()

    asyncio.run(main())


def test_resend_takes_50_in_one_call_and_a_51st_in_a_second() -> None:
    people = tuple(f"p{i}@b.example" for i in range(51))
    assert [len(call.recipients) for call in prepare("resend", replace(MESSAGE, to=people[:50]), *people[:50])] == [50]
    calls = prepare("resend", replace(MESSAGE, to=people), *people)
    assert [len(call.recipients) for call in calls] == [50, 1]
    assert json.loads(calls[1].body)["to"] == ["p50@b.example"]


def test_only_the_recipients_that_are_missing_are_written_to() -> None:
    message = replace(MESSAGE, to=("a@b.example", "B@b.example", "c@b.example"))
    [call] = prepare("resend", message, "b@b.example")
    assert call.recipients == ("b@b.example",), "named as in the outbox"
    assert json.loads(call.body)["to"] == ["B@b.example"]
    assert [call.recipients for call in prepare("sendflare", message, "c@b.example", "a@b.example")] == [
        ("a@b.example",),
        ("c@b.example",),
    ]


def test_who_stands_twice_is_written_to_once() -> None:
    [call] = prepare(
        "resend", replace(MESSAGE, to=("a@b.example",), cc=("A@B.example", "c@b.example")), "a@b.example", "c@b.example"
    )
    assert json.loads(call.body)["to"] == ["a@b.example"]
    assert json.loads(call.body)["cc"] == ["c@b.example"]


def test_a_recipient_that_the_mail_does_not_name_is_refused() -> None:
    with pytest.raises(InvalidOutbound, match="stranger"):
        prepare("resend", MESSAGE, RECIPIENT, "stranger@b.example")


@pytest.mark.parametrize(
    ("provider", "label"), [("resend", "Resend"), ("sendflare", "SendFlare"), ("cyberpersons", "Cyberpersons")]
)
def test_a_mail_to_nobody_is_refused_in_the_words_of_the_original(provider: str, label: str) -> None:
    with pytest.raises(InvalidOutbound) as caught:
        prepare(provider, replace(MESSAGE, to=()))
    assert str(caught.value) == f"{label} 渠道至少需要一个收件人"


def test_resend_refuses_a_mail_without_a_body() -> None:
    with pytest.raises(InvalidOutbound, match="html or text"):
        prepare("resend", replace(MESSAGE, html=None), RECIPIENT)


@pytest.mark.parametrize(("tag", "is_fine"), [("a" * 256, True), ("a" * 257, False), ("a b", False), ("", False)])
def test_resend_takes_tags_of_256_plain_characters(tag: str, is_fine: bool) -> None:
    message = replace(MESSAGE, tags=((tag, "v"),))
    if is_fine:
        assert json.loads(prepare("resend", message, RECIPIENT)[0].body)["tags"] == [{"name": tag, "value": "v"}]
    else:
        with pytest.raises(InvalidOutbound):
            prepare("resend", message, RECIPIENT)


def test_resend_takes_40_mb_of_base64() -> None:
    fits = Attachment("a", bytes(30_000_000))
    assert len(prepare("resend", replace(MESSAGE, attachments=(fits,)), RECIPIENT)[0].body) > 40_000_000
    with pytest.raises(InvalidOutbound, match="40 MB"):
        prepare("resend", replace(MESSAGE, attachments=(fits, Attachment("b", b"1"))), RECIPIENT)


def test_sendflare_has_one_field_for_the_body() -> None:
    [call] = prepare("sendflare", FOR_ONE, "ann@b.example", "cc@b.example", "bcc@b.example")
    assert call.target == "/v1/send"
    assert call.body.decode() == (
        r'{"from":"\"Doe, \\\"J\\\"\" <from@a.example>","to":"ann@b.example","subject":"你好","body":"<b>é</b>",'
        '"cc":["cc@b.example"],"bcc":["bcc@b.example"],"replyTo":["reply@a.example"]}'
    )
    assert sent_by("sendflare").headers["authorization"] == f"Bearer {SECRET}"


def test_cyberpersons_takes_single_strings() -> None:
    message = replace(FOR_ONE, headers=(("X-One", "1"),), tags=(("kind", "code"), ("plain", "")))
    [call] = prepare("cyberpersons", message, "ann@b.example", "cc@b.example", "bcc@b.example")
    assert call.target == "/send"
    assert json.loads(call.body) == {
        "from": "from@a.example",
        "from_name": 'Doe, "J"',
        "to": "ann@b.example",
        "cc": "cc@b.example",
        "bcc": "bcc@b.example",
        "reply_to": "reply@a.example",
        "subject": "你好",
        "html": "<b>é</b>",
        "text": "é",
        "headers": {"X-One": "1", "Message-ID": "<m1@a.example>"},
        "tags": ["kind:code", "plain"],
    }


def test_cyberpersons_refuses_a_second_copy_rather_than_dropping_it() -> None:
    message = replace(FOR_ONE, cc=("c1@b.example", "c2@b.example"), reply_to=("r1@b.example", "r2@b.example"))
    with pytest.raises(InvalidOutbound, match="cannot carry: cc, reply_to"):
        prepare("cyberpersons", message, "ann@b.example", "c1@b.example", "c2@b.example", "bcc@b.example")


def test_mail_push_fills_the_variables_of_the_template() -> None:
    [call] = prepare("mail_push", MESSAGE, RECIPIENT)
    assert call.target == "/send_email_v2"
    assert call.body.decode() == (
        r'{"temp_id":7,"to_email":"to@recipient.example","content":"{\"s\":\"主题\",\"h\":\"<p>正文</p>\"}"}'
    )
    assert sent_by("mail_push").headers["token"] == SECRET


def test_nobase_adds_its_credentials_when_it_sends() -> None:
    [call] = prepare("nobase", MESSAGE, RECIPIENT)
    assert call.target == "/api/mail/send"
    assert parse_qsl(call.body.decode()) == [("mail", RECIPIENT), ("title", "主题"), ("content", "<p>正文</p>")]
    request = sent_by("nobase")
    assert (request.method, request.url.query) == ("POST", b"")
    assert parse_qsl(request.content.decode())[3:] == [("appid", "app"), ("signature", SECRET), ("token", "user-token")]


def test_emailcar_adds_its_credentials_when_it_sends() -> None:
    people = ("a@b.example", "Ben <b@b.example>")
    message = replace(MESSAGE, to=people, reply_to=("r@a.example",))
    [call] = prepare("emailcar", message, "a@b.example", "b@b.example")
    assert call.target == "/v1/mail/send"
    assert parse_qsl(call.body.decode()) == [
        ("from", SENDER),
        ("fromname", SENDER),  # it may not be empty
        ("to", "a@b.example;b@b.example"),
        ("subject", "主题"),
        ("html", "<p>正文</p>"),
        ("replyto", "r@a.example"),
    ]
    assert parse_qsl(sent_by("emailcar").content.decode())[5:] == [("api_user", "user"), ("api_pwd", SECRET)]


def test_emailcar_takes_50_in_one_call_and_a_51st_in_a_second() -> None:
    people = tuple(f"p{i}@b.example" for i in range(51))
    calls = prepare("emailcar", replace(MESSAGE, to=people), *people)
    assert [len(call.recipients) for call in calls] == [50, 1]


def test_emailcar_never_takes_one_address_for_two() -> None:
    with pytest.raises(InvalidOutbound, match="semicolon"):
        prepare("emailcar", replace(MESSAGE, to=('"a;b"@b.example',)), '"a;b"@b.example')


@pytest.mark.parametrize("provider", ACCOUNTS)
def test_no_credential_is_in_what_is_stored(provider: str) -> None:
    [call] = prepare(provider, MESSAGE, RECIPIENT)
    assert SECRET not in repr([*parse_qsl(call.body.decode()), call.body.decode(), call.target])
    assert "user-token" not in call.body.decode()


@pytest.mark.parametrize("provider", ACCOUNTS)
@pytest.mark.parametrize(
    "fields",
    [
        {"subject": "a\r\nBcc: x@y.example"},
        {"subject": "a\nb"},
        {"subject": "a\x00b"},
        {"subject": "\ud800"},
        {"html": "\udfff"},
        {"text": "\ud800"},
        {"from_addr": "a@b.example\r\nX: y"},
        {"from_addr": "a@b.example> x"},
        {"from_addr": ""},
        {"to": ("a@b.example, c@d.example",)},
        {"to": ("a b@c.example",)},
        {"to": ("a@b.example\x00",)},
        {"to": ("<a@b.example",)},
        {"message_id": "<a@b.example>\r\nX: y"},
    ],
    ids=str,
)
def test_what_could_start_another_header_is_refused(provider: str, fields: dict[str, object]) -> None:
    message = replace(MESSAGE, **{"from_addr": SENDER, **fields})  # type: ignore[arg-type]
    with pytest.raises(InvalidOutbound):
        prepare(provider, message, RECIPIENT)


@pytest.mark.parametrize(
    "fields",
    [
        {"from_name": "a\nb"},
        {"cc": ("Evil\r\nBcc: x@y.example <a@b.example>",)},
        {"reply_to": ("a@b.example\n",)},
        {"headers": (("X-A", "1\r\nX-B: 2"),)},
        {"headers": (("X-A: 1\r\nX-B", "2"),)},
        {"headers": (("X A", "2"),)},
        {"headers": (("", "2"),)},
        {"headers": (("Bcc", "x@y.example"),)},
        {"headers": (("FROM", "x@y.example"),)},
        {"headers": (("Content-Type", "text/plain"),)},
        {"headers": (("X-A", "1"), ("x-a", "2"))},
        {"tags": (("a", "b\n"),)},
        {"attachments": (Attachment("a\r\nX: y", b""),)},
        {"attachments": (Attachment("a", b"", "text/plain\r\nX: y"),)},
        {"attachments": (Attachment("a", b"", "text"),)},
        {"attachments": (Attachment("a", b"", "text/plain", "c\n"),)},
    ],
    ids=str,
)
def test_what_could_start_another_header_is_refused_where_there_are_headers(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidOutbound):
        prepare("resend", replace(MESSAGE, **fields), RECIPIENT)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("provider", "fields", "named"),
    [
        ("sendflare", {"attachments": (Attachment("a", b""),)}, "attachments"),
        ("sendflare", {"headers": (("X-A", "1"),)}, "headers"),
        ("cyberpersons", {"attachments": (Attachment("a", b""),)}, "attachments"),
        ("mail_push", {"from_addr": "other@sender.example"}, "from"),
        ("mail_push", {"from_name": "N"}, "from_name"),
        ("mail_push", {"html": None, "text": "t"}, "text"),
        ("nobase", {"from_addr": "other@sender.example"}, "from"),
        ("nobase", {"reply_to": ("a@b.example",)}, "reply_to"),
        ("emailcar", {"cc": ("a@b.example",)}, "cc"),
        ("emailcar", {"tags": (("a", "b"),)}, "tags"),
        ("resend", {"raw": b"Subject: x\r\n\r\n"}, "raw"),
    ],
)
def test_what_a_provider_cannot_carry_is_never_dropped(provider: str, fields: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidOutbound, match=f"cannot carry: {named}$"):
        prepare(provider, replace(MESSAGE, **fields), RECIPIENT)  # type: ignore[arg-type]
