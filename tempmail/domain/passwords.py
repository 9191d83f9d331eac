"""What a mailbox's password may be, and password hashes by their form: argon2id (ours), and the two of the original,
which are read but never written.

Freemail contract 2: `pbkdf2:sha256:<base64 salt>:<base64 hash>` (PBKDF2-HMAC-SHA256, 100 000 iterations, 32 bytes), and
before it 64 hexadecimal digits of plain SHA-256.
"""

import base64
import binascii
import hashlib
import hmac
import re
from enum import Enum, auto

from tempmail.errors import BadRequest

MIN_MAILBOX_PASSWORD_CHARS = 6
MAX_PASSWORD_CHARS = 1024

_PBKDF2_ITERATIONS = 100_000
_PBKDF2_BYTES = 32
_MAX_HASH_CHARS = 512
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class Scheme(Enum):
    ARGON2ID = auto()
    PBKDF2 = auto()
    SHA256 = auto()
    UNKNOWN = auto()


def checked_mailbox_password(password: str, *, called: str = "密码") -> str:
    """The password without white space around it, if a mailbox may have it. Raises `BadRequest`, whose text calls it
    `called`."""
    password = password.strip()
    if len(password) < MIN_MAILBOX_PASSWORD_CHARS:
        raise BadRequest(f"{called}长度至少{MIN_MAILBOX_PASSWORD_CHARS}位")
    if len(password) > MAX_PASSWORD_CHARS:
        raise BadRequest(f"{called}长度最多{MAX_PASSWORD_CHARS}位")
    return password


def scheme_of(password_hash: str) -> Scheme:
    """Which scheme a stored hash is of.

    >>> scheme_of("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA"), scheme_of("plain")
    (<Scheme.ARGON2ID: 1>, <Scheme.UNKNOWN: 4>)
    """
    if len(password_hash) > _MAX_HASH_CHARS:
        return Scheme.UNKNOWN
    if password_hash.startswith("$argon2id$"):
        return Scheme.ARGON2ID
    if password_hash.startswith("pbkdf2:sha256:"):
        return Scheme.PBKDF2
    return Scheme.SHA256 if _SHA256.fullmatch(password_hash) else Scheme.UNKNOWN


def fits_original(password: str, password_hash: str) -> bool:
    """Whether `password` is that of one of the original's hashes; compared in constant time. PBKDF2 takes some 30 ms
    of CPU."""
    match scheme_of(password_hash):
        case Scheme.PBKDF2:
            return _fits_pbkdf2(password, password_hash)
        case Scheme.SHA256:
            return hmac.compare_digest(hashlib.sha256(password.encode()).hexdigest(), password_hash.lower())
        case _:
            return False


def _fits_pbkdf2(password: str, password_hash: str) -> bool:
    _, _, rest = password_hash.partition("pbkdf2:sha256:")
    salt_text, _, hash_text = rest.partition(":")
    try:
        salt = base64.b64decode(salt_text, validate=True)
        expected = base64.b64decode(hash_text, validate=True)
    except (binascii.Error, ValueError):
        return False
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _PBKDF2_ITERATIONS, _PBKDF2_BYTES)
    return hmac.compare_digest(made, expected)
