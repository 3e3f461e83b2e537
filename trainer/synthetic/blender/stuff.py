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


def teeth(values: dict[str, Any], images: dict[str, Any]) -> Any:
    """Make teeth, whose attribute `neck` is 0 at the biting edge and 1 at the gum. yellow: 0 white to 1 yellow."""
    made = bpy.data.materials.new("teeth")
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    tree, yellow = made.node_tree, values["yellow"]
    neck, mixed = tree.nodes.new("ShaderNodeAttribute"), tree.nodes.new("ShaderNodeMixRGB")
    neck.attribute_name = "neck"
    mixed.inputs[1].default_value = (0.74 - 0.08 * yellow, 0.69 - 0.15 * yellow, 0.62 - 0.26 * yellow, 1.0)
    mixed.inputs[2].default_value = (0.62 - 0.08 * yellow, 0.52 - 0.14 * yellow, 0.38 - 0.18 * yellow, 1.0)
    tree.links.new(neck.outputs["Fac"], mixed.inputs[0])
    tree.links.new(mixed.outputs[0], shader.inputs["Base Color"])
    for name, value in (
        ("Roughness", 0.3),
        ("Coat Weight", 0.6),
        ("Coat Roughness", 0.08),
        ("Subsurface Weight", 0.6),
        ("Subsurface Radius", (1.0, 0.8, 0.6)),
        ("Subsurface Scale", 0.001),
    ):
        shader.inputs[name].default_value = value
    return made


def tongue(values: dict[str, Any], images: dict[str, Any]) -> Any:
    """Make a tongue, or gums: colour, linear; rough: height of its grain in metres."""
    made = bpy.data.materials.new("tongue")
    made.use_nodes = True
    tree = made.node_tree
    shader = tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*values["colour"], 1.0)
    grain, bump = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeBump")
    grain.inputs["Scale"].default_value = 900.0
    bump.inputs["Distance"].default_value = values["rough"]
    where = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(where.outputs["Object"], grain.inputs["Vector"])
    tree.links.new(grain.outputs[0], bump.inputs["Height"])
    tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])
    for name, value in (
        ("Roughness", 0.35),
        ("Coat Weight", 0.5),
        ("Coat Roughness", 0.1),
        ("Subsurface Weight", 1.0),
        ("Subsurface Radius", (1.0, 0.3, 0.2)),
        ("Subsurface Scale", 0.002),
    ):
        shader.inputs[name].default_value = value
    return made
