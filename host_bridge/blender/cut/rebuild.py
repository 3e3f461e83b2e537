# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a scene with the strips of a document `faceplate.cut/1`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from ..media import stored
from ..sequencer.strips import on_view
from .gather import set_look

_ASIDE = 128  # the channel on which a strip is made, so that it pushes none away before it is trimmed
_BLENDS = "CROSS", "GAMMA_CROSS", "WIPE", "ADD", "SUBTRACT", "ALPHA_OVER", "ALPHA_UNDER", "MULTIPLY", "COLORMIX"
_INPUTS = {**dict.fromkeys(_BLENDS, 2), "SPEED": 1, "GLOW": 1, "TRANSFORM": 1, "GAUSSIAN_BLUR": 1}


def rebuild(cut: dict[str, Any]) -> tuple[Any, list[str]]:
    """Return a new scene with the strips of a cut, and the problems on the way."""
    scene = bpy.data.scenes.new(cut["name"] or "Cut")
    rate = Fraction(cut["rate"])
    scene.render.fps = -(-rate.numerator // rate.denominator)
    scene.render.fps_base = float(scene.render.fps / rate)
    scene.frame_end, scene.frame_start = max(cut["last"], 0), max(cut["first"], 0)
    scene.view_settings.view_transform = "Standard"
    for marker in cut["markers"]:
        scene.timeline_markers.new(marker["name"], frame=marker["frame"])
    maker = _Maker(scene)
    maker.fill(scene.sequence_editor_create().strips, cut["strips"])
    if size := cut["host"].get("resolution") or _size(scene):
        scene.render.resolution_x, scene.render.resolution_y = size
    return scene, maker.problems


def _size(scene: Any) -> tuple[int, int] | None:
    """Return the size of the first footage that has one: an edit has none."""
    for strip in scene.sequence_editor.strips_all:
        for element in getattr(strip, "elements", ())[:1]:
            if element.orig_width > 0:
                return element.orig_width, element.orig_height
    return None


class _Maker:
    """Maker of strips. problems: sentences on strips that could not be made."""

    def __init__(self, scene: Any) -> None:
        self.problems: list[str] = []
        self._scene = scene

    def fill(self, into: Any, documents: Iterable[dict[str, Any]]) -> None:
        """Make strips in a collection, effects after their inputs."""
        strips: dict[str, Any] = {}
        waiting = list(documents)
        while waiting:
            ready = [each for each in waiting if all(name in strips for name in each["host"].get("inputs", ()))]
            for each in ready:
                strip = self._make(into, each, strips)
                if strip is not None:
                    strips[each["name"]] = strip
            waiting = [each for each in waiting if each not in ready]
            if not ready:
                self.problems += [f"{each['name']}: what it takes could not be made" for each in waiting]
                return

    def _make(self, into: Any, wanted: dict[str, Any], strips: dict[str, Any]) -> Any:
        make: Callable[..., Any] = _MAKERS.get(wanted["kind"], _effect)
        try:
            strip = make(into, wanted, strips)
        except (_Missing, RuntimeError, TypeError) as e:
            self.problems.append(f"{wanted['name']}: {str(e).strip() or 'Blender does not make it'}")
            return None
        if wanted["kind"] == "META":
            self.fill(strip.strips, wanted["strips"])
        if wanted["footage"] is not None:
            self._time(strip, wanted)
        if not wanted["host"].get("inputs"):
            _trim(strip, wanted["left"], wanted["right"])
        set_look(
            strip, wanted["host"].get("look") or {"blend_type": wanted["host"].get("blend_type", strip.blend_type)}
        )
        strip.mute = wanted["muted"]
        strip.channel = wanted["channel"]
        if (strip.frame_final_start, strip.frame_final_end) != (wanted["left"], wanted["right"]):
            self.problems.append(
                f"{strip.name} is at {strip.frame_final_start} to {strip.frame_final_end}, not {wanted['left']} to {wanted['right']}"
            )
        return strip

    def _time(self, strip: Any, wanted: dict[str, Any]) -> None:
        """Give a strip its place and speed: as it was, if timing is unchanged, else as near as Blender can."""
        place = wanted["host"].get("place") or {}
        left, step, source = wanted["left"], wanted["step"], wanted["source"]
        earlier = (place.get(name, math.inf) for name in ("source", "step", "length"))
        if all(map(_near, earlier, (source, step, wanted["right"] - left))):
            if hasattr(strip, "animation_offset_start"):
                strip.animation_offset_start, strip.animation_offset_end = place["offsets"]
            if place["reversed"]:
                strip.use_reverse_frames = True
            if place["keys"] == 2:
                self._retime(strip, abs(step))
            elif place["keys"]:
                self.problems.append(f"{strip.name} had several speeds; it has one")
            strip.frame_start = left + place["begin"]
            return
        if step == 0:
            _still(strip, round(source))
            return
        if abs(abs(step) - 1) > 1e-9:
            self._retime(strip, abs(step))
        if step < 0:
            strip.use_reverse_frames = True
            whole = strip.frame_final_duration
            strip.frame_start = round(left + 1 - whole + source / -step)
        else:
            strip.frame_start = round(left - source / step)

    def _retime(self, strip: Any, step: float) -> None:
        """Give a strip one speed, by the operator: Blender writes wrong frames of keys if other strips come before it."""
        for each in self._scene.sequence_editor.strips_all:
            each.select = each == strip
        self._scene.sequence_editor.active_strip = strip
        with on_view(self._scene):
            bpy.ops.sequencer.retiming_segment_speed_set(speed=100 * step)


def _near(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-6)


class _Missing(Exception):
    """A file or data that a strip needs and that is missing."""


def _movie(into: Any, wanted: dict[str, Any], _: Any) -> Any:
    return into.new_movie(wanted["name"], _files(wanted)[0], _ASIDE, wanted["left"], fit_method="ORIGINAL")


def _image(into: Any, wanted: dict[str, Any], _: Any) -> Any:
    files = _files(wanted)
    strip = into.new_image(wanted["name"], files[0], _ASIDE, wanted["left"], fit_method="ORIGINAL")
    for file in files[1:]:
        strip.elements.append(Path(file).name)
    return strip


def _files(wanted: dict[str, Any]) -> list[str]:
    """Return the file of a movie or sound, or the files of a sequence, for a still its one. Raises _Missing if the first is missing."""
    footage, path = wanted["footage"], Path(wanted["footage"]["path"])
    files = [str(path)]
    if "%" in path.name:
        first, count = footage["first"], footage["frames"] or 1
        if wanted["step"] == 0:
            first, count = first + round(wanted["source"]), 1
        files = [str(path.with_name(path.name % number)) for number in range(first, first + count)]
    if not Path(files[0]).is_file():
        raise _Missing(f"{files[0]} is not there")
    return [stored(files[0]), *files[1:]]


def _sound(into: Any, wanted: dict[str, Any], _: Any) -> Any:
    return into.new_sound(wanted["name"], _files(wanted)[0], _ASIDE, wanted["left"])


def _clip(into: Any, wanted: dict[str, Any], _: Any) -> Any:
    clip = bpy.data.movieclips.load(_files(wanted)[0], check_existing=True)
    return into.new_clip(wanted["name"], clip, _ASIDE, wanted["left"])


def _meta(into: Any, wanted: dict[str, Any], _: Any) -> Any:
    return into.new_meta(wanted["name"], _ASIDE, wanted["left"])


def _of_data(function: str, all_of: Callable[[], Any]) -> Callable[[Any, dict[str, Any], Any], Any]:
    def make(into: Any, wanted: dict[str, Any], _: Any) -> Any:
        data = all_of().get(wanted["host"].get("data", ""))
        if data is None:
            raise _Missing(f"'{wanted['host'].get('data', '')}' is not in this file")
        return getattr(into, function)(wanted["name"], data, _ASIDE, wanted["left"])

    return make


def _effect(into: Any, wanted: dict[str, Any], strips: dict[str, Any]) -> Any:
    inputs = [strips[name] for name in wanted["host"].get("inputs", ())]
    if len(inputs) < _INPUTS.get(wanted["kind"], 0):
        raise _Missing("what it takes is not there")
    named = {f"input{n}": strip for n, strip in enumerate(inputs, 1)}
    long = {"length": wanted["right"] - wanted["left"]} if bpy.app.version >= (5, 0) else {"frame_end": wanted["right"]}
    return into.new_effect(wanted["name"], wanted["kind"], _ASIDE, wanted["left"], **long, **named)


_MAKERS: dict[str, Callable[[Any, dict[str, Any], Any], Any]] = {
    "MOVIE": _movie,
    "IMAGE": _image,
    "SOUND": _sound,
    "MOVIECLIP": _clip,
    "META": _meta,
    "SCENE": _of_data("new_scene", lambda: bpy.data.scenes),
    "MASK": _of_data("new_mask", lambda: bpy.data.masks),
}


def _trim(strip: Any, left: int, right: int) -> None:
    """Set both ends; neither can pass the other."""
    ends: Iterator[tuple[str, int]] = iter([("frame_final_end", right), ("frame_final_start", left)])
    for name, frame in ends if left < right and strip.frame_final_start < right else reversed(list(ends)):
        setattr(strip, name, frame)


def _still(strip: Any, number: int) -> None:
    """Hold one frame of a movie: all others are cut off."""
    if strip.type == "MOVIE":
        with suppress(AttributeError):
            strip.animation_offset_start = number
            strip.animation_offset_end = max(0, strip.frame_duration - 1)
