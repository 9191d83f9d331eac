"""How often one may log in and create mailboxes."""

import httpx
import pytest

from tempmail.domain.actor import Actor, Role
from tests.contract.web_suite import ADMIN_NAME, ADMIN_PASSWORD, MAILBOX_CREATES, PROXY, Client, Server

CREDENTIALS = {"username": ADMIN_NAME, "password": ADMIN_PASSWORD}
TOO_MANY = (429, {"error": "Too Many Requests"})


def log_in_from(server: Server, address: str, username: str, password: str = "x") -> httpx.Response:
    headers = {"x-forwarded-for": address}
    body = {"username": username, "password": password}
    return server.run(server.connect(PROXY).post("/api/login", json=body, headers=headers))


def create(client: Client, count: int) -> set[int]:
    """The statuses of `count` tries."""
    return {client.get("/api/generate").status_code for _ in range(count)}


def test_ten_logins_a_minute_from_one_address(server: Server) -> None:
    client = server.client()
    for number in range(10):
        body = CREDENTIALS if number % 2 else {"username": "x", "password": "y"}
        assert client.post("/api/login", json=body).status_code in (200, 401)
    server.clock.advance(59.5)

    refused = client.post("/api/login", json=CREDENTIALS)

    assert (refused.status_code, refused.json()) == TOO_MANY
    assert refused.headers["retry-after"] == "1"
    server.clock.advance(0.5)
    assert client.post("/api/login", json=CREDENTIALS).status_code == 200


def test_malformed_logins_count_too(server: Server) -> None:
    client = server.client()
    for _ in range(10):
        assert client.post("/api/login", content=b"{").status_code == 400
    assert client.post("/api/login", json=CREDENTIALS).status_code == 429


@pytest.mark.parametrize(
    ("peer", "first", "second", "same"),
    [
        (PROXY, "203.0.113.1", "203.0.113.2", False),
        (PROXY, "203.0.113.1", "198.51.100.1, 203.0.113.1", True),
        (PROXY, "203.0.113.1, " + PROXY, "203.0.113.1", True),
        (PROXY, "2001:db8::1", "2001:db8::ffff:1", True),
        (PROXY, "2001:db8::1", "2001:db8:0:1::1", False),
        (PROXY, "nonsense", "other nonsense", True),
        (PROXY, "::ffff:203.0.113.1", "::ffff:203.0.113.2", False),
        (PROXY, "::ffff:203.0.113.1", "203.0.113.1", True),
        ("::ffff:" + PROXY, "203.0.113.1", "203.0.113.2", False),
        ("198.51.100.9", "203.0.113.1", "203.0.113.2", True),
    ],
    ids=[
        "two clients behind a proxy",
        "a client cannot prepend",
        "through two proxies",
        "one IPv6 network",
        "two IPv6 networks",
        "no addresses",
        "two IPv4 clients in IPv6 form",
        "one IPv4 client in both forms",
        "a proxy that a dual-stack socket names in IPv6 form",
        "a stranger cannot choose",
    ],
)
def test_logins_are_counted_by_who_really_asks(server: Server, peer: str, first: str, second: str, same: bool) -> None:
    http = server.connect(peer)
    for _ in range(10):
        server.run(http.post("/api/login", content=b"{", headers={"x-forwarded-for": first}))
    answer = server.run(http.post("/api/login", content=b"{", headers={"x-forwarded-for": second}))
    assert answer.status_code == (429 if same else 400)


def test_clients_of_a_dual_stack_socket_are_counted_apart(server: Server) -> None:
    first, second = (server.connect(f"::ffff:203.0.113.{number}") for number in (1, 2))
    for _ in range(10):
        server.run(first.post("/api/login", content=b"{"))
    assert server.run(first.post("/api/login", content=b"{")).status_code == 429
    assert server.run(second.post("/api/login", content=b"{")).status_code == 400


@pytest.mark.parametrize(
    ("name", "password"),
    [
        pytest.param("ann", "wrong", id="failures"),
        pytest.param("ann", "right", id="successes"),
        pytest.param("nobody", "x", id="a name that nobody has"),
    ],
)
def test_ten_logins_a_minute_for_one_account_from_wherever(server: Server, name: str, password: str) -> None:
    server.user("ann", password="right")
    spellings = (name, name.upper(), f" {name} ")
    for number in range(10):
        answer = log_in_from(server, f"203.0.113.{number}", spellings[number % 3], password)
        assert answer.status_code in (200, 401)
    server.clock.advance(59)

    refused = log_in_from(server, "203.0.113.99", name, password)

    assert (refused.status_code, refused.json()) == TOO_MANY
    assert refused.headers["retry-after"] == "1"
    assert log_in_from(server, "203.0.113.99", ADMIN_NAME, ADMIN_PASSWORD).status_code == 200
    server.clock.advance(1)
    assert log_in_from(server, "203.0.113.99", name, password).status_code in (200, 401)


def test_others_cannot_keep_an_owner_from_logging_in_from_where_it_did_before(server: Server) -> None:
    server.user("ann", password="right")
    home, thief = "203.0.113.1", "198.51.100.1"
    assert log_in_from(server, home, "ann", "right").status_code == 200
    server.clock.advance(3600)
    for _ in range(10):
        assert log_in_from(server, thief, "ann", "guess").status_code == 401

    assert log_in_from(server, home, " Ann ", "right").status_code == 200
    assert log_in_from(server, "203.0.113.2", "ann", "right").status_code == 429

    for _ in range(9):
        assert log_in_from(server, home, "ann", "wrong").status_code == 401
    assert log_in_from(server, home, "ann", "right").status_code == 429, "its own limit holds"


def test_a_failed_login_makes_no_client_known(server: Server) -> None:
    server.user("ann", password="right")
    log_in_from(server, "203.0.113.1", "ann", "wrong")
    for number in range(9):
        log_in_from(server, f"198.51.100.{number}", "ann", "guess")
    assert log_in_from(server, "203.0.113.1", "ann", "right").status_code == 429


def test_logins_without_a_name_are_nobodys(server: Server) -> None:
    for number in range(11):
        assert log_in_from(server, f"203.0.113.{number}", " ").status_code == 400


def test_names_are_counted_by_their_beginning(server: Server) -> None:
    for number in range(10):
        log_in_from(server, f"203.0.113.{number}", "x" * 320 + str(number))
    assert log_in_from(server, "203.0.113.99", "x" * 321).status_code == 429
    assert log_in_from(server, "203.0.113.99", "x" * 319).status_code == 401


def test_a_refused_login_is_not_counted(server: Server) -> None:
    for _ in range(2):
        for number in range(15):
            log_in_from(server, f"203.0.113.{number}", "ann")
        server.clock.advance(60)
        assert log_in_from(server, "203.0.113.99", "ann").status_code == 401
        server.clock.advance(60)


@pytest.mark.parametrize("role", [Role.ADMIN, Role.USER])
def test_one_user_creates_so_many_mailboxes_a_minute(server: Server, role: Role) -> None:
    actor = server.actor(role)
    assert create(server.client(actor), MAILBOX_CREATES) == {200}
    server.clock.advance(59)

    refused = server.client(actor).post("/api/create", json={"local": "one-more"})

    assert (refused.status_code, refused.json()) == TOO_MANY
    assert refused.headers["retry-after"] == "1"
    assert server.client(actor).get("/api/mailboxes").json()["total"] == MAILBOX_CREATES
    assert create(server.client(server.actor(role)), 1) == {200}
    server.clock.advance(1)
    assert create(server.client(actor), 1) == {200}


def test_creations_that_fail_count_too(server: Server) -> None:
    client = server.client(server.actor(Role.USER))
    for _ in range(MAILBOX_CREATES):
        assert client.post("/api/create", json={"local": "no such name"}).status_code == 400
    assert client.post("/api/create", json={"local": "good"}).status_code == 429


def test_a_users_api_tokens_share_its_limit(server: Server) -> None:
    session = server.client(server.actor(Role.USER))
    tokens = [bearer(session, name) for name in ("a", "b")]
    for client in (session, *tokens):
        assert create(client, MAILBOX_CREATES // 3) == {200}
    for client in (session, *tokens):
        assert create(client, 1) == {429}


def bearer(session: Client, name: str) -> Client:
    made = session.post("/api/v1/tokens", json={"name": name, "actions": ["mailbox.create"]})
    assert made.status_code == 200
    return Client(session.server, {"authorization": f"Bearer {made.json()['token']}"})


def test_the_highest_administrator_creates_without_limit(server: Server) -> None:
    for client in (server.root(), server.client(server.actor(Role.STRICT_ADMIN))):
        assert create(client, MAILBOX_CREATES + 1) == {200}


def test_guests_are_limited_together_by_where_they_come_from(server: Server) -> None:
    guests = [server.client(Actor(Role.GUEST, "guest")) for _ in range(3)]
    for guest in guests:
        assert create(guest, MAILBOX_CREATES // 3) == {200}
    assert create(guests[0], 1) == {429}
    elsewhere = server.run(server.connect("198.51.100.77").get("/api/generate", headers=guests[0].headers))
    assert elsewhere.status_code == 200


def test_who_may_not_create_is_told_so_and_not_to_wait(server: Server) -> None:
    for _ in range(MAILBOX_CREATES + 1):
        assert server.client().get("/api/generate").status_code == 401
    box = server.client(server.actor(Role.MAILBOX))
    for _ in range(MAILBOX_CREATES + 1):
        assert box.get("/api/generate").status_code == 403


def test_every_way_in_that_creates_or_logs_in_says_that_it_is_limited(server: Server) -> None:
    limited = {
        path
        for path, item in server.document["paths"].items()
        for operation in item.values()
        if "429" in operation["responses"]
    }
    assert limited >= {"/api/login", "/api/generate", "/api/create", "/api/mailbox/password"}
