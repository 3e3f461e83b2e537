"""Light: give the new face the plate's own shade and tint, which change slowly over the skin, and keep its own detail.

An exchange of low bands as in Burt & Adelson 1983, "A multiresolution spline with application to image mosaics". Luma is
exchanged at a broad scale only, or the target's features would come with it; chroma at a fine one, because the performance is
the plate's: its teeth and lips are where the new ones are.
"""

from __future__ import annotations

import cv2
import numpy as np

from nodes.types import Bool, Float

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec.601, on display-referred values
_LUMA_SCALE, _CHROMA_SCALE, _RIM_SCALE = 0.12, 0.025, 0.06  # standard deviations, fractions of the crop
_GRID = 64  # side of the grid on which low bands are computed
_CHROMA_GAIN = 1.8  # chroma follows the light faster than luma


def reduce(image: Float, weight: Float) -> Float:
    """Average [S, S, C] times `weight` [S, S], and the weight, over the cells of a small grid: [64, 64, C + 1]."""
    weighted = np.multiply(image, weight[..., None], dtype=np.float32)
    return np.dstack([cv2.resize(p, (_GRID, _GRID), interpolation=cv2.INTER_AREA) for p in (weighted, weight)])


def low_band(reduced: Float, scale: float) -> Float:
    """Blur what :func:`reduce` gives by a Gaussian of `scale` (fraction of the side): normalised convolution, [64, 64, C]."""
    blurred = cv2.GaussianBlur(reduced, (0, 0), scale * _GRID, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(blurred[..., :-1] / (blurred[..., -1:] + 1e-4), np.float32)


def _enlarge(band: Float, size: int) -> Float:
    large = np.asarray(cv2.resize(band, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    return large.reshape(size, size, -1)


def take_light(face: Float, plate: Float, matte: Float, visible: Bool, amount: float) -> Float:
    """Transfer the light of `plate` to `face`.

    face, plate: display-referred RGB [S, S, 3], 0..1. matte: [S, S], 0..1. visible: [S, S], where `face` is defined.
    amount: 0 leaves the face as it is, 1 takes over the whole of the plate's low bands.
    """
    if amount <= 0:
        return face
    size = face.shape[0]
    weight = (visible & (matte > 0)).astype(np.float32)
    reduced = reduce(plate - face, weight)
    luma = (reduced[..., :-1] @ _LUMA)[..., None]
    broad = low_band(np.concatenate([luma, reduced[..., -1:]], -1), _LUMA_SCALE)
    fine = low_band(np.concatenate([reduced[..., :-1] - luma, reduced[..., -1:]], -1), _CHROMA_SCALE)
    lit = np.asarray(face + _enlarge(amount * broad + min(_CHROMA_GAIN * amount, 1.0) * fine, size), np.float32)
    # The remaining difference at the rim, where face and plate meet, fades inwards.
    rim = np.where(matte < 0.9, weight, np.float32(0))
    near = np.repeat(np.clip(low_band(reduce(rim[..., None], weight), _RIM_SCALE), 0, 1), face.shape[-1], -1)
    faded = low_band(reduce(plate - lit, rim + np.float32(1e-3) * weight), _RIM_SCALE)
    return np.asarray(lit + _enlarge(near, size) * _enlarge(faded, size), np.float32)


def unsharp_mask(image: Float, weight: Float, amount: float | Float, radius: float = 0.006) -> Float:
    """Add `amount` times the detail finer than `radius` to images, fading with the matte.

    image: [B, S, S, 3], display-referred RGB 0..1. weight: [B, S, S], matte 0..1; what lies outside neither changes nor
    rings into the face. amount: 0..2, one for all or [B]. radius: σ of the Gaussian, as a fraction of S.
    """
    amounts = np.broadcast_to(np.asarray(amount, np.float32), (len(image),))
    out = np.array(image, np.float32)
    sigma = radius * image.shape[1]
    if sigma <= 0:
        return out
    for face, matte, strength in zip(out, weight, amounts, strict=True):
        if strength <= 0 or not matte.any():
            continue
        # Normalised convolution (Knutsson & Westin 1993): the blur knows only pixels of the face.
        inside = np.asarray(matte, np.float32)[..., None]
        blurred = cv2.GaussianBlur(np.concatenate([face * inside, inside], -1), (0, 0), sigma)
        low = blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-6)
        np.maximum(face + strength * inside * (face - low), 0, out=face, where=inside > 0)
    return out
