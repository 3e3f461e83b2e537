# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the inside of a node, in words that both versions of Blender understand."""

from __future__ import annotations

from typing import Any

import bpy

PICTURE = "Result"  # the node inside that reads what the engine has written
_NAMES = {"math": ("ShaderNodeMath", "CompositorNodeMath")}


def new_tree(name: str) -> Any:
    """An empty group for a node's inside."""
    tree = bpy.data.node_groups.new(f".{name}", "CompositorNodeTree")
    tree.nodes.new("NodeGroupInput").location = (-400, 0)
    tree.nodes.new("NodeGroupOutput").location = (500, 0)
    return tree


def colour_input(tree: Any, name: str, default: tuple[float, ...] = (0, 0, 0, 0)) -> Any:
    """Give the group an input for pictures; returns where it comes out inside."""
    socket = tree.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketColor")
    socket.default_value = default
    return tree.nodes["Group Input"].outputs[name]


def number_input(tree: Any, name: str, default: float, least: float, most: float, help: str) -> Any:
    """Give the group an input for a number or a matte; returns where it comes out inside."""
    socket = tree.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketFloat", description=help)
    socket.min_value, socket.max_value, socket.default_value = least, most, default
    socket.subtype = "FACTOR" if (least, most) == (0, 1) else "NONE"
    return tree.nodes["Group Input"].outputs[name]


def output(tree: Any, name: str, found: Any, *, matte: bool = False) -> None:
    """Give the group an output."""
    kind = "NodeSocketFloat" if matte else "NodeSocketColor"
    tree.interface.new_socket(name, in_out="OUTPUT", socket_type=kind)
    tree.links.new(found, tree.nodes["Group Output"].inputs[name])


def picture(tree: Any) -> Any:
    """The node that reads the engine's pictures: none as yet."""
    node = tree.nodes.new("CompositorNodeImage")
    node.name = node.label = PICTURE
    node.location = (-400, -300)
    return node


def over(tree: Any, below: Any, above: Any, share: Any) -> Any:
    """Lay a premultiplied picture over another; below: None for nothing. Returns the result."""
    node = tree.nodes.new("CompositorNodeAlphaOver")
    lower, upper = [socket for socket in node.inputs if socket.type == "RGBA"]
    factor = next(socket for socket in node.inputs if socket.name in ("Fac", "Factor"))
    if below is None:
        lower.default_value = (0, 0, 0, 0)
    else:
        tree.links.new(below, lower)
    tree.links.new(above, upper)
    tree.links.new(share, factor)
    return node.outputs[0]


def times(tree: Any, one: Any, other: Any) -> Any:
    """Multiply two mattes or numbers. Returns the result."""
    node = _new(tree, "math")
    node.operation = "MULTIPLY"
    tree.links.new(one, node.inputs[0])
    tree.links.new(other, node.inputs[1])
    return node.outputs[0]


def _new(tree: Any, what: str) -> Any:
    for name in _NAMES[what]:
        try:
            return tree.nodes.new(name)
        except RuntimeError:
            continue
    raise RuntimeError(f"this Blender has none of {', '.join(_NAMES[what])}")
