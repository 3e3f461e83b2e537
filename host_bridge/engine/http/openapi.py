"""The OpenAPI document: the routes, with the schema of each kind's request and of each node's parameters."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from host_bridge.engine.http import files, routes
from host_bridge.jobs import KINDS
from nodes import __version__
from nodes.definitions import NODES

_REFERENCE = "#/components/schemas/{model}"
_ERRORS = {
    "400": "The request is no HTTP or JSON that can be read, or holds a token in its address",
    "401": "The token is missing or wrong",
    "403": "Host or Origin is not this engine's, or a path lies outside the allowed folders",
    "404": "There is no such job, picture or address",
    "408": "The request does not come to an end",
    "409": "The job's state does not allow it",
    "413": "The request is larger than 1 MiB",
    "422": "A field of the request is wrong",
}
_JOB = {
    "id": {"type": "string"},
    "kind": {"type": "string"},
    "title": {"type": "string"},
    "request": {"type": "object"},
    "state": {"enum": ["queued", "running", "finished", "failed", "cancelled"]},
    "priority": {"type": "integer"},
    "device": {"type": "string"},
    "attempt": {"type": "integer"},
    "created": {"type": "number", "description": "Seconds since 1970."},
    "started": {"type": ["number", "null"]},
    "ended": {"type": ["number", "null"]},
    "progress": {"type": ["object", "null"], "description": "stage, done, total, rate (1/s), left (s)."},
    "metrics": {"type": ["object", "null"], "description": "How a training stands."},
    "curve": {"type": "array", "description": "Pairs of step and loss, at most 200; only of a single job."},
    "preview": {"type": ["string", "null"], "description": "Address of the latest picture."},
    "pictures": {"type": "array", "items": {"type": "string"}},
    "error": {"type": ["object", "null"], "description": "message, remedy (or null), exit_status."},
    "result": {"type": ["object", "null"]},
    "messages": {"type": "array", "items": {"type": "string"}},
}


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document of this version."""
    told: dict[str, Any] = get_openapi(
        title="Faceplate's engine",
        version=__version__,
        description="Jobs of one user on one machine. All but the monitor page needs the token of engine.json.",
        routes=[*routes.router.routes, *files.router.routes],
    )
    schemas = {**_definitions(), "Error": _error(), "Job": {"type": "object", "properties": _JOB}}
    variants = [_submission(name) for name in KINDS]
    told["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    }
    told["security"] = [{"token": []}]
    told["paths"]["/v1/jobs"]["post"]["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": {"oneOf": variants}}},
    }
    for path in told["paths"].values():
        for operation in path.values():
            operation["responses"] = {**_successes(operation), **_refusals()}
    return told


def _definitions() -> dict[str, Any]:
    """The requests, the parameters of the nodes, and all that they are made of."""
    mode: JsonSchemaMode = "validation"
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(kind.request, mode) for kind in KINDS.values()]
    models += [(node.parameters, mode) for node in NODES]
    found: dict[str, Any] = models_json_schema(models, ref_template=_REFERENCE)[1]["$defs"]
    return found


def _submission(kind: str) -> dict[str, Any]:
    return {
        "type": "object",
        "title": kind,
        "required": ["kind", "request"],
        "additionalProperties": False,
        "properties": {
            "kind": {"const": kind},
            "request": {"$ref": _REFERENCE.format(model=KINDS[kind].request.__name__)},
            "priority": {"type": ["integer", "null"], "minimum": -1000, "maximum": 1000},
        },
    }


def _error() -> dict[str, Any]:
    text = {"message": {"type": "string"}, "remedy": {"type": ["string", "null"]}}
    inner = {"type": "object", "required": ["message"], "properties": text}
    return {"type": "object", "required": ["error"], "properties": {"error": inner}}


def _successes(operation: dict[str, Any]) -> dict[str, Any]:
    found = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
    if operation["operationId"].startswith("submit_"):
        found["200"] = {**found["201"], "description": "The same job, which was there already"}
    if operation["operationId"].split("_")[0] in ("submit", "show", "cancel", "retry"):
        for answer in found.values():
            answer["content"] = {"application/json": {"schema": {"$ref": _REFERENCE.format(model="Job")}}}
    return found


def _refusals() -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": _REFERENCE.format(model="Error")}}}
    return {status: {"description": what, "content": content} for status, what in _ERRORS.items()}
