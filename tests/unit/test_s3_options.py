"""Where a bucket is: the options, checked before anything is sent."""

from typing import Any

import pytest

from tempmail.adapters.objects.s3_options import S3Options
from tempmail.errors import ConfigError

FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "short-bucket": ({"bucket": "ab"}, "no valid bucket"),
    "long-bucket": ({"bucket": "a" * 64}, "no valid bucket"),
    "bucket-with-slash": ({"bucket": "a/b"}, "no valid bucket"),
    "prefix-with-parent": ({"prefix": "live/../x"}, "prefix in OBJECTS_URL has"),
    "prefix-with-slash-at-its-end": ({"prefix": "live/"}, "prefix in OBJECTS_URL has"),
    "prefix-without-room-for-keys": ({"prefix": "a" * 255 + "/" + "b" * 255 + "/c"}, "longer than 512 bytes"),
    "region": ({"region": "eu west"}, "AWS_REGION is no region name"),
    "endpoint-without-scheme": ({"endpoint_url": "s3.example.com"}, "S3_ENDPOINT_URL must have the form"),
    "endpoint-of-another-scheme": ({"endpoint_url": "ftp://s3.example.com"}, "S3_ENDPOINT_URL must have the form"),
    "endpoint-with-bad-port": ({"endpoint_url": "http://s3.example.com:99999"}, "S3_ENDPOINT_URL must have the form"),
    "endpoint-with-credentials": ({"endpoint_url": "https://k:secret@s3.example.com"}, "must hold no credentials"),
    "endpoint-with-query": ({"endpoint_url": "https://s3.example.com/?x=1"}, "no '?'"),
    "endpoint-with-the-bucket": ({"endpoint_url": "https://x.r2.cloudflarestorage.com/mails"}, "leave it out"),
    "half-a-key-pair": ({"access_key_id": "key"}, "come as a pair"),
    "key-id-with-newline": ({"access_key_id": "key\n", "secret_access_key": "s"}, "AWS_ACCESS_KEY_ID is empty, or"),
    "empty-secret": ({"access_key_id": "key", "secret_access_key": ""}, "AWS_SECRET_ACCESS_KEY is empty, or"),
    "connect-timeout": ({"connect_timeout_s": 0}, "connect timeout must be above 0"),
    "read-timeout": ({"read_timeout_s": -1}, "read timeout must be above 0"),
    "attempts": ({"max_attempts": 0}, "number of attempts must be above 0"),
    "connections": ({"max_concurrency": 0}, "number of connections must be above 0"),
}


@pytest.mark.parametrize(("changes", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_wrong_option_is_named(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        S3Options(**{"bucket": "mails", **changes})
    [told] = caught.value.faults
    assert fault in told
    assert "secret@" not in told


@pytest.mark.parametrize(
    "changes",
    [
        {"bucket": "abc"},
        {"bucket": "a" * 63},
        {"prefix": "a" * 255 + "/" + "b" * 254 + "/c"},
        {"region": "auto"},
        {"endpoint_url": "http://127.0.0.1:9000"},
        {"endpoint_url": "https://[::1]:9000"},
        {"endpoint_url": "https://proxy.example.com/s3"},
        {"access_key_id": "key", "secret_access_key": "s/e+c=ret"},
    ],
)
def test_a_right_option_passes(changes: dict[str, Any]) -> None:
    S3Options(**{"bucket": "mails", **changes})


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        S3Options(bucket="a", region="", endpoint_url="nowhere", access_key_id="key", max_attempts=0)
    assert len(caught.value.faults) == 5


def test_options_do_not_show_their_credentials() -> None:
    shown = repr(S3Options(bucket="mails", access_key_id="KEYID", secret_access_key="SECRET"))
    assert "KEYID" not in shown
    assert "SECRET" not in shown
