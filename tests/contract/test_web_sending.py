"""Sending mail over HTTP: what the provider's word becomes, and what is never done twice."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tempmail.domain.actor import Actor, Role
from tempmail.domain.drafts import MAX_ATTACHMENT_BYTES
from tempmail.services.sending import KEY_LIFETIME_S, MAX_BATCH, MAX_KEY_CHARS, ROOM, TOO_MANY_WAIT
from tempmail.web.endpoint import MAX_BRACES, MAX_QUOTES
from tempmail.web.endpoints.send import MAX_BODY_BYTES
from tests.contract.provider_wire import KEY
from tests.contract.web_suite import Client, Server, error, told

BOX = "box@temp.example.com"
FLARE = "box@mail.example.org"
FORBIDDEN = (403, "Forbidden")


@pytest.fixture
def user(server: Server) -> Actor:
    """A user who may send, with the mailboxes `BOX` (sent by Resend) and `FLARE` (sent by SendFlare)."""
    actor = server.actor(Role.USER)
    server.allow_sending(actor)
    for address in (BOX, FLARE):
        server.mailbox(address, owner_id=actor.user_id)
    return actor


@pytest.fixture
def client(server: Server, user: Actor) -> Client:
    return server.client(user)


def body(to: str = "you@else.example", sender: str = BOX, **fields: Any) -> dict[str, Any]:
    return {"from": sender, "to": to, "subject": "Hello", "text": "Hi.", **fields}


def send(client: Client, *given: str, **fields: Any) -> httpx.Response:
    return client.post("/api/send", json=body(*given, **fields))


def status_of(client: Client, mail_id: str) -> dict[str, Any]:
    answer = client.get(f"/api/send/{mail_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# What the provider says


def test_a_mail_that_the_provider_takes_is_accepted_never_delivered_on_faith(server: Server, client: Client) -> None:
    answer = send(client)
    sent = answer.json()
    assert told(answer) == (
        200,
        {"success": True, "id": sent["id"], "provider": "resend", "status": "accepted", "scheduled_at": None},
    )
    assert server.wire.requests == [
        {"from": BOX, "to": ["you@else.example"], "subject": "Hello", "text": "Hi."}
        | {"headers": {"Message-ID": f"<{sent['id']}@temp.example.com>"}}
    ]


def test_a_lookup_asks_the_provider_and_says_what_it_says(server: Server, client: Client) -> None:
    mail_id = send(client).json()["id"]
    server.wire.last_event = "bounced"
    found = status_of(client, mail_id)
    assert (found["status"], found["last_event"], server.wire.lookups) == ("bounced", "bounced", 1)
    assert [(one["address"], one["status"], one["provider_id"]) for one in found["recipients"]] == [
        ("you@else.example", "bounced", "re_1")
    ]


def test_the_provider_is_not_asked_again_at_once(server: Server, client: Client) -> None:
    mail_id = send(client).json()["id"]
    server.wire.last_event = "sent"
    for _ in range(3):
        assert status_of(client, mail_id)["last_event"] == "sent"
    assert server.wire.lookups == 1


def test_a_mail_can_be_looked_up_by_the_provider_s_id_too(client: Client) -> None:
    mail_id = send(client).json()["id"]
    assert status_of(client, "re_1")["id"] == mail_id


def test_a_provider_that_cannot_tell_leaves_it_at_accepted(server: Server, client: Client) -> None:
    mail_id = send(client, sender=FLARE).json()["id"]
    found = status_of(client, mail_id)
    assert (found["status"], found["last_event"], found["provider"]) == ("accepted", "sent", "sendflare")
    assert server.wire.lookups == 0


def test_a_refused_mail_is_told_in_the_provider_s_words_without_its_key(server: Server, client: Client) -> None:
    answer = send(client, "refused@else.example")
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("发送失败: Invalid `to` field.")
    assert KEY not in answer.text
    found = status_of(client, answer.json()["id"])
    assert found["status"] == "failed"
    assert KEY not in str(found)
    assert len(server.wire.requests) == 1


def test_an_unknown_outcome_is_no_success_and_nothing_is_sent_again(server: Server, client: Client) -> None:
    answer = send(client, "cut@else.example", FLARE)
    sent = answer.json()
    assert (answer.status_code, sent["success"], sent["status"]) == (200, False, "unknown")
    assert "no whole answer came" in sent["error"]
    server.clock.advance(86_400)
    assert status_of(client, sent["id"])["status"] == "unknown"
    assert len(server.wire.requests) == 1


def test_several_recipients_of_one_who_takes_one_at_a_time_fare_each_for_itself(server: Server, client: Client) -> None:
    answer = send(client, "a@else.example, refused@else.example, c@else.example", FLARE)
    found = status_of(client, answer.json()["id"])
    assert [(one["address"], one["status"]) for one in found["recipients"]] == [
        ("a@else.example", "accepted"),
        ("refused@else.example", "failed"),
        ("c@else.example", "accepted"),
    ]
    assert len(server.wire.requests) == 3


@pytest.fixture
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server whose senders wait a moment only."""
    with Server(tmp_path_factory.mktemp("web"), send_wait_s=0.5) as server:
        yield server


def test_a_slow_provider_is_not_waited_for_and_the_mail_goes_on(hasty: Server) -> None:
    answer = send(hasty.root(), "slow@else.example")
    sent = answer.json()
    assert (answer.status_code, sent["success"], sent["status"]) == (200, True, "sending")
    assert status_of(hasty.root(), sent["id"])["last_event"] == "queued"

    hasty.wire.release.set()
    hasty.await_outcome(sent["id"])

    hasty.wire.last_event = "sent"
    assert status_of(hasty.root(), sent["id"])["status"] == "accepted"
    assert len(hasty.wire.requests) == 1


def test_a_provider_that_is_down_leaves_the_mail_queued_for_its_next_try(hasty: Server) -> None:
    sent = send(hasty.root(), "down@else.example").json()
    assert (sent["success"], sent["status"], sent["provider"]) == (True, "queued", "resend")
    hasty.run(hasty.worker.run_once())
    found = status_of(hasty.root(), sent["id"])
    assert (found["status"], found["provider"]) == ("queued", "resend")
    assert "cannot be reached" in found["error"]
    assert hasty.root().post(f"/api/send/{sent['id']}/cancel").json()["status"] == "canceled"


# Later


def test_a_mail_for_later_waits_here_and_goes_when_it_is_time(server: Server, client: Client) -> None:
    sent = send(client, scheduledAt="2024-01-01T13:00:00Z").json()
    assert (sent["status"], sent["scheduled_at"], sent["provider"]) == (
        "scheduled",
        "2024-01-01T13:00:00+00:00",
        "resend",
    )
    server.clock.advance(3599)
    server.run(server.worker.run_once())
    assert server.wire.requests == []
    server.clock.advance(1)
    server.await_outcome(sent["id"])
    assert len(server.wire.requests) == 1
    assert client.get("/api/sent", params={"from": BOX}).json()[0]["status"] == "accepted"


@pytest.mark.parametrize("sender", [BOX, FLARE])
def test_every_provider_s_mail_can_be_put_off_and_taken_back(server: Server, client: Client, sender: str) -> None:
    mail_id = send(client, sender=sender, scheduledAt="in 1 hour").json()["id"]

    moved = client.patch(f"/api/send/{mail_id}", json={"scheduledAt": "2024-01-02T12:00:00+00:00"})
    assert (moved.status_code, moved.json()["scheduled_at"]) == (200, "2024-01-02T12:00:00+00:00")
    server.clock.advance(3600)
    server.run(server.worker.run_once())
    assert server.wire.requests == []

    for _ in range(2):
        canceled = client.post(f"/api/send/{mail_id}/cancel")
        assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    server.clock.advance(86_400)
    server.run(server.worker.run_once())
    assert server.wire.requests == []
    assert client.get("/api/sent", params={"from": sender}).json()[0]["status"] == "canceled"


def test_no_more_of_a_user_s_mails_wait_than_there_is_room_for(server: Server, client: Client) -> None:
    later = body(scheduledAt="in 1 hour")
    for _ in range(ROOM.mails // MAX_BATCH):
        assert client.post("/api/send/batch", json=[later] * MAX_BATCH).status_code == 200

    refused = client.post("/api/send", json=later)
    assert (refused.status_code, refused.json()["error"]) == (429, TOO_MANY_WAIT)
    assert refused.headers["retry-after"] == "60"
    assert send(server.root(), scheduledAt="in 1 hour").status_code == 200, "the highest administrator has no limit"

    waiting = client.get("/api/sent", params={"from": BOX}).json()[1]["resend_id"]
    assert client.post(f"/api/send/{waiting}/cancel").status_code == 200
    assert client.post("/api/send", json=later).status_code == 200


def test_a_mail_that_would_fill_the_disk_is_refused_and_not_kept(server: Server, client: Client) -> None:
    server.free_bytes = 100
    answer = send(client, scheduledAt="in 1 hour")
    assert (answer.status_code, answer.json()["error"]) == (503, "存储空间不足，请稍后重试")
    assert client.get("/api/sent", params={"from": BOX}).json() == []
    server.free_bytes = 1 << 20
    assert send(client, scheduledAt="in 1 hour").status_code == 200


def test_a_time_of_now_sends_a_waiting_mail(server: Server, client: Client) -> None:
    mail_id = send(client, scheduledAt="in 1 hour").json()["id"]
    client.patch(f"/api/send/{mail_id}", json={"scheduled_at": "2024-01-01T12:00:00Z"})
    server.await_outcome(mail_id)
    assert len(server.wire.requests) == 1


@pytest.mark.parametrize(
    ("sender", "text"), [(FLARE, "SendFlare 渠道暂不支持此操作"), (BOX, "Resend 渠道暂不支持此操作")]
)
def test_what_is_handed_over_cannot_be_changed(client: Client, sender: str, text: str) -> None:
    mail_id = send(client, sender=sender).json()["id"]
    changes = {"json": {"scheduledAt": "in 1 hour"}}
    assert error(client.patch(f"/api/send/{mail_id}", **changes)) == (400, text)
    assert error(client.post(f"/api/send/{mail_id}/cancel")) == (400, text)


def test_a_canceled_mail_cannot_be_rescheduled(client: Client) -> None:
    mail_id = send(client, scheduledAt="in 1 hour").json()["id"]
    client.post(f"/api/send/{mail_id}/cancel")
    answer = client.patch(f"/api/send/{mail_id}", json={"scheduledAt": "in 2 hours"})
    assert error(answer) == (400, "Resend 渠道暂不支持此操作")


# Who may


def test_a_foreign_sender_is_refused_like_one_that_does_not_exist(server: Server, client: Client) -> None:
    foreign = server.own_mailbox(server.actor(Role.USER))
    for sender in (foreign, "nobody@temp.example.com", f"Me <{foreign}>"):
        assert error(send(client, sender=sender)) == FORBIDDEN
    assert server.wire.requests == []


@pytest.mark.parametrize("role", [Role.USER, Role.ADMIN])
def test_who_may_not_send_is_refused_before_the_body_is_read(server: Server, role: Role) -> None:
    actor = server.actor(role)
    client = server.client(actor)
    assert error(client.post("/api/send", content=b"no json")) == FORBIDDEN
    server.allow_sending(actor)
    assert error(client.post("/api/send", content=b"no json")) == (400, "Bad Request")


def test_the_highest_administrator_sends_from_any_address(server: Server) -> None:
    assert send(server.root(), sender="anybody@cp.example").json()["success"] is True


def test_a_token_for_some_mailboxes_sends_from_those_alone(server: Server, client: Client) -> None:
    made = client.post("/api/v1/tokens", json={"name": "ci", "actions": ["mail.send"], "mailboxes": [BOX]})
    token = Client(server, {"authorization": f"Bearer {made.json()['token']}"})
    assert send(token).status_code == 200
    assert error(send(token, sender=FLARE)) == FORBIDDEN


def test_a_mail_of_another_s_mailbox_cannot_be_seen_or_changed(server: Server, client: Client) -> None:
    mail_id = send(client, scheduledAt="in 1 hour").json()["id"]
    stranger = server.actor(Role.USER)
    server.allow_sending(stranger)
    other = server.client(stranger)
    record = server.sent_id(BOX)
    for answer in (
        other.get(f"/api/send/{mail_id}"),
        other.patch(f"/api/send/{mail_id}", json={"status": "canceled"}),
        other.post(f"/api/send/{mail_id}/cancel"),
        other.get("/api/sent", params={"from": BOX}),
        other.get(f"/api/sent/{record}"),
        other.delete(f"/api/sent/{record}"),
    ):
        assert error(answer) == FORBIDDEN
    assert status_of(client, mail_id)["status"] == "scheduled"


def test_a_mailbox_made_anew_has_none_of_its_predecessor_s_mail(server: Server, client: Client) -> None:
    mail_id = send(client).json()["id"]
    record = server.sent_id(BOX)
    server.clock.advance(60)
    server.root().delete("/api/mailboxes", params={"address": BOX})
    heir = server.actor(Role.USER)
    server.mailbox(BOX, owner_id=heir.user_id)
    other = server.client(heir)
    assert other.get("/api/sent", params={"from": BOX}).json() == []
    assert error(other.get(f"/api/sent/{record}")) == FORBIDDEN
    assert error(other.get(f"/api/send/{mail_id}")) == FORBIDDEN


def test_guests_send_nothing_and_have_sent_nothing(server: Server) -> None:
    guest = server.client(server.actor(Role.GUEST))
    for text, answer in (
        ("演示模式不可发送", send(guest)),
        ("演示模式不可发送", guest.post("/api/send/batch", json=[body()])),
        ("演示模式不可查询真实发送", guest.get("/api/send/re_1")),
        ("演示模式不可查询真实发送", guest.get("/api/sent/1")),
        ("演示模式不可操作", guest.patch("/api/send/re_1", json={})),
        ("演示模式不可操作", guest.post("/api/send/re_1/cancel")),
        ("演示模式不可操作", guest.delete("/api/sent/1")),
    ):
        assert error(answer) == (403, text)
    assert told(guest.get("/api/sent", params={"from": "demo001@exa.cc"})) == (200, [])


def test_without_a_provider_nobody_sends(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Server(tmp_path_factory.mktemp("web"), with_providers=False) as server:
        answer = send(server.root())
        assert error(answer) == (500, "未配置发件 API Key（Resend / SendFlare / Cyberpersons 均未配置）")
        assert server.root().get("/api/v1/outbox").json() == {"mails": []}


# What is asked for


def test_what_nobody_can_carry_is_refused_by_name_and_not_kept(server: Server, client: Client) -> None:
    attachments = [{"filename": "a.txt", "content": "aGk="}]
    assert error(send(client, sender=FLARE, attachments=attachments, headers={"X-A": "1"})) == (
        400,
        "发送失败: SendFlare 渠道不支持自定义邮件头、附件 (headers, attachments)",
    )
    assert client.get("/api/sent", params={"from": FLARE}).json() == []
    assert send(client, attachments=attachments).json()["provider"] == "resend"
    assert server.wire.requests[0]["attachments"][0]["filename"] == "a.txt"


def test_a_domain_without_a_provider_is_named(server: Server) -> None:
    assert error(send(server.root(), sender="a@other.example")) == (
        400,
        "发送失败: 未找到域名对应的发件 API Key: other.example",
    )


def test_both_spellings_of_the_fields_are_understood(server: Server, client: Client) -> None:
    asked = body(from_name="Shop", reply_to="help@temp.example.com", scheduled_at="in 1 hour")
    mail_id = client.post("/api/send", json=asked).json()["id"]
    found = status_of(client, mail_id)
    assert (found["from"], found["reply_to"], found["scheduled_at"]) == (
        f"Shop <{BOX}>",
        ["help@temp.example.com"],
        "2024-01-01T13:00:00+00:00",
    )


@pytest.mark.parametrize("more", [0, 1])
def test_attachments_have_their_limit_and_the_request_its_own(server: Server, client: Client, more: int) -> None:
    content = base64.b64encode(bytes(MAX_ATTACHMENT_BYTES + more)).decode()
    answer = send(client, attachments=[{"filename": "a.bin", "content": content}])
    assert answer.status_code == (400 if more else 200)
    assert len(server.wire.requests) == (0 if more else 1)


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 400)])
@pytest.mark.parametrize(("char", "limit"), [("{", MAX_BRACES), ('"', MAX_QUOTES)])
def test_a_large_request_has_a_limit_of_values_too(
    client: Client, char: str, limit: int, more: int, status: int
) -> None:
    frame = json.dumps(body(html="", text="#"))
    escaped = json.dumps(char)[1:-1]
    number = limit - frame.count(char) + more
    first, second = escaped * (number // 2), escaped * (number - number // 2)
    content = frame.replace('"html": ""', f'"html": "{first}"').replace("#", second + " " * 100_000)
    answer = client.post("/api/send", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["detail"] == "too many values"


def test_a_batch_far_over_its_limit_is_refused_at_once(client: Client) -> None:
    content = b"[" + b"{}," * (MAX_BRACES - 1) + b"{}]"
    answer = client.post("/api/send/batch", content=content, headers={"content-type": "application/json"})
    assert told(answer) == (400, {"error": f"批量发送失败: 单次最多发送 {MAX_BATCH} 封邮件"})


def test_a_request_over_its_limit_is_not_read(client: Client) -> None:
    answer = client.post("/api/send", content=b" " * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413


def test_large_requests_wait_for_one_another_before_they_are_read(server: Server, user: Actor) -> None:
    """Each of them is held in memory as a whole."""
    headers = {"cookie": f"iding-session={server.token(user)}"}
    read: list[int] = []
    four, gate = asyncio.Event(), asyncio.Event()

    async def upload(number: int) -> AsyncIterator[bytes]:
        read.append(number)
        if len(read) == 4:
            four.set()
        yield b" "
        await gate.wait()

    async def many() -> int:
        calls = [
            asyncio.create_task(server.http.post("/api/send", content=upload(number), headers=headers))
            for number in range(8)
        ]
        await four.wait()
        # A small one goes past them.
        assert (await server.http.post("/api/send", json=body(), headers=headers)).status_code == 200
        began = len(read)
        gate.set()
        await asyncio.gather(*calls)
        return began

    assert (server.run(many()), len(read)) == (4, 8)


@pytest.mark.parametrize(
    "asked",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"from": 7}',
        b'{"to": {"a": 1}}',
        b'{"headers": {"a": [1]}}',
        b'{"attachments": "x"}',
        b'{"attachments": [1]}',
        b'{"scheduledAt": {}}',
        b'{"subject": "\\ud800"}',
    ],
)
def test_what_is_no_mail_is_a_bad_request(client: Client, asked: bytes) -> None:
    assert error(client.post("/api/send", content=asked)) == (400, "Bad Request")


# Many


def test_a_batch_answers_for_each_mail_in_its_order(server: Server, client: Client) -> None:
    answer = client.post(
        "/api/send/batch",
        json=[body(), body("refused@else.example"), body("cut@else.example", FLARE), body(scheduledAt="in 1 hour")],
    )
    assert answer.status_code == 200
    assert answer.json()["success"] is False
    assert [(one["success"], one["status"], one["provider"]) for one in answer.json()["result"]] == [
        (True, "accepted", "resend"),
        (False, "failed", "resend"),
        (False, "unknown", "sendflare"),
        (True, "scheduled", "resend"),
    ]
    assert "Invalid `to` field." in answer.json()["result"][1]["error"]
    assert len(client.get("/api/sent", params={"from": BOX}).json()) == 3


def test_a_faulty_sender_is_told_as_every_other_fault(client: Client) -> None:
    assert error(send(client, sender="nobody")) == (400, "发送失败: 发件人地址无效: nobody")
    assert error(client.post("/api/send/batch", json=[body(sender="")])) == (400, "批量发送失败: 发件人地址为空")


def test_a_batch_with_one_fault_is_not_sent_at_all(server: Server, client: Client) -> None:
    foreign = server.own_mailbox(server.actor(Role.USER))
    faulty = client.post("/api/send/batch", json=[body(), body("nobody")])
    assert error(faulty) == (400, "批量发送失败: 第 2 封: 收件人地址无效: nobody")
    assert error(client.post("/api/send/batch", json=[body(), body(sender=foreign)])) == FORBIDDEN
    assert server.wire.requests == []
    assert client.get("/api/sent", params={"from": BOX}).json() == []


def test_a_batch_has_a_limit(server: Server, client: Client) -> None:
    full = client.post("/api/send/batch", json=[body(scheduledAt="in 1 hour")] * MAX_BATCH)
    assert len(full.json()["result"]) == MAX_BATCH
    over = client.post("/api/send/batch", json=[body()] * (MAX_BATCH + 1))
    assert error(over) == (400, "批量发送失败: 单次最多发送 100 封邮件")


def test_an_empty_batch_has_an_empty_result(client: Client) -> None:
    assert told(client.post("/api/send/batch", json=[])) == (200, {"success": True, "result": []})


# The same request again


def repeated(client: Client, key: str, **fields: Any) -> httpx.Response:
    return client.post("/api/send", json=body(**fields), headers={"Idempotency-Key": key})


def test_the_same_request_with_the_same_key_is_one_mail(server: Server, client: Client) -> None:
    first, again = repeated(client, "k"), repeated(client, "k")
    assert told(first) == told(again)
    assert len(server.wire.requests) == 1
    assert len(client.get("/api/sent", params={"from": BOX}).json()) == 1


def test_another_request_with_the_same_key_is_refused(server: Server, client: Client) -> None:
    repeated(client, "k")
    assert error(repeated(client, "k", subject="Other")) == (409, "Idempotency-Key 已用于另一个请求")
    batch = client.post("/api/send/batch", json=[body()], headers={"Idempotency-Key": "k"})
    assert batch.status_code == 409
    assert len(server.wire.requests) == 1


def test_keys_are_each_caller_s_own(server: Server, client: Client) -> None:
    repeated(client, "k")
    assert repeated(server.root(), "k").status_code == 200
    assert len(server.wire.requests) == 2


def test_a_refused_request_does_not_use_its_key_up(server: Server, client: Client) -> None:
    assert repeated(client, "k", subject="").status_code == 400
    assert repeated(client, "k").status_code == 200
    assert len(server.wire.requests) == 1


def test_a_repeat_long_after_its_time_still_answers_for_the_same_mail(server: Server, client: Client) -> None:
    first = repeated(client, "k", scheduledAt="2024-01-01T12:30:00Z").json()
    server.clock.advance(7200)
    server.await_outcome(first["id"])
    again = repeated(client, "k", scheduledAt="2024-01-01T12:30:00Z").json()
    assert (again["id"], again["status"]) == (first["id"], "accepted")


def test_requests_at_the_same_time_are_one_mail(server: Server, user: Actor) -> None:
    headers = {"cookie": f"iding-session={server.token(user)}", "Idempotency-Key": "k"}

    async def both() -> list[httpx.Response]:
        return await asyncio.gather(*(server.http.post("/api/send", json=body(), headers=headers) for _ in range(8)))

    answers = server.run(both())
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(server.wire.requests) == 1


def test_a_batch_is_known_again_as_a_whole(server: Server, client: Client) -> None:
    answers = [
        client.post("/api/send/batch", json=[body(), body()], headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    assert told(answers[0]) == told(answers[1])
    assert len(server.wire.requests) == 2


def test_a_key_is_forgotten_after_a_day(server: Server, client: Client) -> None:
    repeated(client, "k")
    server.clock.advance(KEY_LIFETIME_S + 1)
    repeated(client, "another")
    repeated(client, "k")
    assert len(server.wire.requests) == 3


@pytest.mark.parametrize(("key", "status"), [("k" * MAX_KEY_CHARS, 200), ("k" * (MAX_KEY_CHARS + 1), 400)])
def test_a_key_has_a_limit(client: Client, key: str, status: int) -> None:
    assert repeated(client, key).status_code == status


# The record


def test_the_record_outlives_the_outbox(server: Server, client: Client) -> None:
    sent = send(client, fromName="Shop", html="<p>x</p>").json()
    server.clock.advance(10)
    server.run(server.real.store.outbox.purge("2030-01-01 00:00:00", limit=10))
    found = status_of(client, sent["id"])
    assert (found["status"], found["from"], found["html"], found["recipients"]) == (
        "accepted",
        f"Shop <{BOX}>",
        "<p>x</p>",
        [],
    )
    assert status_of(client, "re_1") == found
    assert error(client.post(f"/api/send/{sent['id']}/cancel")) == (400, "Resend 渠道暂不支持此操作")


def test_a_deleted_record_leaves_the_mail_to_go_out(server: Server, client: Client) -> None:
    mail_id = send(client, scheduledAt="in 1 hour").json()["id"]
    assert client.delete(f"/api/sent/{server.sent_id(BOX)}").json() == {"success": True}
    assert client.get("/api/sent", params={"from": BOX}).json() == []
    assert status_of(client, mail_id)["status"] == "scheduled"


@pytest.mark.parametrize("name", ["nothing", "0", "re_99", "é" * 2000, "%00"])
def test_a_mail_that_is_none_is_not_found(client: Client, name: str) -> None:
    assert error(client.get(f"/api/send/{name}")) == (404, "未找到发件")
