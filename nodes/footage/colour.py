"""Between code values and scene-linear Rec.709, through OpenColorIO.

Video and integer images are taken as sRGB-encoded Rec.709 (IEC 61966-2-1), whatever transfer their tags name: that is how
editors see them; EXR is scene-linear Rec.709; DPX marked as log is Cineon (black 95, white 685, 0.002 density a code). The
sRGB curve goes on linearly below 0 and as it is above 1, so that there and back is the identity.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import PyOpenColorIO as ocio

from nodes.footage.info import Colour
from nodes.types import Float

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
_CINEON_BLACK = 10 ** ((95 - 685) / 300)


def to_linear(array: Float, colour: Colour, *, exact: bool = False) -> Float:
    """Decode float32 [h, w, 3] code values (0..1) to scene-linear Rec.709, in place.

    exact: to float32 precision, for depths over 12 bits; otherwise to about 3e-5, three times faster.
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
        for a, b in ((source, "scene_linear"), ("scene_linear", target)):
            if a != b:
                _processor(a, b, exact).applyRGB(array)
    return array


@lru_cache(maxsize=16)
def _processor(source: str, target: str, exact: bool) -> Any:
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
    effort = ocio.OPTIMIZATION_LOSSLESS if exact else ocio.OPTIMIZATION_DEFAULT
    return ocio.Config.CreateRaw().getProcessor(transform).getOptimizedCPUProcessor(effort)
