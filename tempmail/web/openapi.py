"""The OpenAPI 3.1 document, made from the endpoints' declarations."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from tempmail.domain.actor import Role
from tempmail.domain.policy import ACTIONS, Reach
from tempmail.web.call import SESSION_COOKIE
from tempmail.web.endpoint import Endpoint, Raw, Refusal

_REF = "#/components/schemas/{name}"
_INTRODUCTION = """Receives mail by SMTP, finds verification codes, and serves mailboxes and mail over HTTP.

Times are UTC, `YYYY-MM-DD HH:MM:SS`. Flags are 0 or 1. Every error is `{"error": "…"}`; an answer's `X-Request-Id`
names its request in the server's log. Query values that are no numbers fall to their defaults, numbers out of range to
the nearest limit. Under reach OWN, an address that does not exist answers like one that belongs to somebody else."""

_SECURITY = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "The cookie that `POST /api/login` sets.",
    },
    "rootToken": {"type": "http", "scheme": "bearer", "description": "JWT_TOKEN: the highest administrator."},
    "adminToken": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Admin-Token",
        "description": "JWT_TOKEN: the highest administrator.",
    },
}

_BINARY = {"type": "string", "format": "binary"}

_ERROR = {
    "type": "object",
    "description": "What went wrong.",
    "properties": {
        "error": {"type": "string", "description": "For people; the texts are stable"},
        "detail": {"type": "string", "description": "Where a request body is not as asked for"},
        "request_id": {"type": "string", "description": "Names a failure in the server's log"},
        "ready": {"type": "boolean", "description": "`GET /readyz` only: false"},
        "reasons": {
            "type": "array",
            "items": {"type": "string"},
            "description": "`GET /readyz` only: why mail cannot be taken now",
        },
        "success": {"type": "boolean", "description": "False, where the original answers so"},
        "message": {"type": "string", "description": "The same as `error`, where the original answers so"},
    },
    "required": ["error"],
}

_EVERYWHERE = (Refusal(500, "Internal Server Error"),)
_WITH_STORE = (Refusal(503, "数据库连接失败"),)


def describe(endpoints: Sequence[Endpoint], *, version: str) -> dict[str, Any]:
    """The whole document. Deterministic: the same declarations give the same bytes."""
    types = [kind for e in endpoints for kind in (e.returns, e.body) if kind not in (None, Raw, bytes)]
    _, components = msgspec.json.schema_components(types, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for declared in sorted(endpoints, key=lambda e: e.path):
        for method in declared.methods:
            paths.setdefault(declared.path, {})[method.lower()] = _operation(declared, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tempmail",
            "version": version,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "This server"}],
        "security": [{name: []} for name in _SECURITY],
        "tags": [{"name": tag} for tag in dict.fromkeys(e.tag for e in endpoints)],
        "paths": paths,
        "components": {
            "schemas": dict(sorted({**components, "Error": _ERROR}.items())),
            "securitySchemes": _SECURITY,
        },
    }


def _operation(declared: Endpoint, method: str) -> dict[str, Any]:
    rule = ACTIONS[declared.action]
    operation: dict[str, Any] = {
        "operationId": declared.name if method == declared.methods[0] else f"{declared.name}_{method.lower()}",
        "tags": [declared.tag],
        "summary": declared.summary,
        "description": "\n\n".join(part for part in (declared.description, _reaches(declared)) if part),
    }
    parameters = [*_parameters(declared.path_params, "path"), *_parameters(declared.query, "query")]
    if parameters:
        operation["parameters"] = parameters
    if declared.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {declared.takes: {"schema": _BINARY if declared.body is bytes else _schema(declared.body)}},
        }
    if rule.public:
        operation["security"] = []
    operation["responses"] = {"200": _success(declared), **_failures(declared, public=rule.public)}
    return operation


def _reaches(declared: Endpoint) -> str:
    """Who may call it, from the policy table."""
    rule = ACTIONS[declared.action]
    if rule.public:
        return "Open to everybody."
    allowed = [f"{role} ({rule.by_role[role]})" for role in Role if rule.by_role[role] is not Reach.NONE]
    return f"For: {', '.join(allowed)}."


def _parameters(struct: type[msgspec.Struct] | None, where: str) -> Iterable[dict[str, Any]]:
    if struct is None:
        return
    _, components = msgspec.json.schema_components([struct], ref_template=_REF)
    for name, schema in components[struct.__name__]["properties"].items():
        parameter = {"name": name, "in": where, "required": where == "path"}
        if "anyOf" in schema:  # `int | None`: null is how the absence of a parameter is declared
            schema = next(member for member in schema["anyOf"] if member.get("type") != "null")
        if where == "path":
            schema.pop("default", None)
        if "description" in schema:
            parameter["description"] = schema.pop("description")
        yield {**parameter, "schema": schema}


def _success(declared: Endpoint) -> dict[str, Any]:
    schema = _BINARY if declared.returns is Raw else _schema(declared.returns)
    return {"description": "Done", "content": {declared.media_type: {"schema": schema}}}


def _failures(declared: Endpoint, *, public: bool) -> dict[str, Any]:
    refusals = [*declared.errors, *_EVERYWHERE]
    if not public:
        refusals += [Refusal(401, "Unauthorized"), *_forbidden(declared), *_WITH_STORE]
    elif declared.tag == "Session":
        refusals += _WITH_STORE
    if declared.query is not None:
        refusals.append(Refusal(400, "Bad Request"))
    if declared.body is not None:
        refusals.append(Refusal(413, "请求体过大"))
    by_status: dict[int, list[Refusal]] = {}
    for refusal in refusals:
        by_status.setdefault(refusal.status, []).append(refusal)
    return {str(status): _failure(status, by_status[status]) for status in sorted(by_status)}


def _forbidden(declared: Endpoint) -> Iterable[Refusal]:
    rule = ACTIONS[declared.action]
    if any(reach is not Reach.ALL for reach in rule.by_role.values()):
        yield Refusal(403, "Forbidden")
    if rule.mailbox is Reach.NONE:
        yield Refusal(403, "访问被拒绝")
    if rule.guest is Reach.NONE:
        yield Refusal(403, rule.demo_refusal)


def _failure(status: int, refusals: Sequence[Refusal]) -> dict[str, Any]:
    bodies = {refusal.text: {"error": refusal.text, **(refusal.also or {})} for refusal in refusals}
    examples = {f"example{number}": {"value": body} for number, body in enumerate(bodies.values(), start=1)}
    response: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": {"schema": {"$ref": _REF.format(name="Error")}, "examples": examples}},
    }
    if status in (429, 503):
        response["headers"] = {
            "Retry-After": {"description": "Seconds to wait before the next try", "schema": {"type": "integer"}}
        }
    return response


def _schema(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema
