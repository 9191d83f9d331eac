"""Who sent a request: its credential, and its address behind trusted proxies."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

from tempmail.domain.actor import Actor
from tempmail.domain.tokens import PREFIX
from tempmail.services.sessions import SessionService
from tempmail.services.tokens import TokenService
from tempmail.web.call import SESSION_COOKIE, Headers

_COOKIE_PREFIX = f"{SESSION_COOKIE}="
_MAX_HOPS = 32
_OTHER_SITES = frozenset({b"cross-site", b"same-site"})


class Proxies:
    """The reverse proxies whose word is taken for the caller's address and scheme."""

    def __init__(self, networks: Iterable[str]) -> None:
        """`networks`: addresses or CIDR blocks. Raises ValueError for anything else."""
        self._networks: Sequence[IPv4Network | IPv6Network] = [ip_network(n, strict=False) for n in networks]

    def client(self, scope: Scope, headers: Headers) -> tuple[str, bool]:
        """(address, is https): the nearest address that is not a trusted proxy, and the scheme as the nearest
        proxy saw it."""
        peer = _unmapped(scope["client"][0]) if scope.get("client") else ""
        https = scope["scheme"] == "https"
        if not self._networks or not self._trusted(peer):
            return peer, https
        claimed = headers.get(b"x-forwarded-proto")
        if claimed is not None:
            https = claimed.rpartition(b",")[2].strip().lower() == b"https"
        # Every line counts, in order; a proxy appends at the end, so the end is what can be believed.
        lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = b",".join(lines).decode("latin-1").split(",")
        for hop in reversed(hops[-_MAX_HOPS:]):
            address = _unmapped(hop.strip())
            if not _is_address(address):
                break
            peer = address
            if not self._trusted(address):
                break
        return peer, https

    def _trusted(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def throttle_key(address: str) -> str:
    """What attempts are counted by: the address, or the /64 of an IPv6 one (its owner has all of it)."""
    if ":" not in address or not _is_address(address):
        return address
    return str(ip_network(f"{address.partition('%')[0]}/64", strict=False))


def from_another_site(headers: Headers) -> bool:
    """Whether a browser says that a page of another site made the request (W3C Fetch Metadata), a neighbour under the
    same registered domain included: to that one SameSite=Strict still gives the cookie."""
    return headers.get(b"sec-fetch-site") in _OTHER_SITES


def session_cookie(headers: Headers) -> str | None:
    cookies = headers.get(b"cookie")
    if cookies is None:
        return None
    for part in cookies.decode("latin-1").split(";"):
        cookie = part.strip()
        if cookie.startswith(_COOKIE_PREFIX):
            return cookie[len(_COOKIE_PREFIX) :] or None
    return None


async def authenticate(
    headers: Headers, sessions: SessionService, tokens: TokenService, session_token: str | None
) -> Actor | None:
    """The caller; None without a valid credential. The root token comes first, in either header, never in the query
    (seed 004); a wrong one falls back to the session cookie. An API token that does not hold does not fall back."""
    offered = headers.get(b"authorization")
    if offered is not None:
        scheme, _, token = offered.decode("latin-1").partition(" ")
        if scheme.lower() == "bearer":
            token = token.strip()
            if root := sessions.root(token):
                return root
            if token.startswith(PREFIX):
                return await tokens.actor_of(token)
    offered = headers.get(b"x-admin-token")
    if offered is not None and (root := sessions.root(offered.decode("latin-1").strip())):
        return root
    return None if session_token is None else await sessions.actor_of(session_token)


def _unmapped(address: str) -> str:
    """An IPv4 address as such, where a dual-stack socket names it in IPv6 (RFC 4291 2.5.5.2)."""
    if not address.lower().startswith("::ffff:") or not _is_address(address):
        return address
    mapped = getattr(ip_address(address), "ipv4_mapped", None)
    return address if mapped is None else str(mapped)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Remembered: every request through a proxy asks for the same few."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def _is_address(text: str) -> bool:
    return _parsed(text) is not None
