"""Properties of a clip that are known without its pixels: size, exact rate, count, depth and colour tags."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

Colour = Literal["srgb", "scene_linear", "log"]

RANGE_FULL = 2
SPACE_RGB, SPACE_BT709, SPACE_UNSPECIFIED, SPACE_BT601 = 0, 1, 2, 6


@dataclass(frozen=True, slots=True)
class ColourTags:
    """The colour description of a video stream, as the code points of ITU-T H.273 (2 is unspecified, range 2 is full)."""

    space: int = SPACE_UNSPECIFIED
    range: int = 0
    primaries: int = 2
    transfer: int = 2


@dataclass(frozen=True, slots=True)
class FootageInfo:
    """One clip: `width` and `height` are upright pixels, `frames` is the number of frames that decode.

    rate: exact frames per second. first: number of the first frame (0 for movies, the file's number for sequences).
    rotation: degrees counter-clockwise by which the stored pictures are turned to stand upright. colour: how code values
    encode light; "srgb" for all video and integer images, "scene_linear" for EXR, "log" for Cineon-style DPX.
    channels: names of the channels of an image sequence, empty for movies. layer: the picture's layer. notes: losses,
    such as a cut-off overscan, each as a clause without its full stop.
    """

    path: Path
    width: int
    height: int
    rate: Fraction
    frames: int
    first: int = 0
    bit_depth: int = 8
    is_float: bool = False
    pixel_format: str = "yuv420p"
    has_alpha: bool = False
    has_audio: bool = False
    rotation: int = 0
    colour: Colour = "srgb"
    tags: ColourTags = ColourTags()
    pixel_aspect: Fraction = Fraction(1)
    channels: tuple[str, ...] = ()
    layer: str = ""
    notes: tuple[str, ...] = ()
