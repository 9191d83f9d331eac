"""Texts brought to one form, and terms found in languages that write without spaces."""

from itertools import pairwise

import pytest

from tempmail.domain.codes_text import read_source
from tempmail.domain.lexicon.letters import normalise, normalise_with_offsets
from tempmail.domain.lexicon.table import Concept, run_concepts


def test_of_two_terms_that_begin_alike_the_longer_is_found() -> None:
    [(start, end, concepts)] = run_concepts("您的验证码")

    assert (start, end) == (2, 5)
    assert concepts & Concept.OTP


def test_terms_do_not_overlap_and_come_in_order() -> None:
    found = list(run_concepts("验证码 authentication 認証コード 인증번호 验证码"))

    assert len(found) >= 4
    assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_a_text_without_such_letters_has_no_such_terms() -> None:
    assert list(run_concepts("Der Bestätigungscode für Österreich")) == []


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("code 482913", "code 482913"),
        ("４８２９１３", "482913"),
        ("٤٨٢٩١٣", "482913"),
        ("48\u200b29\u00ad13", "482913"),
        ("Grüße – 5\u00a0Minuten", "Grüße – 5 Minuten"),
        ("\ud800x", "\ud800x"),
    ],
)
def test_normalised_text(text: str, plain: str) -> None:
    assert normalise(text) == plain


@pytest.mark.parametrize("text", ["a\u00a0b – c", "a\u200bb – c", "ａｂｃ – d", "ab – c"])
def test_offsets_follow_what_is_removed_before_them(text: str) -> None:
    offsets = range(len(text) + 1)
    plain, moved = normalise_with_offsets(text, offsets)

    assert plain == normalise(text)
    assert [plain[: moved[at]] for at in offsets] == [normalise(text[:at]) for at in offsets]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("your one-time code", 2),
        ("your one\ntime code", 2),
        ("your one. time code", 1),
        ("see https://a.example/one time code", 1),
    ],
)
def test_a_phrase_is_one_term_where_its_words_are_joined(text: str, words: int) -> None:
    reading = read_source("text", text)
    last = reading.hits[-1 if words == 1 else 0]

    assert len(text[last[0] : last[1]].replace("-", " ").split()) == words
