"""The Sender Rewriting Scheme: an envelope sender of our own for mail that is handed on, so that SPF holds.

    alice@sender.example → SRS0=k3v9q2ma=4F=sender.example=alice@temp.example.com

The hash makes such an address impossible to invent, so that nobody can use this server as a relay for bounces; the two
characters after it are the day it was made. Source: "The Sender Rewriting Scheme", Meng Weng Wong, 2004 (openspf.org).
"""

import base64
import hashlib
import hmac
import re

from tempmail.domain.address import BOUNCES, MAX_LOCAL_LENGTH, split_address
from tempmail.errors import BadRequest

_DAYS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_DAY_S = 86_400
_DAY_CYCLE = len(_DAYS) ** 2
VALID_DAYS = 21
_HASH_CHARS = 8
_SEPARATORS = "=+-"
_CONTEXT = b"tempmail envelope senders v1"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*", re.ASCII)


class SenderRewriting:
    """Makes and checks rewritten senders with one secret. Pure."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), _CONTEXT, hashlib.sha256)

    def rewrite(self, sender: str, domain: str, *, now: float) -> str:
        """The sender to hand mail of `sender` on with, in our `domain`. The null sender stays so: a bounce must not be
        bounced. Where the result would be over 64 octets (RFC 5321 4.5.3.1.1), or no local part that every server
        takes without quotes (such as that of an address literal), the mailbox for bounces."""
        if not sender:
            return ""
        local, host = split_address(sender)
        tag, rest = local[:4].lower(), local[5:]
        is_rewritten = local[4:5] != "" and local[4:5] in _SEPARATORS
        if is_rewritten and tag == "srs0":
            text = f"{host}={local[4:]}"
            made = f"SRS1={self._hash(text)}={text}"
        elif is_rewritten and tag == "srs1" and "=" in rest:
            text = rest.partition("=")[2]
            made = f"SRS1={self._hash(text)}={text}"
        else:
            text = f"{_day(now)}={host}={local}"
            made = f"SRS0={self._hash(text)}={text}"
        is_fit = len(made) <= MAX_LOCAL_LENGTH and _LOCAL.fullmatch(made) is not None
        return f"{made if is_fit else BOUNCES}@{domain}"

    def restore(self, local: str, *, now: float) -> str:
        """The sender that a rewritten local part stands for: where its bounce belongs (for SRS1 the server that
        rewrote it first). Raises `BadRequest` for one that is not ours, is spoilt or too old. Case does not matter."""
        if not is_rewritten(local):
            raise BadRequest("not a rewritten sender")
        found, _, text = local[5:].partition("=")
        # Servers on the way may change the case of a local part.
        if not hmac.compare_digest(found.lower().encode(), self._hash(text).encode()):
            raise BadRequest("this return address was not made here")
        if local[:4].lower() == "srs1":
            host, _, tail = text.partition("=")
            return f"SRS0{tail}@{host}"
        day, _, rest = text.partition("=")
        host, _, original = rest.partition("=")
        if not _is_recent(day, now):
            raise BadRequest(f"this return address is older than {VALID_DAYS} days")
        return f"{original}@{host}"

    def _hash(self, text: str) -> str:
        digest = hmac.digest(self._key, text.lower().encode(), hashlib.sha256)
        return base64.b32encode(digest).decode()[:_HASH_CHARS].lower()


def is_rewritten(local: str) -> bool:
    """Whether a local part has the form of a rewritten sender, ours or not."""
    return local[:4].lower() in ("srs0", "srs1") and local[4:5] != "" and local[4:5] in _SEPARATORS


def _day(now: float) -> str:
    day = int(now // _DAY_S) % _DAY_CYCLE
    return _DAYS[day // len(_DAYS)] + _DAYS[day % len(_DAYS)]


def _is_recent(day: str, now: float) -> bool:
    high, low = (_DAYS.find(char) for char in day.upper()) if len(day) == 2 else (-1, -1)
    if high < 0 or low < 0:
        return False
    age = (int(now // _DAY_S) - (high * len(_DAYS) + low)) % _DAY_CYCLE
    return age <= VALID_DAYS
