"""A server on loopback that answers like Resend, for servers in processes of their own.

What a mail meets is decided by its first recipient's local part: `refused` is found wrong, `denied` may not be sent by
this account, `cut` gets no answer. Everything else is accepted. Shapes: provider facts 1.1.
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from tests.contract.canned_http import Answer, Request, canned_server


@contextlib.contextmanager
def resend_stub() -> Iterator[str]:
    """Its root URL, while the block runs."""
    with canned_server(_answer) as server:
        yield server.url


def _answer(request: Request) -> Answer | None:
    if request.path == "/usage":
        return _json(200, {"emails": {"daily": {"used": 1, "limit": 100}}})
    if request.method == "GET":
        return _json(200, {"object": "email", "last_event": "sent"})
    match json.loads(request.body)["to"][0].rpartition("<")[2].partition("@")[0]:
        case "refused":
            return _json(422, {"statusCode": 422, "name": "validation_error", "message": "Invalid `to` field."})
        case "denied":
            return _json(403, {"statusCode": 403, "name": "validation_error", "message": "The domain is not verified."})
        case "cut":
            return None
        case _:
            return _json(200, {"id": str(uuid4())})


def _json(status: int, body: dict[str, Any]) -> Answer:
    return Answer(status, json.dumps(body).encode(), (("content-type", "application/json"),))
