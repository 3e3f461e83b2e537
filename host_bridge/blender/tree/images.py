# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what the engine has written inside a node: a sequence in step with the plate; where a file is missing, nothing is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..media import Plate
from .build import PICTURE


def show(node: Any, file: Path, plate: Plate, *, linear: bool = True, inside: str = PICTURE) -> None:
    """Let a node show the sequence that a file belongs to, numbered as the plate is.

    linear: scene-linear Rec.709, else sRGB. inside: which of the node's pictures.
    """
    reader = node.node_tree.nodes[inside]
    image = reader.image
    if image is None:
        image = bpy.data.images.load(str(file))
        image.name = f"{node.name} {inside.lower()}"
        reader.image = image
    first, last = plate.shown or (plate.first, plate.last)
    # Whatever is set of an image makes Blender read a file, even to what it was, and so does `reload`; 20 ms of 720p.
    _set(image, source="SEQUENCE", alpha_mode="PREMUL" if linear else "STRAIGHT")
    _set(image.colorspace_settings, name="Linear Rec.709" if linear else "sRGB")
    _set(reader, frame_start=plate.at + first - plate.first, frame_duration=last - first + 1, frame_offset=first - 1)
    image.filepath_raw = _as_blender_has_it(file)
    image.buffers_free()
    _set(reader, use_cyclic=False)
    reader.use_auto_refresh = True  # set in any case: the compositor looks again when a node has changed


def _set(target: Any, **wanted: Any) -> bool:
    """Set properties that are not so already; returns whether there were any."""
    other = {name: value for name, value in wanted.items() if getattr(target, name) != value}
    for name, value in other.items():
        setattr(target, name, value)
    return bool(other)


def missing(node: Any) -> str:
    """The file that a node would show and that is not there; empty when all is well."""
    for reader in node.node_tree.nodes if node.node_tree else ():
        if reader.bl_idname == "CompositorNodeImage" and reader.image is not None:
            file = bpy.path.abspath(reader.image.filepath, library=reader.image.library)
            if not Path(file).is_file():
                return str(file)
    return ""


def _as_blender_has_it(file: Path) -> str:
    """Relative to the .blend where there is one, so that both can move together."""
    try:
        return str(bpy.path.relpath(str(file))) if bpy.data.filepath else str(file)
    except ValueError:  # another drive
        return str(file)
