"""One bucket through boto3's low-level client: blocking, thread-safe. The only module that loads boto3."""

import contextlib
import io
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tempmail.adapters.objects.keys import MAX_KEY_BYTES, validate_key
from tempmail.adapters.objects.s3_faults import explain, is_missing_object, says_nothing_of_keys, translate
from tempmail.adapters.objects.s3_options import S3Options
from tempmail.errors import NotFound, ObjectsUnavailable, TempmailError
from tempmail.ports import CHECK_FOLDER, Body, ObjectInfo

LIST_PAGE = 1000
"""Keys per ListObjectsV2 request, the most that S3 gives."""

_CONTENT_TYPE = "message/rfc822"


class Bucket:
    """The requests of `S3Objects`. Every method raises `ObjectsUnavailable` for whatever goes wrong with the store,
    the library's error being its cause, and ValueError for a bad key."""

    def __init__(self, options: S3Options) -> None:
        self._options = options
        self._prefix = f"{options.prefix}/" if options.prefix else ""
        try:
            self._client = boto3.session.Session().client(
                "s3",
                endpoint_url=options.endpoint_url,
                region_name=options.region,
                aws_access_key_id=options.access_key_id,
                aws_secret_access_key=options.secret_access_key,
                config=Config(
                    connect_timeout=options.connect_timeout_s,
                    read_timeout=options.read_timeout_s,
                    max_pool_connections=options.max_concurrency,
                    retries={"mode": "standard", "total_max_attempts": options.max_attempts},
                    s3={"addressing_style": options.addressing},
                    # R2 and older S3 servers refuse the CRC headers that boto3 1.36 began to add on its own. A body
                    # without one is signed with its SHA-256 instead, which every server verifies.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        except Exception as exc:
            raise ObjectsUnavailable(explain(exc, options)) from exc
        self._client.meta.events.register_last("before-call.s3", _send_body_at_once)

    def put(self, key: str, body: Body) -> None:
        full_key = self._full_key(key)
        with _open(body) as content, _translated():
            self._client.put_object(Bucket=self._options.bucket, Key=full_key, Body=content, ContentType=_CONTENT_TYPE)

    def get(self, key: str) -> bytes:
        """Raises `NotFound` too."""
        full_key = self._full_key(key)
        with _translated():
            try:
                answer = self._client.get_object(Bucket=self._options.bucket, Key=full_key)
            except ClientError as exc:
                if is_missing_object(exc):
                    raise NotFound("there is no such object") from exc
                raise
            with contextlib.closing(answer["Body"]) as body:
                content: bytes = body.read()
        return content

    def delete(self, key: str) -> None:
        full_key = self._full_key(key)
        with _translated():
            try:
                self._client.delete_object(Bucket=self._options.bucket, Key=full_key)
            except ClientError as exc:
                if not is_missing_object(exc):  # S3 says 204 for an absent key; not every store does
                    raise

    def delete_together(self, keys: Sequence[str]) -> list[Exception | None] | None:
        """Outcomes in the order of `keys` by one request, or None where its answer decides nothing about single keys:
        the store lacks the request, wants a Content-MD5 that the library no longer sends, or cannot read the XML
        because of one key."""
        outcomes: dict[str, Exception | None] = {}
        full_keys: dict[str, str] = {}
        for key in keys:
            try:
                full_keys[self._full_key(key)] = key
                outcomes[key] = None
            except ValueError as exc:
                outcomes[key] = exc
        if full_keys:
            try:
                with _translated():
                    answer = self._client.delete_objects(
                        Bucket=self._options.bucket,
                        Delete={"Objects": [{"Key": full_key} for full_key in full_keys], "Quiet": True},
                    )
            except ObjectsUnavailable as exc:
                if says_nothing_of_keys(exc.__cause__):
                    return None
                outcomes |= dict.fromkeys(full_keys.values(), exc)
                answer = {}
            for fault in answer.get("Errors", []):
                if fault.get("Key") not in full_keys:
                    return None
                if fault.get("Code") != "NoSuchKey":
                    outcomes[full_keys[fault["Key"]]] = ObjectsUnavailable(
                        "The object store refused to delete an object."
                    )
        return [outcomes[key] for key in keys]

    def list(self, token: str | None) -> tuple[list[ObjectInfo], str | None]:
        """One page of objects, and the token of the next one, or None after the last."""
        with _translated():
            answer = self._client.list_objects_v2(
                Bucket=self._options.bucket,
                Prefix=self._prefix,
                MaxKeys=LIST_PAGE,
                **({"ContinuationToken": token} if token else {}),
            )
        page = []
        for entry in answer.get("Contents", []):
            key = entry["Key"].removeprefix(self._prefix)
            with contextlib.suppress(ValueError):  # no key of ours
                validate_key(key)
                page.append(ObjectInfo(key=key, size_bytes=entry["Size"]))
        if not answer.get("IsTruncated"):
            return page, None
        if not answer.get("NextContinuationToken"):
            raise ObjectsUnavailable("The object store cuts its list of keys and does not say how to go on.")
        return page, answer["NextContinuationToken"]

    def check(self) -> None:
        """Raises `ObjectsUnavailable` that tells the operator what is wrong and what to do."""
        where = {"Bucket": self._options.bucket, "Key": f"{self._prefix}{CHECK_FOLDER}{uuid.uuid4().hex}.eml"}
        body = b"check\r\n"
        try:
            self._client.put_object(**where, Body=body, ContentType=_CONTENT_TYPE)
            try:
                with contextlib.closing(self._client.get_object(**where)["Body"]) as stored:
                    intact = stored.read() == body
                self._client.list_objects_v2(Bucket=self._options.bucket, Prefix=self._prefix, MaxKeys=1)
            finally:
                self._client.delete_object(**where)
        except Exception as exc:
            raise ObjectsUnavailable(explain(exc, self._options)) from exc
        if not intact:
            raise ObjectsUnavailable(
                f"{self._options.place} gave back another body than was stored: check for a caching proxy in between."
            )

    def close(self) -> None:
        self._client.close()

    def _full_key(self, key: str) -> str:
        validate_key(key)
        full_key = self._prefix + key
        if len(full_key.encode()) > MAX_KEY_BYTES:
            raise ValueError(f"the object key with its prefix is longer than {MAX_KEY_BYTES} bytes")
        return full_key


def _send_body_at_once(params: dict[str, Any], **_: Any) -> None:
    # The library asks for leave before each body (Expect: 100-continue): a round trip more per mail, and a second's
    # pause at a server that does not answer that.
    params["headers"].pop("Expect", None)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except TempmailError:
        raise
    except Exception as exc:
        # Not only the library's own errors come through: urllib3's, the XML parser's and the system's do as well.
        raise translate(exc) from exc


@contextlib.contextmanager
def _open(body: Body) -> Iterator[BinaryIO | bytes]:
    """What the library sends: bytes, or the open file, which it reads in blocks (and again for another attempt)."""
    if not isinstance(body, Path):
        yield body
        return
    try:
        file = io.FileIO(body)
    except OSError as exc:
        raise ObjectsUnavailable("The file that holds the mail cannot be read from the spool.") from exc
    with io.BufferedReader(file) as reader:
        yield reader
