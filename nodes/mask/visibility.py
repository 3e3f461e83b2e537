"""Visibility of crops from the classes of their pixels: steady over time, and refined to the edges in the picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from nodes.geometry.step import smoothstep
from nodes.mask.classes import CLASSES
from nodes.types import Float

NEAR = 2  # frames on either side that steady a frame
_ALIKE = 0.05  # σ of the change of luma up to which a pixel shows the same thing in two frames
_REACH = 1.2  # σ over time, in frames
_RADIUS = 0.02  # of the crop: of the window in which an edge of the picture guides the matte's
_FLAT = 2e-4  # variance of luma below which there is no edge
# Shares of the subject between which a pixel is partly visible: of a plate, where a clear face must stay whole, and of a source, where hair
# must never pass for skin.
_PLATE, _SOURCE = (0.12, 0.5), (0.5, 0.9)
_CLEAR = 0.8  # least share in all of a face from which nothing is in front of it
_LUMA = np.array([[0.299, 0.587, 0.114]])  # Rec.601, on display-referred values


def share_of_subject(classes: Float, *, glasses: bool = False) -> Float:
    """Add up what is the subject's own: [B, h, w] of classes [B, C, h, w]. glasses: whether they are replaced with it."""
    own: Float = classes[:, CLASSES.index("face")]
    return own + share_of_glasses(classes) if glasses else own


def share_of_glasses(classes: Float) -> Float:
    """Return the share of glasses, [B, h, w], of classes [B, C, h, w]."""
    share: Float = classes[:, CLASSES.index("glasses")]
    return share


def luma(picture: Float, size: int) -> Float:
    """Return the luma of a picture [S, S, 3], 0..1, reduced to [size, size]."""
    small = picture if len(picture) == size else cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.transform(small, _LUMA), np.float32)


def is_clear(share: Float, matte: Float) -> bool:
    """Tell from the share of the subject [h, w] whether nothing is in front of it under a matte [S, S]."""
    under = cv2.resize(matte, share.shape, interpolation=cv2.INTER_LINEAR) > 0
    return bool((share[under] >= _CLEAR).all())


def steady(shares: Sequence[Float], guides: Sequence[Float], at: int) -> Float:
    """Average shares [h, w] over neighbouring frames wherever the picture stays the same (Tomasi and Manduchi 1998, in time).

    shares, guides: of the frames around the one at index `at`, in aligned crops; guides: their luma [h, w].
    """
    if len(shares) == 1:
        return shares[0]
    total, weights = np.zeros_like(shares[at]), np.zeros_like(shares[at])
    for k, (share, guide) in enumerate(zip(shares, guides, strict=True)):
        change = cv2.blur(np.abs(guide - guides[at]), (3, 3))
        weight = np.exp(-0.5 * ((change / _ALIKE) ** 2 + ((k - at) / _REACH) ** 2))
        total += weight * share
        weights += weight
    return np.asarray(total / weights, np.float32)


def refined(share: Float, picture: Float, *, strict: bool = False) -> Float:
    """Bring the share of the subject [h, w] to the size and the edges of its picture [S, S, 3]: visibility [S, S], 0..1.

    strict: what may be something else counts as something else, as of a source.
    A guided filter whose coefficients are found on the small grid (He and Sun 2015, "Fast guided filter").
    """
    side, size = len(share), len(picture)
    guide = luma(picture, side)
    window = 2 * max(round(_RADIUS * side), 1) + 1

    def mean(values: Float) -> Float:
        return np.asarray(cv2.blur(values, (window, window)), np.float32)

    middle, level = mean(guide), mean(share)
    slope = (mean(guide * share) - middle * level) / (mean(guide * guide) - middle**2 + np.float32(_FLAT))
    line = np.dstack([mean(slope), mean(level - slope * middle)])
    gain, offset = cv2.split(np.asarray(cv2.resize(line, (size, size), interpolation=cv2.INTER_LINEAR), np.float32))
    low, high = _SOURCE if strict else _PLATE
    return smoothstep((gain * luma(picture, size) + (offset - np.float32(low))) * np.float32(1 / (high - low)))
