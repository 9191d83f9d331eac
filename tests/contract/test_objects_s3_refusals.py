"""What S3 stores may answer instead of doing what was asked, and what their operator is told."""

import asyncio
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from tempmail.adapters.objects.s3 import S3Objects
from tempmail.adapters.objects.s3_options import S3Options
from tempmail.errors import NotFound, ObjectsUnavailable
from tests.contract.canned_http import Answer, Request, canned_server, parse_answer
from tests.contract.objects_suite import keys_of, run

REFUSALS = Path(__file__).with_name("s3_refusals")
KEY_ID, SECRET = "KEYIDKEYID", "SECRETSECRET"

ADVICE = {
    "access-denied": "may not do PutObject in bucket 'mails' at {place} (AccessDenied): allow GetObject, PutObject,",
    "clock-skew": "This machine's clock and the clock of {place} differ by ",
    "expired-token": "The credentials for {place} have expired: renew them.",
    "hostile-code": "(Gotohttpevil.example31mAAAA",
    "invalid-bucket-name": "'mails' is no bucket name that this store can have: correct OBJECTS_URL.",
    "no-such-bucket": "Bucket 'mails' does not exist at {place}: create it, or correct the name in OBJECTS_URL",
    "other-refusal": "{place} refused PutObject in bucket 'mails' (OperationAborted, HTTP 409): see the store's",
    "plain-web-server": "{place} answers, but not as an S3 service does (HTTP 404): check S3_ENDPOINT_URL.",
    "r2-unauthorized": "{place} does not know the access key ID: correct AWS_ACCESS_KEY_ID.",
    "slow-down": "{place} is overloaded (SlowDown)",
    "unknown-access-key-id": "{place} does not know the access key ID: correct AWS_ACCESS_KEY_ID.",
    "wrong-region": "Bucket 'mails' is not in region 'us-east-1' but in 'eu-west-3': correct AWS_REGION.",
    "wrong-secret": "the secret does not fit the access key ID: correct AWS_SECRET_ACCESS_KEY.",
}


def store_at(port: int, *, max_attempts: int = 1) -> S3Objects:
    return S3Objects(
        S3Options(
            bucket="mails",
            endpoint_url=f"http://127.0.0.1:{port}",
            access_key_id=KEY_ID,
            secret_access_key=SECRET,
            max_attempts=max_attempts,
            max_concurrency=2,
        )
    )


def refused(code: str, status: int) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())


def listing(keys: list[str], *, token: str | None = None, truncated: bool = False) -> Answer:
    contents = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    body = f"<ListBucketResult>{contents}<IsTruncated>{str(truncated).lower()}</IsTruncated>{more}</ListBucketResult>"
    return Answer(200, body.encode())


def test_every_refusal_on_file_has_its_advice() -> None:
    assert sorted(path.stem for path in REFUSALS.glob("*.http")) == sorted(ADVICE)


@pytest.mark.parametrize("name", sorted(ADVICE))
def test_check_says_what_is_wrong_and_what_to_do_and_never_a_credential(name: str) -> None:
    answer = parse_answer((REFUSALS / f"{name}.http").read_text())
    with canned_server(lambda _: answer) as server:
        store = store_at(server.port)

        async def case() -> BaseException:
            with pytest.raises(ObjectsUnavailable) as caught:
                await store.check()
            await store.close()
            return caught.value

        error = run(case)
        assert ADVICE[name].format(place=f"http://127.0.0.1:{server.port}") in str(error)
    assert len(str(error)) < 400
    assert str(error).isprintable()
    logged = "".join(traceback.format_exception(error))
    assert KEY_ID not in logged
    assert SECRET not in logged


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (refused("NoSuchKey", 404), NotFound),
        (refused("NoSuchBucket", 404), ObjectsUnavailable),
        (refused("AccessDenied", 403), ObjectsUnavailable),
        (refused("InternalError", 500), ObjectsUnavailable),
        (Answer(404, b"<html>Not here</html>"), ObjectsUnavailable),
        (Answer(404), ObjectsUnavailable),
        (Answer(302, b"", (("Location", "http://127.0.0.1:1/login"),)), ObjectsUnavailable),
    ],
    ids=["no-such-key", "no-such-bucket", "denied", "server-error", "plain-404", "empty-404", "login-page"],
)
def test_only_the_stores_own_word_makes_a_mail_not_found(answer: Answer, expected: type[Exception]) -> None:
    with canned_server(lambda _: answer) as server:
        store = store_at(server.port)

        async def case() -> None:
            with pytest.raises(expected) as caught:
                await store.get("a.eml")
            await store.close()
            assert caught.value.__cause__ is not None

        run(case)


def test_a_put_carries_nothing_that_r2_refuses_and_a_signed_hash_of_the_body() -> None:
    with canned_server(lambda _: Answer(200)) as server:
        store = store_at(server.port)

        async def case() -> list[Exception | None]:
            outcomes = await store.put_many([("a.eml", b"mail")])
            await store.close()
            return outcomes

        assert run(case) == [None]
    [request] = server.seen
    assert (request.method, request.path, request.body) == ("PUT", "/mails/a.eml", b"mail")
    assert request.headers["content-type"] == "message/rfc822"
    # SHA-256 of b"mail"
    assert request.headers["x-amz-content-sha256"] == "00d8d3f11739d2f3537099982b4674c29fc59a8fda350fca1379613adbb09119"
    assert "x-amz-content-sha256" in request.headers["authorization"]
    assert not [
        name for name in request.headers if "acl" in name or "checksum" in name or name in {"trailer", "expect"}
    ]


def test_a_failing_attempt_is_made_again_up_to_the_limit() -> None:
    with canned_server(lambda _: refused("InternalError", 500)) as server:
        store = store_at(server.port, max_attempts=2)

        async def case() -> list[Exception | None]:
            outcomes = await store.put_many([("a.eml", b"mail")])
            await store.close()
            return outcomes

        [fault] = run(case)
    assert isinstance(fault, ObjectsUnavailable)
    assert [request.method for request in server.seen] == ["PUT", "PUT"]


def delete_through(
    answer: Callable[[Request], Answer], keys: list[str]
) -> tuple[list[Exception | None], list[Request]]:
    with canned_server(answer) as server:
        store = store_at(server.port)

        async def case() -> list[Exception | None]:
            outcomes = await store.delete_many(keys)
            await store.close()
            return outcomes

        return run(case), server.seen


@pytest.mark.parametrize(
    "refusal",
    [
        refused("NotImplemented", 501),
        refused("MissingContentMD5", 400),
        refused("InvalidRequest", 400),
        refused("MalformedXML", 400),
        refused("MethodNotAllowed", 405),
        Answer(405),
    ],
    ids=["not-implemented", "wants-md5", "invalid-request", "malformed-xml", "method-not-allowed", "bare-405"],
)
def test_where_keys_cannot_be_deleted_together_they_go_one_by_one(refusal: Answer) -> None:
    outcomes, seen = delete_through(
        lambda request: refusal if request.method == "POST" else Answer(204), ["a.eml", "../bad", "b.eml"]
    )
    assert outcomes[0] is None
    assert isinstance(outcomes[1], ValueError)
    assert outcomes[2] is None
    assert sorted(request.path for request in seen if request.method == "DELETE") == ["/mails/a.eml", "/mails/b.eml"]


def test_one_key_that_cannot_be_deleted_does_not_fail_its_neighbours() -> None:
    body = (
        b"<DeleteResult><Error><Key>b.eml</Key><Code>AccessDenied</Code></Error>"
        b"<Error><Key>c.eml</Key><Code>NoSuchKey</Code></Error></DeleteResult>"
    )
    outcomes, _ = delete_through(lambda _: Answer(200, body), ["a.eml", "b.eml", "c.eml"])
    assert outcomes[0] is None
    assert isinstance(outcomes[1], ObjectsUnavailable)
    assert outcomes[2] is None


def test_a_denied_delete_is_not_tried_key_by_key() -> None:
    outcomes, seen = delete_through(lambda _: refused("AccessDenied", 403), ["a.eml", "b.eml"])
    assert [type(outcome) for outcome in outcomes] == [ObjectsUnavailable, ObjectsUnavailable]
    assert len(seen) == 1


def test_deleting_one_absent_key_is_done_even_where_the_store_says_so() -> None:
    outcomes, seen = delete_through(lambda _: refused("NoSuchKey", 404), ["a.eml"])
    assert outcomes == [None]
    assert [request.method for request in seen] == ["DELETE"]


@pytest.mark.parametrize(
    "answer",
    [
        listing(["b.eml", "a.eml"]),
        listing(["a.eml", "a.eml"]),
        listing(["a.eml"], truncated=True),
        listing([], truncated=True, token="again"),
        Answer(200, b"<html>Welcome</html"),
    ],
    ids=["out-of-order", "twice", "cut-without-token", "same-token-for-ever", "no-xml"],
)
def test_a_list_that_cannot_be_trusted_is_an_error_not_a_shorter_list(answer: Answer) -> None:
    with canned_server(lambda _: answer) as server:
        store = store_at(server.port)

        async def case() -> None:
            with pytest.raises(ObjectsUnavailable):
                await keys_of(store)
            await store.close()

        run(case)


def test_check_says_when_something_in_between_changes_bodies() -> None:
    with canned_server(
        lambda request: Answer(200, b"cached" if request.method == "GET" and ".eml" in request.path else b"")
    ) as server:
        store = store_at(server.port)

        async def case() -> None:
            with pytest.raises(ObjectsUnavailable, match="another body than was stored"):
                await store.check()
            await store.close()

        run(case)
    assert [request.method for request in server.seen] == ["PUT", "GET", "GET", "DELETE"]


def test_check_asks_for_credentials_where_there_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    store = S3Objects(S3Options(bucket="mails", endpoint_url="http://127.0.0.1:1"))

    async def case() -> None:
        with pytest.raises(ObjectsUnavailable, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
            await store.check()
        await store.close()

    run(case)


def test_check_names_a_profile_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    store = S3Objects(S3Options(bucket="mails", endpoint_url="http://127.0.0.1:1"))

    async def case() -> None:
        with pytest.raises(ObjectsUnavailable, match="ProfileNotFound"):
            await store.check()
        await store.close()

    run(case)


def test_a_store_that_was_never_used_closes() -> None:
    asyncio.run(store_at(1).close())
