"""Resend's own SDKs against a running server, by their base URL alone; their mail is read through this server's API."""

import asyncio
import base64
import json
import queue
import re
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import resend
from resend.exceptions import (
    InvalidApiKeyError,
    MissingRequiredFieldsError,
    RateLimitError,
    ResendError,
    ValidationError,
)

from tests.contract.canned_http import Answer, Request, canned_server
from tests.require import require
from tests.running import DOMAIN, PATIENCE_S, Server, running, until

NODE_SDK = "resend@6.38.0"
SCENARIO = Path(__file__).with_name("resend_sdk.cjs")
INSTALLED = Path(__file__).parents[2] / "build" / "npm"
INSTALL_S = 180


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("data")) as started:
        yield started


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return str(credential(server)["values"]["key"])


@pytest.fixture
def sdk(server: Server, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(resend, "api_key", key)
    monkeypatch.setattr(resend, "api_url", f"{server.url}/sandbox/resend")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the SDKs' sockets are theirs to close
        yield


def credential(server: Server, **body: Any) -> dict[str, Any]:
    with server.client() as client:
        made: dict[str, Any] = client.post("/api/v1/sandboxes/resend/credentials", json=body).raise_for_status().json()
    return made


def box() -> str:
    return f"{uuid4().hex[:12]}@{DOMAIN}"


def mails(server: Server, address: str) -> list[dict[str, Any]]:
    """The mailbox's mails in full, oldest first."""
    with server.client() as client:
        rows = client.get("/api/emails", params={"mailbox": address}).raise_for_status().json()
        return [client.get(f"/api/v1/messages/{row['id']}").raise_for_status().json() for row in reversed(rows)]


def params(to: str, **changes: Any) -> Any:
    return {"from": "Acme <hi@acme.example>", "to": [to], "subject": "Hello", "html": "<p>Code 482913</p>", **changes}


@pytest.mark.usefixtures("sdk")
class TestPython:
    """The official `resend` for Python."""

    def test_a_sent_mail_is_read_through_the_mailbox_api(self, server: Server) -> None:
        to = box()
        sent = resend.Emails.send(
            params(
                to,
                cc="copy@outside.example",
                reply_to=["help@acme.example"],
                headers={"X-Ref": "7"},
                tags=[{"name": "kind", "value": "welcome"}],
                attachments=[
                    {"filename": "list.txt", "content": list(b"numbers")},
                    {"filename": "logo.png", "content": base64.b64encode(b"png").decode(), "content_id": "logo"},
                ],
            )
        )

        shown = resend.Emails.get(sent["id"])
        files = resend.Emails.Attachments.list(sent["id"])

        assert (shown["to"], shown["subject"], shown["last_event"]) == ([to], "Hello", "delivered")
        assert [(file["filename"], file["size"]) for file in files["data"]] == [("list.txt", 7), ("logo.png", 3)]
        [mail] = mails(server, to)
        assert mail["verification_code"] == "482913"
        assert sorted(file["filename"] for file in mail["attachments"]) == ["list.txt", "logo.png"]
        with server.client() as client:
            found = {file["filename"]: file["part"] for file in mail["attachments"]}
            for name, content in (("list.txt", b"numbers"), ("logo.png", b"png")):
                path = f"/api/v1/messages/{mail['id']}/attachments/{found[name]}"
                assert client.get(path).raise_for_status().content == content

    def test_a_batch_is_taken_strictly_and_permissively(self, server: Server) -> None:
        to = box()
        strict = resend.Batch.send([params(to, subject="1"), params(to, subject="2")])
        permissive = resend.Batch.send([params("nobody"), params(to, subject="3")], {"batch_validation": "permissive"})
        assert len(strict["data"]) == 2
        assert ([error["index"] for error in permissive["errors"]], len(permissive["data"])) == ([0], 1)
        assert [mail["subject"] for mail in mails(server, to)] == ["1", "2", "3"]

    def test_a_scheduled_mail_is_moved_and_canceled(self, server: Server) -> None:
        to = box()
        sent = resend.Emails.send(params(to, scheduled_at="in 1 hour"))
        assert resend.Emails.update({"id": sent["id"], "scheduled_at": "in 2 hours"})["id"] == sent["id"]
        assert resend.Emails.cancel(sent["id"])["id"] == sent["id"]
        assert resend.Emails.get(sent["id"])["last_event"] == "canceled"
        with pytest.raises(ValidationError):
            resend.Emails.cancel(sent["id"])
        assert mails(server, to) == []

    def test_a_list_is_paged(self) -> None:
        ids = [resend.Emails.send(params(box()))["id"] for _ in range(3)][::-1]
        first = resend.Emails.list({"limit": 2})
        second = resend.Emails.list({"limit": 1, "after": first["data"][-1]["id"]})
        assert [each["id"] for each in [*first["data"], *second["data"]]] == ids
        assert first["has_more"] is True

    def test_a_key_is_replayed_and_refused_for_another_mail(self, server: Server) -> None:
        to = box()
        options: Any = {"idempotency_key": uuid4().hex}
        first, again = (resend.Emails.send(params(to), options)["id"] for _ in range(2))
        with pytest.raises(ResendError) as conflict:
            resend.Emails.send(params(to, subject="Other"), options)
        assert first == again
        assert (conflict.value.code, conflict.value.error_type) == (409, "invalid_idempotent_request")
        assert len(mails(server, to)) == 1

    def test_errors_have_the_types_that_the_sdk_gives_them(self, server: Server, monkeypatch: Any) -> None:
        with pytest.raises(MissingRequiredFieldsError, match="Missing `subject` field"):
            resend.Emails.send({"from": "a@b.example", "to": box(), "html": "x"})
        with pytest.raises(ValidationError, match="Missing `html` or `text` field"):
            resend.Emails.send({"from": "a@b.example", "to": box(), "subject": "x"})
        with pytest.raises(ResendError, match="Email not found") as missing:
            resend.Emails.get(str(uuid4()))
        assert (missing.value.code, missing.value.error_type) == (404, "not_found")
        for fault in ("429", "quota"):
            with pytest.raises(RateLimitError) as limited:
                resend.Emails.send(params(f"x+fault-{fault}@outside.example"))
            assert limited.value.headers["retry-after"]
        with pytest.raises(ResendError, match="Expected JSON response"):
            resend.Emails.send(params("x+fault-html@outside.example"))
        with pytest.raises(ResendError) as cut:
            resend.Emails.send(params("x+fault-cut@outside.example"))
        assert cut.value.error_type == "HttpClientError"
        monkeypatch.setattr(resend, "api_key", "re_wrong")
        with pytest.raises(InvalidApiKeyError):
            resend.Emails.send(params(box()))

    def test_the_asynchronous_client_does_the_same(self, server: Server) -> None:
        to = box()

        async def scenario() -> str:
            sent = await resend.Emails.send_async(params(to))
            later = await resend.Emails.send_async(params(to, scheduled_at="in 1 hour"))
            await resend.Emails.update_async({"id": later["id"], "scheduled_at": "in 2 hours"})
            await resend.Emails.cancel_async(later["id"])
            assert (await resend.Emails.get_async(later["id"]))["last_event"] == "canceled"
            await resend.Batch.send_async([params(to), params(to)])
            with pytest.raises(ValidationError):
                await resend.Emails.send_async(params(to, html=""))
            return sent["id"]

        sent_id = asyncio.run(scenario())

        assert len(mails(server, to)) == 3
        assert resend.Emails.get(sent_id)["last_event"] == "delivered"


def test_webhooks_of_a_running_server_pass_the_sdks_own_check(server: Server) -> None:
    posted = queue.Queue[Request]()

    def note(request: Request) -> Answer:
        posted.put(request)
        return Answer(200)

    with canned_server(note) as hook:
        made = credential(server, webhook_url=f"{hook.url}/hook")
        headers = {"authorization": f"Bearer {made['values']['key']}"}
        with server.client() as client:
            client.post("/sandbox/resend/emails", json=params(box()), headers=headers).raise_for_status()
        arrived = [posted.get(timeout=PATIENCE_S) for _ in range(2)]

    types = set()
    for request in arrived:
        options: Any = {
            "payload": request.body.decode(),
            "headers": {part: request.headers[f"svix-{part}"] for part in ("id", "timestamp", "signature")},
            "webhook_secret": made["webhook_secret"],
        }
        event: Any = resend.Webhooks.verify(options)
        types.add(event["type"])
    assert types == {"email.sent", "email.delivered"}


def test_a_mail_that_was_due_while_the_server_was_down_comes_once_after_it_is_back(tmp_path: Path) -> None:
    to = box()
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    with running(tmp_path) as first:
        headers = {"authorization": f"Bearer {credential(first)['values']['key']}"}
        with first.client() as client:
            asked = params(to, scheduled_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
            sent = client.post("/sandbox/resend/emails", json=asked, headers=headers).raise_for_status().json()
        first.kill("supervisor")
        assert first.output.await_end(PATIENCE_S)
        first.query(f"update sandbox_mails set scheduled_at = '{soon[:10]} {soon[11:19]}'")
    with running(tmp_path) as again:
        until(lambda: bool(mails(again, to)), "the mail has come")
        with again.client() as client:
            shown = client.get(f"/sandbox/resend/emails/{sent['id']}", headers=headers).raise_for_status().json()
        assert shown["last_event"] == "delivered"
        assert len(mails(again, to)) == 1


def node_package() -> Path:
    """The folder that npm has installed the SDK in; kept from one run to the next."""
    for program in ("npm", "node"):
        require("npm", available=shutil.which(program) is not None, why=f"{program} is not installed")
    folder = INSTALLED / NODE_SDK.replace("@", "-")
    if not (folder / "node_modules" / "resend").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), NODE_SDK]
        installed = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        why = f"npm cannot install {NODE_SDK}: {installed.stderr.strip()[-300:]}"
        require("npm", available=installed.returncode == 0, why=why)
    return folder


def test_the_node_sdk_does_the_same(server: Server) -> None:
    folder = node_package()
    made, to = credential(server), box()

    ended = subprocess.run(
        ["node", str(SCENARIO), str(folder), f"{server.url}/sandbox/resend", made["values"]["key"], to],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 3,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert said["shown"]["to"] == [to]
    assert said["shown"]["last_event"] == "delivered"
    assert said["files"] == [["buffer.txt", 6], ["logo.png", 3]]
    assert said["replayed"] == said["sent"]
    assert said["conflict"] == ["invalid_idempotent_request", 409]
    assert said["moved"] == said["canceled"] == said["later"]
    assert said["later_event"] == "canceled"
    assert said["batch"] == 2
    assert said["permissive"] == [1, [0]]
    assert said["missing"][0] == "missing_required_field"
    assert said["limited"][0] == "rate_limit_exceeded"
    assert said["wrong_key"][0] == "invalid_api_key"
    found = mails(server, to)
    assert [mail["subject"] for mail in found] == ["Hello", "1", "2", "3"]
    assert sorted(file["filename"] for file in found[0]["attachments"]) == ["buffer.txt", "logo.png"]
    assert re.search("Hello from Node", found[0]["html"])
