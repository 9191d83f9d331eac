"""Every adapter against this server's own imitation of its provider, over real HTTP, in a server of its own: what is
sent lies in the mailbox, and what is refused is refused as documented."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest

from tempmail import errors
from tempmail.adapters.providers.cyberpersons import Cyberpersons
from tempmail.adapters.providers.emailcar import EmailCar
from tempmail.adapters.providers.http import Timeouts
from tempmail.adapters.providers.mail_push import MailPush
from tempmail.adapters.providers.nobase import Nobase
from tempmail.adapters.providers.resend import Resend
from tempmail.adapters.providers.sendflare import SendFlare
from tempmail.adapters.providers.smtp import Smtp
from tempmail.clock import SystemClock
from tempmail.domain.outbound import Attachment, Delivery, OutboundMessage, SendResult, State
from tempmail.ports.outbound import Provider
from tests.running import DOMAIN, Server, running

T = TypeVar("T")

PROVIDERS = ("resend", "sendflare", "cyberpersons", "mail_push", "nobase", "emailcar")
UNPACED = {"nobase": {"pause_s": 0}, "emailcar": {"submissions_per_s": 0}}
"""Switches that let a test send as fast as it likes."""
OWN_SENDERS = {"mail_push": "noreply@mail-push.example", "nobase": "noreply@nobase.example"}
MAIL = OutboundMessage(from_addr="from@sender.example", to=(), subject="验证码", html="<p>Your code is 482913</p>")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server")) as started:
        yield started


@dataclass
class Sandboxes:
    """The sandboxes of one server, through its API."""

    server: Server
    client: httpx.Client
    boxes: int = 0

    def credential(self, provider: str, **switches: object) -> dict[str, str]:
        """A new account's credential, by field."""
        body = {"switches": {**UNPACED.get(provider, {}), **switches}}
        made = self.client.post(f"/api/v1/sandboxes/{provider}/credentials", json=body).raise_for_status().json()
        values: dict[str, str] = made["values"]
        return values

    def account(self, provider: str, **switches: object) -> Provider:
        return self.with_credential(provider, self.credential(provider, **switches))

    def with_credential(self, provider: str, values: Mapping[str, str], *, template: int = 1) -> Provider:
        url = f"{self.server.url}/sandbox/{provider}"
        options: dict[str, Any] = {
            "account": "a",
            "clock": SystemClock(),
            "pause_s": 0.0,
            "timeouts": Timeouts(read_s=0.5),
        }
        variables = {"subject": "subject", "html": "html", "text": "text"}
        login: dict[str, Any] = {"token": values.get("token")}
        if not login["token"]:
            login = {"user": values.get("user"), "password": values.get("pass")}
        builders: dict[str, Callable[[], Provider]] = {
            "resend": lambda: Resend(values["key"], base_url=url, **options),
            "sendflare": lambda: SendFlare(values["key"], base_url=url, **options),
            "cyberpersons": lambda: Cyberpersons(values["key"], base_url=f"{url}/email/v1", **options),
            "mail_push": lambda: MailPush(
                values["token"],
                from_addr=OWN_SENDERS["mail_push"],
                template=template,
                variables=variables,
                base_url=f"{url}/api",
                **options,
            ),
            "nobase": lambda: Nobase(
                values["appid"], values["signature"], from_addr=OWN_SENDERS["nobase"], base_url=url, **login, **options
            ),
            "emailcar": lambda: EmailCar(values["api_user"], values["api_pwd"], base_url=url, **options),
        }
        return builders[provider]()

    def box(self, tag: str = "") -> str:
        """An address that nobody has written to; `tag`: the fault that it asks for."""
        self.boxes += 1
        return f"box{self.boxes}{tag and f'+fault-{tag}'}@{DOMAIN}"

    def inbox(self, address: str) -> list[dict[str, Any]]:
        """The mails of a mailbox, whole, newest first."""
        listed = self.client.get("/api/emails", params={"mailbox": address}).raise_for_status().json()
        return [self.client.get(f"/api/email/{row['id']}").raise_for_status().json() for row in listed]


@pytest.fixture(scope="module")
def sandboxes(server: Server) -> Iterator[Sandboxes]:
    with server.client() as client:
        yield Sandboxes(server, client)


def using(account: Provider, work: Callable[[], Awaitable[T]]) -> T:
    async def main() -> T:
        try:
            return await work()
        finally:
            await account.close()

    return asyncio.run(main())


async def send(account: Provider, *recipients: str, key: str = "key", **changes: Any) -> SendResult:
    sender = OWN_SENDERS.get(account.name, MAIL.from_addr)
    [call] = account.prepare(replace(MAIL, from_addr=sender, to=recipients, **changes), recipients)
    return await account.send(call, idempotency_key=key)


def sent(account: Provider, *recipients: str, **changes: Any) -> SendResult:
    return using(account, lambda: send(account, *recipients, **changes))


providers = pytest.mark.parametrize("provider", PROVIDERS)


@providers
def test_what_is_sent_lies_in_the_mailbox_with_its_code(sandboxes: Sandboxes, provider: str) -> None:
    address = sandboxes.box()
    result = sent(sandboxes.account(provider), address)
    assert (result.message_id is None) is (provider == "nobase")
    [mail] = sandboxes.inbox(address)
    assert mail["subject"] == "验证码"
    assert mail["sender"] == OWN_SENDERS.get(provider, MAIL.from_addr)
    assert mail["verification_code"] == "482913"
    assert "<p>Your code is 482913</p>" in mail["html_content"]


@pytest.mark.parametrize("provider", ["resend", "sendflare", "cyberpersons"])
def test_who_is_in_copy_gets_it_too(sandboxes: Sandboxes, provider: str) -> None:
    to, cc, bcc = sandboxes.box(), sandboxes.box(), sandboxes.box()
    account = sandboxes.account(provider)
    message = replace(MAIL, to=(f"Ann <{to}>",), cc=(cc,), bcc=(bcc,), from_name='Doe, "J"', reply_to=("r@a.example",))
    [call] = account.prepare(message, [to, cc, bcc])
    using(account, lambda: account.send(call, idempotency_key="k"))
    for address in (to, cc, bcc):
        [mail] = sandboxes.inbox(address)
        assert mail["sender"] == "from@sender.example"
        raw = sandboxes.server.download(mail["id"])
        assert b'"Doe, \\"J\\"" <from@sender.example>' in raw
        assert bcc.encode() not in raw.partition(b"\r\n\r\n")[0]


def test_resend_delivers_files_headers_and_text(sandboxes: Sandboxes) -> None:
    address = sandboxes.box()
    files = (Attachment("报告.txt", b"content of the file", "text/plain"),)
    changes = {"text": "plain words", "headers": (("X-Own", "1"),), "tags": (("kind", "test"),), "attachments": files}
    sent(sandboxes.account("resend"), address, message_id="<own@sender.example>", **changes)
    [mail] = sandboxes.inbox(address)
    raw = sandboxes.server.download(mail["id"])
    assert b"X-Own: 1" in raw
    assert mail["content"].strip() == "plain words"
    assert b"multipart/mixed" in raw


def test_resend_sends_a_repeated_call_once(sandboxes: Sandboxes) -> None:
    address = sandboxes.box()
    account = sandboxes.account("resend")

    async def work() -> None:
        first = await send(account, address)
        assert await send(account, address) == first
        with pytest.raises(errors.OutcomeUnknown, match="different request payload") as caught:
            await send(account, address, subject="another")
        assert not caught.value.repeatable

    using(account, work)
    assert len(sandboxes.inbox(address)) == 1


def test_emailcar_gives_each_recipient_an_id_of_its_own(sandboxes: Sandboxes) -> None:
    addresses = (sandboxes.box(), sandboxes.box())
    account = sandboxes.account("emailcar")

    async def work() -> None:
        result = await send(account, *addresses)
        assert set(result.by_recipient) == set(addresses)
        assert len(set(result.by_recipient.values())) == 2
        for message_id in result.by_recipient.values():
            assert (await account.status(message_id)).state is State.ACCEPTED

    using(account, work)
    assert [len(sandboxes.inbox(address)) for address in addresses] == [1, 1]


@pytest.mark.parametrize(
    ("provider", "delivered", "bounced"),
    [
        ("resend", State.DELIVERED, State.BOUNCED),
        ("cyberpersons", State.DELIVERED, State.BOUNCED),
        ("emailcar", State.ACCEPTED, State.FAILED),
    ],
)
def test_it_can_be_asked_what_became_of_a_mail(
    sandboxes: Sandboxes, provider: str, delivered: State, bounced: State
) -> None:
    account = sandboxes.account(provider)

    async def work() -> None:
        for tag, state in (("", delivered), ("bounce", bounced)):
            result = await send(account, sandboxes.box(tag), key=f"key{tag}")
            assert result.message_id is not None
            assert (await account.status(result.message_id)).state is state
        missing = str(uuid4().int)[:18] if provider == "emailcar" else str(uuid4())
        assert await account.status(missing) in _NOT_FOUND

    using(account, work)


_NOT_FOUND = [
    Delivery(None, "not_found", words)
    for words in ("Email not found", "not_found: Message not found", "EmailCar: 没有找到数据")
]


def test_usage_is_told(sandboxes: Sandboxes) -> None:
    for provider, path, expected in (
        ("resend", ("emails", "daily", "used"), 1),
        ("cyberpersons", ("emails_sent_this_month",), 1),
        ("emailcar", ("total", "request"), 1),
    ):
        account = sandboxes.account(provider)
        address = sandboxes.box()

        async def work(account: Provider = account, address: str = address) -> Any:
            await send(account, address)
            return await account.usage()

        found: Any = using(account, work)
        for name in path:
            found = found[name]
        assert found == expected


FAULTS: dict[str, dict[str, type[errors.ProviderError]]] = {
    "429": dict.fromkeys(PROVIDERS, errors.ProviderRateLimited),
    "500": {
        "resend": errors.OutcomeUnknown,
        "sendflare": errors.OutcomeUnknown,
        "cyberpersons": errors.ProviderUnavailable,
        "mail_push": errors.OutcomeUnknown,
        "nobase": errors.ProviderUnavailable,
        "emailcar": errors.ProviderUnavailable,
    },
    "quota": {
        "resend": errors.ProviderExhausted,
        "sendflare": errors.ProviderExhausted,
        "cyberpersons": errors.ProviderExhausted,
        "mail_push": errors.ProviderExhausted,
        "nobase": errors.ProviderExhausted,
        "emailcar": errors.ProviderExhausted,
    },
    "timeout": dict.fromkeys(PROVIDERS, errors.OutcomeUnknown),
    "timeout-before": dict.fromkeys(PROVIDERS, errors.OutcomeUnknown),
    "cut": dict.fromkeys(PROVIDERS, errors.OutcomeUnknown),
    "html": dict.fromkeys(PROVIDERS, errors.OutcomeUnknown),
}


@providers
@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_is_certainly_not_sent_or_unknown(sandboxes: Sandboxes, provider: str, fault: str) -> None:
    address = sandboxes.box()
    expected = FAULTS[fault][provider]
    with pytest.raises(errors.ProviderError) as caught:
        sent(sandboxes.account(provider, fault=fault, timeout_s=1), address)
    assert type(caught.value) is expected
    if isinstance(caught.value, errors.ProviderRateLimited):
        assert caught.value.retry_after_s >= 1.0
    arrived = len(sandboxes.inbox(address))
    assert arrived == (1 if fault in ("timeout", "cut", "html") else 0), "unknown is the truth: this one was taken"
    assert caught.value.maybe_sent or not arrived


@providers
def test_a_recipients_tag_asks_for_the_same(sandboxes: Sandboxes, provider: str) -> None:
    values = sandboxes.credential(provider, timeout_s=1)
    for fault, expected in FAULTS.items():
        # What is left is the account's to say: with a tag alone a used-up month looks like a busy minute there.
        is_told = (provider, fault) != ("cyberpersons", "quota")
        with pytest.raises(expected[provider] if is_told else errors.ProviderRateLimited):
            sent(sandboxes.with_credential(provider, values), sandboxes.box(fault))


REFUSED: list[tuple[str, dict[str, object], type[errors.ProviderError]]] = [
    ("resend", {"refuse_key": "403"}, errors.ProviderAuthFailed),
    ("resend", {"refuse_key": "401"}, errors.ProviderAuthFailed),
    ("resend", {"refuse_key": "400"}, errors.ProviderAuthFailed),
    ("resend", {"domains": "other.example"}, errors.ProviderDenied),
    ("cyberpersons", {"can_send": False}, errors.ProviderDenied),
    ("cyberpersons", {"domains": "other.example"}, errors.ProviderDenied),
    ("nobase", {"overdue_days": 1}, errors.ProviderExhausted),
    ("nobase", {"developer_disabled": True}, errors.ProviderDenied),
    ("nobase", {"has_configuration": False}, errors.ProviderDenied),
    ("nobase", {"has_configuration": False, "mirror_code": True}, errors.ProviderDenied),
    ("emailcar", {"approved": False}, errors.ProviderDenied),
    ("emailcar", {"senders": "other@sender.example"}, errors.ProviderDenied),
]


@pytest.mark.parametrize(("provider", "switches", "error"), REFUSED, ids=str)
def test_what_the_account_may_not_do_is_told_as_such(
    sandboxes: Sandboxes, provider: str, switches: dict[str, object], error: type[errors.ProviderError]
) -> None:
    address = sandboxes.box()
    with pytest.raises(errors.ProviderError) as caught:
        sent(sandboxes.account(provider, **switches), address)
    assert type(caught.value) is error, str(caught.value)
    assert sandboxes.inbox(address) == []


@providers
def test_a_wrong_credential_is_told_as_such(sandboxes: Sandboxes, provider: str) -> None:
    values = sandboxes.credential(provider)
    secrets = {"nobase": ("signature", "token"), "emailcar": ("api_pwd",), "mail_push": ("token",)}
    for name in secrets.get(provider, ("key",)):
        wrong = {**values, name: values[name][:-4] + "xxxx"}
        with pytest.raises(errors.ProviderAuthFailed) as caught:
            sent(sandboxes.with_credential(provider, wrong), sandboxes.box())
        assert wrong[name] not in str(caught.value)


def test_nobase_takes_a_user_and_a_password_in_the_place_of_a_token(sandboxes: Sandboxes) -> None:
    address = sandboxes.box()
    sent(sandboxes.with_credential("nobase", {**sandboxes.credential("nobase"), "token": ""}), address)
    assert len(sandboxes.inbox(address)) == 1
    disabled = {**sandboxes.credential("nobase", user_disabled=True), "token": ""}
    with pytest.raises(errors.ProviderDenied):
        sent(sandboxes.with_credential("nobase", disabled), address)


def test_nobase_says_how_long_to_wait_for_the_next_mail(sandboxes: Sandboxes) -> None:
    account = sandboxes.account("nobase", pause_s=60)

    async def work() -> None:
        await send(account, sandboxes.box())
        with pytest.raises(errors.ProviderRateLimited) as caught:
            await send(account, sandboxes.box())
        assert 1 <= caught.value.retry_after_s <= 60

    using(account, work)


def test_mail_push_has_no_such_template(sandboxes: Sandboxes) -> None:
    account = sandboxes.with_credential("mail_push", sandboxes.credential("mail_push"), template=999)
    with pytest.raises(errors.ProviderDenied, match="-4"):
        sent(account, sandboxes.box())


@pytest.mark.parametrize("provider", ["mail_push", "emailcar"])
def test_an_account_without_credit_sends_nothing_more(sandboxes: Sandboxes, provider: str) -> None:
    account = sandboxes.account(provider, points=1)
    address = sandboxes.box()

    async def work() -> None:
        await send(account, address)
        with pytest.raises(errors.ProviderExhausted):
            await send(account, address)

    using(account, work)
    assert len(sandboxes.inbox(address)) == 1


def test_a_used_up_month_is_told_from_a_busy_minute(sandboxes: Sandboxes) -> None:
    account = sandboxes.account("cyberpersons", monthly_quota=1)

    async def work() -> None:
        await send(account, sandboxes.box())
        with pytest.raises(errors.ProviderExhausted):
            await send(account, sandboxes.box())

    using(account, work)


def test_a_relay_takes_mail_and_refuses_strangers(sandboxes: Sandboxes, server: Server) -> None:
    to, bcc = sandboxes.box(), sandboxes.box()
    host, port = server.smtp
    relay = Smtp(f"smtp://{host}:{port}", account="a", clock=SystemClock())
    recipients = [to, bcc, "someone@elsewhere.example"]

    async def work() -> None:
        message = replace(MAIL, to=(f"Ann <{to}>", recipients[2]), bcc=(bcc,), text="Your code is 482913")
        first, stranger, blind = relay.prepare(message, recipients)
        await relay.send(first, idempotency_key="1")
        with pytest.raises(errors.ProviderRefused, match="550"):
            await relay.send(stranger, idempotency_key="2")
        await relay.send(blind, idempotency_key="3")

    using(relay, work)
    for address in (to, bcc):
        [mail] = sandboxes.inbox(address)
        assert (mail["subject"], mail["verification_code"]) == ("验证码", "482913")
        assert f"Bcc: {bcc}".encode() not in server.download(mail["id"])


def test_a_key_that_may_only_send_cannot_ask(sandboxes: Sandboxes) -> None:
    for provider, switches in (("resend", {"sending_only": True}), ("cyberpersons", {"can_read_analytics": False})):
        account = sandboxes.account(provider, **switches)

        async def work(account: Provider = account) -> None:
            result = await send(account, sandboxes.box())
            assert result.message_id is not None
            with pytest.raises(errors.ProviderDenied):
                await account.status(result.message_id)

        using(account, work)
