"""Colour: code values as R'G'B' by the matrices and ranges of ITU-T H.273, and as scene-linear Rec.709 through OpenColorIO.

Video and integer images are taken as sRGB-encoded Rec.709 (IEC 61966-2-1), whatever transfer their tags name, as
editors show them; EXR is scene-linear Rec.709; DPX marked as log is Cineon (black 95, white 685, 0.002 density a code). The
sRGB curve goes on linearly below 0 and as it is above 1, so that there and back is the identity.

Up to 12 bits, the sRGB curve is looked up in tables that OpenColorIO fills, ten times faster than its own evaluation (0.5 ms
against 5.8 for 400x400 on one core) and right to 3e-5, a quarter of a 12-bit code there and back.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
import PyOpenColorIO as ocio

from nodes.footage.info import Colour, FootageInfo
from nodes.footage.planes import Layout, is_full_range
from nodes.types import Float

Matrix = npt.NDArray[np.float64]

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
_SIZE = 65535
_CINEON_BLACK = 10 ** ((95 - 685) / 300)


def to_linear(array: Float, colour: Colour, *, exact: bool = False) -> Float:
    """Decode float32 [h, w, 3] code values (0..1) to scene-linear Rec.709, in place.

    exact: to float32 precision, for depths over 12 bits; otherwise by table, which clips codes to -1.25..2.25.
    """
    return _apply(array, colour, "scene_linear", exact)


def to_srgb(array: Float, colour: Colour, *, exact: bool = False) -> Float:
    """Encode code values of another colour as display-referred sRGB, in place; float32 [h, w, 3]."""
    return _apply(array, colour, "srgb", exact)


def from_linear(array: Float, colour: Colour, *, exact: bool = False) -> Float:
    """Encode scene-linear Rec.709 as code values (0..1), in place; float32 [h, w, 3]."""
    return _apply(array, "scene_linear", colour, exact)


def luminance(linear: Float) -> Float:
    """Rec.709 luminance of scene-linear float32 [..., 3] as [...]."""
    return cast(Float, linear @ _LUMINANCE)


def _apply(array: Float, source: Colour, target: Colour, exact: bool) -> Float:
    if source != target and array.size:
        assert array.flags.c_contiguous and array.dtype == np.float32
        if not exact and "log" not in (source, target):
            return _look_up(array, decode=source == "srgb")
        for a, b in ((source, "scene_linear"), ("scene_linear", target)):
            if a != b:
                _processor(a, b).applyRGB(array)
    return array


def _look_up(array: Float, *, decode: bool) -> Float:
    table, low, high = _table(decode)
    if decode:
        index = array * np.float32(_SIZE / (high - low))
    else:  # evenly spaced square roots follow the curve as evenly as codes do
        index = np.sqrt(np.abs(array))
        np.copysign(index, array, out=index)
        index *= np.float32(_SIZE / (high - low))
    index += np.float32(0.5 - low * _SIZE / (high - low))
    np.clip(index, 0, _SIZE, out=index)
    np.take(table, index.astype(np.uint16), out=array, mode="clip")
    return array


@lru_cache(maxsize=2)
def _table(decode: bool) -> tuple[Float, float, float]:
    """Tabulate the sRGB curve over every code that 12-bit Y'CbCr can mean: (values, first, last argument)."""
    low, high = (-1.25, 2.25) if decode else (-0.35, 2.65)
    grid = np.linspace(low, high, _SIZE + 1)
    values = (grid if decode else np.copysign(grid**2, grid)).astype(np.float32)
    rgb = np.repeat(values[:, None], 3, axis=1)
    _processor(*(("srgb", "scene_linear") if decode else ("scene_linear", "srgb"))).applyRGB(rgb)
    return np.ascontiguousarray(rgb[:, 0]), low, high


@lru_cache(maxsize=16)
def _processor(source: str, target: str) -> Any:
    encoded = source if target == "scene_linear" else target
    decode = target == "scene_linear"
    if encoded == "srgb":
        transform = ocio.ExponentWithLinearTransform(
            gamma=[2.4, 2.4, 2.4, 1], offset=[0.055, 0.055, 0.055, 0], negativeStyle=ocio.NEGATIVE_LINEAR
        )
    else:
        transform = ocio.LogAffineTransform(
            logSideSlope=[300 / 1023] * 3,
            logSideOffset=[685 / 1023] * 3,
            linSideSlope=[1 - _CINEON_BLACK] * 3,
            linSideOffset=[_CINEON_BLACK] * 3,
        )
        transform.setBase(10)
        decode = not decode
    transform.setDirection(ocio.TRANSFORM_DIR_FORWARD if decode else ocio.TRANSFORM_DIR_INVERSE)
    processor = ocio.Config.CreateRaw().getProcessor(transform)
    return processor.getOptimizedCPUProcessor(ocio.OPTIMIZATION_LOSSLESS)


_KR_KB = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}


def resolved_space(info: FootageInfo) -> int:
    """Return the matrix (H.273) of a clip; where it is unspecified, BT.709 for HD and BT.601 for smaller, as players do."""
    if info.tags.space in _KR_KB:
        return info.tags.space
    return 1 if info.width >= 1280 or info.height > 576 else 6


def yuv_to_rgb(info: FootageInfo, lay: Layout) -> Matrix:
    """Return the affine map [3, 4] from (Y, Cb, Cr) code values to R'G'B' in 0..1."""
    return _affine(resolved_space(info), lay.bits, is_full_range(lay, info.tags))[0]


def rgb_to_yuv(info: FootageInfo, lay: Layout) -> Matrix:
    """Return the affine map [3, 4] from R'G'B' in 0..1 to (Y, Cb, Cr) code values, not rounded."""
    return _affine(resolved_space(info), lay.bits, is_full_range(lay, info.tags))[1]


@lru_cache(maxsize=16)
def _affine(space: int, bits: int, full: bool) -> tuple[Matrix, Matrix]:
    kr, kb = _KR_KB[space]
    kg = 1 - kr - kb
    unit = np.array(
        [
            [1, 0, 2 * (1 - kr)],
            [1, -2 * (1 - kb) * kb / kg, -2 * (1 - kr) * kr / kg],
            [1, 2 * (1 - kb), 0],
        ]
    )
    scale = 2 ** (bits - 8)
    black, luma, chroma = (0, 2**bits - 1, 2**bits - 1) if full else (16 * scale, 219 * scale, 224 * scale)
    offset = np.array([black, 2 ** (bits - 1), 2 ** (bits - 1)], np.float64)
    decode = unit / np.array([luma, chroma, chroma])
    encode = np.linalg.inv(decode)
    return np.column_stack([decode, -decode @ offset]), np.column_stack([encode, offset])


def transform(array: Float, affine: Matrix) -> Float:
    """Apply an affine map [3, 4] to the channels of float32 [h, w, 3]."""
    return cast(Float, cv2.transform(array, affine))
