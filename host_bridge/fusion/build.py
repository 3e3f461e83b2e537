"""Write what is installed into Fusion: Fuses, and the effect of the Edit page with its icon."""

from __future__ import annotations

import sys
from pathlib import Path

from host_bridge.fusion.fuses.render import render_fuse
from host_bridge.fusion.macro.effect import NAME, swap_effect
from host_bridge.fusion.macro.icon import draw_icon
from nodes.definitions import NODES
from nodes.files import whole_file


def build(folder: Path, python: str = sys.executable, watched: str | None = None) -> list[Path]:
    """Write the folder tree of a Fusion root (Fuses, Templates) below `folder`, and return the files. Raises OutputError.

    python: the interpreter of Faceplate's environment, which the Fuses' buttons start. watched: the folder in which they find answers where
    they may start nothing. The same input gives the same bytes.
    """
    made = {f"Fuses/Faceplate{node.name}.fuse": render_fuse(node, python, watched).encode() for node in NODES}
    effect = f"Templates/Edit/Effects/Faceplate/{NAME}"
    made |= {f"{effect}.setting": swap_effect().encode(), f"{effect}.png": draw_icon()}
    for name, data in made.items():
        with whole_file(folder / name) as temporary:
            temporary.write_bytes(data)
    return [folder / name for name in made]
