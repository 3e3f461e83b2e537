"""`faceplate nodes`."""

from __future__ import annotations

from host_bridge.cli.options import Flag, explained
from host_bridge.cli.output import print_json, print_table
from nodes.definitions import NODES


def nodes(*, json: Flag = False) -> None:
    """List the nodes and their parameters.

    Parameters
    ----------
    json
        Print ports and parameters as JSON Schema instead.
    """
    if json:
        print_json({"schema": "faceplate.nodes/1", "nodes": [node.schema() for node in NODES]})
        return
    for node in NODES:
        inputs = ", ".join(p.name + ("?" if p.optional else "") for p in node.inputs)
        print(f"{node.name}: {inputs} -> {', '.join(p.name for p in node.outputs)}\n{node.parameters.__doc__}")
        print_table(
            ("parameter", "default", "help"),
            (
                (name, _shown(f.get_default()), explained(f.description or "", f.json_schema_extra, f.metadata))
                for name, f in node.parameters.model_fields.items()
            ),
        )


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
