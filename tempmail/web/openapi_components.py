"""What the OpenAPI document says once for all operations: introduction, credentials, headers, the form of errors."""

from typing import Any

from tempmail.domain.actor import Role
from tempmail.domain.policy import Reach, Rule
from tempmail.web.call import SESSION_COOKIE

INTRODUCTION = """Receives mail by SMTP, finds verification codes, serves mailboxes and mail over HTTP, and sends mail
through providers, now or later. What imitates the providers, under `/sandbox/…`, is described by the providers.

Log in with `POST /api/login` and send the cookie back, or send a token as `Authorization: Bearer …`: the root token, or
a personal API token that `POST /api/v1/tokens` has made. Request bodies are JSON (`Content-Type: application/json`), of
1 MiB at most, those that send mail of 40 MiB.

Each operation says who may use it, and how far: ALL, every object; OWN, what is linked to the user, for a mailbox login
its one mailbox; DEMO, the objects of the demonstration, none of the real ones. `strictAdmin` is the highest
administrator: the configured admin, and whoever shows the root token. The action that it names is what the `actions` of
an API token allow. Under OWN, an address that does not exist answers like one that belongs to somebody else.

Times are UTC, `YYYY-MM-DD HH:MM:SS`. Flags are 0 or 1; where a request asks for yes or no, everything but false, 0,
null and the empty string is yes. Query values that are no numbers fall to their defaults, numbers out of range to the
nearest limit. Every error is `{"error": "…"}`; an answer's `X-Request-Id` names its request in the server's log."""

TAGS = {
    "Session": "Log in, log out, and see who one is.",
    "Mailboxes": "Create addresses, list them, and change what is one's own.",
    "Mail": "Read and delete mail.",
    "Sending": "Send mail, now or later, and see what became of it.",
    "Outbox": "What the highest administrator sees of all mail that goes out, and of the providers.",
    "Mail to the future": "Write mail that is delivered at a time to come, and read what has arrived.",
    "Extraction": "See why a code was found, and add rules for senders of one's own.",
    "Tokens": "Personal API tokens, for programs.",
    "Sandboxes": "Accounts at the imitations of sending providers, whose mail stays here.",
    "Users": "Users, their mailboxes and their quota.",
    "Mailbox administration": "What only the highest administrator does to mailboxes.",
    "Server": "Health, metrics, and the audit log.",
}
"""What each group of operations is for, in the order of the documentation."""

SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "The cookie that `POST /api/login` sets.",
    },
    "apiToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A personal API token (`tm_…`): its owner, narrowed to the token's actions and mailboxes.",
    },
    "rootToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The root token (`JWT_TOKEN`): the highest administrator.",
    },
    "adminToken": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Admin-Token",
        "description": "The root token in a header of its own.",
    },
}

ERROR: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong.",
    "properties": {
        "error": {"type": "string", "description": "For people; the texts are stable", "examples": ["邮箱不存在"]},
        "detail": {
            "type": "string",
            "description": "Where and how a request body is not as asked for",
            "examples": ["Expected `str`, got `int` - at `$.username`"],
        },
        "request_id": {
            "type": "string",
            "description": "Names a failure in the server's log",
            "examples": ["3q2-7wAAAAAA"],
        },
        "id": {
            "type": "string",
            "description": "`POST /api/send` only: the mail that was not sent",
            "examples": ["5f0c7d62-5a6f-4a3b-9b1e-0e5d8c1a2b3c"],
        },
        "ready": {"type": "boolean", "description": "`GET /readyz` only: false", "examples": [False]},
        "reasons": {
            "type": "array",
            "items": {"type": "string"},
            "description": "`GET /readyz` only: why mail cannot be taken now",
            "examples": [["no process takes mail"]],
        },
        "success": {"type": "boolean", "description": "False, where the original answers so", "examples": [False]},
        "message": {
            "type": "string",
            "description": "The same as `error`, where the original answers so",
            "examples": ["邮箱不存在"],
        },
    },
    "required": ["error"],
}

ENVELOPED_ERROR: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong, in the envelope of mail to the future.",
    "properties": {
        "code": {"type": "integer", "description": "The HTTP status", "examples": [422]},
        "message": {"type": "string", "description": "For people", "examples": ["the mail has no recipient"]},
        "data": {"type": "null", "description": "Nothing"},
        "error": {"type": "string", "description": "For programs; stable", "examples": ["no_recipient"]},
        **{name: ERROR["properties"][name] for name in ("detail", "request_id")},
    },
    "required": ["code", "message", "data", "error"],
}

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "Names the request in the server's log",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{12}$", "examples": ["3q2-7wAAAAAA"]},
    },
    "Retry-After": {
        "description": "Seconds to wait before the next try",
        "required": True,
        "schema": {"type": "integer", "minimum": 0, "examples": [5]},
    },
    "WWW-Authenticate": {
        "description": "What is asked for",
        "required": True,
        "schema": {"type": "string", "examples": ['Bearer realm="tempmail"']},
    },
}


def security_of(rule: Rule) -> list[dict[str, list[str]]]:
    """The credentials that may be of use under `rule`: one of them is needed. Empty: none is."""
    if rule.public:
        return []
    roles = {role for role, reach in rule.by_role.items() if reach is not Reach.NONE}
    fitting = ["session"]
    if rule.by_token and roles & {Role.STRICT_ADMIN, Role.ADMIN, Role.USER}:
        fitting.append("apiToken")
    if Role.STRICT_ADMIN in roles:
        fitting += ["rootToken", "adminToken"]
    return [{name: []} for name in fitting]
