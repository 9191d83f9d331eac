"""What the provider sandboxes need of the database."""

from collections.abc import Callable, Sequence
from typing import Protocol

from tempmail.domain.sandbox import (
    CredentialChange,
    DueMail,
    DueReport,
    SandboxCredential,
    SandboxMail,
    SandboxWork,
    Taken,
)


class Sandboxes(Protocol):
    """Credentials of the provider sandboxes, and what came through them. Every method is one transaction, durable on
    return."""

    async def add_credential(self, credential: SandboxCredential, *, limit: int) -> SandboxCredential:
        """With its id. Raises `Conflict` where the provider has one of this lookup, `QuotaReached` where there are
        `limit` credentials."""
        ...

    async def find_credential(self, provider: str, lookup: str) -> SandboxCredential | None: ...

    async def get_credential(self, credential_id: int) -> SandboxCredential | None: ...

    async def credentials(self, provider: str | None, *, after_id: int, limit: int) -> list[SandboxCredential]:
        """By id, those above `after_id`; of one provider, or of all (None)."""
        ...

    async def change_credential(
        self, credential_id: int, change: CredentialChange, *, new_secret: str
    ) -> SandboxCredential | None:
        """Switches are replaced whole. `new_secret` becomes the webhook's where it had none. None where there is no
        such credential."""
        ...

    async def retire_credential(self, credential_id: int) -> bool:
        """No request names it any more, and another may have its values. False if there is none."""
        ...

    async def clear_credential(self, credential_id: int, *, limit: int) -> int:
        """Forget up to `limit` records of it: mails, answers kept for repeats, reports. Returns how many went; less
        than `limit`: all."""
        ...

    async def remove_credential(self, credential_id: int) -> bool:
        """With all that is recorded of its mails; what they brought to mailboxes stays. False if there was none."""
        ...

    async def take(self, take: Callable[[], Sequence[SandboxWork]]) -> list[Taken]:
        """Do all of the work in one transaction; what became of each piece, in order. `take` is called once, when the
        transaction has begun, on another thread perhaps."""
        ...

    async def mail(self, credential_id: int, provider_id: str) -> SandboxMail | None: ...

    async def mails(
        self, credential_id: int, *, limit: int, after_id: int | None = None, before_id: int | None = None
    ) -> list[SandboxMail]:
        """Newest first: the newest ones, the next older than `after_id`, or those just newer than `before_id`."""
        ...

    async def request_of(self, mail_id: int) -> bytes:
        """What came, without the content of attachments; empty where the mail is gone."""
        ...

    async def raw_of(self, mail_id: int) -> bytes | None:
        """The mail that waits for its time; None where it does not (any more)."""
        ...

    async def reschedule(self, mail_id: int, scheduled_at: str) -> bool:
        """Give it another time; False where it does not wait (any more)."""
        ...

    async def cancel(self, mail_id: int) -> bool:
        """Take it back; False where it does not wait (any more)."""
        ...

    async def due(self, now: str, *, limit: int) -> list[DueMail]:
        """Scheduled mails whose time has come, the earliest first."""
        ...

    async def used(self, credential_id: int, *, since_day: str) -> int:
        """How many mails were taken from that day on (`YYYY-MM-DD`, UTC)."""
        ...

    async def claim_reports(self, *, now: str, until: str, limit: int) -> list[DueReport]:
        """Reports whose try is due, not handed out again before `until`."""
        ...

    async def finish_report(self, report_id: int) -> None:
        """It arrived, or is given up."""
        ...

    async def retry_report(self, report_id: int, *, due: str, error: str) -> None: ...

    async def purge(self, *, mails_before: str, answers_before: str, days_before: str, keep: int, limit: int) -> int:
        """Forget up to `limit` of the oldest mails, those recorded before `mails_before` and all but the newest `keep`,
        of the answers kept for repeats, and of reports with `keep` newer ones; add up what was used on the days before
        `days_before` (`YYYY-MM-DD`). Mails that wait for their time stay. Returns how many rows went."""
        ...
