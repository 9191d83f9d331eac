"""The one place where a mail is read: ingest, `POST /api/v1/extract` and reading stored mail again all come here."""

import asyncio
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from tempmail.clock import Clock
from tempmail.domain.extraction import VERSION, Extraction, extract_mail
from tempmail.domain.html import HtmlView
from tempmail.domain.mime import ParsedMail, parse
from tempmail.domain.mime_preview import preview
from tempmail.domain.rule_matching import NO_RULES, RuledMail, RuleSet
from tempmail.domain.rules import extraction_version
from tempmail.log import get_log
from tempmail.ports import ExtractionRules

_log = get_log("extraction")

NO_SUBJECT = "(无主题)"
"""What the original stores for a mail without a subject (contract 4.2)."""

MAX_SUBJECT_CHARS: Final = 998
"""Of what is stored for lists, as long as one line may be (RFC 5322 2.1.1). Lists are held in memory, and headers may
have 256 KB; the whole subject stays in the raw mail, and the rules see it."""
MAX_SENDER_CHARS: Final = 320
"""Likewise."""

RULES_S: Final = 0.25
"""For all rules of one mail together; the search under way is finished. Those that are not tried are logged."""

OLDEST_CURRENT: Final = extraction_version(VERSION, 0)
"""Stored results below this number were made before the last upgrade of the extraction."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a mail shows of itself. `extraction_version`: what it was read by (see `domain.rules`)."""

    sender: str
    subject: str
    preview: str | None
    extraction: Extraction
    extraction_version: int
    attachment_count: int

    def extraction_json(self) -> str | None:
        """The full result as it is stored, or None where nothing was found."""
        if not self.extraction.codes and not self.extraction.links:
            return None
        return msgspec.json.encode(self.extraction).decode()


class Extractor:
    """Holds the rules of the moment, compiled; `refresh` brings them up to date. Mails of `thread_bytes` and more are
    read in a thread, and rules always search there: RE2 runs beside the event loop, however slow a pattern is."""

    def __init__(self, rules: ExtractionRules, clock: Clock, *, thread_bytes: int = 64 << 10) -> None:
        self._source = rules
        self._clock = clock
        self._thread_bytes = thread_bytes
        self._rules = NO_RULES

    @property
    def version(self) -> int:
        """What a mail read now is marked with."""
        return extraction_version(VERSION, self._rules.version)

    async def refresh(self) -> bool:
        """Take over what changed in the rules; whether anything had. Raises `StoreUnavailable`: the rules stay."""
        if await self._source.version() == self._rules.version:
            return False
        version, rules = await self._source.all()
        self._rules = await asyncio.to_thread(RuleSet, rules, version=version)
        for rule, fault in self._rules.faults:
            _log.error("rule.unusable", rule=rule.id, version=rule.version, fault=fault)
        _log.info("rules.loaded", version=version, rules=len(self._rules))
        return True

    async def read(self, raw: bytes, *, envelope_from: str = "", recipients: tuple[str, ...] = ()) -> Finding:
        """What `raw` shows; never raises for any bytes. Without `recipients`, rules for some see those in the mail's
        own To and Cc."""
        rules = self._rules
        if len(raw) < self._thread_bytes:
            finding, ruled = read_mail(raw, rules, envelope_from, recipients)
        else:
            finding, ruled = await asyncio.to_thread(read_mail, raw, rules, envelope_from, recipients)
        if ruled is None:
            return finding
        return replace(finding, extraction=await asyncio.to_thread(self._ruled, rules, ruled, finding.extraction))

    def _ruled(self, rules: RuleSet, mail: RuledMail, found: Extraction) -> Extraction:
        deadline = self._clock.monotonic() + RULES_S
        try:
            ruled = rules.apply(mail, found, lambda: self._clock.monotonic() >= deadline)
        except Exception as exc:  # noqa: BLE001 - as below: an admin's rule must not cost the mail
            _log.error("rules.failed", version=rules.version, exc=exc)
            return found
        if ruled.untried:
            _log.warning("rules.late", limit_s=RULES_S, untried=", ".join(ruled.untried))
        return ruled.extraction


def read_mail(
    raw: bytes, rules: RuleSet, envelope_from: str = "", recipients: tuple[str, ...] = ()
) -> tuple[Finding, RuledMail | None]:
    """What `raw` shows without rules; with what they are to look at, if any is for this mail."""
    mail = parse(raw)
    view = None
    try:
        extraction, view = extract_mail(mail, with_view=bool(rules))
    except Exception as exc:  # noqa: BLE001 - a fault of ours must not cost the mail: it is stored without a code
        _log.error("extract.failed", exc=exc)
        extraction = Extraction(None, None, (), ())
    finding = Finding(
        sender=mail.sender[:MAX_SENDER_CHARS],
        subject=mail.subject[:MAX_SUBJECT_CHARS] or NO_SUBJECT,
        preview=preview(mail.text, lambda: view.text if view else ""),
        extraction=extraction,
        extraction_version=extraction_version(VERSION, rules.version),
        attachment_count=len(mail.attachments),
    )
    if not rules:
        return finding, None
    seen = _seen(mail, view, envelope_from, recipients)
    return finding, seen if rules.concern(seen) else None


def _seen(mail: ParsedMail, view: HtmlView | None, envelope_from: str, recipients: tuple[str, ...]) -> RuledMail:
    return RuledMail(
        sender=mail.sender or envelope_from,
        recipients=recipients or tuple(address.address for address in mail.to + mail.cc),
        subject=mail.subject,
        text=f"{mail.text}\n{view.text}" if view and mail.text else view.text if view else mail.text,
        html=mail.html,
    )
