"""Creating mailboxes over HTTP: within the limit, never another's, within a token's scope, and as a guest."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tempmail.domain.actor import Actor, Role, Scope
from tempmail.domain.address import ServedDomains
from tempmail.domain.policy import grant
from tempmail.errors import BadRequest
from tempmail.services.access import Access
from tempmail.services.mailboxes import MailboxService
from tests.contract.web_suite import DOMAINS, Client, Server, told

BOX = "box@temp.example.com"
FULL = (400, {"error": "已达到邮箱上限"})
TAKEN = (400, {"error": "该邮箱地址已被使用"})


@pytest.fixture
def claiming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with CLAIM_UNOWNED_MAILBOXES on."""
    with Server(tmp_path_factory.mktemp("web"), claim_unowned=True) as server:
        yield server


def limited(server: Server, mailbox_limit: int) -> Actor:
    return Actor(Role.USER, "ann", server.user("ann", mailbox_limit=mailbox_limit))


def create(client: Client, local: str = "box", **more: object) -> Any:
    return client.post("/api/create", json={"local": local, **more})


def addresses(client: Client) -> list[str]:
    return sorted(item["address"] for item in client.get("/api/mailboxes").json()["list"])


def token(server: Server, owner: Actor, *patterns: str) -> Client:
    body = {"name": "ci", "actions": ["mailbox.*", "domain.list"], "mailboxes": patterns}
    made = server.client(owner).post("/api/v1/tokens", json=body)
    assert made.status_code == 200, made.text
    return Client(server, {"authorization": f"Bearer {made.json()['token']}"})


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_a_user_creates_as_many_as_its_limit_and_not_one_more(server: Server, limit: int) -> None:
    client = server.client(limited(server, limit))
    for number in range(limit):
        assert create(client, f"box{number}").status_code == 200

    assert told(create(client, "onemore")) == FULL
    assert told(client.get("/api/generate")) == FULL
    assert len(addresses(client)) == limit
    assert server.root().get("/api/mailboxes").json()["total"] == limit


def test_creating_at_once_never_exceeds_the_limit(server: Server) -> None:
    cookie = {"cookie": f"iding-session={server.token(limited(server, 2))}"}

    async def race() -> list[int]:
        requests = [server.http.post("/api/create", json={"local": f"box{n}"}, headers=cookie) for n in range(6)]
        requests += [server.http.get("/api/generate", headers=cookie) for _ in range(2)]
        return [answer.status_code for answer in await asyncio.gather(*requests)]

    assert sorted(server.run(race())) == [200, 200] + [400] * 6
    assert server.root().get("/api/mailboxes").json()["total"] == 2


def test_ones_own_mailbox_is_returned_also_at_the_limit(server: Server) -> None:
    client = server.client(limited(server, 1))
    first, again = create(client), create(client, " BOX ")
    assert told(first) == told(again) == (200, {"email": BOX, "expires": first.json()["expires"]})


def test_the_highest_administrator_has_no_limit(server: Server) -> None:
    admin = server.actor(Role.STRICT_ADMIN)
    server.root().patch(f"/api/users/{admin.user_id}", json={"mailboxLimit": 0})
    for client in (server.client(admin), server.root()):
        assert client.get("/api/generate").status_code == 200
        assert create(client).status_code == 200


def test_a_foreign_address_is_refused_whoever_has_it(server: Server) -> None:
    server.mailbox("nobodys@temp.example.com")
    server.mailbox("others@temp.example.com", owner_id=server.user("bob"))
    client = server.client(server.actor(Role.USER))

    assert told(create(client, "nobodys")) == told(create(client, "others")) == TAKEN
    assert addresses(client) == []


def test_where_claiming_is_on_a_mailbox_of_nobody_is_given_with_its_mail(claiming: Server) -> None:
    mail = claiming.deliver(BOX)
    ann, bob = (claiming.client(claiming.actor(Role.USER)) for _ in range(2))

    assert create(ann).json()["email"] == BOX
    assert [item["id"] for item in ann.get("/api/emails", params={"mailbox": BOX}).json()] == [mail]
    assert told(create(bob)) == TAKEN
    assert create(ann).status_code == 200


def test_where_claiming_is_on_what_others_own_or_log_in_to_stays_theirs(claiming: Server) -> None:
    claiming.mailbox("others@temp.example.com", owner_id=claiming.user("bob"))
    claiming.login_mailbox("login@temp.example.com")
    client = claiming.client(claiming.actor(Role.USER))

    assert told(create(client, "others")) == told(create(client, "login")) == TAKEN
    assert addresses(client) == []


def test_where_claiming_is_on_the_limit_still_holds(claiming: Server) -> None:
    claiming.deliver(BOX)
    client = claiming.client(limited(claiming, 0))
    assert told(create(client)) == FULL
    assert addresses(client) == []


def test_of_those_who_claim_a_mailbox_at_once_one_gets_it(claiming: Server) -> None:
    claiming.deliver(BOX)
    cookies = [{"cookie": f"iding-session={claiming.token(claiming.actor(Role.USER))}"} for _ in range(6)]

    async def race() -> list[int]:
        requests = [claiming.http.post("/api/create", json={"local": "box"}, headers=cookie) for cookie in cookies]
        return [answer.status_code for answer in await asyncio.gather(*requests)]

    assert sorted(claiming.run(race())) == [200] + [400] * 5


def test_domains_and_new_addresses_keep_the_configured_case_and_the_store_has_lower_case(server: Server) -> None:
    root = server.root()
    assert root.get("/api/domains").json() == ["temp.example.com", "Mail.Example.org"]
    assert create(root, "Box", domainIndex=1).json()["email"] == "box@Mail.Example.org"
    assert root.get("/api/generate?domainIndex=1").json()["email"].endswith("@Mail.Example.org")
    assert "box@mail.example.org" in addresses(root)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param({"local": "a b"}, "非法用户名", id="a bad name"),
        pytest.param({}, "非法用户名", id="no name"),
        pytest.param({"local": 5}, "Bad Request", id="a number for a name"),
        pytest.param({"local": None}, "非法用户名", id="null for a name"),
        pytest.param({"local": "a", "domainIndex": [1]}, "Bad Request", id="a list for an index"),
        pytest.param([], "Bad Request", id="a list"),
        pytest.param(None, "Bad Request", id="null"),
    ],
)
@pytest.mark.parametrize("role", [Role.USER, Role.STRICT_ADMIN, Role.GUEST])
def test_bad_bodies_are_refused(shared: Server, role: Role, body: object, text: str) -> None:
    answer = shared.client(shared.actor(role)).post("/api/create", json=body)
    assert (answer.status_code, answer.json()["error"]) == (400, text)


def test_a_guest_is_answered_but_nothing_is_stored(server: Server) -> None:
    guest = server.client(server.actor(Role.GUEST))

    assert create(guest, "Demo").json()["email"] == "demo@temp.example.com"
    assert len(guest.get("/api/generate?length=12").json()["email"].partition("@")[0]) == 12
    assert told(guest.get("/api/generate?length=-1")) == (400, {"error": "无效的邮箱地址"})
    assert guest.get("/api/mailboxes").json()["total"] == 0
    assert server.root().get("/api/mailboxes").json()["total"] == 0


def test_a_token_creates_within_its_mailboxes_only(server: Server) -> None:
    owner = server.actor(Role.USER)
    client = token(server, owner, "qa-*@temp.example.com", "*@mail.example.org")
    refused = (403, {"error": "此令牌只能使用以下邮箱：qa-*@temp.example.com、*@mail.example.org"})

    assert create(client, "qa-1").json()["email"] == "qa-1@temp.example.com"
    assert create(client, "boss").json()["email"] == "boss@Mail.Example.org"
    assert told(create(client, "boss", domainIndex=0)) == refused
    assert addresses(server.client(owner)) == ["boss@mail.example.org", "qa-1@temp.example.com"]


@pytest.mark.parametrize(
    ("patterns", "query", "shape"),
    [
        pytest.param(["qa-*@temp.example.com"], "length=4", ("qa-????", "temp.example.com"), id="begins"),
        pytest.param(["*-qa@temp.example.com"], "length=4", ("????-qa", "temp.example.com"), id="ends"),
        pytest.param(["*-q*a@temp.example.com"], "length=4", ("????-qa", "temp.example.com"), id="two stars"),
        pytest.param(["me@temp.example.com", "qa-*@*"], "length=4", ("qa-????", "temp.example.com"), id="any domain"),
        pytest.param(["*"], "length=4", ("????", "temp.example.com"), id="anything"),
        pytest.param(["qa-*"], "length=4", ("qa-????", "temp.example.com"), id="a beginning"),
        pytest.param(["qa-*@mail.example.org"], "length=4", ("qa-????", "Mail.Example.org"), id="in the second domain"),
        pytest.param(
            ["qa-*@*"], "length=4&domainIndex=1", ("qa-????", "Mail.Example.org"), id="in the domain asked for"
        ),
        pytest.param(["qa-*@temp.example.com"], "length=64", ("qa-" + "?" * 61, "temp.example.com"), id="at the limit"),
    ],
)
def test_a_token_generates_what_fits_its_mailboxes(
    server: Server, patterns: list[str], query: str, shape: tuple[str, str]
) -> None:
    client = token(server, server.actor(Role.USER), *patterns)

    answer = client.get(f"/api/generate?{query}")

    assert answer.status_code == 200, answer.text
    local, _, domain = answer.json()["email"].partition("@")
    assert (len(local), domain) == (len(shape[0]), shape[1])
    assert all(wanted in ("?", got) for wanted, got in zip(shape[0], local, strict=True))
    assert addresses(client) == [answer.json()["email"].lower()]


@pytest.mark.parametrize(
    ("patterns", "query"),
    [
        pytest.param(["me@temp.example.com"], "", id="no star"),
        pytest.param(["me@*"], "", id="a star in the domain only"),
        pytest.param(["qa-*@else.example"], "", id="a domain that is not ours"),
        pytest.param(["qa-*@mail.example.org"], "domainIndex=0", id="not in the domain asked for"),
        pytest.param(["qa+*@temp.example.com"], "", id="no name that may be chosen"),
        pytest.param(["q" * 64 + "*@temp.example.com"], "", id="no room for anything random"),
    ],
)
def test_a_token_that_nothing_random_fits_is_told_its_mailboxes(
    server: Server, patterns: list[str], query: str
) -> None:
    client = token(server, server.actor(Role.USER), *patterns)

    answer = client.get(f"/api/generate?{query}")

    assert told(answer) == (403, {"error": f"此令牌只能使用以下邮箱：{'、'.join(patterns)}"})
    assert server.root().get("/api/mailboxes").json()["total"] == 0


def test_a_token_counts_against_its_owners_limit(server: Server) -> None:
    owner = limited(server, 1)
    assert create(server.client(owner), "qa-1").status_code == 200
    assert told(create(token(server, owner, "qa-*@*"), "qa-2")) == FULL


def test_an_administrators_token_is_narrowed_too(server: Server) -> None:
    server.mailbox("boss@temp.example.com")
    client = token(server, server.actor(Role.STRICT_ADMIN), "qa-*@temp.example.com")
    assert create(client, "boss").status_code == 403
    assert create(client, "qa-1").status_code == 200
    assert client.delete("/api/mailboxes", params={"address": "boss@temp.example.com"}).status_code == 403


RESERVED = pytest.mark.parametrize(
    "local", ["admin", "administrator", "bounces", "hostmaster", "postmaster", "webmaster"]
)


@RESERVED
@pytest.mark.parametrize("role", [Role.USER, Role.ADMIN])
def test_users_cannot_take_the_names_that_get_certificates_or_what_others_mail_bounced(
    claiming: Server, role: Role, local: str
) -> None:
    actor, refused = claiming.actor(role), (400, {"error": "该邮箱地址已被使用"})
    client, body = claiming.client(actor), {"local": local.upper()}

    for _ in ("not there", "there, and nobody's"):
        answer = client.post("/api/create", json=body)
        assert (answer.status_code, answer.json()) == refused
        claiming.deliver(f"{local}@temp.example.com")

    assert claiming.root().post("/api/create", json=body).status_code == 200
    assert client.post("/api/create", json=body).status_code == 400
    box = {"username": actor.username, "address": f"{local}@temp.example.com"}
    assert claiming.root().post("/api/users/assign", json=box).status_code == 200
    assert client.post("/api/create", json=body).status_code == 200, "one's own is answered as ever"


def test_no_random_name_is_one_of_them_either(server: Server) -> None:
    store, ann = server.real.store, server.actor(Role.USER)
    sly = replace(ann, token_id=1, scope=Scope(("*",), ("admi*@temp.example.com",)))
    access = Access(store.mail, store.mailboxes, clock=server.clock)
    service = MailboxService(store.mailboxes, access, ServedDomains(DOMAINS), clock=server.clock, choice=lambda _: "n")

    with pytest.raises(BadRequest, match="创建失败"):
        server.run(service.generate(grant(sly, "mailbox.create"), length=1, domain_index=0))

    assert not server.rows("select 1 from mailboxes")
