"""Write what is installed into Fusion: Fuses and icons."""

from __future__ import annotations

import sys
from pathlib import Path

from host_bridge.fusion.fuses.render import render_fuse
from nodes.definitions import NODES
from nodes.footage.whole import whole_file


def build(folder: Path, python: str = sys.executable) -> list[Path]:
    """Write the folder tree of a Fusion root (Fuses, ...) below `folder`, and return the files. Raises OutputError.

    python: the interpreter of Faceplate's environment, which the Fuses' buttons start. The same input gives the same bytes.
    """
    made = {folder / "Fuses" / f"Faceplate{node.name}.fuse": render_fuse(node, python) for node in NODES}
    for path, text in made.items():
        with whole_file(path) as temporary:
            temporary.write_text(text, "utf-8", newline="\n")
    return list(made)
