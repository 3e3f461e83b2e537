# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage that parts of Blender show, and its frames at frames of the scene.

The engine counts the frames of a movie from 0 and those of a sequence by the numbers of its files; so does a `Plate`.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

_NUMBERED = re.compile(r"(.*?)(\d+)(\.[^.]+)$")
_THROUGH = frozenset({"NodeReroute"})


class MediaError(Exception):
    """Reason why something in Blender is not footage for the engine: a message and a remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        self.message, self.remedy = message, remedy
        super().__init__(f"{message}. {remedy}")  # without a full stop: it may end with a command


@dataclass(frozen=True, slots=True)
class Plate:
    """Footage as the scene shows it.

    path: absolute, a movie, a picture, or the pattern of a sequence (name.%04d.png). first: its own number of its first frame; count: of
    its frames. rate: frames a second. at: the frame of the scene that shows `first`, where nothing is cut off before it. shown: the first and
    the last of its own numbers that the scene can show, None for all.
    """

    path: str
    first: int
    count: int
    rate: Fraction
    at: int
    sequence: bool
    shown: tuple[int, int] | None = None

    @property
    def last(self) -> int:
        """Its own number of its last frame."""
        return self.first + self.count - 1

    def number(self, scene_frame: int) -> int:
        """Return the plate's own number that a frame of the scene shows; before and after it, its first and last."""
        first, last = self.shown or (self.first, self.last)
        return min(max(scene_frame - self.at + self.first, first), last)

    def scene_frame(self, number: int) -> int:
        """Return the frame of the scene that shows one of its own numbers."""
        return number - self.first + self.at

    def range(self, first: int, last: int) -> str:
        """Return the frames that a part of the scene shows, as `A-B` for a job's request."""
        return f"{self.number(first)}-{self.number(last)}"

    def scene_range(self, first: int, last: int) -> str:
        """Return the frames of the scene, of those from first to last, that show it, in words."""
        first, last = (self.scene_frame(self.number(frame)) for frame in (first, last))
        return f"Frame {first}" if first == last else f"Frames {first}-{last}"

    def request(self, name: str = "plate") -> dict[str, Any]:
        """Return the part of a job's request that names the footage; only a sequence needs a rate."""
        return {name: self.path} | ({"rate": str(self.rate)} if self.sequence else {})


def scene_rate(scene: Any) -> Fraction:
    """Return the rate of a scene, exact for 23.976 and similar rates."""
    return Fraction(scene.render.fps) / Fraction(scene.render.fps_base).limit_denominator(1001)


def absolute(path: str, library: Any = None) -> str:
    """Convert a path of Blender's (`//` is the folder of the .blend) to an absolute one."""
    return os.path.normpath(
        Path(bpy.path.abspath(path, library=library)).absolute()
    )  # which keeps links, unlike resolve


def stored(path: Path | str) -> str:
    """Return a path as Blender would store it: relative to a saved .blend, so that both can move together, unless preferences say otherwise."""
    if not bpy.data.filepath or not bpy.context.preferences.filepaths.use_relative_paths:
        return str(path)
    with suppress(ValueError):  # another drive
        return str(bpy.path.relpath(str(path)))
    return str(path)


def results_folder(path: str) -> Path:
    """Return the folder for results that a property names. Raises MediaError if it is relative to an unsaved .blend."""
    if path.startswith("//") and not bpy.data.filepath:
        raise MediaError("the folder for results is beside a .blend that is not saved", "Save it, or choose a folder")
    return Path(absolute(path))


def pattern_of(file: str) -> str:
    """Return the pattern of a sequence from the name of one of its files, without looking at others. Raises MediaError."""
    head, digits, tail = _parts(file)
    return str(Path(file).with_name(f"{head}%0{len(digits)}d{tail}"))


def number_of(file: str) -> int:
    """Return the frame number in a file's name. Raises MediaError."""
    return int(_parts(file)[1])


def sequence_of(file: str) -> tuple[str, int, int]:
    """Find the sequence of a file, which must be without gaps: pattern, first number, count. Raises MediaError."""
    path = Path(file)
    head, digits, tail = _parts(file)
    ours = re.compile(re.escape(head) + r"(\d+)" + re.escape(tail) + "$")
    numbers = {
        int(m[1])
        for each in (path.parent.iterdir() if path.parent.is_dir() else ())
        if (m := ours.match(each.name)) and (len(m[1]) == len(digits) or (len(m[1]) > len(digits) and m[1][0] != "0"))
    }
    if not numbers:
        raise MediaError(f"{path} is not there", "Find the files of the plate again")
    first = min(numbers)
    if len(numbers) != max(numbers) - first + 1:
        missing = next(n for n in range(first, max(numbers)) if n not in numbers)
        raise MediaError(f"frame {missing} of {path.name} is missing", "Render it again, or move the others away")
    return pattern_of(file), first, len(numbers)


def of_image(image: Any, user: Any, scene: Any) -> Plate:
    """Return the plate of an image; user: an image node, or an ImageUser, with start and offset. Raises MediaError."""
    if image is None:
        raise MediaError("there is no image in the plate's node", "Open the plate in it")
    if image.source not in ("SEQUENCE", "MOVIE", "FILE") or image.packed_file is not None:
        raise MediaError(f"{image.name} is no file on disk", "Give a movie or an image sequence as plate")
    file = absolute(image.filepath_raw or image.filepath, image.library)
    if image.source == "FILE":
        _check_exists(file)
        return Plate(file, 0, 1, scene_rate(scene), scene.frame_start, True)
    # Blender's first frame of an image user is 1 + offset, which names a file of a sequence, and counts a movie's frames from 1.
    shown_first = 1 + user.frame_offset
    if image.source == "SEQUENCE":
        pattern, first, count = sequence_of(file)
        last = min(shown_first + user.frame_duration, first + count) - 1
        shown = max(shown_first, first), max(last, first)
        at = user.frame_start + first - shown_first
        return Plate(pattern, first, count, scene_rate(scene), at, True, shown)
    _check_exists(file)
    count = max(image.frame_duration, 1)
    shown = max(user.frame_offset, 0), min(user.frame_offset + user.frame_duration, count) - 1
    return Plate(file, 0, count, scene_rate(scene), user.frame_start - user.frame_offset, False, shown)


def of_clip(clip: Any, scene: Any) -> Plate:
    """Return the plate of a movie clip. Raises MediaError."""
    if clip is None:
        raise MediaError("there is no clip in the plate's node", "Open the plate in it")
    file = absolute(clip.filepath, clip.library)
    if clip.source == "MOVIE":
        _check_exists(file)
        rate = Fraction(clip.fps).limit_denominator(1001)
        return Plate(file, 0, clip.frame_duration, rate, clip.frame_start - clip.frame_offset, False)
    pattern, first, count = sequence_of(file)
    shown_first = number_of(file) + clip.frame_offset
    return Plate(pattern, first, count, scene_rate(scene), clip.frame_start + first - shown_first, True)


def of_strip(strip: Any, scene: Any) -> Plate:
    """Return the footage of a movie, image or clip strip of the sequencer, placed as at its own speed. Raises MediaError."""
    if strip.type == "MOVIECLIP":
        return of_clip(strip.clip, scene)
    start = round(strip.frame_start) - strip.animation_offset_start
    if strip.type == "MOVIE":
        file = absolute(strip.filepath)
        _check_exists(file)
        rate = Fraction(strip.fps).limit_denominator(1001) if strip.fps else scene_rate(scene)
        return Plate(file, 0, _movie_frames(strip, scene, file), rate, start, False)
    if strip.type == "IMAGE":
        names = [element.filename for element in strip.elements]
        file = str(Path(absolute(strip.directory)) / names[0])
        if len(names) == 1:
            _check_exists(file)
            return Plate(file, 0, 1, scene_rate(scene), start, True)
        pattern, first, count = sequence_of(file)
        return Plate(pattern, first, count, scene_rate(scene), start + first - number_of(file), True)
    raise MediaError(f"the strip {strip.name} has no footage of its own", "Select a movie or image strip")


def of_socket(socket: Any, scene: Any) -> Plate:
    """Return the plate that is linked to an input of a node, through reroutes and muted nodes. Raises MediaError."""
    node = source_node(socket)
    if node is None:
        raise MediaError("nothing is linked to Image", "Link the node of the plate to it")
    if node.bl_idname == "CompositorNodeImage":
        return of_image(node.image, node, scene)
    if node.bl_idname == "CompositorNodeMovieClip":
        return of_clip(node.clip, scene)
    raise MediaError(f"{node.name} is no plate", "Link an Image or Movie Clip node to Image, without others in between")


def path_of_socket(socket: Any) -> str:
    """Return the path of the footage that is linked to an input, without looking at files. Raises MediaError."""
    node = source_node(socket)
    source = getattr(node, "image", None) or getattr(node, "clip", None)
    if source is None:
        raise MediaError("nothing is linked to Image", "Link the node of the plate to it")
    file = absolute(getattr(source, "filepath_raw", "") or source.filepath, source.library)
    return pattern_of(file) if source.source == "SEQUENCE" else file


def path_of_strip(strip: Any) -> str:
    """Return the path of the footage of a movie or image strip, likewise. Raises MediaError."""
    if strip.type == "MOVIE":
        return absolute(strip.filepath)
    file = str(Path(absolute(strip.directory)) / strip.elements[0].filename)
    return file if len(strip.elements) == 1 else pattern_of(file)


def frames_notice(socket: Any, scene: Any) -> tuple[str, str]:
    """Return what is odd about the number of frames of the linked plate, and the label of `use_all_frames`; both empty if nothing is.

    Files are looked at only for an Image node that shows one frame. Raises MediaError.
    """
    node = source_node(socket)
    image, clip = getattr(node, "image", None), getattr(node, "clip", None)
    if image is not None and image.source in ("MOVIE", "SEQUENCE"):
        count = _frames_of(image) if node.frame_duration == 1 else 0
        if count > 1:
            return f"{image.name} shows 1 of its {count} frames", f"Show All {count} Frames"
        first, last = node.frame_start, node.frame_start + node.frame_duration - 1
    elif clip is not None:
        first, last = clip.frame_start, clip.frame_start + clip.frame_duration - 1
    else:
        return "", ""
    if scene.frame_start < first or scene.frame_end > last:
        return (
            f"The scene has frames {scene.frame_start}-{scene.frame_end}, the plate {first}-{last}",
            f"Set Scene Range to {first}-{last}",
        )
    return "", ""


def use_all_frames(socket: Any, scene: Any) -> None:
    """Let an Image node show all frames of its movie or sequence, and set the scene's range to the plate's. Raises MediaError."""
    node = source_node(socket)
    image = getattr(node, "image", None)
    if image is not None and node.frame_duration == 1:
        node.frame_duration, node.use_auto_refresh = _frames_of(image), True
        if image.source == "SEQUENCE":
            node.frame_offset = sequence_of(absolute(image.filepath_raw, image.library))[1] - 1
    plate = of_socket(socket, scene)
    first, last = plate.shown or (plate.first, plate.last)
    scene.frame_start, scene.frame_end = plate.scene_frame(first), plate.scene_frame(last)


def _frames_of(image: Any) -> int:
    """Count the frames of a movie or sequence. Raises MediaError."""
    if image.source == "MOVIE":
        return max(int(image.frame_duration), 1)
    return sequence_of(absolute(image.filepath_raw, image.library))[2]


def source_node(socket: Any) -> Any:
    """Return the node that feeds an input, through reroutes, or None."""
    steps = 0
    while socket.is_linked and steps < 100:
        node = socket.links[0].from_node
        if node.bl_idname not in _THROUGH:
            return node
        socket, steps = node.inputs[0], steps + 1
    return None


def _movie_frames(strip: Any, scene: Any, file: str) -> int:
    """Count the frames of a movie: its strip has that number only at its own speed, else the file is opened."""
    rate = scene.render.fps / scene.render.fps_base
    if not len(strip.retiming_keys) and abs(strip.fps - rate) < 1e-6:
        return int(strip.frame_duration + strip.animation_offset_start + strip.animation_offset_end)
    clip = bpy.data.movieclips.load(file)
    try:
        return int(clip.frame_duration)
    finally:
        bpy.data.movieclips.remove(clip)


def _parts(file: str) -> tuple[str, str, str]:
    """Split a file name before and after its frame number. Raises MediaError."""
    match = _NUMBERED.match(Path(file).name)
    if match is None:
        raise MediaError(f"{Path(file).name} has no frame number", "Name the files of a sequence as name.0001.png")
    return match[1], match[2], match[3]


def _check_exists(file: str) -> None:
    if not Path(file).is_file():
        raise MediaError(f"{file} is not there", "Find the plate again")
