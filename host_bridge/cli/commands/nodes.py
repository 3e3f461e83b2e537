"""`faceplate nodes`."""

from __future__ import annotations

from host_bridge.cli.options import Json, explained
from host_bridge.cli.output import print_json, print_table
from nodes.definitions import NODES


def nodes(*, json: Json = False) -> None:
    """List the nodes and their parameters; as JSON, with ports and parameters as JSON Schema."""
    if json:
        print_json({"schema": "faceplate.nodes/1", "nodes": [node.schema() for node in NODES]})
        return
    for node in NODES:
        inputs = ", ".join(p.name + ("?" if p.optional else "") for p in node.inputs)
        print(f"{node.name}: {inputs} -> {', '.join(p.name for p in node.outputs)}\n{node.parameters.__doc__}")
        rows = (
            (name, _text(f.get_default()), explained(f.description or "", f.json_schema_extra, f.metadata))
            for name, f in node.parameters.model_fields.items()
        )
        print_table(("parameter", "default", "help"), rows)


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
