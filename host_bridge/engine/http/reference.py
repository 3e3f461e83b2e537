"""The tables of docs/engine.md, made from the OpenAPI document: `python -m host_bridge.engine.http.reference docs/engine.md`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from host_bridge.engine.http.openapi import document
from host_bridge.jobs import KINDS

HEADING = "## What can be asked over HTTP\n"


def api_tables() -> str:
    """Describe every address, every parameter and every refusal, as Markdown."""
    told = document()
    rows = [
        (f"`{method.upper()} {path}`", _told(operation), _answers(operation))
        for path, operations in told["paths"].items()
        for method, operation in operations.items()
    ]
    parameters = [
        (f"`{method.upper()} {path}`", f"`{one['name']}`", _limits(one["schema"]), one.get("description", ""))
        for path, operations in told["paths"].items()
        for method, operation in operations.items()
        for one in operation.get("parameters", ())
        if one["in"] == "query"
    ]
    schemas = told["components"]["schemas"]
    kinds = [
        (f"`{kind.name}`", kind.help, ", ".join(f"`{name}`" for name in kind.request.model_fields))
        for kind in KINDS.values()
    ]
    job = [(f"`{name}`", _kind(one), one.get("description", "")) for name, one in schemas["Job"]["properties"].items()]
    refusals = [(f"{status}", answer["description"]) for status, answer in _refusals(told).items()]
    return "\n".join(
        [
            *_table(("request", "what", "answers"), rows),
            "### Parameters in the address",
            *_table(("request", "name", "values", "what"), parameters),
            "### Kinds of jobs",
            *_table(("kind", "what", "fields of its request"), kinds),
            "### A job",
            *_table(("field", "type", "what"), job),
            "### Refusals",
            'A refusal is `{"error": {"message": "...", "remedy": "..."}}`.\n',
            *_table(("status", "when"), refusals),
        ]
    )


def written_into(page: str) -> str:
    """Return a page with its tables made anew: what follows the paragraph under the heading."""
    head, heading, rest = page.partition(HEADING)
    return head + heading + rest.partition("\n\n")[0].rstrip("\n") + "\n\n" + api_tables()


def _table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [titles, tuple("---" for _ in titles), *rows]
    return ["| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in line) + " |" for line in lines] + [
        ""
    ]


def _told(operation: dict[str, Any]) -> str:
    return str(operation.get("description") or operation["summary"])


def _answers(operation: dict[str, Any]) -> str:
    found = [status for status in operation["responses"] if status.startswith("2")]
    kinds = [kind for status in found for kind in operation["responses"][status].get("content", ())]
    return f"{', '.join(sorted(found))}; {', '.join(dict.fromkeys(kinds))}"


def _refusals(told: dict[str, Any]) -> dict[str, Any]:
    responses = told["paths"]["/v1/jobs"]["post"]["responses"]
    return {status: answer for status, answer in responses.items() if status.startswith("4")}


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    told = schema["type"]
    return told if isinstance(told, str) else " or ".join(told)


def _limits(schema: dict[str, Any]) -> str:
    """What a parameter can be: `integer, 1 to 1000, by default 100`."""
    told = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), schema)
    parts = [_kind(told)]
    if "minimum" in told and "maximum" in told:
        parts.append(f"{told['minimum']:g} to {told['maximum']:g}")
    if schema.get("default") is not None:
        parts.append(f"by default {schema['default']}")
    return ", ".join(parts)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(written_into(page.read_text("utf-8")), "utf-8")
