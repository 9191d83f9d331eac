"""Credentials of the provider sandboxes: make, list, change, remove, and who is behind what a request offers."""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from tempmail.clock import Clock, stamp
from tempmail.domain.address import ALPHABET, ServedDomains, receivable, split_address
from tempmail.domain.policy import Grant
from tempmail.domain.sandbox import MAX_CREDENTIALS, CredentialChange, SandboxCredential
from tempmail.domain.sandbox_providers import SandboxProvider, provider_named
from tempmail.errors import BadRequest, Conflict, NotFound, QuotaReached
from tempmail.ports import Mailboxes
from tempmail.ports.sandbox import Sandboxes
from tempmail.services.fresh import Fresh, Version
from tempmail.services.passwords import Passwords

MAX_NAME_CHARS = 64
MAX_URL_CHARS = 2_048
MAX_VALUE_CHARS = 256
_MAILBOX_CHARS = 6
_SECRET_BYTES = 24
_REMEMBERED = 1_024
_CLEARED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NewCredential:
    """`values`: the parts of the credential, by field; secrets among them are shown this once. `webhook_secret`: what
    its webhooks are signed with, None without a webhook."""

    credential: SandboxCredential
    values: Mapping[str, str]
    webhook_secret: str | None


class SandboxService:
    """`version`: as for sessions, so that a removed credential is refused at once. `choice` picks a random character of
    a text, `random_bytes` makes them; a test gives its own."""

    def __init__(
        self,
        sandboxes: Sandboxes,
        mailboxes: Mailboxes,
        domains: ServedDomains,
        passwords: Passwords,
        *,
        clock: Clock,
        version: Version = lambda: None,
        choice: Callable[[str], str] = secrets.choice,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._sandboxes = sandboxes
        self._mailboxes = mailboxes
        self._domains = domains
        self._passwords = passwords
        self._clock = clock
        self._choice = choice
        self._random_bytes = random_bytes
        self._known: Fresh[SandboxCredential | None] = Fresh(version, max_entries=_REMEMBERED)

    async def create(
        self,
        grant: Grant,
        provider_name: str,
        *,
        name: str = "",
        mailbox: str = "",
        values: Mapping[str, str] | None = None,
        switches: Mapping[str, object] | None = None,
        webhook_url: str = "",
    ) -> NewCredential:
        """A credential of a provider's sandbox. `values`: fields that are to be as given, such as a key that an app has
        already; the others are random. `mailbox`: where mail for addresses that are not served here goes; empty: a new
        one. Raises `BadRequest`."""
        provider = provider_named(provider_name)
        made = provider.new_values(self._choice) | self._checked_values(provider, values or {})
        url = checked_url(webhook_url)
        now = stamp(self._clock.now())
        held = provider.held(made)
        for field in provider.fields:
            if field.is_password:
                held[field.name] = await self._passwords.hash(field.transform(made[field.name]))
        credential = SandboxCredential(
            id=0,
            provider=provider.name,
            name=_checked_name(name),
            lookup=held[provider.lookup],
            fields=held,
            mailbox=self._mailbox_for(provider, mailbox),
            switches=provider.switches_with(switches or {}, {}),
            webhook_url=url or None,
            webhook_secret=self._new_secret() if url else None,
            created_at=now,
        )
        try:
            kept = await self._sandboxes.add_credential(credential, limit=MAX_CREDENTIALS)
        except (Conflict, QuotaReached) as exc:
            raise BadRequest(str(exc)) from exc
        await self._mailboxes.create(kept.mailbox, now=now, owner_id=grant.actor.owner_id)
        return NewCredential(kept, made, kept.webhook_secret)

    async def page(self, provider_name: str | None, *, after_id: int, limit: int) -> list[SandboxCredential]:
        """By id, those above `after_id`; of one provider, or of all. Raises `BadRequest`."""
        if provider_name is not None:
            provider_named(provider_name)
        return await self._sandboxes.credentials(provider_name, after_id=after_id, limit=limit)

    async def change(
        self,
        provider_name: str,
        credential_id: int,
        *,
        name: str | None = None,
        switches: Mapping[str, object] | None = None,
        webhook_url: str | None = None,
    ) -> SandboxCredential:
        """Change what is given; switches that are not given stay. An empty `webhook_url` takes the webhook away. Raises
        `BadRequest`, `NotFound`."""
        before = await self._find(provider_name, credential_id)
        change = CredentialChange(
            name=None if name is None else _checked_name(name),
            switches=None
            if switches is None
            else provider_named(provider_name).switches_with(switches, before.switches),
            webhook_url=None if webhook_url is None else checked_url(webhook_url),
        )
        changed = await self._sandboxes.change_credential(credential_id, change, new_secret=self._new_secret())
        if changed is None:
            raise _no_credential()
        return changed

    async def remove(self, provider_name: str, credential_id: int) -> None:
        """With all that is recorded of its mails; what they brought to mailboxes stays. Raises `BadRequest`,
        `NotFound`."""
        await self._find(provider_name, credential_id)
        await self._sandboxes.retire_credential(credential_id)
        # In small transactions: there may be tens of thousands, and mail waits for whoever writes.
        while await self._sandboxes.clear_credential(credential_id, limit=_CLEARED_AT_ONCE) == _CLEARED_AT_ONCE:
            pass
        if not await self._sandboxes.remove_credential(credential_id):
            raise _no_credential()

    async def behind(self, provider: SandboxProvider, offered: str) -> SandboxCredential | None:
        """The credential that a request names by `offered`, the value of the provider's `lookup` field."""
        if len(offered) > MAX_VALUE_CHARS:
            return None
        lookup = provider.field(provider.lookup).held(offered)
        return await self._known.get(
            (provider.name, lookup), lambda: self._sandboxes.find_credential(provider.name, lookup)
        )

    async def by_id(self, provider: SandboxProvider, credential_id: int) -> SandboxCredential | None:
        """A credential of this provider."""
        found = await self._sandboxes.get_credential(credential_id)
        return found if found is not None and found.provider == provider.name else None

    async def _find(self, provider_name: str, credential_id: int) -> SandboxCredential:
        provider_named(provider_name)
        found = await self._sandboxes.get_credential(credential_id)
        if found is None or found.provider != provider_name:
            raise _no_credential()
        return found

    def _mailbox_for(self, provider: SandboxProvider, asked: str) -> str:
        address = asked.strip().lower()
        if not address:
            name = "".join(self._choice(ALPHABET) for _ in range(_MAILBOX_CHARS))
            return f"{provider.name.replace('_', '-')}-{name}@{self._domain()}"
        if not receivable(address) or not self._domains.serves(split_address(address)[1]):
            raise BadRequest("mailbox: an address in a domain that is served here")
        return address

    def _domain(self) -> str:
        """One that is served: below a wildcard, where there is nothing else."""
        concrete = self._domains.concrete
        return concrete[0].lower() if concrete else f"sandbox{self._domains.as_configured[0][1:].lower()}"

    def _checked_values(self, provider: SandboxProvider, values: Mapping[str, str]) -> dict[str, str]:
        known = {field.name for field in provider.fields}
        for name, value in values.items():
            if name not in known:
                raise BadRequest(
                    f"{name[:64]} is no part of a credential of {provider.name}; that has {', '.join(known)}"
                )
            fewest = provider.field(name).min_chars
            is_plain = value.isascii() and value.isprintable() and " " not in value
            if not is_plain or not fewest <= len(value) <= MAX_VALUE_CHARS:
                raise BadRequest(f"{name}: {fewest} to {MAX_VALUE_CHARS} printable ASCII characters without blanks")
        return dict(values)

    def _new_secret(self) -> str:
        return f"whsec_{base64.b64encode(self._random_bytes(_SECRET_BYTES)).decode()}"


def checked_url(text: str) -> str:
    """A webhook's URL, or "" for none. Raises `BadRequest`."""
    url = text.strip()
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        is_fit = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fit = False
    if (
        not is_fit
        or len(url) > MAX_URL_CHARS
        or not url.isascii()
        or not url.isprintable()
        or " " in url
        or "@" in parts.netloc
    ):
        raise BadRequest(f"webhook_url: http:// or https://, at most {MAX_URL_CHARS} characters, without a password")
    return url


def _checked_name(name: str) -> str:
    name = name.strip()
    if len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise BadRequest(f"name: at most {MAX_NAME_CHARS} printable characters")
    return name


def _no_credential() -> NotFound:
    return NotFound("no such sandbox credential")
