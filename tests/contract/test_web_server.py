"""What holds for every answer: ids, headers, failures, metrics, logs; and the server's own pages."""

import io
import logging
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import Message

from tempmail.domain.actor import ROOT
from tempmail.errors import StoreUnavailable
from tempmail.log import configure_logging
from tempmail.web.app import WebOptions, build_app
from tempmail.web.call import Call
from tempmail.web.endpoint import Raw, endpoint
from tests.contract.web_suite import ROOT_TOKEN, Server


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    lines = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure_logging("info", "logfmt", "web", lines)
    yield lines
    root.handlers[:], level = before
    root.setLevel(level)


def own_lines(log: io.StringIO) -> list[str]:
    """What the server wrote, without the test's own HTTP client."""
    return [line for line in log.getvalue().split("\n") if line and " logger=httpx " not in line]


@endpoint("GET /api/broken", action="domain.list", tag="Server")
async def broken(_: Call) -> Raw:
    """Fail in a way that nobody foresaw."""
    raise ZeroDivisionError("the secret inside")


@endpoint("GET /api/unavailable", action="domain.list", tag="Server")
async def unavailable(_: Call) -> Raw:
    """Fail for a while."""
    raise StoreUnavailable("disk sda1 is gone")


def with_failures(server: Server) -> None:
    server.app = build_app(server.services, WebOptions("0"), endpoints=(broken, unavailable))
    server.http = server.connect("198.51.100.7")


def test_an_unforeseen_failure_shows_an_id_that_the_log_knows(server: Server, log: io.StringIO) -> None:
    with_failures(server)

    answer = server.root().get("/api/broken")

    request_id = answer.headers["x-request-id"]
    assert answer.status_code == 500
    assert answer.json() == {"error": "Internal Server Error", "request_id": request_id}
    (line,) = [line for line in own_lines(log) if "event=http.failed" in line]
    assert f"cid={request_id}" in line
    assert "ZeroDivisionError" in line


def test_a_passing_failure_says_when_to_come_back(server: Server, log: io.StringIO) -> None:
    with_failures(server)

    answer = server.root().get("/api/unavailable")

    assert (answer.status_code, answer.json()) == (503, {"error": "数据库连接失败"})
    assert answer.headers["retry-after"] == "5"
    assert "event=http.unavailable" in log.getvalue()


def test_a_request_is_one_line_in_the_log_without_its_query_and_secrets(server: Server, log: io.StringIO) -> None:
    token = server.sessions.issue(ROOT, epoch=0)
    answer = server.root().delete(
        "/api/emails?mailbox=private@temp.example.com", headers={"cookie": f"iding-session={token}"}
    )

    (line,) = own_lines(log)
    assert f"cid={answer.headers['x-request-id']}" in line
    assert "event=http.request method=DELETE path=/api/emails status=200 ms=" in line
    assert "private" not in line
    assert ROOT_TOKEN not in line
    assert token not in line


@pytest.mark.parametrize(("level", "lines"), [("info", 1), ("debug", 2)])
def test_reads_that_succeed_are_shown_for_debugging_only(server: Server, level: str, lines: int) -> None:
    written = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure_logging(level, "logfmt", "web", written)
    server.client().get("/healthz")
    server.client().get("/api/emails")
    root.handlers[:], level_before = before
    root.setLevel(level_before)
    assert sum("event=http.request" in line for line in own_lines(written)) == lines


def test_a_path_cannot_forge_a_log_line(server: Server, log: io.StringIO) -> None:
    server.root().get("/api/x%0Alevel=error%0Aevent=forged")
    assert len(own_lines(log)) == 1


def test_ids_differ(server: Server) -> None:
    ids = {server.client().get("/healthz").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


def test_a_callers_own_request_id_is_not_taken_over(server: Server) -> None:
    assert server.client().get("/healthz", headers={"x-request-id": "mine"}).headers["x-request-id"] != "mine"


def test_answers_are_counted_by_class_and_timed(server: Server) -> None:
    server.client().get("/healthz")
    server.client().get("/api/emails")

    page = server.client().get("/metrics")

    samples = {
        (sample.name, sample.labels.get("status")): sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
    }
    # One more: the document that the suite reads first.
    assert samples["tempmail_http_requests_total", "2xx"] == 2
    assert samples["tempmail_http_requests_total", "4xx"] == 1
    assert samples["tempmail_http_request_seconds_count", None] == 3


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_server_that_is_not_ready_is_healthy_all_the_same(server: Server, method: str) -> None:
    assert server.client()(method, "/healthz").status_code == 200
    assert server.client()(method, "/readyz").status_code == 200
    server.not_ready = ["the disk is nearly full", "no SMTP process is up"]
    assert server.client()(method, "/healthz").status_code == 200
    assert server.client()(method, "/readyz").status_code == 503


def test_not_ready_says_why(server: Server) -> None:
    server.not_ready = ["the disk is nearly full"]
    answer = server.client().get("/readyz")
    assert answer.json()["reasons"] == ["the disk is nearly full"]
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/docs.js", "text/javascript; charset=utf-8"),
        ("/docs/docs.css", "text/css; charset=utf-8"),
        ("/openapi.json", "application/json"),
    ],
)
def test_pages_are_open_and_may_load_from_here_only(server: Server, path: str, kind: str) -> None:
    answer = server.client().get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.content
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert server.client()("HEAD", path).content == b""


def test_the_front_page_leads_to_the_documentation(server: Server) -> None:
    assert 'href="/docs"' in server.client().get("/").text


def test_a_request_that_ends_early_is_no_crash(server: Server, log: io.StringIO) -> None:
    sent: list[Message] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/login",
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "client": ("198.51.100.7", 1),
        "server": ("server.example", 80),
    }

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    server.run(server.app(scope, receive, send))

    assert sent[0]["status"] == 400
    assert "level=error" not in log.getvalue()


@pytest.mark.parametrize("client", [None, ("", 0), ("not an address", 1)])
def test_a_peer_without_an_address_is_served(server: Server, client: tuple[str, int] | None) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/api/login", "query_string": b"", "headers": []}
    server.run(server.app({**scope, "scheme": "http", "client": client}, receive, send))

    assert sent[0]["status"] == 400


def test_a_bad_proxy_address_is_refused_at_the_start(server: Server) -> None:
    with pytest.raises(ValueError, match="not-a-network"):
        build_app(server.services, WebOptions("0", trusted_proxies=("not-a-network",)))
