"""What a user may be called, and how many mailboxes it may be allowed."""

import unicodedata
from math import isfinite

from tempmail.errors import BadRequest

MAX_USERNAME_CHARS = 64
DEFAULT_MAILBOX_LIMIT = 10
MAX_MAILBOX_LIMIT = 1_000_000

RESERVED = frozenset({"__root__", "guest", "cli"})
"""Names that sessions and the audit log use for callers without an account."""

# Control and format characters (also those that turn the direction of writing), half a surrogate pair, and the
# separators of lines: nobody can see or type them, and two names that look alike would be two accounts.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def normalized_username(username: str) -> str:
    """The one form in which a name is stored and looked up: trimmed, in lower case.

    >>> normalized_username(" Ann "), normalized_username("张三")
    ('ann', '张三')
    """
    return username.strip().lower()


def checked_username(username: str) -> str:
    """The name in its stored form, if an account may have it. Raises `BadRequest`.

    Any script will do. Without `@`, since that is how the name of a mailbox login is told from that of a user.
    """
    name = normalized_username(username)
    if not name:
        raise BadRequest("用户名不能为空")
    if len(name) > MAX_USERNAME_CHARS:
        raise BadRequest(f"用户名最多 {MAX_USERNAME_CHARS} 个字符")
    if "@" in name:
        raise BadRequest("用户名不能包含 @")
    if any(unicodedata.category(character) in _UNSEEN for character in name):
        raise BadRequest("用户名不能包含控制字符")
    if name in RESERVED:
        raise BadRequest(f"用户名 {name} 为系统保留")
    return name


def checked_limit(limit: float) -> int:
    """The number, if it may limit an account's mailboxes; 0: it may have none. Raises `BadRequest`."""
    if not isfinite(limit) or limit != int(limit) or not 0 <= limit <= MAX_MAILBOX_LIMIT:
        raise BadRequest(f"mailboxLimit 必须是 0 到 {MAX_MAILBOX_LIMIT} 的整数")
    return int(limit)
