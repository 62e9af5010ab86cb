"""The OpenAPI document, from the models."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from lb.control.model.base import NAME_PATTERN
from lb.control.model.resources import KINDS, plural

_ERRORS = {
    "400": "The request cannot be read.",
    "401": "No token, or an unknown one.",
    "403": "The token does not allow it.",
    "404": "There is no such thing.",
    "409": "It contradicts what is there.",
    "412": "It was changed meanwhile: the ETag is another one.",
    "422": "The spec is wrong; each mistake with its place.",
    "503": "The data base does not answer.",
}
_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"$ref": "#/components/schemas/Name"},
}
_LIMIT = {
    "name": "limit",
    "in": "query",
    "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
}
_AFTER = {"name": "after", "in": "query", "schema": {"type": "string"}}
_DRY = {"name": "dry_run", "in": "query", "schema": {"type": "string", "enum": ["true", "false"]}}


def _header(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "description": description,
        "schema": {"type": "string", "maxLength": 128},
    }


_MATCH = _header("If-Match", "The ETag that the resource must have.")
_WRITE = [
    _DRY,
    _header("Idempotency-Key", "The same request with the same key is made once."),
    _header("Popscope-Reason", "Why; for the audit."),
]


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _operation(
    id_: str,
    summary: str,
    answers: dict[str, dict[str, Any]],
    errors: tuple[str, ...],
    parameters: list[dict[str, Any]],
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    responses = {status: {"description": "Done.", **content} for status, content in answers.items()}
    for status in ("401", "403", "503", *errors):
        responses[status] = {"description": _ERRORS[status], **_content(_ref("Errors"))}
    made: dict[str, Any] = {"operationId": id_, "summary": summary, "parameters": parameters}
    if body is not None:
        made["requestBody"] = {"required": True, **_content(body)}
    return {**made, "responses": responses}


def _paths(kind: str, model: str) -> dict[str, Any]:
    many = plural(kind)
    shown = _content(_ref(f"{model}Resource"))
    title = kind.capitalize()
    return {
        f"/v1/{many}": {
            "get": _operation(
                f"list{title}",
                f"A page of {many}, by name.",
                {"200": _content(_ref(f"{model}Page"))},
                ("400",),
                [_LIMIT, _AFTER],
            )
        },
        f"/v1/{many}/{{name}}": {
            "get": _operation(
                f"get{title}",
                f"One of the {many}.",
                {"200": shown, "304": {"description": "As it was."}},
                ("404", "422"),
                [_NAME],
            ),
            "put": _operation(
                f"put{title}",
                "Make or replace it.",
                {"200": shown, "201": shown},
                ("400", "409", "412", "422"),
                [_NAME, _MATCH, *_WRITE],
                _ref(model),
            ),
            "patch": _operation(
                f"patch{title}",
                "Change some of its keys (RFC 7396).",
                {"200": shown},
                ("400", "404", "409", "412", "422"),
                [_NAME, _MATCH, *_WRITE],
                {"type": "object"},
            ),
            "delete": _operation(
                f"delete{title}",
                "Remove it, if nothing names it.",
                {"200": _content({"type": "object"})},
                ("400", "404", "409", "412", "422"),
                [_NAME, _MATCH, *_WRITE],
            ),
        },
    }


def _others() -> dict[str, Any]:
    anything = _content({"type": "object"})
    prune = {**_DRY, "name": "prune"}
    before = {"name": "before", "in": "query", "schema": {"type": "integer", "minimum": 1}}
    return {
        "/v1/apply": {
            "post": _operation(
                "apply",
                "Put a declarative file in force, as a whole.",
                {"200": _content(_ref("Applied"))},
                ("400", "409", "422"),
                [prune, *_WRITE],
                _ref("File"),
            )
        },
        "/v1/audit": {
            "get": _operation(
                "audit", "Who changed what, and why.", {"200": anything}, ("400",), [_LIMIT, before]
            )
        },
        "/v1/fleet": {
            "get": _operation("fleet", "What each node reports.", {"200": anything}, (), [])
        },
        "/v1/nodes/{name}/state": {
            "get": _operation(
                "state", "What a node is to do.", {"200": anything}, ("404",), [_NAME]
            )
        },
    }


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _schemas() -> dict[str, Any]:
    modes = [(model, "validation") for model in KINDS.values()]
    _, made = models_json_schema(modes, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    schemas: dict[str, Any] = made["$defs"]
    text, number = {"type": "string"}, {"type": "integer"}
    for kind, model in KINDS.items():
        name = model.__name__
        schemas[f"{name}Resource"] = _object(
            kind={"const": kind},
            name=_ref("Name"),
            version=number,
            revision=number,
            spec=_ref(name),
        )
        schemas[f"{name}Page"] = _object(
            revision=number,
            items={"type": "array", "items": _ref(f"{name}Resource")},
            next={"type": ["string", "null"]},
        )
    entry = _object(kind={"enum": list(KINDS)}, name=_ref("Name"), spec={"type": "object"})
    schemas["Name"] = {"type": "string", "pattern": NAME_PATTERN}
    schemas["File"] = _object(resources={"type": "array", "items": entry})
    schemas["Applied"] = _object(
        revision={"type": ["integer", "null"]},
        changes={"type": "array", "items": {"type": "object"}},
    )
    schemas["Errors"] = _object(
        errors={"type": "array", "minItems": 1, "items": _object(path=text, message=text)}
    )
    return schemas


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    paths: dict[str, Any] = {}
    for kind, model in KINDS.items():
        paths |= _paths(kind, model.__name__)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Popscope controller", "version": "1"},
        "paths": paths | _others(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }
