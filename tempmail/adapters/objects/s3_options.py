"""Where a bucket is and how to reach it: the options of `S3Objects`, checked before the first request."""

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from tempmail.adapters.objects.keys import validate_key
from tempmail.errors import ConfigError

Addressing = Literal["auto", "path", "virtual"]
"""`auto`: the bucket in the path at an endpoint of one's own, in the host name at Amazon."""

# Amazon S3: bucket naming rules. Older buckets with capitals and underscores live on at some stores, so these pass.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_ROOM_FOR_KEYS_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """Raises `ConfigError` with every fault found. Times are in seconds and hold per attempt, `max_attempts` counts
    the first one. Without a key pair, boto3 looks for credentials where it always does (instance role, profile).

    The region `us-east-1` also serves Cloudflare R2, whose own name for its one region is `auto`.
    """

    bucket: str
    prefix: str = ""
    endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    addressing: Addressing = "auto"
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    max_attempts: int = 3
    max_concurrency: int = 16

    def __post_init__(self) -> None:
        if faults := [*self._address_faults(), *self._credential_faults(), *self._limit_faults()]:
            raise ConfigError(faults)

    @property
    def place(self) -> str:
        """The endpoint for a reader."""
        return self.endpoint_url or f"Amazon S3 in {self.region}"

    def _address_faults(self) -> list[str]:
        faults = []
        if not _BUCKET.fullmatch(self.bucket):
            faults.append(f"OBJECTS_URL names no valid bucket: {self.bucket!r} (3 to 63 letters, digits, '-', '.').")
        if self.prefix:
            try:
                validate_key(self.prefix)
            except ValueError:
                faults.append("The prefix in OBJECTS_URL has an empty, '.' or '..' segment or a control character.")
            else:
                if len(self.prefix.encode()) > _ROOM_FOR_KEYS_BYTES:
                    faults.append(f"The prefix in OBJECTS_URL is longer than {_ROOM_FOR_KEYS_BYTES} bytes.")
        if not _REGION.fullmatch(self.region):
            faults.append(f"AWS_REGION is no region name: {self.region!r} (for Cloudflare R2: 'auto').")
        if self.endpoint_url is not None:
            faults += _endpoint_faults(self.endpoint_url, self.bucket)
        return faults

    def _credential_faults(self) -> list[str]:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            return ["AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY come as a pair: set both, or neither."]
        return [
            f"{name} is empty, or holds a space or a character outside ASCII."
            for name, value in (
                ("AWS_ACCESS_KEY_ID", self.access_key_id),
                ("AWS_SECRET_ACCESS_KEY", self.secret_access_key),
            )
            if value is not None and not re.fullmatch(r"[!-~]+", value)
        ]

    def _limit_faults(self) -> list[str]:
        return [
            f"The object store's {name} must be above 0."
            for name, value in (
                ("connect timeout", self.connect_timeout_s),
                ("read timeout", self.read_timeout_s),
                ("number of attempts", self.max_attempts),
                ("number of connections", self.max_concurrency),
            )
            if value <= 0
        ]


def _endpoint_faults(endpoint_url: str, bucket: str) -> list[str]:
    try:
        parts = urlsplit(endpoint_url)
        valid = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        return ["S3_ENDPOINT_URL must have the form https://host or http://host:port."]
    if "@" in parts.netloc or parts.query or parts.fragment:
        return ["S3_ENDPOINT_URL must hold no credentials, no '?' and no '#'."]
    if parts.path.strip("/") == bucket:
        return ["S3_ENDPOINT_URL ends with the bucket's name: leave it out, OBJECTS_URL names the bucket."]
    return []
