"""S3 servers that speak real HTTP on loopback, for the contract of the object store."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from tempmail.adapters.objects.s3_options import S3Options
from tests.faults.tcp_proxy import TcpProxy
from tests.require import require

REGION = "us-east-1"


@dataclass(frozen=True)
class S3Server:
    """A running server with one bucket. `verifies`: it checks signatures, as moto does not."""

    host: str
    port: int
    bucket: str
    access_key_id: str
    secret_access_key: str
    verifies: bool

    def options(self, **changes: Any) -> S3Options:
        """Options for the bucket under a prefix of their own, so that tests do not see each other's objects."""
        fresh = S3Options(
            bucket=self.bucket,
            prefix=f"test-{secrets.token_hex(6)}",
            endpoint_url=f"http://{self.host}:{self.port}",
            region=REGION,
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            connect_timeout_s=5,
            read_timeout_s=20,
            max_attempts=2,
            max_concurrency=4,
        )
        return replace(fresh, **changes)

    def client(self) -> Any:
        """boto3's own client, for what the port cannot say."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://{self.host}:{self.port}",
            region_name=REGION,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )

    def create_bucket(self) -> None:
        client = self.client()
        client.create_bucket(Bucket=self.bucket)
        client.close()


@contextlib.contextmanager
def moto() -> Iterator[S3Server]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        running = S3Server(host, port, "mails", "moto", "moto-secret", verifies=False)
        running.create_bucket()
        yield running
    finally:
        server.stop()


@contextlib.contextmanager
def versitygw(folder: Path) -> Iterator[S3Server]:
    """The Versity S3 gateway over `folder`, on a Unix socket: it cannot tell which free port it took, so a relay
    gives it one."""
    program = shutil.which("versitygw")
    require("s3", available=program is not None, why="the program versitygw is not on PATH")
    assert program is not None
    data, sidecar, listening = folder / "data", folder / "sidecar", folder / "s3.sock"
    data.mkdir()
    sidecar.mkdir()
    secret = secrets.token_hex(16)
    command = [program, "--port", str(listening), "--region", REGION, "--keep-alive", "--quiet", "posix"]
    if not _keeps_attributes(data):
        command += ["--sidecar", str(sidecar)]
    environment = {"PATH": os.environ["PATH"], "ROOT_ACCESS_KEY_ID": "gateway", "ROOT_SECRET_ACCESS_KEY": secret}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, str(data)], env=environment, stdout=log, stderr=log)
        try:
            with TcpProxy(str(listening)) as relay:
                running = S3Server(relay.host, relay.port, "mails", "gateway", secret, verifies=True)
                _await_socket(process, listening, folder / "log")
                running.create_bucket()
                yield running
        finally:
            process.terminate()
            process.wait(timeout=10)


def _await_socket(process: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    for _ in range(500):
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.connect(str(path))
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)
            break
    raise RuntimeError(f"the S3 server did not start:\n{log.read_text()}")


def _keeps_attributes(folder: Path) -> bool:
    try:
        os.setxattr(folder, "user.probe", b"1")
    except OSError:
        return False
    return True
