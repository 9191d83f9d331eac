"""Password hashes: argon2id, and the original's two forms."""

import asyncio
import base64
import hashlib
import time
from collections.abc import Iterator

import pytest

from tempmail.domain.passwords import Scheme, fits_original, scheme_of
from tempmail.errors import Overloaded
from tempmail.services.passwords import Checked, PasswordOptions, Passwords

WAITING = 64
CHEAP = PasswordOptions(time_cost=1, memory_kib=8)

# PBKDF2-HMAC-SHA256, 100 000 iterations, of "correct horse" and of "пароль", salt 00 01 … 0f; made with hashlib.
PBKDF2 = "pbkdf2:sha256:AAECAwQFBgcICQoLDA0ODw==:V/LC8HOXSNUWQZsGKohGZjI8WD6krhZVBKgfe1PGKgk="
PBKDF2_CYRILLIC = "pbkdf2:sha256:AAECAwQFBgcICQoLDA0ODw==:7qXy2WJpZ0Pls5SGE9BBTPuly6l3EC55s6f8BVcDt8M="
# FIPS 180: SHA-256 of "abc".
SHA256_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def pbkdf2(password: str, *, iterations: int = 100_000, salt: bytes = b"salt", length: int = 32) -> str:
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations, length)
    return f"pbkdf2:sha256:{base64.b64encode(salt).decode()}:{base64.b64encode(made).decode()}"


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(CHEAP)
    yield passwords
    passwords.close()


@pytest.mark.parametrize(
    ("password_hash", "scheme"),
    [
        pytest.param("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA", Scheme.ARGON2ID, id="argon2id"),
        pytest.param("$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA", Scheme.UNKNOWN, id="argon2i"),
        pytest.param(PBKDF2, Scheme.PBKDF2, id="pbkdf2"),
        pytest.param(SHA256_ABC, Scheme.SHA256, id="sha256"),
        pytest.param(SHA256_ABC.upper(), Scheme.SHA256, id="sha256 in upper case"),
        pytest.param(SHA256_ABC[:-1], Scheme.UNKNOWN, id="63 digits"),
        pytest.param(SHA256_ABC + "0", Scheme.UNKNOWN, id="65 digits"),
        pytest.param(SHA256_ABC + "\n", Scheme.UNKNOWN, id="a line end behind"),
        pytest.param("", Scheme.UNKNOWN, id="empty"),
        pytest.param("secret", Scheme.UNKNOWN, id="a password in plain"),
        pytest.param("$argon2id$" + "x" * 502, Scheme.ARGON2ID, id="512 characters"),
        pytest.param("$argon2id$" + "x" * 503, Scheme.UNKNOWN, id="513 characters"),
    ],
)
def test_a_hash_is_known_by_its_form(password_hash: str, scheme: Scheme) -> None:
    assert scheme_of(password_hash) is scheme


@pytest.mark.parametrize(
    ("password", "password_hash", "fits"),
    [
        pytest.param("correct horse", PBKDF2, True, id="pbkdf2"),
        pytest.param("пароль", PBKDF2_CYRILLIC, True, id="pbkdf2 of UTF-8"),
        pytest.param("Correct horse", PBKDF2, False, id="pbkdf2 of another password"),
        pytest.param("x", pbkdf2("x"), True, id="pbkdf2 with another salt"),
        pytest.param("x", pbkdf2("x", iterations=99_999), False, id="other iterations"),
        pytest.param("x", pbkdf2("x", length=31), False, id="a shorter hash"),
        pytest.param("x", pbkdf2("x", length=33), False, id="a longer hash"),
        pytest.param("x", "pbkdf2:sha256:c2FsdA==:", False, id="an empty hash"),
        pytest.param("x", "pbkdf2:sha256:c2FsdA==", False, id="no hash"),
        pytest.param("x", "pbkdf2:sha256:", False, id="nothing"),
        pytest.param("x", "pbkdf2:sha256:c2FsdA:***", False, id="no base64"),
        pytest.param("x", "pbkdf2:sha256:\u00e9:\u00e9", False, id="not ASCII"),
        pytest.param("abc", SHA256_ABC, True, id="sha256"),
        pytest.param("abc", SHA256_ABC.upper(), True, id="sha256 in upper case"),
        pytest.param("abd", SHA256_ABC, False, id="sha256 of another password"),
        pytest.param("abc", "abc", False, id="plain text is no hash"),
        pytest.param("", "", False, id="empty"),
    ],
)
def test_the_originals_hashes_fit_their_passwords(password: str, password_hash: str, fits: bool) -> None:
    assert fits_original(password, password_hash) is fits


def test_a_hash_fits_its_password_and_no_other(passwords: Passwords) -> None:
    async def ask() -> list[Checked]:
        made = await passwords.hash("пароль 密码")
        assert made.startswith("$argon2id$v=19$m=8,t=1,p=1$")
        return [await passwords.check(password, made) for password in ("пароль 密码", "пароль", "")]

    assert asyncio.run(ask()) == [Checked(True), Checked(False), Checked(False)]


@pytest.mark.parametrize(
    "password_hash", [None, SHA256_ABC, "plain"], ids=["no hash", "the original's oldest", "no known form"]
)
def test_a_check_of_whatever_hash_costs_about_as_much_as_one_of_ours(password_hash: str | None) -> None:
    # CPU time of one thread; the margin is wide, since a check that skips the work would take a hundredth.
    dear = Passwords(PasswordOptions(time_cost=8, memory_kib=4096, threads=1))

    async def cost(password_hash: str | None) -> float:
        began = time.process_time()
        for _ in range(3):
            await dear.check("wrong", password_hash)
        return time.process_time() - began

    async def ask() -> float:
        stored = await dear.hash("right")
        return await cost(password_hash) / await cost(stored)

    ratio = asyncio.run(ask())
    dear.close()
    assert 0.2 < ratio < 5


def test_two_hashes_of_one_password_differ(passwords: Passwords) -> None:
    async def ask() -> set[str]:
        return {await passwords.hash("x"), await passwords.hash("x")}

    assert len(asyncio.run(ask())) == 2


@pytest.mark.parametrize("password_hash", [None, "", "plain", "$argon2id$broken", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$"])
def test_nothing_fits_where_there_is_no_hash(passwords: Passwords, password_hash: str | None) -> None:
    for password in ("plain", "", "nobody's"):
        assert asyncio.run(passwords.check(password, password_hash)) == Checked(False)


@pytest.mark.parametrize(
    "old_hash", [pbkdf2("secret"), hashlib.sha256(b"secret").hexdigest()], ids=["pbkdf2", "sha256"]
)
def test_an_old_hash_that_fits_gets_a_better_one_and_only_then(passwords: Passwords, old_hash: str) -> None:
    async def ask() -> tuple[Checked, Checked, Checked]:
        right, wrong = await passwords.check("secret", old_hash), await passwords.check("Secret", old_hash)
        return right, wrong, await passwords.check("secret", right.better_hash)

    right, wrong, again = asyncio.run(ask())
    assert right.fits
    assert wrong == Checked(False)
    assert again == Checked(True)


def test_a_hash_of_another_cost_gets_one_of_the_cost_that_is_set(passwords: Passwords) -> None:
    dearer = Passwords(PasswordOptions(time_cost=2, memory_kib=16))

    async def ask() -> tuple[Checked, Checked]:
        cheap = await passwords.hash("secret")
        return await dearer.check("secret", cheap), await dearer.check("wrong", cheap)

    right, wrong = asyncio.run(ask())
    dearer.close()
    assert right.better_hash is not None
    assert right.better_hash.startswith("$argon2id$v=19$m=16,t=2,p=1$")
    assert wrong == Checked(False)


@pytest.mark.parametrize(("at_once", "refused"), [(WAITING, 0), (WAITING + 1, 1)])
def test_only_so_many_wait_at_once(passwords: Passwords, at_once: int, refused: int) -> None:
    async def flood() -> list[Checked | BaseException]:
        results = await asyncio.gather(*(passwords.check("x", None) for _ in range(at_once)), return_exceptions=True)
        assert await passwords.check("x", None) == Checked(False)  # There is room again.
        return results

    results = asyncio.run(flood())
    assert [type(result) for result in results] == [Checked] * WAITING + [Overloaded] * refused


def test_who_gives_up_makes_room(passwords: Passwords) -> None:
    async def flood() -> None:
        for _ in range(2):
            waiting = [asyncio.ensure_future(passwords.check("x", None)) for _ in range(WAITING)]
            await asyncio.sleep(0)
            for check in waiting:
                check.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        assert await passwords.check("x", None) == Checked(False)

    asyncio.run(flood())
