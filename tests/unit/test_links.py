"""Links through the public seam: every fact of `data/link_facts.toml`, and what a result tells about itself."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

import tempmail
from tempmail.domain.links_address import NO_TOKEN, SHORT_KEY, TOKEN, read_address
from tests.codes.mails import mail

FACTS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "data/link_facts.toml").read_text("utf-8"))["fact"]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact["fact"])
def test_link_fact(fact: dict[str, Any]) -> None:
    found = tempmail.extract(mail(fact.get("text"), fact.get("html"), subject=fact.get("subject", "Hello")))

    assert found.link == (fact["link"] or None), [(link.url, link.score, link.reasons) for link in found.links]
    assert found.links[0].kind == fact["kind"]


def test_the_reasons_of_a_link_add_up_to_its_score() -> None:
    found = tempmail.extract(
        mail("Confirm: https://acorn.example/confirm/9fQm2Zt7LwXc81RkB0\nHelp: https://acorn.example/help")
    )

    assert len(found.links) == 2
    for link in found.links:
        assert sum(float(reason.rpartition(" ")[2]) for reason in link.reasons) == pytest.approx(link.score, abs=0.01)


def test_the_host_is_without_credentials_and_in_lower_case() -> None:
    found = tempmail.extract(mail("https://user:pass@Acorn.EXAMPLE:8443/confirm/9fQm2Zt7LwXc81RkB0"))

    assert found.links[0].host == "acorn.example:8443"


def test_only_web_addresses_are_links() -> None:
    found = tempmail.extract(
        mail(html="<a href='mailto:a@acorn.example'>a</a><a href='/relative'>b</a><a href='javascript:x()'>Confirm</a>")
    )

    assert found.links == ()


def test_a_link_in_a_reply_s_quotation_counts_less_than_a_new_one() -> None:
    text = "Confirm: https://acorn.example/c/9fQm2Zt7LwXc81RkB0\n\nOn Monday Acorn wrote:\n> Confirm: https://acorn.example/c/0000Zt7LwXc81RkB0"
    found = tempmail.extract(mail(text, subject="Re: confirm"))

    assert found.link == "https://acorn.example/c/9fQm2Zt7LwXc81RkB0"


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://acorn.example/login", NO_TOKEN),
        ("https://acorn.example/users/4471882", SHORT_KEY),
        ("https://acorn.example/verify?t=9fQm2Zt7LwXc81RkB0", TOKEN),
        ("https://acorn.example/e/3c6e3ffd-e27d-439b-a580-17178588d1f9", TOKEN),
        ("https://acorn.example/a/Xw91kQz7Lm~~/AAQRxQA~/RgRp2xv1P0", TOKEN),
        ("https://acorn.example/our-guide-to-verification", NO_TOKEN),
    ],
)
def test_a_token_is_told_from_words_and_numbers(url: str, token: int) -> None:
    address = read_address(url)

    assert address is not None
    assert address.traits.token == token
