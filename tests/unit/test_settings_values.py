"""What each kind of setting takes and refuses."""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tempmail import setting_values as values
from tempmail.setting_values import Bind, FolderUrl, S3Url, SqliteUrl, Unfit

L63 = "a" * 63

GOOD: list[tuple[Callable[[str], object], str, object]] = [
    (values.domains, "Example.COM *.Mail.Example.COM", ("Example.COM", "*.Mail.Example.COM")),
    (values.domains, " a.com, b.com\n*.c.com，d.com ,,", ("a.com", "b.com", "*.c.com", "d.com")),
    (values.domains, "a.com a.com", ("a.com", "a.com")),
    (values.domains, "邮箱.例子", ("邮箱.例子",)),
    (values.domains, "xn--fsqu00a.example", ("xn--fsqu00a.example",)),
    (values.domains, "localhost", ("localhost",)),
    (values.domains, f"{L63}.com", (f"{L63}.com",)),
    (values.domains, ".".join([L63, L63, L63, "a" * 61]), (".".join([L63, L63, L63, "a" * 61]),)),
    (values.integer(1, 10), "1", 1),
    (values.integer(1, 10), "010", 10),
    (values.switch, "TRUE", True),
    (values.switch, "1", True),
    (values.switch, "off", False),
    (values.choice("auto", "path"), "PATH", "path"),
    (values.bind, "127.0.0.1:0", Bind("127.0.0.1", 0)),
    (values.bind, "[::1]:65535", Bind("::1", 65535)),
    (values.bind, "localhost:80", Bind("localhost", 80)),
    (values.optional(values.bind), "", None),
    (values.networks, "", ()),
    (values.networks, "10.0.0.0/8, ::1", (ip_network("10.0.0.0/8"), ip_network("::1"))),
    (values.path, "/a/b", Path("/a/b")),
    (values.path, "b", Path.cwd() / "b"),
    (values.database_url, "sqlite:////srv/a.db", SqliteUrl(Path("/srv/a.db"))),
    (values.database_url, "sqlite:///a.db", SqliteUrl(Path.cwd() / "a.db")),
    (values.objects_url, "file:///srv/o", FolderUrl(Path("/srv/o"))),
    (values.objects_url, "file://./o", FolderUrl(Path.cwd() / "o")),
    (values.objects_url, "s3://mails", S3Url("mails", "")),
    (values.objects_url, "s3://mails/a/b/", S3Url("mails", "a/b")),
    (values.endpoint_url, "", ""),
    (values.endpoint_url, "http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
    (values.endpoint_url, "https://x.example/storage/v1/s3", "https://x.example/storage/v1/s3"),
    (values.bucket, "abc", "abc"),
    (values.bucket, "a" * 63, "a" * 63),
    (values.region, "eu-central-1", "eu-central-1"),
    (values.host_name, "mx-1.example.com", "mx-1.example.com"),
    (values.user_name, "", ""),
    (values.user_name, "www-data", "www-data"),
    (values.account_name, "Admin 管理", "admin 管理"),
    (values.plain, "AKIA 1", "AKIA 1"),
    (values.secret, "pass wörd", "pass wörd"),
]

BAD: list[tuple[Callable[[str], object], str, str]] = [
    (values.domains, ", ,", "names no domain"),
    (values.domains, "a_b.com", '"a_b.com" is not a domain name'),
    (values.domains, "good.com -bad.com", '"-bad.com" is not a domain name'),
    (values.domains, "a..com", "is not a domain name"),
    (values.domains, "a.com.", "is not a domain name"),
    (values.domains, "*", "is not a domain name"),
    (values.domains, "*.", "is not a domain name"),
    (values.domains, "*.*.com", "is not a domain name"),
    (values.domains, "a.*.com", "is not a domain name"),
    (values.domains, "me@a.com", "is not a domain name"),
    (values.domains, "1.2.3.4", "is not a domain name"),
    (values.domains, f"{L63}a.com", "is not a domain name"),
    (values.domains, ".".join([L63, L63, L63, "a" * 62]), "is not a domain name"),
    (values.domains, "邮" * 64 + ".com", "is not a domain name"),
    (values.domains, "邮\u200e箱.com", "is not a domain name"),
    (values.integer(1, 10), "", "is not a whole number; give one from 1 to 10"),
    (values.integer(1, 10), "0", '"0" is out of range'),
    (values.integer(1, 10), "11", "is out of range"),
    (values.integer(1, 10), "1_0", "is not a whole number"),
    (values.integer(1, 10), "-1", "is not a whole number"),
    (values.integer(1, 10), "25M", "is not a whole number"),
    (values.integer(1, 10), "١", "is not a whole number"),
    (values.integer(1, 10), "9" * 5000, "is not a whole number"),
    (values.switch, "maybe", "give true or false"),
    (values.choice("auto", "path"), "both", '"both" is not known; give one of auto, path'),
    (values.bind, "2525", "is not ADDRESS:PORT"),
    (values.bind, ":2525", "is not ADDRESS:PORT"),
    (values.bind, "::1:25", "is not ADDRESS:PORT"),
    (values.bind, "[127.0.0.1]:25", "is not ADDRESS:PORT"),
    (values.bind, "mx.example.com:25", "is not ADDRESS:PORT"),
    (values.bind, "0.0.0.0:65536", "has no valid port"),
    (values.bind, "0.0.0.0:", "has no valid port"),
    (values.bind, "0.0.0.0:smtp", "has no valid port"),
    (values.optional(values.bind), "x", "is not ADDRESS:PORT"),
    (values.networks, "10.0.0.0/8 proxy", '"proxy" is not a network'),
    (values.networks, "10.0.0.1/8", "give 10.0.0.0/8"),
    (values.path, "a\0b", "holds a NUL character"),
    (values.path, "~nobody-of-this-name/x", "without a home directory"),
    (values.database_url, "data.db", "is not a URL"),
    (values.database_url, "postgresql://me:hush@db/x", '"postgresql://" is not a database that this version can use'),
    (values.database_url, "sqlite://a.db", "must name a file"),
    (values.database_url, "sqlite:///", "must name a file"),
    (values.database_url, "sqlite:///:memory:", "must name a file"),
    (values.database_url, "sqlite:///a.db?mode=ro", "must name a file"),
    (values.database_url, "sqlite:////srv/", "must name a file"),
    (values.objects_url, "/srv/objects", "names no object store"),
    (values.objects_url, "gs://hush", "names no object store"),
    (values.objects_url, "file://srv/objects", "must go on with a path"),
    (values.objects_url, "s3://", "is not a bucket name"),
    (values.objects_url, "s3://AB", "is not a bucket name"),
    (values.objects_url, "s3://me:hush@mails/x", "holds more than a bucket"),
    (values.objects_url, "s3://mails/a//b", "is not a key prefix"),
    (values.objects_url, "s3://mails/../b", "is not a key prefix"),
    (values.objects_url, "s3://mails/a\nb", "is not a key prefix"),
    (values.endpoint_url, "acc.r2.cloudflarestorage.com", "is not a URL"),
    (values.endpoint_url, "ftp://x", "is not a URL"),
    (values.endpoint_url, "http://x:99999", "is not a URL"),
    (values.endpoint_url, "http://[x", "is not a URL"),
    (values.endpoint_url, "https://me:hush@x", "holds more than scheme, host and port"),
    (values.endpoint_url, "https://x?hush=1", "holds more than scheme, host and port"),
    (values.endpoint_url, "https://acc.r2.cloudflarestorage.com/mails", "the bucket goes into OBJECTS_URL"),
    (values.bucket, "ab", "is not a bucket name"),
    (values.bucket, "a" * 64, "is not a bucket name"),
    (values.bucket, "a..b", "is not a bucket name"),
    (values.region, "US East", "is not a region"),
    (values.host_name, "", "is not a host name"),
    (values.host_name, "a b", "is not a host name"),
    (values.host_name, "a..b", "is not a host name"),
    (values.user_name, "a b", "is not a user name"),
    (values.user_name, "-x", "is not a user name"),
    (values.account_name, "a\x1bb", "holds a control character"),
    (values.plain, "a\nb", "holds a control character"),
    (values.secret, "hush\nhush", "holds a control character"),
]


@pytest.mark.parametrize(("parse", "text", "value"), GOOD)
def test_good_text_gives_its_value(parse: Callable[[str], object], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(("parse", "text", "part"), BAD)
def test_bad_text_is_told_in_one_line_without_secrets(parse: Callable[[str], object], text: str, part: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse(text)
    sentence = caught.value.sentence()
    assert part in sentence
    assert ";" in sentence, "a fault says what to do"
    assert "hush" not in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize(
    "text", ["127.0.0.1:0", "[::1]:25", "sqlite:////srv/a.db", "file:///srv/o", "s3://mails/a/b", "s3://mails"]
)
def test_values_print_as_they_are_written(text: str) -> None:
    parse = values.bind if "//" not in text else values.database_url if "sqlite" in text else values.objects_url
    assert str(parse(text)) == text


def test_evidence_is_cut_at_sixty_characters() -> None:
    assert values.quoted("a" * 60) == '"' + "a" * 60 + '"'
    assert values.quoted("a" * 61) == '"' + "a" * 60 + '…"'


@given(st.text())
def test_evidence_is_always_one_printable_line(text: str) -> None:
    assert values.quoted(text).isprintable()


@given(st.text(max_size=200), st.sampled_from([parse for parse, _, _ in BAD]))
def test_any_text_is_taken_or_told(text: str, parse: Callable[[str], object]) -> None:
    assert _sentence(parse, text.strip()).isprintable()


def _sentence(parse: Callable[[str], object], text: str) -> str:
    try:
        parse(text)
    except Unfit as exc:
        return exc.sentence()
    return ""
