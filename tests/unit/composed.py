"""A mail to compose, and what it is read back as."""

import email
import email.policy
from email.message import EmailMessage

from hypothesis import strategies as st

from tempmail.domain.compose import MAX_LINE_OCTETS, compose
from tempmail.domain.outbound import OutboundMessage

DATE_S = 1_700_000_000.0
PLAIN = OutboundMessage(
    from_addr="from@a.example",
    to=("to@b.example",),
    subject="Hello",
    text="Line one\nline two",
    message_id="<m1@a.example>",
)

LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]), max_size=300)


def write(message: OutboundMessage) -> bytes:
    """Composed, and found well-formed: lines that end in CRLF and are not too long."""
    raw = compose(message, date_s=DATE_S)
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= MAX_LINE_OCTETS
    return raw


def read(message: OutboundMessage) -> EmailMessage:
    return email.message_from_bytes(write(message), policy=email.policy.default)
