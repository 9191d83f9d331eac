"""Personal API tokens: make, list, revoke, and who is behind one."""

import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tempmail.clock import Clock, stamp
from tempmail.domain.accounts import ApiToken, User
from tempmail.domain.actor import Actor, Role, Scope
from tempmail.domain.policy import Grant, Reach
from tempmail.domain.tokens import MAX_DAYS, MAX_TOKENS, checked_name, checked_scope, hash_of, is_secret, new_secret
from tempmail.domain.usernames import normalized_username
from tempmail.errors import BadRequest, NotFound, QuotaReached, Transient
from tempmail.log import get_log
from tempmail.ports import Tokens, Users
from tempmail.services.fresh import Fresh, Version

_log = get_log("tokens")

_DAY_S = 86_400
_USE_RECORDED_EVERY_S = 60.0
_TOKENS_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class NewToken:
    """`secret` is shown once and kept nowhere."""

    token: ApiToken
    secret: str


class TokenService:
    """`version`: as for sessions, so that a revoked token is refused at once in every process."""

    def __init__(
        self,
        tokens: Tokens,
        users: Users,
        *,
        clock: Clock,
        admin_name: str,
        version: Version = lambda: None,
        random_text: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        self._tokens = tokens
        self._users = users
        self._clock = clock
        self._admin_name = normalized_username(admin_name)
        self._random_text = random_text
        self._known: Fresh[tuple[ApiToken, User] | None] = Fresh(version, max_entries=_TOKENS_REMEMBERED)
        self._used_at: OrderedDict[int, float] = OrderedDict()

    async def create(
        self, grant: Grant, *, name: str, actions: Sequence[str], mailboxes: Sequence[str], days: int | None
    ) -> NewToken:
        """A token of the caller; of the configured admin where the caller is the root token. `days`: until it expires,
        None: never. Raises `BadRequest`."""
        name, scope = checked_name(name), checked_scope(grant.actor, actions, mailboxes)
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise BadRequest(f"expires_in_days: 1 to {MAX_DAYS}, or null for never")
        now = self._clock.now()
        token = ApiToken(
            id=0,
            user_id=grant.actor.user_id or await self._users.ensure_admin(self._admin_name, now=stamp(now)),
            name=name,
            actions=scope.actions,
            mailboxes=scope.mailboxes,
            created_at=stamp(now),
            expires_at=None if days is None else stamp(now + days * _DAY_S),
            last_used_at=None,
            for_admin=int(grant.actor.is_strict_admin),
        )
        secret = new_secret(self._random_text)
        try:
            stored = await self._tokens.add(token, secret_hash=hash_of(secret), limit=MAX_TOKENS)
        except QuotaReached as exc:
            raise BadRequest(f"there are {MAX_TOKENS} tokens already, which is the most: revoke one first") from exc
        return NewToken(stored, secret)

    async def owner(self, username: str) -> Actor:
        """A user as the maker of tokens. Raises `NotFound`."""
        user = await self._users.find(normalized_username(username))
        if user is None:
            raise NotFound(f"there is no user {username}")
        return Actor(self._role(user), user.username, user.id)

    async def page(self, grant: Grant, *, after_id: int, limit: int) -> list[ApiToken]:
        """By id, those above `after_id`; under reach ALL those of every user."""
        return await self._tokens.page(user_id=_owner(grant), after_id=after_id, limit=limit)

    async def revoke(self, grant: Grant, token_id: int) -> None:
        """Refuse it from now on, everywhere. Raises `NotFound`, also for a foreign one."""
        if not await self._tokens.revoke(token_id, user_id=_owner(grant)):
            raise NotFound("no such token")

    async def actor_of(self, secret: str) -> Actor | None:
        """Who is behind a secret; None where it is unknown, revoked or expired, or where the settings have made its
        owner the highest administrator since, or another: that was not what it was made for."""
        if not is_secret(secret):
            return None
        secret_hash = hash_of(secret)
        found = await self._known.get(secret_hash, lambda: self._tokens.find(secret_hash))
        if found is None:
            return None
        token, user = found
        if token.expires_at is not None and token.expires_at <= stamp(self._clock.now()):
            return None
        role = self._role(user)
        if (role is Role.STRICT_ADMIN) is not bool(token.for_admin):
            return None
        await self._record_use(token.id)
        scope = Scope(token.actions, token.mailboxes)
        return Actor(role, user.username, user.id, token_id=token.id, scope=scope)

    def _role(self, user: User) -> Role:
        if user.username == self._admin_name:
            return Role.STRICT_ADMIN
        return Role.ADMIN if user.role == Role.ADMIN else Role.USER

    async def _record_use(self, token_id: int) -> None:
        """At most once a minute, and never the reason for a request to fail."""
        now = self._clock.monotonic()
        if now - self._used_at.get(token_id, float("-inf")) < _USE_RECORDED_EVERY_S:
            return
        self._used_at[token_id] = now
        self._used_at.move_to_end(token_id)
        if len(self._used_at) > _TOKENS_REMEMBERED:
            self._used_at.popitem(last=False)
        try:
            await self._tokens.record_use(token_id, now=stamp(self._clock.now()))
        except Transient as exc:
            _log.warning("token.use_unrecorded", token=token_id, error=str(exc))


def _owner(grant: Grant) -> int | None:
    return None if grant.reach is Reach.ALL else grant.actor.user_id
