"""Query strings read as the original reads them: bad numbers fall to their defaults, large ones to their limits.

The declaration is a msgspec Struct whose fields are `str`, `int`, `float`, or `int | None`, with `Meta(ge=…, le=…)` as
the limits. `Meta(extra={"fallback": n})` names the value of a field that is given but not a number, where that is not
its default.

Where the original has no say, `Meta(extra={"strict": True})` refuses what is no number or beyond its limits, and a
`Literal` whatever it does not name.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from tempmail.errors import BadRequest

MAX_FIELDS = 64

_S = TypeVar("_S", bound=msgspec.Struct)
_LEADING_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,18})")
_DIGITS = re.compile(r"[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,3})?")


def whole(text: str) -> int | None:
    """The integer that `text` begins with (JavaScript's parseInt); None where there is none.

    >>> whole(" 12abc"), whole("2.9"), whole("x")
    (12, 2, None)
    """
    match = _LEADING_INTEGER.match(text)
    return int(match[1]) if match else None


def number(text: str) -> float | None:
    """`text` as a number in whole (JavaScript's Number, decimal forms); None for none.

    >>> number(" 8.5 "), number("8x"), number("")
    (8.5, None, None)
    """
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def truthy(value: object) -> bool:
    """What a JSON value means where a yes or no is asked for, as in JavaScript: only false, null, 0 and "" are no.

    >>> truthy("false"), truthy([]), truthy(0), truthy("")
    (True, True, False, False)
    """
    return isinstance(value, list | dict) or bool(value)


@dataclass(frozen=True, slots=True)
class _Field:
    attribute: str
    name: str
    parse: Callable[[str], Any]


class Decoder(Generic[_S]):
    """Query strings to one Struct type. Of a repeated name the first value counts."""

    def __init__(self, struct: type[_S]) -> None:
        info = inspect.type_info(struct)
        if not isinstance(info, inspect.StructType):
            raise TypeError(f"{struct} is not a Struct")
        self._struct = struct
        self._fields = tuple(_Field(field.name, field.encode_name, _parser(field)) for field in info.fields)

    def decode(self, query: bytes) -> _S:
        """Raises `BadRequest` for more than `MAX_FIELDS` fields."""
        if not query:
            return self._struct()
        try:
            pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        except ValueError as exc:
            raise BadRequest("Bad Request") from exc
        return self.from_text(dict(reversed(pairs)))

    def from_text(self, texts: dict[str, str]) -> _S:
        """A Struct of the fields that `texts` holds by their wire names; the others keep their defaults."""
        return self._struct(**{f.attribute: f.parse(texts[f.name]) for f in self._fields if f.name in texts})


def _parser(field: inspect.Field) -> Callable[[str], Any]:
    kind, extra = _unwrapped(field.type)
    if isinstance(kind, inspect.UnionType):
        kind, extra = _unwrapped(next(member for member in kind.types if not isinstance(member, inspect.NoneType)))
    default = extra.get("fallback", field.default)
    if isinstance(kind, inspect.LiteralType):
        return _one_of(field.encode_name, [str(value) for value in kind.values])
    if isinstance(kind, inspect.IntType) and extra.get("strict"):
        return _strict(field.encode_name, kind.ge or 0, kind.le or 0)
    if isinstance(kind, inspect.StrType):
        return str
    if isinstance(kind, inspect.IntType):
        return _clamped(whole, default, kind.ge, kind.le)
    if isinstance(kind, inspect.FloatType):
        return _clamped(number, default, kind.ge, kind.le)
    raise TypeError(f"a query cannot hold {field.name}: {kind}")


def _one_of(name: str, values: list[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise BadRequest(f"{name}: {', '.join(values)}")
        return text

    return parse


def _strict(name: str, low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text) if _DIGITS.fullmatch(text) else None
        if value is None or not low <= value <= high:
            raise BadRequest(f"{name}: a whole number from {low} to {high}")
        return value

    return parse


def _unwrapped(kind: inspect.Type) -> tuple[inspect.Type, dict[str, Any]]:
    """The bare type, and the `extra` of the Meta around it."""
    extra: dict[str, Any] = {}
    while isinstance(kind, inspect.Metadata):
        extra |= kind.extra or {}
        kind = kind.type
    return kind, extra


def _clamped(
    read: Callable[[str], float | None], default: object, low: float | None, high: float | None
) -> Callable[[str], object]:
    def parse(text: str) -> object:
        value = read(text)
        if value is None or isnan(value):
            return default
        if low is not None and value < low:
            return low
        return high if high is not None and value > high else value

    return parse
