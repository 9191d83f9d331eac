"""Session tokens: signed, so that nobody else makes one. What they say is judged in `sessions.py`."""

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from tempmail.domain.actor import Role
from tempmail.errors import ConfigError

_SIGNING_CONTEXT = b"tempmail session cookie v1"
_FINGERPRINT_CONTEXT = b"tempmail configured password v1"
_FINGERPRINT_BYTES = 18
_MAX_TOKEN_CHARS = 2048
_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Claims:
    """Whose session a token is. Names, roles and addresses are not in it: they are read from the account's row.

    `role`: which kind of account, as at login. `account_id`: in `users`, for a mailbox login in `mailboxes`; 0 for a
    guest. `epoch`: the account's `session_epoch` at login. `fingerprint`: of the configured password that the session
    rests on; empty where it rests on none. `expires_at`: epoch seconds.
    """

    jti: str
    expires_at: int
    role: Role
    account_id: int
    epoch: int
    fingerprint: str


class SessionTokens:
    """Makes and reads tokens (JWT, HS256; claims as in freemail contract 2, and `jti`, `iat`, `epoch`, `fp`)."""

    def __init__(self, root_token: str) -> None:
        """The signing key is derived from the root token, which itself signs nothing. Raises `ConfigError`."""
        if not root_token:
            raise ConfigError(["JWT_TOKEN is empty: session cookies could be forged."])
        self._key = hmac.digest(root_token.encode(), _SIGNING_CONTEXT, hashlib.sha256)
        self._verified: OrderedDict[str, Claims] = OrderedDict()

    def fingerprint(self, *parts: str) -> str:
        """Stands for names and passwords of the settings without telling them: it changes when one of them does."""
        message = b"\0".join((_FINGERPRINT_CONTEXT, *(part.encode() for part in parts)))
        return base64.urlsafe_b64encode(hmac.digest(self._key, message, hashlib.sha256)[:_FINGERPRINT_BYTES]).decode()

    def sign(
        self, role: Role, account_id: int, *, epoch: int, fingerprint: str, issued_at: int, expires_at: int
    ) -> str:
        """A new token, unlike any other. Times in epoch seconds."""
        claims: dict[str, Any] = {
            "iat": issued_at,
            "exp": expires_at,
            "jti": secrets.token_urlsafe(16),
            "role": role.wire_name,
            "epoch": epoch,
        }
        if fingerprint:
            claims["fp"] = fingerprint
        if account_id:
            claims["mailboxId" if role is Role.MAILBOX else "userId"] = account_id
        return jwt.encode(claims, self._key, algorithm="HS256")

    def read(self, token: str) -> Claims | None:
        """What a token of ours says, expired or not; None for anything else. Verified tokens are remembered, a bounded
        number of them."""
        claims = self._verified.get(token)
        if claims is not None:
            self._verified.move_to_end(token)
            return claims
        claims = self._verify(token)
        if claims is not None:
            self._verified[token] = claims
            if len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
        return claims

    def _verify(self, token: str) -> Claims | None:
        if len(token) > _MAX_TOKEN_CHARS:
            return None
        try:
            # Expiry is judged by our own clock, by the caller.
            claims = jwt.decode(
                token,
                self._key,
                algorithms=["HS256"],
                options={"verify_exp": False, "verify_iat": False, "require": ["exp", "iat", "jti"]},
            )
        except jwt.InvalidTokenError:
            return None
        return _claims(claims)


def _claims(claims: Mapping[str, Any]) -> Claims | None:
    match claims:
        case {"role": "admin", "userId": int(user_id), "fp": str(fingerprint)}:
            role, account_id = Role.STRICT_ADMIN, user_id
        case {"role": "admin" | "user" as name, "userId": int(user_id)}:
            role, account_id, fingerprint = Role(name), user_id, ""
        case {"role": "mailbox", "mailboxId": int(mailbox_id)}:
            role, account_id, fingerprint = Role.MAILBOX, mailbox_id, ""
        case {"role": "guest", "fp": str(fingerprint)}:
            role, account_id = Role.GUEST, 0
        case _:
            return None
    match claims:
        case {"jti": str(jti), "exp": int(expires_at), "epoch": int(epoch)}:
            return Claims(jti, expires_at, role, account_id, epoch, fingerprint)
    return None
