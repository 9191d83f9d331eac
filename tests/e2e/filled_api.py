"""A running server on which the examples of the API's description are true, and a caller of each role."""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.resend_stub import resend_stub
from tests.running import PATIENCE_S, Server, running

API_DOMAIN = "example.com"
MAILS = Path(__file__).parents[1] / "eml"

_GUEST_PASSWORD = "look around"
_PASSWORD = "a password of these tests"
_MAILBOXES = ("test@example.com", "test1@example.com", "test2@example.com", "own@example.com")
_KINDS = (
    "mime-attachment",
    "mime-alternative",
    "mime-related-inline-image",
    "charset-gb18030-four-byte",
    "nested-bounce-report",
    "wrong-label-gbk-called-utf-8",
)
_CODE = b"From: Shop <shop@shop.example>\r\nSubject: Your code\r\n\r\nYour verification code is 482913.\r\n"
# As if this code had just been mailed there.
_ASKED = (
    "insert into forward_targets (address, code_hash, code_expires_at, tries_left, asked_at) values"
    f" ('backup@example.net', '{hashlib.sha256(b'40917263').hexdigest()}',"
    " datetime('now', '+1 day'), 5, datetime('now'))"
)
_SANDBOXES = ("nobase", "mail_push", "resend")
_TEMPLATE = {"name": "verification code", "subject": "{{name}}, your order {{order_no}}", "text": "Hello {{name}}"}
_RULE = {"name": "Bank", "sender": "bank.example", "pattern": r"pass word: (?P<code>\w+)"}


@dataclass(frozen=True)
class FilledApi:
    """`callers`: for each kind of caller, the headers that show who it is."""

    server: Server
    callers: Mapping[str, Mapping[str, str]]


@contextlib.contextmanager
def filled_api(folder: Path) -> Iterator[FilledApi]:
    """A server with users, mailboxes, mail of several kinds, sent mail, tokens, rules, sandbox credentials (the third
    is of `resend`) and mail_push's template 2, all with ids from 1 on; and a target of forwarding that was asked.

    The user, the admin and the mailbox login reach `test@example.com` and its mail; the next mailboxes are the user's
    and the admin's, the last one nobody's.
    """
    with (
        resend_stub() as resend_url,
        running(
            folder,
            RESEND_API_KEY="re_of_the_tests",
            RESEND_API_URL=resend_url,
            SEND_PAUSES="resend=0",
            RESEND_WEBHOOK_SECRET="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            MAIL_DOMAIN=API_DOMAIN,
            ADMIN_PASSWORD="correct horse",
            GUEST_PASSWORD=_GUEST_PASSWORD,
            SMTP_WORKERS=0,
            MAILBOX_CREATES_PER_MINUTE=100_000,
            PASSWORD_TIME_COST=1,
            PASSWORD_MEMORY_KIB=8,
        ) as server,
        server.client() as root,
    ):
        for name, role in (("testuser", "user"), ("second", "admin")):
            user = {"username": name, "role": role, "password": _PASSWORD, "mailboxLimit": 1000}
            made = root.post("/api/users", json=user).raise_for_status().json()
            root.patch(f"/api/users/{made['id']}", json={"can_send": 1}).raise_for_status()
            for address in _MAILBOXES[:3]:
                root.post("/api/users/assign", json={"username": name, "address": address}).raise_for_status()
        own = {"address": _MAILBOXES[0], "new_password": _PASSWORD}
        root.post("/api/mailboxes/toggle-login", json=own | {"can_login": True}).raise_for_status()
        root.post("/api/mailboxes/change-password", json=own).raise_for_status()
        # The first has an attachment, which is the part that the documentation's example names.
        raws = [*((MAILS / f"{kind}.eml").read_bytes() for kind in _KINDS), _CODE]
        for address in _MAILBOXES:
            for raw in raws:
                assert server.deliver(raw, address).startswith("250")
        for _ in range(12):
            root.post("/api/v1/extraction-rules", json=_RULE).raise_for_status()
        for subject in range(12):
            body = {"from": _MAILBOXES[0], "to": "you@else.example", "subject": str(subject), "text": "Hi."}
            root.post("/api/send", json=body).raise_for_status()
        server.query(_ASKED)
        for provider in _SANDBOXES:
            root.post(f"/api/v1/sandboxes/{provider}/credentials", json={"name": "shop"}).raise_for_status()
        root.post("/api/v1/sandboxes/mail_push/templates", json=_TEMPLATE).raise_for_status()
        callers = {
            "anonymous": {},
            "user": _session(server, "testuser", _PASSWORD),
            "mailbox": _session(server, _MAILBOXES[0], _PASSWORD),
            "admin": _session(server, "second", _PASSWORD),
            "guest": _session(server, "guest", _GUEST_PASSWORD),
            "strictAdmin": {"Authorization": root.headers["Authorization"]},
        }
        for role in ("user", "admin", "strictAdmin"):
            for _ in range(3):
                token = {"name": "nightly QA", "actions": ["mail.*"]}
                httpx.post(
                    f"{server.url}/api/v1/tokens", json=token, headers=callers[role], timeout=PATIENCE_S
                ).raise_for_status()
        yield FilledApi(server, callers)


def _session(server: Server, username: str, password: str) -> dict[str, str]:
    """The headers of a new login."""
    account = {"username": username, "password": password}
    answer = httpx.post(f"{server.url}/api/login", json=account, timeout=PATIENCE_S)
    return {"Cookie": answer.raise_for_status().headers["set-cookie"].partition(";")[0]}
