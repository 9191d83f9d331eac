"""Removing a sandbox credential with all that was recorded of its mails."""

from pathlib import Path

from tempmail.adapters.sql.sandbox import SqlSandboxes
from tempmail.domain.policy import grant
from tempmail.domain.sandbox import Envelope, SandboxDraft, State, Submission
from tests.contract.sandbox_resend import resend
from tests.contract.sandbox_suite import OPERATOR, Sandbox

RECORDS = 1_100


class Watched(SqlSandboxes):
    """Keeps how many records went with each transaction."""

    cleared: list[int]

    async def clear_credential(self, credential_id: int, *, limit: int) -> int:
        gone = await super().clear_credential(credential_id, limit=limit)
        self.cleared.append(gone)
        return gone


def test_thousands_of_records_go_in_small_transactions(tmp_path: Path) -> None:
    """Incoming mail waits for whoever writes."""
    with Sandbox(tmp_path, resend) as sandbox:
        made = sandbox.credential(values={"key": "re_mine_again"})
        envelope = Envelope("a@b.example", ("c@d.example",))
        drafts = tuple(SandboxDraft(f"m{n}", State.BOUNCED, b"{}", b"{}", envelope) for n in range(RECORDS))
        sandbox.run(sandbox.store.sandboxes.take(lambda: [Submission(made.credential.id, drafts, sandbox.stamp_in(0))]))
        sandbox.store.sandboxes.__class__ = Watched
        watched = sandbox.store.sandboxes
        assert isinstance(watched, Watched)
        watched.cleared = []

        sandbox.run(sandbox.service.remove("resend", made.credential.id))

        assert (sum(watched.cleared), max(watched.cleared)) == (RECORDS, 500)
        again = sandbox.run(
            sandbox.service.create(grant(OPERATOR, "sandbox.manage"), "resend", values={"key": "re_mine_again"})
        )
        assert again.credential.id != made.credential.id
