# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin: a Principled shader with subsurface light, a coat of oil, and relief from the maps and wrinkles of `trainer/synthetic/people/skin.py`."""

from typing import Any

import bpy

GROUPS = (("forehead", "glabella", "crow"), ("nose", "nasolabial", "dimple"), ("under_eye", "chin", "lips"))
SIDED = ("forehead", "glabella", "crow", "nose", "nasolabial", "dimple", "under_eye")
RELIEF = 4.0  # millimetres from black to white in the images of heights
TILES = 24.0  # of the grain, along texture space: 40 mm each on hands, 140 mm on the torso
RADIUS = (1.0, 0.36, 0.18)  # of light under the skin in red, green and blue: Jensen et al., SIGGRAPH 2001, skin 1


def material(values: dict[str, Any], images: dict[str, bpy.types.Image]) -> bpy.types.Material:
    """Return the material; its object has the curves of `skin.strengths` as properties."""
    made = bpy.data.materials.new("skin")
    made.use_nodes = True
    tree = made.node_tree
    shader = tree.nodes["Principled BSDF"]
    left, bottom, right, top = values["head"]

    def node(kind: str, **properties: Any) -> bpy.types.Node:
        added = tree.nodes.new(f"ShaderNode{kind}")
        for name, value in properties.items():
            setattr(added, name, value)
        return added

    def feed(socket: bpy.types.NodeSocket, value: Any) -> None:
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value

    def maths(operation: str, *inputs: Any) -> bpy.types.NodeSocket:
        added = node("Math", operation=operation)
        for socket, value in zip(added.inputs, inputs, strict=False):
            feed(socket, value)
        return added.outputs[0]

    def vector(operation: str, *inputs: Any) -> bpy.types.NodeSocket:
        added = node("VectorMath", operation=operation)
        for socket, value in zip(added.inputs, inputs, strict=False):
            feed(socket, value)
        return added.outputs["Value" if operation == "DOT_PRODUCT" else "Vector"]

    def mix(factor: Any, one: Any, other: Any) -> bpy.types.NodeSocket:
        added = node("Mix", data_type="VECTOR")
        for name, value in (("Factor_Float", factor), ("A_Vector", one), ("B_Vector", other)):
            feed(next(socket for socket in added.inputs if socket.identifier == name), value)
        return next(socket for socket in added.outputs if socket.identifier == "Result_Vector")

    def picture(name: str, where: Any, extension: str = "CLIP") -> bpy.types.Node:
        added = node("TexImage", image=images[name], extension=extension, interpolation="Linear")
        feed(added.inputs["Vector"], where)
        return added

    def strength(group: str, side: str) -> bpy.types.NodeSocket:
        return node(
            "Attribute", attribute_type="OBJECT", attribute_name=f"{group}_{side}" if group in SIDED else group
        ).outputs["Fac"]

    place = node("UVMap").outputs["UV"]
    size = (1 / (right - left), 1 / (top - bottom), 0.0)
    on_head = vector("MULTIPLY", vector("SUBTRACT", place, (left, bottom, 0.0)), size)
    colour, surface = picture("colour", on_head), picture("surface", on_head)
    across = node("SeparateXYZ")
    tree.links.new(on_head, across.inputs[0])
    u, v = across.outputs[:2]
    head = maths("MULTIPLY", maths("GREATER_THAN", u, 0.0), maths("COMPARE", v, 0.5, 0.5))
    tree.links.new(
        mix(head, picture("body", place).outputs["Color"], colour.outputs["Color"]), shader.inputs["Base Color"]
    )
    parts = node("SeparateColor")
    grain = picture("grain", vector("MULTIPLY", place, (TILES, TILES, 0.0)), "REPEAT").outputs["Color"]
    rest = node("CombineXYZ")
    for socket, value in zip(rest.inputs, (grain, 0.54, 0.05), strict=True):
        feed(socket, value)
    tree.links.new(mix(head, rest.outputs[0], surface.outputs["Color"]), parts.inputs["Color"])
    height, roughness, shine = parts.outputs[:3]

    is_left = node("MapRange", interpolation_type="SMOOTHSTEP")
    middle = (values["middle"] - bottom) / (top - bottom)
    for name, value in (("Value", v), ("From Min", middle - 0.008), ("From Max", middle + 0.008)):
        feed(is_left.inputs[name], value)
    for index, groups in enumerate(GROUPS):
        sides = []
        for side in ("right", "left"):
            three = node("CombineXYZ")
            for socket, group in zip(three.inputs, groups, strict=True):
                tree.links.new(strength(group, side), socket)
            sides.append(three.outputs[0])
        folds = vector("SUBTRACT", picture(f"wrinkles{index}", on_head).outputs["Color"], (0.5, 0.5, 0.5))
        relief = vector("DOT_PRODUCT", folds, mix(is_left.outputs[0], *sides))
        height = maths("ADD", height, maths("MULTIPLY", maths("MULTIPLY", relief, head), values["wrinkles"]))

    bump = node("Bump")
    bump.inputs["Distance"].default_value = RELIEF / 1000
    bump.inputs["Strength"].default_value = 1.0
    tree.links.new(height, bump.inputs["Height"])
    tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])
    tree.links.new(roughness, shader.inputs["Roughness"])
    tree.links.new(shine, shader.inputs["Coat Weight"])
    shader.subsurface_method = "BURLEY"  # a quarter faster than the random walk here, and hard to tell from it
    for name, value in (
        ("Subsurface Weight", 1.0),
        ("Subsurface Radius", RADIUS),
        ("Subsurface Scale", values["subsurface"]),
        ("IOR", 1.42),
        ("Coat Roughness", 0.28),
        ("Coat IOR", 1.45),
    ):
        shader.inputs[name].default_value = value
    return made
