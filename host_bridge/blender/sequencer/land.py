# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a strip with rendered pictures above the strip that they belong to, with the same trim, offset and speed.

Meanwhile the strip may have been moved, trimmed or deleted, the scene renamed, another file opened: everything is looked up anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..media import MediaError
from . import strips

_TOP = 128  # channels
_COPIED = ("use_flip_x", "use_flip_y", "color_multiply", "color_saturation", "mute")
_PLACE = ("scale_x", "scale_y", "offset_x", "offset_y", "rotation", "origin", "filter")
_CROP = ("min_x", "max_x", "min_y", "max_y")


@dataclass(frozen=True, slots=True)
class Target:
    """The strip that asked, by names: uid and file tell its scene from one of the same name in another file."""

    file: str
    uid: int
    scene: str
    strip: str
    path: str
    handles: int


def target_of(scene: Any, strip: Any, shown: strips.Shown, handles: int) -> Target:
    """Note down a strip."""
    return Target(bpy.data.filepath, scene.session_uid, scene.name, strip.name, shown.path, handles)


def find(target: Target) -> tuple[Any, Any]:
    """The scene and the strip, or None for what is no more there."""
    scene = next((s for s in bpy.data.scenes if s.session_uid == target.uid), None)
    if scene is None and target.file and target.file == bpy.data.filepath:  # the same file, opened again
        scene = bpy.data.scenes.get(target.scene)
    if scene is None or scene.sequence_editor is None:
        return scene, None
    named = (s for s in scene.sequence_editor.strips_all if s.name == target.strip and s.type in strips.KINDS)
    return scene, next(named, None)


def land(target: Target, pattern: str, first: int, last: int) -> tuple[Any, list[str]]:
    """Put the pictures `pattern`, numbered first..last, above the strip; returns their strip, and what should be said of it.

    An earlier patch of the same strip gives way. Raises MediaError where there is nothing to put them above.
    """
    folder = Path(pattern).parent
    scene, plate = find(target)
    where = f"The rendered pictures are in {folder}"
    if scene is None:
        raise MediaError(f"the file with the strip {target.strip} is closed", where)
    if plate is None:
        raise MediaError(f"the strip {target.strip} is gone", where)
    shown = strips.read(plate, scene, target.handles)
    if shown.path != target.path:
        raise MediaError(f"the strip {target.strip} shows other footage now", where)
    run = _rendered(shown, first, last)
    if not run:
        raise MediaError(f"the strip {target.strip} shows other frames now", f"{where}; replace the face again")
    around = strips.siblings(scene, plate)
    start, end = shown.start + run.start, shown.start + run.stop
    for old in list(_patches(around, plate, shown)):
        around.remove(old)
    channel = _free_channel(around, plate.channel, start, end)
    files = [pattern.replace("%04d", f"{shown.numbers[index]:04d}") for index in run]
    patch = around.new_image(f"{plate.name} face", files[0], channel, start, fit_method="ORIGINAL")
    for file in files[1:]:
        patch.elements.append(Path(file).name)
    if len(files) == 1:
        patch.frame_final_duration = 1
    patch.frame_final_start, patch.frame_final_end = max(start, shown.left), min(end, shown.right)
    patch.blend_type, patch.blend_alpha = "ALPHA_OVER", 1.0
    patch.alpha_mode = "PREMUL" if pattern.endswith(".exr") else "STRAIGHT"
    patch.select = False
    _look_alike(plate, patch)
    patch[strips.OF] = shown.path
    with suppress(RuntimeError):  # there is nothing to undo without a window
        bpy.ops.ed.undo_push(message="Replace Face")
    return patch, list(_remarks(scene, plate, patch, shown, end - start))


def _rendered(shown: strips.Shown, first: int, last: int) -> range:
    """The part of what is shown for which there are pictures."""
    there = [first <= number <= last for number in shown.numbers]
    if not any(there):
        return range(0)
    begin = there.index(True)
    end = next((i for i in range(begin, len(there)) if not there[i]), len(there))
    return range(begin, end)


def _patches(around: Any, plate: Any, shown: strips.Shown) -> Iterator[Any]:
    """Earlier patches of what this strip shows."""
    for strip in around:
        within = shown.left <= strip.frame_final_start and strip.frame_final_end <= shown.right
        if within and strip.channel > plate.channel and strip.get(strips.OF) == shown.path:
            yield strip


def _free_channel(around: Any, below: int, start: int, end: int) -> int:
    """The lowest channel above with nothing in the way. Raises MediaError."""
    taken = {s.channel for s in around if s.frame_final_start < end and s.frame_final_end > start}
    free = next((channel for channel in range(below + 1, _TOP + 1) if channel not in taken), None)
    if free is None:
        raise MediaError("there is no free channel above the strip", "Move strips down, and replace the face again")
    return free


def _look_alike(plate: Any, patch: Any) -> None:
    """Place and grade the patch as the plate; its pictures have the plate's size, and the plate's code values."""
    for name in _COPIED:
        setattr(patch, name, getattr(plate, name))
    for name in _PLACE:
        setattr(patch.transform, name, getattr(plate.transform, name))
    for name in _CROP:
        setattr(patch.crop, name, getattr(plate.crop, name))
    with suppress(TypeError):  # a colour space that only the plate's kind of file may have
        patch.colorspace_settings.name = plate.colorspace_settings.name


def _remarks(scene: Any, plate: Any, patch: Any, shown: strips.Shown, frames: int) -> Iterator[str]:
    missing = (shown.right - shown.left) - patch.frame_final_duration
    if missing > 0:
        yield f"{plate.name} was changed meanwhile: {missing} of its frames have no patch. Replace the face again"
    if patch.channel > plate.channel + 1:
        yield f"The patch of {plate.name} is on channel {patch.channel}, above what is between"
    mine = f'strips_all["{bpy.utils.escape_identifier(plate.name)}"].'
    animation = scene.animation_data
    moves = animation and animation.action and any(mine in curve.data_path for curve in _curves(animation))
    if moves or len(plate.modifiers) or plate.blend_alpha < 1 or plate.blend_type not in ("REPLACE", "ALPHA_OVER"):
        what = "animation" if moves else "modifiers" if len(plate.modifiers) else "blending"
        yield f"{plate.name} has {what} that its patch does not share. Make a meta strip of both, and put it there"


def _curves(animation: Any) -> Iterator[Any]:
    """The curves of an action, which keeps them by slots since 4.4."""
    for layer in animation.action.layers:
        for part in layer.strips:
            bag = part.channelbag(animation.action_slot) if animation.action_slot else None
            yield from bag.fcurves if bag else ()
