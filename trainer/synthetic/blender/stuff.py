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


def metal(values: dict[str, Any], images: dict[str, Any]) -> Any:
    """Make a metal: colour, linear; roughness; mesh: 1 for woven wire, such as of a microphone."""
    material = plain(values, images)
    tree = material.node_tree
    shader = tree.nodes["Principled BSDF"]
    shader.inputs["Metallic"].default_value = 1.0
    if values.get("mesh"):
        holes = _bump(material, "TexVoronoi", "Distance", 900.0, 0.9, 0.0008)
        ramp = tree.nodes.new("ShaderNodeMapRange")
        ramp.inputs["To Min"].default_value, ramp.inputs["To Max"].default_value = 0.15, 1.0
        tree.links.new(holes, ramp.inputs["Value"])
        tint = tree.nodes.new("ShaderNodeMixRGB")
        tint.blend_type = "MULTIPLY"
        tint.inputs[0].default_value = 1.0
        tint.inputs[1].default_value = (*values["colour"], 1.0)
        tree.links.new(ramp.outputs["Result"], tint.inputs[2])
        tree.links.new(tint.outputs["Color"], shader.inputs["Base Color"])
    return material


def glass(values: dict[str, Any], images: dict[str, Any]) -> Any:
    """Make glass: tint, linear; thin: 1 for a sheet that does not bend light, such as a lens of glasses.

    Shadows fall through it, tinted: without caustics, glass would be as dark as wood.
    """
    material = bpy.data.materials.new("glass")
    material.use_nodes = True
    tree = material.node_tree
    nodes, links = tree.nodes, tree.links
    nodes.clear()
    clear, mirror = nodes.new("ShaderNodeBsdfTransparent"), nodes.new("ShaderNodeBsdfGlossy")
    clear.inputs["Color"].default_value = (*values["tint"], 1.0)
    mirror.inputs["Roughness"].default_value = 0.02
    # Schlick 1994, from both sides alike: a sheet has two surfaces, and no inside.
    facing, power, part = (nodes.new(f"ShaderNode{name}") for name in ("LayerWeight", "Math", "Math"))
    power.operation, part.operation = "POWER", "MULTIPLY_ADD"
    power.inputs[1].default_value = 5.0
    part.inputs[1].default_value, part.inputs[2].default_value = 0.96, 0.04
    sheet = nodes.new("ShaderNodeMixShader")
    links.new(facing.outputs["Facing"], power.inputs[0])
    links.new(power.outputs[0], part.inputs[0])
    links.new(part.outputs[0], sheet.inputs[0])
    links.new(clear.outputs[0], sheet.inputs[1])
    links.new(mirror.outputs[0], sheet.inputs[2])
    surface = sheet.outputs[0]
    if not values.get("thin"):
        bent, path, mix = (
            nodes.new("ShaderNodeBsdfGlass"),
            nodes.new("ShaderNodeLightPath"),
            nodes.new("ShaderNodeMixShader"),
        )
        bent.inputs["Color"].default_value = (*values["tint"], 1.0)
        bent.inputs["IOR"].default_value = 1.3
        bent.inputs["Roughness"].default_value = 0.0
        links.new(path.outputs["Is Camera Ray"], mix.inputs[0])
        links.new(sheet.outputs[0], mix.inputs[1])
        links.new(bent.outputs[0], mix.inputs[2])
        surface = mix.outputs[0]
    links.new(surface, nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    return material


def paper(values: dict[str, Any], images: dict[str, Any]) -> Any:
    """Make paper that light shines through: colour, linear; image print: 1 without ink."""
    material = plain({"colour": values["colour"], "roughness": 0.75}, images)
    tree = material.node_tree
    nodes, links, shader = tree.nodes, tree.links, tree.nodes["Principled BSDF"]
    ink, tint = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeMixRGB")
    ink.image = images["print"]
    tint.blend_type = "MULTIPLY"
    tint.inputs[0].default_value = 0.9
    tint.inputs[1].default_value = (*values["colour"], 1.0)
    links.new(ink.outputs["Color"], tint.inputs[2])
    links.new(tint.outputs["Color"], shader.inputs["Base Color"])
    through, mix = nodes.new("ShaderNodeBsdfTranslucent"), nodes.new("ShaderNodeMixShader")
    links.new(tint.outputs["Color"], through.inputs["Color"])
    mix.inputs[0].default_value = 0.3
    links.new(shader.outputs[0], mix.inputs[1])
    links.new(through.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], nodes["Material Output"].inputs["Surface"])
    return material


def smoke(values: dict[str, Any], images: dict[str, Any]) -> Any:
    """Make a sheet of smoke: colour, linear; image density, 0..1; and the number `density` of its object, by which it fades."""
    material = bpy.data.materials.new("smoke")
    material.use_nodes = True
    tree = material.node_tree
    nodes, links = tree.nodes, tree.links
    nodes.clear()
    image, fade, amount = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeAttribute"), nodes.new("ShaderNodeMath")
    image.image, image.extension = images["density"], "CLIP"
    fade.attribute_type, fade.attribute_name = "OBJECT", "density"
    amount.operation = "MULTIPLY"
    links.new(image.outputs["Color"], amount.inputs[0])
    links.new(fade.outputs["Fac"], amount.inputs[1])
    clear, lit, through, whole, mix = (
        nodes.new(f"Shader{name}")
        for name in ("NodeBsdfTransparent", "NodeBsdfDiffuse", "NodeBsdfTranslucent", "NodeMixShader", "NodeMixShader")
    )
    for shader in (lit, through):
        shader.inputs["Color"].default_value = (*values["colour"], 1.0)
    whole.inputs[0].default_value = 0.5
    links.new(lit.outputs[0], whole.inputs[1])
    links.new(through.outputs[0], whole.inputs[2])
    links.new(amount.outputs[0], mix.inputs[0])
    links.new(clear.outputs[0], mix.inputs[1])
    links.new(whole.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    return material


def cloth(values: dict[str, Any], images: dict[str, Any]) -> Any:
    """Make cloth: colour and other, linear; pattern: width of stripes of the other colour, 0 for none; knit: 1 for knitted, 0 for woven."""
    material = plain({"colour": values["colour"], "roughness": 0.9}, images)
    tree = material.node_tree
    nodes, links, shader = tree.nodes, tree.links, tree.nodes["Principled BSDF"]
    shader.inputs["Sheen Weight"].default_value = 0.3
    shader.inputs["Specular IOR Level"].default_value = 0.2
    _bump(
        material,
        "TexWave" if values["knit"] else "TexNoise",
        0,
        130.0 if values["knit"] else 900.0,
        0.4,
        0.0008 if values["knit"] else 0.0005,
    )
    if values["pattern"] > 0.05:
        place, split, wave, limit, mix = (
            nodes.new(f"ShaderNode{name}") for name in ("UVMap", "SeparateXYZ", "Math", "Math", "MixRGB")
        )
        links.new(place.outputs[0], split.inputs[0])
        wave.operation, limit.operation = "PINGPONG", "LESS_THAN"
        wave.inputs[1].default_value = 0.016
        links.new(split.outputs["Y"], wave.inputs[0])
        limit.inputs[1].default_value = 0.016 * min(float(values["pattern"]), 0.8)
        links.new(wave.outputs[0], limit.inputs[0])
        links.new(limit.outputs[0], mix.inputs[0])
        mix.inputs[1].default_value = (*values["colour"], 1.0)
        mix.inputs[2].default_value = (*values["other"], 1.0)
        links.new(mix.outputs[0], shader.inputs["Base Color"])
    return material


def _bump(material: Any, texture: str, output: Any, scale: float, strength: float, distance: float) -> Any:
    """Roughen a surface by a texture over its uv in metres; returns the texture's output."""
    tree = material.node_tree
    place, source, bump = (tree.nodes.new(f"ShaderNode{name}") for name in ("UVMap", texture, "Bump"))
    source.inputs["Scale"].default_value = scale
    bump.inputs["Strength"].default_value, bump.inputs["Distance"].default_value = strength, distance
    tree.links.new(place.outputs[0], source.inputs["Vector"])
    tree.links.new(source.outputs[output], bump.inputs["Height"])
    tree.links.new(bump.outputs[0], tree.nodes["Principled BSDF"].inputs["Normal"])
    return source.outputs[output]
