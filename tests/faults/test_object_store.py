"""The object store refuses, hangs or fails half-way: mail is taken and read all the same, and moves on later."""

import contextlib
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.contract import s3_servers
from tests.contract.s3_servers import S3Server
from tests.faults.tcp_proxy import TcpProxy
from tests.running import DOMAIN, Server, command, running, until

BOX = f"box@{DOMAIN}"
OTHER_BOX = f"other@{DOMAIN}"
SMALL = b"Subject: small\r\n\r\nhello\r\n"
MEDIUM = b"Subject: medium\r\n\r\n" + b"0123456789abcde\r\n" * 2_000
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcde\r\n" * 30_000
"""Kept in a spool file, and larger than what a connection holds on its way."""

BACK_AGAIN_S = 15.0
"""Bodies that failed a few times wait a few seconds for their next turn."""


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_servers.moto() as running_server:
        yield running_server


@pytest.fixture
def proxy(s3: S3Server) -> Iterator[TcpProxy]:
    with TcpProxy((s3.host, s3.port)) as running_proxy:
        yield running_proxy


class Bucket:
    """The objects of one test, as another client of the store sees them."""

    def __init__(self, s3: S3Server, proxy: TcpProxy, prefix: str) -> None:
        self._s3, self._prefix = s3, prefix
        self.variables: dict[str, Any] = {
            "OBJECTS_URL": f"s3://{s3.bucket}/{prefix}",
            "S3_ENDPOINT_URL": f"http://{proxy.host}:{proxy.port}",
            "AWS_REGION": s3_servers.REGION,
            "AWS_ACCESS_KEY_ID": s3.access_key_id,
            "AWS_SECRET_ACCESS_KEY": s3.secret_access_key,
        }

    def running(self, folder: Path, **variables: object) -> AbstractContextManager[Server]:
        return running(folder, **self.variables | variables)

    def keys(self) -> list[str]:
        with contextlib.closing(self._s3.client()) as client:
            return self._keys(client)

    def objects(self) -> dict[str, bytes]:
        """Key without the prefix → body, while nobody deletes."""
        with contextlib.closing(self._s3.client()) as client:
            found = {key: client.get_object(Bucket=self._s3.bucket, Key=key) for key in self._keys(client)}
            return {key.removeprefix(f"{self._prefix}/"): answer["Body"].read() for key, answer in found.items()}

    def _keys(self, client: Any) -> list[str]:
        listed = client.list_objects_v2(Bucket=self._s3.bucket, Prefix=f"{self._prefix}/")
        return [found["Key"] for found in listed.get("Contents", ())]


@pytest.fixture
def bucket(s3: S3Server, proxy: TcpProxy, tmp_path: Path) -> Bucket:
    return Bucket(s3, proxy, tmp_path.name)


def test_mail_is_taken_and_read_while_the_store_refuses_and_moves_on_when_it_is_back(
    tmp_path: Path, bucket: Bucket, proxy: TcpProxy
) -> None:
    proxy.refuse()
    with bucket.running(tmp_path) as server:
        _deliver_both(server)
        server.output.await_event("object.put_failed")
        assert server.output.events("objects.unavailable"), "the log names the fault at the start"
        _check_both_readable(server)
        with server.client() as client:
            assert client.get("/readyz").status_code == 200, "mail can be taken"
        assert server.spooled() == 2

        proxy.pass_all()

        _check_both_moved_on(server, bucket)


def test_mail_is_taken_and_read_while_the_store_hangs_and_moves_on_when_it_is_back(
    tmp_path: Path, bucket: Bucket, proxy: TcpProxy
) -> None:
    with bucket.running(tmp_path) as server:
        server.output.await_event("objects.ready")
        proxy.hang()
        hung = proxy.accepted
        assert server.deliver(LARGE, BOX).startswith("250")
        until(lambda: proxy.accepted > hung, "an upload has begun, and hangs")
        began = time.monotonic()
        assert server.deliver(SMALL, BOX, OTHER_BOX).startswith("250")
        assert time.monotonic() - began < 5, "nobody waits for the store"
        assert {row.id: server.download(row.id) for row in server.rows()} == {1: LARGE, 2: SMALL, 3: SMALL}

        proxy.pass_all()

        until(lambda: server.spooled() == 0, "all bodies have moved on", timeout_s=BACK_AGAIN_S)
        assert bucket.objects() == {row.object_key: server.download(row.id) for row in server.rows()}


@pytest.mark.parametrize("half", ["request", "answer"])
def test_an_upload_that_breaks_half_way_is_made_again(
    tmp_path: Path, bucket: Bucket, proxy: TcpProxy, half: str
) -> None:
    with bucket.running(tmp_path) as server:
        server.output.await_event("objects.ready")
        if half == "request":
            proxy.cut_requests_after(100_000)
        else:
            proxy.cut_answers_after(10)
        assert server.deliver(LARGE, BOX).startswith("250")
        server.output.await_event("object.put_failed")
        assert list(bucket.objects().values()) == ([] if half == "request" else [LARGE])
        assert server.spooled() == 1, "only an answer proves that a body is kept"
        assert server.download(1) == LARGE

        proxy.pass_all()

        until(lambda: server.spooled() == 0, "the body has moved on", timeout_s=BACK_AGAIN_S)
        assert list(bucket.objects().values()) == [LARGE]
        assert server.download(1) == LARGE


def test_mail_deleted_while_the_store_was_down_leaves_no_object(
    tmp_path: Path, bucket: Bucket, proxy: TcpProxy
) -> None:
    with bucket.running(tmp_path) as server, server.client() as client:
        assert server.deliver(SMALL, BOX).startswith("250")
        until(lambda: server.spooled() == 0, "the body has moved on")
        proxy.refuse()
        assert server.deliver(LARGE, BOX).startswith("250")
        for message_id in (1, 2):
            assert client.delete(f"/api/email/{message_id}").status_code == 200
        server.output.await_event("object.delete_failed")

        proxy.pass_all()

        def is_all_gone() -> bool:
            return not (bucket.keys() or server.spooled() or server.query("select 1 from object_deletes"))

        until(is_all_gone, "nothing is left, nor anything to be done", timeout_s=BACK_AGAIN_S)
        assert list((tmp_path / "spool").iterdir()) == []


def test_mail_is_deferred_with_452_when_too_much_waits_and_taken_again_later(
    tmp_path: Path, bucket: Bucket, proxy: TcpProxy
) -> None:
    proxy.refuse()
    with bucket.running(tmp_path, MAX_MESSAGE_BYTES=len(LARGE), SPOOL_MAX_BYTES=len(LARGE)) as server:
        replies: list[str] = []

        def is_deferred() -> bool:
            replies.append(server.deliver(MEDIUM, BOX))
            return not replies[-1].startswith("250")

        until(is_deferred, "no more mail is taken")
        assert replies[-1].startswith("452 4.3.1")
        with server.client() as client:
            assert client.get("/readyz").status_code == 503
        assert [server.download(row.id) == MEDIUM for row in server.rows()] == [True] * (len(replies) - 1)

        proxy.pass_all()

        until(lambda: not is_deferred(), "mail is taken again", timeout_s=BACK_AGAIN_S)
        assert {reply[:3] for reply in replies} == {"250", "452"}


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.soak), 2])
def test_sigterm_ends_in_time_while_an_upload_hangs_and_the_next_start_finishes_it(
    tmp_path: Path, bucket: Bucket, proxy: TcpProxy, workers: int
) -> None:
    with bucket.running(tmp_path, SMTP_WORKERS=workers) as server:
        server.output.await_event("objects.ready")
        proxy.hang()
        hung = proxy.accepted
        _deliver_both(server)
        until(lambda: proxy.accepted > hung, "an upload has begun, and hangs")
        assert server.stop() == 0

    proxy.pass_all()
    with bucket.running(tmp_path) as again:
        again.output.await_event("objects.ready")
        _check_both_moved_on(again, bucket)


def _deliver_both(server: Server) -> None:
    assert server.deliver(SMALL, BOX).startswith("250")
    assert server.deliver(LARGE, BOX).startswith("250")


def _check_both_readable(server: Server) -> None:
    assert [server.download(row.id) for row in server.rows()] == [SMALL, LARGE]


def _check_both_moved_on(server: Server, bucket: Bucket) -> None:
    until(lambda: server.spooled() == 0, "both bodies have moved on", timeout_s=BACK_AGAIN_S)
    assert bucket.objects() == {row.object_key: server.download(row.id) for row in server.rows()}
    assert list((server.folder / "spool").iterdir()) == [], "spool files go with their entries"
    _check_both_readable(server)
    verified = command("verify", folder=server.folder, **bucket.variables)
    assert verified.returncode == 0, verified.stdout
