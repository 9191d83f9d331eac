"""What a sandbox's account has sent: counted, and page by page."""

from collections.abc import Mapping

from tempmail.domain.sandbox import SandboxCredential, SandboxMail, State
from tempmail.ports.sandbox_records import MailTotals


class SandboxTotals:
    """Bounds are stamps; None: no bound."""

    def __init__(self, totals: MailTotals) -> None:
        self._totals = totals

    async def by_state(
        self, credential: SandboxCredential, *, since: str | None = None, until: str | None = None
    ) -> Mapping[State, int]:
        """How many mails were taken from `since` on, before `until`; states without any are not in it."""
        return await self._totals.by_state(credential.id, since=since, until=until)

    async def page(
        self, credential: SandboxCredential, *, since: str | None, until: str | None, page: int, size: int
    ) -> list[SandboxMail]:
        """The `page`th `size` mails, newest first."""
        return await self._totals.taken_between(
            credential.id, since=since, until=until, offset=(page - 1) * size, limit=size
        )
