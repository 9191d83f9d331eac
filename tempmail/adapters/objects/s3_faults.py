"""What went wrong with a bucket, told to the one who can mend it.

The texts are built from the error's class and code alone. The library's own messages stay in the cause, for the log:
they may repeat parts of a request.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import exceptions as boto

from tempmail.adapters.objects.s3_options import S3Options
from tempmail.errors import ObjectsUnavailable

_WRONG_KEY_ID = frozenset({"InvalidAccessKeyId", "InvalidAccessKey", "Unauthorized", "401", "XAdminUserNotFound"})
_WRONG_REGION = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "InvalidRegionName",
        "PermanentRedirect",
        "301",
    }
)
_STALE_TOKEN = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})
_BUSY = frozenset({"SlowDown", "ServiceUnavailable", "Throttling", "TooManyRequests", "429", "503"})
_FORM_REFUSED = frozenset({400, 405, 411, 501})
_NO_CODE = "unnamed"
_CHAIN = 12  # links of an error's causes that are looked at


def is_missing_object(exc: Exception) -> bool:
    """Whether the store said that the key does not exist. A bare 404 does not: it comes from whatever else may answer
    at a wrong address, and a mail would be taken for lost."""
    return isinstance(exc, boto.ClientError) and _code(exc) == "NoSuchKey"


def says_nothing_of_keys(exc: BaseException | None) -> bool:
    """Whether a refused DeleteObjects may well succeed key by key: the store found fault with the request's form."""
    if not isinstance(exc, boto.ClientError):
        return False
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status in _FORM_REFUSED and _code(exc) not in _WRONG_REGION | _STALE_TOKEN | {"InvalidBucketName"}


def translate(exc: Exception) -> ObjectsUnavailable:
    """The error of ours for whatever the library raised. Its public text names no host, no bucket and no key."""
    if isinstance(exc, boto.ClientError):
        return ObjectsUnavailable(f"The object store refused {exc.operation_name} ({_code(exc)}).")
    return ObjectsUnavailable(f"The object store cannot be reached ({type(exc).__name__}).")


def explain(exc: BaseException, options: S3Options) -> str:
    """What is wrong, where, and what to do: for the operator, never with a credential."""
    place, bucket = options.place, options.bucket
    if isinstance(exc, boto.ClientError):
        return _explain_refusal(exc, options)
    if isinstance(exc, boto.NoCredentialsError | boto.PartialCredentialsError | boto.CredentialRetrievalError):
        return (
            f"There are no credentials for bucket {bucket!r}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give "
            "the machine a role."
        )
    if isinstance(exc, boto.ParamValidationError | boto.InvalidDNSNameError):
        return f"{bucket!r} is no bucket name that this store can have: correct OBJECTS_URL."
    causes = list(_causes(exc))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"The host name of {place} cannot be resolved: check S3_ENDPOINT_URL and the machine's DNS."
    if any(isinstance(cause, ssl.SSLError | boto.SSLError) for cause in causes):
        return (
            f"The TLS handshake with {place} failed: check the scheme and port in S3_ENDPOINT_URL, and that the "
            "certificate there is valid for that name (AWS_CA_BUNDLE adds a private authority)."
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{place} refuses connections: check the port in S3_ENDPOINT_URL and that the store runs."
    if any(isinstance(cause, boto.ConnectTimeoutError) for cause in causes):
        return (
            f"{place} does not accept a connection within {options.connect_timeout_s:g} s: check S3_ENDPOINT_URL, the "
            "network and its firewalls."
        )
    if any(isinstance(cause, boto.ReadTimeoutError) for cause in causes):
        return (
            f"{place} accepts connections but does not answer within {options.read_timeout_s:g} s: check that an S3 "
            "service listens there and that it is healthy."
        )
    if any(isinstance(cause, boto.HTTPClientError | boto.IncompleteReadError | OSError) for cause in causes):
        return f"The connection to {place} broke: check the network, a proxy in between, and the store's own log."
    if isinstance(exc, boto.BotoCoreError):
        return (
            f"boto3 cannot work with its settings ({type(exc).__name__}): check the AWS_* variables and ~/.aws/config."
        )
    return f"{place} answered in a way that is not S3 ({type(exc).__name__}): check S3_ENDPOINT_URL."


def _explain_refusal(exc: boto.ClientError, options: S3Options) -> str:
    place, bucket, code = options.place, options.bucket, _code(exc)
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "NoSuchBucket":
        return (
            f"Bucket {bucket!r} does not exist at {place}: create it, or correct the name in OBJECTS_URL or "
            "S3_ENDPOINT_URL."
        )
    if status == 404 and code in {"404", _NO_CODE}:
        return f"{place} answers, but not as an S3 service does (HTTP 404): check S3_ENDPOINT_URL."
    if code == "InvalidBucketName":
        return f"{bucket!r} is no bucket name that this store can have: correct OBJECTS_URL."
    if code in _WRONG_KEY_ID:
        return f"{place} does not know the access key ID: correct AWS_ACCESS_KEY_ID."
    if code == "SignatureDoesNotMatch":
        return f"{place} says that the secret does not fit the access key ID: correct AWS_SECRET_ACCESS_KEY."
    if code in _STALE_TOKEN:
        return f"The credentials for {place} have expired: renew them."
    if code == "RequestTimeTooSkewed":
        return f"This machine's clock and the clock of {place} differ{_skew(exc)}: synchronise this one (NTP)."
    if code in _WRONG_REGION:
        return f"Bucket {bucket!r} is not in region {options.region!r}{_expected_region(exc)}: correct AWS_REGION."
    if code in _BUSY:
        return f"{place} is overloaded ({code}): it heals by itself, or the store has to be asked for more."
    if status == 403 or code == "AccessDenied":
        return (
            f"The credentials may not do {exc.operation_name} in bucket {bucket!r} at {place} ({code}): allow "
            "GetObject, PutObject, DeleteObject and ListBucket on it."
        )
    return (
        f"{place} refused {exc.operation_name} in bucket {bucket!r} ({code}, HTTP {status}): see the store's own log."
    )


def _code(exc: boto.ClientError) -> str:
    """The error's code, cut to what a code is made of: it comes from the network."""
    return re.sub(r"[^A-Za-z0-9.]", "", str(exc.response.get("Error", {}).get("Code", "")))[:64] or _NO_CODE


def _headers(exc: boto.ClientError) -> dict[str, Any]:
    headers: dict[str, Any] = exc.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return headers


def _expected_region(exc: boto.ClientError) -> str:
    region = exc.response.get("Error", {}).get("Region") or _headers(exc).get("x-amz-bucket-region") or ""
    return f" but in {region!r}" if re.fullmatch(r"[A-Za-z0-9-]{1,64}", str(region)) else ""


def _skew(exc: boto.ClientError) -> str:
    try:
        theirs = parsedate_to_datetime(str(_headers(exc).get("date", "")))
        return f" by {abs((datetime.now(UTC) - theirs).total_seconds()):.0f} s"
    except (ValueError, TypeError):  # no date, or one without a zone
        return ""


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """The error and what led to it; the library keeps the network's error in its arguments."""
    pending, seen = [exc], 0
    while pending and seen < _CHAIN:
        error = pending.pop(0)
        seen += 1
        yield error
        inner = getattr(error, "kwargs", {})
        led_by = (inner.get("error"), getattr(error, "reason", None), error.__cause__, error.__context__)
        pending += [cause for cause in led_by if isinstance(cause, BaseException)]
