"""Mail to the future in SQL: implements `ports.capsules.Capsules`."""

from collections.abc import Mapping, Sequence
from typing import Any

from tempmail.adapters.sql import outbox
from tempmail.adapters.sql.mail import ForwardTo, add_mails, own_target
from tempmail.adapters.sql.script import Database, Query, Row, Rows, Script, one, record
from tempmail.domain.capsules import (
    MAX_UNSENT_BYTES,
    Capsule,
    CapsuleFile,
    Recipient,
    Setting,
    Status,
    Trigger,
    check_editable,
    check_room,
    month_of,
    quota_reached,
)
from tempmail.domain.messages import IncomingMail
from tempmail.domain.outbound import State
from tempmail.errors import Unprocessable
from tempmail.ports.capsules import (
    CapsulePage,
    CapsuleText,
    Key,
    NewCapsule,
    NewSetting,
    SettledCapsule,
    StoredFile,
)
from tempmail.ports.outbound import NewOutbound

_FORGOTTEN_AT_ONCE = 100
"""More keys than one setting adds, so that the table shrinks."""
_NO_STATUS = ""
_STATUSES = ("status_a", "status_b", "status_c", "status_d", "status_e")


class SqlCapsules:
    def __init__(self, database: Database, *, bucket: str, forward_to: ForwardTo = own_target) -> None:
        self._database = database
        self._bucket = bucket
        self._forward_to = forward_to

    async def add(self, new: NewCapsule, *, limit: int, now: str) -> Capsule:
        return await self._database.write(_add(new, limit, now))

    async def find(self, uuid: str) -> Capsule | None:
        return _first(await self._database.read(one("capsules.find", {"uuid": uuid})))

    async def content(self, capsule_id: int) -> str:
        rows = await self._database.read(one("capsules.content", {"capsule_id": capsule_id}))
        return str(rows[0]["content"]) if rows else ""

    async def change(self, capsule_id: int, revision: int, text: CapsuleText, *, now: str) -> Capsule | None:
        return await self._database.write(_change(capsule_id, revision, text, now))

    async def delete(self, capsule_id: int) -> bool:
        return bool(await self._database.write(one("capsules.delete", {"id": capsule_id})))

    async def files(self, capsule_id: int) -> list[CapsuleFile]:
        rows = await self._database.read(one("capsules.attachments", {"capsule_id": capsule_id}))
        return [record(CapsuleFile, row) for row in rows]

    async def stored_files(self, capsule_id: int) -> list[StoredFile]:
        rows = await self._database.read(one("capsules.files", {"capsule_id": capsule_id}))
        return [StoredFile(record(CapsuleFile, row), row["body"]) for row in rows]

    async def file(self, capsule_id: int, uuid: str) -> StoredFile | None:
        rows = await self._database.read(one("capsules.file", {"capsule_id": capsule_id, "uuid": uuid}))
        return StoredFile(record(CapsuleFile, rows[0]), rows[0]["body"]) if rows else None

    async def attach(self, capsule_id: int, file: StoredFile, *, now: str) -> Capsule:
        return await self._database.write(_attach(capsule_id, file, now))

    async def detach(self, capsule_id: int, uuid: str, *, now: str) -> bool:
        return await self._database.write(_detach(capsule_id, uuid, now))

    async def replay(self, owner_key: str, key: Key) -> Setting | None:
        return await self._database.read(_replay(owner_key, key))

    async def set(self, new: NewSetting, owner_key: str) -> Setting | None:
        return await self._database.write(_set(new, owner_key))

    async def used(self, owner_key: str, month: str) -> int:
        rows = await self._database.read(one("capsules.used", {"owner_key": owner_key, "month": month}))
        return int(rows[0]["capsules"])

    async def revoke(self, capsule_id: int, *, now: str) -> Capsule | None:
        return _first(await self._database.write(one("capsules.revoke", {"id": capsule_id, "now": now})))

    async def release(self, capsule_id: int, capsule_uuid: str, *, now: str) -> Capsule | None:
        params = {"id": capsule_id, "capsule_uuid": capsule_uuid, "now": now}
        return _first(await self._database.write(one("capsules.release", params)))

    async def own(self, owner_key: str, statuses: Sequence[Status], *, limit: int, offset: int) -> CapsulePage:
        named = [*statuses, *[_NO_STATUS] * len(_STATUSES)]
        params = {"owner_key": owner_key, **dict(zip(_STATUSES, named, strict=False))}
        return await self._database.read(_page("capsules.own", "capsules.own_total", params, limit, offset))

    async def inbox(self, *, user_id: int, mailbox_id: int, limit: int, offset: int) -> CapsulePage:
        params = {"user_id": user_id, "mailbox_id": mailbox_id}
        return await self._database.read(_page("capsules.inbox", "capsules.inbox_total", params, limit, offset))

    async def due(self, *, now: str, limit: int) -> list[Capsule]:
        rows = await self._database.read(one("capsules.due", {"now": now, "limit": limit}))
        return [_capsule(row) for row in rows]

    async def freeze(self, capsule_id: int, capsule_uuid: str, *, now: str) -> Capsule | None:
        params = {"id": capsule_id, "capsule_uuid": capsule_uuid, "now": now}
        return _first(await self._database.write(one("capsules.freeze", params)))

    async def hand_over(self, capsule_id: int, capsule_uuid: str, mail: NewOutbound, *, now: str) -> bool:
        return await self._database.write(_hand_over(capsule_id, capsule_uuid, mail, now))

    async def deliver(self, capsule_id: int, capsule_uuid: str, mail: IncomingMail | None, *, now: str) -> bool:
        return await self._database.write(self._deliver(capsule_id, capsule_uuid, mail, now))

    async def fail(self, capsule_id: int, capsule_uuid: str, *, error: str, now: str) -> bool:
        params = {"id": capsule_id, "capsule_uuid": capsule_uuid, "error": error, "now": now}
        return bool(await self._database.write(one("capsules.fail", params)))

    async def put_off(self, capsule_id: int, capsule_uuid: str, *, due: str, error: str) -> None:
        params = {"id": capsule_id, "capsule_uuid": capsule_uuid, "due": due, "error": error}
        await self._database.write(one("capsules.put_off", params))

    async def forget_delivered(self, before: str, *, limit: int) -> int:
        return len(await self._database.write(one("capsules.forget_delivered", {"before": before, "limit": limit})))

    async def settled(self, *, limit: int) -> list[SettledCapsule]:
        rows = await self._database.read(one("capsules.settled", {"limit": limit}))
        return [record(SettledCapsule, row, state=State(row["state"])) for row in rows]

    async def sent(self, capsule_id: int, capsule_uuid: str, *, now: str) -> bool:
        params = {"id": capsule_id, "capsule_uuid": capsule_uuid, "now": now}
        return bool(await self._database.write(one("capsules.sent", params)))

    def _deliver(self, capsule_id: int, capsule_uuid: str, mail: IncomingMail | None, now: str) -> Script[bool]:
        params = {"id": capsule_id, "capsule_uuid": capsule_uuid, "now": now}
        if not (yield Query("capsules.deliver", params)):
            return False
        if mail is not None:
            [stored] = yield from add_mails(lambda: [mail], self._bucket, self._forward_to)
            yield Query("capsules.put_into", {"id": capsule_id, "mailbox_id": stored.mailbox_ids[0]})
        return True


def _add(new: NewCapsule, limit: int, now: str) -> Script[Capsule]:
    unsent = yield Query("capsules.unsent", {"owner_key": new.owner_key})
    if int(unsent[0]["capsules"]) >= limit:
        raise Unprocessable(f"there are {limit} drafts and pending mails already: delete one first", rule="too_many")
    params = {"uuid": new.uuid, "owner_key": new.owner_key, "sender_name": new.sender_name, "now": now}
    rows = yield Query("capsules.insert", {**params, **_columns(new.text), "has_content": int(bool(new.text.content))})
    capsule = _capsule(rows[0])
    yield Query("capsules.put_content", {"capsule_id": capsule.id, "content": new.text.content or ""})
    return capsule


def _change(capsule_id: int, revision: int, text: CapsuleText, now: str) -> Script[Capsule | None]:
    found = yield Query("capsules.get", {"id": capsule_id})
    if not found:
        return None
    has_content = found[0]["has_content"] if text.content is None else int(bool(text.content))
    params = {"id": capsule_id, "revision": revision, "has_content": has_content, "now": now}
    rows = yield Query("capsules.change", {**params, **_columns(text)})
    if rows and text.content is not None:
        yield Query("capsules.put_content", {"capsule_id": capsule_id, "content": text.content})
    return _first(rows)


def _attach(capsule_id: int, file: StoredFile, now: str) -> Script[Capsule]:
    rows = yield Query("capsules.get", {"id": capsule_id})
    if not rows:
        raise _gone()
    capsule = _capsule(rows[0])
    check_editable(capsule)
    check_room(capsule, file.file.size_bytes)
    unsent = yield Query("capsules.unsent", {"owner_key": capsule.owner_key})
    if int(unsent[0]["bytes"]) + file.file.size_bytes > MAX_UNSENT_BYTES:
        raise Unprocessable(
            f"attachments: at most {MAX_UNSENT_BYTES} bytes in all drafts and pending mails", rule="no_room"
        )
    added = yield Query(
        "capsules.attach",
        {
            "capsule_id": capsule_id,
            "uuid": file.file.uuid,
            "filename": file.file.filename,
            "content_type": file.file.content_type,
            "size_bytes": file.file.size_bytes,
            "now": now,
        },
    )
    yield Query("capsules.put_file", {"attachment_id": int(added[0]["id"]), "body": file.body})
    params = {"id": capsule_id, "count": 1, "size_bytes": file.file.size_bytes, "now": now}
    return _capsule((yield Query("capsules.count_attachment", params))[0])


def _detach(capsule_id: int, uuid: str, now: str) -> Script[bool]:
    rows = yield Query("capsules.get", {"id": capsule_id})
    if not rows:
        raise _gone()
    check_editable(_capsule(rows[0]))
    gone = yield Query("capsules.detach", {"capsule_id": capsule_id, "uuid": uuid})
    if not gone:
        return False
    params = {"id": capsule_id, "count": -1, "size_bytes": -int(gone[0]["size_bytes"]), "now": now}
    yield Query("capsules.count_attachment", params)
    return True


def _replay(owner_key: str, key: Key) -> Script[Setting | None]:
    rows = yield Query("capsules.key", {"owner_key": owner_key, "name": key.name, "since": key.since})
    if not rows:
        return None
    if rows[0]["request_hash"] != key.request_hash:
        raise Unprocessable("Idempotency-Key: it was used for another request", rule="key_reused")
    return record(Setting, rows[0])


def _set(new: NewSetting, owner_key: str) -> Script[Setting | None]:
    if new.key is not None and (earlier := (yield from _replay(owner_key, new.key))) is not None:
        return earlier
    rows = yield Query(
        "capsules.set",
        {
            "id": new.capsule_id,
            "revision": new.revision,
            "capsule_uuid": new.capsule_uuid,
            "sender_address": new.sender_address,
            "trigger_type": new.trigger,
            "trigger_condition": new.trigger_condition,
            "is_outside": int(new.is_outside),
            "send_at": new.send_at,
            "due": new.due,
            "now": new.now,
        },
    )
    if not rows:
        return None
    yield from _count(new, owner_key)
    setting = Setting(str(rows[0]["uuid"]), new.capsule_uuid, new.send_at, new.now)
    if new.key is not None:
        yield Query("capsules.forget_keys", {"before": new.key.since, "limit": _FORGOTTEN_AT_ONCE})
        key = {"owner_key": owner_key, "name": new.key.name, "request_hash": new.key.request_hash}
        named = {"uuid": setting.uuid, "capsule_uuid": setting.capsule_uuid, "send_at": setting.send_at}
        yield Query("capsules.put_key", {**key, **named, "now": new.now})
    return setting


def _count(new: NewSetting, owner_key: str) -> Script[None]:
    """Count the capsule in its month, once however often it is set. Raises `Unprocessable` where that is too many."""
    month = {"owner_key": owner_key, "month": month_of(new.now)}
    if not (yield Query("capsules.use", {**month, "capsule_id": new.capsule_id})) or new.monthly_limit is None:
        return
    yield Query("capsules.forget_uses", month)
    used = yield Query("capsules.used", month)
    if int(used[0]["capsules"]) > new.monthly_limit:
        raise quota_reached(new.monthly_limit)


def _hand_over(capsule_id: int, capsule_uuid: str, mail: NewOutbound, now: str) -> Script[bool]:
    params = {"id": capsule_id, "capsule_uuid": capsule_uuid, "outbox_uuid": mail.uuid, "now": now}
    if not (yield Query("capsules.hand_over", params)):
        return False
    yield from outbox.insert([mail], [None])
    return True


def _page(name: str, total_name: str, params: Mapping[str, object], limit: int, offset: int) -> Script[CapsulePage]:
    rows = yield Query(name, {**params, "limit": limit, "offset": offset})
    total = yield Query(total_name, params)
    return CapsulePage(tuple(_capsule(row) for row in rows), int(total[0]["total"]))


def _columns(text: CapsuleText) -> dict[str, Any]:
    return {
        "recipient_user_id": text.recipient.user_id,
        "recipient_name": text.recipient.name,
        "recipient_address": text.recipient.address,
        "title": text.title,
        "capsule_style": text.capsule_style,
        "is_encrypted": int(text.is_encrypted),
        "password_hash": text.password_hash,
    }


def _first(rows: Rows) -> Capsule | None:
    return _capsule(rows[0]) if rows else None


def _capsule(row: Row) -> Capsule:
    return record(
        Capsule,
        row,
        status=Status(row["status"]),
        recipient=Recipient(row["recipient_user_id"], row["recipient_name"], row["recipient_address"]),
        is_encrypted=bool(row["is_encrypted"]),
        trigger_type=Trigger(row["trigger_type"]),
        is_outside=bool(row["is_outside"]),
        has_content=bool(row["has_content"]),
    )


def _gone() -> Unprocessable:
    return Unprocessable("the mail is gone", rule="not_draft")
