# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyes: an eyeball, coloured by two pictures that turn with it, and the clear wet layer over it, whose middle is the cornea.

UV: the middle of the iris is at (0.5, 0.5), its edge 0.05 away.
"""

from typing import Any

import bpy


def material(values: dict[str, Any], images: dict[str, bpy.types.Image]) -> bpy.types.Material:
    """Make the surface. layer: "ball", with the images `iris` and `white` and their half sides in radii of the iris, or "cornea"."""
    made = bpy.data.materials.new(f"eye {values['layer']}")
    made.use_nodes = True
    if values["layer"] == "cornea":
        _clear(made.node_tree)
    else:
        _ball(made.node_tree, values, images)
    return made


def _clear(tree: bpy.types.NodeTree) -> None:
    tree.nodes.clear()
    output, mixed = tree.nodes.new("ShaderNodeOutputMaterial"), tree.nodes.new("ShaderNodeMixShader")
    fresnel, through, shine = (
        tree.nodes.new(f"ShaderNode{kind}") for kind in ("Fresnel", "BsdfTransparent", "BsdfGlossy")
    )
    fresnel.inputs["IOR"].default_value = 1.38
    shine.inputs["Roughness"].default_value = 0.03
    for socket, source in zip(mixed.inputs, (fresnel, through, shine), strict=True):
        tree.links.new(source.outputs[0], socket)
    tree.links.new(mixed.outputs[0], output.inputs["Surface"])


def _ball(tree: bpy.types.NodeTree, values: dict[str, Any], images: dict[str, bpy.types.Image]) -> None:
    shader = tree.nodes["Principled BSDF"]
    place = tree.nodes.new("ShaderNodeUVMap")

    def picture(name: str) -> bpy.types.Node:
        reach = 0.05 * values[name]
        moved = tree.nodes.new("ShaderNodeMapping")
        moved.vector_type = "POINT"
        moved.inputs["Location"].default_value = (0.5 - 0.25 / reach, 0.5 - 0.25 / reach, 0.0)
        moved.inputs["Scale"].default_value = (0.5 / reach, 0.5 / reach, 1.0)
        images[name].colorspace_settings.name = "Non-Color"
        texture = tree.nodes.new("ShaderNodeTexImage")
        texture.image, texture.extension, texture.interpolation = images[name], "EXTEND", "Cubic"
        tree.links.new(place.outputs["UV"], moved.inputs["Vector"])
        tree.links.new(moved.outputs["Vector"], texture.inputs["Vector"])
        return texture

    distance = tree.nodes.new("ShaderNodeVectorMath")
    distance.operation = "DISTANCE"
    distance.inputs[1].default_value = (0.5, 0.5, 0.0)
    tree.links.new(place.outputs["UV"], distance.inputs[0])
    outside = tree.nodes.new("ShaderNodeMapRange")
    outside.interpolation_type = "SMOOTHSTEP"
    outside.inputs["From Min"].default_value, outside.inputs["From Max"].default_value = 0.0455, 0.053
    tree.links.new(distance.outputs["Value"], outside.inputs["Value"])
    mixed = tree.nodes.new("ShaderNodeMixRGB")
    for socket, source in zip(mixed.inputs, (outside, picture("iris"), picture("white")), strict=True):
        tree.links.new(source.outputs[0], socket)
    tree.links.new(mixed.outputs[0], shader.inputs["Base Color"])
    tree.links.new(outside.outputs[0], shader.inputs["Subsurface Weight"])
    for name, value in (
        ("Roughness", 0.55),
        ("Specular IOR Level", 0.15),
        ("Subsurface Radius", (1.0, 0.6, 0.45)),
        ("Subsurface Scale", 0.0012),
    ):
        shader.inputs[name].default_value = value
