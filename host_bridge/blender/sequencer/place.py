# SPDX-License-Identifier: GPL-3.0-or-later
"""Placing of rendered pictures: in a strip above, with the same trim, offset and speed, or in the strip itself, as a modifier.

A compositor modifier, which Blender has since 5.0, lays the patch over in scene-linear light, with the controls of Face Swap in its group. A group shows
one picture a frame, in order: a strip that is retimed, reversed or held cannot have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import bpy

from .. import media, undo
from ..media import MediaError
from ..tree import group, nodes
from . import strips
from .strips import Target, look_up, rendered

_TOP = 128  # channels
_COPIED = ("use_flip_x", "use_flip_y", "color_multiply", "color_saturation", "mute")
_PLACE = ("scale_x", "scale_y", "offset_x", "offset_y", "rotation", "origin", "filter")
_CROP = ("min_x", "max_x", "min_y", "max_y")
_MODIFIER = "Faceplate"
_NODE = "Face Swap"  # in the modifier's group
_LINKED = ("Image", "Faces", "Mask")  # its inputs that are no controls


def land(target: Target, pattern: str, first: int, last: int) -> tuple[Any, list[str]]:
    """Put the pictures `pattern`, numbered first..last, above the strip; returns their strip, and remarks on it.

    An earlier patch of the same strip gives way. Raises MediaError if there is no strip to put them above.
    """
    scene, plate, shown = look_up(target, Path(pattern).parent)
    run = rendered(target, shown, first, last, Path(pattern).parent)
    start, end = shown.start + run.start, shown.start + run.stop
    around = clear(plate, scene, shown)
    _remove_modifier(scene, plate)
    channel = _free_channel(around, plate.channel, start, end)
    files = [pattern.replace("%04d", f"{shown.numbers[index]:04d}") for index in run]
    patch = around.new_image(f"{plate.name} face", files[0], channel, start, fit_method="ORIGINAL")
    for file in files[1:]:
        patch.elements.append(Path(file).name)
    patch.directory = f"{media.stored(Path(files[0]).parent)}/"
    if len(files) == 1:
        patch.frame_final_duration = 1
    patch.frame_final_start, patch.frame_final_end = max(start, shown.left), min(end, shown.right)
    patch.blend_type, patch.blend_alpha = "ALPHA_OVER", 1.0
    patch.alpha_mode = "PREMUL" if pattern.endswith(".exr") else "STRAIGHT"
    patch.select = False
    _look_alike(plate, patch)
    patch[strips.OF] = shown.path
    undo.push("Replace Face")
    return patch, list(_remarks(scene, plate, patch, shown, end - start))


def clear(plate: Any, scene: Any, shown: strips.StripFrames) -> Any:
    """Remove earlier patches of this strip's footage above it; returns the collection that it lies in."""
    around = strips.siblings(scene, plate)
    for strip in list(around):
        within = shown.left <= strip.frame_final_start and strip.frame_final_end <= shown.right
        if within and strip.channel > plate.channel and strip.get(strips.OF) == shown.path:
            around.remove(strip)
    return around


def _free_channel(around: Any, below: int, start: int, end: int) -> int:
    """Find the lowest free channel above. Raises MediaError."""
    used = {s.channel for s in around if s.frame_final_start < end and s.frame_final_end > start}
    free = next((channel for channel in range(below + 1, _TOP + 1) if channel not in used), None)
    if free is None:
        raise MediaError("there is no free channel above the strip", "Move strips down, and replace the face again")
    return free


def _look_alike(plate: Any, patch: Any) -> None:
    """Place and grade the patch as the plate; its pictures have the plate's size, and the plate's code values."""
    pairs = (plate, patch, _COPIED), (plate.transform, patch.transform, _PLACE), (plate.crop, patch.crop, _CROP)
    for source, target, names in pairs:
        for name in names:
            setattr(target, name, getattr(source, name))
    with suppress(TypeError):  # a colour space that only the plate's kind of file may have
        patch.colorspace_settings.name = plate.colorspace_settings.name


def _remarks(scene: Any, plate: Any, patch: Any, shown: strips.StripFrames, frames: int) -> Iterator[str]:
    missing = (shown.right - shown.left) - patch.frame_final_duration
    if missing > 0:
        yield f"{plate.name} was changed meanwhile: {missing} of its frames have no patch. Replace the face again"
    if patch.channel > plate.channel + 1:
        yield f"The patch of {plate.name} is on channel {patch.channel}, above what is between"
    moves = strips.animated(scene, plate)
    if moves or len(plate.modifiers) or plate.blend_alpha < 1 or plate.blend_type not in ("REPLACE", "ALPHA_OVER"):
        what = "animation" if moves else "modifiers" if len(plate.modifiers) else "blending"
        yield f"{plate.name} has {what} that its patch does not share. Make a meta strip of both, and put it there"


def has_modifiers() -> bool:
    """Return True if this Blender has compositor modifiers."""
    return bool(bpy.app.version >= (5, 0))


def check_order(strip: Any, shown: strips.StripFrames) -> None:
    """Raise MediaError if a modifier could not follow the strip's frames."""
    if any(after - before != 1 for before, after in pairwise(shown.numbers)):
        raise MediaError(
            f"{strip.name} does not show its frames one after the other, which a modifier cannot follow",
            "Switch As Modifier off: the patch then is a strip above it",
        )


def modify(target: Target, pattern: str, first: int, last: int) -> tuple[Any, list[str]]:
    """Give the strip a modifier that shows the pictures `pattern`, numbered first..last; returns the strip, and remarks on it.

    A modifier that is there keeps its values; an earlier patch above the strip gives way. Raises MediaError if there is no strip to put them into.
    """
    scene, strip, shown = look_up(target, Path(pattern).parent)
    check_order(strip, shown)
    rendered(target, shown, first, last, Path(pattern).parent)
    clear(strip, scene, shown)
    footage = media.of_strip(strip, scene)
    plate = replace(footage, at=shown.start - shown.numbers[0] + footage.first, shown=(first, last))
    node = _node(strip)
    if node is None:
        _remove_modifier(scene, strip)
        outer, node = _group()
        with strips.on_view(scene):
            strip.modifiers.new(_MODIFIER, "COMPOSITOR").node_group = outer
    group.show(node, Path(pattern % first), plate)
    undo.push("Replace Face")
    outside = sum(not first <= number <= last for number in shown.numbers)
    return strip, [f"{outside} frames of {strip.name} have no patch. Replace the face again"] if outside else []


def shown_by(strip: Any) -> Path | None:
    """Return a picture of the sequence that the modifier of a strip shows; None without one, or if its group was replaced."""
    node = _node(strip)
    reader = node.node_tree.nodes.get(group.PICTURE) if node else None
    if reader is None or reader.image is None:
        return None
    return Path(media.absolute(reader.image.filepath_raw, reader.image.library))


def _node(strip: Any) -> Any:
    """Return the node that shows pictures in the strip's modifier, None without one, or if its group was replaced."""
    modifier = strip.modifiers.get(_MODIFIER)
    return modifier.node_group.nodes.get(_NODE) if modifier and modifier.node_group else None


def _group() -> tuple[Any, Any]:
    """Make the modifier's group: Image in, the inside of a Face Swap node, Image out; returns it and that node."""
    inner = group.new_tree(_NODE)
    nodes.fill_swap(inner)
    outer = bpy.data.node_groups.new("Faceplate", "CompositorNodeTree")
    for direction in ("INPUT", "OUTPUT"):
        outer.interface.new_socket("Image", in_out=direction, socket_type="NodeSocketColor")
    # Blender 5.0 gives the group of a modifier nothing but the picture.
    if "properties" in bpy.types.SequencerCompositorModifierData.bl_rna.properties:
        for item in inner.interface.items_tree:
            if item.in_out == "INPUT" and item.name not in _LINKED:
                group.copy_input(outer, item)
    start, node, end = (
        outer.nodes.new(f"{kind}") for kind in ("NodeGroupInput", "CompositorNodeGroup", "NodeGroupOutput")
    )
    node.node_tree, node.name, node.width = inner, _NODE, 220
    start.location, end.location = (-300, 0), (300, 0)
    for socket in start.outputs[:-1]:
        outer.links.new(socket, node.inputs[socket.name])
    outer.links.new(node.outputs["Image"], end.inputs["Image"])
    return outer, node


def _remove_modifier(scene: Any, strip: Any) -> None:
    if modifier := strip.modifiers.get(_MODIFIER):
        with strips.on_view(scene):
            strip.modifiers.remove(modifier)
