"""Mails to be sent as the outbox keeps them: JSON, attachments in base64."""

import msgspec

from tempmail.domain.outbound import OutboundMessage

_decoder = msgspec.json.Decoder(OutboundMessage)


def encode(message: OutboundMessage) -> bytes:
    """`message` as JSON. A later version of this program reads it too: it only ever adds fields with defaults."""
    return msgspec.json.encode(message)


def decode(payload: bytes) -> OutboundMessage:
    """The message in `payload`. Raises ValueError where that is none."""
    return _decoder.decode(payload)
