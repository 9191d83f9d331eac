"""Logging in and out, credentials, cookies, and where a request comes from."""

from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest

from tempmail.domain.actor import Role
from tests.contract.web_suite import (
    ADMIN_NAME,
    ADMIN_PASSWORD,
    MAX_JSON_BYTES,
    PROXY,
    ROOT_TOKEN,
    Client,
    Server,
)

CREDENTIALS = {"username": ADMIN_NAME, "password": ADMIN_PASSWORD}


def log_in(server: Server, **headers: str) -> Client:
    answer = Client(server).post("/api/login", json=CREDENTIALS, headers=headers)
    assert answer.status_code == 200
    return Client(server, {"cookie": answer.headers["set-cookie"].partition(";")[0]})


def test_the_admin_logs_in_and_gets_a_strict_cookie(server: Server) -> None:
    answer = server.client().post(
        "/api/login", json={"username": f" {ADMIN_NAME.upper()} ", "password": ADMIN_PASSWORD}
    )

    assert answer.json() == {"success": True, "role": "admin", "can_send": 1, "mailbox_limit": 9999}
    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert name == "iding-session"
    assert rest.partition(";")[2] == " HttpOnly; Path=/; SameSite=Strict; Max-Age=604800"


def test_a_session_says_who_it_is(server: Server) -> None:
    assert log_in(server).get("/api/session").json() == {
        "authenticated": True,
        "role": "admin",
        "username": "boss",
        "strictAdmin": True,
    }


@pytest.mark.parametrize(
    ("role", "wire", "strict"),
    [
        (Role.ADMIN, "admin", False),
        (Role.USER, "user", False),
        (Role.MAILBOX, "mailbox", False),
        (Role.GUEST, "guest", False),
    ],
)
def test_a_session_of_another_role_says_its_role_and_name(server: Server, role: Role, wire: str, strict: bool) -> None:
    actor = server.actor(role)
    shown = server.client(actor).get("/api/session").json()
    expected = {"authenticated": True, "role": wire, "username": actor.username, "strictAdmin": strict}
    if role is Role.MAILBOX:
        expected["mailboxAddress"] = actor.mailbox_address
    assert shown == expected


def test_a_users_row_of_the_admin_is_made_once(server: Server) -> None:
    admin = log_in(server)
    email = admin.post("/api/create", json={"local": "mine"}).json()["email"]
    assert email == "mine@temp.example.com"
    assert server.admin_id() == 1
    again = log_in(server)
    assert again.get("/api/mailboxes").json()["total"] == 1


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="broken"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="array"),
        pytest.param(b'"x"', id="text"),
        pytest.param(b'{"username": 1, "local": 1}', id="wrong type"),
        pytest.param(b'{"username":"a"}x', id="more behind"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b'{"username":"\xff","local":"\xff"}', id="text that is not UTF-8"),
        pytest.param(b'{"username":"\\ud800","local":"\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"x":' + b"[" * 4000, id="deep and unknown"),
        pytest.param(b'{"username":' + b"[" * 4000, id="deep"),
    ],
)
def test_a_body_that_is_not_the_json_asked_for_is_refused_with_what_is_wrong(server: Server, content: bytes) -> None:
    for path in ("/api/login", "/api/create"):
        answer = server.root().post(path, content=content)
        assert answer.status_code == 400
        assert answer.json()["error"] == "Bad Request"
        assert answer.json()["detail"]


def padded(size: int) -> bytes:
    body = b'{"username":"a","password":"b"}'
    return body + b" " * (size - len(body))


@pytest.mark.parametrize(("size", "status"), [(MAX_JSON_BYTES, 401), (MAX_JSON_BYTES + 1, 413)])
def test_bodies_are_bounded(server: Server, size: int, status: int) -> None:
    assert server.client().post("/api/login", content=padded(size)).status_code == status


@pytest.mark.parametrize(("size", "status"), [(MAX_JSON_BYTES, 401), (MAX_JSON_BYTES + 1, 413)])
def test_bodies_without_announced_length_are_bounded_too(server: Server, size: int, status: int) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        body = padded(size)
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    assert server.client().post("/api/login", content=chunks()).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {ROOT_TOKEN}"},
        {"authorization": f"bearer  {ROOT_TOKEN} "},
        {"x-admin-token": ROOT_TOKEN},
        {"authorization": "Bearer wrong", "x-admin-token": ROOT_TOKEN},
    ],
    ids=["bearer", "bearer with blanks", "own header", "own header beside a wrong one"],
)
def test_the_root_token_is_the_highest_administrator(server: Server, headers: dict[str, str]) -> None:
    assert Client(server, headers).get("/api/session").json() == {
        "authenticated": True,
        "role": "admin",
        "username": "__root__",
        "strictAdmin": True,
    }


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"/api/session?admin_token={ROOT_TOKEN}", {}),
        (f"/api/session?token={ROOT_TOKEN}", {}),
        ("/api/session", {"authorization": ROOT_TOKEN}),
        ("/api/session", {"authorization": f"Basic {ROOT_TOKEN}"}),
        ("/api/session", {"authorization": "Bearer "}),
        ("/api/session", {"x-admin-token": ""}),
        ("/api/session", {"x-admin-token": ROOT_TOKEN[:-1]}),
        ("/api/session", {"x-admin-token": f"{ROOT_TOKEN}x"}),
        ("/api/session", {"x-admin-token": "\u00e9"}),
        ("/api/session", {"cookie": f"iding-session={ROOT_TOKEN}"}),
        ("/api/session", {"cookie": "iding-session="}),
        ("/api/session", {"cookie": "other=1; iding-session2=x"}),
    ],
    ids=[
        "query admin_token",
        "query token",
        "no scheme",
        "other scheme",
        "empty bearer",
        "empty header",
        "a prefix",
        "a longer one",
        "not ASCII",
        "as cookie",
        "empty cookie",
        "other cookies",
    ],
)
def test_what_is_no_credential_is_unauthorized(server: Server, path: str, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = server.run(server.http.get(path, headers=raw))
    assert answer.status_code == 401


def test_a_wrong_root_token_falls_back_to_the_session(server: Server) -> None:
    session = log_in(server)
    answer = session.get("/api/session", headers={"authorization": "Bearer wrong"})
    assert answer.json()["username"] == "boss"


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


@pytest.mark.parametrize("role", [Role.STRICT_ADMIN, Role.USER, Role.MAILBOX, Role.GUEST])
def test_the_root_token_itself_signs_no_session(server: Server, role: Role) -> None:
    forged = jwt.encode(claims_of(server.token(server.actor(role))), ROOT_TOKEN, algorithm="HS256")
    assert Client(server, {"cookie": f"iding-session={forged}"}).get("/api/session").status_code == 401


@pytest.mark.parametrize("role", [Role.STRICT_ADMIN, Role.USER, Role.MAILBOX, Role.GUEST])
def test_an_unsigned_token_is_no_session(server: Server, role: Role) -> None:
    unsigned = jwt.encode(claims_of(server.token(server.actor(role))), "", algorithm="none")
    assert Client(server, {"cookie": f"iding-session={unsigned}"}).get("/api/session").status_code == 401


def test_a_token_tells_no_name_and_no_password(server: Server) -> None:
    box = server.actor(Role.MAILBOX)
    assert claims_of(server.token(box)).keys() == {"iat", "exp", "jti", "role", "epoch", "mailboxId"}
    assert claims_of(server.token(server.actor(Role.USER))).keys() == {"iat", "exp", "jti", "role", "epoch", "userId"}


def test_a_changed_token_is_no_session(server: Server) -> None:
    token = server.token(server.actor(Role.USER))
    for broken in (token[:-2], token + "x", token.replace(".", "", 1), "." * 3000, token[::-1]):
        assert Client(server, {"cookie": f"iding-session={broken}"}).get("/api/session").status_code == 401


@pytest.mark.parametrize(("age_s", "status"), [(7 * 86_400 - 1, 200), (7 * 86_400, 401)])
def test_a_session_ends_with_its_lifetime(server: Server, age_s: int, status: int) -> None:
    session = log_in(server)
    assert session.get("/api/session").status_code == 200
    server.clock.advance(age_s)
    assert session.get("/api/session").status_code == status


def test_logging_out_ends_the_session_at_once(server: Server) -> None:
    session, other = log_in(server), log_in(server)
    assert session.get("/api/session").status_code == 200

    answer = session.post("/api/logout")

    assert answer.json() == {"success": True}
    assert answer.headers["set-cookie"] == "iding-session=; HttpOnly; Path=/; SameSite=Strict; Max-Age=0"
    assert session.get("/api/session").status_code == 401
    assert other.get("/api/session").status_code == 200


def test_a_log_out_outlives_a_restart_and_reaches_other_processes(server: Server) -> None:
    token = server.token(server.actor(Role.USER))
    elsewhere = server.new_sessions()
    assert server.run(elsewhere.actor_of(token)) is not None

    server.run(server.sessions.logout(token))

    assert server.run(server.new_sessions().actor_of(token)) is None
    assert server.run(elsewhere.actor_of(token)) is None


def test_logging_out_twice_or_too_late_is_no_error(server: Server) -> None:
    session = log_in(server)
    for _ in range(2):
        assert session.post("/api/logout").json() == {"success": True}
    late = log_in(server)
    server.clock.advance(7 * 86_400)
    assert late.post("/api/logout").json() == {"success": True}


@pytest.mark.parametrize("cookie", ["", "iding-session=nonsense"])
def test_logging_out_without_a_session_is_no_error(server: Server, cookie: str) -> None:
    answer = Client(server, {"cookie": cookie}).post("/api/logout")
    assert (answer.status_code, answer.json()) == (200, {"success": True})


@pytest.mark.parametrize(
    ("changes", "survives"),
    [
        ({}, True),
        ({"admin_password": "a new one"}, False),
        ({"admin_name": "chief"}, False),
        ({"root_token": "another-root-token-0123456789"}, False),
    ],
    ids=["nothing", "password", "name", "root token"],
)
def test_an_admin_session_ends_when_what_it_rests_on_changes(
    server: Server, changes: dict[str, str], survives: bool
) -> None:
    token = server.token(server.actor(Role.STRICT_ADMIN))
    restarted = server.new_sessions(**changes)
    assert (server.run(restarted.actor_of(token)) is not None) is survives


@pytest.mark.parametrize("role", [Role.ADMIN, Role.USER])
def test_sessions_of_the_user_whom_the_settings_make_the_admin_end(server: Server, role: Role) -> None:
    chosen = server.actor(role)
    token = server.token(chosen)
    assert server.run(server.sessions.actor_of(token)) == chosen

    restarted = server.new_sessions(admin_name=chosen.username)

    assert server.run(restarted.actor_of(token)) is None


@pytest.mark.parametrize(
    ("peer", "headers", "https"),
    [
        (PROXY, {"x-forwarded-proto": "https"}, True),
        (PROXY, {"x-forwarded-proto": "http, https"}, True),
        (PROXY, {"x-forwarded-proto": "http"}, False),
        (PROXY, {}, False),
        ("203.0.113.9", {"x-forwarded-proto": "https"}, False),
    ],
    ids=[
        "proxy says https",
        "nearest proxy says https",
        "proxy says http",
        "proxy says nothing",
        "a stranger says https",
    ],
)
def test_the_cookie_is_secure_and_hsts_is_sent_on_https(
    server: Server, peer: str, headers: dict[str, str], https: bool
) -> None:
    answer = server.run(server.connect(peer).post("/api/login", json=CREDENTIALS, headers=headers))
    assert (" Secure;" in answer.headers["set-cookie"]) is https
    assert ("strict-transport-security" in answer.headers) is https


ANOTHER_SITE = pytest.mark.parametrize("site", ["cross-site", "same-site"])


@ANOTHER_SITE
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/generate"), ("POST", "/api/generate"), ("DELETE", "/api/mailboxes")]
)
def test_a_page_of_another_site_does_nothing_with_this_browsers_session(
    server: Server, site: str, method: str, path: str
) -> None:
    actor = server.actor(Role.STRICT_ADMIN)
    box = server.own_mailbox(actor)
    cookie = {"cookie": f"iding-session={server.token(actor)}"}

    foreign = Client(server, {**cookie, "sec-fetch-site": site})(method, path, params={"address": box})
    own = Client(server, {**cookie, "sec-fetch-site": "same-origin"})(method, path, params={"address": box})

    assert (foreign.status_code, own.status_code) == (401, 200)


@ANOTHER_SITE
@pytest.mark.parametrize("path", ["/api/login", "/api/logout"])
def test_a_page_of_another_site_neither_begins_nor_ends_a_session(server: Server, site: str, path: str) -> None:
    actor = server.actor(Role.USER)
    headers = {"cookie": f"iding-session={server.token(actor)}", "sec-fetch-site": site}

    for _ in range(12):
        answer = Client(server, headers).post(path, json=CREDENTIALS)
        assert (answer.status_code, answer.json()) == (403, {"error": "Forbidden"})

    assert "set-cookie" not in answer.headers
    assert Client(server, {"cookie": headers["cookie"]}).get("/api/session").status_code == 200
    assert server.client().post("/api/login", json=CREDENTIALS).status_code == 200, "it is not counted either"


def test_credentials_that_no_browser_adds_by_itself_work_from_everywhere(server: Server) -> None:
    headers = {"authorization": f"Bearer {ROOT_TOKEN}", "sec-fetch-site": "cross-site"}
    assert Client(server, headers).get("/api/generate").status_code == 200


@ANOTHER_SITE
def test_reading_by_a_link_from_another_site_goes_on(server: Server, site: str) -> None:
    cookie = f"iding-session={server.token(server.actor(Role.USER))}"
    assert Client(server, {"cookie": cookie, "sec-fetch-site": site}).get("/api/mailboxes").status_code == 200
