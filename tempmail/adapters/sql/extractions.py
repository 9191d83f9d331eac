"""What stored mails were read as, in SQL: implements `ports.Extractions`."""

from collections.abc import Sequence

from tempmail.adapters.sql.script import Database, Query, Rows, Script, one
from tempmail.domain.messages import ReadAgain, StaleMail


class SqlExtractions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def stale(self, *, below: int, limit: int) -> list[StaleMail]:
        return await self._database.read(_stale(below, limit))

    async def count_stale(self, *, below: int) -> int:
        rows = await self._database.read(one("extractions.count_stale", {"below": below}))
        return int(rows[0]["messages"])

    async def update(self, mails: Sequence[ReadAgain]) -> None:
        await self._database.write(_update(mails))

    async def forget(self, *, after: int, limit: int) -> int | None:
        rows = await self._database.write(one("extractions.forget", {"after": after, "limit": limit}))
        return max((int(row["id"]) for row in rows), default=None)


def _stale(below: int, limit: int) -> Script[list[StaleMail]]:
    rows = yield Query("extractions.stale", {"below": below, "limit": limit})
    mails = []
    seen: set[str] = set()
    for row in rows:
        key = str(row["object_key"])
        if not key:
            mails.append(_mail("", [row]))
        elif key not in seen:
            seen.add(key)
            mails.append(_mail(key, (yield Query("extractions.sharing", {"object_key": key}))))
    return mails


def _mail(object_key: str, rows: Rows) -> StaleMail:
    return StaleMail(
        object_key=object_key,
        message_ids=tuple(int(row["id"]) for row in rows),
        recipients=tuple(str(row["to_addrs"]) for row in rows),
        envelope_from=str(rows[0]["envelope_from"]),
        verification_code=rows[0]["verification_code"],
    )


def _update(mails: Sequence[ReadAgain]) -> Script[None]:
    for mail in mails:
        for message_id in mail.message_ids:
            if not mail.has_body:
                yield Query("extractions.skip", {"id": message_id, "version": mail.extraction_version})
                continue
            yield Query(
                "extractions.update",
                {
                    "id": message_id,
                    "verification_code": mail.verification_code,
                    "extraction": mail.extraction,
                    "version": mail.extraction_version,
                },
            )
