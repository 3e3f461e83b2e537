# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a strip with rendered pictures above the strip that they belong to, with the same trim, offset and speed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from ..media import MediaError
from . import modifier, strips
from .target import Target, look_up, rendered

_TOP = 128  # channels
_COPIED = ("use_flip_x", "use_flip_y", "color_multiply", "color_saturation", "mute")
_PLACE = ("scale_x", "scale_y", "offset_x", "offset_y", "rotation", "origin", "filter")
_CROP = ("min_x", "max_x", "min_y", "max_y")


def land(target: Target, pattern: str, first: int, last: int) -> tuple[Any, list[str]]:
    """Put the pictures `pattern`, numbered first..last, above the strip; returns their strip, and what should be said of it.

    An earlier patch of the same strip gives way. Raises MediaError where there is nothing to put them above.
    """
    scene, plate, shown = look_up(target, Path(pattern).parent)
    run = rendered(target, shown, first, last, Path(pattern).parent)
    start, end = shown.start + run.start, shown.start + run.stop
    around = clear(scene, plate, shown)
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


def clear(scene: Any, plate: Any, shown: strips.Shown) -> Any:
    """Remove earlier patches of what this strip shows, above it or in it; returns the collection that it lies in."""
    around = strips.siblings(scene, plate)
    for strip in list(around):
        within = shown.left <= strip.frame_final_start and strip.frame_final_end <= shown.right
        if within and strip.channel > plate.channel and strip.get(strips.OF) == shown.path:
            around.remove(strip)
    modifier.remove(scene, plate)
    return around


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
    moves = strips.animated(scene, plate)
    if moves or len(plate.modifiers) or plate.blend_alpha < 1 or plate.blend_type not in ("REPLACE", "ALPHA_OVER"):
        what = "animation" if moves else "modifiers" if len(plate.modifiers) else "blending"
        yield f"{plate.name} has {what} that its patch does not share. Make a meta strip of both, and put it there"
