"""Records as tests need them: only what a test names differs from the plain case."""

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from tempmail.clock import stamp
from tempmail.domain.address import alias_of
from tempmail.domain.messages import IncomingMail, ReceivedMail, Recipient
from tempmail.domain.rules import ExtractionRule, RuleDraft

EPOCH_S = 1_700_000_000
"""What `FakeClock` shows at first."""

NOW = stamp(EPOCH_S)

RAW = b"From: Shop <no-reply@shop.example>\r\nSubject: Your code\r\n\r\nYour code is 482913.\r\n"


def at(seconds: float) -> str:
    """The stamp of `seconds` after `NOW`."""
    return stamp(EPOCH_S + seconds)


def recipient(address: str, *, may_create: bool = True) -> Recipient:
    """As ingest makes it of one RCPT."""
    exact = address.lower()
    return Recipient(address, exact, alias_of(exact), may_create)


def incoming(*addresses: str | Recipient, body: bytes | Path = RAW, **changes: Any) -> IncomingMail:
    """A mail for `addresses` (`box@temp.example` if none is given), ready to be stored at `NOW`; `changes` by field."""
    recipients = tuple(recipient(to) if isinstance(to, str) else to for to in addresses or ("box@temp.example",))
    mail = IncomingMail(
        recipients=recipients,
        uuid=str(uuid.uuid4()),
        envelope_from="bounce@shop.example",
        sender="no-reply@shop.example",
        subject="Your code",
        preview="Your code is 482913.",
        verification_code="482913",
        extraction='{"code":"482913"}',
        attachment_count=0,
        received_at=NOW,
        size_bytes=len(body) if isinstance(body, bytes) else body.stat().st_size,
        body=body,
    )
    return replace(mail, **changes)


def received(*addresses: str | Recipient, raw: bytes = RAW) -> ReceivedMail:
    """The same mail as SMTP hands it over."""
    recipients = tuple(recipient(to) if isinstance(to, str) else to for to in addresses or ("box@temp.example",))
    return ReceivedMail(
        envelope_from="bounce@shop.example",
        recipients=recipients,
        raw=raw,
        cid="c1",
        peer="192.0.2.1",
        helo="mail.shop.example",
        protocol="ESMTP",
        smtputf8=False,
    )


def rule_draft(**changes: Any) -> RuleDraft:
    """A rule for everybody that takes "pass word: …" for a code; `changes` by field."""
    draft = RuleDraft(
        name="Bank",
        kind="code",
        pattern=r"pass word: (?P<code>\w+)",
        sender="*",
        recipient_domain=None,
        field="any",
        priority=0,
        enabled=True,
    )
    return replace(draft, **changes)


def rule(rule_id: int = 1, *, version: int = 1, **changes: Any) -> ExtractionRule:
    """The same, stored."""
    fields = {name: getattr(rule_draft(**changes), name) for name in RuleDraft.__dataclass_fields__}
    return ExtractionRule(**fields, id=rule_id, version=version, created_at=NOW, updated_at=NOW)
