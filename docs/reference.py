"""The tables of cli.md and engine.md, made from the definitions: `python -m docs.reference docs/cli.md docs/engine.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from host_bridge.cli.options import explained, option_of, title
from host_bridge.engine.api import REFUSALS, make_app
from host_bridge.jobs import KINDS
from host_bridge.timeline.settings import RunSettings
from nodes.definitions import NODES, ConsentParameters, RegisterParameters
from nodes.spec import Parameters
from trainer.faceset.parameters import FacesetParameters
from trainer.settings import TrainSettings


def option_tables() -> list[str]:
    """Describe all options that are generated, a table a definition, as Markdown."""
    nodes = (node.parameters for node in NODES)
    others = (RegisterParameters, FacesetParameters, ConsentParameters, TrainSettings, RunSettings)
    return [line for models in (nodes, others) for model in models for line in _options(model)]


def _options(parameters: type[Parameters]) -> list[str]:
    rows = [
        (
            f"`--{option_of(name, f.json_schema_extra)}`",
            _default(f.get_default()),
            explained(f.description or "", f.json_schema_extra, f.metadata),
        )
        for name, f in parameters.model_fields.items()
    ]
    return [f"### {title(parameters)}", *_table(("option", "default", "what"), rows)]


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(f"`{v}`" for v in value)
    return "" if value is None else f"`{value}`"


def api_tables() -> list[str]:
    """Describe every address, parameter, kind and refusal of the engine, as Markdown."""
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
    return [
        *_table(("request", "what", "answers"), [(name, o["description"], _answers(o)) for name, o in operations]),
        "### Parameters in the address",
        *_table(("request", "name", "values", "what"), parameters),
        "### Kinds of jobs",
        *_table(("kind", "what", "fields of its request"), kinds),
        "### A job",
        *_table(("field", "type", "what"), [(f"`{n}`", _type(one), one.get("description", "")) for n, one in fields]),
        "### Refusals",
        'A refusal is `{"error": {"message": "...", "remedy": "...", "action": null}}`.\n',
        *_table(("status", "when"), [(str(status), when) for status, when in REFUSALS.items()]),
    ]


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


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [titles, tuple("---" for _ in titles), *rows]
    cells = ([" ".join(cell.replace("|", "\\|").split()) for cell in line] for line in lines)
    return [*("| " + " | ".join(line) + " |" for line in cells), ""]


TABLES = {
    "cli.md": ("## The options of the nodes, of facesets and of training\n", option_tables),
    "engine.md": ("## What can be asked over HTTP\n", api_tables),
}


def made_anew(page: Path) -> str:
    """The text of a page with new tables: what follows the paragraph under their heading."""
    heading, tables = TABLES[page.name]
    head, _, rest = page.read_text("utf-8").partition(heading)
    return head + heading + rest.partition("\n\n")[0].rstrip("\n") + "\n\n" + "\n".join(tables())


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(made_anew(Path(name)), "utf-8")
