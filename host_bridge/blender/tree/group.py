# SPDX-License-Identifier: GPL-3.0-or-later
"""Node groups: built alike in all supported versions of Blender, with sockets from the node's ports and pictures from disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import bpy

from .. import media
from ..media import Plate

PICTURE = "Result"  # the node inside that reads what the engine has written
_OUTPUTS = {"faces": "Faces", "crops": "Crop", "matte": "Matte", "patch": "Patch"}  # sockets of ports, by type
# Properties of the node in 4.5, inputs with other values in 5.0.
_CHOICES = {
    "Gaussian": ("filter_type", "GAUSS", "Type"),
    "Steps": ("mode", "STEP", "Type"),
    "Replace Alpha": ("mode", "REPLACE_ALPHA", "Type"),
    "Red": ("channel", "RED", "Channel"),
    "Green": ("channel", "GREEN", "Channel"),
    "Blue": ("channel", "BLUE", "Channel"),
}


def new_tree(name: str) -> Any:
    """Make an empty group for a node's inside."""
    tree = bpy.data.node_groups.new(f".{name}", "CompositorNodeTree")
    _ends(tree)
    return tree


def again(node: Any) -> None:
    """Rebuild the inside of a node; its sockets stay, with their links, and its pictures. Outputs get today's order."""
    tree, names = node.node_tree, set(node.inputs.keys())
    shown = {reader.name: _settings(reader) for reader in readers(node)}
    tree.nodes.clear()
    _ends(tree)
    node.inside(tree)
    fresh = new_tree("order")
    node.inside(fresh)
    for name in _outputs(fresh):
        tree.interface.move(_outputs(tree)[name], len(tree.interface.items_tree))
    bpy.data.node_groups.remove(fresh)
    for socket in tree.interface.items_tree:
        if socket.in_out == "INPUT" and socket.name not in names:
            node.inputs[socket.name].default_value = socket.default_value
    for name, values in shown.items():
        for key, value in values.items():
            setattr(tree.nodes[name], key, value)


def _ends(tree: Any) -> None:
    tree.nodes.new("NodeGroupInput").location = (-400, 0)
    tree.nodes.new("NodeGroupOutput").location = (500, 0)


def _outputs(tree: Any) -> dict[str, Any]:
    return {socket.name: socket for socket in tree.interface.items_tree if socket.in_out == "OUTPUT"}


def readers(node: Any) -> Iterator[Any]:
    """Yield the nodes inside that read the engine's pictures, where they have one."""
    for reader in node.node_tree.nodes if node.node_tree else ():
        if reader.bl_idname == "CompositorNodeImage" and reader.image is not None:
            yield reader


def _settings(node: Any) -> dict[str, Any]:
    names = ("image", "frame_duration", "frame_start", "frame_offset", "use_cyclic", "use_auto_refresh")
    return {name: getattr(node, name) for name in names}


def port_inputs(tree: Any, ports: Any) -> dict[str, Any]:
    """Give the group the inputs of a node's ports; returns the sockets inside, by name.

    Image is the plate, which gives every node its footage. Results of the node before come by one socket, Faces, and an optional matte by
    Mask. Optional footage and models are chosen as files, not linked.
    """
    sockets = {"Image": colour_input(tree, "Image")}
    for port in ports:
        if port["type"] in ("faces", "crops", "matte") and not port["optional"]:
            sockets["Faces"] = colour_input(tree, "Faces")
        elif port["type"] == "matte":
            sockets["Mask"] = number_input(tree, "Mask", 1, 0, 1, "A mask of your own, which is multiplied in")
    return sockets


def port_outputs(tree: Any, ports: Any, results: Mapping[str, Any], **shown: Any) -> None:
    """Give the group its outputs: the results of its ports, and further ones by socket."""
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
    """Add a node that reads the engine's pictures: none as yet."""
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


def times(tree: Any, a: Any, b: Any) -> Any:
    """Multiply two mattes or numbers. Returns the result."""
    return math(tree, "MULTIPLY", a, b)


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
    """Join three channels into a picture. Returns the result."""
    node = tree.nodes.new("CompositorNodeCombineColor")
    for channel, socket in zip(channels, node.inputs, strict=False):
        tree.links.new(channel, socket)
    return node.outputs[0]


def red(tree: Any, picture: Any) -> Any:
    """Return the first channel of a grey picture, exactly: a link to a number would take the mean of three."""
    node = tree.nodes.new("CompositorNodeSeparateColor")
    tree.links.new(picture, node.inputs[0])
    return node.outputs[0]


def _input(tree: Any, name: str, kind: str, help: str = "", **limits: Any) -> Any:
    if name not in tree.nodes["Group Input"].outputs:
        socket = tree.interface.new_socket(name, in_out="INPUT", socket_type=kind, description=help)
        for key, value in limits.items():
            setattr(socket, key, value)
    return tree.nodes["Group Input"].outputs[name]


def copy_input(tree: Any, item: Any) -> None:
    """Give a group an input as another group has it. item: of that group's interface."""
    kind = item.socket_type
    socket = tree.interface.new_socket(item.name, in_out="INPUT", socket_type=kind, description=item.description)
    for name in ("subtype", "min_value", "max_value", "default_value"):
        if hasattr(item, name):
            setattr(socket, name, getattr(item, name))


def _feed(tree: Any, node: Any, values: Any) -> None:
    sockets = [socket for socket in node.inputs if socket.enabled]
    for value, socket in zip(values, sockets, strict=True):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value


def show(node: Any, file: Path, plate: Plate, *, linear: bool = True, inside: str = PICTURE) -> None:
    """Show the sequence of a file in a node, numbered as the plate; a missing file shows nothing.

    linear: scene-linear Rec.709, else sRGB. inside: which of the node's pictures.
    """
    reader = node.node_tree.nodes[inside]
    image = reader.image
    if image is None:
        image = bpy.data.images.load(str(file))
        image.name = f"{node.name} {inside.lower()}"
        reader.image = image
    first, last = plate.shown or (plate.first, plate.last)
    # Setting any property of an image makes Blender read a file, even to the same value, and so does `reload`; 20 ms of 720p.
    _set(image, source="SEQUENCE", alpha_mode="PREMUL" if linear else "STRAIGHT")
    _set(image.colorspace_settings, name="Linear Rec.709" if linear else "sRGB")
    _set(reader, frame_start=plate.at + first - plate.first, frame_duration=last - first + 1, frame_offset=first - 1)
    image.filepath_raw = media.stored(file)
    image.buffers_free()
    _set(reader, use_cyclic=False)
    reader.use_auto_refresh = True  # set in any case: the compositor looks again when a node has changed


def _set(target: Any, **values: Any) -> None:
    """Set properties whose values differ."""
    for name, value in values.items():
        if getattr(target, name) != value:
            setattr(target, name, value)


def lay(files: Iterable[Path], folder: Path, *, alone: bool = False) -> Path:
    """Put numbered pictures into the folder that a node shows, in the place of others of their numbers; returns the first.

    alone: remove all others. They are hard links where the disk has them.
    """
    if alone:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    places = []
    for file in sorted(files):
        place = folder / f"patch.{media.number_of(str(file)):04d}{file.suffix}"
        place.unlink(missing_ok=True)
        try:
            os.link(file, place)
        except OSError:
            shutil.copyfile(file, place)
        places.append(place)
    return places[0]


def shown(node: Any) -> Path | None:
    """Return the file whose sequence a node shows, or None."""
    reader = next((reader for reader in readers(node) if reader.name == PICTURE), None)
    return Path(media.absolute(reader.image.filepath_raw, reader.image.library)) if reader else None


def missing(node: Any) -> str:
    """Return the first file of a node's result that is missing on disk, or an empty string."""
    for reader in readers(node):
        file = bpy.path.abspath(reader.image.filepath, library=reader.image.library)
        if not Path(file).is_file():
            return str(file)
    return ""
