"""Rules that an admin adds for mail that the built-in extraction reads wrong, or not at all.

A rule is a regular expression with a named group, for the mail of some senders and recipients. What it finds comes
before everything that was found without it (`rule_matching`). Patterns are RE2's: the time for one grows with the text
and never beyond that, whatever the pattern; limits on both, and on the time for all rules together, bound what a mail
can cost.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from tempmail.errors import BadRequest

MAX_RULES: Final = 100
MAX_NAME_CHARS: Final = 100
MAX_SENDER_CHARS: Final = 320
MAX_DOMAIN_CHARS: Final = 255
MAX_PATTERN_CHARS: Final = 500
MAX_PROGRAM_SIZE: Final = 4_000
"""Instructions of a compiled pattern. The worst pattern takes about 6 ns for each instruction and character searched:
1.5 s for a whole field, usual ones 0.1 ms."""
PATTERN_MEMORY_BYTES: Final = 256 << 10
MAX_SEARCHED_CHARS: Final = 65_536
"""Of each field; what comes behind is not searched."""
MAX_CODE_CHARS: Final = 64
MAX_PRIORITY: Final = 1_000
RULE_POINTS: Final = 100.0
"""What a match is worth: more than all signs together, so that a rule decides."""

EVERYBODY: Final = "*"

RuleKind = Literal["code", "link"]
RuleField = Literal["subject", "text", "html", "any"]

_RULES_VERSIONS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDraft:
    """What an admin says of a rule.

    `sender`: `*` for everybody; a domain, which stands for its subdomains too; or an address. `recipient_domain`: only
    mail for a recipient there; None: any. Both may hold `*` for any run of characters. `field`: `text` is what a
    reader sees, plain text first, then the page; `html` the page's source; `any` the subject, the text, the source, in
    this order. `pattern`: RE2 syntax with the group `(?P<code>…)` or `(?P<link>…)`, by `kind`. Rules of higher
    `priority` are tried first, older ones first among equals; the first that matches decides.
    """

    name: str
    kind: RuleKind
    pattern: str
    sender: str
    recipient_domain: str | None
    field: RuleField
    priority: int
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionRule(RuleDraft):
    """A stored rule. `version` grows with each change of it."""

    id: int
    version: int
    created_at: str
    updated_at: str

    @property
    def label(self) -> str:
        """How results name it: `rule 12 'Bank' v3`."""
        return f"rule {self.id} '{self.name}' v{self.version}"


def extraction_version(engine_version: int, rules_version: int) -> int:
    """One number for what an extraction was made by: it grows with the engine, then with the rules.

    After 999 999 changes of the rules only the engine counts.

    >>> extraction_version(2, 7)
    2000007
    """
    return engine_version * _RULES_VERSIONS + min(rules_version, _RULES_VERSIONS - 1)


def check(draft: RuleDraft) -> RuleDraft:
    """The draft in the form that is stored. Raises `BadRequest` that says what is wrong with it."""
    name = " ".join(draft.name.split())
    sender = draft.sender.strip().lower()
    domain = (draft.recipient_domain or "").strip().lower().removeprefix("@") or None
    if not name or not name.isprintable() or len(name) > MAX_NAME_CHARS:
        raise BadRequest(f"name: 1 to {MAX_NAME_CHARS} printable characters are needed")
    if not _is_glob(sender) or len(sender) > MAX_SENDER_CHARS:
        raise BadRequest(f"sender: *, a domain or an address is needed, at most {MAX_SENDER_CHARS} characters")
    if domain is not None and (not _is_glob(domain) or "@" in domain or len(domain) > MAX_DOMAIN_CHARS):
        raise BadRequest(f"recipient_domain: a domain is needed, at most {MAX_DOMAIN_CHARS} characters")
    if abs(draft.priority) > MAX_PRIORITY:
        raise BadRequest(f"priority: a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY} is needed")
    compile_pattern(draft)
    return replace(draft, name=name, sender=sender, recipient_domain=domain)


def compile_pattern(draft: RuleDraft) -> Any:
    """The compiled pattern. Raises `BadRequest`."""
    import re2  # only where there are rules: 3 MB of memory

    kind, pattern = draft.kind, draft.pattern
    if not pattern or len(pattern) > MAX_PATTERN_CHARS:
        raise BadRequest(f"pattern: 1 to {MAX_PATTERN_CHARS} characters are needed")
    options = re2.Options()
    options.max_mem = PATTERN_MEMORY_BYTES
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as exc:
        raise BadRequest(f"pattern: {_words_of(exc)} (RE2 syntax: no look-around, no back-references)") from exc
    except UnicodeEncodeError as exc:
        raise BadRequest("pattern: it holds half of a surrogate pair") from exc
    if compiled.programsize > MAX_PROGRAM_SIZE:
        raise BadRequest("pattern: too large when compiled: use smaller counts and narrower classes of characters")
    if kind not in compiled.groupindex:
        raise BadRequest(f"pattern: the named group (?P<{kind}>…) around the {kind} is missing")
    if pattern.count(f"(?P<{kind}>") + pattern.count(f"(?<{kind}>") > 1:
        raise BadRequest(f"pattern: the group {kind} may be named only once")
    return compiled


def _is_glob(text: str) -> bool:
    return bool(text) and text.isprintable() and " " not in text


def _words_of(error: Exception) -> str:
    told = error.args[0] if error.args else ""
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
