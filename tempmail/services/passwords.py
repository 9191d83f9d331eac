"""Hashing and checking passwords, off the event loop."""

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from tempmail.domain.passwords import Scheme, fits_original, scheme_of
from tempmail.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")

_MAX_WAITING = 64
_SALT_CHARS, _DIGEST_CHARS = 22, 43  # argon2-cffi's 16 and 32 bytes in base64


@dataclass(frozen=True, slots=True)
class PasswordOptions:
    """argon2id's cost (RFC 9106 4). `threads`: how many hashes are computed at once; each holds `memory_kib`."""

    time_cost: int = 2
    memory_kib: int = 19_456
    parallelism: int = 1
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Checked:
    """`better_hash`: of the same password, to be stored instead of a hash of an older scheme or cost."""

    fits: bool
    better_hash: str | None = None


class Passwords:
    """Every method raises `Overloaded` where too many wait already: a flood of logins cannot pile up memory."""

    def __init__(self, options: PasswordOptions) -> None:
        self._hasher = PasswordHasher(
            time_cost=options.time_cost,
            memory_cost=options.memory_kib,
            parallelism=options.parallelism,
            type=Type.ID,
        )
        self._threads = ThreadPoolExecutor(options.threads, thread_name_prefix="passwords")
        self._waiting = 0
        # A name that nobody has costs as much as one that exists. All zeros is the digest of no password anybody finds.
        self._nobodys_hash = (
            f"$argon2id$v=19$m={options.memory_kib},t={options.time_cost},p={options.parallelism}"
            f"${'A' * _SALT_CHARS}${'A' * _DIGEST_CHARS}"
        )

    async def hash(self, password: str) -> str:
        """An argon2id hash in PHC form."""
        return await self._run(self._hash, password)

    async def check(self, password: str, password_hash: str | None) -> Checked:
        """Whether `password` is the one behind `password_hash`; never where that is None, empty or of no known form,
        which takes as long as a check that fails."""
        return await self._run(self._check, password, password_hash or "")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._waiting >= _MAX_WAITING:
            raise Overloaded("too many logins at once")
        self._waiting += 1
        try:
            work = functools.partial(function, *args, **kwargs)
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def _hash(self, password: str) -> str:
        return self._hasher.hash(password)

    def _check(self, password: str, password_hash: str) -> Checked:
        scheme = scheme_of(password_hash)
        if scheme is Scheme.ARGON2ID:
            fits = self._fits(password, password_hash)
            outdated = fits and self._hasher.check_needs_rehash(password_hash)
            return Checked(fits, self._hash(password) if outdated else None)
        if scheme is Scheme.UNKNOWN:
            self._fits(password, self._nobodys_hash)
            return Checked(fits=False)
        fits = fits_original(password, password_hash)
        if scheme is Scheme.SHA256 and not fits:
            # It takes no time at all, which would tell that the account exists.
            self._fits(password, self._nobodys_hash)
        return Checked(fits, self._hash(password) if fits else None)

    def _fits(self, password: str, password_hash: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
