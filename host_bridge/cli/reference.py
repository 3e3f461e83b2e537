"""The tables of node options in docs/cli.md, made from the definitions: `python -m host_bridge.cli.reference docs/cli.md`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from host_bridge.cli.options import explained, option_of, title
from host_bridge.timeline.settings import RunSettings
from nodes.definitions import NODES, ConsentParameters, RegisterParameters
from nodes.spec import Parameters
from trainer.faceset.parameters import FacesetParameters
from trainer.settings import TrainSettings

HEADING = "## The options of the nodes, of facesets and of training\n"


def option_tables() -> str:
    """Describe all options that are generated, a table a definition, as Markdown."""
    models: list[type[Parameters]] = [
        *(node.parameters for node in NODES),
        RegisterParameters,
        FacesetParameters,
        ConsentParameters,
        TrainSettings,
        RunSettings,
    ]
    return "\n".join(map(_table, models))


def written_into(page: str) -> str:
    """Return a page with its tables made anew: what follows the paragraph under the heading."""
    head, heading, rest = page.partition(HEADING)
    return head + heading + rest.partition("\n\n")[0].rstrip("\n") + "\n\n" + option_tables()


def _table(parameters: type[Parameters]) -> str:
    rows = [
        f"| `--{option_of(name, f.json_schema_extra)}` | {_shown(f.get_default())} | {explained(f.description or '', f.json_schema_extra, f.metadata)} |"
        for name, f in parameters.model_fields.items()
    ]
    return "\n".join([f"### {title(parameters)}", "| option | default | what |", "| --- | --- | --- |", *rows, ""])


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return " ".join(f"`{v}`" for v in value)
    return "" if value is None else f"`{value}`"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(written_into(page.read_text("utf-8")), "utf-8")
