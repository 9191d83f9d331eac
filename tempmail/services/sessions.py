"""Which sessions hold: log in, session cookies, the root token, log out.

A session is a signed token that names its account and the account's `session_epoch` at login. Each request asks the
account's row anew, so that logging out, a changed password or role, a denied login and a deleted account end sessions
at once, in every process. While nothing is committed by anybody the last answer still holds, and a poller costs no
query.
"""

import hmac
from dataclasses import dataclass, field

from tempmail.clock import Clock, stamp
from tempmail.domain.accounts import MailboxLogin, User
from tempmail.domain.actor import ROOT, Actor, Role
from tempmail.domain.usernames import normalized_username
from tempmail.ports import MailboxLogins, Sessions, Users
from tempmail.services.fresh import Fresh, Version
from tempmail.services.logins import Account, ConfiguredAccounts, Logins, guest_actor, mailbox_actor, user_actor
from tempmail.services.passwords import Passwords
from tempmail.services.session_tokens import Claims, SessionTokens

_SESSIONS_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """`root_token`: JWT_TOKEN; it signs nothing itself, the signing key is derived from it. Empty passwords switch
    their way in off."""

    root_token: str = field(repr=False)
    admin_name: str
    admin_password: str = field(repr=False)
    guest_password: str = field(repr=False)
    lifetime_s: int


@dataclass(frozen=True, slots=True)
class Login:
    """A session that began. `token` goes into the cookie and nowhere else."""

    account: Account
    token: str = field(repr=False)


class SessionService:
    """`version`: changes with every commit of any process; see `fresh.Version`. Raises `ConfigError` without a root
    token.

    Sessions of the configured admin and of guests carry a fingerprint of the settings that they rest on and end when
    those change.
    """

    def __init__(
        self,
        options: SessionOptions,
        *,
        users: Users,
        logins: MailboxLogins,
        sessions: Sessions,
        passwords: Passwords,
        version: Version,
        clock: Clock,
    ) -> None:
        self._options = options
        self._sessions = sessions
        self._clock = clock
        self._admin_name = normalized_username(options.admin_name)
        configured = ConfiguredAccounts(self._admin_name, options.admin_password, options.guest_password)
        self._logins = Logins(configured, users=users, mailboxes=logins, passwords=passwords, clock=clock)
        self._tokens = SessionTokens(options.root_token)
        self._fingerprints = {
            Role.STRICT_ADMIN: self._tokens.fingerprint("admin", self._admin_name, options.admin_password),
            Role.GUEST: self._tokens.fingerprint("guest", options.guest_password),
        }
        self._actors: Fresh[Actor | None] = Fresh(version, max_entries=_SESSIONS_REMEMBERED)

    @property
    def lifetime_s(self) -> int:
        return self._options.lifetime_s

    async def login(self, username: str, password: str) -> Login:
        """Begin a session. Raises as `Logins.account`."""
        account = await self._logins.account(username, password)
        return Login(account, self.issue(account.actor, epoch=account.epoch))

    def issue(self, actor: Actor, *, epoch: int) -> str:
        """A session token for `actor`, valid for the configured lifetime. `epoch`: its account's `session_epoch`; 0 for
        a guest."""
        now = int(self._clock.now())
        return self._tokens.sign(
            actor.role,
            actor.mailbox_id or actor.user_id,
            epoch=epoch,
            fingerprint=self._fingerprints.get(actor.role, ""),
            issued_at=now,
            expires_at=now + self._options.lifetime_s,
        )

    def root(self, token: str) -> Actor | None:
        """The highest administrator if `token` is the root token."""
        return ROOT if hmac.compare_digest(token.encode(), self._options.root_token.encode()) else None

    async def actor_of(self, token: str) -> Actor | None:
        """Whose session `token` is, as its account is now; None where it is forged, expired or ended."""
        claims = self._tokens.read(token)
        if claims is None or claims.expires_at <= self._clock.now():
            return None
        return await self._actors.get(claims.jti, lambda: self._actor(claims))

    async def logout(self, token: str) -> None:
        """End a session; durable on return. A token that is none, or is expired, is ignored."""
        claims = self._tokens.read(token)
        now = self._clock.now()
        if claims is not None and claims.expires_at > now:
            await self._sessions.revoke(claims.jti, expires_at=stamp(claims.expires_at), now=stamp(now))

    async def change_mailbox_password(self, address: str, *, current: str, new: str) -> None:
        """As `Logins.change_mailbox_password`."""
        await self._logins.change_mailbox_password(address, current=current, new=new)

    async def _actor(self, claims: Claims) -> Actor | None:
        if claims.role is Role.GUEST:
            ended = not self._is_current(claims) or await self._sessions.is_revoked(claims.jti)
            return None if ended else guest_actor()
        if claims.role is Role.MAILBOX:
            return _mailbox(claims, await self._sessions.mailbox(claims.jti, claims.account_id))
        return self._user(claims, await self._sessions.user(claims.jti, claims.account_id))

    def _user(self, claims: Claims, user: User | None) -> Actor | None:
        if user is None or user.session_epoch != claims.epoch:
            return None
        is_admin = user.username == self._admin_name
        if claims.role is Role.STRICT_ADMIN:
            return Actor(Role.STRICT_ADMIN, user.username, user.id) if is_admin and self._is_current(claims) else None
        # Whoever has the configured admin's name by now shares its row, and gets in by its password alone.
        return None if is_admin else user_actor(user)

    def _is_current(self, claims: Claims) -> bool:
        return hmac.compare_digest(claims.fingerprint, self._fingerprints[claims.role])


def _mailbox(claims: Claims, mailbox: MailboxLogin | None) -> Actor | None:
    if mailbox is None or not mailbox.can_login or mailbox.session_epoch != claims.epoch:
        return None
    return mailbox_actor(mailbox)
