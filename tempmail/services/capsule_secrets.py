"""The passwords of encrypted capsules: a gate in front of what they hold, whose tries are counted.

The content itself is stored as it is: whoever reads the database reads it. What the gate keeps out is everybody who
comes through the API or a mailbox, the writer included.
"""

from collections import OrderedDict

from tempmail.clock import Clock
from tempmail.domain.capsules import Capsule, check_password, owner_key
from tempmail.domain.policy import Grant
from tempmail.errors import BadRequest, Forbidden
from tempmail.services.capsule_requests import Edit
from tempmail.services.passwords import Passwords
from tempmail.services.throttle import Throttle

UNLOCK_TRIES, UNLOCK_WINDOW_S = 5, 300.0
"""Tries of one caller on one capsule, right or wrong."""
UNLOCKED_S = 600.0
"""How long whoever gave the password may fetch the attachments."""

_MAX_UNLOCKED = 10_000


class CapsuleSecrets:
    """What was unlocked, and how often it was tried, is this process's memory: exactly one answers HTTP."""

    def __init__(self, passwords: Passwords, *, clock: Clock) -> None:
        self._passwords = passwords
        self._clock = clock
        self._tries = Throttle(UNLOCK_TRIES, UNLOCK_WINDOW_S, clock=clock)
        self._unlocked: OrderedDict[tuple[str, int, str | None], float] = OrderedDict()

    async def of_new(self, edit: Edit) -> tuple[bool, str | None]:
        """(is encrypted, hash) of a new draft. Raises `BadRequest`, `Unprocessable`."""
        is_encrypted = bool(edit.is_encrypted)
        if is_encrypted != (edit.password is not None):
            raise _misplaced()
        return is_encrypted, await self._hash(edit.password)

    async def after(self, grant: Grant, capsule: Capsule, edit: Edit) -> tuple[bool, str | None]:
        """(is encrypted, hash) after an edit. What is encrypted is opened, or gets another password, by its password
        alone. Raises `BadRequest`, `Unprocessable`, `Forbidden`, `Throttled`."""
        is_encrypted = capsule.is_encrypted if edit.is_encrypted is None else edit.is_encrypted
        is_new = is_encrypted and not capsule.is_encrypted
        if (edit.password is None) if is_new else (edit.password is not None and not is_encrypted):
            raise _misplaced()
        if capsule.is_encrypted and (not is_encrypted or edit.password is not None):
            await self._check(grant, capsule, edit.current_password or "")
        if not is_encrypted:
            return False, None
        return True, capsule.password_hash if edit.password is None else await self._hash(edit.password)

    async def unlock(self, grant: Grant, capsule: Capsule, password: str) -> None:
        """Raises `Forbidden` for another password, `Throttled` after too many tries."""
        await self._check(grant, capsule, password)
        key = _key(grant, capsule)
        self._unlocked[key] = self._clock.monotonic() + UNLOCKED_S
        self._unlocked.move_to_end(key)
        if len(self._unlocked) > _MAX_UNLOCKED:
            self._unlocked.popitem(last=False)

    def has_unlocked(self, grant: Grant, capsule: Capsule) -> bool:
        """Whether the caller has given the password just now."""
        return self._unlocked.get(_key(grant, capsule), 0.0) > self._clock.monotonic()

    async def _check(self, grant: Grant, capsule: Capsule, password: str) -> None:
        self._tries.admit(f"{owner_key(grant.actor)} {capsule.id}")
        if not (await self._passwords.check(password, capsule.password_hash)).fits:
            raise Forbidden("the password is wrong")

    async def _hash(self, password: str | None) -> str | None:
        return None if password is None else await self._passwords.hash(check_password(password))


def _key(grant: Grant, capsule: Capsule) -> tuple[str, int, str | None]:
    # With the hash: a new password ends what the old one opened.
    return owner_key(grant.actor), capsule.id, capsule.password_hash


def _misplaced() -> BadRequest:
    return BadRequest("password: give one where isEncrypted is true, and only there")
