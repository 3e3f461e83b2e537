"""Between code values and scene-linear Rec.709, through OpenColorIO.

Video and integer images are taken as sRGB-encoded Rec.709 (IEC 61966-2-1), whatever transfer their tags name: that is how
editors see them; EXR is scene-linear Rec.709; DPX marked as log is Cineon (black 95, white 685, 0.002 density a code). The
sRGB curve goes on linearly below 0 and as it is above 1, so that there and back is the identity.

Up to 12 bits, the sRGB curve is looked up in tables that OpenColorIO fills, ten times faster than its own evaluation (0.5 ms
against 5.8 for 400x400 on one core) and right to 3e-5, a quarter of a 12-bit code there and back.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import PyOpenColorIO as ocio

from nodes.footage.info import Colour
from nodes.types import Float

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
    found: Float = linear @ _LUMINANCE
    return found


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
