"""Extraction rules: what is accepted, whom they are for, what they find, and what they can cost at most."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tempmail.domain import rule_matching, rules
from tempmail.domain.extraction import VERSION, Extraction, extract
from tempmail.domain.rule_matching import RuledMail, RuleSet
from tempmail.domain.rules import check, extraction_version
from tempmail.errors import BadRequest
from tests.builders import rule, rule_draft

NOTHING = Extraction(None, None, (), ())

MAIL = RuledMail(
    sender="Pay@Mail.Bank.example",
    recipients=("a@one.example", "b@Two.example"),
    subject="pass word: subject",
    text="pass word: text",
    html="<p>pass word: html</p>",
)


def found(*some: rules.ExtractionRule, mail: RuledMail = MAIL, before: Extraction = NOTHING) -> Extraction:
    rule_set = RuleSet(some)
    assert rule_set.faults == ()
    return rule_set.apply(mail, before).extraction


def text_mail(text: str) -> RuledMail:
    return replace(MAIL, subject="", html="", text=text)


LIMITS: list[tuple[str, int, Callable[[int], Any]]] = [
    ("name", rules.MAX_NAME_CHARS, lambda n: "n" * n),
    ("sender", rules.MAX_SENDER_CHARS, lambda n: "s" * n),
    ("recipient_domain", rules.MAX_DOMAIN_CHARS, lambda n: "d" * n),
    ("pattern", rules.MAX_PATTERN_CHARS, lambda n: "(?P<code>a)" + "b" * (n - 11)),
    ("priority", rules.MAX_PRIORITY, lambda n: n),
    ("priority", rules.MAX_PRIORITY, lambda n: -n),
]


@pytest.mark.parametrize(("field", "limit", "make"), LIMITS, ids=[field for field, _, _ in LIMITS])
def test_a_field_is_taken_at_its_limit_and_refused_above_it(field: str, limit: int, make: Callable[[int], Any]) -> None:
    accepted = check(rule_draft(**{field: make(limit)}))
    assert getattr(accepted, field) == make(limit)
    with pytest.raises(BadRequest, match=f"^{field}: "):
        check(rule_draft(**{field: make(limit + 1)}))


def test_the_compiled_size_of_a_pattern_is_limited() -> None:
    def draft(count: int) -> rules.RuleDraft:
        return rule_draft(pattern=f"(?P<code>(?:abcd){{{count}}})")

    largest = max(count for count in range(900, 1001) if _is_taken(draft(count)))
    assert 4 * largest <= rules.MAX_PROGRAM_SIZE <= 4 * (largest + 2)
    with pytest.raises(BadRequest, match="too large when compiled"):
        check(draft(largest + 1))


def _is_taken(draft: rules.RuleDraft) -> bool:
    try:
        check(draft)
    except BadRequest:
        return False
    return True


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"pattern": ""}, "pattern: 1 to 500 characters are needed"),
        ({"pattern": r"code (\d+)"}, r"pattern: the named group \(\?P<code>…\) around the code is missing"),
        ({"pattern": r"(?P<code>\d+)", "kind": "link"}, r"the named group \(\?P<link>…\) around the link is missing"),
        ({"pattern": r"(?P<code>a)|(?P<code>b)"}, "the group code may be named only once"),
        ({"pattern": "(?P<code>a"}, r"pattern: missing \)"),
        ({"pattern": r"(?P<code>\d+)(?=!)"}, "no look-around"),
        ({"pattern": r"(?P<code>.)\1"}, "no back-references"),
        ({"pattern": "(?P<code>a{1001})"}, "invalid repetition size"),
        ({"pattern": r"(?P<code>\p{L}{1,1000})"}, "too large"),
        ({"pattern": "(?P<code>\ud800)"}, "surrogate"),
        ({"name": " "}, "name: "),
        ({"name": "a\x1bb"}, "name: "),
        ({"sender": ""}, "sender: "),
        ({"sender": "two words"}, "sender: "),
        ({"recipient_domain": "box@one.example"}, "recipient_domain: "),
    ],
)  # fmt: skip
def test_a_rule_that_could_not_work_is_refused_with_what_is_wrong(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        check(rule_draft(**changes))


def test_a_rule_is_stored_in_one_form() -> None:
    checked = check(rule_draft(name="  My \n bank ", sender=" Pay@Bank.EXAMPLE ", recipient_domain=" @One.example"))
    assert (checked.name, checked.sender, checked.recipient_domain) == ("My bank", "pay@bank.example", "one.example")
    assert check(rule_draft(recipient_domain=" ")).recipient_domain is None


@pytest.mark.parametrize(
    ("sender", "applies"),
    [
        ("*", True),
        ("bank.example", True),
        ("mail.bank.example", True),
        ("ank.example", False),
        ("example.bank", False),
        ("pay@mail.bank.example", True),
        ("pay@bank.example", False),
        ("p*@*.bank.example", True),
        ("*ank.example", True),
        ("mail.*.example", True),
        ("pay@mail.bank.example*x", False),
    ],
)
def test_a_sender_is_everybody_a_domain_with_its_subdomains_or_an_address(sender: str, applies: bool) -> None:
    assert (found(rule(sender=sender)).code is not None) is applies


@pytest.mark.parametrize(
    ("domain", "applies"),
    [(None, True), ("one.example", True), ("two.example", True), ("example", False), ("t*.example", True)],
)
def test_a_recipient_domain_is_that_of_any_recipient(domain: str | None, applies: bool) -> None:
    assert (found(rule(recipient_domain=domain)).code is not None) is applies


@example(glob="a*a", text="a")
@example(glob="a*aa*a", text="aaa")
@given(glob=st.text("a*", max_size=8), text=st.text("ab", max_size=8))
def test_a_star_stands_for_any_characters(glob: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, glob.split("*"))), text) is not None
    assert rule_matching._fits(glob, text) is expected


@pytest.mark.parametrize(("field", "code"), [("subject", "subject"), ("text", "text"), ("html", "html")])
def test_a_rule_looks_where_it_says(field: str, code: str) -> None:
    [candidate] = found(rule(field=field)).codes
    assert (candidate.value, candidate.source) == (code, field)


@pytest.mark.parametrize(
    ("mail", "source"),
    [
        (MAIL, "subject"),
        (replace(MAIL, subject=""), "text"),
        (replace(MAIL, subject="", text=""), "html"),
    ],
    ids=["subject", "then-text", "then-html"],
)
def test_any_field_is_subject_text_source_in_this_order(mail: RuledMail, source: str) -> None:
    assert found(rule(field="any"), mail=mail).codes[0].source == source


def test_what_a_rule_finds_is_the_code_with_the_rule_as_its_reason() -> None:
    text = "one two three four five six seven eight nine pass word: x7y"
    [candidate] = found(rule(12, version=3), mail=text_mail(text)).codes
    assert candidate.value == "x7y"
    assert text[candidate.start : candidate.end] == "x7y"
    assert candidate.context == ("four", "five", "six", "seven", "eight", "nine", "pass", "word:")
    assert candidate.rule == "rule 12 'Bank' v3"
    assert candidate.reasons == ("rule 12 'Bank' v3 +100.00",)
    assert candidate.kind == "alphanumeric"


def test_places_are_counted_in_characters() -> None:
    text = "验证码 😀 pass word: 密码a1"
    [candidate] = found(rule(pattern="pass word: (?P<code>.+)"), mail=text_mail(text)).codes
    assert text[candidate.start : candidate.end] == candidate.value == "密码a1"


def test_a_rule_comes_before_all_that_was_found_without_it_and_adds_up() -> None:
    raw = b"Subject: Sign in\r\n\r\nYour verification code is 482913.\r\nOrder 7788.\r\n"
    before = extract(raw)
    assert before.code == "482913"

    other = found(rule(pattern=r"Order (?P<code>\d+)"), mail=text_mail("Order 7788"), before=before)
    assert other.code == "7788"
    assert [candidate.value for candidate in other.codes[:2]] == ["7788", "482913"]
    assert len(other.codes) == len({candidate.value for candidate in other.codes})
    known = next(candidate for candidate in before.codes if candidate.value == "7788")
    assert other.codes[0].score == round(100 + known.score, 2)
    assert other.codes[0].reasons == ("rule 1 'Bank' v1 +100.00", *known.reasons)
    assert (other.link, other.links, other.version) == (before.link, before.links, VERSION)


def test_the_first_rule_that_matches_decides_by_priority_then_age() -> None:
    first, second = rule(1, pattern="(?P<code>pass)"), rule(2, pattern="(?P<code>word)")
    assert found(second, first).code == "pass"
    assert found(first, replace(second, priority=1)).code == "word"
    assert found(replace(first, priority=9, pattern="(?P<code>absent)"), second).code == "word"
    assert found(replace(first, priority=9, enabled=False), second).code == "word"


def test_a_rule_finds_a_link_and_keeps_what_was_known_of_it() -> None:
    raw = b'Subject: x\r\nContent-Type: text/html\r\n\r\n<a href="https://a.example/x?a=1&amp;b=2">Terms</a>\r\n'
    before = extract(raw)
    assert before.link is None
    mail = replace(MAIL, html='<a href="https://a.example/x?a=1&amp;b=2">Terms</a>')
    after = found(rule(kind="link", field="html", pattern=r'href="(?P<link>[^"]+)"'), mail=mail, before=before)
    assert after.link == "https://a.example/x?a=1&b=2"
    [link] = after.links
    assert (link.text, link.host) == ("Terms", "a.example")
    assert link.reasons == ("rule 1 'Bank' v1 +100.00", *before.links[0].reasons)
    assert after.code is None


def test_rules_for_codes_and_links_do_not_hinder_each_other() -> None:
    mail = text_mail("pass word: x1 https://a.example/go")
    both = found(rule(1), rule(2, kind="link", pattern=r"(?P<link>https:\S+)"), mail=mail)
    assert (both.code, both.link) == ("x1", "https://a.example/go")


@pytest.mark.parametrize("address", ["javascript:alert(1)", "mailto:a@b.example", "go", "https://a.example/\x07"])
def test_a_link_must_be_a_web_address(address: str) -> None:
    mail = text_mail(f"go: {address}")
    assert found(rule(kind="link", field="text", pattern=r"(?s)go: (?P<link>.+)"), mail=mail).link is None


@pytest.mark.parametrize(
    ("length", "is_found"), [(rules.MAX_CODE_CHARS, True), (rules.MAX_CODE_CHARS + 1, False)], ids=["n", "n+1"]
)
def test_a_code_has_a_greatest_length(length: int, is_found: bool) -> None:
    code = found(rule(), mail=text_mail("pass word: " + "x" * length)).code
    assert (code is not None) is is_found


@pytest.mark.parametrize("group", ["", " ", "\x07"], ids=["empty", "blank", "control"])
def test_a_group_without_a_visible_code_is_no_match(group: str) -> None:
    assert found(rule(pattern="pass word:(?P<code>.*)"), mail=text_mail(f"pass word:{group}")) is NOTHING


def test_a_group_that_took_no_part_in_the_match_is_no_match() -> None:
    assert found(rule(pattern="pass word|(?P<code>never)")).code is None


@pytest.mark.parametrize(
    ("behind", "is_found"),
    [(rules.MAX_SEARCHED_CHARS - 6, True), (rules.MAX_SEARCHED_CHARS - 5, False)],
    ids=["n", "n+1"],
)
def test_only_the_first_characters_of_a_field_are_searched(behind: int, is_found: bool) -> None:
    mail = text_mail(" " * behind + "code:x tail")
    code = found(rule(pattern="code:(?P<code>x)"), mail=mail).code
    assert (code is not None) is is_found


def test_text_that_is_no_unicode_is_searched_all_the_same() -> None:
    text = "\ud800 pass word: x1"
    [candidate] = found(rule(), mail=text_mail(text)).codes
    assert (candidate.value, text[candidate.start : candidate.end]) == ("x1", "x1")


@pytest.mark.parametrize(
    "pattern",
    [r"(?P<code>(a+)+)!", r"(?P<code>(x+x+)+y)", r"(?:a|aa)+(?P<code>!)", r"a(?:a|b){400}(?P<code>c)"],
)
def test_patterns_that_explode_elsewhere_take_time_that_grows_with_the_text(pattern: str) -> None:
    mail = text_mail("a" * rules.MAX_SEARCHED_CHARS)
    began = time.process_time()
    assert found(rule(pattern=pattern), mail=mail).code is None
    assert time.process_time() - began < 5


def test_rules_that_there_is_no_time_for_are_named_and_not_tried() -> None:
    asked = iter([False, True, True])
    ruled = RuleSet([rule(1, pattern="(?P<code>absent)"), rule(2), rule(3, name="Shop")]).apply(
        MAIL, NOTHING, lambda: next(asked)
    )
    assert ruled.extraction is NOTHING
    assert ruled.untried == ("rule 2 'Bank' v1", "rule 3 'Shop' v1")


def test_a_stored_rule_that_cannot_be_used_is_named_and_the_others_go_on() -> None:
    broken = rule(1, pattern="(?P<code>a")
    rule_set = RuleSet([broken, rule(2)])
    [(faulty, reason)] = rule_set.faults
    assert (faulty, len(rule_set)) == (broken, 1)
    assert "missing" in reason
    assert rule_set.apply(MAIL, NOTHING).extraction.code == "subject"


def test_the_version_grows_with_the_engine_then_with_the_rules() -> None:
    ordered = [(0, 0), (1, 0), (1, 1), (1, 999_999), (2, 0), (2, 1)]
    numbers = [extraction_version(*pair) for pair in ordered]
    assert numbers == sorted(set(numbers))
    assert extraction_version(1, 2_000_000) < extraction_version(2, 0)
