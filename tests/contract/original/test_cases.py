"""A client of the original works unchanged: the cases of `cases/`, each on a stage of its own."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.original.casefile import Case, Exchange, compare, expected_json, filled, header_fits, read
from tests.contract.original.stage import Stage
from tests.contract.web_suite import ROOT_TOKEN

FILES = sorted((Path(__file__).parent / "cases").glob("*.cases"))
CASES = [pytest.param(case, id=f"{file.stem}: {case.title}") for file in FILES for case in read(file)]


@pytest.mark.parametrize("case", CASES)
def test_case(stage: Stage, case: Case) -> None:
    names = stage.names | {"expires": int((stage.server.clock.now() + 3600) * 1000), "root_token": ROOT_TOKEN}
    for exchange in case.exchanges:
        play(stage, exchange, names)


def play(stage: Stage, exchange: Exchange, names: dict[str, Any]) -> None:
    """Send the request and compare the answer. The client checks what holds for all answers."""
    path = filled(exchange.path, names)
    request: dict[str, Any] = {"headers": {name: filled(text, names) for name, text in exchange.headers.items()}}
    if exchange.body is not None:
        request["content"] = filled(exchange.body, names).encode()
        request["headers"] = {"content-type": "application/json", **request["headers"]}
    answer = stage.client(exchange.who)(exchange.method, path, **request)

    told = f"{exchange.who} {exchange.method} {path}: {answer.status_code} {answer.text}"
    assert answer.status_code == exchange.status, told
    for name, pattern in exchange.answer_headers:
        assert header_fits(filled(pattern, names), answer.headers[name]), f"{told}\n{name}: {answer.headers[name]}"
    if exchange.answer is None:
        return
    assert answer.headers["content-type"] == "application/json"
    compare(expected_json(exchange.answer, names), answer.json(), names)


def test_no_two_cases_have_the_same_name() -> None:
    names = [case.id for case in CASES]
    assert len(set(names)) == len(names)
