# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe the strips of a scene as the document `faceplate.cut/1`; `look` holds strip properties other than timing and placement."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import bpy

from .. import media
from ..media import MediaError
from ..sequencer import strips

SCHEMA = "faceplate.cut/1"
_FOOTAGE = ("MOVIE", "IMAGE", "MOVIECLIP")
# Blender rounds frames of slowed footage in its own ways; one of these shifts of the start, in frames, gives others the same frames.
_SHIFTS = (0.0, 0.001, -0.499, 0.499)

_PLAIN = frozenset({"BOOLEAN", "INT", "FLOAT", "STRING", "ENUM"})
_PARTS = ("transform", "crop", "colorspace_settings")
# Elsewhere in the document, or of no use to another scene.
_NOT = {"animation_offset_start", "animation_offset_end", "channel", "directory", "filepath", "lock", "mute", "name"}
_NOT |= {"select", "select_left_handle", "select_right_handle", "show_retiming_keys", "type", "use_proxy"}
_NOT |= {"use_reverse_frames"}
_LATE = ("lock",)  # set last


def gather(scene: Any) -> dict[str, Any]:
    """Describe the strips of a scene, its markers and its range, for JSON."""
    render = scene.render
    editor = scene.sequence_editor
    return {
        "schema": SCHEMA,
        "name": scene.name,
        "rate": str(media.scene_rate(scene)),
        "first": scene.frame_start,
        "last": scene.frame_end,
        "strips": [_strip(strip, scene) for strip in (editor.strips if editor else ())],
        "markers": [{"name": marker.name, "frame": marker.frame} for marker in scene.timeline_markers],
        "host": {"resolution": [render.resolution_x, render.resolution_y], "blender": list(bpy.app.version)},
    }


def _strip(strip: Any, scene: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kind": strip.type,
        "name": strip.name,
        "channel": strip.channel,
        "left": int(strip.frame_final_start),
        "right": int(strip.frame_final_end),
        "muted": strip.mute,
    }
    host: dict[str, Any] = {"look": look(strip), "unsaid": list(_unsaid(strip, scene))}
    inputs = (getattr(strip, f"input_{n}", None) for n in (1, 2))
    if names := [each.name for each in inputs if each is not None]:
        host["inputs"] = names
    if strip.type == "META":
        document["strips"] = [_strip(each, scene) for each in strip.strips]
    elif strip.type in ("SCENE", "MASK"):
        data = strip.scene if strip.type == "SCENE" else strip.mask
        host["data"] = data.name if data else ""
    elif strip.type in (*_FOOTAGE, "SOUND"):
        try:
            document |= _sound(strip, scene) if strip.type == "SOUND" else _footage(strip, scene, host["unsaid"])
        except MediaError as e:
            host["unsaid"].append(e.message)
        else:
            host["place"] = _place(strip) | {"source": document["source"], "step": document["step"]}
    return document | {"host": host}


def _place(strip: Any) -> dict[str, Any]:
    """Describe the values that rebuild the strip to the frame, counted from its left end."""
    left = strip.frame_final_start
    return {
        "begin": strip.frame_start - left,
        "length": strip.frame_final_end - left,
        "reversed": getattr(strip, "use_reverse_frames", False),
        "offsets": [getattr(strip, "animation_offset_start", 0), getattr(strip, "animation_offset_end", 0)],
        "keys": len(getattr(strip, "retiming_keys", ())),
    }


def _footage(strip: Any, scene: Any, unsaid: list[str]) -> dict[str, Any]:
    plate = media.of_strip(strip, scene)
    left, right = int(strip.frame_final_start), int(strip.frame_final_end)
    if strip.type == "MOVIECLIP":
        numbers = [plate.number(frame) for frame in range(left, right)]
        source, step = float(numbers[0] - plate.first), 1.0
    else:
        numbers = list(strips.numbers(strip, scene, plate, range(left, right)))
        source, step = _pace(strip, scene, plate)
    wrong, shift = min(((_wrong(numbers, plate, source + s, step), s) for s in _SHIFTS), key=lambda each: each[0])
    if wrong:
        unsaid.append(f"{wrong} of {right - left} frames, which other programs show one earlier or later")
    footage = {"path": plate.path, "rate": str(plate.rate), "frames": plate.count, "first": plate.first}
    return {"footage": footage, "source": source + shift, "step": step}


def _pace(strip: Any, scene: Any, plate: media.Plate) -> tuple[float, float]:
    """Return the frame of the footage, counted from 0, at the strip's left end, and the step from frame to frame of the scene."""
    if strip.type == "IMAGE" and len(strip.elements) == 1:
        return 0.0, 0.0
    first, count = strip.animation_offset_start, plate.count
    if strip.type == "IMAGE":
        first += media.number_of(strip.elements[0].filename) - plate.first
        count = len(strip.elements)
    count -= strip.animation_offset_start + strip.animation_offset_end
    step = strips.speed(strip, scene, count)
    if strip.use_reverse_frames:
        elapsed = strip.frame_start + strips.length(strip) - 1 - strip.frame_final_start
        return first + elapsed * step, -step
    return first + (strip.frame_final_start - strip.frame_start) * step, step


def _wrong(numbers: list[int], plate: media.Plate, source: float, step: float) -> int:
    """Count the frames that others would show differently: they take the nearest, of two the earlier, within the footage."""
    shown = (math.ceil(source + k * step - 0.5 - 1e-9) for k in range(len(numbers)))
    return sum(min(max(n, 0), plate.count - 1) + plate.first != m for n, m in zip(shown, numbers, strict=True))


def _sound(strip: Any, scene: Any) -> dict[str, Any]:
    file = strip.sound.filepath if strip.sound else ""
    if not file or strip.sound.packed_file is not None:
        raise MediaError("sound without a file", "Unpack it")
    source = strip.frame_final_start - strip.frame_start + strip.animation_offset_start
    path = media.absolute(file, strip.sound.library)
    frames = max(1, strip.frame_duration + strip.animation_offset_start + strip.animation_offset_end)
    footage = {"path": path, "rate": str(media.scene_rate(scene)), "frames": frames}
    return {"footage": footage, "source": float(source), "step": 1.0}


def _unsaid(strip: Any, scene: Any) -> Iterator[str]:
    """List properties that neither the edit nor our block holds."""
    if len(strip.modifiers):
        yield f"{len(strip.modifiers)} modifiers"
    if len(getattr(strip, "retiming_keys", ())) > 2:
        yield "several speeds"
    if getattr(strip, "strobe", 1) > 1:
        yield "strobe"
    if strips.animated(scene, strip):
        yield "animation"


def look(strip: Any) -> dict[str, Any]:
    """Describe how a strip looks and sounds."""
    values = _values(strip)
    for part in _PARTS:
        if (of := getattr(strip, part, None)) is not None:
            values[part] = _values(of)
    return values | {name: getattr(strip, name) for name in _LATE}


def set_look(strip: Any, values: dict[str, Any]) -> None:
    """Make a strip look and sound so; properties unknown to this version of Blender are skipped."""
    for name, value in values.items():
        if name in _PARTS and isinstance(value, dict):
            of = getattr(strip, name, None)
            for inner, inner_value in value.items() if of is not None else ():
                _set(of, inner, inner_value)
        elif name not in _LATE:
            _set(strip, name, value)
    for name in _LATE:
        _set(strip, name, values.get(name, False))


def _values(of: Any) -> dict[str, Any]:
    values = {}
    for prop in of.bl_rna.properties:
        name = prop.identifier
        if prop.is_readonly or prop.type not in _PLAIN or name in _NOT or name.startswith("frame_"):
            continue
        value = getattr(of, name)
        if getattr(prop, "is_array", False):
            values[name] = list(value)
        elif isinstance(value, set):
            values[name] = sorted(value)
        else:
            values[name] = value
    return values


def _set(of: Any, name: str, value: Any) -> None:
    prop = of.bl_rna.properties.get(name)
    if prop is None or prop.is_readonly:
        return
    with suppress(TypeError, ValueError, AttributeError):  # this version or machine has no such item of a list
        setattr(of, name, set(value) if prop.type == "ENUM" and prop.is_enum_flag else value)
