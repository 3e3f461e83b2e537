# SPDX-License-Identifier: GPL-3.0-or-later
"""The inside of a node: built in words that both versions of Blender understand, with sockets from the node's ports and pictures from disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy

from ..media import Plate

PICTURE = "Result"  # the node inside that reads what the engine has written
_OUTPUTS = {"faces": "Faces", "crops": "Crop", "matte": "Matte", "patch": "Patch"}  # sockets of ports, by type
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
    shown = {reader.name: _kept(reader) for reader in tree.nodes if reader.bl_idname == "CompositorNodeImage"}
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


def port_inputs(tree: Any, ports: Any) -> dict[str, Any]:
    """Give the group the inputs of a node's ports; returns by name where each comes out inside.

    Image is the plate, by which every node knows its footage. What the node before has found comes by one socket, Faces, and an optional matte by
    Mask. Footage and models that are optional are chosen as files, not linked.
    """
    sockets = {"Image": colour_input(tree, "Image")}
    for port in ports:
        if port["type"] in ("faces", "crops", "matte") and not port["optional"]:
            sockets["Faces"] = colour_input(tree, "Faces")
        elif port["type"] == "matte":
            sockets["Mask"] = number_input(tree, "Mask", 1, 0, 1, "A mask of your own, which is multiplied in")
    return sockets


def port_outputs(tree: Any, ports: Any, results: Mapping[str, Any], **shown: Any) -> None:
    """Give the group its outputs: what is shown of a node beside its ports, by socket, and what each of its ports holds."""
    for name, result in shown.items():
        output(tree, name, result)
    for port in ports:
        output(tree, _OUTPUTS[port["type"]], results[port["name"]], matte=port["type"] == "matte")


def colour_input(tree: Any, name: str, default: tuple[float, ...] = (0, 0, 0, 0)) -> Any:
    """Give the group an input for pictures; returns where it comes out inside."""
    return _input(tree, name, "NodeSocketColor", default_value=default)


def number_input(tree: Any, name: str, default: float, least: float, most: float, help: str) -> Any:
    """Give the group an input for a number or a matte; returns where it comes out inside."""
    kind, subtype = "NodeSocketFloat", "FACTOR" if (least, most) == (0, 1) else "NONE"
    return _input(tree, name, kind, help, min_value=least, max_value=most, default_value=default, subtype=subtype)


def pixels_input(tree: Any, name: str, least: int, most: int, help: str) -> Any:
    """Give the group an input for a whole number of pixels, 0 by default; returns where it comes out inside."""
    return _input(tree, name, "NodeSocketInt", help, min_value=least, max_value=most, default_value=0)


def output(tree: Any, name: str, result: Any, *, matte: bool = False) -> None:
    """Give the group an output."""
    kind = "NodeSocketFloat" if matte else "NodeSocketColor"
    if name not in tree.nodes["Group Output"].inputs:
        tree.interface.new_socket(name, in_out="OUTPUT", socket_type=kind)
    tree.links.new(result, tree.nodes["Group Output"].inputs[name])


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


def _input(tree: Any, name: str, kind: str, help: str = "", **limits: Any) -> Any:
    if name not in tree.nodes["Group Input"].outputs:
        socket = tree.interface.new_socket(name, in_out="INPUT", socket_type=kind, description=help)
        for key, value in limits.items():
            setattr(socket, key, value)
    return tree.nodes["Group Input"].outputs[name]


def _feed(tree: Any, node: Any, values: Any) -> None:
    sockets = [socket for socket in node.inputs if socket.enabled]
    for value, socket in zip(values, sockets, strict=True):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value


def show(node: Any, file: Path, plate: Plate, *, linear: bool = True, inside: str = PICTURE) -> None:
    """Let a node show the sequence that a file belongs to, numbered as the plate is; where a file is missing, nothing is shown.

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


def _set(target: Any, **wanted: Any) -> None:
    """Set properties that are not so already."""
    for name, value in wanted.items():
        if getattr(target, name) != value:
            setattr(target, name, value)


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
