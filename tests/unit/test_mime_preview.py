"""The line that a list shows of a mail."""

import pytest

from tempmail.domain.mime_preview import PREVIEW_CHARS, preview


def nothing() -> str:
    return ""


def must_not_be_asked() -> str:
    raise AssertionError("the HTML was read although there is text")


def test_blanks_and_line_ends_become_single_spaces() -> None:
    assert preview("  Your\r\n\tcode\u00a0is\u3000482910 \n", must_not_be_asked) == "Your code is 482910"


@pytest.mark.parametrize(("length", "shown"), [(120, 120), (121, 120)])
def test_at_most_120_characters(length: int, shown: int) -> None:
    assert PREVIEW_CHARS == 120
    assert preview("é" * length, must_not_be_asked) == "é" * shown


def test_padding_of_preheaders_is_left_out() -> None:
    padded = "Code 482910" + "\u034f \u200c\u00a0\u200b\ufeff\u00ad\u2800" * 200

    assert preview(padded, must_not_be_asked) == "Code 482910"


def test_html_is_read_only_where_the_text_shows_nothing() -> None:
    assert preview(" \u200b\ufeff\n", lambda: " From\nHTML ") == "From HTML"


def test_nothing_to_see_is_none() -> None:
    assert preview("\u200b", nothing) is None


@pytest.mark.parametrize(
    "cluster",
    ["e\u0301", "👩\u200d👩\u200d👧", "👍🏽", "❤\ufe0f"],
    ids=["combining mark", "joined emoji", "skin tone", "variation selector"],
)
def test_a_character_is_shown_whole_or_not_at_all(cluster: str) -> None:
    for before in range(PREVIEW_CHARS - 6, PREVIEW_CHARS + 1):
        shown = preview("x" * before + cluster + "y" * 50, must_not_be_asked)

        assert shown is not None
        assert len(shown) <= PREVIEW_CHARS
        rest = shown.lstrip("x").rstrip("y")
        assert rest in ("", cluster)


def test_joiner_that_spelling_needs_is_kept() -> None:
    assert preview("می\u200cخواهم", must_not_be_asked) == "می\u200cخواهم"


def test_endless_combining_marks_still_give_a_bounded_line() -> None:
    shown = preview("a" + "\u0301" * 1000, must_not_be_asked)

    assert shown is not None
    assert len(shown) <= PREVIEW_CHARS
