"""What single sandboxes keep beside credentials and mails."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tempmail.domain.sandbox import SandboxMail, State
from tempmail.domain.sandbox_templates import Template


class Templates(Protocol):
    """Templates of the mail_push sandbox. Every method is one transaction, durable on return."""

    async def templates(self, credential_id: int) -> list[Template]:
        """By `temp_id`."""
        ...

    async def template(self, credential_id: int, temp_id: int) -> Template | None: ...

    async def add_template(self, credential_id: int, template: Template, *, limit: int) -> Template | None:
        """With the next free `temp_id` from the template's own on; None where there is no such credential. Raises
        `QuotaReached` where it has `limit`."""
        ...

    async def put_template(self, credential_id: int, template: Template, *, limit: int) -> bool:
        """Put it in the place of the one with its id, if there is any. False where there is no such credential. Raises
        `QuotaReached` where it has `limit` others."""
        ...

    async def remove_template(self, credential_id: int, temp_id: int) -> bool:
        """False if there was none."""
        ...


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One call of the nobase sandbox, whatever came of it. `appid`, `mail`, `title`: as given, cut. `code`, `detail`:
    as answered. `address`: the caller's IP."""

    id: int
    credential_id: int | None
    appid: str
    mail: str
    title: str
    code: int
    detail: str
    address: str
    created_at: str


class CallLog(Protocol):
    """The log of the nobase sandbox. Every method is one transaction, durable on return."""

    async def add_entry(self, entry: LogEntry, *, keep: int) -> None:
        """Entries beyond the newest `keep` go."""
        ...

    async def entries(self, *, below_id: int | None, limit: int) -> list[LogEntry]:
        """Newest first, those with a lower id."""
        ...


class MailTotals(Protocol):
    """Mails of a credential, counted and listed by when they were taken. Bounds are stamps; None: no bound."""

    async def by_state(self, credential_id: int, *, since: str | None, until: str | None) -> Mapping[State, int]:
        """How many were taken from `since` on, before `until`; states without any are not in it."""
        ...

    async def taken_between(
        self, credential_id: int, *, since: str | None, until: str | None, offset: int, limit: int
    ) -> list[SandboxMail]:
        """Newest first."""
        ...
