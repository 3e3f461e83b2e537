# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair: strands coloured by melanin, each a little different, some of them grey."""

from __future__ import annotations

from math import log

import bpy

# Absorption of red, green and blue by the two pigments: d'Eon et al., "An energy-conserving hair reflectance model", 2011.
_EUMELANIN, _PHEOMELANIN = (0.506, 0.841, 1.653), (0.343, 0.733, 1.924)
_THICKER = 1.2
_WHITE = (0.08, 0.083, 0.095)  # hair without pigment is not clear


def material(values: dict[str, float], images: dict[str, bpy.types.Image]) -> bpy.types.Material:
    """Make the material. melanin 0..1 (blond .2, brown .6, black .95), redness 0..1, grey: share of white strands 0..1, roughness 0..1,
    variation: of the melanin from strand to strand, 0..1; coat: how much sharper the outer sheen is, 0..1.
    """
    made = bpy.data.materials.new("hair")
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    shader = tree.nodes.new("ShaderNodeBsdfHairPrincipled")
    shader.model = "CHIANG"
    shader.parametrization = "ABSORPTION"
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

    def vector(operation: str, first: object, second: object) -> bpy.types.NodeSocket:
        node = tree.nodes.new("ShaderNodeVectorMath")
        node.operation = operation
        for socket, value in zip(node.inputs, (first, second), strict=False):
            if isinstance(value, bpy.types.NodeSocket):
                tree.links.new(value, socket)
            else:
                socket.default_value = value
        return node.outputs["Vector"]

    melanin, redness = float(values["melanin"]), float(values["redness"])
    amount = -log(max(1 - melanin, 1e-3))
    red = min(1.0, redness + 0.3 * (1 - melanin))  # fair hair is warm
    pigment = [(1 - red) * brown + red * ginger for brown, ginger in zip(_EUMELANIN, _PHEOMELANIN, strict=True)]
    # Light from behind crosses fewer and thicker strands than people have: it is taken back, or brown hair would turn gold.
    pigment = [_THICKER * amount * (0.65 * part + 0.35 * sum(pigment) / 3) for part in pigment]
    noise = tree.nodes.new("ShaderNodeTexWhiteNoise")
    noise.noise_dimensions = "1D"
    tree.links.new(info.outputs["Random"], noise.inputs["W"])
    grey = math("LESS_THAN", noise.outputs["Value"], float(values["grey"]))
    # Two from one strand to the next, and lighter towards the tips.
    variation = float(values["variation"])
    own = math("MULTIPLY_ADD", info.outputs["Random"], 2 * variation, 1 - variation)
    own = math("MULTIPLY", own, math("MULTIPLY_ADD", info.outputs["Intercept"], -0.25, 1.0))
    coloured = vector("SCALE", pigment, (0, 0, 0))
    coloured.node.inputs["Scale"].default_value = 1.0
    tree.links.new(math("MULTIPLY", own, math("SUBTRACT", 1.0, grey)), coloured.node.inputs["Scale"])
    white = vector("SCALE", _WHITE, (0, 0, 0))
    tree.links.new(math("MULTIPLY", own, grey), white.node.inputs["Scale"])
    tree.links.new(vector("ADD", coloured, white), shader.inputs["Absorption Coefficient"])
    shader.inputs["Roughness"].default_value = values["roughness"]
    shader.inputs["Radial Roughness"].default_value = min(1.0, values["roughness"] + 0.15)
    shader.inputs["Coat"].default_value = values["coat"]
    shader.inputs["Random Roughness"].default_value = 0.3
    # Light that has passed through several strands ends in plain, dark hair: paths stay short.
    inner = tree.nodes.new("ShaderNodeBsdfDiffuse")
    shade, pale = 0.5 * (1 - melanin) ** 1.5 * (1 - values["grey"]), 0.2 * values["grey"]
    inner.inputs["Color"].default_value = (shade + pale, 0.62 * shade + pale, 0.35 * shade + pale, 1.0)
    path = tree.nodes.new("ShaderNodeLightPath")
    choice = tree.nodes.new("ShaderNodeMixShader")
    tree.links.new(math("GREATER_THAN", path.outputs["Ray Depth"], 1.5), choice.inputs[0])
    tree.links.new(shader.outputs["BSDF"], choice.inputs[1])
    tree.links.new(inner.outputs["BSDF"], choice.inputs[2])
    tree.links.new(choice.outputs["Shader"], output.inputs["Surface"])
    return made
