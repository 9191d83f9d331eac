"""Requests and their answers as text, so that a case reads like what a client sees.

    # a comment: mostly what the cases below come from
    == a title
    U GET /api/user/quota              who (see `Stage`), method, path, and after it the body, if any
    > content-type: text/plain         a header of the request
    200 {"limit": 10, "used": "<int>"} the answer: status, JSON
    < set-cookie: iding-session=*      a header of the answer; `*` stands for anything

A case may hold several exchanges, each on the state that those before it left; the first finds what `Stage` says.
JSON goes on in lines that begin with white space. `$box_id` stands for what the stage, or an answer before, calls so.

Answers are compared exactly: the keys, and the types of the values (`1` is neither `true` nor `1.0`). Only

- a string `<kind>` takes any value of `KINDS`, and `<kind name>` keeps it as `$name`;
- an object with a key `…` may have more keys than those named;
- an answer without JSON after its status may say anything.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def _is_random_address(length: int, domain: str) -> Callable[[Any], bool]:
    address = re.compile(rf"[a-z0-9]{{{length}}}@{re.escape(domain)}")
    return lambda value: isinstance(value, str) and address.fullmatch(value) is not None


KINDS: Mapping[str, Callable[[Any], bool]] = {
    "int": lambda value: type(value) is int,
    "flag": lambda value: type(value) is int and value in (0, 1),
    "text": lambda value: isinstance(value, str) and value != "",
    "stamp": lambda value: isinstance(value, str) and bool(re.fullmatch(r"\d{4}(-\d\d){2} \d\d(:\d\d){2}", value)),
    **{f"name{length}": _is_random_address(length, "temp.example.com") for length in (1, 8, 12, 64)},
    "name8other": _is_random_address(8, "Mail.Example.org"),
    "name8guest": _is_random_address(8, "exa.cc"),
    "key": lambda value: (
        isinstance(value, str) and bool(re.fullmatch(r"\d{4}/\d\d/\d\d/\S+@\S+/\d{6}-\S+\.eml", value))
    ),
    "list": lambda value: isinstance(value, list),
    "uuid": lambda value: (
        isinstance(value, str) and bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value))
    ),
    "iso": lambda value: isinstance(value, str) and bool(re.fullmatch(r"\d{4}(-\d\d){2}T\d\d(:\d\d){2}\+00:00", value)),
}
MORE = "…"

_REQUEST = re.compile(r"([-SRXAUVMG]) ([A-Z]+) (/\S*)(?: (.*))?", re.DOTALL)
_ANSWER = re.compile(r"(\d{3})(?: (.*))?", re.DOTALL)
_HEADER = re.compile(r"([\w-]+): ?(.*)")
_KIND = re.compile(r"<(\w+)(?: (\w+))?>")
_NAME = re.compile(r"\$([a-z_]+)")


@dataclass
class Exchange:
    """One request and its answer, as written."""

    who: str
    method: str
    path: str
    body: str | None
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 0
    answer: str | None = None
    answer_headers: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Case:
    title: str
    exchanges: list[Exchange] = field(default_factory=list)


def read(path: Path) -> list[Case]:
    """The cases of one file. Raises AssertionError with the line that cannot be read."""
    cases: list[Case] = []
    for line in _lines(path.read_text("utf-8")):
        _take(line, cases)
    for case in cases:
        assert case.exchanges, f"{path.name}: nothing happens in: {case.title}"
        assert all(exchange.status for exchange in case.exchanges), f"{path.name}: no answer in: {case.title}"
    return cases


def filled(text: str, names: Mapping[str, Any]) -> str:
    """`text` with every `$name` replaced."""
    return _NAME.sub(lambda found: str(names[found[1]]), text)


def compare(expected: Any, actual: Any, names: dict[str, Any], *, at: str = "answer") -> None:
    """Raises AssertionError where they differ. What `<kind name>` took is put into `names`."""
    kind = _KIND.fullmatch(expected) if isinstance(expected, str) else None
    if kind is not None:
        assert KINDS[kind[1]](actual), f"{at}: {actual!r} is no {kind[1]}"
        if kind[2]:
            names[kind[2]] = actual
        return
    assert type(actual) is type(expected), f"{at}: {actual!r} instead of {expected!r}"
    if isinstance(expected, dict):
        wanted = {key: value for key, value in expected.items() if key != MORE}
        missing, further = wanted.keys() - actual.keys(), actual.keys() - wanted.keys()
        assert not missing, f"{at}: without {sorted(missing)}"
        assert MORE in expected or not further, f"{at}: with {sorted(further)}"
        for key, value in wanted.items():
            compare(value, actual[key], names, at=f"{at}.{key}")
    elif isinstance(expected, list):
        assert len(actual) == len(expected), f"{at}: {len(actual)} items instead of {len(expected)}: {actual!r}"
        for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
            compare(one, other, names, at=f"{at}[{index}]")
    else:
        assert actual == expected, f"{at}: {actual!r} instead of {expected!r}"


def header_fits(pattern: str, value: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), value) is not None


def expected_json(text: str, names: Mapping[str, Any]) -> Any:
    return json.loads(filled(text, names))


def _lines(text: str) -> Iterator[str]:
    """Lines that say something, each with those that continue it."""
    whole = ""
    for line in text.splitlines():
        if line.startswith((" ", "\t")):
            whole += f"\n{line}"
            continue
        if whole:
            yield whole
        whole = "" if line.startswith("#") else line.rstrip()
    if whole:
        yield whole


def _take(line: str, cases: list[Case]) -> None:
    if line.startswith("== "):
        cases.append(Case(line[3:]))
        return
    exchanges = cases[-1].exchanges
    if request := _REQUEST.fullmatch(line):
        exchanges.append(Exchange(request[1], request[2], request[3], request[4]))
    elif answer := _ANSWER.fullmatch(line):
        exchanges[-1].status, exchanges[-1].answer = int(answer[1]), answer[2]
    elif line.startswith("> ") and (header := _HEADER.fullmatch(line[2:])):
        exchanges[-1].headers[header[1]] = header[2]
    elif line.startswith("< ") and (header := _HEADER.fullmatch(line[2:])):
        exchanges[-1].answer_headers.append((header[1], header[2]))
    else:
        raise AssertionError(f"cannot read: {line}")
