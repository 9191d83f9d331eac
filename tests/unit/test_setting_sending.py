"""What the settings of sending take and refuse, and that no key is ever told."""

import base64
import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail import setting_docs
from tempmail import setting_sending as sending
from tempmail.errors import ConfigError
from tempmail.setting_sending import ForwardPrefix, Pause, ProviderKeys, SmtpRelay, TemplateVariables
from tempmail.setting_sources import load
from tempmail.setting_values import Unfit
from tempmail.settings import Machine

KEY = "re_SeCrEt123"
WEBHOOK = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

KEYS: list[tuple[str, ProviderKeys]] = [
    ("", ProviderKeys()),
    (KEY, ProviderKeys(otherwise=KEY)),
    ("live_abc==", ProviderKeys(otherwise="live_abc==")),
    ("c2VjcmV0a2V5=", ProviderKeys(otherwise="c2VjcmV0a2V5=")),
    ("sk_live_a=b=c", ProviderKeys(otherwise="sk_live_a=b=c")),
    (f"a.com={KEY}", ProviderKeys((("a.com", KEY),))),
    (f"A.Com={KEY}, b.org=k2", ProviderKeys((("a.com", KEY), ("b.org", "k2")))),
    ("a.com=k1==,b.org=k2=", ProviderKeys((("a.com", "k1=="), ("b.org", "k2=")))),
    ("a.com=k1，b.org=k2", ProviderKeys((("a.com", "k1"), ("b.org", "k2")))),
    ("a.com=k1\nb.org=k2,", ProviderKeys((("a.com", "k1"), ("b.org", "k2")))),
    ("*.a.com=k1,*=k2", ProviderKeys((("*.a.com", "k1"),), "k2")),
    ("邮箱.中国=k1", ProviderKeys((("邮箱.中国", "k1"),))),
    ('{"a.com": "k1", "B.org": "k=2=="}', ProviderKeys((("a.com", "k1"), ("b.org", "k=2==")))),
    ('{"localhost": "k1", "*": "k2"}', ProviderKeys((("localhost", "k1"),), "k2")),
]


@pytest.mark.parametrize(("text", "keys"), KEYS, ids=[text[:30] or "empty" for text, _ in KEYS])
def test_keys_come_in_three_forms(text: str, keys: ProviderKeys) -> None:
    assert sending.provider_keys(text) == keys


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f'{{"a.com": "{KEY}"', "begins like JSON and is none"),
        (f"{{'a.com': '{KEY}'}}", "begins like JSON and is none"),
        (f'{{"a.com": ["{KEY}"]}}', "something else than texts"),
        (f'{{"a.com": {{"key": "{KEY}"}}}}', "something else than texts"),
        (f'{{"{KEY}": "a.com"}}', "has no domain name where one belongs"),
        (f'{{"a.com": "{KEY}", "A.COM": "{KEY}2"}}', '"a.com" is named twice'),
        (f'{{"*": "{KEY}", "*": "{KEY}"}}', '"*" is named twice'),
        ("{}", "names no key"),
        ("a.com=", '"a.com" has no key'),
        ('{"a.com": " "}', '"a.com" has no key'),
        (f"a.com={KEY},{KEY}", "a piece without a domain"),
        (f"a.com={KEY},b.com={KEY} x.y", "a piece without a domain"),
        (f"{KEY},{KEY}", "several keys without their domains"),
        (f"{KEY}é", "no HTTP header can carry"),
        (f'{{"a.com": "{KEY} x"}}', "no HTTP header can carry"),
        (f'{{"a.com": "{KEY}\\u0007"}}', "no HTTP header can carry"),
    ],
)
def test_what_is_wrong_with_keys_is_told_without_any_of_them(text: str, problem: str) -> None:
    with pytest.raises(Unfit) as refused:
        sending.provider_keys(text)
    assert problem in refused.value.sentence()
    assert KEY not in refused.value.sentence()


@given(st.text(max_size=60))
def test_any_text_is_keys_or_refused(text: str) -> None:
    with contextlib.suppress(Unfit):
        keys = sending.provider_keys(text)
        assert bool(keys) is bool(text)


def test_keys_do_not_show_where_they_are_printed() -> None:
    keys = sending.provider_keys(f'{{"a.com": "{KEY}", "*": "{KEY}2"}}')
    assert KEY not in f"{keys!r} {keys!s}"
    assert str(keys) == "a.com, *"


def test_a_relay_is_shown_without_its_login() -> None:
    assert str(sending.smtp_relay("smtp://me:hush@relay.example:25")) == "smtp://relay.example:25"
    assert "hush" not in repr(sending.smtp_relay("smtp://me:hush@relay.example:25"))


def test_domains_of_one_key_are_one_account() -> None:
    keys = sending.provider_keys("a.com=k1,b.com=k2,c.com=k1,*=k2")
    assert keys.domains_by_key() == {"k1": ("a.com", "c.com"), "k2": ("b.com",)}


GOOD: list[tuple[Callable[[str], object], str, object]] = [
    (sending.api_url, "http://127.0.0.1:8080/sandbox/resend/", "http://127.0.0.1:8080/sandbox/resend"),
    (sending.api_url, "https://api.resend.com", "https://api.resend.com"),
    (sending.smtp_relay, "smtp://relay.example", SmtpRelay("smtp://relay.example")),
    (
        sending.smtp_relay,
        "smtps://me%40x.example:p%2Fw@relay.example",
        SmtpRelay("smtps://me%40x.example:p%2Fw@relay.example"),
    ),
    (sending.smtp_relay, "smtp://u:p@[::1]:2525/", SmtpRelay("smtp://u:p@[::1]:2525/")),
    (sending.sender_address, "", ""),
    (sending.sender_address, "No-Reply@Example.com", "no-reply@example.com"),
    (sending.some_domains, "", ()),
    (sending.some_domains, "A.com, *.b.com", ("a.com", "*.b.com")),
    (sending.pauses, "", ()),
    (sending.pauses, "Resend=0.25, nobase=3600", (Pause("resend", 0.25), Pause("nobase", 3600))),
    (sending.template_variables, "subject=s,html=h_1", TemplateVariables("s", "h_1")),
    (sending.webhook_secrets, "", ()),
    (sending.webhook_secrets, f"{WEBHOOK}, MfKQ", (base64.b64decode(WEBHOOK[6:]), base64.b64decode("MfKQ"))),
    (sending.forward_rules, "", ()),
    (sending.forward_rules, "[]", ()),
    (sending.forward_rules, "Disabled", ()),
    (sending.forward_rules, "NONE", ()),
    (
        sending.forward_rules,
        "News=me@x.example, *=You@y.example,",
        (ForwardPrefix("news", "me@x.example"), ForwardPrefix("*", "You@y.example")),
    ),
    (sending.forward_rules, "a=b@x.example=c", (ForwardPrefix("a", "b@x.example"),)),
    (
        sending.forward_rules,
        '[{"prefix": "News ", "email": " me@x.example"}]',
        (ForwardPrefix("news", "me@x.example"),),
    ),
]


@pytest.mark.parametrize(("parse", "text", "value"), GOOD, ids=[f"{p.__name__} {t[:30]}" for p, t, _ in GOOD])
def test_good_texts_are_taken(parse: Callable[[str], object], text: str, value: object) -> None:
    assert parse(text) == value


BAD: list[tuple[Callable[[str], object], str, str]] = [
    (sending.api_url, "ftp://a.example", "is not the root URL"),
    (sending.api_url, "https://", "is not the root URL"),
    (sending.api_url, "https://a.example?x=1", "is not the root URL"),
    (sending.api_url, "https://a.example:0", "is not the root URL"),
    (sending.api_url, "https://a.example:99999", "is not the root URL"),
    (sending.api_url, "https://hush@a.example", "holds a user name"),
    (sending.smtp_relay, "relay.example:25", "is not the URL of a mail server"),
    (sending.smtp_relay, "smtp://relay.example:0", "is not the URL of a mail server"),
    (sending.smtp_relay, "smtp://hush@relay.example", "without a password"),
    (sending.smtp_relay, "smtp://u:hush@relay.example/inbox", "holds more than a login and a server"),
    (sending.smtp_relay, "smtp://u:hush%0a@relay.example", "has a control character"),
    (sending.sender_address, "example.com", "is not an address"),
    (sending.sender_address, "Shop <a@b.example>", "is not an address"),
    (sending.sender_address, "a@b_c", "is not an address"),
    (sending.pauses, "other=1", "names no provider"),
    (sending.pauses, "resend", "has no number of seconds"),
    (sending.pauses, "resend=-1", "has no number of seconds"),
    (sending.pauses, "resend=3600.1", "has no number of seconds"),
    (sending.template_variables, "subject=s", "must name a variable"),
    (sending.template_variables, "html=h,text=t", "must name a variable"),
    (sending.template_variables, "body=b", "is not PART=VARIABLE"),
    (sending.template_variables, "html=a b", "is not PART=VARIABLE"),
    (sending.webhook_secrets, "whsec_hush!", "is not a signing secret"),
    (sending.webhook_secrets, "whsec_", "is not a signing secret"),
    (sending.forward_rules, "news", "is no rule"),
    (sending.forward_rules, "=a@b.example", "is no rule"),
    (sending.forward_rules, "news=nobody", "is no rule"),
    (sending.forward_rules, "[1]", "is no JSON array of rules"),
    (sending.forward_rules, '[{"prefix": "a"}]', "is no JSON array of rules"),
    (sending.forward_rules, "[", "is no JSON array of rules"),
]


@pytest.mark.parametrize(("parse", "text", "problem"), BAD, ids=[f"{p.__name__} {t[:30]}" for p, t, _ in BAD])
def test_bad_texts_are_refused_in_words(parse: Callable[[str], object], text: str, problem: str) -> None:
    with pytest.raises(Unfit) as refused:
        parse(text)
    assert problem in refused.value.sentence()
    assert "hush" not in refused.value.sentence()


MACHINE = Machine("host-1", 2)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"MAIL_PUSH_TOKEN": "hush"}, "MAIL_PUSH_FROM: is missing beside MAIL_PUSH_TOKEN"),
        ({"NOBASE_APPID": "1"}, "NOBASE_SIGNATURE: is missing beside NOBASE_APPID"),
        (
            {"NOBASE_APPID": "1", "NOBASE_SIGNATURE": "hush", "NOBASE_FROM": "a@b.example"},
            "NOBASE_TOKEN: is missing beside NOBASE_APPID",
        ),
        ({"NOBASE_USER": "1"}, "NOBASE_PASS: is missing beside NOBASE_USER"),
        (
            {"NOBASE_USER": "1", "NOBASE_PASS": "hush", "NOBASE_TOKEN": "hush"},
            "NOBASE_TOKEN: cannot stand beside NOBASE_USER",
        ),
        ({"EMAILCAR_API_USER": "me"}, "EMAILCAR_API_PWD: is missing beside EMAILCAR_API_USER"),
        ({"RESEND": '{"a.com": hush}'}, "RESEND_API_KEY: begins like JSON and is none"),
    ],
)
def test_half_an_account_is_a_fault(given: dict[str, str], fault: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load({"DATA_DIR": str(tmp_path), **given}, machine=MACHINE)
    assert fault in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("name", ["RESEND_API_KEY", "RESEND", "SENDFLARE_TOKEN", "CYBERPERSONS"])
def test_the_placeholders_of_the_original_are_no_keys(name: str, tmp_path: Path) -> None:
    loaded = load({"DATA_DIR": str(tmp_path), name: "SENDFLARE发件密钥"}, machine=MACHINE)
    settings = loaded.settings
    assert [settings.resend_api_key, settings.sendflare_api_key, settings.cyberpersons_api_key] == [ProviderKeys()] * 3
    assert name in loaded.notices[0]


def test_a_table_in_wrangler_toml_is_keys_by_domain(tmp_path: Path) -> None:
    config = tmp_path / "wrangler.toml"
    config.write_text('[vars]\nRESEND_API_KEY = {"a.com" = "k1", "b.com" = "k2"}\n')
    settings = load({"DATA_DIR": str(tmp_path)}, config=config, machine=MACHINE).settings
    assert settings.resend_api_key == ProviderKeys((("a.com", "k1"), ("b.com", "k2")))


def test_what_is_shown_of_the_settings_holds_no_key(tmp_path: Path) -> None:
    env = {
        "DATA_DIR": str(tmp_path),
        "RESEND_API_KEY": f"a.com={KEY}",
        "SMTP_RELAY_URL": f"smtp://me:{KEY}@relay.example",
        "RESEND_WEBHOOK_SECRET": WEBHOOK,
    }
    loaded = load(env, machine=MACHINE)
    shown = setting_docs.table(loaded) + json.dumps(setting_docs.document(loaded)) + repr(loaded)
    assert KEY not in shown
    assert WEBHOOK not in shown


def test_the_key_for_rewritten_senders_follows_from_the_root_token(tmp_path: Path) -> None:
    def secret(**given: str) -> str:
        return load({"DATA_DIR": str(tmp_path), **given}, machine=MACHINE).settings.srs_secret

    one = secret(JWT_TOKEN="a-root-token-of-somebody")
    assert len(one) == 64
    assert one == secret(JWT_TOKEN="a-root-token-of-somebody")
    assert one != secret(JWT_TOKEN="another-root-token")
    assert secret(JWT_TOKEN="another-root-token", SRS_SECRET="mine") == "mine"
