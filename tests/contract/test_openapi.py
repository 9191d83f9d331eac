"""The OpenAPI document: valid, complete, and in agreement with the routes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from tempmail.domain.actor import Role
from tempmail.domain.policy import ACTIONS, Reach
from tempmail.web.endpoints import ALL
from tempmail.web.meanings import MEANINGS
from tempmail.web.openapi import describe
from tempmail.web.problems import is_enveloped

DOCUMENT: dict[str, Any] = json.loads(json.dumps(describe(ALL, version="1.2.3")))
STATIC = Path(__file__).parents[2] / "tempmail" / "web" / "static"


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def check(value: Any, schema: dict[str, Any]) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


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


EVERY_OPERATION = pytest.mark.parametrize(
    ("route", "operation"), list(operations()), ids=[route for route, _ in operations()]
)


@EVERY_OPERATION
def test_every_operation_is_described(route: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}[operation["tags"][0]]
    for name in re.findall(r"{(\w+)}", route):
        assert {"name": name, "in": "path", "required": True}.items() <= next(
            p for p in operation["parameters"] if p["name"] == name
        ).items()


@EVERY_OPERATION
def test_every_parameter_has_a_description_and_an_example_that_fits(route: str, operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", ()):
        assert parameter["description"], parameter["name"]
        assert parameter["example"] != ""
        check(parameter["example"], parameter["schema"])


@EVERY_OPERATION
def test_every_body_has_a_description_and_an_example_that_fits(route: str, operation: dict[str, Any]) -> None:
    if "requestBody" not in operation:
        return
    assert operation["requestBody"]["description"]
    for content in operation["requestBody"]["content"].values():
        check(content["example"], content["schema"])


@EVERY_OPERATION
def test_every_answer_has_a_description_and_examples_that_fit(route: str, operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        assert answer["description"]
        assert "X-Request-Id" in answer["headers"]
        [(media_type, content)] = answer["content"].items()
        if status == "200":
            check(content["example"], content["schema"])
            continue
        assert media_type == "application/json"
        form = "EnvelopedError" if is_enveloped(route.partition(" ")[2]) else "Error"
        assert content["schema"] == {"$ref": f"#/components/schemas/{form}"}
        for example in content["examples"].values():
            check(example["value"], content["schema"])


@EVERY_OPERATION
def test_every_error_text_is_explained_in_english(route: str, operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        for example in answer["content"].get("application/json", {}).get("examples", {}).values():
            assert not re.search("[\u4e00-\u9fff]", example["summary"]), f"{status}: {example['summary']}"


def test_no_meaning_is_left_of_a_text_that_went() -> None:
    texts = {
        example["value"]["error"]
        for _, operation in operations()
        for answer in operation["responses"].values()
        for content in answer["content"].values()
        for example in content.get("examples", {}).values()
    }
    assert MEANINGS.keys() <= texts


@EVERY_OPERATION
def test_every_operation_says_who_may_use_it(route: str, operation: dict[str, Any]) -> None:
    [endpoint] = [endpoint for endpoint in ALL if route in endpoint.routes]
    rule = ACTIONS[endpoint.action]
    assert operation["x-action"] == endpoint.action
    assert operation["x-roles"] == {str(role): str(reach) for role, reach in rule.by_role.items()}
    schemes = {name for scheme in operation["security"] for name in scheme}
    if rule.public:
        assert schemes == set()
        assert "Open to everybody." in operation["description"]
        return
    assert f"Action: `{endpoint.action}`" in operation["description"]
    for role, reach in rule.by_role.items():
        assert (f"{role} ({reach}" in operation["description"]) is (reach is not Reach.NONE)
    assert "session" in schemes
    assert ("rootToken" in schemes) is ("adminToken" in schemes) is (rule.by_role[Role.STRICT_ADMIN] is not Reach.NONE)
    owners = (Role.STRICT_ADMIN, Role.ADMIN, Role.USER)
    assert ("apiToken" in schemes) is (rule.by_token and any(rule.by_role[r] is not Reach.NONE for r in owners))


def test_public_operations_need_no_credential_and_others_name_their_refusals() -> None:
    for endpoint in ALL:
        for method in endpoint.methods:
            operation = DOCUMENT["paths"][endpoint.path][method.lower()]
            is_public = ACTIONS[endpoint.action].public
            assert (operation.get("security") == []) is is_public
            # Those that begin or end a session are refused to pages of other sites.
            assert ("403" in operation["responses"]) is (not is_public or endpoint.tag == "Session")
            if not is_public:
                assert "401" in operation["responses"]


def test_every_schema_and_every_field_is_described() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert schema["description"], name
        for field, declared in schema.get("properties", {}).items():
            told = [declared, *declared.get("anyOf", ())]
            assert any(one.get("description") for one in told), f"{name}.{field}"


def test_fields_that_a_caller_must_give_are_required() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["CreateBody"]["required"] == ["local"]
    assert schemas["FavoriteBody"]["required"] == ["mailbox_id"]
    assert schemas["FavoriteBody"]["properties"]["mailbox_id"]["type"] == "integer"
    assert "default" not in schemas["Assignment"]["properties"]["address"]
    [address] = DOCUMENT["paths"]["/api/mailboxes"]["delete"]["parameters"]
    assert address["required"] is True


def test_there_are_four_ways_to_show_who_one_is() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert schemes["session"]["name"] == "iding-session"
    assert schemes["rootToken"]["scheme"] == schemes["apiToken"]["scheme"] == "bearer"
    assert schemes["adminToken"]["name"] == "X-Admin-Token"


def test_pages_take_nothing_from_elsewhere() -> None:
    for page in STATIC.iterdir():
        text = page.read_text("utf-8")
        assert not re.search(r"https?://|(src|href)=[\"']//|@import|<style|<script>|\son\w+=|innerHTML", text), (
            page.name
        )
