"""Planes of a decoded picture as numpy views: native formats, conversion of the others, and orientation."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import av
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type

from nodes.footage.info import RANGE_FULL, ColourTags

Plane = npt.NDArray[Any]
Family = Literal["yuv", "rgb", "gray"]

_YUV = re.compile(r"yuv(j|a)?(410|411|420|422|440|444)p(9|10|12|14|16)?(le)?$")
_SUBSAMPLING = {"410": (2, 2), "411": (2, 0), "420": (1, 1), "422": (1, 0), "440": (0, 1), "444": (0, 0)}
_PLANAR = re.compile(r"(gray|gbrp|gbrap)(9|10|12|14|16|f32)?(le)?$")
_PACKED = {
    "rgb24": (8, (0, 1, 2), None, 3),
    "bgr24": (8, (2, 1, 0), None, 3),
    "rgb0": (8, (0, 1, 2), None, 4),
    "bgr0": (8, (2, 1, 0), None, 4),
    "rgba": (8, (0, 1, 2), 3, 4),
    "bgra": (8, (2, 1, 0), 3, 4),
    "rgb48le": (16, (0, 1, 2), None, 3),
    "bgr48le": (16, (2, 1, 0), None, 3),
    "rgba64le": (16, (0, 1, 2), 3, 4),
    "bgra64le": (16, (2, 1, 0), 3, 4),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The memory layout of a pixel format.

    order: for yuv the planes of Y, Cb, Cr; for rgb the planes (or, when `step` > 0, the channels of the one packed plane)
    of R, G, B; for gray the one plane. alpha: plane or channel of alpha. step: channels of a packed pixel, 0 for planar.
    shift: log2 of the chroma subsampling, x and y. full_range: the name itself says full range (yuvj).
    """

    name: str
    family: Family
    bits: int
    is_float: bool
    order: tuple[int, ...]
    alpha: int | None
    step: int = 0
    shift: tuple[int, int] = (0, 0)
    full_range: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a sample in memory."""
        return np.dtype("<f4" if self.is_float else "<u2" if self.bits > 8 else "u1")

    @property
    def planes(self) -> int:
        """Number of planes in memory."""
        return 1 if self.step else len(self.order) + (self.alpha is not None)

    @property
    def white(self) -> int:
        """Largest code value; 1 for float."""
        return 1 if self.is_float else int(2**self.bits - 1)

    def plane_shift(self, plane: int) -> tuple[int, int]:
        """Log2 of the subsampling of one plane, x and y."""
        return self.shift if self.family == "yuv" and plane in (1, 2) else (0, 0)


@lru_cache(maxsize=64)
def layout(name: str) -> Layout | None:
    """Return the layout of a pixel format that is handled natively, else None."""
    if m := _YUV.match(name):
        return Layout(
            name,
            "yuv",
            int(m[3] or 8),
            False,
            (0, 1, 2),
            3 if m[1] == "a" else None,
            shift=_SUBSAMPLING[m[2]],
            full_range=m[1] == "j",
        )
    if m := _PLANAR.match(name):
        is_float = m[2] == "f32"
        bits = 32 if is_float else int(m[2] or 8)
        if m[1] == "gray":
            return Layout(name, "gray", bits, is_float, (0,), None)
        return Layout(name, "rgb", bits, is_float, (2, 0, 1), 3 if m[1] == "gbrap" else None)
    if packed := _PACKED.get(name):
        bits, order, alpha, step = packed
        return Layout(name, "rgb", bits, False, order, alpha, step)
    return None


@lru_cache(maxsize=64)
def exists(name: str) -> bool:
    """Tell whether FFmpeg knows a pixel format by this name and it is handled natively."""
    try:
        av.VideoFormat(name, 2, 2)
    except ValueError:
        return False
    return layout(name) is not None


@lru_cache(maxsize=64)
def native_format(name: str) -> str:
    """Name the natively handled format that holds every picture of the format `name` at its depth or deeper.

    Repackings (nv12, p010, yuyv422, big-endian) lose nothing. Palettes become rgba, bayer and XYZ rgb48le.
    """
    if layout(name):
        return name
    fmt = av.VideoFormat(name, 64, 64)
    parts = fmt.components
    alpha = any(c.is_alpha for c in parts) or fmt.has_palette
    bits = max(c.bits for c in parts)
    depth = next(d for d in (8, 9, 10, 12, 14, 16, 99) if bits <= d)
    if "f32" in name or "f16" in name or depth == 99:
        return "gbrapf32le" if alpha else "gbrpf32le"
    if fmt.is_rgb or fmt.is_bayer or fmt.has_palette or name.startswith("xyz"):
        if bits <= 8 and not fmt.is_bayer:
            return "rgba" if alpha else "rgb24"
        return "gbrap16le" if alpha else "gbrp16le" if depth not in (10, 12) else f"gbrp{depth}le"
    if len(parts) <= 2:
        if alpha:
            return "rgba" if bits <= 8 else "rgba64le"
        return "gray" if bits <= 8 else f"gray{depth}le"
    shift = (64 // fmt.chroma_width(64)).bit_length() - 1, (64 // fmt.chroma_height(64)).bit_length() - 1
    sampling = next((k for k, v in _SUBSAMPLING.items() if v == shift), "444")
    if alpha:
        sampling, depth = "444", {9: 10, 14: 16}.get(depth, depth)
    return f"yuv{'a' if alpha else ''}{sampling}p" + (f"{depth}le" if depth > 8 else "")


def views(frame: av.VideoFrame) -> tuple[Plane, ...]:
    """View the planes of a frame in a native format as arrays [h, w], or one [H, W, C] for packed formats, writable."""
    lay = layout(frame.format.name)
    assert lay is not None
    arrays = []
    for i, plane in enumerate(frame.planes[: lay.planes]):
        sx, sy = lay.plane_shift(i)
        width, height = -(-frame.width // (1 << sx)), -(-frame.height // (1 << sy))
        stride = abs(plane.line_size)
        row_bytes = width * lay.dtype.itemsize * max(lay.step, 1)
        rows = np.frombuffer(memoryview(plane), np.uint8, count=stride * (height - 1) + row_bytes)
        array = np.lib.stride_tricks.as_strided(rows, (height, row_bytes), (stride, 1)).view(lay.dtype)
        if plane.line_size < 0:
            array = array[::-1]
        arrays.append(array.reshape(height, width, lay.step) if lay.step else array)
    return tuple(arrays)


def new_frame(name: str, width: int, height: int, tags: ColourTags) -> av.VideoFrame:
    """Allocate a picture, with its colour tags set."""
    frame = av.VideoFrame(width, height, name)
    tag(frame, tags)
    return frame


def tag(frame: av.VideoFrame, tags: ColourTags) -> None:
    """Set a picture's colour tags."""
    frame.colorspace, frame.color_range = tags.space, tags.range
    frame.color_primaries, frame.color_trc = tags.primaries, tags.transfer


def tags_of(frame: av.VideoFrame) -> ColourTags:
    """Read a picture's colour tags."""
    return ColourTags(frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)


def copy(frame: av.VideoFrame, name: str | None = None, tags: ColourTags | None = None) -> av.VideoFrame:
    """Copy the planes of a picture in a native format, with its tags, or with others into another format of the same layout."""
    twin = new_frame(name or frame.format.name, frame.width, frame.height, tags or tags_of(frame))
    for new, old in zip(views(twin), views(frame), strict=True):
        new[...] = old
    return twin


def is_full_range(lay: Layout, tags: ColourTags) -> bool:
    """Tell whether code values span the whole range (always so for rgb)."""
    return lay.family == "rgb" or lay.full_range or tags.range == RANGE_FULL


_SIDEWAYS = {"420": "420", "422": "440", "440": "422", "410": "410", "411": "444"}


@dataclass(frozen=True, slots=True)
class Orientation:
    """A turn by a multiple of 90 degrees counter-clockwise, after an optional left-right mirror."""

    degrees: int = 0
    mirrored: bool = False

    @property
    def upright(self) -> bool:
        """Whether it changes nothing."""
        return self.degrees == 0 and not self.mirrored

    @property
    def transposed(self) -> bool:
        """Whether width and height change places."""
        return self.degrees in (90, 270)

    def format(self, name: str, width: int, height: int) -> str:
        """Name the format in which a turned picture keeps every code value (4:2:2 on its side is 4:4:0)."""
        lay = layout(name)
        assert lay is not None
        if self.upright or lay.shift == (0, 0):
            return name
        sx, sy = lay.shift
        whole = width % (1 << sx) == 0 and height % (1 << sy) == 0
        if whole and (not self.transposed or sx == sy):
            return name
        sampling = next(s for s in _SIDEWAYS if s in name)
        turned = name.replace(sampling, _SIDEWAYS[sampling])
        if whole and exists(turned):
            return turned
        return name.replace(sampling, "444")

    def apply(self, array: Plane) -> Plane:
        """Turn an array [h, w, ...]; a view."""
        return np.rot90(array[:, ::-1] if self.mirrored else array, self.degrees // 90)


UPRIGHT = Orientation()


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Read the display matrix of a decoded picture; turns that are no multiple of 90 degrees are ignored."""
    matrix = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("<9i", bytes(matrix)[:36])
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    # The matrix takes (x, y) to (a x + c y, b x + d y), y down: (a, b) is where the picture's x axis points.
    turn = {(1, 0): 0, (0, -1): 90, (-1, 0): 180, (0, 1): 270}.get((int(np.sign(a)), int(np.sign(b))))
    return UPRIGHT if turn is None else Orientation(turn, mirrored)


def turn_upright(frame: av.VideoFrame, turn: Orientation, name: str, tags: ColourTags) -> av.VideoFrame:
    """Return an upright copy of a picture that already is in the format `name` up to 4:2:2/4:4:0."""
    if turn.upright:
        return frame
    width, height = (frame.height, frame.width) if turn.transposed else (frame.width, frame.height)
    twin = new_frame(name, width, height, tags)
    for new, old in zip(views(twin), views(frame), strict=True):
        new[...] = turn.apply(old)
    return twin
