"""Light: give the new face the plate's own shade and tint, which change slowly over the skin, and keep its own detail.

An exchange of low bands as in Burt & Adelson 1983, "A multiresolution spline with application to image mosaics". Luma is
exchanged at a broad scale only, or the target's features would come with it; chroma at a fine one, because the performance is
the plate's: where its teeth and lips are, there the new ones are too.
"""

from __future__ import annotations

import cv2
import numpy as np

from nodes.types import Bool, Float

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec.601, on display-referred values
_LUMA_SCALE, _CHROMA_SCALE, _RIM_SCALE = 0.12, 0.025, 0.06  # standard deviations, fractions of the crop
_GRID = 64  # side of the grid that low bands are worked out on
_CHROMA_GAIN = 1.8  # chroma follows the light faster than luma


def low_band(image: Float, weight: Float, scale: float) -> Float:
    """Blur [S, S, C] by a Gaussian of `scale` (fraction of S) inside `weight` [S, S] only: normalised convolution."""
    size = image.shape[0]
    stack = np.dstack([image * weight[..., None], weight])
    small = cv2.resize(stack, (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), scale * _GRID, borderType=cv2.BORDER_CONSTANT)
    band = blurred[..., :-1] / (blurred[..., -1:] + 1e-4)
    return np.asarray(cv2.resize(band, (size, size), interpolation=cv2.INTER_LINEAR), np.float32).reshape(image.shape)


def take_light(face: Float, plate: Float, matte: Float, visible: Bool, amount: float) -> Float:
    """Light `face` as `plate` is lit.

    face, plate: display-referred RGB [S, S, 3], 0..1. matte: [S, S], 0..1. visible: [S, S], where `face` is defined.
    amount: 0 leaves the face as it is, 1 takes over the whole of the plate's low bands.
    """
    if amount <= 0:
        return face
    weight = (visible & (matte > 0)).astype(np.float32)
    difference = plate - face
    luma = np.asarray((difference @ _LUMA)[..., None], np.float32)
    tint = min(_CHROMA_GAIN * amount, 1.0)
    change = amount * low_band(luma, weight, _LUMA_SCALE) + tint * low_band(difference - luma, weight, _CHROMA_SCALE)
    lit = np.asarray(face + change, np.float32)
    # What still differs at the rim, where face and plate meet, fades away inwards.
    rim = np.where(matte < 0.9, weight, np.float32(0))
    near = low_band(rim[..., None], weight, _RIM_SCALE)
    faded = low_band(plate - lit, rim + np.float32(1e-3) * weight, _RIM_SCALE)
    return np.asarray(lit + np.clip(near, 0, 1) * faded, np.float32)
