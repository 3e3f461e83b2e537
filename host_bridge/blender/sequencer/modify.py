# SPDX-License-Identifier: GPL-3.0-or-later
"""Put rendered patches into the strip itself, as a compositor modifier, which Blender has since 5.0.

The patch is laid over in scene-linear light, with the controls of Face Swap in the modifier's group. A group shows one picture a frame, in order: a
strip that is retimed, reversed or held cannot have it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import bpy

from .. import media
from ..media import MediaError
from ..tree import build, images, swap
from . import modifier, strips
from .land import clear
from .target import Target, look_up, rendered

_NODE = "Face Swap"  # in the modifier's group


def possible() -> bool:
    """Whether this Blender has compositor modifiers."""
    return bool(bpy.app.version >= (5, 0))


def check(strip: Any, shown: strips.Shown) -> None:
    """Raise MediaError where a modifier could not follow what a strip shows."""
    if any(after - before != 1 for before, after in pairwise(shown.numbers)):
        raise MediaError(
            f"{strip.name} does not show its frames one after the other, which a modifier cannot follow",
            "Switch As Modifier off: the patch then is a strip above it",
        )


def prepare(folder: Path) -> tuple[Any, ...]:
    """What makes whole frames of the patches of a swap in `folder`, see `link.submit`."""
    return "whole", folder / "patch", folder / "whole", "patch"


def modify(target: Target, folder: Path, first: int, last: int) -> tuple[Any, list[str]]:
    """Give the strip a modifier that shows the patches in `folder`, numbered first..last; returns the strip, and what should be said of it.

    An earlier patch of the same strip gives way. Raises MediaError where there is nothing to put them into.
    """
    scene, strip, shown = look_up(target, folder)
    check(strip, shown)
    rendered(target, shown, first, last, folder)
    clear(scene, strip, shown)
    footage = media.of_strip(strip, scene)
    plate = replace(footage, at=shown.start - shown.numbers[0] + footage.first, shown=(first, last))
    modifier.add(scene, strip, _group(folder / "whole" / f"patch.{first:04d}.exr", plate))
    with suppress(RuntimeError):  # there is nothing to undo without a window
        bpy.ops.ed.undo_push(message="Replace Face")
    outside = sum(not first <= number <= last for number in shown.numbers)
    return strip, [f"{outside} frames of {strip.name} have no patch. Replace the face again"] if outside else []


def shown_by(strip: Any) -> Path | None:
    """A picture of the sequence that the modifier of a strip shows; None without one, or where its group is another by now."""
    found = modifier.of(strip)
    node = found.node_group.nodes.get(_NODE) if found and found.node_group else None
    reader = node.node_tree.nodes.get(build.PICTURE) if node else None
    if reader is None or reader.image is None:
        return None
    return Path(media.absolute(reader.image.filepath_raw, reader.image.library))


def _group(file: Path, plate: media.Plate) -> Any:
    """Image in, Image out, and between them what a Face Swap node has inside."""
    inner = build.new_tree(_NODE)
    swap.fill(inner)
    outer = bpy.data.node_groups.new("Faceplate", "CompositorNodeTree")
    for direction in ("INPUT", "OUTPUT"):
        outer.interface.new_socket("Image", in_out=direction, socket_type="NodeSocketColor")
    start, node, end = (
        outer.nodes.new(f"{kind}") for kind in ("NodeGroupInput", "CompositorNodeGroup", "NodeGroupOutput")
    )
    node.node_tree, node.name, node.width = inner, _NODE, 220
    start.location, end.location = (-300, 0), (300, 0)
    outer.links.new(start.outputs["Image"], node.inputs["Image"])
    outer.links.new(node.outputs["Image"], end.inputs["Image"])
    images.show(node, file, plate)
    return outer
