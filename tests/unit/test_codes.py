"""Codes through the public seam: every fact of `data/code_facts.toml`, and what a result tells about itself."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

import tempmail
from tempmail.domain.codes_weights import THRESHOLD
from tests.codes.mails import mail

FACTS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "data/code_facts.toml").read_text("utf-8"))["fact"]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["fact"])
def test_code_fact(fact: dict[str, Any]) -> None:
    found = tempmail.extract(mail(fact.get("text"), fact.get("html"), subject=fact.get("subject", "Hello")))

    assert found.code == (fact["code"] or None), [(c.value, c.score, c.reasons) for c in found.codes]


def test_the_reasons_of_a_candidate_add_up_to_its_score() -> None:
    found = tempmail.extract(mail("Your verification code: 482913. Order 12345678. Call 555-0142."))

    assert len(found.codes) >= 3
    for candidate in found.codes:
        assert sum(float(reason.rpartition(" ")[2]) for reason in candidate.reasons) == pytest.approx(
            candidate.score, abs=0.1
        )


def test_candidates_come_best_first_and_the_code_is_the_first() -> None:
    found = tempmail.extract(mail("Your verification code: 482913. Order 12345678."))

    assert found.code == found.codes[0].value == "482913"
    assert [c.score for c in found.codes] == sorted((c.score for c in found.codes), reverse=True)
    assert found.codes[0].score >= THRESHOLD > found.codes[1].score


def test_a_rejected_candidate_says_why() -> None:
    found = tempmail.extract(mail("Verification code requested from 194.34.158.64 for card •••• 4968."))

    reasons = {c.value: " ".join(c.reasons) for c in found.codes}
    assert "IP address" in reasons["1943415864"]
    assert "the tail of a card" in reasons["4968"]


def test_a_candidate_tells_its_source_place_context_and_rule() -> None:
    found = tempmail.extract(mail("Please enter your login code 482 913 now."))

    best = found.codes[0]
    assert (best.source, best.kind, best.context) == ("text", "grouped", ("Please", "enter", "your", "login", "code"))
    assert "Please enter your login code 482 913 now."[best.start : best.end] == "482 913"
    assert best.rule == "one-time code before it"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Login code: 482913", "numeric"),
        ("Login code: 482-913", "grouped"),
        ("Login code: k7p2xq", "alphanumeric"),
        ("Login code:\nbaro-mite-salu", "passphrase"),
    ],
)
def test_the_kind_names_the_form(text: str, kind: str) -> None:
    assert tempmail.extract(mail(text)).codes[0].kind == kind


def test_the_result_survives_json() -> None:
    found = tempmail.extract(mail("Login code: 482913. Confirm: https://acorn.example/confirm/9fQm2Zt7LwXc81RkB0"))

    again = json.loads(json.dumps(found.as_dict()))
    assert again["code"] == "482913"
    assert again["codes"][0]["reasons"] == list(found.codes[0].reasons)
    assert again["links"][0]["host"] == "acorn.example"
    assert again["version"] == found.version


@pytest.mark.parametrize(
    "raw", [b"", b"\r\n", b"\x00\xff" * 200, b"Subject: =?x?q?\r\n\r\n\xe9", b"no header at all 482913"]
)
def test_any_bytes_are_taken(raw: bytes) -> None:
    assert tempmail.extract(raw).link is None
