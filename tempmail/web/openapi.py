"""The OpenAPI 3.1 document, made from the endpoints' declarations."""

from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from tempmail.domain.actor import Role
from tempmail.domain.policy import ACTIONS, Reach
from tempmail.web.endpoint import FORM, Endpoint, Raw, Refusal
from tempmail.web.meanings import MEANINGS
from tempmail.web.multipart import MULTIPART
from tempmail.web.openapi_components import (
    ENVELOPED_ERROR,
    ERROR,
    HEADERS,
    INTRODUCTION,
    SECURITY_SCHEMES,
    TAGS,
    security_of,
)
from tempmail.web.problems import INTERNAL, enveloped, is_enveloped
from tempmail.web.schemas import Schemas, fields

_TAG_ORDER = tuple(TAGS).index
_FILE_FORM = {
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary"}},
    "required": ["file"],
}
_BINARY = {"type": "string", "format": "binary"}
_REF = "#/components/{kind}/{name}"

_EVERYWHERE = (Refusal(500, INTERNAL, such_as={"request_id": "3q2-7wAAAAAA"}),)
_WITH_STORE = (Refusal(503, "数据库连接失败"),)
_HEADERS_OF_STATUS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}


def describe(endpoints: Sequence[Endpoint], *, version: str) -> dict[str, Any]:
    """The whole document. Deterministic: the same declarations give the same bytes."""
    types = [kind for e in endpoints for kind in (e.returns, e.body) if kind not in (None, Raw, bytes)]
    schemas = Schemas(types)
    paths: dict[str, dict[str, Any]] = {}
    for declared in sorted(endpoints, key=lambda e: e.path):
        for method in declared.methods:
            paths.setdefault(declared.path, {})[method.lower()] = _operation(declared, method, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tempmail",
            "version": version,
            "description": INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "security": [{name: []} for name in SECURITY_SCHEMES],
        "tags": [{"name": tag, "description": TAGS[tag]} for tag in sorted({e.tag for e in endpoints}, key=_TAG_ORDER)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted({**schemas.components, "Error": ERROR, "EnvelopedError": ENVELOPED_ERROR}.items())),
            "headers": HEADERS,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def _operation(declared: Endpoint, method: str, schemas: Schemas) -> dict[str, Any]:
    rule = ACTIONS[declared.action]
    operation: dict[str, Any] = {
        "operationId": declared.name if method == declared.methods[0] else f"{declared.name}_{method.lower()}",
        "tags": [declared.tag],
        "summary": declared.summary,
        "description": "\n\n".join(part for part in (declared.description, _permission(declared)) if part),
        "x-action": declared.action,
        "x-roles": {str(role): str(reach) for role, reach in rule.by_role.items()},
        "security": security_of(rule),
    }
    parameters = [*_parameters(declared.path_params, "path"), *_parameters(declared.query, "query")]
    if parameters:
        operation["parameters"] = parameters
    if declared.body is not None:
        operation["requestBody"] = _body(declared, schemas)
    operation["responses"] = {"200": _success(declared, schemas), **_failures(declared, public=rule.public)}
    return operation


def _permission(declared: Endpoint) -> str:
    """Who may call it, from the policy table."""
    rule = ACTIONS[declared.action]
    if rule.public:
        return "Open to everybody."
    cells = {role: str(reach) for role, reach in rule.by_role.items() if reach is not Reach.NONE}
    if Role.MAILBOX in cells and rule.mailbox_window_s is not None:
        cells[Role.MAILBOX] += f", last {rule.mailbox_window_s // 3600} h"
    allowed = ", ".join(f"{role} ({reach})" for role, reach in cells.items())
    by_token = "" if rule.by_token else ", which no API token can do"
    return f"For: {allowed}. Action: `{declared.action}`{by_token}."


def _parameters(struct: type[msgspec.Struct] | None, where: str) -> Iterable[dict[str, Any]]:
    for name, (schema, is_required) in ({} if struct is None else fields(struct)).items():
        parameter: dict[str, Any] = {"name": name, "in": where, "required": where == "path" or is_required}
        if where == "path":
            schema.pop("default", None)
        if "description" in schema:
            parameter["description"] = schema.pop("description")
        examples = schema.pop("examples", None) or ([schema["default"]] if "default" in schema else [])
        if examples:
            parameter["example"] = examples[0]
        yield {**parameter, "schema": schema}


def _body(declared: Endpoint, schemas: Schemas) -> dict[str, Any]:
    if declared.body is bytes:
        content = {"schema": _BINARY, "example": declared.body_example}
        contents: dict[str, Any] = {declared.takes: content}
        if declared.takes == MULTIPART:
            form = {"schema": _FILE_FORM, "example": {"file": declared.body_example}}
            contents = {MULTIPART: form, "application/octet-stream": content}
        return {"description": "Raw bytes", "required": True, "content": contents}
    example = schemas.example(declared.body) if declared.body_example is None else declared.body_example
    content = {"schema": schemas.of(declared.body), "example": example}
    kinds = (declared.takes, FORM) if declared.form else (declared.takes,)
    return {
        "description": schemas.described(declared.body),
        "required": not declared.form,
        "content": dict.fromkeys(kinds, content),
    }


def _success(declared: Endpoint, schemas: Schemas) -> dict[str, Any]:
    if declared.returns is Raw:
        description, schema, example = declared.summary, _BINARY, declared.answer_example
    else:
        description, schema = schemas.described(declared.returns) or declared.summary, schemas.of(declared.returns)
        example = schemas.example(declared.returns) if declared.answer_example is None else declared.answer_example
    return {
        "description": description,
        "headers": _headers("X-Request-Id"),
        "content": {declared.media_type: {"schema": schema, "example": example}},
    }


def _failures(declared: Endpoint, *, public: bool) -> dict[str, Any]:
    refusals = [*declared.errors, *_EVERYWHERE]
    if not public:
        refusals += [Refusal(401, "Unauthorized"), *_forbidden(declared), *_WITH_STORE]
    elif declared.tag == "Session":
        refusals += [*_WITH_STORE, Refusal(403, "Forbidden")]
    if declared.query is not None:
        refusals.append(Refusal(400, "Bad Request"))
    if declared.body is not None:
        refusals.append(Refusal(413, "请求体过大：最多 1048576 字节"))
    if declared.throttle is not None or (declared.audited and not public):
        refusals.append(Refusal(429, "Too Many Requests"))
    by_status: dict[int, list[Refusal]] = {}
    for refusal in refusals:
        by_status.setdefault(refusal.status, []).append(refusal)
    form = _in_envelope if is_enveloped(declared.path) else _plain
    return {str(status): _failure(status, by_status[status], form) for status in sorted(by_status)}


def _forbidden(declared: Endpoint) -> Iterable[Refusal]:
    rule = ACTIONS[declared.action]
    if any(reach is not Reach.ALL for reach in rule.by_role.values()):
        yield Refusal(403, "Forbidden")
    if rule.mailbox is Reach.NONE:
        yield Refusal(403, "访问被拒绝")
    if rule.guest is Reach.NONE:
        yield Refusal(403, rule.demo_refusal)


def _plain(refusal: Refusal) -> tuple[str, dict[str, Any]]:
    """(schema, body) of an error answer."""
    return "Error", {"error": refusal.text, **(refusal.also or {}), **(refusal.such_as or {})}


def _in_envelope(refusal: Refusal) -> tuple[str, dict[str, Any]]:
    """The same in the envelope."""
    body = enveloped({"error": refusal.text}, refusal.status)
    return "EnvelopedError", {**body, **(refusal.also or {}), **(refusal.such_as or {})}


def _failure(
    status: int, refusals: Sequence[Refusal], form: Callable[[Refusal], tuple[str, dict[str, Any]]]
) -> dict[str, Any]:
    bodies = {refusal.text: form(refusal)[1] for refusal in refusals}
    examples = {
        f"example{number}": {"summary": MEANINGS.get(text, text), "value": body}
        for number, (text, body) in enumerate(bodies.items(), start=1)
    }
    schema = {"$ref": _REF.format(kind="schemas", name=form(refusals[0])[0])}
    return {
        "description": HTTPStatus(status).phrase,
        "headers": _headers("X-Request-Id", *_HEADERS_OF_STATUS.get(status, ())),
        "content": {"application/json": {"schema": schema, "examples": examples}},
    }


def _headers(*names: str) -> dict[str, dict[str, str]]:
    return {name: {"$ref": _REF.format(kind="headers", name=name)} for name in names}
