"""Which provider a mail goes to."""

import pytest

from tempmail.domain.outbound import Attachment, Capabilities, OutboundMessage
from tempmail.domain.routing import Account, choose, matching, sender_domain
from tempmail.errors import BadRequest

ALL = Capabilities(
    max_to=50, cc=True, bcc=True, reply_to=True, html_with_text=True, headers=True, tags=True, attachments=True
)
PLAIN = Capabilities(max_to=1, from_name=False)


def account(
    provider: str, *domains: str, name: str = "default", for_all: bool = False, can: Capabilities = ALL
) -> Account:
    return Account(provider, domains[0] if domains else name, can, domains=domains, for_all=for_all)


def names(accounts: list[Account]) -> list[str]:
    return [f"{each.provider}:{each.account}" for each in accounts]


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("a@Example.com", "example.com"),
        ("Shop <a@example.com>", "example.com"),
        ('"x@y" <a@example.com> ', "example.com"),
        ('"a@b"@example.com', "example.com"),
        ("a@", ""),
        ("nobody", ""),
        ("", ""),
        ("<>", ""),
    ],
)
def test_the_domain_is_what_follows_the_last_at_sign(sender: str, domain: str) -> None:
    assert sender_domain(sender) == domain


EVERYBODY = [
    account("smtp", "a.com"),
    account("smtp", name="rest", for_all=True),
    account("emailcar", "a.com"),
    account("emailcar", name="rest", for_all=True),
    Account("nobase", "default", PLAIN, addresses=("me@a.com",)),
    Account("mail_push", "default", PLAIN, addresses=("me@a.com",)),
    account("cyberpersons", "a.com"),
    account("cyberpersons", name="rest", for_all=True),
    account("resend", "a.com"),
    account("resend", name="rest", for_all=True),
    account("sendflare", "a.com"),
    account("sendflare", name="rest", for_all=True),
]


def test_named_accounts_come_first_each_kind_in_the_order_of_the_original() -> None:
    assert names(matching(EVERYBODY, "me@a.com")) == [
        "sendflare:a.com",
        "resend:a.com",
        "cyberpersons:a.com",
        "mail_push:default",
        "nobase:default",
        "emailcar:a.com",
        "smtp:a.com",
        "sendflare:rest",
        "resend:rest",
        "cyberpersons:rest",
        "emailcar:rest",
        "smtp:rest",
    ]


def test_an_address_of_another_sender_goes_by_its_domain_alone() -> None:
    assert names(matching(EVERYBODY, "You@A.com"))[:5] == [
        "sendflare:a.com",
        "resend:a.com",
        "cyberpersons:a.com",
        "emailcar:a.com",
        "smtp:a.com",
    ]


def test_a_domain_that_nobody_is_for_goes_to_those_for_all() -> None:
    assert names(matching(EVERYBODY, "me@b.com")) == [
        "sendflare:rest",
        "resend:rest",
        "cyberpersons:rest",
        "emailcar:rest",
        "smtp:rest",
    ]


@pytest.mark.parametrize(
    ("sender", "found"),
    [("me@a.com", False), ("me@x.a.com", True), ("me@y.x.a.com", True), ("me@xa.com", False)],
)
def test_a_star_is_for_subdomains(sender: str, found: bool) -> None:
    assert bool(matching([account("resend", "*.a.com")], sender)) is found


def test_an_account_both_named_and_for_all_is_tried_once() -> None:
    both = Account("resend", "a.com", ALL, domains=("a.com",), for_all=True)
    assert matching([both], "me@a.com") == [both]


def mail(**fields: object) -> OutboundMessage:
    return OutboundMessage(**{"from_addr": "me@a.com", "to": ("you@b.com",), "subject": "S", "text": "t", **fields})  # type: ignore[arg-type]


def test_who_cannot_carry_a_mail_is_passed_over() -> None:
    accounts = [account("sendflare", "a.com", can=PLAIN), account("resend", for_all=True)]
    carried = mail(attachments=(Attachment("a.txt", b"a"),))
    assert names(choose(accounts, mail())) == ["sendflare:a.com", "resend:default"]
    assert names(choose(accounts, carried)) == ["resend:default"]


def test_where_nobody_can_the_reason_names_everybody_and_what_each_lacks() -> None:
    accounts = [
        account("sendflare", "a.com", can=PLAIN),
        account("cyberpersons", "a.com", can=Capabilities(max_to=1, cc=True)),
    ]
    with pytest.raises(BadRequest) as refused:
        choose(accounts, mail(cc=("c@b.com",), attachments=(Attachment("a.txt", b"a"),)))
    assert str(refused.value) == (
        "SendFlare 渠道不支持抄送、附件 (cc, attachments)；Cyberpersons 渠道不支持附件 (attachments)"
    )


@pytest.mark.parametrize(
    ("sender", "text"), [("me@b.com", "未找到域名对应的发件 API Key: b.com"), ("", "发件人地址为空")]
)
def test_without_an_account_the_original_s_words_are_said(sender: str, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        choose([account("resend", "a.com")], mail(from_addr=sender))
    assert str(refused.value) == text


RAW = Capabilities(max_to=50, raw=True)


def test_a_whole_mail_goes_to_whoever_carries_such_whatever_its_sender() -> None:
    accounts = [account("resend", for_all=True), account("smtp", "other.com", can=RAW)]
    for sender in ("SRS0=x@a.com", ""):
        assert names(choose(accounts, mail(from_addr=sender, raw=b"From: a\r\n\r\n"))) == ["smtp:other.com"]


def test_what_the_server_itself_asks_goes_to_whoever_forwards_where_nobody_is_for_its_domain() -> None:
    relay = account("smtp", "other.com", can=RAW)
    asked = mail(from_addr="bounces@a.com")
    assert names(choose([account("resend", "b.com"), relay], asked)) == ["smtp:other.com"]
    assert names(choose([account("resend", "a.com"), relay], asked)) == ["resend:a.com"]
    with pytest.raises(BadRequest, match=r"a\.com"):
        choose([relay], mail(from_addr="me@a.com"))


def test_a_whole_mail_without_such_an_account_is_refused() -> None:
    with pytest.raises(BadRequest, match="SMTP_RELAY_URL"):
        choose([account("resend", for_all=True)], mail(raw=b"x"))
