"""The rules that an admin adds to the built-in extraction."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from tempmail.domain.rules import (
    EVERYBODY,
    MAX_CODE_CHARS,
    MAX_DOMAIN_CHARS,
    MAX_NAME_CHARS,
    MAX_PATTERN_CHARS,
    MAX_RULES,
    MAX_SENDER_CHARS,
    ExtractionRule,
    RuleDraft,
)
from tempmail.web.call import Call
from tempmail.web.endpoint import Endpoint, Refusal, endpoint
from tempmail.web.fields import MALFORMED, MAX_ID, Success

Name = Annotated[
    str, Meta(description=f"What the reasons of a result call it; 1 to {MAX_NAME_CHARS} characters", examples=["Bank"])
]
Kind = Annotated[Literal["code", "link"], Meta(description="What it finds", examples=["code"])]
Pattern = Annotated[
    str,
    Meta(
        description=f"RE2 syntax, at most {MAX_PATTERN_CHARS} characters, with the named group `(?P<code>…)` or "
        f"`(?P<link>…)`. A code of more than {MAX_CODE_CHARS} characters, or a link that is none, is no match",
        examples=[r"(?i)your pass word today: (?P<code>[a-z]{4,8})"],
    ),
]
Sender = Annotated[
    str,
    Meta(
        description="`*` for everybody; a domain, which stands for its subdomains too; or an address. `*` within "
        f"stands for any characters; at most {MAX_SENDER_CHARS}",
        examples=["bank.example"],
    ),
]
RecipientDomain = Annotated[
    str | None,
    Meta(
        description="Only mail for a recipient in this domain (`*` within stands for any characters, at most "
        f"{MAX_DOMAIN_CHARS}); null: any",
        examples=[None],
    ),
]
Field = Annotated[
    Literal["subject", "text", "html", "any"],
    Meta(
        description="Where it looks: the subject; the text that a reader sees, plain text first, then the page's; the "
        "page's source; or all three in this order. Of each the first 65536 characters",
        examples=["any"],
    ),
]
Priority = Annotated[int, Meta(description="Higher ones are tried first; -1000 to 1000", examples=[0])]
Enabled = Annotated[bool, Meta(description="False: kept, but not used", examples=[True])]
Version = Annotated[int, Meta(description="Grows with each change of the rule", examples=[1])]


class RuleBody(Struct):
    """A new rule."""

    name: Name
    pattern: Pattern
    kind: Kind = "code"
    sender: Sender = EVERYBODY
    recipient_domain: RecipientDomain = None
    field: Field = "any"
    priority: Priority = 0
    enabled: Enabled = True


class RuleChange(Struct):
    """The fields to change."""

    name: Name | UnsetType = UNSET
    pattern: Pattern | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    sender: Sender | UnsetType = UNSET
    recipient_domain: RecipientDomain | UnsetType = UNSET
    field: Field | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    enabled: Enabled | UnsetType = UNSET
    version: (
        Annotated[int, Meta(description="Change it only if this is still its version", examples=[1])] | UnsetType
    ) = UNSET


class RuleItem(Struct):
    """A rule."""

    id: Annotated[int, Meta(description="Id of the rule", examples=[12])]
    name: Name
    kind: Kind
    pattern: Pattern
    sender: Sender
    recipient_domain: RecipientDomain
    field: Field
    priority: Priority
    enabled: Enabled
    version: Version
    created_at: Annotated[str, Meta(description="UTC, `YYYY-MM-DD HH:MM:SS`", examples=["2024-01-01 12:00:00"])]
    updated_at: Annotated[str, Meta(description="UTC, `YYYY-MM-DD HH:MM:SS`", examples=["2024-01-01 12:00:00"])]


class RuleList(Struct):
    """All rules."""

    rules: Annotated[list[RuleItem], Meta(description=f"By id; at most {MAX_RULES}")]


class RulePath(Struct):
    id: Annotated[int, Meta(description="Id of the rule", ge=0, le=MAX_ID, examples=[12])] = 0


_FAULTY = (
    MALFORMED,
    Refusal(400, "pattern: the named group (?P<code>…) around the code is missing"),
)
_NO_RULE = Refusal(404, "no such rule")


@endpoint("GET /api/v1/extraction-rules", action="extraction.rules", tag="Extraction")
async def extraction_rules(call: Call) -> RuleList:
    """Every rule, by id.

    Rules of higher priority are tried first, older ones first among equals; the first that matches gives the code,
    likewise the link, whatever else was found. Patterns cannot backtrack, and all rules of one mail get 250 ms.
    """
    return RuleList([_item(rule) for rule in await call.services.rules.all()])


@endpoint(
    "POST /api/v1/extraction-rules",
    action="extraction.rules",
    tag="Extraction",
    audited=True,
    errors=(*_FAULTY, Refusal(409, f"there are {MAX_RULES} rules already, which is the most: delete one first")),
)
async def add_extraction_rule(call: Call, body: RuleBody) -> RuleItem:
    """Add a rule.

    Mail that comes a few seconds later is read by it. Stored mail is, once `tempmail reextract` has run.
    """
    call.target = body.name
    return _item(await call.services.rules.add(RuleDraft(**structs.asdict(body))))


@endpoint(
    "PATCH /api/v1/extraction-rules/{id}",
    action="extraction.rules",
    tag="Extraction",
    audited=True,
    errors=(*_FAULTY, _NO_RULE, Refusal(409, "the rule was changed meanwhile: read it again")),
)
async def change_extraction_rule(call: Call, path: RulePath, body: RuleChange) -> RuleItem:
    """Change the fields of a rule that are given.

    Its version grows.
    """
    call.target = str(path.id)
    changes = {name: value for name, value in structs.asdict(body).items() if value is not UNSET}
    version = changes.pop("version", None)
    return _item(await call.services.rules.change(path.id, changes, version=version))


@endpoint(
    "DELETE /api/v1/extraction-rules/{id}",
    action="extraction.rules",
    tag="Extraction",
    audited=True,
    errors=(_NO_RULE,),
)
async def delete_extraction_rule(call: Call, path: RulePath) -> Success:
    """Delete a rule. What it found in stored mail stays until that is read again."""
    call.target = str(path.id)
    await call.services.rules.remove(path.id)
    return Success()


def _item(rule: ExtractionRule) -> RuleItem:
    return RuleItem(
        id=rule.id,
        name=rule.name,
        kind=rule.kind,
        pattern=rule.pattern,
        sender=rule.sender,
        recipient_domain=rule.recipient_domain,
        field=rule.field,
        priority=rule.priority,
        enabled=rule.enabled,
        version=rule.version,
        created_at=rule.created_at,
        updated_at=rule.updated_at,
    )


ENDPOINTS: tuple[Endpoint, ...] = (
    extraction_rules,
    add_extraction_rule,
    change_extraction_rule,
    delete_extraction_rule,
)
