"""The own labelled mails keep their floors (what each part is: `own/README.md`)."""

import pytest

from tempmail.domain.lexicon.table import languages
from tests.codes.corpus import OWN, Verdict, by_format, by_language, figures, table, verdicts

FLOORS = {
    "tune": (0.99, 0.995, 0.98),
    "hold": (0.98, 0.99, 0.98),
    "fresh": (0.96, 0.95, 0.98),
    "wild1": (0.98, 0.98, 0.98),
    "wild2": (0.98, 0.98, 0.98),
    "wild3": (0.98, 0.98, 0.98),
    "wild4": (0.99, 0.99, 0.99),
    "wild5": (0.99, 0.98, 0.99),
    "wild6": (0.99, 0.99, 0.99),
    "wild7": (0.99, 0.99, 0.99),
    "wild8": (0.98, 0.99, 0.99),
}
"""At least: codes exact, codes precise, links exact."""

LEAST_MAILS = 1_500
LEAST_LANGUAGES = 75


@pytest.fixture(scope="module")
def results() -> dict[str, list[Verdict]]:
    return {part: verdicts(OWN / part) for part in FLOORS}


@pytest.mark.parametrize("part", FLOORS)
def test_the_floors_hold(results: dict[str, list[Verdict]], part: str) -> None:
    found = figures(results[part])

    assert found.code_exact >= FLOORS[part][0]
    assert found.code_precision >= FLOORS[part][1]
    assert found.link_exact >= FLOORS[part][2]


def test_the_mails_are_many_and_in_many_languages(results: dict[str, list[Verdict]]) -> None:
    labels = [each.label for part in results.values() for each in part]

    assert len(labels) >= LEAST_MAILS
    assert len({label["lang"] for label in labels}) >= LEAST_LANGUAGES


def test_every_language_of_the_mails_has_a_table(results: dict[str, list[Verdict]]) -> None:
    spoken = {each.label["lang"].partition("-")[0] for part in results.values() for each in part}

    assert spoken <= set(languages())


def test_the_tables_have_a_row_for_each_language_and_format(results: dict[str, list[Verdict]]) -> None:
    everything = [each for part in results.values() for each in part]

    assert "| ja | " in table(everything, by_language)
    assert "| 6 digits | " in table(everything, by_format)
