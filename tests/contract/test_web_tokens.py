"""Personal API tokens over HTTP: made, shown once, narrowed, expired, revoked."""

from typing import Any

import pytest

from tempmail.domain.actor import Actor, Role
from tempmail.domain.tokens import MAX_DAYS, MAX_TOKENS
from tempmail.services.tokens import TokenService
from tests.contract.web_suite import ADMIN_NAME, Client, Server


def make(server: Server, actor: Actor, **body: Any) -> dict[str, Any]:
    answer = server.client(actor).post("/api/v1/tokens", json={"name": "ci", "actions": ["*"], **body})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def bearer(server: Server, token: str) -> Client:
    return Client(server, {"authorization": f"Bearer {token}"})


def test_a_token_acts_as_its_owner(server: Server) -> None:
    ann = server.actor(Role.USER)
    box = server.own_mailbox(ann)
    server.deliver(box)
    client = bearer(server, make(server, ann)["token"])

    assert client.get("/api/session").json()["username"] == ann.username
    assert [item["address"] for item in client.get("/api/mailboxes").json()["list"]] == [box]
    assert len(client.get("/api/emails", params={"mailbox": box}).json()) == 1
    assert client.get("/api/emails", params={"mailbox": "foreign@temp.example.com"}).status_code == 403


def test_the_secret_is_shown_once_and_never_listed(server: Server) -> None:
    ann = server.actor(Role.USER)
    made = make(server, ann)

    [listed] = server.client(ann).get("/api/v1/tokens").json()["tokens"]

    assert listed == {key: value for key, value in made.items() if key != "token"}
    assert made["token"] not in str(listed)


def test_a_token_does_only_what_it_was_made_for(server: Server) -> None:
    ann = server.actor(Role.USER)
    box = server.own_mailbox(ann)
    mail = server.deliver(box)
    client = bearer(server, make(server, ann, actions=["mail.list", "mail.read"])["token"])

    assert client.get("/api/emails", params={"mailbox": box}).status_code == 200
    assert client.get(f"/api/email/{mail}").status_code == 200
    refused = client.delete(f"/api/email/{mail}")
    assert (refused.status_code, refused.json()["error"]) == (403, "this token may not do mail.delete")


def test_a_token_reaches_only_the_mailboxes_it_was_made_for(server: Server) -> None:
    admin = server.actor(Role.STRICT_ADMIN)
    mails = {}
    for local in ("qa-1", "boss"):
        server.mailbox(f"{local}@temp.example.com")
        mails[local] = server.deliver(f"{local}@temp.example.com")
    made = make(server, admin, mailboxes=["qa-*@temp.example.com"])
    client = bearer(server, made["token"])
    # What the owner has just seen is remembered; the token must not get it from there.
    assert server.client(admin).get("/api/emails", params={"mailbox": "boss@temp.example.com"}).json()

    listed = client.get("/api/mailboxes").json()
    assert ([item["address"] for item in listed["list"]], listed["total"]) == (["qa-1@temp.example.com"], 1)
    assert client.get(f"/api/email/{mails['qa-1']}").status_code == 200
    assert client.get(f"/api/email/{mails['boss']}").status_code == 403
    assert client.get("/api/emails", params={"mailbox": "boss@temp.example.com"}).status_code == 403
    both = {"ids": f"{mails['qa-1']},{mails['boss']}"}
    assert client.get("/api/emails/batch", params=both).status_code == 403
    assert client.delete("/api/mailboxes", params={"address": "boss@temp.example.com"}).status_code == 403
    assert client.post("/api/create", json={"local": "chief"}).status_code == 403
    assert client.post("/api/create", json={"local": "qa-2"}).status_code == 200


def test_a_token_for_certain_mailboxes_reaches_no_others_through_an_account(server: Server) -> None:
    ann = server.actor(Role.USER)
    client = bearer(server, make(server, server.actor(Role.STRICT_ADMIN), mailboxes=["qa-*@temp.example.com"])["token"])

    taken = client.patch(f"/api/users/{ann.user_id}", json={"password": "mine now"})
    made = client.post("/api/users", json={"username": "mine", "password": "mine now"})

    assert (taken.status_code, made.status_code) == (403, 403)
    assert client.get("/api/users").status_code == 200


def test_a_token_expires_to_the_second(server: Server) -> None:
    made = make(server, server.actor(Role.USER), expires_in_days=1)
    client = bearer(server, made["token"])

    server.clock.advance(86_399)
    assert client.get("/api/session").status_code == 200
    server.clock.advance(1)
    assert client.get("/api/session").status_code == 401


def test_a_revoked_token_is_refused_from_then_on(server: Server) -> None:
    ann = server.actor(Role.USER)
    made = make(server, ann)
    client = bearer(server, made["token"])
    assert client.get("/api/session").status_code == 200

    assert server.client(ann).delete(f"/api/v1/tokens/{made['id']}").json() == {"success": True}

    assert client.get("/api/session").status_code == 401
    assert server.client(ann).delete(f"/api/v1/tokens/{made['id']}").status_code == 404


def test_a_token_that_does_not_hold_does_not_fall_back_to_the_cookie(server: Server) -> None:
    cookie = server.client(server.actor(Role.USER)).headers
    both = Client(server, {**cookie, "authorization": f"Bearer tm_{'a' * 43}"})

    assert both.get("/api/session").status_code == 401


def test_users_see_and_revoke_their_own_tokens_and_the_highest_admin_everybodys(server: Server) -> None:
    ann, bob, root = server.actor(Role.USER), server.actor(Role.USER), server.actor(Role.STRICT_ADMIN)
    of_ann, of_bob = make(server, ann), make(server, bob)

    assert [t["id"] for t in server.client(ann).get("/api/v1/tokens").json()["tokens"]] == [of_ann["id"]]
    assert server.client(bob).delete(f"/api/v1/tokens/{of_ann['id']}").status_code == 404
    everybodys = server.client(root).get("/api/v1/tokens").json()["tokens"]
    assert {of_ann["id"], of_bob["id"]} <= {t["id"] for t in everybodys}
    assert server.client(root).delete(f"/api/v1/tokens/{of_ann['id']}").status_code == 200


def test_a_token_makes_no_tokens(server: Server) -> None:
    client = bearer(server, make(server, server.actor(Role.STRICT_ADMIN))["token"])

    answer = client.post("/api/v1/tokens", json={"name": "wider", "actions": ["*"]})

    assert (answer.status_code, answer.json()["error"]) == (403, "a token cannot do token.create: log in")


def test_the_root_tokens_own_tokens_belong_to_the_configured_admin(server: Server) -> None:
    made = server.root().post("/api/v1/tokens", json={"name": "deploy", "actions": ["*"]}).json()

    session = bearer(server, made["token"]).get("/api/session").json()

    assert (session["username"], session["strictAdmin"]) == (ADMIN_NAME.lower(), True)


@pytest.mark.parametrize("maker", [Role.USER, Role.ADMIN, Role.STRICT_ADMIN])
def test_a_token_neither_gains_nor_outlives_the_highest_administrators_rights(server: Server, maker: Role) -> None:
    owner = server.actor(maker)
    secret = make(server, owner)["token"]
    other = "chief" if maker is Role.STRICT_ADMIN else owner.username
    store = server.real.store

    restarted = TokenService(store.tokens, store.users, clock=server.clock, admin_name=other)

    assert server.run(restarted.actor_of(secret)) is None
    assert server.run(server.services.tokens.actor_of(secret)) is not None, "with the settings as they were"


def test_the_last_use_is_recorded_once_a_minute(server: Server) -> None:
    ann = server.actor(Role.USER)
    client = bearer(server, make(server, ann)["token"])
    uses = []
    for wait_s in (0, 59, 1):
        server.clock.advance(wait_s)
        client.get("/api/session")
        [listed] = server.client(ann).get("/api/v1/tokens").json()["tokens"]
        uses.append(listed["last_used_at"])

    assert uses[0] == uses[1] < uses[2]


def test_tokens_are_paged_by_id(server: Server) -> None:
    ann = server.actor(Role.USER)
    ids = [make(server, ann)["id"] for _ in range(3)]
    client = server.client(ann)

    first = client.get("/api/v1/tokens", params={"limit": 2}).json()["tokens"]
    rest = client.get("/api/v1/tokens", params={"after": first[-1]["id"]}).json()["tokens"]

    assert [t["id"] for t in first + rest] == ids


@pytest.mark.parametrize(
    "body",
    [
        {"actions": ["*"]},
        {"name": "ci"},
        {"name": "ci", "actions": []},
        {"name": "ci", "actions": "*"},
        {"name": "ci", "actions": ["user.delete"]},
        {"name": "", "actions": ["*"]},
        {"name": "ci", "actions": ["*"], "mailboxes": ["not an address"]},
        {"name": "ci", "actions": ["*"], "expires_in_days": 0},
        {"name": "ci", "actions": ["*"], "expires_in_days": MAX_DAYS + 1},
        [],
        None,
    ],
)
def test_a_body_that_makes_no_token_is_refused_with_what_is_wrong(server: Server, body: object) -> None:
    answer = server.client(server.actor(Role.USER)).post("/api/v1/tokens", json=body)

    assert answer.status_code == 400


def test_an_owner_has_at_most_a_hundred_tokens(server: Server) -> None:
    ann = server.actor(Role.USER)
    for _ in range(MAX_TOKENS):
        make(server, ann)
        server.clock.advance(1)  # no faster than the audit log takes what one user does

    answer = server.client(ann).post("/api/v1/tokens", json={"name": "one more", "actions": ["*"]})

    assert answer.status_code == 400
    assert "revoke one first" in answer.json()["error"]
