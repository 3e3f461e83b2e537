# SPDX-License-Identifier: GPL-3.0-or-later
"""Strips of the sequencer: their footage's frames at frames of the scene, and how to find a strip again.

Cuts, offsets, reversed and strobed strips, another frame rate and one retimed speed are all the same here: a number for each frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from .. import media
from ..media import MediaError

KINDS = ("MOVIE", "IMAGE")
OF = "faceplate_footage"  # on a patch's strip: which footage it belongs to
_META = "Remove {0}, replace the face, make a meta strip of both strips, and put {0} on that"


@dataclass(frozen=True, slots=True)
class StripFrames:
    """Frames of a strip. start: a frame of the scene; numbers: the footage's own from there on, frame by frame, handles included.

    left, right: the visible frames of the scene, right excluded. plate: the footage as a request names it.
    """

    plate: dict[str, Any]
    start: int
    numbers: tuple[int, ...]
    left: int
    right: int

    @property
    def path(self) -> str:
        """The footage."""
        return str(self.plate["plate"])

    @property
    def range(self) -> tuple[int, int]:
        """The least and the largest number."""
        return min(self.numbers), max(self.numbers)


def scene_of(context: Any) -> Any:
    """Return the scene whose strips are edited: since 5.0 the sequencer may show another than the window."""
    return getattr(context, "sequencer_scene", None) or context.scene


def shown_strips(scene: Any) -> list[Any]:
    """List the strips on view: those of the open meta strip, else of the scene."""
    editor = scene.sequence_editor
    if editor is None:
        return []
    return list(editor.meta_stack[-1].strips if len(editor.meta_stack) else editor.strips)


def selected(scene: Any) -> list[Any]:
    """List the selected strips with pictures, in the order of time, without sound and patches."""
    chosen = [s for s in shown_strips(scene) if s.select and s.type != "SOUND" and OF not in s]
    return sorted(chosen, key=lambda s: (s.frame_final_start, s.channel))


def siblings(scene: Any, strip: Any) -> Any:
    """Return the collection that a strip lies in, to put more into."""
    meta = strip.parent_meta()
    return meta.strips if meta else scene.sequence_editor.strips


@contextmanager
def on_view(scene: Any) -> Iterator[None]:
    """Show a scene and its strips in the first window within the block, for operators.

    Blender crashes if a script changes the modifiers of a strip while the workspace shows no scene's strips.
    """
    window = bpy.context.window_manager.windows[0]
    holders = [(window, "scene"), (window.workspace, "sequencer_scene")]
    before = [(of, name, getattr(of, name)) for of, name in holders if hasattr(of, name)]
    for of, name, _ in before:
        setattr(of, name, scene)
    try:
        with bpy.context.temp_override(window=window, scene=scene):
            yield
    finally:
        for of, name, value in before:
            setattr(of, name, value)


def read(strip: Any, scene: Any, handles: int = 0) -> StripFrames:
    """Read the frames of a movie or image strip; handles: more frames of the scene on either side, if the footage has them. Raises MediaError."""
    _check(strip, scene)
    plate = media.of_strip(strip, scene)
    left, right = int(strip.frame_final_start), int(strip.frame_final_end)
    begin, whole = round(strip.frame_start), length(strip)
    start = min(left, max(begin, left - handles))
    end = max(right, min(begin + whole, right + handles))
    order = (*range(left, end), *range(start, left))
    by_frame = dict(zip(order, numbers(strip, scene, plate, order), strict=True))
    shown = tuple(by_frame[frame] for frame in range(start, end))
    if min(shown) < plate.first or max(shown) > plate.last:
        raise MediaError(
            f"{strip.name} shows the frames {min(shown)} to {max(shown)}, its files are {plate.first} to {plate.last}",
            "Find the missing files, or trim the strip",
        )
    return StripFrames(plate.request(), start, shown, left, right)


def numbers(strip: Any, scene: Any, plate: media.Plate, frames: Iterable[int]) -> Iterator[int]:
    """Yield the footage's own numbers that a movie or image strip shows at frames of the scene. Raises MediaError."""
    number = _movie_number if strip.type == "MOVIE" else _image_number
    seen: dict[int, int] = {}
    for frame in frames:
        yield number(strip, scene, plate, frame, seen)


def length(strip: Any) -> int:
    """Return the number of frames of the scene that the whole footage takes."""
    frames: int = round(strip.frame_final_duration + strip.frame_offset_start + strip.frame_offset_end)
    return frames


def speed(strip: Any, scene: Any, count: int) -> float:
    """Return the frames of the footage to a frame of the scene. count: of those that the strip may show."""
    if len(strip.retiming_keys) == 2:
        # Counted by the strip's length: where other strips come before it, Blender tells wrong frames of its keys. The last key is at the
        # last frame; since 5.0 it is at the end.
        last = 0 if bpy.app.version >= (5, 0) else 1
        return float((count - last) / max(length(strip) - last, 1))
    # A movie may keep its own rate, which shows only in its length.
    factor = strip.fps * scene.render.fps_base / scene.render.fps if getattr(strip, "fps", 0) else 1.0
    return factor if int(count / factor) == length(strip) else 1.0


def animated(scene: Any, strip: Any) -> bool:
    """Return True if a strip has keyframes."""
    mine = f'strips_all["{bpy.utils.escape_identifier(strip.name)}"].'
    animation = scene.animation_data
    return bool(animation and animation.action and any(mine in curve.data_path for curve in _curves(animation)))


def _curves(animation: Any) -> Iterator[Any]:
    """Yield the curves of an action, which has them in slots since 4.4."""
    for layer in animation.action.layers:
        for part in layer.strips:
            bag = part.channelbag(animation.action_slot) if animation.action_slot else None
            yield from bag.fcurves if bag else ()


def _check(strip: Any, scene: Any) -> None:
    if strip.type not in KINDS:
        raise MediaError(f"{strip.name} is no movie and no image strip", "Select the strip of the footage itself")
    inputs = ("input_1", "input_2")
    users = (s for s in scene.sequence_editor.strips_all if any(getattr(s, name, None) == strip for name in inputs))
    if effect := next(users, None):
        raise MediaError(f"{strip.name} goes through the effect {effect.name}", _META.format("the effect"))
    if len(strip.retiming_keys) > 2 and strip.type == "MOVIE":
        raise MediaError(
            f"{strip.name} is retimed to several speeds, which Blender does not tell", _META.format("the retiming")
        )
    if getattr(strip, "stream_index", 0):
        raise MediaError(f"{strip.name} shows another than the file's first video", "Export it as a file of its own")


def _image_number(strip: Any, scene: Any, plate: media.Plate, frame: int, seen: dict[int, int]) -> int:
    if len(strip.elements) == 1:
        return plate.first
    name = strip.strip_elem_from_frame(frame).filename
    with suppress(MediaError):  # it has no number
        if media.pattern_of(name) == Path(plate.path).name:
            return media.number_of(name)
    raise MediaError(f"{strip.name} holds files of several sequences", "Make a strip of each of them")


def _movie_number(strip: Any, scene: Any, plate: media.Plate, frame: int, seen: dict[int, int]) -> int:
    """Return the number at a frame; seen: those of each whole index so far. Since 5.0 the sequencer repeats a number for its whole index."""
    index = _movie_index(strip, scene, plate, frame)
    nearest = int(math.floor(index + 0.5) + strip.animation_offset_start)
    return seen.setdefault(int(index), nearest) if bpy.app.version >= (5, 0) else nearest


def _movie_index(strip: Any, scene: Any, plate: media.Plate, frame: int) -> float:
    """Return the index in a movie, as the sequencer counts it."""
    begin = strip.frame_start
    count = plate.count - strip.animation_offset_start - strip.animation_offset_end
    elapsed = max(begin + length(strip) - 1 - frame if strip.use_reverse_frames else frame - begin, 0.0)
    index = min(max(elapsed * speed(strip, scene, count), 0.0), count - 1.0)
    strobe = float(strip.strobe)
    return float(index - math.fmod(index, strobe) if strobe > 1 else index)


@dataclass(frozen=True, slots=True)
class Target:
    """A strip that pictures are rendered for, by names: by then it may be moved, trimmed or deleted, the scene renamed, another file open.

    uid and file tell its scene from one of the same name in another file.
    """

    file: str
    uid: int
    scene: str
    strip: str
    path: str
    handles: int


def target_of(scene: Any, strip: Any, shown: StripFrames, handles: int) -> Target:
    """Identify a strip."""
    return Target(bpy.data.filepath, scene.session_uid, scene.name, strip.name, shown.path, handles)


def find(target: Target) -> tuple[Any, Any]:
    """Find the scene and the strip, None for a missing one."""
    scene = next((s for s in bpy.data.scenes if s.session_uid == target.uid), None)
    if scene is None and target.file and target.file == bpy.data.filepath:  # the same file, opened again
        scene = bpy.data.scenes.get(target.scene)
    if scene is None or scene.sequence_editor is None:
        return scene, None
    matches = (s for s in scene.sequence_editor.strips_all if s.name == target.strip and s.type in KINDS)
    return scene, next(matches, None)


def look_up(target: Target, folder: Path) -> tuple[Any, Any, StripFrames]:
    """Return the scene, the strip, and its frames now. folder: of the pictures. Raises MediaError if the strip has changed its footage."""
    where = f"The rendered pictures are in {folder}"
    scene, plate = find(target)
    if scene is None:
        raise MediaError(f"the file with the strip {target.strip} is closed", where)
    if plate is None:
        raise MediaError(f"the strip {target.strip} is gone", where)
    shown = read(plate, scene, target.handles)
    if shown.path != target.path:
        raise MediaError(f"the strip {target.strip} shows other footage now", where)
    return scene, plate, shown


def rendered(target: Target, shown: StripFrames, first: int, last: int, folder: Path) -> range:
    """Return the part of the strip's frames that has pictures, numbered first..last. Raises MediaError if it is empty."""
    present = [first <= number <= last for number in shown.numbers]
    if not any(present):
        raise MediaError(
            f"the strip {target.strip} shows other frames now",
            f"The rendered pictures are in {folder}; replace the face again",
        )
    begin = present.index(True)
    end = next((i for i in range(begin, len(present)) if not present[i]), len(present))
    return range(begin, end)
