"""Every route as every role, against the policy table."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tempmail.clock import stamp
from tempmail.domain.actor import Actor, Role
from tempmail.domain.policy import ACTIONS, Reach
from tempmail.ports.outbound import Pause
from tempmail.web.endpoints import ALL
from tests.contract.capsule_suite import CAPSULE_PASSWORD, capsule_for
from tests.contract.web_suite import ADMIN_NAME, ADMIN_PASSWORD, FORWARD_CODE, RAW, Server

ROUTES = [(route, endpoint.action) for endpoint in ALL for route in endpoint.routes]


def a_mail(box: str) -> dict[str, str]:
    return {"from": box, "to": "you@else.example", "subject": "Hello", "text": "Hi."}


A_TEMPLATE = {"subject": "Hello {{name}}", "text": "Hi."}

BOX_ID = "the id of the mailbox"
"""Stands in a request for what is only known when it is sent."""

# A valid request for each route, about the mailbox `box` and the mail `mail` in it. A route without an entry fails.
REQUESTS: dict[str, Callable[[str, int], dict[str, Any]]] = {
    "GET /api/emails": lambda box, mail: {"params": {"mailbox": box}},
    "GET /api/emails/batch": lambda box, mail: {"params": {"ids": mail}},
    "GET /api/email/{id}": lambda box, mail: {},
    "GET /api/email/{id}/download": lambda box, mail: {},
    "DELETE /api/email/{id}": lambda box, mail: {},
    "DELETE /api/emails": lambda box, mail: {"params": {"mailbox": box}},
    "GET /api/mailboxes": lambda box, mail: {},
    "GET /api/generate": lambda box, mail: {},
    "POST /api/generate": lambda box, mail: {},
    "POST /api/create": lambda box, mail: {"json": {"local": f"new-{mail}-{box[:8]}"}},
    "GET /api/domains": lambda box, mail: {},
    "DELETE /api/mailboxes": lambda box, mail: {"params": {"address": box}},
    "GET /api/mailbox/info": lambda box, mail: {"params": {"address": box}},
    "POST /api/mailboxes/pin": lambda box, mail: {"params": {"address": box}},
    "POST /api/mailbox/forward": lambda box, mail: {"json": {"mailbox_id": BOX_ID, "forward_to": "me@else.example"}},
    "POST /api/mailbox/favorite": lambda box, mail: {"json": {"mailbox_id": BOX_ID}},
    "POST /api/mailboxes/reset-password": lambda box, mail: {"params": {"address": box}},
    "POST /api/mailboxes/toggle-login": lambda box, mail: {"json": {"address": box, "can_login": True}},
    "POST /api/mailboxes/change-password": lambda box, mail: {"json": {"address": box, "new_password": "horses"}},
    "POST /api/mailboxes/batch-toggle-login": lambda box, mail: {"json": {"addresses": [box], "can_login": True}},
    "POST /api/mailboxes/batch-favorite": lambda box, mail: {"json": {"mailbox_ids": [1], "is_favorite": True}},
    "POST /api/mailboxes/batch-forward": lambda box, mail: {"json": {"mailbox_ids": [1], "forward_to": None}},
    "POST /api/mailboxes/batch-favorite-by-address": lambda box, mail: {"json": {"addresses": [box]}},
    "POST /api/mailboxes/batch-forward-by-address": lambda box, mail: {"json": {"addresses": [box]}},
    "GET /api/user/quota": lambda box, mail: {},
    "GET /api/users": lambda box, mail: {},
    "POST /api/users": lambda box, mail: {"json": {"username": f"new-{mail}-{box[:8]}"}},
    "PATCH /api/users/{id}": lambda box, mail: {"json": {"mailboxLimit": 20}},
    "DELETE /api/users/{id}": lambda box, mail: {},
    "GET /api/users/{id}/mailboxes": lambda box, mail: {},
    "POST /api/users/assign": lambda box, mail: {"json": {"username": ADMIN_NAME, "address": box}},
    "POST /api/users/unassign": lambda box, mail: {"json": {"username": ADMIN_NAME, "address": box}},
    "POST /api/login": lambda box, mail: {"json": {"username": ADMIN_NAME, "password": ADMIN_PASSWORD}},
    "POST /api/logout": lambda box, mail: {},
    "PUT /api/mailbox/password": lambda box, mail: {"json": {"currentPassword": box, "newPassword": "correct horse"}},
    "GET /api/session": lambda box, mail: {},
    "HEAD /api/session": lambda box, mail: {},
    "GET /healthz": lambda box, mail: {},
    "HEAD /healthz": lambda box, mail: {},
    "GET /readyz": lambda box, mail: {},
    "HEAD /readyz": lambda box, mail: {},
    "GET /metrics": lambda box, mail: {},
    "GET /api/v1/messages/{id}": lambda box, mail: {},
    "GET /api/v1/messages/{id}/attachments/{part}": lambda box, mail: {},
    "GET /api/v1/forwards": lambda box, mail: {"params": {"address": "me@else.example"}},
    "POST /api/v1/forwards/confirm": lambda box, mail: {"json": {"address": "me@else.example", "code": FORWARD_CODE}},
    "POST /api/send": lambda box, mail: {"json": a_mail(box)},
    "POST /api/send/batch": lambda box, mail: {"content": json.dumps([a_mail(box), a_mail(box)])},
    "GET /api/send/{id}": lambda box, mail: {},
    "PATCH /api/send/{id}": lambda box, mail: {"json": {"scheduledAt": "in 2 days"}},
    "POST /api/send/{id}/cancel": lambda box, mail: {},
    "GET /api/sent": lambda box, mail: {"params": {"from": box}},
    "GET /api/sent/{id}": lambda box, mail: {},
    "DELETE /api/sent/{id}": lambda box, mail: {},
    "GET /api/v1/outbox": lambda box, mail: {},
    "GET /api/v1/outbox/{id}": lambda box, mail: {},
    "POST /api/v1/outbox/{id}/retry": lambda box, mail: {},
    "POST /api/v1/outbox/{id}/cancel": lambda box, mail: {},
    "POST /api/v1/outbox/{id}/resolve": lambda box, mail: {"json": {"state": "accepted"}},
    "GET /api/v1/providers": lambda box, mail: {},
    "POST /api/v1/providers/{provider}/{account}/unpause": lambda box, mail: {},
    "POST /api/v1/hooks/resend": lambda box, mail: {"json": {"type": "email.sent", "data": {"email_id": "re_0"}}},
    "POST /api/v1/mails": lambda box, mail: {"json": {"title": "To me"}},
    "GET /api/v1/mails": lambda box, mail: {},
    "POST /api/v1/mails/send-to-future": lambda box, mail: {"json": {"sendTime": "2100-01-01T00:00:00Z"}},
    "GET /api/v1/mails/quota": lambda box, mail: {},
    "GET /api/v1/mails/{mailId}": lambda box, mail: {},
    "PUT /api/v1/mails/{mailId}": lambda box, mail: {"json": {"title": "To you"}},
    "PATCH /api/v1/mails/{mailId}": lambda box, mail: {"json": {"title": "To you"}},
    "DELETE /api/v1/mails/{mailId}": lambda box, mail: {},
    "POST /api/v1/mails/{mailId}/revoke": lambda box, mail: {},
    "POST /api/v1/mails/{mailId}/trigger": lambda box, mail: {},
    "POST /api/v1/mails/{mailId}/unlock": lambda box, mail: {"json": {"password": CAPSULE_PASSWORD}},
    "POST /api/v1/mails/{mailId}/attachments": lambda box, mail: {"files": {"file": ("a.txt", b"a")}},
    "GET /api/v1/mails/{mailId}/attachments/{id}": lambda box, mail: {},
    "DELETE /api/v1/mails/{mailId}/attachments/{id}": lambda box, mail: {},
    "POST /api/v1/extract": lambda box, mail: {"content": RAW},
    "GET /api/v1/extraction-rules": lambda box, mail: {},
    "POST /api/v1/extraction-rules": lambda box, mail: {"json": {"name": "Bank", "pattern": "(?P<code>a)"}},
    "PATCH /api/v1/extraction-rules/{id}": lambda box, mail: {"json": {"enabled": False}},
    "DELETE /api/v1/extraction-rules/{id}": lambda box, mail: {},
    "GET /api/v1/tokens": lambda box, mail: {},
    "POST /api/v1/tokens": lambda box, mail: {"json": {"name": "ci", "actions": ["*"]}},
    "DELETE /api/v1/tokens/{id}": lambda box, mail: {},
    "GET /api/v1/audit": lambda box, mail: {},
    "GET /api/v1/sandboxes/mail_push/templates": lambda box, mail: {},
    "POST /api/v1/sandboxes/mail_push/templates": lambda box, mail: {"json": A_TEMPLATE},
    "GET /api/v1/sandboxes/mail_push/templates/{temp_id}": lambda box, mail: {},
    "PUT /api/v1/sandboxes/mail_push/templates/{temp_id}": lambda box, mail: {"json": A_TEMPLATE},
    "DELETE /api/v1/sandboxes/mail_push/templates/{temp_id}": lambda box, mail: {},
    "GET /api/v1/sandboxes/nobase/log": lambda box, mail: {},
    "GET /api/v1/sandboxes/{provider}/credentials": lambda box, mail: {},
    "POST /api/v1/sandboxes/{provider}/credentials": lambda box, mail: {"json": {"name": "shop"}},
    "PATCH /api/v1/sandboxes/{provider}/credentials/{id}": lambda box, mail: {"json": {"name": "shop"}},
    "DELETE /api/v1/sandboxes/{provider}/credentials/{id}": lambda box, mail: {},
}

NAMES_A_MAILBOX = (
    "GET /api/emails",
    "DELETE /api/emails",
    "DELETE /api/mailboxes",
    "GET /api/mailbox/info",
    "POST /api/mailboxes/pin",
)
NAMES_A_MAILBOX_BY_ID = ("POST /api/mailbox/forward", "POST /api/mailbox/favorite")
NAMES_A_MAIL = (
    "GET /api/emails/batch",
    "GET /api/email/{id}",
    "GET /api/email/{id}/download",
    "DELETE /api/email/{id}",
    "GET /api/v1/messages/{id}",
    "GET /api/v1/messages/{id}/attachments/{part}",
)


def request_for(server: Server, actor: Actor | None, route: str, box: str, mail: int) -> dict[str, Any]:
    request = REQUESTS[route](box, mail)
    if route == "POST /api/users/unassign":
        server.link_to_admin(box, side=server.real if actor is None else server.side_of(actor))
    if request.get("json", {}).get("mailbox_id") == BOX_ID:
        side = server.real if actor is None else server.side_of(actor)
        found = server.run(side.store.mailboxes.find(box))
        request["json"]["mailbox_id"] = found.id if found is not None else 0
    return request


def user_id_for(server: Server, actor: Actor | None, path: str) -> int:
    """The caller itself where it may look at itself, else a user that is there for it."""
    if actor is None:
        return server.user(uuid4().hex)
    itself = path.endswith("/mailboxes") and actor.user_id
    return itself or server.user(uuid4().hex, side=server.side_of(actor))


def sent_for(server: Server, path: str, box: str) -> str:
    """Names a mail that `box` has sent, in the state that the path is about."""
    if path.startswith("/api/sent/"):
        server.send(box)
        return str(server.sent_id(box))
    if path.endswith("/retry"):
        return server.send(box, "refused@else.example")
    if path.endswith("/resolve"):
        return server.send("a@mail.example.org", "cut@else.example")
    return server.send(box, scheduledAt="in 1 day")


def pause_an_account(server: Server) -> None:
    until = stamp(server.clock.now() + 600)
    server.run(server.real.store.outbox.pause(Pause("smtp", "paused", until, "a test")))


def call(server: Server, actor: Actor | None, route: str, box: str, mail: int) -> int:
    method, _, path = route.partition(" ")
    client = server.client(actor)
    named = server.rule() if path.startswith("/api/v1/extraction-rules/") else mail
    if path.startswith("/api/users/{id}"):
        named = user_id_for(server, actor, path)
    if path.startswith("/api/v1/tokens/"):
        named = server.api_token(actor)
    if path.startswith(("/api/send/{id}", "/api/sent/{id}", "/api/v1/outbox/{id}")):
        path = path.replace("{id}", sent_for(server, path, box))
    if path.endswith("/unpause"):
        pause_an_account(server)
        path = path.replace("{provider}/{account}", "smtp/paused")
    if path.startswith("/api/send") and actor is not None:
        server.allow_sending(actor)
    if path.startswith("/api/v1/sandboxes/{provider}/credentials/"):
        named = server.sandbox_credential()
    path = path.replace("{id}", str(named)).replace("{part}", "4").replace("{provider}", "resend")
    request = request_for(server, actor, route, box, mail)
    if path.startswith("/api/v1/mails"):
        capsule, attachment = capsule_for(server, actor, path)
        path = path.replace("{mailId}", capsule).replace(f"/attachments/{named}", f"/attachments/{attachment}")
        if path.endswith("/send-to-future"):
            request["json"]["mailId"] = capsule
    if path.startswith("/api/v1/sandboxes/mail_push/templates"):
        credential_id, temp_id = server.sandbox_template()
        path = path.replace("{temp_id}", str(temp_id))
        request = {**request, "params": {"credential": credential_id}}
    if path == "/api/v1/forwards/confirm":
        request["json"]["address"] = f"{uuid4().hex}@else.example"
        server.run(server.services.forward_consent.ask(request["json"]["address"]))
    if path == "/api/v1/hooks/resend":
        request = server.hook(json.dumps(request["json"]).encode())
    response = client(method, path, **request)
    return response.status_code


@pytest.mark.parametrize(("route", "action"), ROUTES, ids=[route for route, _ in ROUTES])
def test_each_role_gets_what_the_table_says_about_its_own_things(shared: Server, route: str, action: str) -> None:
    for role in Role:
        actor = shared.actor(role)
        box = shared.own_mailbox(actor)
        mail = shared.deliver(box, side=shared.side_of(actor))
        refused = ACTIONS[action].by_role[role] is Reach.NONE

        status = call(shared, actor, route, box, mail)

        assert status == (403 if refused else 200), f"{role} {route}"


@pytest.mark.parametrize(("route", "action"), ROUTES, ids=[route for route, _ in ROUTES])
def test_without_a_credential_only_public_actions_are_open(shared: Server, route: str, action: str) -> None:
    box = shared.own_mailbox(shared.actor(Role.USER))
    mail = shared.deliver(box)

    status = call(shared, None, route, box, mail)

    assert status == (200 if ACTIONS[action].public else 401)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.USER, Role.MAILBOX])
@pytest.mark.parametrize("route", [*NAMES_A_MAILBOX, *NAMES_A_MAILBOX_BY_ID, *NAMES_A_MAIL])
def test_reach_own_refuses_what_belongs_to_another(shared: Server, role: Role, route: str) -> None:
    foreign = shared.own_mailbox(shared.actor(Role.USER))
    mail = shared.deliver(foreign)

    status = call(shared, shared.actor(role), route, foreign, mail)

    assert status == 403
    kept = shared.root().get("/api/emails", params={"mailbox": foreign}).json()
    assert [item["id"] for item in kept] == [mail]
    assert kept[0]["is_read"] == 0


@pytest.mark.parametrize("route", [*NAMES_A_MAILBOX, *NAMES_A_MAILBOX_BY_ID, *NAMES_A_MAIL])
def test_reach_all_takes_what_belongs_to_another(shared: Server, route: str) -> None:
    foreign = shared.own_mailbox(shared.actor(Role.USER))
    mail = shared.deliver(foreign)

    assert call(shared, shared.actor(Role.STRICT_ADMIN), route, foreign, mail) == 200


@pytest.mark.parametrize("role", [Role.ADMIN, Role.USER, Role.MAILBOX])
@pytest.mark.parametrize("route", NAMES_A_MAILBOX)
def test_reach_own_does_not_tell_whether_an_address_exists(shared: Server, role: Role, route: str) -> None:
    client = shared.client(shared.actor(role))
    foreign = shared.own_mailbox(shared.actor(Role.USER))
    method, _, path = route.partition(" ")

    answers = [
        client(method, path, params={"mailbox": address, "address": address})
        for address in (foreign, "nobody-has-this@temp.example.com")
    ]

    assert [(answer.status_code, answer.content) for answer in answers] == [(403, answers[0].content)] * 2


def test_lists_are_narrowed_to_linked_mailboxes(server: Server) -> None:
    user = server.actor(Role.USER)
    own, _ = server.own_mailbox(user), server.own_mailbox(server.actor(Role.USER))

    listed = server.client(user).get("/api/mailboxes").json()

    assert [item["address"] for item in listed["list"]] == [own]
    assert listed["total"] == 1
    assert server.root().get("/api/mailboxes").json()["total"] == 2


def test_a_guest_sees_the_demonstration_only(server: Server) -> None:
    real = server.own_mailbox(server.actor(Role.USER))
    shown = server.own_mailbox(server.actor(Role.GUEST))
    guest = server.client(server.actor(Role.GUEST))
    server.deliver(real)

    assert [item["address"] for item in guest.get("/api/mailboxes").json()["list"]] == [shown]
    assert guest.get("/api/emails", params={"mailbox": real}).json() == []
    guest.post("/api/create", json={"local": "by-a-guest"})
    assert server.root().get("/api/mailboxes").json()["total"] == 1


def test_without_a_demonstration_guests_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Server(tmp_path_factory.mktemp("web"), with_demo=False) as server:
        answer = server.client(server.actor(Role.GUEST)).get("/api/mailboxes")
        assert (answer.status_code, answer.json()) == (403, {"error": "演示模式不可操作"})


@pytest.mark.parametrize(
    ("role", "method", "path", "text"),
    [
        (Role.USER, "DELETE", "/api/mailboxes?address=a@b", "Forbidden"),
        (Role.MAILBOX, "GET", "/api/domains", "访问被拒绝"),
        (Role.MAILBOX, "GET", "/api/mailboxes", "访问被拒绝"),
        (Role.MAILBOX, "GET", "/api/generate", "访问被拒绝"),
        (Role.MAILBOX, "GET", "/api/no-such-path", "访问被拒绝"),
        (Role.GUEST, "DELETE", "/api/mailboxes?address=a@b", "演示模式不可删除"),
        (Role.GUEST, "DELETE", "/api/email/1", "演示模式不可删除"),
        (Role.GUEST, "DELETE", "/api/emails?mailbox=a@b", "演示模式不可清空"),
        (Role.GUEST, "GET", "/api/email/1/download", "演示模式不可下载"),
        (Role.MAILBOX, "GET", "/api/emails?mailbox=other@temp.example.com", "只能访问自己的邮箱"),
        (Role.MAILBOX, "DELETE", "/api/emails?mailbox=other@temp.example.com", "Forbidden"),
        (Role.USER, "GET", "/api/emails?mailbox=other@temp.example.com", "Forbidden"),
    ],
)
def test_refusals_speak_the_words_of_the_original(
    server: Server, role: Role, method: str, path: str, text: str
) -> None:
    answer = server.client(server.actor(role))(method, path)
    assert (answer.status_code, answer.json()) == (403, {"error": text})


def test_a_mailbox_login_is_told_of_foreign_and_missing_mails_in_its_own_words(server: Server) -> None:
    foreign = server.deliver(server.own_mailbox(server.actor(Role.USER)))
    client = server.client(server.actor(Role.MAILBOX))

    assert client.get(f"/api/email/{foreign}").json() == {"error": "无权访问此邮件"}
    assert client.get(f"/api/email/{foreign + 1}").json() == {"error": "邮件不存在"}


@pytest.mark.parametrize(("age_s", "seen"), [(86_400, True), (86_401, False)])
def test_a_mailbox_login_sees_exactly_the_last_24_hours(server: Server, age_s: int, seen: bool) -> None:
    actor = server.actor(Role.MAILBOX)
    mail = server.deliver(server.own_mailbox(actor))
    server.clock.advance(age_s)
    client = server.client(actor)

    assert len(client.get("/api/emails").json()) == seen
    assert len(client.get("/api/emails/batch", params={"ids": mail}).json()) == seen
    assert client.get(f"/api/email/{mail}").status_code == (200 if seen else 404)
    assert client.get(f"/api/v1/messages/{mail}").status_code == (200 if seen else 404)
    assert client.get(f"/api/email/{mail}/download").status_code == 200
    assert len(server.root().get("/api/emails/batch", params={"ids": mail}).json()) == 1


def test_one_foreign_mail_refuses_a_whole_batch(server: Server) -> None:
    user = server.actor(Role.USER)
    own = server.deliver(server.own_mailbox(user))
    foreign = server.deliver(server.own_mailbox(server.actor(Role.USER)))

    answer = server.client(user).get("/api/emails/batch", params={"ids": f"{own},{foreign}"})

    assert (answer.status_code, answer.json()) == (403, {"error": "Forbidden"})


def test_nobody_takes_over_a_mailbox_by_creating_it(server: Server) -> None:
    server.deliver("wanted@temp.example.com")
    client = server.client(server.actor(Role.USER))

    answer = client.post("/api/create", json={"local": "wanted"})

    assert (answer.status_code, answer.json()) == (400, {"error": "该邮箱地址已被使用"})
    assert client.get("/api/emails", params={"mailbox": "wanted@temp.example.com"}).status_code == 403


def test_creating_ones_own_mailbox_again_is_no_error(server: Server) -> None:
    client = server.client(server.actor(Role.USER))
    for _ in range(2):
        assert client.post("/api/create", json={"local": "mine"}).json()["email"] == "mine@temp.example.com"
    assert client.get("/api/mailboxes").json()["total"] == 1
