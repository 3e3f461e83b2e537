# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair: strands coloured by melanin, each a little different, some of them grey."""

from __future__ import annotations

import bpy


def material(values: dict[str, float], images: dict[str, bpy.types.Image]) -> bpy.types.Material:
    """Make the material. melanin 0..1 (blond .2, brown .6, black .95), redness 0..1, grey: share of white strands 0..1, roughness 0..1,
    variation: of the melanin from strand to strand, 0..1.
    """
    made = bpy.data.materials.new("hair")
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    shader = tree.nodes.new("ShaderNodeBsdfHairPrincipled")
    shader.model = "CHIANG"
    shader.parametrization = "MELANIN"
    info = tree.nodes.new("ShaderNodeHairInfo")

    def math(operation: str, first: object, second: object, third: float | None = None) -> bpy.types.NodeSocket:
        node = tree.nodes.new("ShaderNodeMath")
        node.operation = operation
        for socket, value in zip(node.inputs, (first, second, third), strict=True):
            if isinstance(value, bpy.types.NodeSocket):
                tree.links.new(value, socket)
            elif value is not None:
                socket.default_value = value
        return node.outputs[0]

    noise = tree.nodes.new("ShaderNodeTexWhiteNoise")
    noise.noise_dimensions = "1D"
    tree.links.new(info.outputs["Random"], noise.inputs["W"])
    coloured = math("GREATER_THAN", noise.outputs["Value"], float(values["grey"]))
    tips = math("MULTIPLY_ADD", info.outputs["Intercept"], -0.12 * float(values["melanin"]), float(values["melanin"]))
    tree.links.new(math("MULTIPLY", coloured, tips), shader.inputs["Melanin"])
    shader.inputs["Melanin Redness"].default_value = min(
        1.0, values["redness"] + 0.3 * (1 - values["melanin"])
    )  # fair hair is warm
    shader.inputs["Roughness"].default_value = values["roughness"]
    shader.inputs["Radial Roughness"].default_value = min(1.0, values["roughness"] + 0.15)
    shader.inputs["Coat"].default_value = 0.0
    shader.inputs["Random Color"].default_value = values["variation"]
    shader.inputs["Random Roughness"].default_value = 0.3
    # Light that has passed through several strands ends in plain, dark hair: paths stay short.
    inner = tree.nodes.new("ShaderNodeBsdfDiffuse")
    shade = 0.5 * (1 - values["melanin"]) ** 1.5
    inner.inputs["Color"].default_value = (shade, 0.62 * shade, 0.35 * shade, 1.0)
    path = tree.nodes.new("ShaderNodeLightPath")
    choice = tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(math("GREATER_THAN", path.outputs["Ray Depth"], 1.5), choice.inputs[0])
    tree.links.new(shader.outputs["BSDF"], choice.inputs[1])
    tree.links.new(inner.outputs["BSDF"], choice.inputs[2])
    tree.links.new(choice.outputs["Shader"], output.inputs["Surface"])
    return made
