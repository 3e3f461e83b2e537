# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the inside of a node, in words that both versions of Blender understand."""

from __future__ import annotations

from typing import Any

import bpy

PICTURE = "Result"  # the node inside that reads what the engine has written
# What 4.5 has as a property of the node, 5.0 has as an input with words of its own.
_CHOICES = {
    "Gaussian": ("filter_type", "GAUSS", "Type"),
    "Steps": ("mode", "STEP", "Type"),
    "Replace Alpha": ("mode", "REPLACE_ALPHA", "Type"),
    "Red": ("channel", "RED", "Channel"),
    "Green": ("channel", "GREEN", "Channel"),
    "Blue": ("channel", "BLUE", "Channel"),
}


def new_tree(name: str) -> Any:
    """An empty group for a node's inside."""
    tree = bpy.data.node_groups.new(f".{name}", "CompositorNodeTree")
    _ends(tree)
    return tree


def again(node: Any) -> None:
    """Build the inside of a node anew; its sockets stay, with all that is linked to them, and the pictures that it shows."""
    tree, known = node.node_tree, set(node.inputs.keys())
    shown = {one.name: _kept(one) for one in tree.nodes if one.bl_idname == "CompositorNodeImage"}
    tree.nodes.clear()
    _ends(tree)
    node.inside(tree)
    for socket in tree.interface.items_tree:
        if socket.in_out == "INPUT" and socket.name not in known:
            node.inputs[socket.name].default_value = socket.default_value
    for name, values in shown.items():
        for key, value in values.items():
            setattr(tree.nodes[name], key, value)


def _ends(tree: Any) -> None:
    tree.nodes.new("NodeGroupInput").location = (-400, 0)
    tree.nodes.new("NodeGroupOutput").location = (500, 0)


def _kept(node: Any) -> dict[str, Any]:
    names = ("image", "frame_duration", "frame_start", "frame_offset", "use_cyclic", "use_auto_refresh")
    return {name: getattr(node, name) for name in names} if node.image else {}


def colour_input(tree: Any, name: str, default: tuple[float, ...] = (0, 0, 0, 0)) -> Any:
    """Give the group an input for pictures; returns where it comes out inside."""
    _socket(tree, name, "NodeSocketColor", default_value=default)
    return tree.nodes["Group Input"].outputs[name]


def number_input(tree: Any, name: str, default: float, least: float, most: float, help: str) -> Any:
    """Give the group an input for a number or a matte; returns where it comes out inside."""
    subtype = "FACTOR" if (least, most) == (0, 1) else "NONE"
    _socket(
        tree, name, "NodeSocketFloat", help, min_value=least, max_value=most, default_value=default, subtype=subtype
    )
    return tree.nodes["Group Input"].outputs[name]


def pixels_input(tree: Any, name: str, least: int, most: int, help: str) -> Any:
    """Give the group an input for a whole number of pixels, 0 by default; returns where it comes out inside."""
    _socket(tree, name, "NodeSocketInt", help, min_value=least, max_value=most, default_value=0)
    return tree.nodes["Group Input"].outputs[name]


def output(tree: Any, name: str, found: Any, *, matte: bool = False) -> None:
    """Give the group an output."""
    kind = "NodeSocketFloat" if matte else "NodeSocketColor"
    if name not in tree.nodes["Group Output"].inputs:
        tree.interface.new_socket(name, in_out="OUTPUT", socket_type=kind)
    tree.links.new(found, tree.nodes["Group Output"].inputs[name])


def picture(tree: Any, name: str = PICTURE) -> Any:
    """A node that reads the engine's pictures: none as yet."""
    node = tree.nodes.new("CompositorNodeImage")
    node.name = node.label = name
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
    return math(tree, "MULTIPLY", one, other)


def math(tree: Any, operation: str, *values: Any) -> Any:
    """Compute with mattes or numbers, sockets or constants. Returns the result."""
    node = tree.nodes.new("ShaderNodeMath")
    node.operation = operation
    _feed(tree, node, values)
    return node.outputs[0]


def vector_math(tree: Any, operation: str, *values: Any) -> Any:
    """Compute with the three channels of pictures, sockets or constants; of SCALE the second is a number. Returns the result."""
    node = tree.nodes.new("ShaderNodeVectorMath")
    node.operation = operation
    _feed(tree, node, values)
    return node.outputs["Value" if operation == "DOT_PRODUCT" else "Vector"]


def apply(tree: Any, kind: str, choice: str, picture: Any, **values: Any) -> Any:
    """Run a picture through one of the compositor's nodes, set to a choice as 5.0 calls it; values: of its other inputs. Returns the result."""
    node = tree.nodes.new(kind)
    name, old, new = _CHOICES[choice]
    if hasattr(node, name):
        setattr(node, name, old)
    else:
        node.inputs[new].default_value = choice
    tree.links.new(picture, node.inputs[0])
    for name, value in values.items():
        tree.links.new(value, node.inputs[name])
    return node.outputs[0]


def joined(tree: Any, *channels: Any) -> Any:
    """A picture of three channels. Returns the result."""
    node = tree.nodes.new("CompositorNodeCombineColor")
    for channel, socket in zip(channels, node.inputs, strict=False):
        tree.links.new(channel, socket)
    return node.outputs[0]


def red(tree: Any, picture: Any) -> Any:
    """The first channel of a grey picture, exactly: a link to a number would take the mean of three. Returns the result."""
    node = tree.nodes.new("CompositorNodeSeparateColor")
    tree.links.new(picture, node.inputs[0])
    return node.outputs[0]


def _socket(tree: Any, name: str, kind: str, help: str = "", **limits: Any) -> None:
    if name in tree.nodes["Group Input"].outputs:
        return
    socket = tree.interface.new_socket(name, in_out="INPUT", socket_type=kind, description=help)
    for key, value in limits.items():
        setattr(socket, key, value)


def _feed(tree: Any, node: Any, values: Any) -> None:
    sockets = [socket for socket in node.inputs if socket.enabled]
    for value, socket in zip(values, sockets, strict=True):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value
