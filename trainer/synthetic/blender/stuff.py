# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of plain things."""

from typing import Any

import bpy


def plain(values: dict[str, Any], images: dict[str, Any]) -> Any:
    """Make a surface of one colour: colour, linear; roughness."""
    material = bpy.data.materials.new("plain")
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*values["colour"], 1.0)
    shader.inputs["Roughness"].default_value = values.get("roughness", 0.5)
    return material
