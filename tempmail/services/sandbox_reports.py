"""Webhooks of the sandboxes: what became of a mail, posted as Svix does, again and again until it arrives."""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Protocol

from tempmail.clock import Clock, stamp
from tempmail.domain.sandbox import DueReport
from tempmail.domain.svix import sign
from tempmail.errors import ProviderError
from tempmail.log import get_log
from tempmail.ports.sandbox import Sandboxes

_log = get_log("sandbox")

PAUSES_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
"""Between one try and the next; after the last one it is given up. Source: provider facts 1.1, webhooks."""
LEASE_S = 60
_AT_ONCE = 16


class Poster(Protocol):
    """Posts one body."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer, which came within a few seconds. Redirects are not followed. Raises
        `ProviderError` where there was none."""
        ...


class SandboxReports:
    def __init__(self, sandboxes: Sandboxes, poster: Poster, *, clock: Clock) -> None:
        self._sandboxes = sandboxes
        self._poster = poster
        self._clock = clock

    async def post_due(self) -> int:
        """Post what is due; says how much it was. A report that is claimed and not finished, since this process died,
        is due again at the end of its lease."""
        now = self._clock.now()
        due = await self._sandboxes.claim_reports(now=stamp(now), until=stamp(now + LEASE_S), limit=_AT_ONCE)
        async with asyncio.TaskGroup() as posting:
            for report in due:
                posting.create_task(self._post(report))
        return len(due)

    async def _post(self, report: DueReport) -> None:
        timestamp = str(int(self._clock.now()))
        headers = {
            "content-type": "application/json",
            "svix-id": report.report_id,
            "svix-timestamp": timestamp,
            "svix-signature": sign(signing_key(report.secret), report.report_id, timestamp, report.body),
        }
        try:
            status = await self._poster.post(report.url, report.body, headers)
            error = "" if 200 <= status < 300 else f"status {status}"
        except ProviderError as exc:
            error = str(exc)
        if not error:
            await self._sandboxes.finish_report(report.id)
            return
        _log.warning("sandbox.report_failed", report=report.report_id, attempt=report.attempts + 1, error=error)
        if report.attempts >= len(PAUSES_S):
            await self._sandboxes.finish_report(report.id)
            return
        due = stamp(self._clock.now() + PAUSES_S[report.attempts])
        await self._sandboxes.retry_report(report.id, due=due, error=error)


def signing_key(secret: str) -> bytes:
    """The key in a secret such as `whsec_…`; nothing for one that is none."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return b""
