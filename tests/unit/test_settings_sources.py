"""Where settings come from, which source wins, and how faults are told."""

import dataclasses
import json
from pathlib import Path

import pytest

from tempmail import setting_docs, setting_sources
from tempmail.errors import ConfigError
from tempmail.setting_sources import Loaded, load, load_or_create_secrets
from tempmail.setting_values import FolderUrl, S3Url, SqliteUrl
from tempmail.settings import VARIABLES, Machine

STOCK = Path(__file__).parent / "data" / "wrangler-stock.toml"
MACHINE = Machine("host-1", 8)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"DATA_DIR": str(tmp_path / "data")}


def wrangler(folder: Path, text: str) -> Path:
    path = folder / "wrangler.toml"
    path.write_text(text, encoding="utf-8")
    return path


def secrets(folder: Path, text: str) -> None:
    data = folder / "data"
    data.mkdir()
    (data / "secrets.toml").write_text(text)
    (data / "secrets.toml").chmod(0o600)


def faults(env: dict[str, str], config: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(env, config=config, machine=MACHINE)
    return caught.value.faults


# Precedence


def test_environment_wins_over_wrangler_over_secrets_over_default(env: dict[str, str], tmp_path: Path) -> None:
    secrets(tmp_path, 'JWT_TOKEN = "from-secrets"\nADMIN_PASSWORD = "from-secrets"\nAWS_SECRET_ACCESS_KEY = "s"\n')
    config = wrangler(
        tmp_path,
        '[vars]\nJWT_TOKEN = "from-wrangler"\nMAX_RECIPIENTS = 7\nAWS_ACCESS_KEY_ID = "id"\nLOG_LEVEL = "debug"\n',
    )
    loaded = load({**env, "MAX_RECIPIENTS": "8"}, config=config, machine=MACHINE)
    picked = {name: loaded.sources[name] for name in ("MAX_RECIPIENTS", "JWT_TOKEN", "ADMIN_PASSWORD", "ADMIN_NAME")}
    assert picked == {
        "MAX_RECIPIENTS": "environment",
        "JWT_TOKEN": "wrangler.toml",
        "ADMIN_PASSWORD": "secrets.toml",
        "ADMIN_NAME": "default",
    }
    assert loaded.settings.max_recipients == 8
    assert loaded.settings.jwt_token == "from-wrangler"
    assert loaded.settings.admin_password == "from-secrets"
    assert loaded.settings.log_level == "debug"


@pytest.mark.parametrize(
    ("given", "token", "source"),
    [
        ({"JWT_TOKEN": "one", "JWT_SECRET": "two"}, "one", "environment"),
        ({"JWT_TOKEN": "  ", "JWT_SECRET": "two"}, "two", "environment (JWT_SECRET)"),
        ({"JWT_SECRET": " two "}, "two", "environment (JWT_SECRET)"),
        ({"JWT_TOKEN": "你的超管令牌", "JWT_SECRET": "two"}, "two", "environment (JWT_SECRET)"),
    ],
)
def test_the_first_alias_that_is_not_empty_wins(
    env: dict[str, str], given: dict[str, str], token: str, source: str
) -> None:
    loaded = load({**env, **given}, machine=MACHINE)
    assert (loaded.settings.jwt_token, loaded.sources["JWT_TOKEN"]) == (token, source)


def test_an_alias_in_the_environment_wins_over_the_name_in_wrangler(env: dict[str, str], tmp_path: Path) -> None:
    config = wrangler(tmp_path, '[vars]\nADMIN_PASSWORD = "file"\n')
    assert load({**env, "ADMIN_PASS": "env"}, config=config).settings.admin_password == "env"


def test_an_empty_value_counts_as_not_given(env: dict[str, str], tmp_path: Path) -> None:
    config = wrangler(tmp_path, '[vars]\nADMIN_NAME = "boss"\n')
    assert load({**env, "ADMIN_NAME": ""}, config=config).settings.admin_name == "boss"


def test_every_variable_has_a_source(env: dict[str, str]) -> None:
    assert list(load(env).sources) == [row.name for row in VARIABLES]


# Defaults


def test_database_and_objects_follow_the_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("data", "./data", str(tmp_path / "data")):
        made = load({"DATA_DIR": text}).settings
        assert made.data_dir == tmp_path / "data"
        assert made.database_url == SqliteUrl(tmp_path / "data" / "tempmail.db")
        assert made.objects_url == FolderUrl(tmp_path / "data" / "objects")


@pytest.mark.parametrize(("cpus", "workers"), [(1, 1), (2, 2), (4, 4), (5, 4), (64, 4)])
def test_workers_follow_the_cpus_up_to_four(env: dict[str, str], cpus: int, workers: int) -> None:
    assert load(env, machine=Machine("h", cpus)).settings.smtp_workers == workers


@pytest.mark.parametrize(("host", "name"), [("mx.example.com", "mx.example.com"), ("bad name", "localhost")])
def test_the_greeting_name_is_the_host_name_where_it_can_be(env: dict[str, str], host: str, name: str) -> None:
    assert load(env, machine=Machine(host, 1)).settings.smtp_hostname == name


@pytest.mark.parametrize(
    ("endpoint", "region"),
    [
        ("https://acc.r2.cloudflarestorage.com", "auto"),
        ("https://acc.eu.r2.cloudflarestorage.com", "auto"),
        ("https://r2.cloudflarestorage.com.evil.example", "us-east-1"),
        ("http://127.0.0.1:9000", "us-east-1"),
        ("", "us-east-1"),
    ],
)
def test_the_region_follows_the_endpoint(env: dict[str, str], endpoint: str, region: str) -> None:
    assert load({**env, "S3_ENDPOINT_URL": endpoint}).settings.aws_region == region


def test_the_recorded_bucket_follows_the_object_store(env: dict[str, str]) -> None:
    assert load(env).settings.r2_bucket_name == "mail-eml"
    s3 = load({**env, "OBJECTS_URL": "s3://mails/x"}).settings
    assert (s3.objects_url, s3.r2_bucket_name) == (S3Url("mails", "x"), "mails")


def test_defaults_read_no_file_and_no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SMTP_BIND", "nonsense")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secrets.toml").write_text("not toml")
    assert str(setting_sources.defaults().smtp_bind) == "127.0.0.1:2525"


# wrangler.toml of the original


def test_the_stock_file_of_the_original_starts_on_safe_values(env: dict[str, str]) -> None:
    loaded = load(env, config=STOCK)
    assert loaded.settings.mail_domain == ("temp.example.com",)
    assert loaded.settings.jwt_token == ""
    assert loaded.settings.guest_password == ""
    assert loaded.settings.session_expire_days == 365
    assert loaded.settings.database_url.path.name == "mail_free_db.db"
    assert loaded.sources["DATABASE_URL"] == "wrangler.toml (TEMP_MAIL_DB)"
    assert loaded.sources["R2_BUCKET_NAME"] == "wrangler.toml (MAIL_EML)"
    assert sorted(notice.split(":")[0] for notice in loaded.notices) == [
        "CYBERPERSONS_API_KEY",
        "GUEST_PASSWORD",
        "JWT_TOKEN",
        "MAIL_DOMAIN",
        "RESEND_API_KEY",
        "SENDFLARE_API_KEY",
    ]


def test_a_database_url_wins_over_the_binding(env: dict[str, str]) -> None:
    loaded = load({**env, "DATABASE_URL": "sqlite:////srv/x.db"}, config=STOCK)
    assert str(loaded.settings.database_url.path) == "/srv/x.db"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MAIL_DOMAIN", "你的域名列表"),
        ("MAIL_DOMAIN", "你的域名.com，域名2.cn"),
        ("ADMIN_PASSWORD", "你的密码"),
        ("AWS_ACCESS_KEY_ID", "RESEND发件密钥"),
        ("JWT_TOKEN", "dfvhluhdaslufhvdv"),
        ("JWT_TOKEN", "token"),
    ],
)
def test_placeholders_count_as_unset_wherever_they_stand(
    env: dict[str, str], tmp_path: Path, name: str, text: str
) -> None:
    for loaded in (load({**env, name: text}), load(env, config=wrangler(tmp_path, f'[vars]\n{name} = "{text}"\n'))):
        assert loaded.sources[name] == "default"
        assert len(loaded.notices) == 1
        assert text not in loaded.notices[0]


def test_the_published_token_is_only_a_placeholder_for_the_token(env: dict[str, str]) -> None:
    assert load({**env, "ADMIN_NAME": "token"}).settings.admin_name == "token"


def test_a_name_that_nothing_knows_is_noticed_and_no_fault(env: dict[str, str], tmp_path: Path) -> None:
    loaded = load(env, config=wrangler(tmp_path, '[vars]\nMAIL_DOMIAN = "a.com"\nRESEND_TOKEN = "x"\n"a\\nb" = 1\n'))
    assert [notice.split(":")[0] for notice in loaded.notices] == ['"MAIL_DOMIAN"', '"a\\nb"']


# secrets.toml


def test_loading_makes_nothing(env: dict[str, str], tmp_path: Path) -> None:
    assert load(env).settings.jwt_token == ""
    assert not (tmp_path / "data").exists()


def test_the_first_start_makes_what_nobody_gives(env: dict[str, str]) -> None:
    loaded, created = load_or_create_secrets(env)
    assert set(created) == {"ADMIN_PASSWORD", "JWT_TOKEN"}
    assert (loaded.settings.admin_password, loaded.settings.jwt_token) == tuple(created.values())
    assert loaded.sources["JWT_TOKEN"] == "secrets.toml"
    again, none = load_or_create_secrets(env)
    assert none == {}
    assert again.settings == loaded.settings


def test_what_is_given_is_not_made(env: dict[str, str], tmp_path: Path) -> None:
    config = wrangler(tmp_path, '[vars]\nADMIN_PASS = "chosen"\n')
    loaded, created = load_or_create_secrets(env, config=config)
    assert set(created) == {"JWT_TOKEN"}
    assert loaded.settings.admin_password == "chosen"


def test_no_file_is_made_where_both_are_given(env: dict[str, str], tmp_path: Path) -> None:
    assert load_or_create_secrets({**env, "ADMIN_PASS": "a", "JWT_SECRET": "b"})[1] == {}
    assert not (tmp_path / "data").exists()


def test_nothing_is_made_where_a_setting_is_at_fault(env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_or_create_secrets({**env, "SMTP_BIND": "x"})
    assert not (tmp_path / "data").exists()


def test_an_empty_password_in_secrets_turns_the_admin_login_off(env: dict[str, str], tmp_path: Path) -> None:
    secrets(tmp_path, 'ADMIN_PASSWORD = ""\nJWT_TOKEN = "t"\n')
    loaded, created = load_or_create_secrets(env)
    assert created == {}
    assert (loaded.settings.admin_password, loaded.sources["ADMIN_PASSWORD"]) == ("", "secrets.toml")


@pytest.mark.parametrize("token", ["", " ", "token", "你的令牌"])
def test_an_empty_or_public_token_in_secrets_is_a_fault(env: dict[str, str], tmp_path: Path, token: str) -> None:
    secrets(tmp_path, f'JWT_TOKEN = "{token}"\n')
    assert faults(env) == ["JWT_TOKEN: is empty or public; remove the line to have one made (secrets.toml)."]


def test_secrets_toml_gives_secrets_only(env: dict[str, str], tmp_path: Path) -> None:
    secrets(tmp_path, 'LOG_LEVEL = "debug"\nJWT_TOKEN = "t"\n')
    loaded = load(env)
    assert loaded.settings.log_level == "info"
    assert loaded.notices == ("LOG_LEVEL: is passed over in secrets.toml, which is read for secrets only.",)


# Faults


def test_all_faults_of_all_sources_are_told_together(env: dict[str, str], tmp_path: Path) -> None:
    secrets(tmp_path, "JWT_TOKEN = 5\n")
    config = wrangler(tmp_path, 'vars = 1\n[[r2_buckets]]\nbinding = "MAIL_EML"\nbucket_name = "mails"\n')
    found = faults({**env, "SMTP_BIND": "x", "LOG_FORMAT": "xml", "AWS_ACCESS_KEY_ID": "id"}, config)
    assert [fault.split(":")[0].removeprefix(str(tmp_path)) for fault in found] == [
        "/wrangler.toml",
        "/data/secrets.toml",
        "SMTP_BIND",
        "LOG_FORMAT",
        "AWS_SECRET_ACCESS_KEY",
    ]


BAD_TEXT = {
    "MAIL_DOMAIN": "a_b",
    "ADMIN_NAME": "a\x01b",
    "ADMIN_PASSWORD": "hush\nhush",
    "JWT_TOKEN": "hush\nhush",
    "GUEST_PASSWORD": "hush\nhush",
    "SESSION_EXPIRE_DAYS": "0",
    "CLAIM_UNOWNED_MAILBOXES": "perhaps",
    "MAILBOX_CREATES_PER_MINUTE": "0",
    "PASSWORD_TIME_COST": "0",
    "PASSWORD_MEMORY_KIB": "7",
    "AUDIT_DAYS": "0",
    "HTTP_BIND": "80",
    "SMTP_BIND": "25",
    "SMTPS_BIND": "465",
    "SMTP_HOSTNAME": "a b",
    "SMTP_TLS_CERT": "a\0b",
    "SMTP_TLS_KEY": "a\0b",
    "PROXY_PROTOCOL_FROM": "lb",
    "TRUSTED_PROXIES": "lb",
    "DATA_DIR": "a\0b",
    "DATABASE_URL": "postgresql://u:hush@h/d",
    "OBJECTS_URL": "ftp://u:hush@h",
    "R2_BUCKET_NAME": "A",
    "S3_ENDPOINT_URL": "https://u:hush@h",
    "S3_ADDRESSING": "dns",
    "AWS_REGION": "a b",
    "AWS_ACCESS_KEY_ID": "a\x01b",
    "AWS_SECRET_ACCESS_KEY": "hush\x01hush",
    "CREATE_ON_RECEIPT": "perhaps",
    "SMTP_CAPTURE_ALL": "perhaps",
    "RETENTION_DAYS": "-1",
    "CAPSULES_PER_MONTH": "-1",
    "RESEND_API_KEY": '{"a.com": hush}',
    "SENDFLARE_API_KEY": "hush,hush",
    "CYBERPERSONS_API_KEY": "a.com=hush,hush",
    "RESEND_API_URL": "api.resend.com",
    "SENDFLARE_API_URL": "https://hush@api.example",
    "CYBERPERSONS_API_URL": "https://",
    "MAIL_PUSH_TOKEN": "hush\x01hush",
    "MAIL_PUSH_FROM": "nobody",
    "MAIL_PUSH_TEMPLATE": "x",
    "MAIL_PUSH_VARIABLES": "body=b",
    "MAIL_PUSH_API_URL": "x",
    "NOBASE_APPID": "a\x01",
    "NOBASE_SIGNATURE": "hush\x01",
    "NOBASE_TOKEN": "hush\x01",
    "NOBASE_USER": "a\x01",
    "NOBASE_PASS": "hush\x01",
    "NOBASE_FROM": "nobody",
    "NOBASE_API_URL": "x",
    "EMAILCAR_API_USER": "a\x01",
    "EMAILCAR_API_PWD": "hush\x01",
    "EMAILCAR_DOMAINS": "a_b",
    "EMAILCAR_API_URL": "x",
    "SMTP_RELAY_URL": "smtp://hush@relay.example",
    "SMTP_RELAY_DOMAINS": "a_b",
    "SEND_PAUSES": "nobody=1",
    "RESEND_WEBHOOK_SECRET": "whsec_hush!",
    "OUTBOX_DAYS": "0",
    "FORWARD_RULES": "news",
    "FORWARD_VERIFY": "perhaps",
    "SRS_SECRET": "hush\x01",
    "SANDBOX": "perhaps",
    "MAX_MESSAGE_BYTES": "25M",
    "MAX_RECIPIENTS": "0",
    "MAX_CONNECTIONS": "0",
    "MAX_CONNECTIONS_PER_ADDRESS": "0",
    "SMTP_IDLE_TIMEOUT_S": "0",
    "SMTP_DATA_TIMEOUT_S": "0",
    "SMTP_MAX_ERRORS": "0",
    "MAX_JSON_BYTES": "0",
    "SPOOL_MAX_BYTES": "0",
    "DISK_MIN_FREE_BYTES": "x",
    "SMTP_WORKERS": "65",
    "RUN_AS": "a b",
    "LOG_LEVEL": "loud",
    "LOG_FORMAT": "xml",
}


@pytest.mark.parametrize("name", [row.name for row in VARIABLES])
def test_one_bad_variable_is_one_fault_that_names_it_and_hides_secrets(env: dict[str, str], name: str) -> None:
    (fault,) = faults({**env, name: BAD_TEXT[name]})
    assert fault.startswith(f"{name}: ")
    assert fault.endswith("(environment).")
    assert "hush" not in fault
    assert fault.isprintable()


def test_all_bad_variables_together_are_one_fault_each() -> None:
    assert sorted(fault.split(":")[0] for fault in faults(BAD_TEXT)) == sorted(BAD_TEXT)


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ({"SMTP_TLS_CERT": "CERT"}, "SMTP_TLS_KEY: is missing beside SMTP_TLS_CERT"),
        ({"SMTP_TLS_KEY": "CERT"}, "SMTP_TLS_CERT: is missing beside SMTP_TLS_KEY"),
        ({"SMTP_TLS_CERT": "CERT", "SMTP_TLS_KEY": "/no/such.pem"}, 'SMTP_TLS_KEY: "/no/such.pem" is not a file'),
        ({"SMTP_TLS_CERT": "/no/such.pem", "SMTP_TLS_KEY": "CERT"}, 'SMTP_TLS_CERT: "/no/such.pem" is not a file'),
        ({"SMTPS_BIND": "127.0.0.1:465"}, "SMTPS_BIND: needs a certificate"),
        ({"SMTP_BIND": "127.0.0.1:8080"}, 'SMTP_BIND: "127.0.0.1:8080" is taken by HTTP_BIND'),
        ({"AWS_ACCESS_KEY_ID": "id"}, "AWS_SECRET_ACCESS_KEY: is missing beside AWS_ACCESS_KEY_ID"),
        ({"AWS_SECRET_ACCESS_KEY": "hush"}, "AWS_ACCESS_KEY_ID: is missing beside AWS_SECRET_ACCESS_KEY"),
        ({"SPOOL_MAX_BYTES": "26214399"}, "SPOOL_MAX_BYTES: is less than MAX_MESSAGE_BYTES"),
        ({"RUN_AS": "no-such-user-here"}, 'RUN_AS: "no-such-user-here" is no user'),
        ({"DATA_DIR": "CERT"}, "DATA_DIR: "),
    ],
)
def test_values_that_clash_are_a_fault(env: dict[str, str], tmp_path: Path, given: dict[str, str], start: str) -> None:
    cert = tmp_path / "cert.pem"
    cert.write_text("pem")
    (fault,) = faults({**env, **{name: str(cert) if text == "CERT" else text for name, text in given.items()}})
    assert fault.startswith(start)
    assert "hush" not in fault


def test_values_that_fit_together_are_taken(env: dict[str, str], tmp_path: Path) -> None:
    cert = tmp_path / "cert.pem"
    cert.write_text("pem")
    made = load(
        {
            **env,
            "SMTP_TLS_CERT": str(cert),
            "SMTP_TLS_KEY": str(cert),
            "SMTPS_BIND": "127.0.0.1:0",
            "SMTP_BIND": "127.0.0.1:0",
            "HTTP_BIND": "127.0.0.1:0",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "SPOOL_MAX_BYTES": "26214400",
            "RUN_AS": "root",
        }
    ).settings
    assert made.smtp_tls_cert == cert


# What `tempmail config` shows


def shown(loaded: Loaded) -> str:
    return setting_docs.table(loaded) + json.dumps(setting_docs.document(loaded))


def test_secrets_are_masked_in_every_form(env: dict[str, str]) -> None:
    given = {row.name: "hushhush" for row in VARIABLES if row.is_secret and row.name != "NOBASE_PASS"}
    given["SMTP_RELAY_URL"] = "smtp://hushhush:hushhush@relay.example"
    beside = {
        "AWS_ACCESS_KEY_ID": "id",
        "MAIL_PUSH_FROM": "a@b.example",
        "MAIL_PUSH_TEMPLATE": "1",
        "NOBASE_APPID": "1",
        "NOBASE_FROM": "a@b.example",
        "EMAILCAR_API_USER": "me",
    }
    text = shown(load({**env, **given, **beside}))
    assert "hushhush" not in text
    assert text.count(setting_docs.MASK) == 2 * len(given)


def test_json_keeps_numbers_switches_and_lists(env: dict[str, str]) -> None:
    made = {
        entry["name"]: entry["value"]
        for entry in json.loads(json.dumps(setting_docs.document(load({**env, "MAIL_DOMAIN": "a.com b.com"}))))[
            "variables"
        ]
    }
    assert made["MAX_RECIPIENTS"] == 100
    assert made["CREATE_ON_RECEIPT"] is True
    assert made["MAIL_DOMAIN"] == ["a.com", "b.com"]
    assert made["PROXY_PROTOCOL_FROM"] == []
    assert made["HTTP_BIND"] == "127.0.0.1:8080"
    assert made["SMTPS_BIND"] is None
    assert made["RUN_AS"] is None
    assert made["JWT_TOKEN"] is None


def test_the_table_has_a_line_for_each_variable(env: dict[str, str]) -> None:
    lines = setting_docs.table(load({**env, "ADMIN_PASS": "x"})).splitlines()
    assert [line.split()[0] for line in lines] == [row.name for row in VARIABLES]
    by_name = {line.split()[0]: line.split(maxsplit=1)[1].split("  ") for line in lines}
    assert by_name["ADMIN_PASSWORD"][0] == "********"
    assert by_name["ADMIN_PASSWORD"][-1] == "environment (ADMIN_PASS)"


def test_loaded_settings_do_not_show_secrets_in_their_repr(env: dict[str, str]) -> None:
    loaded = load({**env, "JWT_TOKEN": "hush-hush"})
    assert "hush-hush" not in repr(loaded)
    assert dataclasses.replace(loaded.settings).jwt_token == "hush-hush"
