"""Credentials of the provider sandboxes over HTTP."""

from typing import Any

import httpx
import pytest

from tests.contract.web_suite import Client, Server

PATH = "/api/v1/sandboxes/resend/credentials"


@pytest.fixture
def root(server: Server) -> Client:
    return server.root()


def make(root: Client, **body: Any) -> dict[str, Any]:
    answer = root.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


def test_a_credential_is_made_with_its_mailbox_and_says_how_to_use_it(root: Client) -> None:
    made = make(root, name="shop")

    assert made["values"]["key"].startswith("re_")
    assert len(made["values"]["key"]) == 35
    assert made["mailbox"].startswith("resend-")
    assert made["mailbox"].endswith("@temp.example.com")
    assert made["usage"] == [
        f"RESEND_API_KEY={made['values']['key']}",
        "RESEND_API_URL=http://server.example/sandbox/resend    # resend for Python, before it is imported",
        "RESEND_BASE_URL=http://server.example/sandbox/resend   # resend for Node.js",
    ]
    assert root.get("/api/mailbox/info", params={"address": made["mailbox"]}).json()["id"]


def test_secrets_are_shown_once_and_stored_as_hashes(server: Server, root: Client) -> None:
    made = make(root, webhook_url="https://app.example/hooks")
    key, signing = made["values"]["key"], made["webhook_secret"]

    listed = root.get(PATH)

    assert listed.json()["credentials"] == [
        {name: made[name] for name in ("id", "provider", "name", "mailbox", "switches", "webhook_url", "created_at")}
    ]
    assert signing.startswith("whsec_")
    assert key not in listed.text
    assert signing not in listed.text
    assert key not in str(server.rows("select * from sandbox_credentials"))
    assert all(key not in str(row) for row in server.rows("select * from audit_log"))


def test_an_apps_own_key_and_mailbox_can_be_kept(root: Client) -> None:
    made = make(root, values={"key": "re_123456789"}, mailbox=" All@Temp.Example.com ")
    assert (made["values"], made["mailbox"]) == ({"key": "re_123456789"}, "all@temp.example.com")
    assert refusal(root.post(PATH, json={"values": {"key": "re_123456789"}})) == (
        400,
        "resend has this credential already",
    )


def test_switches_are_shown_whole_and_changed_one_by_one(root: Client) -> None:
    made = make(root, switches={"fault": "429"})
    assert (made["switches"]["fault"], made["switches"]["rate_per_s"]) == ("429", 0)

    changed = root("PATCH", f"{PATH}/{made['id']}", json={"switches": {"rate_per_s": 5}}).json()

    assert (changed["switches"]["fault"], changed["switches"]["rate_per_s"]) == ("429", 5)
    assert changed["mailbox"] == made["mailbox"]


def test_a_webhook_comes_with_its_secret_and_goes(root: Client) -> None:
    made = make(root)
    assert (made["webhook_url"], made["webhook_secret"]) == (None, None)
    path = f"{PATH}/{made['id']}"

    added = root("PATCH", path, json={"webhook_url": "http://127.0.0.1:3000/hook"}).json()
    gone = root("PATCH", path, json={"webhook_url": ""}).json()

    assert added["webhook_secret"].startswith("whsec_")
    assert (gone["webhook_url"], gone["webhook_secret"]) == (None, None)


def test_a_removed_credential_is_gone(root: Client) -> None:
    path = f"{PATH}/{make(root)['id']}"
    assert root.delete(path).json() == {"success": True}
    assert [refusal(root.delete(path)), refusal(root("PATCH", path, json={}))] == [
        (404, "no such sandbox credential")
    ] * 2


def test_a_credential_belongs_to_its_provider(root: Client) -> None:
    made = make(root)
    other = f"/api/v1/sandboxes/sendflare/credentials/{made['id']}"
    assert refusal(root.delete(other)) == (404, "no such sandbox credential")
    assert root.get("/api/v1/sandboxes/sendflare/credentials").json() == {"credentials": []}


def test_a_list_is_paged(root: Client) -> None:
    ids = [make(root)["id"] for _ in range(3)]
    first = root.get(PATH, params={"limit": 2}).json()["credentials"]
    second = root.get(PATH, params={"limit": 2, "after": first[-1]["id"]}).json()["credentials"]
    assert [each["id"] for each in first + second] == ids


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"name": "x" * 65}, "name: at most 64 printable characters"),
        ({"name": "a\nb"}, "name: at most 64 printable characters"),
        ({"mailbox": "box@elsewhere.example"}, "mailbox: an address in a domain that is served here"),
        ({"mailbox": "nobody"}, "mailbox: an address in a domain that is served here"),
        ({"webhook_url": "ftp://a.example/"}, None),
        ({"webhook_url": "http://user:pass@a.example/"}, None),
        ({"webhook_url": "http://"}, None),
        ({"webhook_url": "http://a.example:99999/"}, None),
        ({"webhook_url": "http://a.example/ x"}, None),
        ({"webhook_url": "http://a.example/" + "x" * 2048}, None),
        ({"values": {"key": "short"}}, None),
        ({"values": {"key": "x" * 257}}, None),
        ({"values": {"key": "with a blank"}}, None),
        ({"values": {"secret": "re_123456789"}}, None),
        (
            {"switches": {"fault": "418"}},
            "fault: one of 429, 500, quota, timeout, timeout-before, cut, html, bounce, or empty",
        ),
        ({"switches": {"fault": True}}, None),
        ({"switches": {"rate_per_s": -1}}, "rate_per_s: a whole number from 0 to 1000000"),
        ({"switches": {"rate_per_s": 1_000_001}}, None),
        ({"switches": {"timeout_s": "5"}}, None),
        ({"switches": {"sending_only": 1}}, "sending_only: true or false"),
        ({"switches": {"domains": "x" * 2049}}, None),
        ({"switches": {"nothing": 1}}, None),
        ({"switches": []}, "Bad Request"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(root: Client, body: dict[str, Any], error: str | None) -> None:
    status, text = refusal(root.post(PATH, json=body))
    assert status == 400
    assert error is None or text == error
    assert root.get(PATH).json() == {"credentials": []}


def test_an_unknown_sandbox_is_named(root: Client) -> None:
    for method in ("GET", "POST"):
        status, text = refusal(root(method, "/api/v1/sandboxes/postmark/credentials", json={}))
        assert (status, text.startswith("there is no sandbox postmark; there are resend")) == (400, True)


def test_making_changing_and_removing_is_audited(server: Server, root: Client) -> None:
    made = make(root, name="shop")
    root("PATCH", f"{PATH}/{made['id']}", json={"name": "x"})
    root.delete(f"{PATH}/{made['id']}")
    entries = server.rows("select action, target, status from audit_log order by id")
    assert entries == [
        ("sandbox.manage", "resend shop", 200),
        ("sandbox.manage", f"resend {made['id']}", 200),
        ("sandbox.manage", f"resend {made['id']}", 200),
    ]
