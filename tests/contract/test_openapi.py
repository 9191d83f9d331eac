"""The OpenAPI document: valid, complete, and in agreement with the routes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tempmail.domain.policy import ACTIONS
from tempmail.web.endpoints import ALL
from tempmail.web.openapi import describe

DOCUMENT: dict[str, Any] = json.loads(json.dumps(describe(ALL, version="1.2.3")))
STATIC = Path(__file__).parents[2] / "tempmail" / "web" / "static"


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_the_document_is_valid_openapi_3_1() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()
    assert DOCUMENT["openapi"].startswith("3.1.")


def test_it_holds_every_route_and_no_other() -> None:
    assert {route for route, _ in operations()} == {route for endpoint in ALL for route in endpoint.routes}


def test_it_is_the_same_each_time() -> None:
    assert json.dumps(describe(ALL, version="1.2.3")) == json.dumps(DOCUMENT)


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, operation in operations()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("route", "operation"), list(operations()), ids=[route for route, _ in operations()])
def test_every_operation_is_described(route: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    for parameter in operation.get("parameters", ()):
        assert parameter["description"], f"{route}: {parameter['name']}"
    for name in re.findall(r"{(\w+)}", route):
        assert {"name": name, "in": "path", "required": True}.items() <= next(
            p for p in operation["parameters"] if p["name"] == name
        ).items()
    for status, response in operation["responses"].items():
        assert response["description"]
        if int(status) >= 400:
            content = response["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Error"}
            assert content["examples"]


def test_public_operations_need_no_credential_and_others_name_their_refusals() -> None:
    for endpoint in ALL:
        for method in endpoint.methods:
            operation = DOCUMENT["paths"][endpoint.path][method.lower()]
            is_public = ACTIONS[endpoint.action].public
            assert (operation.get("security") == []) is is_public
            assert ("403" in operation["responses"]) is not is_public
            if not is_public:
                assert "401" in operation["responses"]


def test_every_field_has_a_description_or_an_example() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, declared in schema.get("properties", {}).items():
            told = {"description", "examples", "$ref", "items", "anyOf"} & declared.keys()
            assert told, f"{name}.{field}"


def test_there_are_three_ways_to_show_who_one_is() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert schemes["session"]["name"] == "iding-session"
    assert schemes["rootToken"]["scheme"] == "bearer"
    assert schemes["adminToken"]["name"] == "X-Admin-Token"


def test_pages_take_nothing_from_elsewhere() -> None:
    for page in STATIC.iterdir():
        text = page.read_text("utf-8")
        assert not re.search(r"https?://|(src|href)=[\"']//|@import|<style|<script>|\son\w+=|innerHTML", text), (
            page.name
        )
