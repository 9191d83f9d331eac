"""What an admin does with extraction rules. Mail is read by a changed rule within seconds, in every process."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tempmail.clock import Clock, stamp
from tempmail.domain.rules import MAX_RULES, ExtractionRule, RuleDraft, check
from tempmail.errors import Conflict, NotFound
from tempmail.log import get_log
from tempmail.ports import ExtractionRules

_log = get_log("rules")


class RuleService:
    def __init__(self, rules: ExtractionRules, *, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock

    async def all(self) -> list[ExtractionRule]:
        """Every rule, by id."""
        _, rules = await self._rules.all()
        return rules

    async def add(self, draft: RuleDraft) -> ExtractionRule:
        """Raises `BadRequest` for a rule that could not work, `Conflict` where there are `MAX_RULES` already."""
        rule = await self._rules.add(check(draft), now=stamp(self._clock.now()), limit=MAX_RULES)
        _log.info("rule.added", rule=rule.id)
        return rule

    async def change(self, rule_id: int, changes: Mapping[str, Any], *, version: int | None) -> ExtractionRule:
        """Replace the named fields. `version`: only if that is still the rule's; None: whatever it is.

        Raises `NotFound`, `BadRequest`, and `Conflict` where somebody else changed the rule first.
        """
        current = next((rule for rule in await self.all() if rule.id == rule_id), None)
        if current is None:
            raise NotFound("no such rule")
        changed = None
        if version is None or version == current.version:
            draft = check(replace(current, **changes))
            now = stamp(self._clock.now())
            changed = await self._rules.change(rule_id, draft, version=current.version, now=now)
        if changed is None:
            raise Conflict("the rule was changed meanwhile: read it again")
        _log.info("rule.changed", rule=rule_id, version=changed.version)
        return changed

    async def remove(self, rule_id: int) -> None:
        """Raises `NotFound`."""
        if not await self._rules.remove(rule_id):
            raise NotFound("no such rule")
        _log.info("rule.removed", rule=rule_id)
