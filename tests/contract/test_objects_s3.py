"""The object store's contract against S3 servers over HTTP: moto always, the Versity gateway where it is installed."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tempmail.adapters.objects.s3 import S3Objects
from tempmail.adapters.objects.s3_options import Addressing, S3Options
from tempmail.errors import ObjectsUnavailable
from tempmail.ports import ObjectInfo
from tests.contract import s3_servers
from tests.contract.canned_http import Answer, canned_server
from tests.contract.objects_suite import KEY, MAIL, ObjectsSuite, keys_of, put, run
from tests.contract.s3_servers import S3Server


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Server]:
    with s3_servers.moto() as server:
        yield server


@pytest.fixture(scope="module")
def versitygw() -> Iterator[S3Server]:
    folder = Path(tempfile.mkdtemp(prefix="s3-"))  # a short path: the gateway listens on a Unix socket below it
    try:
        with s3_servers.versitygw(folder) as server:
            yield server
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def options(server: S3Server) -> S3Options:
    return server.options()


@pytest.fixture
def objects(options: S3Options) -> Iterator[S3Objects]:
    store = S3Objects(options)
    yield store
    asyncio.run(store.close())


def reach_everything_through(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Make a server an HTTP proxy: its client then need not resolve host names, and it sees them as they were sent."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


class S3Suite(ObjectsSuite):
    """What holds for a bucket beyond the common contract."""

    def test_a_store_sees_nothing_outside_its_prefix(self, server: S3Server) -> None:
        ours = S3Objects(server.options(prefix="one/two"))
        theirs = S3Objects(server.options(prefix="one/two-b"))

        async def case() -> tuple[list[str], list[str]]:
            await put(ours, KEY, MAIL)
            await put(theirs, KEY, MAIL)
            assert await ours.delete_many([KEY]) == [None]
            try:
                return await keys_of(ours), await keys_of(theirs)
            finally:
                await theirs.delete_many([KEY])
                await ours.close()
                await theirs.close()

        assert run(case) == ([], [KEY])

    def test_a_mail_is_stored_under_prefix_and_key_with_its_content_type(
        self, server: S3Server, objects: S3Objects, options: S3Options
    ) -> None:
        run(lambda: put(objects, KEY, MAIL))
        client = server.client()
        head = client.head_object(Bucket=server.bucket, Key=f"{options.prefix}/{KEY}")
        client.close()
        assert head["ContentType"] == "message/rfc822"
        assert head["ContentLength"] == len(MAIL)

    def test_more_objects_than_one_page_are_walked_and_deleted(self, objects: S3Objects) -> None:
        keys = [f"2026/{n:04}.eml" for n in range(1003)]

        async def case() -> tuple[list[ObjectInfo], list[Exception | None], list[str]]:
            assert await objects.put_many([(key, b"m") for key in keys]) == [None] * len(keys)
            found = [info async for info in objects.walk()]
            return found, await objects.delete_many(keys), await keys_of(objects)

        found, deleted, left = run(case)
        assert found == [ObjectInfo(key, 1) for key in keys]
        assert deleted == [None] * len(keys)
        assert left == []

    def test_folder_marks_of_a_console_are_left_out_of_the_walk(
        self, server: S3Server, objects: S3Objects, options: S3Options
    ) -> None:
        run(lambda: put(objects, KEY, MAIL))
        client = server.client()
        client.put_object(Bucket=server.bucket, Key=f"{options.prefix}/made-in-console/", Body=b"")
        client.close()
        assert run(lambda: keys_of(objects)) == [KEY]

    def test_a_key_that_is_too_long_with_its_prefix_is_refused(self, server: S3Server) -> None:
        store = S3Objects(server.options(prefix="p" * 99))
        fits = "/".join(["a" * 184] * 5)
        assert len(f"{'p' * 99}/{fits}") == 1024

        async def case() -> list[Exception | None]:
            try:
                return await store.put_many([(fits, MAIL), (fits + "b", MAIL)])
            finally:
                await store.delete_many([fits])
                await store.close()

        kept, refused = run(case)
        assert kept is None
        assert isinstance(refused, ValueError)

    def test_check_names_a_missing_bucket(self, server: S3Server) -> None:
        text = self.refusal(server.options(bucket="no-such-bucket"))
        assert "Bucket 'no-such-bucket' does not exist at http://127.0.0.1" in text
        assert "OBJECTS_URL" in text

    def refusal(self, options: S3Options) -> str:
        store = S3Objects(options)

        async def case() -> str:
            with pytest.raises(ObjectsUnavailable) as caught:
                await store.check()
            await store.close()
            return str(caught.value)

        return run(case)


class TestMoto(S3Suite):
    @pytest.fixture
    def server(self, moto: S3Server) -> S3Server:
        return moto

    def test_a_bucket_in_the_host_name_holds_what_is_put(self, moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        reach_everything_through(monkeypatch, moto.port)
        store = S3Objects(moto.options(addressing="virtual", endpoint_url="http://s3.us-east-1.amazonaws.com"))

        async def case() -> tuple[bytes, list[str]]:
            try:
                await put(store, KEY, MAIL)
                return await store.get(KEY), await keys_of(store)
            finally:
                await store.close()

        assert run(case) == (MAIL, [KEY])


class TestVersityGateway(S3Suite):
    # Its buckets are folders, and it removes one with its last object: a put that comes at that moment is refused
    # (ExistingObjectIsDirectory). Such a mail stays in the spool and is tried again, which the fault tests show.
    folder_is_kept_by = "kept.eml"

    @pytest.fixture
    def server(self, versitygw: S3Server) -> S3Server:
        return versitygw

    def test_check_names_an_unknown_access_key(self, versitygw: S3Server) -> None:
        text = self.refusal(versitygw.options(access_key_id="somebody-else"))
        assert "AWS_ACCESS_KEY_ID" in text
        assert "somebody-else" not in text

    def test_check_names_a_wrong_secret(self, versitygw: S3Server) -> None:
        text = self.refusal(versitygw.options(secret_access_key="not-the-secret"))
        assert "AWS_SECRET_ACCESS_KEY" in text
        assert "not-the-secret" not in text

    def test_a_wrong_region_is_put_right_where_the_store_names_its_own(self, versitygw: S3Server) -> None:
        store = S3Objects(versitygw.options(region="eu-west-3"))

        async def case() -> bytes:
            try:
                await store.check()
                await put(store, KEY, MAIL)
                return await store.get(KEY)
            finally:
                await store.close()

        assert run(case) == MAIL


def test_boto3_is_not_loaded_before_it_is_needed() -> None:
    program = "import sys, tempmail.adapters.objects.s3; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("addressing", "address"),
    [
        ("auto", "http://s3.store.example/mails/a.eml"),
        ("path", "http://s3.store.example/mails/a.eml"),
        ("virtual", "http://mails.s3.store.example/a.eml"),
    ],
)
def test_the_bucket_is_addressed_as_configured(
    monkeypatch: pytest.MonkeyPatch, addressing: Addressing, address: str
) -> None:
    with canned_server(lambda _: Answer(200)) as server:
        reach_everything_through(monkeypatch, server.port)
        store = S3Objects(
            S3Options(
                bucket="mails",
                endpoint_url="http://s3.store.example",
                access_key_id="key",
                secret_access_key="secret",
                addressing=addressing,
            )
        )

        async def case() -> list[Exception | None]:
            outcomes = await store.put_many([("a.eml", MAIL)])
            await store.close()
            return outcomes

        assert run(case) == [None]
    assert [request.path for request in server.seen] == [address]
