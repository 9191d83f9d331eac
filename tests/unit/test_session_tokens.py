"""Session tokens: what was signed is read back, and nothing else is."""

import base64
import json

import pytest

from tempmail.domain.actor import Role
from tempmail.errors import ConfigError
from tempmail.services.session_tokens import Claims, SessionTokens

ROOT, OTHER = "r" * 32, "s" * 32


def sign(tokens: SessionTokens, role: Role = Role.USER, *, account_id: int = 7, fingerprint: str = "") -> str:
    return tokens.sign(role, account_id, epoch=3, fingerprint=fingerprint, issued_at=100, expires_at=200)


@pytest.mark.parametrize(
    ("role", "account_id", "fingerprint"),
    [
        (Role.STRICT_ADMIN, 1, "f"),
        (Role.ADMIN, 2, ""),
        (Role.USER, 3, ""),
        (Role.MAILBOX, 4, ""),
        (Role.GUEST, 0, "g"),
    ],
)
def test_a_token_is_read_as_it_was_signed(role: Role, account_id: int, fingerprint: str) -> None:
    token = sign(SessionTokens(ROOT), role, account_id=account_id, fingerprint=fingerprint)
    for reader in (tokens := SessionTokens(ROOT), tokens):
        claims = reader.read(token)
        assert claims is not None
        assert claims == Claims(claims.jti, 200, role, account_id, 3, fingerprint)


def test_no_two_tokens_are_alike() -> None:
    tokens = SessionTokens(ROOT)
    assert len({sign(tokens) for _ in range(100)}) == 100


def test_a_token_of_another_root_token_is_none_of_ours() -> None:
    assert SessionTokens(ROOT).read(sign(SessionTokens(OTHER))) is None


def test_a_changed_claim_breaks_the_signature() -> None:
    tokens = SessionTokens(ROOT)
    header, payload, signature = sign(tokens).split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    changed = base64.urlsafe_b64encode(json.dumps({**claims, "userId": 1}).encode()).rstrip(b"=").decode()
    assert tokens.read(f"{header}.{changed}.{signature}") is None


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "\u00e9", "\0", "x" * 100_000, "." * 2048], ids=repr)
def test_nonsense_is_no_token(text: str) -> None:
    assert SessionTokens(ROOT).read(text) is None


@pytest.mark.parametrize(("length", "is_read"), [(2048, True), (2049, False)])
def test_longer_texts_are_not_looked_at(length: int, is_read: bool) -> None:
    tokens = SessionTokens(ROOT)
    shortest = len(sign(tokens, Role.GUEST, fingerprint="x" * 960))
    token = sign(tokens, Role.GUEST, fingerprint="x" * (960 + (length - shortest) * 3 // 4))
    assert len(token) == length
    assert (tokens.read(token) is not None) is is_read


def test_many_tokens_are_read_whatever_is_remembered() -> None:
    tokens = SessionTokens(ROOT)
    signed = [sign(tokens, account_id=number) for number in range(1, 5001)]
    for _ in range(2):
        read = [tokens.read(token) for token in signed]
        assert [claims.account_id for claims in read if claims is not None] == list(range(1, 5001))


def test_a_fingerprint_changes_with_each_part_and_tells_none() -> None:
    tokens = SessionTokens(ROOT)
    prints = [
        tokens.fingerprint("admin", "secret"),
        tokens.fingerprint("admin", "secreT"),
        tokens.fingerprint("admins", "ecret"),
        tokens.fingerprint("adminsecret"),
        SessionTokens(OTHER).fingerprint("admin", "secret"),
    ]
    assert len(set(prints)) == 5
    assert SessionTokens(ROOT).fingerprint("admin", "secret") == prints[0]
    assert all(len(text) == 24 for text in prints)


def test_there_is_no_service_without_a_root_token() -> None:
    with pytest.raises(ConfigError, match="JWT_TOKEN"):
        SessionTokens("")
