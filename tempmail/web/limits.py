"""How often a caller may do what: one table, and the counters behind it.

Exactly one process of a server answers HTTP (`runtime/supervisor.py`), so the counters are its memory and nothing
else; they begin anew when it does.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from tempmail.clock import Clock
from tempmail.domain.policy import Grant, Reach
from tempmail.services.throttle import Throttle

Counted = Literal["login", "mailbox.create"]
"""What an endpoint's calls may count as: `endpoint(…, throttle="login")`."""

WINDOW_S = 60.0
_MAX_NAME_CHARS = 320
_MAX_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls in any `WINDOW_S` seconds. A client is an address, or the /64 of an IPv6 one.

    | counted as       | by                                              | when                                  |
    |------------------|-------------------------------------------------|---------------------------------------|
    | `login`          | client                                          | before anything of the call is read   |
    | `login`          | account name, whether it exists or not, unless  | before a password is looked at        |
    |                  | the client has logged in to it before           |                                       |
    | `mailbox.create` | user, its API tokens' calls being its own       | once the policy has allowed the call  |
    | `mailbox.create` | client, of those in the demonstration           | likewise                              |
    | audited calls    | user or mailbox, within reach OWN               | likewise                              |

    Successes and failures count alike; refused calls do not count. Reach ALL creates without limit. The audit log keeps
    a number of entries: without its limit, anybody could push out of it what others did. Without the exception for
    clients that have logged in before, anybody could keep the owner of an account from logging in.
    """

    logins_per_client: int = 10
    logins_per_account: int = 10
    mailbox_creates: int = 60
    audited_calls: int = 60


class Throttles:
    """The counters. Every method counts one call, and raises `Throttled` instead where its limit is reached."""

    def __init__(self, limits: Limits, *, clock: Clock) -> None:
        self._logins_by_client = Throttle(limits.logins_per_client, WINDOW_S, clock=clock)
        self._logins_by_account = Throttle(limits.logins_per_account, WINDOW_S, clock=clock)
        self._creates = Throttle(limits.mailbox_creates, WINDOW_S, clock=clock)
        self._audited = Throttle(limits.audited_calls, WINDOW_S, clock=clock)
        self._known: OrderedDict[tuple[str | None, str], None] = OrderedDict()

    def arrived(self, throttle: Counted | None, client: str) -> None:
        """A call that counts as `throttle` came from `client`."""
        if throttle == "login":
            self._logins_by_client.admit(client)

    def granted(self, throttle: Counted | None, grant: Grant, client: str) -> None:
        """The policy allows the call."""
        if throttle != "mailbox.create" or grant.reach is Reach.ALL:
            return
        self._creates.admit(f"client {client}" if grant.reach is Reach.DEMO else f"user {grant.actor.user_id}")

    def audited(self, grant: Grant) -> None:
        """A call that will be recorded in the audit log."""
        actor = grant.actor
        if grant.reach is Reach.OWN:
            self._audited.admit(f"mailbox {actor.mailbox_id}" if actor.mailbox_id else f"user {actor.user_id}")

    def password_tried(self, account_name: str, client: str | None = None) -> None:
        """A password of this account is about to be checked; at login, for this client. Names are counted in lower
        case, without white space around them, by their beginning: the counters' memory is bounded."""
        name = _name(account_name)
        if (client, name) not in self._known:
            self._logins_by_account.admit(name)

    def logged_in(self, account_name: str, client: str) -> None:
        """The client has just proved to be the account's. The last `_MAX_KNOWN` are remembered."""
        key = client, _name(account_name)
        self._known[key] = None
        self._known.move_to_end(key)
        if len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)


def _name(account_name: str) -> str:
    return account_name.strip().lower()[:_MAX_NAME_CHARS]
