"""From msgspec types to JSON Schema 2020-12, with an example of each.

A field may say more than its type decodes: `Meta(extra={"required": True})` marks what a caller must give though the
handler, not the decoder, refuses its absence.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import inspect

_REF = "#/components/schemas/"
_DEEPEST = 8


class Schemas:
    """The schemas of some types, and of all that they hold."""

    def __init__(self, kinds: Iterable[Any]) -> None:
        kinds = tuple(kinds)
        _, found = msgspec.json.schema_components(kinds, ref_template=f"{_REF}{{name}}")
        self.components: dict[str, dict[str, Any]] = {name: dict(schema) for name, schema in found.items()}
        for name, needed in _required(inspect.multi_type_info(kinds)).items():
            _require(self.components[name], needed)

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of one of the types, by reference where it has a name."""
        (schema,), _ = msgspec.json.schema_components([kind], ref_template=f"{_REF}{{name}}")
        return schema

    def described(self, kind: Any) -> str:
        """What the type's docstring says; of a list, that of its items."""
        schema = self.of(kind)
        return str(self._resolved(schema.get("items", schema)).get("description", ""))

    def example(self, kind: Any) -> Any:
        """A value of the type, made of its fields' examples."""
        return self._example(self.of(kind), 0)

    def _example(self, schema: Mapping[str, Any], depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("the schema holds itself")
        if "examples" in schema:
            return schema["examples"][0]
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return self._example(schema["anyOf"][0], depth + 1)
        if schema.get("type") == "array":
            return [self._example(schema["items"], depth + 1)]
        if "properties" in schema:
            return {name: self._example(field, depth + 1) for name, field in schema["properties"].items()}
        raise ValueError(f"no example: {schema}")

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        reference = schema.get("$ref")
        return self.components[reference.removeprefix(_REF)] if reference else schema


def fields(struct: type[msgspec.Struct]) -> dict[str, tuple[dict[str, Any], bool]]:
    """For each field by its wire name: (schema, must be given). `T | None` is `T`: null stands for absence."""
    found = Schemas([struct]).components[struct.__name__]
    required = found.get("required", ())
    return {name: (_present(schema), name in required) for name, schema in found["properties"].items()}


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without null as a choice."""
    if "anyOf" not in schema:
        return schema
    choices = [member for member in schema["anyOf"] if member.get("type") != "null"]
    kept = {key: value for key, value in schema.items() if key != "anyOf" and (key, value) != ("default", None)}
    return kept | (choices[0] if len(choices) == 1 else {"anyOf": choices})


def _require(schema: dict[str, Any], needed: set[str]) -> None:
    schema["required"] = [name for name in schema["properties"] if name in needed or name in schema["required"]]
    for name in needed:
        schema["properties"][name] = _present(schema["properties"][name])
        schema["properties"][name].pop("default", None)


def _required(kinds: Iterable[inspect.Type]) -> dict[str, set[str]]:
    """By the name of each struct within `kinds`: the fields that are marked."""
    marked: dict[str, set[str]] = {}
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, inspect.Metadata):
            waiting.append(kind.type)
        elif isinstance(kind, inspect.ListType):
            waiting.append(kind.item_type)
        elif isinstance(kind, inspect.UnionType):
            waiting += kind.types
        elif isinstance(kind, inspect.StructType) and kind.cls.__name__ not in marked:
            needed = {field.encode_name for field in kind.fields if _is_marked(field.type)}
            marked[kind.cls.__name__] = needed
            waiting += [field.type for field in kind.fields]
    return {name: needed for name, needed in marked.items() if needed}


def _is_marked(kind: inspect.Type) -> bool:
    if isinstance(kind, inspect.Metadata):
        return bool((kind.extra or {}).get("required")) or _is_marked(kind.type)
    return isinstance(kind, inspect.UnionType) and any(_is_marked(member) for member in kind.types)
