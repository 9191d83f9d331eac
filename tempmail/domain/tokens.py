"""Personal API tokens: the form of the secret, and what a scope may say."""

import hashlib
import re
from collections.abc import Callable, Sequence

from tempmail.domain.accounts import MAX_TOKEN_MAILBOXES
from tempmail.domain.actor import Actor, Scope
from tempmail.domain.address import normalized_address
from tempmail.domain.policy import ACTIONS, Reach, decide
from tempmail.errors import BadRequest

PREFIX = "tm_"
SECRET_BYTES = 32
MAX_NAME_CHARS = 64
MAX_ACTIONS = 32
MAX_PATTERN_CHARS = 320
MAX_DAYS = 3650
MAX_TOKENS = 100
"""Of one owner."""

_SECRET = re.compile(r"tm_[A-Za-z0-9_-]{43}")
_ACTION = re.compile(r"[a-z0-9_.*]{1,64}")
_MAILBOX = re.compile(r"[a-z0-9._*+-]*(?:@[a-z0-9.*-]+)?")


def new_secret(random_text: Callable[[int], str]) -> str:
    """A secret of 256 random bits. `random_text`: `secrets.token_urlsafe`."""
    return PREFIX + random_text(SECRET_BYTES)


def is_secret(text: str) -> bool:
    """Whether `text` has the form of a secret."""
    return _SECRET.fullmatch(text) is not None


def hash_of(secret: str) -> str:
    """What is stored of a secret. Plain SHA-256 is enough for 256 random bits: there is nothing to guess."""
    return hashlib.sha256(secret.encode()).hexdigest()


def checked_name(name: str) -> str:
    """The name as it is stored. Raises `BadRequest`."""
    name = name.strip()
    if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise BadRequest(f"name: 1 to {MAX_NAME_CHARS} printable characters")
    return name


def checked_scope(actor: Actor, actions: Sequence[str], mailboxes: Sequence[str]) -> Scope:
    """The scope as it is stored, without repeats. Raises `BadRequest` for patterns that are malformed, too many, or
    that allow nothing the actor may do with a token."""
    actions, mailboxes = tuple(dict.fromkeys(actions)), tuple(dict.fromkeys(map(normalized_address, mailboxes)))
    if not 1 <= len(actions) <= MAX_ACTIONS:
        raise BadRequest(f'actions: 1 to {MAX_ACTIONS} of them; ["*"] for all that you may do')
    open_to_it = [
        name
        for name, rule in ACTIONS.items()
        if rule.by_token and (rule.by_mailbox_token or not mailboxes) and decide(actor, name) is not Reach.NONE
    ]
    for pattern in actions:
        if not _ACTION.fullmatch(pattern) or not any(map(Scope((pattern,)).allows, open_to_it)):
            raise BadRequest(f"actions: {pattern[:64]} is nothing that you may do; see docs/policy.md for their names")
    if len(mailboxes) > MAX_TOKEN_MAILBOXES:
        raise BadRequest(f"mailboxes: at most {MAX_TOKEN_MAILBOXES} patterns")
    for pattern in mailboxes:
        if not pattern or len(pattern) > MAX_PATTERN_CHARS or not _MAILBOX.fullmatch(pattern):
            raise BadRequest("mailboxes: addresses, in which * stands for any characters, such as qa-*@example.com")
    return Scope(actions, mailboxes)
