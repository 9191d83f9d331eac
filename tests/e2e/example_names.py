"""What the API's examples call a sent mail or a mail to the future, and how it must be for the call that names it.

The server gives such things their names itself, and many calls want one in a state of their own: so each call gets one
that is made for it, and its command the name of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.e2e.filled_api import API_DOMAIN
from tests.running import PATIENCE_S, Server

_ADDRESS = f"test@{API_DOMAIN}"

_SENT, _IN_OUTBOX = "5f0c7d62-5a6f-4a3b-9b1e-0e5d8c1a2b3c", "outbox/812"
_SENT_AS = {
    "sent_status": {},
    "change_send": {"scheduledAt": "in 1 day"},
    "cancel_send": {"scheduledAt": "in 1 day"},
    "outbox_mail": {},
    "retry_outbox_mail": {"to": "refused@else.example"},
    "cancel_outbox_mail": {"scheduledAt": "in 1 day"},
    "resolve_outbox_mail": {"to": "cut@else.example"},
    # The account may not send it, so it rests.
    "unpause_provider": {"to": "denied@else.example"},
}

_CAPSULE, _ATTACHMENT = "mail_5f0c7d625a6f4a3b9b1e0e5d8c1a2b3c", "attach_9b1e0e5d8c1a2b3c"


@dataclass(frozen=True)
class _Written:
    """A mail to the future: a draft with `text`, and where there is a `setting`, set with that."""

    text: Mapping[str, Any] = field(default_factory=dict)
    setting: Mapping[str, Any] | None = None


_DRAFT = _Written()
_LOCKED = {"isEncrypted": True, "password": "old horse"}
_CAPSULE_AS = {
    "capsule": _DRAFT,
    "send_to_future": _DRAFT,
    "change_capsule": _Written(_LOCKED),
    "change_capsule_patch": _Written(_LOCKED),
    "delete_capsule": _DRAFT,
    "add_capsule_attachment": _DRAFT,
    "capsule_attachment": _DRAFT,
    "delete_capsule_attachment": _DRAFT,
    "revoke_capsule": _Written(setting={"triggerType": "TIME"}),
    "trigger_capsule": _Written(
        setting={"triggerType": "EVENT", "triggerCondition": {"event": {"type": "graduation"}}}
    ),
    "unlock_capsule": _Written({"isEncrypted": True, "password": "correct horse"}),
}


def real_names(server: Server, token: str, operation: str) -> Mapping[str, str]:
    """For what the operation's example names: what it is called on this server, where the token's owner has one now
    that is as the operation needs it."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=PATIENCE_S, trust_env=False) as client:
        if operation in _SENT_AS:
            mail = _sent(client, _SENT_AS[operation])
            return {_SENT: mail, _IN_OUTBOX: f"outbox/{mail}"}
        if operation in _CAPSULE_AS:
            return _written(server, client, _CAPSULE_AS[operation])
    return {}


def _sent(client: httpx.Client, changes: Mapping[str, str]) -> str:
    body = {"from": _ADDRESS, "to": "you@else.example", "subject": "Hello", "text": "Hi.", **changes}
    # A mail that the provider refuses has its id in a 500.
    mail: str = client.post("/api/send", json=body).json()["id"]
    return mail


def _written(server: Server, client: httpx.Client, as_: _Written) -> Mapping[str, str]:
    draft = {"recipient": {"email": _ADDRESS}, "title": "Hello", "content": "Dear future me", **as_.text}
    mail = client.post("/api/v1/mails", json=draft).raise_for_status().json()["data"]["mailId"]
    attached = client.post(
        f"/api/v1/mails/{mail}/attachments",
        params={"filename": "photo.jpg"},
        content=b"\xff\xd8\xff\xe0",
        headers={"Content-Type": "image/jpeg"},
    )
    if as_.setting is not None:
        setting = {"mailId": mail, "sendTime": "9000-01-01T00:00:00Z", **as_.setting}
        client.post("/api/v1/mails/send-to-future", json=setting).raise_for_status()
        # A trigger releases a mail an hour after it was set at the soonest: let it pass.
        server.query("update capsules set set_at = '2000-01-01 00:00:00' where set_at is not null")
    return {_CAPSULE: mail, _ATTACHMENT: attached.raise_for_status().json()["data"]["id"]}
