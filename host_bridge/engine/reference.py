"""The tables of docs/engine.md, made from the OpenAPI document: `python -m host_bridge.engine.reference docs/engine.md`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from host_bridge.engine.api import REFUSALS, make_app
from host_bridge.jobs import KINDS

HEADING = "## What can be asked over HTTP\n"


def api_tables() -> str:
    """Describe every address, parameter, kind and refusal, as Markdown."""
    document = make_app().openapi()
    operations = [
        (f"`{method.upper()} {path}`", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    parameters = [
        (name, f"`{one['name']}`", _type(one["schema"]), one.get("description", ""))
        for name, operation in operations
        for one in operation.get("parameters", ())
        if one["in"] == "query"
    ]
    fields = document["components"]["schemas"]["Job"]["properties"].items()
    kinds = [(f"`{k.name}`", k.help, ", ".join(f"`{n}`" for n in k.request.model_fields)) for k in KINDS.values()]
    return "\n".join(
        [
            *_table(("request", "what", "answers"), [(name, o["description"], _answers(o)) for name, o in operations]),
            "### Parameters in the address",
            *_table(("request", "name", "values", "what"), parameters),
            "### Kinds of jobs",
            *_table(("kind", "what", "fields of its request"), kinds),
            "### A job",
            *_table(
                ("field", "type", "what"), [(f"`{n}`", _type(one), one.get("description", "")) for n, one in fields]
            ),
            "### Refusals",
            'A refusal is `{"error": {"message": "...", "remedy": "..."}}`.\n',
            *_table(("status", "when"), [(str(status), when) for status, when in REFUSALS.items()]),
        ]
    )


def written_into(page: str) -> str:
    """Return a page with its tables made anew: all that follows the paragraph under the heading."""
    head, heading, rest = page.partition(HEADING)
    return head + heading + rest.partition("\n\n")[0].rstrip("\n") + "\n\n" + api_tables()


def _table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [titles, tuple("---" for _ in titles), *rows]
    cells = ([" ".join(cell.replace("|", "\\|").split()) for cell in line] for line in lines)
    return [*("| " + " | ".join(line) + " |" for line in cells), ""]


def _answers(operation: dict[str, Any]) -> str:
    answers = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
    media = dict.fromkeys(kind for answer in answers.values() for kind in answer.get("content", ()))
    return f"{', '.join(sorted(answers))}; {', '.join(media)}"


def _type(schema: dict[str, Any]) -> str:
    """The values of a field or parameter: `integer, 1 to 1000, by default 100`."""
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    parts = [schema.get("type") or schema["$ref"].rpartition("/")[2]]
    if "minimum" in schema and "maximum" in schema:
        parts.append(f"{schema['minimum']:g} to {schema['maximum']:g}")
    if schema.get("default"):
        parts.append(f"by default {schema['default']}")
    return ", ".join(parts)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(written_into(page.read_text("utf-8")), "utf-8")
