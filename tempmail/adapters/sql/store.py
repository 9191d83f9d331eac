"""The whole store in SQL: one database, its repositories, and how it is opened."""

from pathlib import Path

from tempmail.adapters.sql.audit import SqlAudit
from tempmail.adapters.sql.capsules import SqlCapsules
from tempmail.adapters.sql.extractions import SqlExtractions
from tempmail.adapters.sql.forwards import SqlForwardTargets
from tempmail.adapters.sql.jobs import SqlJobs
from tempmail.adapters.sql.mail import ForwardTo, SqlMail, own_target
from tempmail.adapters.sql.mailbox_logins import SqlMailboxLogins
from tempmail.adapters.sql.mailboxes import SqlMailboxes
from tempmail.adapters.sql.migrate import migrate
from tempmail.adapters.sql.outbox import SqlOutbox
from tempmail.adapters.sql.rules import SqlExtractionRules
from tempmail.adapters.sql.sandbox import SqlSandboxes
from tempmail.adapters.sql.sandbox_records import SqlCallLog, SqlMailTotals, SqlTemplates
from tempmail.adapters.sql.script import Database, one
from tempmail.adapters.sql.send_keys import SqlSendKeys
from tempmail.adapters.sql.sent_mails import SqlSentMails
from tempmail.adapters.sql.sessions import SqlSessions
from tempmail.adapters.sql.spool import SqlSpool
from tempmail.adapters.sql.sqlite import SqliteDatabase
from tempmail.adapters.sql.tokens import SqlTokens
from tempmail.adapters.sql.users import SqlUsers
from tempmail.clock import Clock

DEFAULT_BUCKET = "mail-eml"


class SqlStore:
    """Implements `ports.Store`."""

    def __init__(self, database: Database, *, bucket: str = DEFAULT_BUCKET, forward_to: ForwardTo = own_target) -> None:
        self._database = database
        self.mail = SqlMail(database, bucket=bucket, forward_to=forward_to)
        self.forward_targets = SqlForwardTargets(database)
        self.mailboxes = SqlMailboxes(database)
        self.spool = SqlSpool(database)
        self.users = SqlUsers(database)
        self.mailbox_logins = SqlMailboxLogins(database)
        self.sessions = SqlSessions(database)
        self.jobs = SqlJobs(database)
        self.tokens = SqlTokens(database)
        self.audit = SqlAudit(database)
        self.rules = SqlExtractionRules(database)
        self.sandboxes = SqlSandboxes(database, bucket=bucket)
        self.sandbox_templates = SqlTemplates(database)
        self.sandbox_log = SqlCallLog(database)
        self.sandbox_totals = SqlMailTotals(database)
        self.extractions = SqlExtractions(database)
        self.outbox = SqlOutbox(database)
        self.sent = SqlSentMails(database)
        self.send_keys = SqlSendKeys(database)
        self.capsules = SqlCapsules(database, bucket=bucket, forward_to=forward_to)

    async def ping(self) -> None:
        """A write transaction without a write: proves that the lock can be had and the file is there."""
        await self._database.write(one("store.ping"))

    async def checkpoint(self) -> None:
        await self._database.checkpoint()

    async def close(self) -> None:
        await self._database.close()


async def open_store(
    path: Path,
    *,
    clock: Clock,
    bucket: str = DEFAULT_BUCKET,
    readers: int = 1,
    migrated: bool = False,
    forward_to: ForwardTo = own_target,
) -> SqlStore:
    """The store in the SQLite file at `path`, brought up to date first unless the caller has (`migrated`).

    Raises `ConfigError` (see `migrate`), `StoreUnavailable`.
    """
    if not migrated:
        migrate(path, clock)
    return SqlStore(await SqliteDatabase.open(path, readers=readers), bucket=bucket, forward_to=forward_to)
