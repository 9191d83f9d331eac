"""Signatures of webhooks as Svix makes them, which Resend uses. Source: provider facts 1.1."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

TOLERANCE_S = 300
"""How far a signature's time may be from now, either way."""
MAX_SIGNATURES = 16
MAX_ID_CHARS = 256

_VERSION = "v1"


def sign(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a webhook, as its header holds it. `timestamp`: epoch seconds as text.

    >>> key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"{_VERSION},{base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()}"


def is_genuine(
    secrets: Sequence[bytes], *, message_id: str, timestamp: str, signatures: str, body: bytes, now: float
) -> bool:
    """Whether one of `signatures` (a header's value: several are separated by blanks) is that of one of `secrets`, and
    its time within the tolerance. In constant time for each comparison."""
    if not 0 < len(message_id) <= MAX_ID_CHARS or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    if len(timestamp) > len("9999999999") or abs(now - int(timestamp)) > TOLERANCE_S:
        return False
    offered = [signature.encode() for signature in signatures.split(" ")[:MAX_SIGNATURES]]
    expected = [sign(secret, message_id, timestamp, body).encode() for secret in secrets]
    # All are compared, so that the time tells nothing of which one fits.
    return sum(hmac.compare_digest(one, other) for one in expected for other in offered) > 0
