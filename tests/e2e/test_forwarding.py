"""Forwarding from one real server through a real relay: what arrives there, and what comes back."""

import asyncio
import queue
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.running import DOMAIN, PATIENCE_S, TOKEN, Server, running

RAW = (
    b"From: Shop <no-reply@shop.example>\r\nTo: box@temp.example\r\nSubject: =?utf-8?B?5L2g5aW9?=\r\n"
    b"DKIM-Signature: v=1; a=rsa-sha256; d=shop.example; bh=x; b=y\r\n\r\n"
    b"Your code is 482913.\r\n.a line that begins with a dot\r\n\xff\xfe\r\n"
)
TARGET = "Home@else.example"


@dataclass
class Relayed:
    sender: str
    recipients: list[str]
    raw: bytes


class Relay:
    """Takes every mail, or answers `refusal` to DATA."""

    def __init__(self) -> None:
        self.taken: queue.Queue[Relayed] = queue.Queue()
        self.refusal: str | None = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refusal:
            return self.refusal
        assert isinstance(envelope.content, bytes)
        self.taken.put(Relayed(envelope.mail_from or "", list(envelope.rcpt_tos), envelope.content))
        return "250 OK"

    def next(self) -> Relayed:
        return self.taken.get(timeout=PATIENCE_S)


@contextmanager
def listening(relay: Relay) -> Iterator[int]:
    """The port of `relay`, which answers on a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def listen() -> asyncio.Server:
        return await loop.create_server(lambda: SMTP(relay, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)

    async def stop() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(PATIENCE_S)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


@contextmanager
def relaying(folder: Path, **variables: str) -> Iterator[tuple[Server, Relay]]:
    relay = Relay()
    with listening(relay) as port:
        settings: dict[str, Any] = {"SMTP_RELAY_URL": f"smtp://127.0.0.1:{port}", "SEND_PAUSES": "smtp=0", **variables}
        with running(folder, **settings) as server:
            yield server, relay


def call(server: Server, method: str, path: str, **options: Any) -> Any:
    answer = httpx.request(
        method, server.url + path, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=PATIENCE_S, **options
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def set_forward(server: Server, address: str, target: str) -> None:
    local = address.partition("@")[0]
    call(server, "POST", "/api/create", json={"local": local})
    box = call(server, "GET", "/api/mailbox/info", params={"address": address})["id"]
    call(server, "POST", "/api/mailbox/forward", json={"mailbox_id": box, "forward_to": target})


def outbox(server: Server) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = call(server, "GET", "/api/v1/outbox")["mails"]
    return rows


def send(server: Server, to: str, *, sender: str = "bounce@shop.example", raw: bytes = RAW) -> None:
    with smtplib.SMTP(*server.smtp, timeout=PATIENCE_S) as client:
        client.ehlo()
        assert client.sendmail(sender, [to], raw) == {}


def test_a_mail_is_forwarded_as_it_came_with_a_sender_that_bounces_back_here(tmp_path: Path) -> None:
    with relaying(tmp_path) as (server, relay):
        set_forward(server, f"box@{DOMAIN}", TARGET)
        send(server, f"box@{DOMAIN}")
        relayed = relay.next()
        assert relayed.recipients == [TARGET]
        assert relayed.raw == f"Delivered-To: box@{DOMAIN}\r\n".encode() + RAW
        assert relayed.sender.startswith("SRS0=")
        assert relayed.sender.endswith(f"@{DOMAIN}")

        send(server, relayed.sender, sender="", raw=b"Subject: Undelivered\r\n\r\nSorry.\r\n")
        [bounce] = call(server, "GET", "/api/emails", params={"mailbox": f"bounces@{DOMAIN}"})
        assert bounce["subject"] == "Undelivered"


def test_a_return_address_that_was_not_made_here_is_refused(tmp_path: Path) -> None:
    with (
        relaying(tmp_path) as (server, _),
        smtplib.SMTP(*server.smtp, timeout=PATIENCE_S) as client,
        pytest.raises(smtplib.SMTPRecipientsRefused) as refused,
    ):
        client.sendmail("", [f"SRS0=aaaaaaaa=AA=evil.example=victim@{DOMAIN}"], RAW)
    assert [code for code, _ in refused.value.recipients.values()] == [553]


def test_two_mailboxes_that_forward_to_each_other_end_after_one_round(tmp_path: Path) -> None:
    with relaying(tmp_path) as (server, relay):
        set_forward(server, f"a@{DOMAIN}", f"b@{DOMAIN}")
        set_forward(server, f"b@{DOMAIN}", f"a@{DOMAIN}")
        send(server, f"a@{DOMAIN}")
        for _ in range(2):
            relayed = relay.next()
            send(server, relayed.recipients[0], sender=relayed.sender, raw=relayed.raw)
        server.output.await_event("mail.open")
        assert relay.taken.empty()
        failed = [mail for mail in outbox(server) if mail["state"] == "failed"]
        assert ["loop" in mail["error"] for mail in failed] == [True]


def test_rules_forward_by_prefix_and_a_refusal_is_seen(tmp_path: Path) -> None:
    with relaying(tmp_path, FORWARD_RULES="vip=vip@else.example,*=rest@else.example") as (server, relay):
        send(server, f"vip7@{DOMAIN}")
        send(server, f"other@{DOMAIN}")
        assert sorted(relay.next().recipients + relay.next().recipients) == ["rest@else.example", "vip@else.example"]

        relay.refusal = "554 5.7.1 Message looks like spam"
        send(server, f"third@{DOMAIN}")
        server.output.await_event("mail.open")
        [failed] = [mail for mail in outbox(server) if mail["state"] == "failed"]
        assert "looks like spam" in failed["error"]


def test_where_targets_must_confirm_the_code_comes_there_and_opens_the_way(tmp_path: Path) -> None:
    with relaying(tmp_path, FORWARD_VERIFY="true") as (server, relay):
        set_forward(server, f"box@{DOMAIN}", TARGET)
        question = relay.next()
        assert question.recipients == [TARGET]
        text = message_from_bytes(question.raw, policy=default).get_content()
        code = next(word for word in text.split() if word.isdigit() and len(word) == 8)
        state = call(server, "POST", "/api/v1/forwards/confirm", json={"address": TARGET, "code": code})
        assert state["confirmed"] is True
        send(server, f"box@{DOMAIN}")
        assert relay.next().raw.endswith(RAW)


def test_targets_of_rules_are_asked_at_the_start_by_a_relay_that_is_for_other_domains(tmp_path: Path) -> None:
    rules = {"FORWARD_VERIFY": "true", "FORWARD_RULES": f"news={TARGET}", "SMTP_RELAY_DOMAINS": "other.example"}
    with relaying(tmp_path, **rules) as (_, relay):
        assert relay.next().recipients == [TARGET]


def test_mail_waits_while_the_relay_is_down_and_goes_out_once_it_is_back(tmp_path: Path) -> None:
    with relaying(tmp_path) as (server, relay):
        relay.refusal = "451 4.3.0 Try again later"
        set_forward(server, f"box@{DOMAIN}", TARGET)
        send(server, f"box@{DOMAIN}")
        server.output.await_event("call.failed")
        relay.refusal = None
        assert relay.next().raw.endswith(RAW)
