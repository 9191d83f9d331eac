"""The table is complete: every field, row, document and default belong together."""

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any

import pytest

from tempmail import setting_docs
from tempmail.setting_sources import defaults
from tempmail.settings import NOT_USED_YET, VARIABLES, Settings, Variable

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"

# The names and defaults that users rely on: changing one breaks installations.
PROMISED = {
    "MAIL_DOMAIN": "temp.example.com",
    "ADMIN_NAME": "admin",
    "SESSION_EXPIRE_DAYS": "7",
    "HTTP_BIND": "127.0.0.1:8080",
    "SMTP_BIND": "127.0.0.1:2525",
    "SMTPS_BIND": "",
    "SMTP_TLS_CERT": "",
    "SMTP_TLS_KEY": "",
    "PROXY_PROTOCOL_FROM": "",
    "TRUSTED_PROXIES": "",
    "DATA_DIR": "./data",
    "DATABASE_URL": "sqlite:///<DATA_DIR>/tempmail.db",
    "OBJECTS_URL": "file://<DATA_DIR>/objects",
    "S3_ENDPOINT_URL": "",
    "S3_ADDRESSING": "auto",
    "CREATE_ON_RECEIPT": "true",
    "SMTP_CAPTURE_ALL": "false",
    "RETENTION_DAYS": "0",
    "MAX_MESSAGE_BYTES": "26214400",
    "MAX_RECIPIENTS": "100",
    "MAX_CONNECTIONS": "500",
    "MAX_CONNECTIONS_PER_ADDRESS": "100",
    "SMTP_IDLE_TIMEOUT_S": "300",
    "SMTP_DATA_TIMEOUT_S": "600",
    "SMTP_MAX_ERRORS": "10",
    "MAX_JSON_BYTES": "1048576",
    "SPOOL_MAX_BYTES": "1073741824",
    "DISK_MIN_FREE_BYTES": "67108864",
    "RUN_AS": "",
    "LOG_LEVEL": "info",
    "LOG_FORMAT": "logfmt",
    "RESEND_API_KEY": "",
    "SENDFLARE_API_KEY": "",
    "CYBERPERSONS_API_KEY": "",
    "RESEND_API_URL": "https://api.resend.com",
    "SENDFLARE_API_URL": "https://api.sendflare.io",
    "CYBERPERSONS_API_URL": "https://platform.cyberpersons.com/email/v1",
    "MAIL_PUSH_API_URL": "https://mail.push.xiaocx.cc/api",
    "NOBASE_API_URL": "https://nobase.cn",
    "EMAILCAR_API_URL": "http://webapi.emailcar.net",
    "SMTP_RELAY_URL": "",
    "SEND_PAUSES": "",
    "OUTBOX_DAYS": "30",
    "FORWARD_RULES": "",
    "FORWARD_VERIFY": "false",
    "SANDBOX": "true",
}

each_row = pytest.mark.parametrize("row", VARIABLES, ids=lambda row: row.name)


def test_every_field_comes_from_a_row_and_every_row_has_a_field() -> None:
    assert [item.name.upper() for item in dataclasses.fields(Settings)] == [row.name for row in VARIABLES]


def test_no_name_or_alias_is_used_twice() -> None:
    names = [name for row in VARIABLES for name in (row.name, *row.aliases)] + list(NOT_USED_YET)
    assert len(names) == len(set(names))


@each_row
def test_every_row_is_documented_in_whole_sentences(row: Variable) -> None:
    assert row.doc[0].isupper()
    assert row.doc.endswith(".")
    assert len(row.doc) > 15


@each_row
def test_every_name_is_in_the_documentation_and_in_help(row: Variable) -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name in (row.name, *row.aliases):
        assert f"`{name}`" in text
        assert name in setting_docs.help_text()


def test_the_committed_documentation_is_what_the_table_gives() -> None:
    assert DOCS.read_text(encoding="utf-8") == setting_docs.markdown()


def test_help_is_at_most_a_hundred_columns_wide() -> None:
    assert max(len(line) for line in setting_docs.help_text().splitlines()) <= 100


def test_promised_defaults_hold() -> None:
    assert {row.name: row.default_doc for row in VARIABLES if row.name in PROMISED} == PROMISED


def test_aliases_are_those_of_the_original() -> None:
    assert {row.name: row.aliases for row in VARIABLES if row.aliases} == {
        "ADMIN_PASSWORD": ("ADMIN_PASS",),
        "JWT_TOKEN": ("JWT_SECRET",),
        "RESEND_API_KEY": ("RESEND_TOKEN", "RESEND"),
        "SENDFLARE_API_KEY": ("SENDFLARE_TOKEN",),
        "CYBERPERSONS_API_KEY": ("CYBERPERSONS_API_TOKEN", "CYBERPERSONS"),
    }


@each_row
def test_a_default_has_the_type_that_its_field_declares(row: Variable) -> None:
    declared = typing.get_type_hints(Settings)[row.name.lower()]
    value = setting_docs.value_of(row, defaults())
    arms = typing.get_args(declared) if isinstance(declared, types.UnionType) else (declared,)
    assert any(_fits(value, arm) for arm in arms)


def _fits(value: object, arm: object) -> bool:
    origin = typing.get_origin(arm)
    if origin is typing.Literal:
        return value in typing.get_args(arm)
    kind = origin or arm
    # Not isinstance() alone: a bool would pass for an int.
    return isinstance(kind, type) and (type(value) is kind or (kind is Path and isinstance(value, Path)))


def test_every_secret_is_marked_and_none_shows_in_a_repr() -> None:
    secret = {row.name for row in VARIABLES if row.is_secret}
    assert secret == {
        "ADMIN_PASSWORD",
        "JWT_TOKEN",
        "GUEST_PASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "RESEND_API_KEY",
        "SENDFLARE_API_KEY",
        "CYBERPERSONS_API_KEY",
        "MAIL_PUSH_TOKEN",
        "NOBASE_SIGNATURE",
        "NOBASE_TOKEN",
        "NOBASE_PASS",
        "EMAILCAR_API_PWD",
        "SMTP_RELAY_URL",
        "RESEND_WEBHOOK_SECRET",
        "SRS_SECRET",
    }
    hushed: dict[str, Any] = dict.fromkeys((name.lower() for name in secret), "hush")
    filled = dataclasses.replace(defaults(), **hushed)
    assert "hush" not in repr(filled)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        defaults().max_recipients = 5  # type: ignore[misc]


def test_groups_stand_together() -> None:
    groups = [row.group for row in VARIABLES]
    assert len([one for one, two in zip(groups, [None, *groups], strict=False) if one != two]) == len(set(groups))
