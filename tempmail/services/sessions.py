"""Who is behind a request: log in, session cookies, the root token, log out."""

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import jwt

from tempmail.clock import Clock, stamp
from tempmail.domain.actor import ROOT, Actor, Role
from tempmail.errors import BadRequest, ConfigError, Unauthenticated
from tempmail.ports import Sessions, Users
from tempmail.services.throttle import Throttle

_SIGNING_CONTEXT = b"tempmail session cookie v1"
_PASSWORD_CONTEXT = b"tempmail admin password v1"
_ADMIN_MAILBOX_LIMIT = 9999
_Entry = TypeVar("_Entry")

_MAX_TOKEN_CHARS = 2048
_KNOWN_SESSIONS = 4096
LOGIN_ATTEMPTS = 10
LOGIN_WINDOW_S = 60.0
RECHECK_S = 15.0
"""A log out holds at once in its own process, and in every other within this many seconds."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """`root_token`: JWT_TOKEN; it signs nothing itself, the signing key is derived from it. Empty passwords and
    tokens switch their way in off."""

    root_token: str
    admin_name: str
    admin_password: str
    lifetime_s: int


@dataclass(frozen=True, slots=True)
class Login:
    """A session that began. `token` goes into the cookie and nowhere else."""

    actor: Actor
    token: str
    can_send: int
    mailbox_limit: int


@dataclass(slots=True)
class _Known:
    """A token whose signature was checked. `checked_at`: when it was last known not to be revoked (monotonic)."""

    actor: Actor
    jti: str
    expires_at: int
    checked_at: float


class SessionService:
    """Sessions are signed tokens (HS256); the store only keeps the ids of those that were ended early.

    A session of the configured admin carries a fingerprint of the admin's password and ends when it changes.
    """

    def __init__(self, options: SessionOptions, *, users: Users, revoked: Sessions, clock: Clock) -> None:
        if not options.root_token:
            raise ConfigError(["JWT_TOKEN is empty: session cookies could be forged."])
        self._options = options
        self._users = users
        self._revoked = revoked
        self._clock = clock
        self._attempts = Throttle(LOGIN_ATTEMPTS, LOGIN_WINDOW_S, clock=clock)
        self._key = hmac.digest(options.root_token.encode(), _SIGNING_CONTEXT, hashlib.sha256)
        self._admin_name = options.admin_name.strip().lower()
        self._fingerprint = _fingerprint(self._key, self._admin_name, options.admin_password)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()

    @property
    def lifetime_s(self) -> int:
        return self._options.lifetime_s

    def admit(self, client: str) -> None:
        """Count one attempt to log in from `client`. Raises `Throttled`."""
        self._attempts.admit(client)

    async def login(self, username: str, password: str) -> Login:
        """Begin a session of the configured admin. Raises `BadRequest` where a field is empty, `Unauthenticated`."""
        username, password = username.strip().lower(), password.strip()
        if not username or not password:
            raise BadRequest("用户名或密码不能为空")
        if not self._is_admin(username, password):
            raise Unauthenticated("用户名或密码错误")
        user_id = await self._users.ensure_admin(self._admin_name, now=stamp(self._clock.now()))
        actor = Actor(Role.STRICT_ADMIN, self._admin_name, user_id)
        return Login(actor, self.issue(actor), can_send=1, mailbox_limit=_ADMIN_MAILBOX_LIMIT)

    def issue(self, actor: Actor) -> str:
        """A signed session token for `actor`, valid for the configured lifetime."""
        now = int(self._clock.now())
        claims: dict[str, Any] = {
            "iat": now,
            "exp": now + self._options.lifetime_s,
            "jti": secrets.token_urlsafe(16),
            "role": actor.role.wire_name,
            "username": actor.username,
        }
        if actor.role is Role.STRICT_ADMIN:
            claims["fp"] = self._fingerprint
        if actor.role is Role.MAILBOX:
            claims |= {"mailboxId": actor.mailbox_id, "mailboxAddress": actor.mailbox_address}
        elif actor.role is not Role.GUEST:
            claims["userId"] = actor.user_id
        return jwt.encode(claims, self._key, algorithm="HS256")

    def root(self, token: str) -> Actor | None:
        """The highest administrator if `token` is the root token."""
        expected = self._options.root_token
        return ROOT if expected and hmac.compare_digest(token.encode(), expected.encode()) else None

    async def actor_of(self, token: str) -> Actor | None:
        """Whose session `token` is; None where it is forged, expired, ended or outdated."""
        known = self._known.get(token) or self._verify(token)
        if known is None or known.expires_at <= self._clock.now():
            self._known.pop(token, None)
            return None
        now = self._clock.monotonic()
        if now - known.checked_at >= RECHECK_S:
            # Looked at after the wait: a log out may have come in between.
            if await self._revoked.is_revoked(known.jti) or known.jti in self._ended:
                self._known.pop(token, None)
                return None
            known.checked_at = now
            _remember(self._known, token, known)
        return known.actor

    async def logout(self, token: str) -> None:
        """End a session; durable on return. A token that is none is ignored."""
        known = self._known.pop(token, None) or self._verify(token)
        if known is not None:
            _remember(self._ended, known.jti, None)
            now = stamp(self._clock.now())
            await self._revoked.revoke(known.jti, expires_at=stamp(known.expires_at), now=now)

    def _is_admin(self, username: str, password: str) -> bool:
        """Both parts are compared in full, whatever the first comparison says. Neither is empty, so an empty admin
        password never fits."""
        expected = self._options.admin_password.strip()
        name_fits = hmac.compare_digest(username.encode(), self._admin_name.encode())
        password_fits = hmac.compare_digest(password.encode(), expected.encode())
        return name_fits and password_fits

    def _verify(self, token: str) -> _Known | None:
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
        actor = self._actor(claims)
        jti, expires_at = claims["jti"], claims["exp"]
        if actor is None or not isinstance(jti, str) or not isinstance(expires_at, int):
            return None
        return _Known(actor, jti, expires_at, checked_at=float("-inf"))

    def _actor(self, claims: Mapping[str, Any]) -> Actor | None:
        match claims:
            case {"role": "admin", "fp": str(fingerprint), "username": str(name), "userId": int(user_id)}:
                current = hmac.compare_digest(fingerprint, self._fingerprint) and name == self._admin_name
                return Actor(Role.STRICT_ADMIN, name, user_id) if current else None
            case {"role": "admin" | "user" as role, "username": str(name), "userId": int(user_id)} if user_id > 0:
                return Actor(Role(role), name, user_id)
            case {"role": "mailbox", "username": str(name), "mailboxId": int(box_id), "mailboxAddress": str(address)}:
                return Actor(Role.MAILBOX, name, mailbox_id=box_id, mailbox_address=address)
            case {"role": "guest", "username": str(name)}:
                return Actor(Role.GUEST, name)
        return None


def _remember(entries: OrderedDict[str, _Entry], key: str, entry: _Entry) -> None:
    """Keep the latest `_KNOWN_SESSIONS` of them."""
    entries[key] = entry
    entries.move_to_end(key)
    if len(entries) > _KNOWN_SESSIONS:
        entries.popitem(last=False)


def _fingerprint(key: bytes, admin_name: str, admin_password: str) -> str:
    message = b"\0".join((_PASSWORD_CONTEXT, admin_name.encode(), admin_password.encode()))
    return base64.urlsafe_b64encode(hmac.digest(key, message, hashlib.sha256)[:18]).decode()
