"""What Resend's API shows of a mail, and what its webhooks report."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tempmail.clock import parse_stamp, stamp
from tempmail.domain.sandbox import SandboxMail, SandboxReport, State
from tempmail.sandbox.resend_mail import ResendMail

_EVENTS: Mapping[State, tuple[str, ...]] = {
    State.SCHEDULED: ("email.scheduled",),
    State.DELIVERED: ("email.sent", "email.delivered"),
    State.BOUNCED: ("email.sent", "email.bounced"),
    State.COMPLAINED: ("email.sent", "email.delivered", "email.complained"),
    State.SUPPRESSED: ("email.suppressed",),
    State.FAILED: ("email.failed",),
    State.CANCELED: (),
}
_REASONS: Mapping[str, dict[str, Any]] = {
    "email.bounced": {
        "bounce": {
            "message": "The recipient's mail server rejected the message, as asked for.",
            "type": "Permanent",
            "subType": "General",
        }
    },
    "email.suppressed": {
        "suppressed": {
            "message": "The recipient is on the suppression list, as asked for.",
            "type": "OnSuppressionList",
        }
    },
    "email.failed": {"failed": {"reason": "as_asked_for"}},
}


def summary_of(mail: ResendMail, *, message_id: str, file_ids: Sequence[str]) -> bytes:
    """What lists show of a mail, as it is recorded."""
    return msgspec.json.encode(
        {
            "message_id": message_id,
            "from": mail.sender,
            "to": mail.to,
            "cc": mail.cc or None,
            "bcc": mail.bcc or None,
            "reply_to": mail.reply_to or None,
            "subject": mail.subject,
            "tags": [{"name": name, "value": value} for name, value in mail.tags],
            "attachments": [
                {
                    "id": file_id,
                    "filename": file.filename,
                    "content_type": file.content_type,
                    "content_id": file.content_id,
                    "size": None if file.content is None else len(file.content),
                }
                for file_id, file in zip(file_ids, mail.files, strict=True)
            ],
        }
    )


def listed(mail: SandboxMail) -> dict[str, Any]:
    """A mail in a list."""
    summary = msgspec.json.decode(mail.summary)
    return {
        "id": mail.provider_id,
        "message_id": summary["message_id"],
        "to": summary["to"],
        "from": summary["from"],
        "created_at": iso(mail.created_at),
        "subject": summary["subject"],
        "bcc": summary["bcc"],
        "cc": summary["cc"],
        "reply_to": summary["reply_to"],
        "last_event": mail.state,
        "scheduled_at": None if mail.scheduled_at is None else iso(mail.scheduled_at),
    }


def shown(mail: SandboxMail, request: Mapping[str, Any]) -> dict[str, Any]:
    """A mail by itself."""
    view = {
        "object": "email",
        **listed(mail),
        "html": request.get("html"),
        "text": request.get("text"),
        "tags": msgspec.json.decode(mail.summary)["tags"],
    }
    if isinstance(request.get("topic_id"), str):
        view["topic_id"] = request["topic_id"]
    return view


def reports_of(
    state: State, summary: bytes, *, email_id: str, created_at: str, now: float, new_id: Sequence[str]
) -> tuple[SandboxReport, ...]:
    """What is reported when a mail comes to `state`. `new_id`: ids for as many reports as there can be (3)."""
    known = msgspec.json.decode(summary)
    data = {
        "email_id": email_id,
        "message_id": known["message_id"],
        "from": known["from"],
        "to": known["to"],
        "subject": known["subject"],
        "created_at": iso_ms(parse_stamp(created_at)),
        "tags": {tag["name"]: tag["value"] for tag in known["tags"]},
    }
    return tuple(
        SandboxReport(
            f"msg_{report_id}",
            msgspec.json.encode({"type": event, "created_at": iso_ms(now), "data": data | _REASONS.get(event, {})}),
        )
        for event, report_id in zip(_EVENTS[state], new_id, strict=False)
    )


def iso(stored: str) -> str:
    """A stamp as Resend writes times.

    >>> iso("2026-11-20 09:00:00")
    '2026-11-20T09:00:00.000000+00:00'
    """
    return f"{stored.replace(' ', 'T')}.000000+00:00"


def iso_ms(epoch_s: float) -> str:
    return f"{stamp(epoch_s).replace(' ', 'T')}.{int(epoch_s * 1000) % 1000:03d}Z"
