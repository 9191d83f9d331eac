"""Hostile mails: the work stays within its caps whatever the size, shown by what is kept, not by the clock."""

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from tempmail.domain.codes_shapes import MAX_SHAPES, find_shapes
from tempmail.domain.codes_text import MAX_CHARS, MAX_REMEMBERED_WORDS, MAX_WORDS, read_source
from tempmail.domain.extraction import MAX_ALT_SOURCES, Extraction, extract_from
from tempmail.domain.html import read_html
from tempmail.domain.links import MAX_REPORTED as MAX_REPORTED_LINKS
from tempmail.domain.mime import ParsedMail, parse
from tests.codes.mails import mail

HOSTILE: dict[str, Callable[[int], str]] = {
    "digits": lambda n: "1" * n,
    "single_digits": lambda n: "1 " * n,
    "dashes": lambda n: "A1-" * n,
    "lower_case_dashes": lambda n: "abc-" * n,
    "dots": lambda n: "1." * n,
    "at_signs": lambda n: "a@" * n,
    "schemes": lambda n: "http://" * n,
    "open_brackets": lambda n: "(" * n + "http://a.example/" + ")" * n,
    "colons": lambda n: ":" * n,
    "spaces": lambda n: " " * n + "code",
    "newlines": lambda n: "\n" * n + "code: 482913",
    "one_word": lambda n: "a" * n,
    "keywords": lambda n: "verification code " * n,
    "codes": lambda n: "code: 482913 " * n,
    "compounds": lambda n: "codekoodi" * n,
    "words_of_compounds": lambda n: ("codekoodi" * 6 + " ") * n,
    "typing": lambda n: "type 4829 " * n,
    "called_numbers": lambda n: "the number is 4829 " * n,
    "introductions": lambda n: "please put in\n\n4829\n\n" * n,
    "leaders": lambda n: "code ....... 4829 " * n,
    "quotation_marks": lambda n: "“code 4829 " * n,
    "new_devices": lambda n: "new device ignore " * n,
    "lines_of_codes": lambda n: "code:\n482913\n" * n,
    "quotes": lambda n: "> code 482913\n" * n,
    "han": lambda n: "验证码" * n,
    "combining": lambda n: "e" + "\u0301" * n,
    "unclosed_tags": lambda n: "<b>" * n,
    "cells": lambda n: "<td>1" * n,
    "styles": lambda n: "<style>.a{" * n,
    "comments": lambda n: "<!--" * n,
    "long_style": lambda n: "<p style='" + "overflow:hidden;" * n + "'>x</p>",
}


@pytest.fixture
def calls() -> Callable[[Callable[[], object]], int]:
    """Counts the Python calls of an action: a measure of work that no clock disturbs."""

    def count(action: Callable[[], object]) -> int:
        total = 0

        def on_event(frame: object, event: str, argument: object) -> None:
            nonlocal total
            total += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(on_event)
        try:
            action()
        finally:
            sys.setprofile(before)
        return total

    return count


def extract_parts(text: str, html: str) -> Extraction:
    return extract_from(parse(mail(text, html)), read_html(html))


@pytest.mark.parametrize("name", HOSTILE)
def test_twice_the_size_is_at_most_twice_the_work(name: str, calls: Callable[[Callable[[], object]], int]) -> None:
    parsed = parse(mail("x", "<p>x</p>"))

    def work(n: int) -> int:
        hostile = HOSTILE[name](n)
        view = read_html(f"<body>{hostile}")
        return calls(lambda: (read_html(f"<body>{hostile}"), extract_from(_with(parsed, hostile), view)))

    work(1_000), work(2_000)  # the caches of words are warm from here on
    small, large = work(1_000), work(2_000)
    assert large <= 2.2 * small + 2_000


def _with(parsed: ParsedMail, text: str) -> ParsedMail:
    return replace(parsed, text=text, subject=text[:500])


def test_a_text_is_read_up_to_its_caps() -> None:
    assert len(read_source("text", "a" * (MAX_CHARS + 1)).text) == MAX_CHARS
    assert len(read_source("text", "a " * (MAX_WORDS + 1)).words) == MAX_WORDS


def test_a_word_means_the_same_after_so_many_others_that_it_was_forgotten() -> None:
    known = read_source("text", "Your verification code 482913").hits
    assert known

    for first in range(0, 2 * MAX_REMEMBERED_WORDS + 2, 2_000):
        others = read_source("text", " ".join(f"z{first + n:x}" for n in range(2_000)))
        assert len(others.words) == 2_000
        if first == MAX_REMEMBERED_WORDS // 2_000 * 2_000:
            assert read_source("text", "Your verification code 482913").hits == known

    assert read_source("text", "Your verification code 482913").hits == known


def test_candidates_stop_at_their_cap() -> None:
    assert len(find_shapes(read_source("text", "482913\n" * (MAX_SHAPES + 1)))) == MAX_SHAPES
    assert len(find_shapes(read_source("text", "482913\n" * MAX_SHAPES))) == MAX_SHAPES


def test_image_texts_stop_at_their_cap() -> None:
    images = "".join(f"<img alt='login code {100000 + n}'>" for n in range(MAX_ALT_SOURCES + 1))

    found = extract_parts("x", images)

    assert f"{100000 + MAX_ALT_SOURCES}" not in {candidate.value for candidate in found.codes}


def test_reported_links_stop_at_their_cap() -> None:
    many = "".join(f"<a href='https://a.example/{n}'>x</a>" for n in range(MAX_REPORTED_LINKS + 1))

    assert len(extract_parts("x", many).links) == MAX_REPORTED_LINKS


def test_a_code_in_front_of_a_flood_is_found() -> None:
    found = extract_parts("x", "<p>Your login code: 482913</p>" + "<p>lorem ipsum 20417</p>" * 20_000)

    assert found.code == "482913"
