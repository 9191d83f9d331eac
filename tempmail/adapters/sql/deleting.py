"""Deleting messages so that their bodies follow, also across a crash."""

from tempmail.adapters.sql.script import Query, Rows, Script

CHUNK = 500
"""Rows that one transaction deletes at most, so that the write lock is never held for long."""


def delete_messages(name: str, params: dict[str, object], now: str) -> Script[int]:
    """Run the deleting query `name` and queue the bodies that no row refers to any more; returns how many rows went."""
    rows = yield Query(name, params)
    yield from _forget_bodies(rows, now)
    return len(rows)


def delete_from_mailbox(mailbox_id: int, now: str) -> Script[int]:
    """Remove up to `CHUNK` messages of a mailbox; returns how many went."""
    return (yield from delete_messages("mail.delete_from_mailbox", {"mailbox_id": mailbox_id, "limit": CHUNK}, now))


def _forget_bodies(deleted: Rows, now: str) -> Script[None]:
    """Queue the removal of every body whose last row is among `deleted`.

    A spooled body goes at once. Its object is removed only when the spool entry's lease is over: an upload in flight
    would otherwise land after the removal and stay behind for ever.
    """
    for key in dict.fromkeys(str(row["r2_object_key"]) for row in deleted):
        if not key or (yield Query("mail.shares_object", {"object_key": key})):
            continue
        lease = yield Query("spool.lease_end", {"object_key": key})
        due = max(now, str(lease[0]["due"])) if lease else now
        yield Query("spool.delete", {"object_key": key})
        yield Query("object_deletes.insert", {"object_key": key, "due": due})
