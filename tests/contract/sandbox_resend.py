"""A caller of Resend's sandbox, for tests: every error answer has Resend's shape."""

from typing import Any

import httpx

from tempmail.sandbox.resend import Resend
from tests.contract.sandbox_suite import DOMAIN, Parts, Sandbox

MAIL = {"from": "Acme <hi@acme.example>", "to": f"box@{DOMAIN}", "subject": "Hello", "text": "Your code is 482913"}


def resend(parts: Parts) -> Resend:
    made = Resend(parts.service, parts.mails, parts.store.mail, parts.bodies, clock=parts.clock)
    parts.releases[made.provider.name] = made.release
    return made


class Caller:
    """A client with a credential of its own; `asked`: as `SandboxService.create`."""

    def __init__(self, sandbox: Sandbox, **asked: Any) -> None:
        self.sandbox = sandbox
        self.made = sandbox.credential(**asked)
        self.headers = {"authorization": f"Bearer {self.made.values['key']}"}

    @property
    def catch_all(self) -> str:
        return self.made.credential.mailbox

    def __call__(self, method: str, path: str, **asked: Any) -> httpx.Response:
        headers = {**self.headers, **asked.pop("headers", {})}
        return checked(self.sandbox.request(method, path, headers=headers, **asked))

    def send(self, *, http: Any = None, **changes: Any) -> httpx.Response:
        """POST /emails with the usual mail but for `changes` (None: without the field). `http`: headers."""
        mail = {name: value for name, value in {**MAIL, **changes}.items() if value is not None}
        return self("POST", "/emails", json=mail, headers=http or {})

    def sent(self, **changes: Any) -> str:
        """The id of a mail that was taken."""
        answer = self.send(**changes)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def show(self, email_id: str) -> dict[str, Any]:
        answer = self("GET", f"/emails/{email_id}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown


def checked(answer: httpx.Response) -> httpx.Response:
    """`answer`, which is JSON, and an error as Resend words it."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    if answer.status_code != 200:
        assert set(answer.json()) == {"statusCode", "message", "name"}
        assert answer.json()["statusCode"] == answer.status_code
        assert answer.json()["message"]
    return answer


def error(answer: httpx.Response) -> tuple[int, str, str]:
    """(status, name, message)."""
    return answer.status_code, answer.json()["name"], answer.json()["message"]
