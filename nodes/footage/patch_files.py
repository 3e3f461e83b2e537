"""Patches and mattes as OpenEXR files, as compositing programs expect them.

A patch is half-float R, G, B, A, premultiplied, scene-linear, its data window the region and its display window the frame.
A matte is one half-float channel over the whole frame's display window. Both are compressed without
loss by ZIP at its fastest level (276x226 RGBA, one thread: ZIP:1 4.5 ms of processor time and 230 kB, PXR24 4.8 and 219, RLE 3.5
and 294, ZIPS:1 7.9 and 258, PIZ 9.6 and 233), which every compositing program reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nodes.errors import FootageError
from nodes.files import whole_file
from nodes.footage.images import Pixels, display_window, half_spec, read_window, white, write_image
from nodes.types import Float, Patch, Roi

_HALF_MAX = 65504.0
_LEAST_NORMAL = np.float32(2**-14).view(np.uint32)
EMPTY = Roi(0, 0, 0, 0)


def half_rounded(values: Float) -> Float:
    """Round float32 to what half floats hold, within +-65504, as float32: NumPy's result there and back, in a quarter of the time.

    To the nearest, and to even between two (IEEE 754-2008, 4.3.1).
    """
    bits = np.ascontiguousarray(np.clip(values, -_HALF_MAX, _HALF_MAX), np.float32).view(np.uint32)
    # 10 of the mantissa's 23 bits are left.
    kept = bits >> 13
    kept &= 1
    kept += 0x0FFF
    kept += bits
    kept &= np.uint32(0xFFFFE000)
    rounded = kept.view(np.float32)
    size = bits & np.uint32(0x7FFFFFFF)
    fine = (size < _LEAST_NORMAL) & (size != 0)  # subnormal half floats have fewer bits
    if fine.any():
        rounded[fine] = bits.view(np.float32)[fine].astype(np.float16)
    return rounded


def write_patch(
    path: Path, patch: Patch, width: int, height: int, *, whole: bool = False, compression: str = "zip:1"
) -> None:
    """Write a patch in a frame of `width` x `height`; an empty one as a transparent pixel that reads back as empty.

    Values beyond half float are clipped to +-65504. whole: with all of the frame as its data window, for readers that ignore its position.
    compression: by OpenImageIO's name. Raises OutputError.
    """
    pixels = _half(np.zeros((1, 1, 4), np.float32) if patch.roi.empty else patch.rgba)
    roi, pixels = _in_frame(pixels, patch.roi, width, height) if whole else (patch.roi, pixels)
    spec = _windows(half_spec(pixels.shape[1], pixels.shape[0], ("R", "G", "B", "A"), compression), roi, width, height)
    spec.alpha_channel = 3
    spec.attribute("faceplate:frame", patch.frame)
    with whole_file(Path(path), sync=False) as temporary:
        write_image(temporary, pixels, spec)


def read_patch(path: Path) -> Patch:
    """Read a patch, or any RGBA EXR with a data window, as premultiplied float32; raises FootageError."""
    spec, pixels = read_window(Path(path))
    names = [name.rsplit(".", 1)[-1].upper() for name in spec.channelnames]
    if not set("RGBA") <= set(names):
        raise FootageError("has no R, G, B and A channels", file=path, remedy="Give a patch that Faceplate wrote")
    rgba: Float = pixels[..., [names.index(c) for c in "RGBA"]].astype(np.float32)
    roi = Roi(spec.x, spec.y, spec.x + spec.width, spec.y + spec.height)
    frame = spec.getattribute("faceplate:frame")
    if roi.width == roi.height == 1 and not rgba.any():
        roi, rgba = EMPTY, np.zeros((0, 0, 4), np.float32)
    return Patch(int(frame) if frame is not None else 0, roi, rgba)


def write_matte(path: Path, matte: Float, roi: Roi, width: int, height: int, *, whole: bool = False) -> None:
    """Write coverage 0..1, float32 [roi.height, roi.width], as a single-channel EXR of a frame of `width` x `height`.

    The channel is `Y`, luminance, which viewers and readers show as grey. An empty region is written as a pixel of 0. whole: see `write_patch`.
    Raises OutputError.
    """
    pixels = _half(np.zeros((1, 1, 1), np.float32) if roi.empty else matte[..., None])
    roi, pixels = _in_frame(pixels, roi, width, height) if whole else (roi, pixels)
    spec = _windows(half_spec(pixels.shape[1], pixels.shape[0], ("Y",), "zip:1"), roi, width, height)
    with whole_file(Path(path), sync=False) as temporary:
        write_image(temporary, pixels, spec)


def read_matte(path: Path) -> Float:
    """Read a matte over its whole display window, float32 [H, W]; 0 outside the data window. Raises FootageError.

    From any image: its alpha if there is one that is not opaque, else its luminance channel, else its red.
    """
    spec, pixels = read_window(Path(path))
    names = [name.rsplit(".", 1)[-1].upper() for name in spec.channelnames]
    index = next((names.index(c) for c in "AYR" if c in names), 0)
    if names[index] == "A" and len(names) > 1 and bool((pixels[..., index] == white(pixels)).all()):
        index = 0
    value = pixels[..., index].astype(np.float32) / np.float32(white(pixels))
    return np.asarray(display_window(spec, value[..., None])[..., 0], np.float32)


def _windows(spec: Any, roi: Roi, width: int, height: int) -> Any:
    spec.x, spec.y = (0, 0) if roi.empty else (roi.x0, roi.y0)
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = 0, 0, width, height
    spec.attribute("oiio:ColorSpace", "lin_rec709_scene")
    return spec


def _in_frame(pixels: Pixels, roi: Roi, width: int, height: int) -> tuple[Roi, Pixels]:
    """Place pixels in a whole frame, with zeros around them."""
    part = Roi(max(roi.x0, 0), max(roi.y0, 0), min(roi.x1, width), min(roi.y1, height))
    frame = np.zeros((height, width, pixels.shape[2]), pixels.dtype)
    if not part.empty:
        frame[part.slices] = pixels[part.within(roi)]
    return Roi(0, 0, width, height), frame


def _half(pixels: Float) -> Pixels:
    return np.clip(pixels, -_HALF_MAX, _HALF_MAX).astype(np.float16)
